"""What is stored of a review: whoever decides, edits or is killed, no decision is lost."""

import os
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from curation.review.events import append, judgement, log_of, read_events
from curation.review.ledger import TOOL, Ledger, decided_alone, reviewers
from curation.review.standing import consistency, own_rows, status
from curation.video.rows import CurationRow, Decision, read_rows, write_rows
from icvos.categories import category
from icvos.errors import IcvosError

KEY = ("mose", "0a43a414")


def row(name: str, objects: Sequence[int], decision: Decision = "accepted", **more: str) -> CurationRow:
    kind = category(name) if name else None
    return CurationRow(
        source="mose",
        video=more.pop("video", KEY[1]),
        category=kind,
        objects=tuple(objects),
        decision=decision,
        reason=more.pop("reason", ""),
        who=more.pop("who", ""),
    )


OPEN = row("", [1, 2], "undecided", reason="fill in the class of these objects")
OTHER = row("", [1], "undecided", video="ffffffff")


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    write_rows(tmp_path / "rows.csv", [OPEN, OTHER])
    return Ledger(tmp_path / "rows.csv")


def stored(ledger: Ledger) -> list[tuple[str, tuple[int, ...], str, str]]:
    """The rows of the video as any reader of the file sees them."""
    return [
        (found.category.name if found.category else "", found.objects, found.decision, found.who)
        for found in read_rows(ledger.path)
        if found.video == KEY[1]
    ]


def test_a_decision_replaces_the_rows_of_its_video_alone(ledger: Ledger) -> None:
    event = ledger.decide("decide", "anna", [row("dog", [1, 2])], 3.5)
    assert stored(ledger) == [("dog", (1, 2), "accepted", "anna")]
    assert read_rows(ledger.path)[1] == OTHER
    found = read_rows(ledger.path)[0]
    assert (found.tool, found.when) == (TOOL, event.when)
    assert (event.before, event.after, event.seconds) == ((OPEN,), (found,), 3.5)


def test_the_first_decision_makes_the_file(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "new.csv")
    assert ledger.read().rows == {}
    ledger.decide("decide", "anna", [row("dog", [1])])
    assert stored(ledger) == [("dog", (1,), "accepted", "anna")]
    ledger.undo("anna")
    assert read_rows(ledger.path) == ()


def test_reviewers_that_agree_stand_in_one_row(ledger: Ledger) -> None:
    ledger.decide("decide", "anna", [row("dog", [1, 2])])
    ledger.decide("decide", "ben", [row("dog", [2, 1], reason="both of them")])
    assert stored(ledger) == [("dog", (1, 2), "accepted", "anna, ben")]


def test_reviewers_that_differ_leave_it_disputed_until_it_is_settled(ledger: Ledger) -> None:
    ledger.decide("decide", "anna", [row("dog", [1, 2])])
    ledger.decide("decide", "ben", [row("dog", [1]), row("cat", [2], "rejected")])
    assert stored(ledger) == [("", (1, 2), "undecided", "anna, ben")]
    assert read_rows(ledger.path)[0].reason == (
        "disputed: anna says dog 1;2 accepted; ben says dog 1 accepted, cat 2 rejected"
    )
    assert status(ledger.read().rows, KEY) == "disputed"
    ledger.decide("settle", "carla", [row("dog", [1]), row("cat", [2])])
    assert stored(ledger) == [
        ("dog", (1,), "accepted", "anna, ben, settled by carla"),
        ("cat", (2,), "accepted", "anna, ben, settled by carla"),
    ]
    ledger.undo("carla")
    assert status(ledger.read().rows, KEY) == "disputed"


def test_the_last_decision_of_a_reviewer_counts(ledger: Ledger) -> None:
    ledger.decide("decide", "anna", [row("dog", [1, 2])])
    ledger.decide("decide", "ben", [row("cat", [1, 2])])
    ledger.decide("decide", "ben", [row("dog", [1, 2])])
    assert stored(ledger) == [("dog", (1, 2), "accepted", "anna, ben")]
    ledger.undo("ben")
    assert status(ledger.read().rows, KEY) == "disputed"
    ledger.undo("ben")
    assert stored(ledger) == [("dog", (1, 2), "accepted", "anna")]
    with pytest.raises(IcvosError, match="ben has decided nothing"):
        ledger.undo("ben")


def test_undoing_everything_brings_the_first_rows_back(ledger: Ledger) -> None:
    before = read_rows(ledger.path)
    ledger.decide("decide", "anna", [row("dog", [1, 2])])
    assert ledger.undo("anna").key == KEY
    assert read_rows(ledger.path) == before
    assert own_rows("anna", ledger.read().standings[KEY]) is None


def test_an_edit_by_hand_stands_above_what_was_decided_before(ledger: Ledger) -> None:
    ledger.decide("decide", "anna", [row("dog", [1, 2])])
    write_rows(ledger.path, [row("cat", [1, 2], who="by hand"), OTHER])
    assert Ledger(ledger.path).repair().rows[KEY][0].who == "by hand"
    ledger.decide("decide", "ben", [row("horse", [1, 2])])
    assert stored(ledger) == [("horse", (1, 2), "accepted", "ben")]
    ledger.undo("ben")
    assert stored(ledger) == [("cat", (1, 2), "accepted", "by hand")]


def test_words_that_a_cell_changes_are_no_edit(ledger: Ledger) -> None:
    ledger.decide("decide", "anna", [row("dog", [1, 2], "rejected", reason="  =1+1,\n two lines ")])
    ledger.decide("decide", "ben", [row("dog", [1, 2], "rejected")])
    assert stored(ledger) == [("dog", (1, 2), "rejected", "anna, ben")]


