"""What a benchmark of videos says of itself."""

import shutil
from pathlib import Path

from icvos.tasks.listing import Listing
from icvos.tasks.video.benchmark import Benchmark
from icvos.tasks.video.manifest import MANIFEST, LeftOutEntry
from icvos.tasks.video.summary import left_out_lines, summary
from tests.conftest import icvos
from tests.icvos.handmade import write_benchmark


def test_counts_stand_beside_the_papers(benchmark: Benchmark) -> None:
    manifest = benchmark.manifest
    assert manifest is not None
    categories, sources, *lines = summary(benchmark)
    assert isinstance(categories, Listing)
    assert isinstance(sources, Listing)
    assert categories.title == f"{manifest.counts.categories} categories, 30 in the paper"
    assert [row[0] for row in categories.rows if row] == list(manifest.categories)
    *own, section, every = sources.rows
    assert [row[0].partition(" ")[0] for row in own if row] == list(manifest.sources)
    assert section is None
    assert every == (
        "all",
        f"{manifest.counts.videos} / 369",
        "",
        f"{manifest.counts.clips} / 437",
        f"{manifest.counts.frames} / 99,549",
    )
    assert len(manifest.left_out) > 1
    assert lines == [
        *left_out_lines(manifest.left_out),
        f"{len(manifest.left_out)} left out, each with its reason: left_out in {benchmark.root / MANIFEST}",
        f"{benchmark.root}: {benchmark.digest}",
    ]


def test_a_source_that_the_paper_lacks_stands_alone(tmp_path: Path) -> None:
    benchmark = write_benchmark(tmp_path)
    assert benchmark.manifest is not None
    entry = benchmark.manifest.sources["mose"]
    paper = entry.paper.model_copy(update={"videos": None, "share_percent": None})
    changed = benchmark.manifest.model_copy(update={"sources": {"own": entry.model_copy(update={"paper": paper})}})
    _, sources, *_ = summary(Benchmark(tmp_path, benchmark.videos, benchmark.clips, benchmark.digest, changed))
    assert isinstance(sources, Listing)
    assert sources.rows[0] == ("own", "1", "33.3 %", "1", "3")


def test_clips_that_were_left_out_for_one_reason_share_a_line() -> None:
    entries = [LeftOutEntry(source="mose", video=f"v{n}", category="dog", reason="late") for n in range(8)]
    entries.insert(3, LeftOutEntry(source="davis", video="a", category="cat", reason="small"))
    assert left_out_lines(entries) == [
        "left out: mose/v0 dog, mose/v1 dog, mose/v2 dog, mose/v3 dog, mose/v4 dog, mose/v5 dog and 2 more: late",
        "left out: davis/a cat: small",
    ]


def test_the_published_layout_is_a_line_a_video(benchmark: Benchmark, tmp_path: Path) -> None:
    for video in benchmark.videos:
        shutil.copytree(video.folder, tmp_path / video.name)
    *videos, last = icvos("info", tmp_path).output.splitlines()
    assert len(videos) == len(benchmark.videos)
    assert last == (
        f"{tmp_path}: published layout, {len(benchmark.videos)} videos, {len(benchmark.clips)} clips, no supports"
    )
