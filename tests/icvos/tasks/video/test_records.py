"""Records to which several processes add: nothing is lost, and nothing of another run is taken in."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from icvos.errors import IcvosError
from icvos.files.leases import Leases
from icvos.files.schema import write_schema
from icvos.tasks.record import ClipRun, RunRecord
from icvos.tasks.video.benchmark import Benchmark
from icvos.tasks.video.records import OPENING, Records, stamp
from icvos.tasks.video.together import Work
from tests.icvos.handmade import write_benchmark

BEGUN = {"format": 1, "method": "mine", "started": "2026-01-01T00:00:00+00:00"}


@pytest.fixture(scope="module")
def handmade(tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    return write_benchmark(tmp_path_factory.mktemp("benchmark"))


class Desk:
    """Records of one run, opened by several."""

    def __init__(self, benchmark: Benchmark, out: Path) -> None:
        self.benchmark, self.out = benchmark, out
        for draw in (0, 1):
            write_schema(self.path(draw), self.begun(draw))

    def begun(self, draw: int) -> RunRecord:
        return RunRecord.model_validate({**BEGUN, "draw": draw, "frames": 0, "seconds_per_frame": None, "clips": {}})

    def path(self, draw: int) -> Path:
        return self.out / f"draw{draw}" / "run.json"

    def opened(self, leases: Leases, *draws: int) -> Records:
        places = {clip.id: place for place, clip in enumerate(self.benchmark.clips)}
        return Records(self.out, {draw: self.begun(draw) for draw in draws or (0, 1)}, places, leases)

    def made(self, clip: int, draw: int = 0) -> tuple[Work, ClipRun]:
        found = self.benchmark.clips[clip]
        return Work(draw, found, 3, self.out / f"draw{draw}" / found.id, done=False), ClipRun(frames=3, seconds=1.5)

    def named(self, draw: int = 0) -> list[int]:
        """The places of the clips in a record."""
        ids = [clip.id for clip in self.benchmark.clips]
        return [ids.index(name) for name in json.loads(self.path(draw).read_text())["clips"]]


@pytest.fixture
def desk(handmade: Benchmark, tmp_path: Path) -> Desk:
    return Desk(handmade, tmp_path / "run")


@pytest.fixture
def two(desk: Desk) -> Iterator[tuple[Leases, Leases]]:
    with Leases(desk.out / ".claims") as one, Leases(desk.out / ".claims") as other:
        yield one, other


def test_what_two_have_made_is_in_the_record_in_the_order_of_the_benchmark(
    desk: Desk, two: tuple[Leases, Leases]
) -> None:
    one, other = (desk.opened(leases) for leases in two)
    one.add([desk.made(3), desk.made(0, draw=1)])
    other.add([desk.made(1)])
    one.refresh()
    assert one.made(desk.made(1)[0]) == desk.made(1)[1]
    one.add([desk.made(2)])
    one.merge()
    other.merge()
    assert (desk.named(0), desk.named(1)) == ([1, 2, 3], [0])
    assert not list((desk.out / ".claims").glob("made-*"))
    record = json.loads(desk.path(0).read_text())
    assert (record["frames"], record["seconds_per_frame"]) == (9, 0.5)


def test_what_is_made_while_another_writes_the_records_waits_beside_them(
    desk: Desk, two: tuple[Leases, Leases]
) -> None:
    one, other = two
    records = desk.opened(one)
    with other.kept(OPENING):
        records.add([desk.made(0)])
        assert desk.named() == []
        assert desk.opened(other).made(desk.made(0)[0]) is None
        later = desk.opened(other)
        later.refresh()
        assert later.made(desk.made(0)[0])
    later.merge()
    assert desk.named() == [0]


def test_who_has_lost_the_claim_on_the_records_writes_nothing(desk: Desk, two: tuple[Leases, Leases]) -> None:
    one, _ = two
    records = desk.opened(one)
    with one.kept(OPENING):
        records.add([desk.made(0)])
        (desk.out / ".claims" / f"{OPENING}.0").unlink()
        records._write()
        assert desk.named() == []
    assert len(list((desk.out / ".claims").glob("made-*"))) == 1
    records.merge()
    assert desk.named() == [0]


def test_clips_of_other_draws_are_left_to_those_who_run_them(desk: Desk, two: tuple[Leases, Leases]) -> None:
    one, other = two
    with one.kept(OPENING):
        desk.opened(other, 1).add([desk.made(0, draw=1)])
    desk.opened(one, 0).merge()
    assert desk.named(1) == []
    desk.opened(one, 1).merge()
    assert desk.named(1) == [0]


@pytest.mark.parametrize("text", ["", "{", '{"of": "another run", "draw": 0, "clips": {"a/1": {"frames": 3}}}'])
def test_what_another_run_made_or_a_power_failure_cut_off_counts_for_nothing(
    desk: Desk, two: tuple[Leases, Leases], text: str
) -> None:
    (desk.out / ".claims" / "made-0-x-0.json").write_text(text)
    records = desk.opened(two[0])
    records.add([desk.made(0)])
    records.merge()
    assert desk.named() == [0]


def test_a_clip_that_is_made_again_is_in_no_record_meanwhile(desk: Desk, two: tuple[Leases, Leases]) -> None:
    records = desk.opened(two[0])
    records.add([desk.made(0), desk.made(1), desk.made(0, draw=1)])
    records.drop([desk.made(1)[0]])
    assert (desk.named(0), desk.named(1)) == ([0], [0])
    later = desk.opened(two[1])
    later.refresh()
    assert later.made(desk.made(1)[0]) is None
    records.add([desk.made(1)])
    records.merge()
    assert desk.named(0) == [0, 1]


def test_another_run_in_the_place_of_this_one_is_noticed(desk: Desk, two: tuple[Leases, Leases]) -> None:
    records = desk.opened(two[0])
    write_schema(desk.path(1), desk.begun(1).model_copy(update={"started": "2026-01-02T00:00:00+00:00"}))
    with pytest.raises(IcvosError, match=r"draw1/run\.json: another run has begun in this folder"):
        records.refresh()


def test_clips_do_not_make_another_run_of_it(desk: Desk) -> None:
    begun = desk.begun(0)
    grown = begun.model_copy(update={"clips": {"a/1": ClipRun(frames=1, seconds=2)}, "frames": 1})
    assert stamp(begun) == stamp(grown) != stamp(desk.begun(1))
