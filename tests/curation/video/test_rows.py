"""The curation file."""

import re
from pathlib import Path

import pytest

from curation.video.rows import COLUMNS, CurationRow, merge, read_rows, shipped_rows, write_rows
from icvos.categories import category
from icvos.errors import IcvosError

HEADER = "source,video,class,objects,decision,reason,who,when\n"
DOG = CurationRow(
    source="davis",
    video="dogs-jump",
    category=category("dog"),
    objects=(1, 2),
    decision="accepted",
    reason="all, in the first frame",
    who="someone",
    when="2026-01-31",
)
SAIL = CurationRow(
    source="davis",
    video="surf",
    category=None,
    objects=(3,),
    decision="rejected",
    reason="no COCO class: sail",
)


def test_round_trip(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.csv", [DOG, SAIL])
    assert read_rows(tmp_path / "rows.csv") == (DOG, SAIL)
    assert (tmp_path / "rows.csv").read_text().startswith(HEADER.replace("when", "when,tool"))


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
    assert read_rows(tmp_path / "rows.csv") == (
        CurationRow(source="mose", video="0a43a414", category=category("dog"), objects=(1, 2), decision="undecided"),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n", "no column source, video, class, objects, decision"),
        (
            HEADER + "voc,a,dog,1,accepted,,,\n",
            "line 2: source is \"voc\", should be 'davis', 'mose', 'lvos' or 'youtube-vos'",
        ),
        (HEADER + "davis,,dog,1,accepted,,,\n", "line 2: video is empty; fill in the name of the video"),
        (
            HEADER + "davis,a,dgo,1,accepted,,,\n",
            "line 2: class cannot be read: unknown category 'dgo'; did you mean dog",
        ),
        (HEADER + "davis,a,dog,one,accepted,,,\n", "line 2: objects is 'one'; write object ids like 1;3"),
        (HEADER + "davis,a,dog,0,accepted,,,\n", "line 2: objects is '0'; write at least one object id of 1 or more"),
        (HEADER + "davis,a,dog,,accepted,,,\n", "line 2: objects is ''; write at least one object id of 1 or more"),
        (HEADER + "davis,a,dog,1,yes,,,\n", "line 2: decision is \"yes\", should be 'accepted', 'rejected' or"),
        (HEADER + "\n\ndavis,a,dog,1\n", 'line 4: decision is "", should be'),
        (HEADER + "davis,a,,1,accepted,,,\n", "line 2: accepted without a class"),
        (HEADER + "davis,a,dog,1,accepted,,,\ndavis,a,dog,2,accepted,,,\n", "line 3: same video and class as line 2"),
        (
            HEADER + "davis,a,dog,1;2,accepted,,,\ndavis,a,cat,2;3,accepted,,,\n",
            "line 3: object 2 is accepted as cat here and as dog in line 2; remove it from one",
        ),
        (HEADER + "davis,a,dog,1,accepted,all, in frame 0,me,now\n", "line 2: more cells than the first line has"),
        (
            HEADER + 'davis,a,dog,1,accepted,"all,me,\ndavis,b,dog,1,accepted,,,\n',
            "cannot be read as CSV .*close every",
        ),
        (HEADER + f"davis,a,dog,1,accepted,{'x' * 200_000},,\n", "near line 1: cannot be read as CSV"),
        ("class," + HEADER + "cat,davis,a,dog,1,accepted,,,\n", "two columns class; remove one"),
    ],
)
def test_bad_rows_are_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "rows.csv").write_text(text)
    with pytest.raises(IcvosError, match=message):
        read_rows(tmp_path / "rows.csv")


def test_a_last_line_without_its_end_and_surplus_commas_count(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(HEADER + "davis,a,dog,1,accepted,,,,,\ndavis,b,dog,1,accepted,,,")
    assert [row.video for row in read_rows(tmp_path / "rows.csv")] == ["a", "b"]


def test_an_object_may_be_of_two_classes_where_one_is_not_accepted(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(HEADER + "davis,a,dog,1,accepted,,,\ndavis,a,cat,1,rejected,,,\n")
    assert len(read_rows(tmp_path / "rows.csv")) == 2


def test_a_later_table_replaces_whole_videos() -> None:
    person = DOG.model_copy(update={"category": category("person"), "objects": (3,)})
    assert merge([DOG, SAIL], [person]) == (person, SAIL)


def test_a_spreadsheets_own_columns_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("colour,decision,objects,class,video,source\nred,accepted,1;2,dog,a,davis\n")
    (row,) = read_rows(tmp_path / "rows.csv")
    assert (row.key, row.objects, row.who) == (("davis", "a", 17), (1, 2), "")


def test_the_schema_speaks_of_the_cells() -> None:
    schema = CurationRow.model_json_schema()
    assert tuple(schema["properties"]) == COLUMNS
    assert schema["required"] == list(COLUMNS[:5])
    assert {found["type"] for found in schema["properties"].values()} == {"string"}
    assert all(found["description"] for found in schema["properties"].values())
    assert re.search(schema["properties"]["objects"]["pattern"], "1; 3")
