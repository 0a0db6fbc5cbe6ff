"""The curation file."""

from pathlib import Path

import pytest

from curation.video.rows import Row, merge, read_rows, shipped_rows, write_rows
from icvos.categories import category
from icvos.errors import IcvosError

HEADER = "source,video,class,objects,decision,reason,who,when\n"
DOG = Row("davis", "dogs-jump", category("dog"), (1, 2), "accepted", "all, in the first frame", "someone", "2026-01-31")
SAIL = Row("davis", "surf", None, (3,), "rejected", "no COCO class: sail")


def test_round_trip(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.csv", [DOG, SAIL])
    assert read_rows(tmp_path / "rows.csv") == (DOG, SAIL)
    assert (tmp_path / "rows.csv").read_text().startswith(HEADER)


def test_shipped_rows_cover_the_90_davis_sequences() -> None:
    rows = shipped_rows()
    assert len({row.video for row in rows}) == 90
    decisions = {(row.video, row.category.name): row.decision for row in rows if row.category}
    assert decisions["dog", "dog"] == "accepted"
    assert decisions["dance-twirl", "person"] == "rejected"
    assert decisions["bear", "bear"] == "undecided"
    assert {row.video for row in rows} - {video for video, _ in decisions} == {
        "camel", "goat", "gold-fish", "koala", "pigs", "rhino", "varanus-cage",
    }  # fmt: skip


def test_spreadsheet_habits_are_taken(tmp_path: Path) -> None:
    text = "\ufeff" + HEADER + "mose, 0a43a414 ,17, 2; 1 ,undecided,,,\n"
    (tmp_path / "rows.csv").write_text(text, encoding="utf-8")
    assert read_rows(tmp_path / "rows.csv") == (Row("mose", "0a43a414", category("dog"), (1, 2), "undecided"),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n", "no column source, video, class, objects, decision"),
        (HEADER + "voc,a,dog,1,accepted,,,\n", "line 2: source 'voc'"),
        (HEADER + "davis,a,dgo,1,accepted,,,\n", "line 2: unknown category 'dgo'; did you mean dog"),
        (HEADER + "davis,a,dog,one,accepted,,,\n", "line 2: objects 'one'"),
        (HEADER + "davis,a,dog,0,accepted,,,\n", "line 2: objects '0'"),
        (HEADER + "davis,a,dog,1,yes,,,\n", "line 2: decision 'yes'"),
        (HEADER + "davis,a,,1,accepted,,,\n", "line 2: accepted without a class"),
        (HEADER + "davis,a,dog,1,accepted,,,\ndavis,a,dog,2,accepted,,,\n", "line 3: same video and class as line 2"),
    ],
)
def test_bad_rows_are_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "rows.csv").write_text(text)
    with pytest.raises(IcvosError, match=message):
        read_rows(tmp_path / "rows.csv")


def test_a_later_table_replaces_whole_videos() -> None:
    person = Row("davis", "dogs-jump", category("person"), (3,), "accepted")
    assert merge([DOG, SAIL], [person]) == (person, SAIL)
