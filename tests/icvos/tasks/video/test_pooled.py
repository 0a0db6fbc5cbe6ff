"""Runs of several methods by the same workers, which live in this process."""

from pathlib import Path
from typing import Any

import pytest

from icvos.errors import IcvosError, Stopped
from icvos.tasks.runs import UnfinishedError
from icvos.tasks.video import driver as driving
from icvos.tasks.video import worker as working
from icvos.tasks.video.benchmark import Benchmark
from icvos.tasks.video.cluster import DeathError, Member
from icvos.tasks.video.pooled import FALSE_STARTS
from icvos.tasks.video.records import Records
from icvos.tasks.video.worker import Begun
from tests.icvos.tasks.video.gated import POINTS
from tests.icvos.tasks.video.imagined import Imagined, Ran
from tests.icvos.tasks.video.test_sharing import contents

METHODS = ("gated", "dark")


@pytest.fixture(autouse=True)
def methods(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("icvos.method.entry_points", lambda group: POINTS)
    monkeypatch.setattr(driving, "WAIT_S", 0.0)
    monkeypatch.setattr(working, "NEWS_S", 0.0)  # of every mask


@pytest.fixture(scope="module")
def alone(built: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """By method its run by one worker."""
    folder = tmp_path_factory.mktemp("alone")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("icvos.method.entry_points", lambda group: POINTS)
        for method in METHODS:
            Ran(Benchmark.open(built), folder, method).go(1)
    return {method: contents(folder / method) for method in METHODS}


def test_the_runs_are_those_of_each_method_alone_and_workers_load_rarely(
    benchmark: Benchmark, tmp_path: Path, alone: dict[str, dict[str, Any]]
) -> None:
    ran = Ran(benchmark, tmp_path, *METHODS)
    pooled, crew = ran.go(3)
    assert {method: contents(tmp_path / method) for method in METHODS} == alone
    assert pooled.outcomes == dict.fromkeys(ran.runs, (0, 1))
    assert set(crew.served[:2]) == set(ran.runs)
    assert len(crew.served) <= 5
    for out, run in pooled.runs.items():
        assert run.driver is not None
        own = [number for number, served in enumerate(crew.served) if served == out]
        costs = [run.driver.jobs[name].cost for number, name in crew.began if number in own]
        assert costs == sorted(costs, reverse=True)
    assert ran.shown[0] == (0, ran.masks)
    assert ran.shown[-1][1] == ran.masks
    assert not list(tmp_path.glob("*/.claims"))


def test_a_single_worker_makes_one_method_after_the_other(benchmark: Benchmark, tmp_path: Path) -> None:
    ran = Ran(benchmark, tmp_path, *METHODS)
    _, crew = ran.go(1)
    assert crew.served == list(ran.runs)


def test_a_run_that_is_there_already_is_not_made_again(benchmark: Benchmark, tmp_path: Path) -> None:
    Ran(benchmark, tmp_path, "dark").go(1)
    ran = Ran(benchmark, tmp_path, *METHODS)
    pooled, crew = ran.go(2)
    assert pooled.outcomes == dict.fromkeys(ran.runs, (0, 1))
    assert {crew.served[number] for number, _ in crew.began} == {tmp_path / "gated"}
    assert ran.shown[-1][1] == 2 * ran.masks


def test_a_method_that_does_not_load_is_tried_twice_and_stops_no_other(
    benchmark: Benchmark, tmp_path: Path, alone: dict[str, dict[str, Any]]
) -> None:
    ran = Ran(benchmark, tmp_path, "broken", *METHODS)
    pooled, crew = ran.go(2)
    assert crew.served.count(tmp_path / "broken") == 2
    assert "it has no heart" in str(pooled.outcomes[tmp_path / "broken"])
    assert len([note for note in ran.notes if "one worker less for broken" in note]) == 1
    assert {method: contents(tmp_path / method) for method in METHODS} == alone
    assert not (tmp_path / "broken").exists()


def test_a_run_that_was_refused_once_goes_on_where_a_machine_is_left(
    benchmark: Benchmark, tmp_path: Path, alone: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first worker cannot load the method; the second dies when there is room for one more alone."""
    real = Imagined.welcome

    def welcome(crew: Imagined, member: Member) -> Begun:
        if member.number == 0:
            crew.dismiss(member)
            raise IcvosError("no weights here")
        crew.places = 1
        return real(crew, member)

    monkeypatch.setattr(Imagined, "welcome", welcome)
    ran = Ran(benchmark, tmp_path, "gated")
    pooled, crew = ran.go(2, lambda worker, items: "dies" if worker == 1 else "")
    assert pooled.outcomes == {tmp_path / "gated": (0, 1)}
    assert ran.notes == ["None: one worker less: no weights here"]
    assert len(crew.served) >= 3
    assert contents(tmp_path / "gated") == alone["gated"]


def test_a_method_that_workers_die_of_loading_is_given_up(
    benchmark: Benchmark, tmp_path: Path, alone: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Imagined.welcome

    def welcome(crew: Imagined, member: Member) -> Begun:
        if member.run.name == "dark":
            crew.dismiss(member)
            raise DeathError("killed")
        return real(crew, member)

    monkeypatch.setattr(Imagined, "welcome", welcome)
    pooled, crew = Ran(benchmark, tmp_path, *METHODS).go(2)
    assert crew.served.count(tmp_path / "dark") == FALSE_STARTS
    assert f"{FALSE_STARTS} workers in a row died while they loaded" in str(pooled.outcomes[tmp_path / "dark"])
    assert contents(tmp_path / "gated") == alone["gated"]


def test_a_folder_of_another_run_ends_that_run_alone(
    benchmark: Benchmark, tmp_path: Path, alone: dict[str, dict[str, Any]]
) -> None:
    Ran(benchmark, tmp_path, "gated").go(1)
    (tmp_path / "gated").rename(tmp_path / "dark")
    pooled, _ = Ran(benchmark, tmp_path, *METHODS).go(2)
    assert "holds a run with method 'gated', not 'dark'" in str(pooled.outcomes[tmp_path / "dark"])
    assert contents(tmp_path / "gated") == alone["gated"]


def test_a_file_in_the_way_ends_that_run_alone(
    benchmark: Benchmark, tmp_path: Path, alone: dict[str, dict[str, Any]]
) -> None:
    (tmp_path / "dark").write_text("in the way")
    pooled, crew = Ran(benchmark, tmp_path, *METHODS).go(2)
    assert "is a file" in str(pooled.outcomes[tmp_path / "dark"])
    assert tmp_path / "dark" not in crew.served
    assert contents(tmp_path / "gated") == alone["gated"]


def test_records_that_cannot_be_kept_end_that_run_alone(
    benchmark: Benchmark, tmp_path: Path, alone: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Records.add

    def add(records: Records, clips: Any) -> None:
        if records.out.name == "dark":
            raise IcvosError("no space left")
        real(records, clips)

    monkeypatch.setattr(Records, "add", add)
    pooled, _ = Ran(benchmark, tmp_path, *METHODS).go(2)
    assert str(pooled.outcomes[tmp_path / "dark"]) == "no space left"
    assert contents(tmp_path / "gated") == alone["gated"]
    monkeypatch.undo()
    monkeypatch.setattr("icvos.method.entry_points", lambda group: POINTS)
    Ran(benchmark, tmp_path, *METHODS).go(2)
    assert contents(tmp_path / "dark") == alone["dark"]


def test_clips_that_fail_are_told_with_their_method(
    benchmark: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = benchmark.clips[0].category.index
    monkeypatch.setenv("FAILS", str(wrong))
    ran = Ran(benchmark, tmp_path, *METHODS)
    pooled, _ = ran.go(2)
    bad = [clip.id for clip in benchmark.clips if clip.category.index == wrong]
    for method in METHODS:
        assert isinstance(pooled.outcomes[tmp_path / method], UnfinishedError)
        told = [note for note in ran.notes if note.startswith(f"{method}, draw ")]
        assert len(told) == 2 * len(bad)


def test_a_stop_says_how_far_all_have_come_and_keeps_what_is_made(
    benchmark: Benchmark, tmp_path: Path, alone: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    ran, real = Ran(benchmark, tmp_path, *METHODS), Records.add
    added = list[Path]()

    def add(records: Records, clips: Any) -> None:
        real(records, clips)
        added.append(records.out)
        if len(set(added)) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Records, "add", add)
        with pytest.raises(Stopped) as stopped:
            ran.go(2)
    made = sum(len(list((tmp_path / method).glob("draw*/*/*/"))) for method in METHODS)
    assert made > 0
    assert f"{made} of {4 * len(benchmark.clips)} clips are done" in str(stopped.value)
    assert not list(tmp_path.glob("*/.claims"))
    ran.go(2)
    assert {method: contents(tmp_path / method) for method in METHODS} == alone
