"""A curation file to fill in: what gets no row is told with its reason, and objects are drawn with numbers."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from curation.video.candidates import write_candidates
from curation.video.rows import CurationRow, read_rows, shipped_rows, write_rows
from curation.video.thumbnails import numbered
from icvos.categories import category
from icvos.errors import IcvosError
from tests.conftest import World, icvos


def row(video: str, *objects: int, source: str = "mose", name: str = "dog") -> CurationRow:
    return CurationRow.model_validate(
        {"source": source, "video": video, "class": category(name), "objects": objects, "decision": "accepted"}
    )


@pytest.fixture
def mose(world: World, tmp_path: Path) -> Path:
    """The MOSE of the small world, whose one video is there three times, once with a single frame."""
    root = tmp_path / "mose"
    shutil.copytree(world.root / "mose", root)
    for kind in ("JPEGImages", "Annotations"):
        folder = next(root.rglob(f"{kind}/*"))
        shutil.copytree(folder, folder.with_name("aaaaaaaa"))
        shutil.copytree(folder, folder.with_name("bbbbbbbb"))
        for path in sorted(folder.with_name("bbbbbbbb").iterdir())[1:]:
            path.unlink()
    return root


def test_everything_that_gets_no_row_is_told_with_its_reason(mose: Path, tmp_path: Path) -> None:
    name = next(path.name for path in mose.rglob("JPEGImages/*") if path.name[0] not in "ab")
    write_rows(
        tmp_path / "rows.csv",
        [row(name, 1, 77), row("aaaaaaab", 1), row("0123", 1, source="lvos"), row("bbbbbbbb", 1)],
    )
    found = write_candidates(tmp_path / "rest.csv", mose=mose, rows=tmp_path / "rows.csv")
    assert [one.video for one in found.rows] == ["aaaaaaaa"]
    reasons = {(entry.source, entry.video, entry.category): entry.reason for entry in found.left_out}
    assert reasons["mose", name, "dog"] == "object 77 is in no mask"
    assert "did you mean aaaaaaaa?" in reasons["mose", "aaaaaaab", "dog"]
    assert reasons["lvos", "0123", "dog"] == "LVOS was not given; pass its folder to --lvos"
    assert reasons["mose", "bbbbbbbb", ""] == reasons["mose", "bbbbbbbb", "dog"] == "only one frame, so no video"
    output = icvos(
        "curate", "candidates", "--mose", mose, "--rows", tmp_path / "rows.csv", "--out", tmp_path / "c.csv"
    ).output
    for reason in reasons.values():
        assert reason in output


def test_an_object_that_no_row_names_is_told(mose: Path, tmp_path: Path) -> None:
    first = write_candidates(tmp_path / "all.csv", mose=mose).rows[0]
    write_rows(tmp_path / "rows.csv", [row(first.video, 99)])
    found = write_candidates(tmp_path / "rest.csv", mose=mose, rows=[tmp_path / "rows.csv"])
    missing = ", ".join(map(str, first.objects))
    assert f"object {missing} is in no row of the video" in {entry.reason for entry in found.left_out}


def test_a_category_that_is_not_cocos_is_refused_with_its_line(mose: Path, tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.csv", [row("aaaaaaaa", 1)])
    (tmp_path / "rows.csv").write_text((tmp_path / "rows.csv").read_text().replace("dog", "wolf"))
    with pytest.raises(IcvosError, match=r"rows\.csv, line 2: .*unknown category 'wolf'"):
        write_candidates(tmp_path / "rest.csv", mose=mose, rows=tmp_path / "rows.csv")


def test_the_shipped_rows_are_written_where_they_are_asked_for(world: World, tmp_path: Path) -> None:
    shipped = shipped_rows()[0]
    source = next((world.root / "davis").rglob("JPEGImages/*/*"))
    for kind in ("JPEGImages", "Annotations"):
        target = tmp_path / "davis" / kind / source.parent.name / shipped.video
        shutil.copytree(str(source).replace("JPEGImages", kind), target)
    icvos("curate", "candidates", "--davis", tmp_path / "davis", "--shipped", "--out", tmp_path / "rows.csv")
    assert read_rows(tmp_path / "rows.csv")[0] == shipped
    output = icvos("curate", "candidates", "--davis", tmp_path / "davis", "--out", tmp_path / "none.csv").output
    assert f"davis/{shipped.video}: has a row that ships with icvos" in output


def test_thumbnails_are_drawn_of_every_new_row(mose: Path, tmp_path: Path) -> None:
    icvos("curate", "candidates", "--mose", mose, "--out", tmp_path / "rows.csv", "--thumbnails", tmp_path / "small")
    names = [f"mose_{found.video}.jpg" for found in read_rows(tmp_path / "rows.csv")]
    assert sorted(path.name for path in (tmp_path / "small").iterdir()) == sorted(names)
    assert Image.open(tmp_path / "small" / names[0]).height == 360


def test_a_number_lies_on_its_object_and_inside_the_picture() -> None:
    image = np.full((120, 200, 3), 90, dtype=np.uint8)
    ids = np.zeros((120, 200), dtype=np.uint8)
    ids[30:90, 40:100], ids[0:3, 195:200] = 1, 12
    picture = numbered(image, ids)
    assert picture.shape == (360, 600, 3)
    white = (picture > 245).all(axis=2)
    assert white[170:190, 200:220].any()  # of 1
    assert white[:30, 560:].any()  # of 12
    assert (picture[300:, :100] == 90).all()
