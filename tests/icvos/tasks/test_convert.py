"""Runs as files of other programs, opened by those programs."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO

from icvos.errors import IcvosError
from icvos.files.masks import read_binary
from icvos.tasks.calls import score
from icvos.tasks.convert import convert
from icvos.tasks.result import Selection
from icvos.tasks.video.benchmark import Benchmark
from icvos.tasks.video.predictions import Predictions
from tests.conftest import icvos
from tests.curation.notes import Notes
from tests.icvos.handmade import write_benchmark, write_predictions
from tests.icvos.tasks.image.test_score import write_run
from tests.icvos.tasks.image.tiny_episodes import write_images


@pytest.fixture(scope="module")
def handmade(tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    return write_benchmark(tmp_path_factory.mktemp("benchmark"))


@pytest.fixture(scope="module")
def run(handmade: Benchmark, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    for draw in (0, 1):
        write_predictions(handmade, folder / f"draw{draw}", draw)
    return folder


def load(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def test_pycocotools_reads_every_mask(handmade: Benchmark, run: Path, tmp_path: Path) -> None:
    truth, *draws = convert(run, handmade.root, tmp_path)
    assert [truth.name, *(path.name for path in draws)] == ["annotations.json", "draw0.json", "draw1.json"]
    coco = COCO(str(truth))
    predicted = {number: coco.loadRes(str(path)) for number, path in enumerate(draws)}
    images = {image["file_name"]: image["id"] for image in coco.imgs.values()}
    assert all((handmade.root / "videos" / name).is_file() for name in images)
    for clip in handmade.clips:
        for path in clip.video.frame_paths:
            own = {"imgIds": images[f"{clip.video.name}/JPEGImages/{path.name}"], "catIds": clip.category.index}
            expected = {coco: read_binary(clip.mask_path(path.stem))}
            for number, results in predicted.items():
                expected[results] = Predictions.open(run / f"draw{number}").mask(clip, path.stem)
            for file, mask in expected.items():
                found = file.loadAnns(file.getAnnIds(**own))
                assert len(found) == mask.any()
                assert np.array_equal(file.annToMask(found[0]) if found else np.zeros_like(mask), mask)
    assert {kind["name"] for kind in coco.cats.values()} == {clip.category.name for clip in handmade.clips}


def test_trackeval_reads_every_track(handmade: Benchmark, run: Path, tmp_path: Path) -> None:
    """It reads both files from its own folders, and its IoU of each frame is that of the masks."""
    datasets = pytest.importorskip("trackeval.datasets", reason="trackeval is not installed")
    truth, draw, _ = convert(run, handmade.root, tmp_path / "out", "youtube-vis")
    for path, place in ((truth, "gt_youtube_vis_train"), (draw, "trackers_youtube_vis_train/mine/data")):
        (tmp_path / place).mkdir(parents=True)
        shutil.copy(path, tmp_path / place)
    folders = {"GT_FOLDER": f"{tmp_path}/gt_", "TRACKERS_FOLDER": f"{tmp_path}/trackers_"}
    dataset = datasets.YouTubeVIS({**folders, "SPLIT_TO_EVAL": "train", "PRINT_CONFIG": False})
    assert set(dataset.seq_list) == {video.name for video in handmade.videos}
    predictions = Predictions.open(run / "draw0")
    for clip in handmade.clips:
        raw = dataset.get_raw_seq_data("mine", clip.video.name)
        data = dataset.get_preprocessed_seq_data(raw, clip.category.name)
        assert data["num_timesteps"] == len(clip.video.frames)
        shown = [read_binary(clip.mask_path(frame)) for frame in clip.video.frames]
        answered = [predictions.mask(clip, frame) for frame in clip.video.frames]
        assert data["num_gt_dets"] == sum(mask.any() for mask in shown)
        assert data["num_tracker_dets"] == sum(mask.any() for mask in answered)
        pairs = [(a, b) for a, b in zip(shown, answered, strict=True) if a.any() and b.any()]
        similarities = [value for frame in data["similarity_scores"] for value in frame.ravel()]
        expected = [(a & b).sum() / (a | b).sum() for a, b in pairs]
        assert similarities == pytest.approx(expected, abs=1e-12)


def test_episodes_are_pictures(tmp_path: Path) -> None:
    benchmark = write_images(tmp_path / "tiny")
    folder = write_run(benchmark, tmp_path / "run")
    truth, *folds = convert(folder, benchmark.root, tmp_path / "out")
    coco = COCO(str(truth))
    queries = {episode.query.name for fold in (0, 1) for episode in benchmark.episodes(fold)}
    assert {image["file_name"] for image in coco.imgs.values()} == queries
    assert all((benchmark.root / "pictures" / name).is_file() for name in queries)
    ious = []
    for path in folds:
        results = coco.loadRes(str(path))
        for found in results.anns.values():
            asked = coco.getAnnIds(imgIds=found["image_id"], catIds=found["category_id"])
            (true,) = coco.loadAnns(asked)
            one, other = results.annToMask(found), coco.annToMask(true)
            ious.append((one & other).sum() / (one | other).sum())
        assert len(results.anns) == len(load(path))
    assert 0 < np.mean(ious) <= 1
    with pytest.raises(IcvosError, match="YouTube-VIS is for videos; write --format coco"):
        convert(folder, benchmark.root, tmp_path / "out", "youtube-vis")


def test_what_a_draw_lacks_is_said(handmade: Benchmark, run: Path, tmp_path: Path) -> None:
    part, first = tmp_path / "part", handmade.clips[0]
    shutil.copytree(run, part)
    shutil.rmtree(part / "draw1" / first.video.name / str(first.category.index))
    watch = Notes()
    convert(part, handmade.root, tmp_path / "out", watch=watch)
    count = len(handmade.clips)
    assert watch.notes == [f"draw1 has masks of {count - 1} of {count} clips or episodes"]
    chosen = convert(part / "draw0", handmade.root, tmp_path / "one", selection=Selection(clips=(first.id,)))
    assert {entry["clip"] for entry in load(chosen[1])} == {first.id}


def test_command(built: Path, tmp_path: Path) -> None:
    for clip in Benchmark.open(built).clips:
        shutil.copytree(clip.folder, tmp_path / "masks" / clip.id)
    out = tmp_path / "out"
    shown = icvos("convert", tmp_path / "masks", "--benchmark", built, "--format", "youtube-vis", "--out", out).output
    assert [line.split("  ")[0] for line in shown.splitlines()] == [
        str(out / "annotations.json"),
        str(out / "predictions.json"),
    ]
    true, copied = load(out / "annotations.json")["annotations"], load(out / "predictions.json")
    assert [len(one["segmentations"]) for one in true] == [len(one["segmentations"]) for one in copied]
    assert score(tmp_path / "masks", built).overall.jf == 1  # type: ignore[attr-defined]