def test_a_video_shown_again_changes_no_row_and_measures_its_reviewer(ledger: Ledger) -> None:
    ledger.decide("decide", "anna", [row("dog", [1, 2])])
    before = ledger.path.read_bytes()
    ledger.decide("again", "anna", [row("dog", [1, 2], reason="other words")])
    ledger.decide("again", "anna", [row("cat", [1, 2])])
    assert ledger.path.read_bytes() == before
    assert consistency("anna", ledger.read().events) == (1, 2)


def test_each_reviewer_alone_is_in_the_log(ledger: Ledger) -> None:
    ledger.decide("decide", "anna", [row("dog", [1, 2])])
    ledger.decide("decide", "ben", [row("cat", [1, 2])])
    table = ledger.read()
    assert reviewers(table) == ["anna", "ben"]
    assert judgement(decided_alone(table, "ben")[KEY]) == {(16, (1, 2), "accepted")}


def test_a_kill_between_log_and_file_is_mended(ledger: Ledger) -> None:
    before = ledger.path.read_bytes()
    ledger.decide("decide", "anna", [row("dog", [1, 2])])
    after = ledger.path.read_bytes()
    ledger.path.write_bytes(before)
    Ledger(ledger.path).repair()
    assert ledger.path.read_bytes() == after


@pytest.mark.parametrize("cut", [1, 40, -1])
def test_a_last_line_that_is_cut_off_counts_for_nothing(ledger: Ledger, cut: int) -> None:
    ledger.decide("decide", "anna", [row("dog", [1, 2])])
    whole = log_of(ledger.path).read_bytes()
    log_of(ledger.path).write_bytes(whole + whole.replace(b"anna", b"ben")[:-1][:cut])
    assert [event.reviewer for event in read_events(ledger.log)] == ["anna"]
    ledger.decide("decide", "carla", [row("dog", [1, 2])])
    assert [event.reviewer for event in read_events(ledger.log)] == ["anna", "carla"]


def test_a_log_that_is_written_by_others_is_read_on_and_one_that_is_replaced_anew(ledger: Ledger) -> None:
    other = Ledger(ledger.path)
    other.decide("decide", "anna", [row("dog", [1, 2])])
    assert [event.reviewer for event in ledger.read().events] == ["anna"]
    first = ledger.log.read_bytes()
    other.decide("decide", "ben", [row("dog", [1, 2])])
    assert [event.reviewer for event in ledger.read().events] == ["anna", "ben"]
    ledger.log.write_bytes(first.replace(b"anna", b"carla") * 2)
    assert [event.reviewer for event in ledger.read().events] == ["carla", "carla"]
    ledger.log.unlink()
    assert ledger.read().events == ()


def test_a_line_that_is_damaged_is_named(ledger: Ledger) -> None:
    event = ledger.decide("decide", "anna", [row("dog", [1, 2])])
    ledger.log.write_bytes(b'{"id": 3}\n')
    append(ledger.log, event)
    with pytest.raises(IcvosError, match=r"rows\.log\.jsonl, line 1: .*mend or remove the line"):
        ledger.read()


def test_a_file_that_is_broken_by_hand_stops_a_decision_and_loses_none(ledger: Ledger) -> None:
    ledger.decide("decide", "anna", [row("dog", [1, 2])])
    good = ledger.path.read_text()
    ledger.path.write_text(good.replace("dog", "dgo"))
    with pytest.raises(IcvosError, match="did you mean dog"):
        ledger.decide("decide", "ben", [row("dog", [1, 2])])
    assert len(read_events(ledger.log)) == 1


def test_many_reviewers_at_once_lose_nothing(tmp_path: Path) -> None:
    path, names = tmp_path / "rows.csv", ("anna", "ben", "carla")
    videos = [f"{number:08x}" for number in range(12)]

    def review(name: str) -> None:
        ledger = Ledger(path)
        for video in videos:
            ledger.decide("decide", name, [row("dog", [1], video=video)])

    threads = [threading.Thread(target=review, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read_events(log_of(path))) == 36
    assert {found.video: set(found.who.split(", ")) for found in read_rows(path)} == {
        video: set(names) for video in videos
    }


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_process_killed_at_any_write_loses_no_decision_that_it_told_of(tmp_path: Path) -> None:
    """Killed before each of its file operations in turn, and gone on with by another."""
    from tests.killing import Tracer

    def attempt(folder: Path, at: int) -> tuple[int, int]:
        """How many decisions were answered, and how the process ended."""
        folder.mkdir()
        write_rows(folder / "rows.csv", [OPEN, OTHER])
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            Tracer(folder, "kill", at).install()
            ledger = Ledger(folder / "rows.csv")
            for name in ("anna", "ben"):
                ledger.decide("decide", name, [row("dog", [1, 2])])
                os.write(writing, b".")
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as file:
            answered = len(file.read())
        return answered, os.waitpid(child, 0)[1]

    at, ended = 0, 1
    while ended:
        at += 1
        answered, ended = attempt(tmp_path / str(at), at)
        ledger = Ledger(tmp_path / str(at) / "rows.csv")
        ledger.decide("decide", "carla", [row("dog", [1, 2])])
        names = stored(ledger)[0][3].split(", ")
        assert names[-1] == "carla"
        assert names[:-1] in (["anna", "ben"][:answered], ["anna", "ben"][: answered + 1]), at
        assert stored(ledger) == [("dog", (1, 2), "accepted", ", ".join(names))]
    assert at > 10
