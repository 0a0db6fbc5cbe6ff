"""Workers of a real Ray on one run: what they make together is what one process makes, whatever becomes of some."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from icvos.commands.progress import Bars
from icvos.errors import IcvosError
from icvos.tasks import connection
from icvos.tasks.pool import Pool
from icvos.tasks.video import driver
from icvos.tasks.video.benchmark import Benchmark
from tests import ROOT
from tests.conftest import icvos
from tests.icvos.tasks.local_ray import local_ray
from tests.icvos.tasks.video.gated import POINTS, write_package
from tests.icvos.tasks.video.test_sharing import contents

GATED = ("eval", "--method", "gated", "--protocol", "native", "--draws", "0-1")
BY_RAY = (*GATED, "--ray", "local")


@pytest.fixture(autouse=True)
def methods(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("icvos.method.entry_points", lambda group: POINTS)


@pytest.fixture(scope="module")
def signs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("signs")


@pytest.fixture(scope="module")
def ray(tmp_path_factory: pytest.TempPathFactory, signs: Path) -> Iterator[Any]:
    """A Ray of three processors on this machine, whose workers know the method by an entry point, as of a package."""
    package = tmp_path_factory.mktemp("package")
    write_package(package)
    with local_ray(3, package, SIGNS=str(signs)) as found:
        yield found


@pytest.fixture(scope="module")
def alone(built: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The run of one process."""
    out = tmp_path_factory.mktemp("alone") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("icvos.method.entry_points", lambda group: POINTS)
        icvos(*GATED, "--benchmark", built, "--out", out)
    return contents(out)


def test_workers_make_the_run_of_one_process(ray: Any, built: Path, alone: dict[str, Any], tmp_path: Path) -> None:
    assert ray.is_initialized()
    said = icvos(*BY_RAY, "--benchmark", built, "--out", tmp_path / "run")
    assert "native@1: J" in said.stdout
    assert said.stderr == ""
    assert contents(tmp_path / "run") == alone
    clips = [clip.id for clip in Benchmark.open(built).clips]
    assert list(json.loads((tmp_path / "run" / "draw1" / "run.json").read_text())["clips"]) == clips
    assert ray.is_initialized()


def test_several_methods_share_the_workers_and_one_that_does_not_load_stops_no_other(
    ray: Any, built: Path, alone: dict[str, Any], tmp_path: Path
) -> None:
    assert ray.is_initialized()
    methods = ("eval", "--method", "broken", "--method", "gated", "--method", "dark")
    said = icvos(*methods, *BY_RAY[3:], "--benchmark", built, "--out", tmp_path / "runs", status=2)
    icvos("eval", "--method", "dark", *GATED[3:], "--benchmark", built, "--out", tmp_path / "dark")
    assert contents(tmp_path / "runs" / "gated") == alone
    assert contents(tmp_path / "runs" / "dark") == contents(tmp_path / "dark")
    assert "warning: --ray local: one worker less for broken: " in said.stderr
    assert said.stderr.endswith(
        "broken failed, see above; all others are scored; run the same command again to go on\n"
    )
    ranked = said.stdout[said.stdout.index("Method") :]
    assert "gated" in ranked
    assert "dark" in ranked


