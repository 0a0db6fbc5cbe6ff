"""Several processes on one run: what they make together is what one makes alone, whatever becomes of some of them."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from icvos.files import leases
from icvos.files.leases import LEASE_S, Leases
from icvos.tasks.video.benchmark import Benchmark
from icvos.tasks.video.going import Job
from tests import ROOT
from tests.conftest import icvos
from tests.icvos.tasks.video.gated import POINTS
from tests.killing import without_clock

GATED = ("eval", "--method", "gated", "--protocol", "native", "--draws", "0-1")
OTHERS_AT_WORK = "others are still at work; the last of them scores the run"


@pytest.fixture(autouse=True)
def methods(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("icvos.method.entry_points", lambda group: POINTS)


@pytest.fixture(scope="module")
def alone(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of one process."""
    out = tmp_path_factory.mktemp("alone") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("icvos.method.entry_points", lambda group: POINTS)
        icvos(*GATED, "--benchmark", built, "--out", out)
    return out


class Group:
    """Processes that are killed at the end of a test."""

    def __init__(self, built: Path, out: Path) -> None:
        self.built, self.out, self.gate = built, out, out.parent / "gate"
        self.processes: list[subprocess.Popen[str]] = []

    def begin(self, *more: str, gated: bool = False, **variables: str) -> subprocess.Popen[str]:
        """Another process; one that is ``gated`` has claimed a video when this returns, and makes none of it."""
        command = [sys.executable, "-m", "tests.icvos.tasks.video.gated", *GATED, *more]
        environment = os.environ | variables | ({"GATE": str(self.gate)} if gated else {})
        process = subprocess.Popen(
            [*command, "--benchmark", str(self.built), "--out", str(self.out)],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.processes.append(process)
        while gated and not any(self.claims(process.pid)) and process.poll() is None:
            time.sleep(0.01)
        return process

    def claims(self, pid: int) -> Iterator[Path]:
        for path in self.out.glob(".claims/video-*"):
            try:
                if json.loads(path.read_text())["pid"] == pid:
                    yield path
            except (ValueError, OSError):
                continue

    def open_gate(self) -> None:
        self.gate.touch()


@pytest.fixture
def group(built: Path, tmp_path: Path) -> Iterator[Group]:
    found = Group(built, tmp_path / "run")
    yield found
    for process in found.processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


def contents(run: Path) -> dict[str, Any]:
    """All files of a run, without what the clock says, and what happened to be imported."""
    return {
        str(path.relative_to(run)): json.loads(
            path.read_text(),
            object_hook=lambda found: {key: value for key, value in without_clock(found).items() if key != "versions"},
        )
        if path.suffix == ".json"
        else path.read_bytes()
        for path in sorted(run.rglob("*"))
        if path.is_file()
    }


def ended(process: subprocess.Popen[str]) -> str:
    """What a process says that ends well."""
    out, errors = process.communicate()
    assert (process.returncode, errors) == (0, "")
    return out


def test_three_shards_make_the_run_of_one_process(group: Group, alone: Path) -> None:
    shards = [group.begin("--shard", f"{number}/3", gated=True) for number in (1, 2, 3)]
    group.open_gate()
    said = [ended(shard) for shard in shards]
    assert any("native@1: J" in text for text in said)
    for text in said:
        assert ("native@1: J" in text) != (OTHERS_AT_WORK in text)
    assert contents(group.out) == contents(alone)
    order = [list(json.loads((run / "draw1" / "run.json").read_text())["clips"]) for run in (group.out, alone)]
    assert order[0] == order[1]


def test_two_without_a_shard_make_nothing_twice_and_both_score(group: Group, alone: Path, built: Path) -> None:
    first = group.begin(gated=True)
    held = next(group.claims(first.pid))
    second = group.begin()
    benchmark = Benchmark.open(built)
    while len({path.parent for path in group.out.glob("draw0/*/*/*.png")}) < len(benchmark.clips) - 2:
        time.sleep(0.01)  # all but the video that the first has claimed
    assert second.poll() is None
    assert held.exists()
    made = {path: path.stat().st_ino for path in group.out.glob("draw*/*/*/*.png")}
    group.open_gate()
    for process in (first, second):
        assert "native@1: J" in ended(process)
    assert contents(group.out) == contents(alone)
    assert {path: path.stat().st_ino for path in made} == made


def test_an_idle_shard_takes_over_from_a_killed_one(group: Group, alone: Path, built: Path) -> None:
    first = group.begin("--shard", "1/2", gated=True)
    there = icvos(*GATED, "--shard", "2/2", "--benchmark", built, "--out", group.out).stdout
    assert OTHERS_AT_WORK in there
    assert f"icvos score {group.out} --benchmark {built} --clips-there" in there
    assert not (group.out / "scores-native@1.json").exists()
    made = {path: path.stat().st_ino for path in group.out.glob("draw*/*/*/*.png")}
    first.send_signal(signal.SIGKILL)
    first.wait()
    icvos(*GATED, "--shard", "2/2", "--benchmark", built, "--out", group.out)
    assert contents(group.out) == contents(alone)
    assert {path: path.stat().st_ino for path in made} == made


def test_who_waits_for_others_takes_over_when_they_die(group: Group, alone: Path) -> None:
    first = group.begin(gated=True)
    second = group.begin()
    while not any(group.out.glob("draw0/*/*/*.png")):
        time.sleep(0.01)
    first.send_signal(signal.SIGKILL)
    assert "native@1: J" in ended(second)
    assert contents(group.out) == contents(alone)


def test_a_shard_that_hangs_past_its_lease_does_no_harm(
    group: Group, alone: Path, built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "LEASE_S", 2.0)
    first = group.begin("--shard", "1/2", gated=True, LEASE_S="2")
    first.send_signal(signal.SIGSTOP)
    icvos(*GATED, "--benchmark", built, "--out", group.out)
    whole = contents(group.out)
    made = {path: path.stat().st_ino for path in group.out.glob("draw*/*/*/*.png")}
    group.open_gate()
    first.send_signal(signal.SIGCONT)
    assert "native@1: J" in ended(first)
    assert contents(group.out) == contents(alone)
    for name, content in contents(alone).items():
        assert whole[name] == content or name.startswith(".partial")
    assert {path: path.stat().st_ino for path in made} == made


def test_claims_and_records_that_another_machine_left(built: Path, alone: Path, tmp_path: Path) -> None:
    """Its claim binds until it expires, what it made counts, and what it had begun is made again."""
    out = tmp_path / "run"
    with Leases(out / ".claims") as gone:
        icvos(*GATED, "--benchmark", built, "--out", out, "--limit", 1)
        video = Benchmark.open(built).clips[2].video.name
        name = Job(video, (), 0).claim
        assert gone.take(name)
        claim = out / ".claims" / f"{name}.0"
        text = claim.read_text().replace(gone.own.machine, "000000")
    (out / ".claims").mkdir(exist_ok=True)
    claim.write_text(text)
    assert OTHERS_AT_WORK in icvos(*GATED, "--shard", "1/1", "--benchmark", built, "--out", out).stdout
    assert not (out / "draw0" / video).exists()
    then = claim.stat().st_mtime - LEASE_S - 1
    os.utime(claim, (then, then))
    icvos(*GATED, "--shard", "1/1", "--benchmark", built, "--out", out)
    found = {name: content for name, content in contents(out).items() if "partial" not in name}
    assert found == contents(alone)


def test_another_method_is_refused_from_the_first_moment(group: Group, built: Path) -> None:
    first = group.begin(gated=True)
    assert not any(group.out.glob("draw*/*/*/*.png"))
    dark = ["dark" if part == "gated" else part for part in GATED]
    for more in ((), ("--draws", "3")):
        refusal = icvos(*dark, *more, "--benchmark", built, "--out", group.out, status=2).stderr
        assert "with method 'gated', not 'dark'" in refusal
        assert len(refusal.splitlines()) == 1
    for mode in ("always", "never"):
        refusal = icvos(*dark, "--overwrite", mode, "--benchmark", built, "--out", group.out, status=2).stderr
        assert refusal.startswith("icvos: ")
        assert str(first.pid) in refusal or "holds predictions already" in refusal
    group.open_gate()
    ended(first)


def test_two_with_other_draws_of_one_run(group: Group, built: Path) -> None:
    """Videos are claimed, whichever draws of them are made; each keeps the record of its own."""
    first = group.begin("--draws", "0", gated=True)
    second = group.begin("--draws", "1")
    while not any(group.out.glob("draw1/*/*/*.png")):
        time.sleep(0.01)
    group.open_gate()
    ended(first)
    ended(second)
    clips = {clip.id for clip in Benchmark.open(built).clips}
    for draw in (0, 1):
        assert set(json.loads((group.out / f"draw{draw}" / "run.json").read_text())["clips"]) == clips
    assert not (group.out / ".claims").exists()


def test_a_clip_that_fails_keeps_a_shard_from_no_other(
    built: Path, alone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, clips = tmp_path / "run", Benchmark.open(built).clips
    wrong = clips[0].category.index
    good = {clip.id for clip in clips if clip.category.index != wrong}
    with monkeypatch.context() as patch:
        patch.setenv("FAILS", str(wrong))
        error = icvos(*GATED, "--shard", "1/2", "--benchmark", built, "--out", out, status=2).stderr
        assert "this one never works" in error
        assert len(error.splitlines()) == 1
    record = json.loads((out / "draw0" / "run.json").read_text())
    assert set(record["clips"]) == good
    assert good
    icvos(*GATED, "--shard", "2/2", "--benchmark", built, "--out", out)
    assert contents(out) == contents(alone)


def test_shards_are_refused_where_they_mean_nothing(built: Path, tmp_path: Path) -> None:
    run = (*GATED, "--benchmark", built, "--out", tmp_path / "run")
    assert "write it as I/N" in icvos(*run, "--shard", "3/2", status=2).stderr
    assert "SLURM_ARRAY_TASK_COUNT is not set" in icvos(*run, "--shard", "slurm", status=2).stderr
    assert "not with --overwrite always" in icvos(*run, "--shard", "1/2", "--overwrite", "always", status=2).stderr
    assert not (tmp_path / "run").exists()
