"""Charts of a benchmark, and the tables that they are drawn from."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from icvos.files.masks import read_binary, write_binary
from icvos.tasks.video.benchmark import Benchmark
from icvos.tasks.video.statistics import (
    GRID,
    Measured,
    category_table,
    clip_table,
    measure,
    position_table,
    source_table,
    support_table,
    write_statistics,
)
from tests.conftest import icvos
from tests.icvos.tasks.image.tiny_episodes import write_images


def a_measured(*areas: float) -> Measured:
    return Measured(np.array(areas, np.float32), np.zeros(GRID, np.float32))


def test_a_mask_is_measured_where_it_is(benchmark: Benchmark, tmp_path: Path) -> None:
    clip = benchmark.clips[0]
    here = replace(clip, video=replace(clip.video, folder=tmp_path, entry=None))
    (tmp_path / "Annotations").mkdir()
    height, width = clip.video.size
    for number, frame in enumerate(clip.video.frames):
        mask = np.zeros((height, width), bool)
        mask[: height // 2, : width // 4] = number in (1, 2)
        write_binary(here.mask_path(frame), mask)
        (tmp_path / "JPEGImages").mkdir(exist_ok=True)
        (tmp_path / "JPEGImages" / f"{frame}.jpg").write_bytes(clip.video.frame_paths[number].read_bytes())
    found = measure(here)
    assert found.areas.tolist() == [0.125 * (number in (1, 2)) for number in range(len(clip.video.frames))]
    rows, columns = GRID
    expected = np.zeros(GRID, np.float32)
    expected[: rows // 2, : columns // 4] = 1
    assert np.array_equal(found.position, expected)


@pytest.mark.parametrize(
    ("areas", "absences", "absent", "first", "mean"),
    [
        ((0.5, 0.25), 0, 0.0, 50.0, 37.5),
        ((0.0, 0.5, 0.0, 0.0, 0.25, 0.0), 2, 66.6667, 50.0, 37.5),
        ((0.0, 0.0), 0, 100.0, 0.0, 0.0),
    ],
)
def test_absences_are_stretches_after_the_first_sight(
    benchmark: Benchmark, areas: tuple[float, ...], absences: int, absent: float, first: float, mean: float
) -> None:
    row = clip_table(benchmark.clips[:1], [a_measured(*areas)]).iloc[0]
    assert (row.absences, row.absent_percent, row.first_percent, row.mean_percent) == (absences, absent, first, mean)
    assert (row["clip"], row.frames) == (benchmark.clips[0].id, len(areas))


def test_tables_add_up_to_the_benchmark(benchmark: Benchmark) -> None:
    sources, categories = source_table(benchmark), category_table(benchmark)
    assert sources["videos"].sum() == len(benchmark.videos)
    assert sources["share_percent"].sum() == pytest.approx(100, abs=0.05)
    for table in (sources, categories):
        assert table["clips"].sum() == len(benchmark.clips)
    assert categories["clips"].is_monotonic_decreasing
    supports = support_table(benchmark)
    assert benchmark.choices is not None
    assert len(supports) == sum(map(len, benchmark.choices.classes.values()))
    one = supports.iloc[0]
    mask = read_binary(benchmark.root / "supports" / str(one["class"]) / f"{one.support}.png")
    assert one.mask_percent == round(100 * mask.mean(), 4)


def test_the_papers_counts_stand_beside_ic_vos_alone(benchmark: Benchmark) -> None:
    assert benchmark.manifest is not None
    filmed = replace(benchmark, manifest=benchmark.manifest.model_copy(update={"drawn": False}))
    grown = replace(filmed, manifest=benchmark.manifest.model_copy(update={"drawn": False, "name": "IC-VOS-grown"}))
    assert category_table(filmed)["paper_clips"].notna().any()
    assert source_table(filmed)["paper_share_percent"].notna().any()
    for other in (benchmark, grown):
        assert category_table(other)["paper_clips"].isna().all()
        assert source_table(other)["paper_share_percent"].isna().all()


def test_the_map_is_the_mean_over_clips() -> None:
    one, other = np.zeros(GRID, np.float32), np.ones(GRID, np.float32)
    found = position_table([Measured(one[0], one), Measured(one[0], other)])
    assert found.shape == GRID
    assert (found == 50).all(axis=None)


def test_charts_and_tables_are_the_same_for_any_number_of_workers(benchmark: Benchmark, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed; pip install 'icvos[plots]'")
    pytest.importorskip("wordcloud", reason="wordcloud is not installed; pip install 'icvos[plots]'")
    shown = icvos("info", benchmark.root, "--plots", tmp_path / "one").stdout
    charts = write_statistics(benchmark, tmp_path / "two", workers=2)
    assert f"{tmp_path / 'one'}: {len(charts)} charts" in shown
    assert {chart.name for chart in charts} >= {"sources", "words", "lengths", "sizes", "positions", "supports"}
    for name in (f"{chart.name}{suffix}" for chart in charts for suffix in (".svg", ".png", ".csv")):
        assert (tmp_path / "two" / name).read_bytes() == (tmp_path / "one" / name).read_bytes(), name
    with (tmp_path / "one" / "lengths.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["clip"] for row in rows] == [clip.id for clip in benchmark.clips]
    assert (tmp_path / "one" / "words.svg").read_text(encoding="utf-8").startswith("<?xml")


def test_plots_need_a_benchmark(tmp_path: Path) -> None:
    assert "--plots needs a benchmark" in icvos("info", "--plots", tmp_path, "--davis", tmp_path, status=2).stderr
    assert "information on what? give a benchmark" in icvos("info", status=2).stderr


def test_plots_are_of_videos(tmp_path: Path) -> None:
    images = write_images(tmp_path / "tiny").root
    said = icvos("info", images, "--plots", tmp_path / "plots", status=2).stderr
    assert f"--plots: {images} is a benchmark of images, and charts are of videos; leave it out" in said
    assert not (tmp_path / "plots").exists()
