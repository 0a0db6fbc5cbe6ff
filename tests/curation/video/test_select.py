"""Every row and every video that is not built has a reason in the list."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from curation.video.plan import Plan, make_plan
from curation.video.rows import CurationRow, shipped_rows, write_rows
from icvos.categories import category
from icvos.errors import IcvosError
from icvos.files.schema import read_schema
from icvos.tasks.video.benchmark import Benchmark
from icvos.tasks.video.manifest import MANIFEST, Manifest
from tests.conftest import icvos
from tests.curation.notes import Notes
from tests.curation.sources.source_folders import (
    ONE,
    ids_of,
    write_davis,
    write_frame,
    write_mose,
    write_text,
    write_video,
)

TWO = ids_of((1, slice(1, 4), slice(2, 5)), (2, slice(0, 1), slice(0, 2)))


def row(
    video: str, kind: str | None = "dog", decision: str = "accepted", source: str = "mose", **more: object
) -> CurationRow:
    given = {"source": source, "video": video, "category": kind and category(kind), "objects": (1,), **more}
    return CurationRow.model_validate({**given, "decision": decision})


def plan_of(folder: Path, rows: Sequence[CurationRow], watch: Notes | None = None, **more: object) -> Plan:
    write_rows(folder / "rows.csv", rows)
    arguments = {"curation": folder / "rows.csv", "watch": watch or Notes(), **more}
    return make_plan(**arguments)  # type: ignore[arg-type]


def listed(plan: Plan) -> dict[str, str]:
    return {f"{entry.source}/{entry.video} {entry.category}".rstrip(): entry.reason for entry in plan.left_out}


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("4.9018E+20", "; a spreadsheet made a number of 49018e16: format the column as text"),
        ("4.90E+20", "; a spreadsheet made a number of 49018e16: format the column as text"),
        ("12345", "; a spreadsheet made a number of 00012345: format the column as text"),
        ("1.5E+33", "; it is a number, which a spreadsheet makes of names like 49018e16: format"),
        ("0A43A414", "; did you mean 0a43a414?"),
        ("0a43a441", "; did you mean 0a43a414?"),
        ("ffffffff", ""),
    ],
)
def test_an_accepted_row_of_an_absent_video_is_listed(tmp_path: Path, name: str, hint: str) -> None:
    root = write_mose(tmp_path / "mose", ("0a43a414", "49018e16", "00012345"))
    plan = plan_of(tmp_path, [row("0a43a414"), row("49018e16"), row("00012345"), row(name)], mose=root)
    ((where, reason),) = listed(plan).items()
    assert where == f"mose/{name} dog"
    assert reason.startswith(f"no such video in the MOSE that was read{hint}")
    assert bool(hint) == (reason != "no such video in the MOSE that was read")


def test_a_row_says_why_its_video_is_not_read(tmp_path: Path) -> None:
    root = write_mose(tmp_path / "mose", ("0a43a414",))
    write_mose(root, ("11111111",), split="valid")
    write_frame(root / "train/JPEGImages/22222222/00000.jpg")
    (root / "train/JPEGImages/33333333").mkdir()
    (root / "train/Annotations/44444444").mkdir()
    videos = ("0a43a414", "11111111", "22222222", "33333333", "44444444")
    watch = Notes()
    plan = plan_of(tmp_path, [*map(row, videos), row("7K7WVzGG", source="lvos")], watch, mose=root)
    assert (
        "5 rows are of videos that were not read, and are left out: "
        "lvos/7K7WVzGG dog, mose/11111111 dog, mose/22222222 dog, mose/33333333 dog, mose/44444444 dog"
    ) in watch.notes
    assert listed(plan) == {
        "mose/11111111 dog": "in split valid, which is not read",
        "mose/22222222 dog": "only one frame, so no video",
        "mose/33333333 dog": "no frame (.jpg, .jpeg, .JPG, .JPEG, .png) in it",
        "mose/44444444 dog": "masks without frames",
        "lvos/7K7WVzGG dog": "LVOS was not given; pass its folder to --lvos",
    }


def test_videos_without_a_built_row_are_listed_whole(tmp_path: Path) -> None:
    root = write_mose(tmp_path / "mose", ("0a43a414", "11111111", "22222222", "33333333", "55555555"))
    write_frame(root / "train/JPEGImages/44444444/00000.jpg")
    rows = [
        row("0a43a414"),
        row("11111111", None, "rejected", reason="no COCO class: sail"),
        row("22222222", None, "undecided"),
        row("55555555", None, "undecided", reason="disputed: anna says dog 1 accepted; ben says cat 1 accepted"),
    ]
    watch = Notes()
    assert listed(plan_of(tmp_path, rows, watch, mose=root)) == {
        "mose/11111111": "rejected: no COCO class: sail",
        "mose/22222222": "undecided: its row has no class; fill it in",
        "mose/33333333": "no curation row",
        "mose/44444444": "only one frame, so no video",
        "mose/55555555": "undecided: disputed: anna says dog 1 accepted; ben says cat 1 accepted",
    }
    note = "2 undecided rows have no class and are left out; decide them by icvos curate review"
    assert any(one.startswith(note) for one in watch.notes)


@pytest.mark.parametrize("reason", ["", "fill in the class of these objects"])
def test_a_file_that_nobody_filled_in_is_not_called_rejected(tmp_path: Path, reason: str) -> None:
    rows = [row("0a43a414", None, "undecided", reason=reason)]
    with pytest.raises(IcvosError, match="no accepted clip, 1 rows without a class; decide them by icvos curate"):
        plan_of(tmp_path, rows, mose=write_mose(tmp_path / "mose"))


@pytest.mark.parametrize("accept", [False, True])
def test_only_rows_that_would_be_built_are_missed(tmp_path: Path, accept: bool) -> None:
    root = write_mose(tmp_path / "mose")
    rows = [row("0a43a414"), row("11111111", decision="undecided"), row("22222222", decision="rejected")]
    found = listed(plan_of(tmp_path, rows, mose=root, accept_undecided=accept))
    assert list(found) == (["mose/11111111 dog"] if accept else [])


def test_shipped_rows_are_missed_where_their_data_set_is(tmp_path: Path) -> None:
    accepted = [found for found in shipped_rows() if found.decision == "accepted" and found.category]
    own = plan_of(tmp_path, [row("hen", source="davis")], davis=write_davis(tmp_path / "own", ("hen",)))
    assert listed(own) == {}
    some = plan_of(tmp_path, [], davis=write_davis(tmp_path / "some", (accepted[0].video,)))
    missed = {f"davis/{found.video} {found.category.name}" for found in accepted[1:] if found.category}
    assert {where for where, reason in listed(some).items() if "no such video" in reason} == missed - {
        f"davis/{accepted[0].video} {found.category.name}" for found in accepted if found.category
    }
    assert not any("did you mean" in reason for reason in listed(some).values())


def test_the_rows_that_a_second_file_replaces_are_counted(tmp_path: Path) -> None:
    root, watch = write_mose(tmp_path / "mose"), Notes()
    for name, kind in (("a.csv", "dog"), ("b.csv", "cat")):
        write_rows(tmp_path / name, [row("0a43a414", kind)])
    make_plan(mose=root, curation=[tmp_path / "a.csv", tmp_path / "b.csv"], watch=watch)
    assert f"{tmp_path / 'b.csv'}: replaces the rows of 1 videos in {tmp_path / 'a.csv'}: 0a43a414" in watch.notes


def test_objects_in_no_mask_are_listed_and_not_counted(tmp_path: Path) -> None:
    root = write_mose(tmp_path / "mose")
    name, objects = "11111111", (1, 2, 7)
    write_video(root / "train/JPEGImages" / name, root / "train/Annotations" / name, [ONE, TWO, ONE])
    write_rows(
        tmp_path / "rows.csv", [row(name, objects=objects), row("0a43a414", "cat"), row(name, "cat", objects=(9,))]
    )
    output = icvos("build", "--mose", root, "--curation", tmp_path / "rows.csv", "--out", tmp_path / "b").output
    manifest = read_schema(tmp_path / "b" / MANIFEST, Manifest, "", "")
    assert manifest.videos[f"mose_{name}"].clips["17"].instances == 2
    assert [(entry.category, entry.reason) for entry in manifest.left_out] == [
        ("cat", "its object ids are in no mask of the video"),
        ("dog", "object 7 is in no mask of the video; the clip has the others"),
    ]
    assert f"2 left out, each with its reason: left_out in {tmp_path / 'b' / MANIFEST}" in output
    assert (
        f"2 left out, each with its reason: left_out in {tmp_path / 'b' / MANIFEST}"
        in icvos("info", tmp_path / "b").output
    )
    again = icvos("build", "--mose", root, "--curation", tmp_path / "rows.csv", "--out", tmp_path / "b").output
    assert again == output
    assert [clip.id for clip in Benchmark.open(tmp_path / "b").clips] == ["mose_0a43a414/16", f"mose_{name}/17"]


def test_a_dry_run_counts_what_is_left_out(tmp_path: Path) -> None:
    root = write_mose(tmp_path / "mose")
    write_text(
        tmp_path / "rows.csv",
        "source,video,class,objects,decision\nmose,0a43a414,dog,1,accepted\nmose,x,dog,1,accepted",
    )
    arguments = ("build", "--mose", root, "--curation", tmp_path / "rows.csv", "--dry-run", "--out", tmp_path / "b")
    assert "left out: mose/x dog: no such video in the MOSE that was read\n1 left out\n" in icvos(*arguments).output
