"""The paper's way of curating: animations of all videos, and a page with what was decided."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from curation.review.contact import MOST_FRAMES, pictures
from curation.sources.mose import read
from curation.video.rows import read_rows, write_rows
from icvos.errors import IcvosError
from tests.conftest import World, icvos


@pytest.mark.parametrize("kind", ["webp", "gif"])
def test_every_video_is_animated_and_on_the_page(world: World, tmp_path: Path, kind: str) -> None:
    out, rows = tmp_path / "gifs", world.root / "curation.csv"
    command = ("curate", "gifs", *world.sources, "--rows", rows, "--out", out, "--kind", kind, "--height", 96)
    icvos(*command)
    page = (out / "index.html").read_text()
    for row in read_rows(rows):
        path = out / f"{row.source}_{row.video}.{kind}"
        with Image.open(path) as found:
            assert found.height == 96
            assert getattr(found, "n_frames", 1) > 1
        assert f'src="{path.name}"' in page
        assert row.reason in page
    assert "<script" not in page
    assert "http" not in page


def test_a_second_call_renews_the_page_alone(world: World, tmp_path: Path) -> None:
    out, rows = tmp_path / "gifs", tmp_path / "rows.csv"
    command = ("curate", "gifs", "--mose", world.root / "mose", "--out", out, "--height", 60)
    icvos(*command)
    assert "Undecided (1)" in (out / "index.html").read_text()
    times = {path: path.stat().st_mtime_ns for path in out.glob("*.webp")}
    found = [row for row in read_rows(world.root / "curation.csv") if row.source == "mose"]
    write_rows(rows, [row.model_copy(update={"reason": "<b>bold</b>", "who": "anna"}) for row in found])
    icvos(*command, "--rows", rows)
    page = (out / "index.html").read_text()
    assert "&lt;b&gt;bold&lt;/b&gt;" in page
    assert "by anna" in page
    assert {path: path.stat().st_mtime_ns for path in out.glob("*.webp")} == times


def test_long_videos_are_shown_in_part(world: World) -> None:
    import dataclasses

    video = read(world.root / "mose").videos[0]
    times = -(-100 // len(video.frames))
    longer = dataclasses.replace(video, frames=video.frames * times, masks=video.masks * times)
    drawn = list(pictures(longer, 48))
    assert len(longer.frames) / 4 < len(drawn) <= MOST_FRAMES
    assert {np.shape(picture)[0] for picture in drawn} == {48}


def test_no_source_is_an_error(tmp_path: Path) -> None:
    from curation.review.contact import write_contact_sheet

    with pytest.raises(IcvosError, match="no source"):
        write_contact_sheet(tmp_path / "out")
    assert not (tmp_path / "out").exists()
