"""From prediction folders to results."""

import csv
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from icvos.errors import IcvosError
from icvos.files.masks import read_binary, resize_nearest
from icvos.files.storage import link_or_copy, write_json
from icvos.metrics import count
from icvos.metrics.summary import bootstrap_interval, decay, recall
from icvos.protocol import NATIVE, PAPER, Protocol
from icvos.tasks.video import result
from icvos.tasks.video.benchmark import Benchmark, Clip
from icvos.tasks.video.check import check
from icvos.tasks.video.means import figures, overall
from icvos.tasks.video.score import frame_rows, score, write_frames_csv
from tests.golden import GOLDEN
from tests.icvos.handmade import DIGEST, predicted, sample_masks, write_benchmark, write_predictions

OSVOS_CLASSES = {
    "blackswan": 15,
    "car-shadow": 3,
    "cows": 20,
    "dance-twirl": 1,
    "drift-chicane": 3,
    "parkour": 1,
}


@pytest.fixture(scope="module")
def handmade(tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    return write_benchmark(tmp_path_factory.mktemp("benchmark"))


@pytest.fixture(scope="module")
def run(handmade: Benchmark, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two draws. Tests must not change it."""
    folder = tmp_path_factory.mktemp("run")
    for draw in (0, 1):
        write_predictions(handmade, folder / f"draw{draw}", draw)
        write_json(folder / f"draw{draw}" / "run.json", {"method": "by hand", "draw": draw})
    return folder


def values(clip: Clip, protocol: Protocol, draw: int) -> tuple[list[float], list[float]]:
    """J and F of the frames of a handmade clip, one by one."""
    j, f = [], []
    for frame in clip.video.frames[: protocol.max_frames]:
        truth, prediction = read_binary(clip.mask_path(frame)), predicted(clip, frame, draw)
        if protocol.size:
            truth, prediction = resize_nearest(truth, protocol.size), resize_nearest(prediction, protocol.size)
        counts = count(truth, prediction)
        j.append(counts.j)
        f.append(counts.f)
    return j, f


@pytest.mark.parametrize("protocol", [PAPER, NATIVE, Protocol("first", 1, 2, None)], ids=lambda p: p.name)
def test_result_by_hand(handmade: Benchmark, run: Path, protocol: Protocol) -> None:
    found = score(handmade, run, protocol).to_result().to_json()
    per_clip = {}
    for clip in handmade.clips:
        by_draw = [values(clip, protocol, draw) for draw in (0, 1)]
        means = np.array([[np.mean(j), np.mean(f)] for j, f in by_draw])
        entry = found["clips"][clip.id]
        assert [entry["j"], entry["f"]] == pytest.approx(means.mean(axis=0), abs=1e-15)
        assert entry["jf"] == (entry["j"] + entry["f"]) / 2
        assert entry["frames"] == len(by_draw[0][0])
        assert entry["shown"] == entry["frames"]  # the category is in every frame
        assert entry["draws"] == [
            {"draw": k, "j": float(means[k][0]), "f": float(means[k][1]), "equal": 0} for k in (0, 1)
        ]
        assert entry["j_recall"] == np.mean([recall(np.array(j)) for j, _ in by_draw])
        assert entry["f_decay"] == np.mean([decay(np.array(f)) for _, f in by_draw])
        per_clip[clip.id] = means
    everything = np.mean(list(per_clip.values()), axis=(0, 1))
    overall = found["overall"]
    assert [overall["j"], overall["f"]] == pytest.approx(everything, abs=1e-15)
    assert (overall["clips"], overall["videos"]) == (4, 3)
    assert overall["frames"] == sum(entry["frames"] for entry in found["clips"].values())
    for draw in (0, 1):
        wanted = np.mean([means[draw] for means in per_clip.values()], axis=0)
        assert overall["draws"][draw]["draw"] == draw
        assert [overall["draws"][draw]["j"], overall["draws"][draw]["f"]] == pytest.approx(wanted, abs=1e-15)
    dogs = np.mean([per_clip["davis_dog/17"], per_clip["mose_dog/17"]], axis=(0, 1))
    assert list(found["categories"]) == ["person", "cat", "dog"]
    assert [found["categories"]["dog"][key] for key in ("class", "clips")] == [17, 2]
    assert [found["categories"]["dog"][key] for key in "jf"] == pytest.approx(dogs, abs=1e-15)
    assert list(found["sources"]) == ["davis", "lvos", "mose"]
    assert found["sources"]["lvos"]["clips"] == 2
    assert (found["format"], found["protocol"], found["digest"]) == (
        1,
        protocol.id,
        DIGEST,
    )
    assert found["run"] == {"method": "by hand", "draw": 0}


@pytest.mark.parametrize("videos", [1, 5, 6, 40])
def test_interval_is_over_videos_and_never_over_a_few(videos: int) -> None:
    clips = {
        f"davis_{video}/{kind}": result.Clip(
            **figures(np.array([j, j])), frames=9, draws=(result.ClipDraw(draw=0, j=j, f=j),)
        )
        for video, j in enumerate(np.linspace(0.2, 0.8, videos))
        for kind in (1, 17)
    }
    found = overall(clips)
    assert found.videos == videos
    if videos < 6:
        assert found.interval is found.sure is None
        return
    assert found.interval is found.sure
    assert found.interval is not None
    assert (found.interval.level, found.interval.samples) == (0.95, 1000)
    low, high = bootstrap_interval(np.linspace(0.2, 0.8, videos)[:, None], [str(video) for video in range(videos)])
    assert found.interval.jf == pytest.approx((low[0], high[0]), abs=0.03)  # of videos, however many clips they have
    for key in ("j", "f", "jf"):
        low, high = getattr(found.interval, key)
        assert low < getattr(found, key) < high


def test_workers_give_the_same_bits(handmade: Benchmark, run: Path) -> None:
    seen: list[Clip] = []
    one = score(handmade, run, PAPER)
    two = score(handmade, run, PAPER, workers=2, progress=seen.append)
    assert one.to_result().to_json() == two.to_result().to_json()
    assert list(frame_rows(one)) == list(frame_rows(two))
    assert sorted(clip.id for clip in seen) == [clip.id for clip in handmade.clips]


def test_a_single_folder_is_draw_zero(handmade: Benchmark, run: Path, tmp_path: Path) -> None:
    folder = write_predictions(handmade, tmp_path / "2024")
    alone = score(handmade, folder, PAPER)
    assert alone.draws == (0,)
    assert not alone.run.given
    assert alone.to_result().to_json()["clips"]["davis_dog/17"]["j"] == np.mean(values(handmade.clips[0], PAPER, 0)[0])
    second = score(handmade, run / "draw1", PAPER)
    assert second.draws == (1,)
    chosen = score(handmade, run, PAPER, folders=[run / "draw1"])
    assert chosen.to_result().to_json() == second.to_result().to_json()


def test_some_clips_only(handmade: Benchmark, run: Path) -> None:
    clips = [handmade.clip("lvos_cats/16")]
    found = score(handmade, run, PAPER, clips=clips).to_result().to_json()
    assert list(found["clips"]) == ["lvos_cats/16"]
    assert found["overall"]["jf"] == found["clips"]["lvos_cats/16"]["jf"]
    assert found["overall"]["interval"] is None
    with pytest.raises(IcvosError, match="no clip to score"):
        score(handmade, run, PAPER, clips=[])


def test_missing_masks_are_counted_before_anything_is_scored(handmade: Benchmark, tmp_path: Path) -> None:
    folder = write_predictions(handmade, tmp_path)
    (folder / "davis_dog/17/00003.png").unlink()
    with pytest.raises(IcvosError, match=r"00003\.png: is missing; icvos validate says .* predict them"):
        score(handmade, folder, PAPER)
    for frame in (folder / "lvos_cats/16").iterdir():
        frame.unlink()
    seen: list[Clip] = []
    with pytest.raises(IcvosError, match=r"00003\.png: and 9 more masks are missing; icvos validate says"):
        score(handmade, folder, PAPER, progress=seen.append)
    assert seen == []


def test_masks_of_another_size_are_never_resized(handmade: Benchmark, tmp_path: Path) -> None:
    folder = write_predictions(handmade, tmp_path)
    Image.new("1", (512, 512)).save(folder / "davis_dog/17/00001.png")
    with pytest.raises(IcvosError, match=r"00001\.png: mask of 512x512 pixels, the video is 40x30"):
        score(handmade, folder, PAPER)


def test_a_protocol_without_frames_is_refused(handmade: Benchmark, run: Path) -> None:
    with pytest.raises(IcvosError, match="no frame of 5 counts"):
        score(handmade, run, Protocol("inner", 1, 2, None, skip_ends=True))


def test_frames_csv_reads_back_exactly(handmade: Benchmark, run: Path, tmp_path: Path) -> None:
    several, single = score(handmade, run, PAPER), score(handmade, run / "draw0", PAPER)
    for scores, header in ((several, "video,class,frame,J,F,draw"), (single, "video,class,frame,J,F")):
        path = tmp_path / "frames.csv"
        write_frames_csv(path, scores)
        assert path.read_text().splitlines()[0] == header
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        flat = [(one, k) for per_draw in scores.values for one in per_draw for k in range(len(one.frames))]
        assert len(rows) == len(flat)
        for row, (one, k) in zip(rows, flat, strict=True):
            assert f"{row['video']}/{row['class']}" == one.clip
            assert (row["frame"], float(row["J"]), float(row["F"])) == (one.frames[k], one.j[k], one.f[k])
        for clip in scores.clips:
            mine = [float(row["J"]) for row in rows if f"{row['video']}/{row['class']}" == clip.id]
            wanted = scores.to_result().to_json()["clips"][clip.id]["j"]
            assert math.fsum(mine) / len(mine) == pytest.approx(wanted, abs=1e-12)


def test_scoring_imports_nothing_heavy() -> None:
    program = (
        "import sys, icvos.tasks.video.score; "
        "print([name for name in ('torch', 'numba', 'pandas', 'pycocotools', 'cv2', 'scipy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.fixture(scope="module")
def osvos(tmp_path_factory: pytest.TempPathFactory) -> tuple[Benchmark, Path]:
    """Six real sequences in the published layout, and the published predictions of a method for them."""
    masks, root = sample_masks(), tmp_path_factory.mktemp("osvos")
    blank = root / "blank.jpg"
    Image.new("RGB", (854, 480)).save(blank)
    for sequence, kind in OSVOS_CLASSES.items():
        places = {
            "frames": root / "benchmark" / sequence / "JPEGImages",
            "gt": root / "benchmark" / sequence / "Annotations" / str(kind),
            "osvos": root / "predictions" / sequence / str(kind),
        }
        for place in places.values():
            place.mkdir(parents=True)
        for truth in sorted((masks / "gt" / sequence).iterdir()):
            link_or_copy(blank, places["frames"] / f"{truth.stem}.jpg")
            link_or_copy(truth, places["gt"] / truth.name)
            link_or_copy(masks / "osvos" / sequence / truth.name, places["osvos"] / truth.name)
    return Benchmark.open(root / "benchmark"), root / "predictions"


def recorded_sequences() -> dict[str, dict[str, str]]:
    with (GOLDEN / "osvos_sequences.csv").open(newline="") as file:
        return {row["sequence"]: row for row in csv.DictReader(file)}


def test_recorded_sequence_means_under_the_published_protocol(osvos: tuple[Benchmark, Path]) -> None:
    found = score(*osvos, PAPER).to_result().to_json()
    rows = recorded_sequences()
    for sequence, kind in OSVOS_CLASSES.items():
        entry, row = found["clips"][f"{sequence}/{kind}"], rows[sequence]
        assert entry["frames"] == int(row["frames"])
        assert entry["j"] == pytest.approx(float(row["icvos512_J_mean"]), rel=0, abs=1e-12)
        assert entry["f"] == pytest.approx(float(row["icvos512_F_mean"]), rel=0, abs=1e-12)
    assert found["overall"]["j"] == pytest.approx(float(rows["mean"]["icvos512_J_mean"]), rel=0, abs=1e-12)
    assert found["overall"]["f"] == pytest.approx(float(rows["mean"]["icvos512_F_mean"]), rel=0, abs=1e-12)


@pytest.mark.parametrize("prefix", ["all", "semi"])
def test_recorded_sequence_statistics_at_native_size(osvos: tuple[Benchmark, Path], prefix: str) -> None:
    protocol = NATIVE if prefix == "all" else Protocol("davis", 1, None, None, skip_ends=True)
    found = score(*osvos, protocol).to_result().to_json()
    names = {"j": "J_mean", "j_recall": "J_recall", "j_decay": "J_decay"}
    names |= {key.replace("j", "f"): name.replace("J", "F") for key, name in names.items()}
    rows = recorded_sequences()
    for sequence, kind in OSVOS_CLASSES.items():
        entry, row = found["clips"][f"{sequence}/{kind}"], rows[sequence]
        for key, name in names.items():
            assert entry[key] == pytest.approx(float(row[f"{prefix}_{name}"]), rel=0, abs=1e-12), (sequence, key)


def test_published_predictions_have_no_fault(osvos: tuple[Benchmark, Path]) -> None:
    assert check(*osvos, PAPER) == []


def spoilt(path: Path, how: str) -> None:
    """Save the mask at ``path`` so that it looks the same and reads otherwise."""
    grey = Image.fromarray(read_binary(path).astype(np.uint8) * 255)
    if how == "soft":
        grey.filter(ImageFilter.GaussianBlur(1)).save(path)
    elif how == "JPEG":
        grey.save(path, "JPEG")
    elif how == "cut":
        path.write_bytes(path.read_bytes()[:-12])
    else:
        turned = Image.fromarray((np.asarray(grey) == 0).astype(np.uint8), mode="P")
        turned.putpalette([255, 255, 255, 0, 0, 0])
        turned.save(path)


@pytest.mark.parametrize("side", ["truth", "prediction"])
@pytest.mark.parametrize(
    ("how", "message"),
    [("soft", ""), ("JPEG", "not a PNG"), ("cut", "cut off"), ("turned", "index 0 is shown in a colour")],
)
def test_truth_and_predictions_that_look_right_and_read_otherwise(
    tmp_path: Path, side: str, how: str, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    benchmark = write_benchmark(tmp_path / "B")
    run = write_predictions(benchmark, tmp_path / "run")
    clip = benchmark.clips[0]
    path = clip.mask_path(clip.video.frames[0])
    if side == "prediction":
        path = run / clip.id / path.name
    assert score(benchmark, run, NATIVE)
    assert not caplog.records
    spoilt(path, how)
    if message:
        with pytest.raises(IcvosError, match=message) as refusal:
            score(benchmark, run, NATIVE)
        assert str(path) in str(refusal.value)
    else:
        assert score(benchmark, run, NATIVE)
        assert f"{path}: " in caplog.text
        assert "different values beside 0" in caplog.text
