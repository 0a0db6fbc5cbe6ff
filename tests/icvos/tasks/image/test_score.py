"""Scores of image episodes: recorded values, a plain reference, ignored pixels, and runs that are not whole."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from icvos.errors import IcvosError
from icvos.files.rle import encode_rle
from icvos.metrics.fewshot import EpisodeCounts
from icvos.protocol import NATIVE, PAPER
from icvos.tasks.image.benchmark import Episode, ImageBenchmark, Picture
from icvos.tasks.image.manifest import MANIFEST, pictures_text
from icvos.tasks.image.predictions import EPISODES, Answer
from icvos.tasks.image.score import compare, score_images
from tests import Json
from tests.golden import GOLDEN
from tests.golden.masks import build
from tests.icvos.tasks.image.tiny_episodes import FOLDS, NEVER, write_images

DIGEST = "sha256:" + "5" * 64


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> ImageBenchmark:
    return write_images(tmp_path_factory.mktemp("images") / "tiny")


def shifted(episode: Episode) -> np.ndarray:
    """The true mask, moved to the right by as many columns as the episode's number."""
    return np.roll(episode.query.mask(episode.kind), episode.index, axis=1)


def write_run(tiny: ImageBenchmark, out: Path, mask: Callable[[Episode], np.ndarray] = shifted, **record: Any) -> Path:
    """A run with one line an episode, in backward order, and no word of time."""
    for fold in range(len(tiny.folds)):
        folder = out / f"fold{fold}"
        folder.mkdir(parents=True)
        (folder / "run.json").write_text(json.dumps({"method": "m", "shots": 1, **record}))
        answers = [Answer(e.index, e.kind, encode_rle(mask(e)), None, "") for e in tiny.episodes(fold)]
        (folder / EPISODES).write_bytes(b"".join(answer.line() for answer in reversed(answers)))
    return out


