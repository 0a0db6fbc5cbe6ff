"""Shards as a job array: by submitit's processes on this machine, and what is refused without SLURM."""

import os
import signal
import time
from pathlib import Path

import pytest

from icvos.errors import IcvosError
from icvos.tasks.evaluation import evaluate
from icvos.tasks.slurm import ShardJob, submit
from tests import ROOT
from tests.conftest import icvos
from tests.icvos.tasks.video.gated import POINTS, write_package
from tests.icvos.tasks.video.test_sharing import contents

pytest.importorskip("submitit", reason="submitit is not installed: pip install 'icvos[cluster]'")
ASKED = {"method": "gated", "protocols": ("native",), "parts": (0, 1)}


@pytest.fixture
def signs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of signs that tasks obey, which know the method by an entry point, as of a package."""
    monkeypatch.setattr("icvos.method.entry_points", lambda group: POINTS)
    package, found = tmp_path / "package", tmp_path / "signs"
    write_package(package)
    found.mkdir()
    places = [str(ROOT), str(package), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(places))
    monkeypatch.setenv("SIGNS", str(found))
    return found


def task_of(controller: str) -> int:
    """The process of submitit that its controller has started."""
    return int(Path(f"/proc/{controller}/task/{controller}/children").read_text().split()[0])


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="children are found in the /proc of Linux")
def test_a_preempted_task_goes_on_and_the_run_is_that_of_one_process(signs: Path, built: Path, tmp_path: Path) -> None:
    out, alone = tmp_path / "run", tmp_path / "alone"
    evaluate(benchmark=built, out=alone, **ASKED)  # type: ignore[arg-type]
    (signs / "wait").touch()
    jobs = submit({**ASKED, "benchmark": built, "out": out}, 2, tmp_path / "logs", {"timeout_min": "10"}, "local")
    while len(list(out.glob(".claims/video-*"))) < 2:
        time.sleep(0.05)
    os.kill(task_of(jobs[0].job_id), signal.SIGUSR2)  # as SLURM does before it takes the node away
    while "Requeued job" not in jobs[0].paths.stdout.read_text():
        time.sleep(0.05)
    (signs / "wait").unlink()
    assert sorted(job.result() for job in jobs) in ([0, 1], [1, 1])
    assert contents(out) == contents(alone)


def test_a_task_is_submitted_again_as_it_was() -> None:
    again = ShardJob(ASKED, "2/3").checkpoint()
    assert (again.function.shard, again.function.arguments) == ("2/3", ASKED)


def test_without_slurm_it_says_so(signs: Path, built: Path, tmp_path: Path) -> None:
    assert signs.is_dir()
    run = ("eval", "--method", "gated", "--benchmark", built, "--out", tmp_path / "run")
    said = icvos(*run, "--slurm", 2, status=2).stderr
    assert said.startswith("icvos: --slurm: cannot be submitted (Could not detect")
    assert "leave --shard and --ray out" in icvos(*run, "--slurm", 2, "--shard", "1/2", status=2).stderr
    assert "goes with --slurm" in icvos(*run, "--slurm-set", "timeout_min=1", status=2).stderr
    assert not (tmp_path / "run").exists()


def test_parameters_that_submitit_does_not_know_are_refused(tmp_path: Path) -> None:
    with pytest.raises(IcvosError, match=r"--slurm: cannot be submitted .*no_such"):
        submit(ASKED, 1, tmp_path / "logs", {"no_such": "1"}, "local")
