"""Scoring and building by the workers of a real Ray: what comes out is what one process makes."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from icvos.errors import IcvosError
from icvos.notices import notice
from icvos.tasks.farm import RayFarm
from icvos.tasks.pool import Pool
from icvos.workers import run_jobs
from tests.conftest import World, icvos
from tests.icvos.tasks.local_ray import local_ray


@pytest.fixture(scope="module")
def ray() -> Iterator[Any]:
    """A Ray of two processors on this machine."""
    with local_ray(2) as found:
        yield found


def weighed(job: tuple[Path, int]) -> tuple[int, int]:
    """The number of a job, twice, and the process; what befalls the job is said by the file ``<number>``."""
    folder, number = job
    sign = folder / str(number)
    befalls = sign.read_text() if sign.exists() else ""
    if befalls == "dies once":
        sign.unlink()
    if befalls.startswith("dies"):
        os.kill(os.getpid(), signal.SIGKILL)
    if befalls == "fails":
        raise IcvosError(f"{number}: cannot be decoded")
    if befalls == "warns":
        notice(str(sign), "odd", f"{number} is odd")
    return 2 * number, os.getpid()


def jobs(folder: Path, **befalls: str) -> list[tuple[Path, int]]:
    for name, what in befalls.items():
        (folder / name.strip("_")).write_text(what)
    return [(folder, number) for number in range(6)]


@pytest.mark.slow
def test_results_come_in_the_order_of_the_jobs_though_a_worker_is_killed(
    ray: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert ray.is_initialized()
    monkeypatch.chdir(tmp_path)
    seen = list[int]()
    found = run_jobs(
        weighed,
        jobs(Path(), _2="dies once", _4="warns"),
        RayFarm(Pool("local")),
        cost=lambda job: job[1],
        done=lambda job: seen.append(job[1]),
    )
    assert [result for result, _ in found] == [0, 2, 4, 6, 8, 10]
    assert os.getpid() not in {process for _, process in found}
    assert sorted(seen) == list(range(6))
    assert caplog.messages == ["4 is odd"]


@pytest.mark.slow
def test_errors_of_workers_end_the_command(ray: Any, tmp_path: Path) -> None:
    assert ray.is_initialized()
    with pytest.raises(IcvosError, match=r"^3: cannot be decoded$"):
        run_jobs(weighed, jobs(tmp_path, _3="fails"), RayFarm(Pool("local")))
    with pytest.raises(IcvosError, match=r"^--ray local: 3 workers died of one job, .*ray start --num-cpus$"):
        run_jobs(weighed, jobs(tmp_path, _3="dies"), RayFarm(Pool("local")))


@pytest.mark.slow
def test_scores_and_digests_are_those_of_one_process(ray: Any, world: World, built: Path, tmp_path: Path) -> None:
    assert ray.is_initialized()
    run, one, two = tmp_path / "run", tmp_path / "one.json", tmp_path / "two.json"
    icvos("eval", "--method", "oracle", "--benchmark", built, "--out", run)
    icvos("score", run, "--benchmark", built, "--out", one)
    icvos("score", run, "--benchmark", built, "--out", two, "--ray", "local")
    assert two.read_bytes() == one.read_bytes()
    icvos("build", *world.build_arguments, "--out", tmp_path / "built", "--ray", "local")
    assert (tmp_path / "built" / "icvos.json").read_bytes() == (built / "icvos.json").read_bytes()
    assert "matches its digest" in icvos("build", "--check", "--out", tmp_path / "built", "--ray", "local").output


def test_ray_is_refused_where_it_means_nothing(tmp_path: Path) -> None:
    said = icvos("score", tmp_path, "--benchmark", tmp_path, "--workers", 2, "--ray", "local", status=2).stderr
    assert said == "icvos: --ray local: has workers of its own; leave --workers out\n"
    archive = tmp_path / "masks.zip"
    archive.touch()
    said = icvos("score", archive, "--benchmark", tmp_path, "--ray", "10.0.0.1:6379", status=2).stderr
    assert "unpack it where all machines of --ray 10.0.0.1:6379 see it" in said