def test_recorded_episodes(tmp_path: Path) -> None:
    """The recorded episodes as a benchmark on disk and a run: counts, and from them mIoU and FB-IoU."""
    wanted = json.loads((GOLDEN / "fss_scores.json").read_text())["with_ignore"]["exact"]
    with (GOLDEN / "fss_episodes.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    pictures, episodes, lines = [], [], []
    for number, row in enumerate(rows):
        size, kind = (int(row["height"]), int(row["width"])), int(row["class_id"]) + 1
        ignored = np.zeros(size, dtype=bool) if row["ignore"] == "-" else build(row["ignore"], *size)
        outlines = {kind: str(encode_rle(build(row["gt"], *size) & ~ignored)["counts"])}
        void = str(encode_rle(ignored)["counts"]) if ignored.any() else ""
        name = f"{number}.png"
        pictures.append(Picture(name, tmp_path / name, size, outlines, (kind,), void))
        episodes.append([kind, name, [f"{(number + 1) % len(rows)}.png"]])
        lines.append(Answer(number, kind, encode_rle(build(row["pred"], *size)), None, "").line())
    (tmp_path / "val.json").write_text(pictures_text(picture.entry() for picture in pictures))
    folds = [{"test": [6, 7, 8, 9, 10], "train": [], "episodes": episodes}]
    manifest = {"format": 1, "name": "recorded", "rule": "recorded", "digest": {"val": DIGEST}, "folds": folds}
    manifest |= {"splits": {"val": "val"}, "images": {"val": "."}}
    manifest["classes"] = {str(kind): f"class {kind}" for kind in range(6, 11)}
    (tmp_path / MANIFEST).write_text(json.dumps(manifest))
    (tmp_path / "run" / "fold0").mkdir(parents=True)
    (tmp_path / "run" / "fold0" / "run.json").write_text('{"shots": 1}')
    (tmp_path / "run" / "fold0" / EPISODES).write_bytes(b"".join(lines))

    scores = score_images(ImageBenchmark.open(tmp_path), tmp_path / "run", NATIVE)
    names = ("inter_bg", "inter_fg", "union_bg", "union_fg")
    counts = [EpisodeCounts(*(int(row[name]) for name in names)) for row in rows]
    assert [found for _, found in scores.folds[0].episodes] == counts
    fold = scores.to_result().to_json()["folds"]["0"]
    assert 100 * fold["miou"] == pytest.approx(wanted["miou_drawn_classes_only"], abs=1e-12)
    assert 100 * fold["fb_iou"] == pytest.approx(wanted["fb_iou"], abs=1e-12)
    assert fold["without"] == ["class 10"]  # never drawn: it would count as 0 in the published code
    assert 100 * fold["miou"] * 4 / 5 == pytest.approx(wanted["miou"], abs=1e-12)


@pytest.mark.parametrize("protocol", [PAPER, NATIVE])
def test_scores_are_those_of_a_plain_loop(tiny: ImageBenchmark, tmp_path: Path, protocol: Any) -> None:
    found = score_images(tiny, write_run(tiny, tmp_path / "run"), protocol).to_result().to_json()
    for fold, test in enumerate(FOLDS):
        inter, union = dict.fromkeys(test, 0), dict.fromkeys(test, 0)
        pooled = np.zeros((2, 2))
        for episode in tiny.episodes(fold):
            label = np.array(episode.query.label(episode.kind))
            mask = shifted(episode)
            if protocol.size:
                height, width = label.shape
                label = np.array([[label[y * height // 512, x * width // 512] for x in range(512)] for y in range(512)])
                mask = np.array([[mask[y * height // 512, x * width // 512] for x in range(512)] for y in range(512)])
            truth, mask = label[label != 255] == 1, mask[label != 255]
            inter[episode.kind] += (truth & mask).sum()
            union[episode.kind] += (truth | mask).sum()
            pooled += [[(truth & mask).sum(), (~truth & ~mask).sum()], [(truth | mask).sum(), (~truth | ~mask).sum()]]
        classes = [inter[kind] / union[kind] for kind in test if kind != NEVER]
        own = found["folds"][str(fold)]
        assert own["miou"] == pytest.approx(sum(classes) / len(classes), abs=1e-12)
        assert [own["foreground_iou"], own["background_iou"]] == pytest.approx(list(pooled[0] / pooled[1]), abs=1e-12)
        assert own["fb_iou"] == pytest.approx((pooled[0] / pooled[1]).mean(), abs=1e-12)
        assert own["interval"]["miou"][0] <= own["miou"] <= own["interval"]["miou"][1]
    for key in ("miou", "fb_iou"):
        assert found["overall"][key] == pytest.approx(np.mean([fold[key] for fold in found["folds"].values()]))
        low, high = found["overall"]["interval"][key]
        assert low < found["overall"][key] < high
    assert found["overall"]["seconds_per_image"] is None


def test_ignored_pixels_count_nowhere(tiny: ImageBenchmark) -> None:
    episode = next(e for fold in (0, 1) for e in tiny.episodes(fold) if e.query.ignored)
    border = episode.query.label(episode.kind) == 255
    truth = episode.query.mask(episode.kind)
    for protocol in (PAPER, NATIVE):
        assert compare(episode, truth | border, protocol) == compare(episode, truth & ~border, protocol)
        assert compare(episode, truth, protocol).foreground_iou == 1
    counts = compare(episode, truth, NATIVE)
    assert counts.union_background == (~truth & ~border).sum()


def test_only_finished_folds_are_scored(tiny: ImageBenchmark, tmp_path: Path) -> None:
    run = write_run(tiny, tmp_path / "run", asked=6)
    path = run / "fold1" / EPISODES
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-2]))  # without the first two episodes
    scores = score_images(tiny, run, NATIVE)
    assert scores.left_out == {1: (4, 6)}
    found = scores.to_result().to_json()
    assert (set(found["folds"]), found["overall"]["episodes"], found["folds"]["0"]["of"]) == ({"0"}, 6, 10)
    (run / "fold0" / EPISODES).unlink()
    with pytest.raises(IcvosError, match=r"no fold is finished \(fold 0 has 0 of 6 episodes, fold 1 has 4 of 6"):
        score_images(tiny, run, NATIVE)


def test_times_are_a_mean_where_all_are_known(tiny: ImageBenchmark, tmp_path: Path) -> None:
    run = write_run(tiny, tmp_path / "run")
    for fold, seconds in ((0, "0.5"), (1, "1.5")):
        path = run / f"fold{fold}" / EPISODES
        path.write_text(path.read_text().replace('"seconds": null', f'"seconds": {seconds}'))
    assert score_images(tiny, run, NATIVE).to_result().to_json()["overall"]["seconds_per_image"] == 1.0
    path.write_text(path.read_text().replace('"seconds": 1.5', '"seconds": null', 1))
    assert score_images(tiny, run, NATIVE).to_result().to_json()["overall"]["seconds_per_image"] is None


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"benchmark": {"digest": DIGEST}}, "made for other episodes"),
        ({"shots": None}, "does not say how many supports were shown"),
        ({"shots": True}, "shots is true, should be a valid integer"),
        ({"shots": 10**9}, "shots is 1000000000, should be less than or equal to 1000"),
    ],
)
def test_folds_of_other_questions_are_refused(tiny: ImageBenchmark, tmp_path: Path, record: Json, message: str) -> None:
    run = write_run(tiny, tmp_path / "run", **record)
    with pytest.raises(IcvosError, match=message) as caught:
        score_images(tiny, run, NATIVE)
    assert str(run / "fold0" / "run.json") in str(caught.value)


def test_folds_of_different_shots_are_refused(tiny: ImageBenchmark, tmp_path: Path) -> None:
    run = write_run(tiny, tmp_path / "run")
    (run / "fold1" / "run.json").write_text('{"shots": 5}')
    with pytest.raises(IcvosError, match=r"folds of \[1, 5\] shots"):
        score_images(tiny, run, NATIVE)


def test_folders_that_are_no_run_on_images_are_refused(tiny: ImageBenchmark, tmp_path: Path) -> None:
    with pytest.raises(IcvosError, match="no such folder"):
        score_images(tiny, tmp_path / "nowhere", NATIVE)
    with pytest.raises(IcvosError, match="no fold in it"):
        score_images(tiny, tmp_path, NATIVE)
    (tmp_path / "fold7").mkdir()
    with pytest.raises(IcvosError, match="tiny has no such fold"):
        score_images(tiny, tmp_path, NATIVE)


def test_pictures_are_not_needed_to_score(tmp_path: Path) -> None:
    """Masks alone are compared; that a picture is broken is for whoever runs a method."""
    other = write_images(tmp_path / "other")
    run = write_run(other, tmp_path / "run")
    for path in (other.root / "pictures").iterdir():
        path.unlink()
    assert score_images(ImageBenchmark.open(other.root), run, NATIVE).to_result().to_json()["overall"]["folds"] == 2
    Image.new("RGB", (3, 3)).save(other.root / "pictures" / "plum0.png")
    with pytest.raises(IcvosError, match="fetch the original image"):
        next(p for p in ImageBenchmark.open(other.root).validation.values() if p.name == "plum0.png").image()
