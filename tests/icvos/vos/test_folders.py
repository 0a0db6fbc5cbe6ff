"""Scores of bare folders of masks: recorded values, an independent implementation, and what each setting means."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from icvos.errors import IcvosError
from icvos.files.masks import DAVIS_PALETTE
from icvos.vos.folders import FolderScores, score_folders
from icvos.vos.objects import Objects
from icvos.vos.tables import frame_rows, write_frames_csv
from tests import Json
from tests.conftest import icvos
from tests.golden import GOLDEN
from tests.golden.masks import build
from tests.icvos.handmade import sample_masks

SEQUENCES: list[Json] = json.loads((GOLDEN / "protocol.json").read_text())
SIZE = (24, 32)


def label_map(objects: dict[str, str], size: tuple[int, int]) -> np.ndarray:
    """Ids drawn in the order given."""
    found = np.zeros(size, dtype=np.uint8)
    for key, spec in objects.items():
        found[build(spec, *size)] = int(key)
    return found


def write_ids(path: Path, ids: np.ndarray, *, grey: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(ids)
    if not grey and ids.dtype == np.uint8:
        image.putpalette(DAVIS_PALETTE.tobytes())
    image.save(path)


def write_video(folder: Path, frames: list[np.ndarray], *, grey: bool = False) -> Path:
    for position, ids in enumerate(frames):
        write_ids(folder / f"{position:05d}.png", ids, grey=grey)
    return folder


def write_sequence(root: Path, sequence: Json) -> tuple[Path, Path]:
    size = sequence["height"], sequence["width"]
    for side in ("pred", "gt"):
        write_video(root / side / sequence["name"], [label_map(frame, size) for frame in sequence[side]])
    return root / "pred", root / "gt"


def means(scores: FolderScores, key: str) -> dict[str, float]:
    return {str(one.id): one.figures[key] for video in scores.videos for one in video.objects}


@pytest.mark.parametrize("sequence", SEQUENCES, ids=lambda sequence: sequence["name"])
def test_recorded_answers_of_the_davis_evaluator(tmp_path: Path, sequence: Json) -> None:
    recorded = sequence["results"]["davis2017 semi-supervised"]
    folders = write_sequence(tmp_path, sequence)
    if isinstance(recorded, str):
        with pytest.raises(IcvosError, match=r"object 2, but the first frame of the truth has objects 1\.\.1"):
            score_folders(*folders, skip_ends=True, objects="first-frame")
        return
    found = score_folders(*folders, skip_ends=True, objects="first-frame")
    for letter in ("j", "f"):
        names = {"mean": letter, "recall": f"{letter}_recall", "decay": f"{letter}_decay"}
        for statistic, key in names.items():
            assert list(means(found, key).values()) == recorded[letter.upper()][statistic], key


@pytest.mark.parametrize("skip_ends", [True, False])
@pytest.mark.parametrize("sequence", SEQUENCES, ids=lambda sequence: sequence["name"])
def test_recorded_answers_of_vos_benchmark_and_sa_v(tmp_path: Path, sequence: Json, skip_ends: bool) -> None:
    recorded = sequence["results"]["vos-benchmark and sa-v" + ("" if skip_ends else ", all frames")]
    found = score_folders(*write_sequence(tmp_path, sequence), skip_ends=skip_ends)
    assert means(found, "j") == pytest.approx(recorded["J"], abs=1e-15)  # recorded as percentages over 100
    assert means(found, "f") == pytest.approx(recorded["F"], abs=1e-15)


def random_frames(seed: int, count: int, size: tuple[int, int], ids: list[int], dtype: Any) -> list[np.ndarray]:
    """Maps in which objects come and go, lie over each other and touch the frame."""
    random = np.random.RandomState(seed)
    frames = []
    for _ in range(count):
        found = np.zeros(size, dtype=dtype)
        for key in ids:
            if random.rand() < 0.7:
                y, x = random.randint(-5, size[0]), random.randint(-5, size[1])
                found[max(y, 0) : y + random.randint(3, 30), max(x, 0) : x + random.randint(3, 30)] = key
        frames.append(found)
    return frames


@pytest.mark.parametrize("skip_ends", [True, False])
@pytest.mark.parametrize("seed", range(6))
def test_equal_to_vos_benchmark_on_generated_folders(tmp_path: Path, seed: int, skip_ends: bool) -> None:
    peer = pytest.importorskip("vos_benchmark.benchmark", reason="vos-benchmark is not installed")
    random = np.random.RandomState(seed)
    dtype = np.uint16 if seed == 5 else np.uint8
    for video in range(3):
        count, size = random.randint(3, 12), (random.randint(1, 70), random.randint(1, 90))
        for side in (0, 1):
            ids = [1, 2, 5, 254, 255][: random.randint(2, 6)] + ([700] if seed == 5 else [])
            frames = random_frames(100 * seed + 10 * video + side, count, size, ids, dtype)
            if not side:
                frames[1][0, 0] = 1  # the peer has no answer to a truth without objects
            write_video(tmp_path / ("gt", "pred")[side] / f"video{video}", frames, grey=seed % 2 == 1)
    check_against(peer, tmp_path / "pred", tmp_path / "gt", skip_ends)


@pytest.mark.parametrize("mode", ["1", "P"])
@pytest.mark.parametrize("side", ["gt", "pred"])
@pytest.mark.parametrize("objects", ["all", "first-frame"])
def test_one_frame_of_another_kind_leaves_0_255_masks_one_object(
    tmp_path: Path, mode: str, side: str, objects: Objects
) -> None:
    frames = [square(number + 2, 255) for number in range(4)]
    for folder in ("gt", "pred"):
        write_video(tmp_path / folder / "a", frames, grey=True)
    wanted = score_folders(tmp_path / "pred", tmp_path / "gt", objects=objects)
    path = tmp_path / side / "a" / "00001.png"
    Image.fromarray(frames[1]).convert(mode).save(path)
    found = score_folders(tmp_path / "pred", tmp_path / "gt", objects=objects)
    assert found.to_result().overall == wanted.to_result().overall
    assert found.warnings == wanted.warnings


@pytest.mark.parametrize("values", [(255, 255), (1, 1)])
def test_equal_to_vos_benchmark_on_binary_masks(tmp_path: Path, values: tuple[int, int]) -> None:
    peer = pytest.importorskip("vos_benchmark.benchmark", reason="vos-benchmark is not installed")
    for side, value in zip(("gt", "pred"), values, strict=True):
        frames = random_frames(value + len(side), 9, (40, 50), [value], np.uint8)
        write_video(tmp_path / side / "video", frames, grey=True)
    check_against(peer, tmp_path / "pred", tmp_path / "gt", True)


def test_equal_to_vos_benchmark_on_real_masks() -> None:
    peer = pytest.importorskip("vos_benchmark.evaluator", reason="vos-benchmark is not installed")
    samples = sample_masks()
    name = sorted(folder.name for folder in (samples / "gt").iterdir())[0]
    evaluator = peer.Evaluator()
    frames = sorted((samples / "gt" / name).iterdir())[1:-1]
    for path in frames:
        truth, prediction = (np.asarray(Image.open(file)) for file in (path, samples / "osvos" / name / path.name))
        evaluator.feed_frame((prediction != 0).astype(np.uint8), (truth != 0).astype(np.uint8))
    j, f = evaluator.conclude()
    found = score_folders(samples / "osvos", samples / "gt", skip_ends=True, objects="binary", videos=[name])
    assert means(found, "j")["1"] == pytest.approx(j[1] / 100, abs=1e-12)
    assert means(found, "f")["1"] == pytest.approx(f[1] / 100, abs=1e-12)


def check_against(peer: Any, prediction: Path, truth: Path, skip_ends: bool) -> None:
    (jf,), (j,), (f,), (objects,) = peer.benchmark(
        [truth], [prediction], num_processes=1, verbose=False, skip_first_and_last=skip_ends
    )
    found = score_folders(prediction, truth, skip_ends=skip_ends)
    for video in found.videos:
        peer_j, peer_f = objects[video.video]
        for one in video.objects:  # percentages there, fractions here
            assert one.figures["j"] * 100 == float(peer_j.pop(one.id))
            assert one.figures["f"] * 100 == float(peer_f.pop(one.id))
        assert not peer_j
        assert not peer_f
    overall = found.to_result().overall.to_json()
    assert [100 * overall[key] for key in ("j", "f", "jf")] == pytest.approx([j, f, jf], abs=1e-11)


def square(x: int, value: int = 1, size: tuple[int, int] = SIZE) -> np.ndarray:
    found = np.zeros(size, dtype=np.uint8)
    found[4:16, x : x + 10] = value
    return found


def test_skip_ends_leaves_out_the_first_and_the_last_frame(tmp_path: Path) -> None:
    write_video(tmp_path / "gt/a", [square(2)] * 4)
    write_video(tmp_path / "pred/a", [square(2), square(7), square(2), square(20)])
    assert score_folders(tmp_path / "pred", tmp_path / "gt").to_result().overall.to_json()["j"] == pytest.approx(
        (1 + 5 / 15 + 1 + 0) / 4
    )
    found = score_folders(tmp_path / "pred", tmp_path / "gt", skip_ends=True)
    assert found.to_result().overall.to_json()["j"] == pytest.approx((5 / 15 + 1) / 2)
    assert found.videos[0].frames == ("00001", "00002")


def test_frames_are_in_order_of_their_numbers(tmp_path: Path) -> None:
    for side in ("gt", "pred"):
        for number in (2, 10, 9, 1):
            write_ids(tmp_path / side / "a" / f"{number}.png", square(3))
    found = score_folders(tmp_path / "pred", tmp_path / "gt", skip_ends=True)
    assert found.videos[0].frames == ("2", "9")


def test_0_255_masks_are_told_by_the_whole_video(tmp_path: Path) -> None:
    write_video(tmp_path / "gt/a", [np.zeros_like(square(3)), square(3, 255), square(5, 255)], grey=True)
    write_video(tmp_path / "pred/a", [np.zeros_like(square(3)), square(3), square(5)])
    for objects, frames, key in (("all", 2, 255), ("first-frame", 3, 1), ("binary", 3, 1)):
        found = score_folders(tmp_path / "pred", tmp_path / "gt", objects=objects)  # type: ignore[arg-type]
        (one,) = found.videos[0].objects
        assert (one.id, one.j.tolist()) == (key, [1.0] * frames)
        assert any("masks of 0 and 255" in line for line in found.warnings) == (objects != "binary")


def test_255_beside_ids_is_an_object_or_background_as_published(tmp_path: Path) -> None:
    truth = square(2)
    truth[20:, :] = 255
    write_video(tmp_path / "gt/a", [truth] * 3)
    write_video(tmp_path / "pred/a", [square(2)] * 3)
    found = score_folders(tmp_path / "pred", tmp_path / "gt")
    assert means(found, "j") == {"1": 1, "255": 0}
    assert "255 beside other ids" in found.warnings[0]
    found = score_folders(tmp_path / "pred", tmp_path / "gt", objects="first-frame")
    assert means(found, "j") == {"1": 1}


def test_a_0_255_prediction_of_one_object_takes_its_id(tmp_path: Path) -> None:
    write_video(tmp_path / "gt/a", [square(2, 3), square(4, 3)])
    write_video(tmp_path / "pred/a", [square(2, 255), square(4, 255)], grey=True)
    found = score_folders(tmp_path / "pred", tmp_path / "gt")
    assert means(found, "j") == {"3": 1}
    assert "masks of 0 and 255" in found.warnings[0]


def test_a_0_255_prediction_of_two_objects_is_refused(tmp_path: Path) -> None:
    write_video(tmp_path / "gt/a", [square(2) + square(20, 2), square(4)])
    write_video(tmp_path / "pred/a", [square(2, 255), square(4, 255)], grey=True)
    for objects in ("all", "first-frame"):
        with pytest.raises(IcvosError, match="masks of 0 and 255, but the truth has objects 1, 2; save object ids"):
            score_folders(tmp_path / "pred", tmp_path / "gt", objects=objects)  # type: ignore[arg-type]
    assert (
        score_folders(tmp_path / "pred", tmp_path / "gt", objects="binary").to_result().overall.to_json()["objects"]
        == 1
    )


def test_one_video_alone(tmp_path: Path) -> None:
    write_video(tmp_path / "gt", [square(2)] * 3)
    write_video(tmp_path / "mine", [square(2), square(3), square(2)])
    found = score_folders(tmp_path / "mine", tmp_path / "gt")
    assert [video.video for video in found.videos] == ["gt"]
    assert found.to_result().overall.to_json()["j"] == pytest.approx((2 + 9 / 11) / 3)


def test_missing_masks_are_one_error(tmp_path: Path) -> None:
    write_video(tmp_path / "gt/a", [square(2)] * 5)
    write_video(tmp_path / "gt/b", [square(2)] * 3)
    write_video(tmp_path / "pred/a", [square(2)] * 3)
    with pytest.raises(IcvosError, match=r"pred/b: no such video; predict it"):
        score_folders(tmp_path / "pred", tmp_path / "gt")
    with pytest.raises(IcvosError, match=r"pred/a/00003\.png: no such mask, and 1 more; every frame"):
        score_folders(tmp_path / "pred", tmp_path / "gt", videos=["a"])
    with pytest.raises(IcvosError, match="no video c"):
        score_folders(tmp_path / "pred", tmp_path / "gt", videos=["c"])


def test_other_sizes_are_one_error(tmp_path: Path) -> None:
    write_video(tmp_path / "gt/a", [square(2)] * 3)
    write_video(tmp_path / "pred/a", [square(2), square(2, size=(30, 32)), square(2, size=(30, 32))])
    with pytest.raises(IcvosError, match=r"a/00001\.png: mask of 32x30 pixels, the truth is 32x24, and 1 more"):
        score_folders(tmp_path / "pred", tmp_path / "gt")


def test_colours_are_refused_with_the_remedy(tmp_path: Path) -> None:
    write_video(tmp_path / "gt/a", [square(2)])
    (tmp_path / "pred/a").mkdir(parents=True)
    Image.open(tmp_path / "gt/a/00000.png").convert("RGB").save(tmp_path / "pred/a/00000.png")
    with pytest.raises(IcvosError, match=r"colours \(RGB\), not object ids; save masks as palette or grey PNGs"):
        score_folders(tmp_path / "pred", tmp_path / "gt")


def test_grey_levels_are_no_ids(tmp_path: Path) -> None:
    write_video(tmp_path / "gt/a", [square(2, size=(40, 32))])
    write_video(tmp_path / "pred/a", [np.arange(40 * 32, dtype=np.uint16).reshape(40, 32)])
    with pytest.raises(IcvosError, match="save object ids, not grey"):
        score_folders(tmp_path / "pred", tmp_path / "gt")


def test_the_truth_itself_is_noticed(tmp_path: Path) -> None:
    for side in ("gt", "pred"):
        write_video(tmp_path / side / "a", [square(2)] * 3)
    found = score_folders(tmp_path / "pred", tmp_path / "gt")
    assert "equal to the truth in every scored frame" in found.warnings[-1]


def test_wrong_folders_are_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    write_video(tmp_path / "davis/Annotations/480p/a", [square(2)])
    with pytest.raises(IcvosError, match=r"no masks as <video>/<frame>\.png; give .*Annotations/480p"):
        score_folders(tmp_path / "davis", tmp_path / "davis")
    with pytest.raises(IcvosError, match="no masks as"):
        score_folders(tmp_path / "empty", tmp_path / "davis/Annotations/480p")
    with pytest.raises(IcvosError, match="no such folder"):
        score_folders(tmp_path / "absent", tmp_path / "davis/Annotations/480p")


def test_workers_do_not_change_a_bit(tmp_path: Path) -> None:
    for video, count in (("a", 3), ("b", 7), ("c", 5)):
        for side in ("gt", "pred"):
            write_video(tmp_path / side / video, random_frames(count + len(side), count, SIZE, [1, 2, 3], np.uint8))
    seen: list[str] = []
    one = score_folders(tmp_path / "pred", tmp_path / "gt", progress=seen.append)
    two = score_folders(tmp_path / "pred", tmp_path / "gt", workers=2)
    assert json.dumps(one.to_result().to_json()) == json.dumps(two.to_result().to_json())
    assert list(frame_rows(one)) == list(frame_rows(two))
    assert seen == ["a", "b", "c"]


def test_tables_read_back_exactly(tmp_path: Path) -> None:
    for side in ("gt", "pred"):
        write_video(tmp_path / side / "a", random_frames(len(side), 6, SIZE, [1, 4], np.uint8))
    found = score_folders(tmp_path / "pred", tmp_path / "gt")
    write_frames_csv(tmp_path / "frames.csv", found)
    with (tmp_path / "frames.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for one in found.videos[0].objects:
        mine = [row for row in rows if row["object"] == str(one.id)]
        assert [float(row["J"]) for row in mine] == one.j.tolist()
        assert [row["frame"] for row in mine] == [f"{k:05d}" for k in range(6 - len(one.j), 6)]


def test_the_command(tmp_path: Path) -> None:
    sequence = next(found for found in SEQUENCES if found["name"] == "two_objects")
    prediction, truth = write_sequence(tmp_path, sequence)
    (tmp_path / "val.txt").write_text("two_objects\n")
    options = ("--skip-ends", "--objects", "first-frame", "--videos", tmp_path / "val.txt")
    written = ("--json", tmp_path / "scores.json", "--frames-csv", tmp_path / "frames.csv")
    result = icvos("score", prediction, truth, *options, *written)
    assert "J 91.51" in result.output
    found = json.loads((tmp_path / "scores.json").read_text())
    assert found["videos"]["two_objects"]["objects"]["2"]["j"] == 0.9
    assert found["settings"] == {"skip_ends": True, "objects": "first-frame"}
    assert len((tmp_path / "frames.csv").read_text().splitlines()) == 1 + 2 * 6
    assert "exactly one of" in icvos("score", prediction, status=2).output
    assert "exactly one of" in icvos("score", prediction, truth, "--benchmark", truth, status=2).output
    assert "--protocol" in icvos("score", prediction, truth, "--protocol", "native", status=2).output
    assert "--skip-ends" in icvos("score", prediction, "--benchmark", truth, "--skip-ends", status=2).output
