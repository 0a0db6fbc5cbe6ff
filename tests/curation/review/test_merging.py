"""Files of several reviewers as one."""

from pathlib import Path

from curation.review.events import log_of, read_events
from curation.review.ledger import Ledger
from curation.video.rows import CurationRow, read_rows, write_rows
from tests.conftest import icvos
from tests.curation.review.test_ledger import row


def said(rows: tuple[CurationRow, ...]) -> list[tuple[str, str, str, str]]:
    return [(one.video, one.category.name if one.category else "", one.decision, one.who) for one in rows]


def files(tmp_path: Path) -> list[Path]:
    """Two reviewers: they agree on a, differ on b, one alone decided c, nobody d; the second file has no names."""
    anna = [row("dog", [1], video=name, who="anna") for name in ("a", "b", "c")]
    ben = [row("dog", [1], video="a"), row("cat", [1], "rejected", video="b", reason="too small")]
    still = [row("", [1], "undecided", video="d")]
    write_rows(tmp_path / "first.csv", [*anna, *still])
    write_rows(tmp_path / "ben.csv", [*ben, row("", [1], "undecided", video="c"), *still])
    return [tmp_path / "first.csv", tmp_path / "ben.csv"]


def test_files_of_two_reviewers_merge_as_if_they_had_reviewed_one(tmp_path: Path) -> None:
    output = icvos("curate", "merge", *files(tmp_path), "--out", tmp_path / "rows.csv").output
    assert "videos: 1 open, 1 disputed, 2 accepted" in output
    assert f"icvos curate review --rows {tmp_path / 'rows.csv'} --reviewer NAME --disputes" in output
    assert said(read_rows(tmp_path / "rows.csv")) == [
        ("a", "dog", "accepted", "anna, ben"),
        ("b", "", "undecided", "anna, ben"),
        ("c", "dog", "accepted", "anna"),
        ("d", "", "undecided", ""),
    ]
    assert "ben says cat 1 rejected" in read_rows(tmp_path / "rows.csv")[1].reason


def test_a_merged_file_is_reviewed_on(tmp_path: Path) -> None:
    icvos("curate", "merge", *files(tmp_path), "--out", tmp_path / "rows.csv")
    ledger = Ledger(tmp_path / "rows.csv")
    before = ledger.path.read_bytes()
    ledger.repair()
    assert ledger.path.read_bytes() == before
    event = ledger.decide("settle", "carla", [row("cat", [1], video="b")])
    assert not event.edited
    assert said(read_rows(ledger.path))[1] == ("b", "cat", "accepted", "anna, ben, settled by carla")
    assert "dog 1 accepted" in icvos("curate", "agree", ledger.path).output


def test_nothing_is_written_over(tmp_path: Path) -> None:
    given = files(tmp_path)
    ledger = Ledger(tmp_path / "rows.csv")
    ledger.decide("decide", "anna", [row("dog", [1])])
    ledger.path.unlink()
    assert "rows.log.jsonl: exists" in icvos("curate", "merge", *given, "--out", ledger.path, status=2).output
    assert len(read_events(log_of(ledger.path))) == 1
    same = icvos("curate", "merge", given[0], given[0], "--out", tmp_path / "new.csv", status=2).output
    assert "two files of anna" in same
    assert not (tmp_path / "new.csv").exists()