@pytest.mark.slow
@pytest.mark.parametrize("sent", ["SIGKILL-1", "SIGSTOP-1"])
def test_a_worker_that_is_killed_or_hangs_is_replaced(
    sent: str,
    ray: Any,
    built: Path,
    alone: dict[str, Any],
    signs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert ray.is_initialized()
    monkeypatch.setattr(driver, "QUIET_S", 5.0)
    (signs / sent).touch()
    icvos(*BY_RAY, "--benchmark", built, "--out", tmp_path / "run")
    assert not (signs / sent).exists()
    assert contents(tmp_path / "run") == alone


@pytest.mark.slow
def test_a_clip_that_fails_is_listed_and_all_else_is_scored(
    ray: Any, built: Path, alone: dict[str, Any], signs: Path, tmp_path: Path
) -> None:
    assert ray.is_initialized()
    out, clips = tmp_path / "run", Benchmark.open(built).clips
    wrong = clips[0].category.index
    bad = [clip.id for clip in clips if clip.category.index == wrong]
    (signs / f"fails-{wrong}").touch()
    said = icvos(*BY_RAY, "--benchmark", built, "--out", out, status=2).stderr.splitlines()
    (signs / f"fails-{wrong}").unlink()
    assert len(said) == 2 * len(bad) + 1
    for line, (draw, clip) in zip(said, [(draw, clip) for draw in (0, 1) for clip in bad], strict=False):
        assert line.startswith(f"warning: draw {draw}, {clip}: method gated failed on {clip}: RuntimeError: this one")
    partial = out / "scores-native@1-partial.json"
    assert said[-1] == (
        f"icvos: {2 * len(bad)} of {2 * len(clips)} clips failed, see the warnings above; all others are scored in "
        f"{partial}; run the same command again to try the rest again"
    )
    assert list(json.loads(partial.read_text())["clips"]) == [clip.id for clip in clips if clip.id not in bad]
    partial.unlink()
    icvos(*BY_RAY, "--benchmark", built, "--out", out)
    assert contents(out) == alone


@pytest.mark.slow
def test_ctrl_c_ends_the_workers_and_says_how_to_go_on(
    ray: Any, built: Path, alone: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Bars, "advance", interrupt)
        said = icvos(*BY_RAY, "--benchmark", built, "--out", tmp_path / "run", status=130).stderr
    total = 2 * len(Benchmark.open(built).clips)
    assert said == f"icvos: stopped: 0 of {total} clips are done; run the same command again to go on\n"
    assert not (tmp_path / "run" / ".claims").exists()
    assert ray.is_initialized()
    icvos(*BY_RAY, "--benchmark", built, "--out", tmp_path / "run")
    assert contents(tmp_path / "run") == alone


@pytest.mark.slow
def test_a_driver_that_is_killed_and_started_again_goes_on(
    ray: Any, built: Path, alone: dict[str, Any], signs: Path, tmp_path: Path
) -> None:
    out, wait = tmp_path / "run", signs / "wait"
    address = ray.get_runtime_context().gcs_address
    command = [sys.executable, "-m", "tests.icvos.tasks.video.gated", *GATED, "--ray", address]
    first = subprocess.Popen(
        [*command, "--benchmark", str(built), "--out", str(out)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not any(out.glob("draw*/*/*/*.png")) and first.poll() is None:
        time.sleep(0.005)
    wait.touch()
    first.send_signal(signal.SIGKILL)
    first.communicate()
    made = {path: path.stat().st_ino for path in out.glob("draw*/*/*/*.png")}
    wait.unlink()
    icvos(*BY_RAY, "--benchmark", built, "--out", out)
    assert made
    assert contents(out) == alone


def test_without_ray_the_extra_is_named(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    said = icvos(*BY_RAY, "--benchmark", built, "--out", tmp_path / "run", status=2).stderr
    assert said == "icvos: --ray local needs the package ray; run: pip install 'icvos[cluster]'\n"
    assert not (tmp_path / "run").exists()


def test_ray_is_refused_where_it_means_nothing(built: Path, tmp_path: Path) -> None:
    run = (*GATED, "--benchmark", built, "--out", tmp_path / "run")
    assert "goes with --ray" in icvos(*run, "--cpus-per-worker", 2, status=2).stderr
    said = icvos(*run, "--ray", "local", "--shard", "1/2", status=2).stderr
    assert "--shard 1/2: --ray local has workers of its own" in said
    for address in ("ray://head:10001", "auto", "head", "head:a"):
        said = icvos(*run, "--ray", address, status=2).stderr
        assert f"--ray {address}: give local, or HOST:PORT of the cluster's head" in said
    several = ("eval", "--method", "gated", "--method", "dark", *run[3:], "--ray", "local")
    said = icvos(*several, "--shard", "1/2", status=2).stderr
    assert "--shard 1/2: --ray local has workers of its own" in said


def test_a_cluster_that_does_not_answer_is_refused_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        Pool(f"127.0.0.1:{port}").require_reached()
    with pytest.raises(IcvosError, match=f"--ray 127.0.0.1:{port}: nothing answers there .*ray start --head"):
        Pool(f"127.0.0.1:{port}").require_reached()


def test_the_token_of_a_cluster_is_sent_where_there_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RAY_AUTH_MODE", *connection.TOKENS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    connection.set_variables()
    assert "RAY_AUTH_MODE" not in os.environ
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("abc")
    connection.set_variables()
    assert os.environ.pop("RAY_AUTH_MODE") == "token"
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    connection.set_variables()
    assert os.environ["RAY_AUTH_MODE"] == "disabled"


def test_ray_is_imported_where_it_is_asked_for_alone() -> None:
    code = "import sys, icvos.cli, icvos.tasks.video.driver; print('ray' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "False\n"
