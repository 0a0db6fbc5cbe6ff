"""The paper's Table I beside what was read."""

from pathlib import Path
from typing import get_args

from curation.sources.datasets import read_datasets
from curation.sources.overview import overview
from curation.sources.video import SourceName
from icvos.files.names import SOURCES
from tests.conftest import World, icvos
from tests.curation.sources.source_folders import write_lvos, write_mose, write_youtube_vos


def test_printed_figures_stand_beside_those_of_the_same_release(tmp_path: Path) -> None:
    objects = {"0a1b2c3d4e": {1: "dog", 2: "penguin"}, "0a1b2c3d4f": {1: "dog"}}
    found = overview(
        read_datasets(
            mose=write_mose(tmp_path / "mose"),
            lvos=write_lvos(tmp_path / "LVOS_V2"),
            youtube_vos=write_youtube_vos(tmp_path / "YouTubeVOS2019", objects),
        )
    )
    assert found.rows == (
        ("MOSE v1", "train", "1 / 2,149", "3 / 73", "3 / 159,600", "– / 36"),
        ("LVOS v2", "train", "1 / 720", "3 / 412", "3 / 296,401", "– / 44"),
        ("YouTube-VOS 2019", "train", "2 / 4,453", "3 / 27", "6 / 120,532", "2 / 94"),
    )


def test_nothing_printed_stands_beside_drawn_videos(world: World) -> None:
    shown = icvos("info", "--davis", world.root / "davis").stdout
    assert "DAVIS 2017, drawn" in shown
    assert "6,298" not in shown


def test_readers_are_of_the_sources_that_built_videos_are_named_after() -> None:
    assert get_args(SourceName) == SOURCES
