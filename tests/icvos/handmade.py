"""A benchmark of three small videos and predictions for it, written by hand."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from curation.video.manifest import make_manifest
from icvos.files.masks import write_binary
from icvos.files.schema import write_schema
from icvos.tasks.video.benchmark import Benchmark, Clip
from icvos.tasks.video.manifest import ClipEntry, Supports, VideoEntry
from tests.golden.masks import build

SIZES = {"davis_dog": (30, 40), "lvos_cats": (48, 36), "mose_dog": (25, 61)}
FRAMES = {"davis_dog": 5, "lvos_cats": 9, "mose_dog": 3}
CLASSES = {"davis_dog": ("17",), "lvos_cats": ("1", "16"), "mose_dog": ("17",)}
SUPPORTS = Supports(format=1, rule="union", shots=5, classes={}, draws=({}, {}))


def frame_name(video: str, position: int) -> str:
    """LVOS numbers its frames from 1 in eight digits, the others from 0 in five."""
    return f"{1 + 5 * position:08d}" if video.startswith("lvos") else f"{position:05d}"


def make_videos() -> dict[str, VideoEntry]:
    found = {}
    for video, (height, width) in SIZES.items():
        clip = ClipEntry(first_frame=frame_name(video, 0), visible=FRAMES[video], instances=None, masks="0" * 64)
        clips = dict.fromkeys(CLASSES[video], clip)
        source = video.partition("_")[0]
        found[video] = VideoEntry(source=source, frames=FRAMES[video], height=height, width=width, clips=clips)
    return found


MANIFEST = make_manifest(make_videos(), SUPPORTS, {}, {}, ()).model_copy(update={"name": "handmade"})
DIGEST = MANIFEST.digest


def write_benchmark(root: Path) -> Benchmark:
    """The benchmark, with two draws of no supports."""
    for video, (height, width) in SIZES.items():
        folder = root / "videos" / video
        (folder / "JPEGImages").mkdir(parents=True)
        for position in range(FRAMES[video]):
            name = frame_name(video, position)
            Image.new("RGB", (width, height), (position, 90, 120)).save(folder / "JPEGImages" / f"{name}.jpg")
            for kind in CLASSES[video]:
                seed = int(kind) + len(video)
                truth = build(f"moved:{seed},{position},{-position}", height, width)
                write_binary(folder / "Annotations" / kind / f"{name}.png", truth)
    write_schema(root / "supports.json", SUPPORTS)
    write_schema(root / "icvos.json", MANIFEST)
    return Benchmark.open(root)


def predicted(clip: Clip, frame: str, draw: int = 0) -> np.ndarray:
    """What ``write_predictions`` predicts: the first frame's truth, moved a little by draw and class."""
    position = clip.video.frames.index(frame)
    seed = clip.category.index + len(clip.video.name)
    return build(f"moved:{seed},{position // 2},{draw + 1}", *clip.video.size)


def write_predictions(benchmark: Benchmark, folder: Path, draw: int = 0) -> Path:
    for clip in benchmark.clips:
        for frame in clip.video.frames:
            write_binary(folder / clip.id / f"{frame}.png", predicted(clip, frame, draw))
    return folder


def sample_masks() -> Path:
    """The folder of real masks and predictions; skips the test where it is absent."""
    return sample_folder("davis_osvos")


def sample_folder(name: str) -> Path:
    """A folder of real data; skips the test where it is absent."""
    samples = os.environ.get("ICVOS_SAMPLES")
    if not samples or not (Path(samples) / name).is_dir():
        pytest.skip(f"ICVOS_SAMPLES names no folder with {name}/ (DAVIS masks and results of published methods)")
    return Path(samples) / name
