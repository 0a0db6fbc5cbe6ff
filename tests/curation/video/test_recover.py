"""Rows recovered from category masks."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from curation.video.recover import Evidence
from curation.video.rows import read_rows
from icvos.tasks.video.benchmark import Benchmark
from tests.conftest import World, icvos

IDS = np.array([[1, 1, 0, 2], [3, 3, 0, 2]])


@pytest.mark.parametrize(
    ("mask", "members", "fault"),
    [
        (IDS == 1, (1,), ""),
        ((IDS == 1) | (IDS == 2), (1, 2), ""),
        (IDS > 0, (1, 2, 3), ""),
        (np.zeros_like(IDS, dtype=bool), (), "the published mask is empty"),
        (IDS < 2, (1,), "2 pixels of the published mask belong to no object"),
        (np.array([[1, 0, 0, 0], [0, 0, 0, 0]], dtype=bool), (), "object 1 lies only partly inside (1 of 2 pixels)"),
    ],
)
def test_evidence(mask: np.ndarray, members: tuple[int, ...], fault: str) -> None:
    evidence = Evidence()
    evidence.add(IDS, mask)
    evidence.add(np.zeros_like(IDS), np.zeros_like(mask))
    assert evidence.members() == members
    assert evidence.fault().startswith(fault)
    assert bool(evidence.fault()) == bool(fault)


def publish(benchmark: Benchmark, root: Path) -> Path:
    """A copy in the published layout: the source's own video names, nothing but videos."""
    for video in benchmark.videos:
        shutil.copytree(video.folder, root / video.name.partition("_")[2])
    return root


def test_the_published_layout_gives_the_rows_back(benchmark: Benchmark, world: World, tmp_path: Path) -> None:
    published = publish(benchmark, tmp_path / "published")
    output = icvos("curate", "recover", *world.sources, "--published", published, "--out", tmp_path / "rows.csv").output
    assert f"{len(benchmark.clips)} of {len(benchmark.clips)} clips recovered" in output
    accepted = {row.key: row.objects for row in read_rows(world.root / "curation.csv") if row.decision == "accepted"}
    recovered = {row.key: row.objects for row in read_rows(tmp_path / "rows.csv")}
    assert recovered == {key: objects for key, objects in accepted.items() if key in recovered}
    assert len(recovered) == len(benchmark.clips)


def test_what_does_not_match_is_said(benchmark: Benchmark, world: World, tmp_path: Path) -> None:
    published = publish(benchmark, tmp_path / "published")
    clip = next(clip for clip in benchmark.clips if clip.video.source == "davis")
    mask = (
        published
        / clip.video.name.partition("_")[2]
        / "Annotations"
        / str(clip.category.index)
        / f"{clip.video.frames[0]}.png"
    )
    changed = np.array(Image.open(mask))
    changed[:] = True
    mask.unlink()
    Image.fromarray(changed).save(mask)
    output = icvos("curate", "recover", *world.sources, "--published", published, "--out", tmp_path / "rows.csv").output
    assert f"no match: {clip.video.name.partition('_')[2]}/{clip.category.index}: " in output
    assert f"{len(benchmark.clips) - 1} of {len(benchmark.clips)} clips recovered" in output


def test_a_copy_gets_supports_from_coco(benchmark: Benchmark, world: World, tmp_path: Path) -> None:
    published = publish(benchmark, tmp_path / "published")
    coco = world.root / "coco"
    icvos("build", "--published", published, "--coco", coco, "--out", tmp_path / "again")
    again = Benchmark.open(tmp_path / "again")
    assert {clip.category.index for clip in again.clips} == {clip.category.index for clip in benchmark.clips}
    assert again.supports(again.clips[0], draw=0, shots=1)[0].mask().any()


def test_a_built_benchmark_is_built_again_from_itself(benchmark: Benchmark, world: World, tmp_path: Path) -> None:
    icvos("build", "--published", benchmark.root, "--coco", world.root / "coco", "--out", tmp_path / "again")
    assert Benchmark.open(tmp_path / "again").digest == benchmark.digest
