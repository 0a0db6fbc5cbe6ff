"""A method over many clips: from a benchmark to a run folder of predictions, resumable and bounded in memory.

A run folder holds one prediction folder for every support draw: ``draw0/<video>/<class>/<frame>.png`` and its
``draw0/run.json``. A clip appears whole or not at all; running again makes the missing ones.
"""

import datetime
import importlib.metadata
import json
import platform
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np

from icvos.benchmark import Benchmark, Clip
from icvos.errors import IcvosError
from icvos.masks import encode_binary, image_size, open_image, read_binary, read_image
from icvos.method import Described, Method, Remarks, Segmenter, Support, load_method, sees_truth, segment
from icvos.protocol import Protocol
from icvos.record import made_with_random_weights
from icvos.storage import atomic_folder, read_json, write_json

RUN_FORMAT = 1
EXIF_ORIENTATION = 0x0112
Overwrite = Literal["never", "only-missing", "always"]
Masks = Iterator[np.ndarray]


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What is run.

    Args:
        method: The method's name.
        settings: Its settings, over its defaults.
        draws: Which frozen support draws.
        shots: Supports for every clip.
        protocols: The run predicts every frame that one of them scores.
        overwrite: ``never``: refuse a folder with predictions; ``only-missing``: keep the clips that are there;
            ``always``: make all clips again.
    """

    method: str
    settings: dict[str, Any] = field(default_factory=dict)
    draws: tuple[int, ...] = (0, 1, 2, 3, 4)
    shots: int = 1
    protocols: tuple[Protocol, ...] = ()
    overwrite: Overwrite = "only-missing"


@dataclass(frozen=True, slots=True)
class Work:
    """One clip of one draw: its prediction folder, and how many of its first frames are needed."""

    draw: int
    clip: Clip
    frames: int
    folder: Path
    done: bool


def plan(clips: Sequence[Clip], out: Path, options: RunOptions, draws: Sequence[int]) -> list[Work]:
    """All clips of all draws in order, with what is there already."""
    work = []
    for draw in draws:
        for clip in clips:
            frames = max(protocol.frame_range(len(clip.video.frames)).stop for protocol in options.protocols)
            folder = out / f"draw{draw}" / clip.id
            done = options.overwrite != "always" and all(
                (folder / f"{frame}.png").is_file() for frame in clip.video.frames[:frames]
            )
            work.append(Work(draw, clip, frames, folder, done))
    return work


def run(
    benchmark: Benchmark,
    clips: Sequence[Clip],
    out: Path,
    options: RunOptions,
    *,
    start: Callable[[int, int], None] = lambda done, total: None,
    advance: Callable[[Clip, int], None] = lambda clip, frames: None,
) -> tuple[int, ...]:
    """Predict ``clips`` into the run folder ``out``; the draws that were run.

    A method that sees the truth does not depend on the supports and runs one draw. ``start`` is told the number of
    frames that are done and in all, ``advance`` of every frame made.
    """
    method = load_method(options.method, options.settings)
    draws = (0,) if sees_truth(method) else tuple(dict.fromkeys(options.draws))
    if not sees_truth(method):
        for clip in clips:
            for draw in draws:
                benchmark.supports(clip, draw, options.shots)
    _claim(out, options)
    identity = {draw: _identity(benchmark, method, options, draw) for draw in draws}
    records = {draw: _record(out / f"draw{draw}" / "run.json", identity[draw], options) for draw in draws}
    work = plan(clips, out, options, draws)
    start(sum(item.frames for item in work if item.done), sum(item.frames for item in work))
    for item in work:
        if item.done:
            continue
        record = records[item.draw]
        seconds = _predict_clip(benchmark, method, item, options, out, advance)
        record["clips"][item.clip.id] = {"frames": item.frames, "seconds": round(seconds, 3)}
        if isinstance(method, Remarks) and (said := method.remarks()):
            record["clips"][item.clip.id]["remarks"] = said
        _summarise(record)
        write_json(out / f"draw{item.draw}" / "run.json", record)
    return draws


def _predict_clip(
    benchmark: Benchmark,
    method: Method | Segmenter,
    item: Work,
    options: RunOptions,
    out: Path,
    advance: Callable[[Clip, int], None],
) -> float:
    """Predict one clip and put its folder in place; seconds taken, without the writing of files."""
    paths = item.clip.video.frame_paths[: item.frames]
    names = item.clip.video.frames[: item.frames]
    if sees_truth(method):
        masks = _with_truth(method, item.clip, names, paths)
    else:
        supports = benchmark.supports(item.clip, item.draw, options.shots)
        masks = segment(method, supports, read_ahead(paths))
    seconds = 0.0
    with atomic_folder(item.folder, out / ".partial") as folder:
        for name in names:
            began = time.perf_counter()
            mask = next(masks)
            seconds += time.perf_counter() - began
            _check_mask(mask, item.clip, options.method)
            (folder / f"{name}.png").write_bytes(encode_binary(mask))
            advance(item.clip, 1)
    return seconds


def _with_truth(method: Method | Segmenter, clip: Clip, names: Sequence[str], paths: Sequence[Path]) -> Masks:
    """The masks of a method that is given the first frame showing the category, with its true mask, as its support."""
    first = next((i for i, name in enumerate(names) if read_binary(clip.mask_path(name)).any()), len(names))
    for path in paths[:first]:
        yield np.zeros(image_size(path), dtype=bool)
    if first < len(names):
        support = Support(names[first], paths[first], clip.mask_path(names[first]))
        yield from segment(method, (support,), read_ahead(paths[first:]))


def _check_mask(mask: np.ndarray, clip: Clip, method: str) -> None:
    if mask.shape != clip.video.size or mask.dtype != np.bool_:
        raise IcvosError(
            f"method {method} gave a mask of {mask.shape} {mask.dtype} for {clip.id}; "
            f"a mask must be bool and of the frame's size {clip.video.size} (height, width)"
        )


def read_ahead(paths: Iterable[Path], ahead: int = 2) -> Iterator[np.ndarray]:
    """The decoded frames in order, (H, W, 3) uint8 each, up to ``ahead`` decoded while the last is worked on."""
    with ThreadPoolExecutor(1) as pool:
        stream = iter(paths)
        waiting = [pool.submit(read_image, path) for path in islice(stream, ahead)]
        while waiting:
            frame = waiting.pop(0).result()
            waiting += [pool.submit(read_image, path) for path in islice(stream, 1)]
            yield frame


def _claim(out: Path, options: RunOptions) -> None:
    """Refuse a folder that holds something else, or predictions that must not be touched."""
    if out.exists() and not out.is_dir():
        raise IcvosError(f"{out}: is a file; choose another --out")
    if not out.is_dir():
        return
    runs = sorted(out.glob("draw*/run.json"))
    if any(out.iterdir()) and not runs and not (out / ".partial").is_dir():
        raise IcvosError(
            f"{out}: holds something that icvos eval did not make; choose an empty or new folder for --out"
        )
    if runs and options.overwrite == "never":
        raise IcvosError(
            f"{out}: holds predictions already; choose another --out, or --overwrite only-missing to resume"
        )
    shutil.rmtree(out / ".partial", ignore_errors=True)


def described(method: Method | Segmenter) -> dict[str, Any]:
    """What a method says that it is made of; {} where it says nothing."""
    return method.describe() if isinstance(method, Described) else {}


def _identity(benchmark: Benchmark, method: Method | Segmenter, options: RunOptions, draw: int) -> dict[str, Any]:
    """What makes two runs the same run: resuming with another of these is refused."""
    made_of = described(method)
    random = {"random_weights": True} if made_with_random_weights(made_of) else {}
    identity = {
        "format": RUN_FORMAT,
        "method": options.method,
        "settings": made_of.get("settings", options.settings),
        **random,
        "weights": made_of.get("weights", []),
        "sees_truth": sees_truth(method),
        "benchmark": {
            "name": benchmark.manifest.get("name", benchmark.root.name),
            "digest": benchmark.digest,
            "clips": len(benchmark.clips),
        },
        "draw": draw,
        "shots": options.shots,
        "device": made_of.get("device", "cpu"),
        "dtype": made_of.get("dtype", "float32"),
    }
    as_read_back: dict[str, Any] = json.loads(json.dumps(identity))
    return as_read_back


def _record(path: Path, identity: dict[str, Any], options: RunOptions) -> dict[str, Any]:
    """The run's record so far, or a new one; another run's record is refused unless everything is made again."""
    record = {**identity, "versions": versions(), "started": _now(), "finished": None}
    record |= {"frames": 0, "seconds_per_frame": None, "clips": {}}
    if not path.is_file() or options.overwrite == "always":
        write_json(path, record)
        return record
    found: dict[str, Any] = read_json(path, "the record of a run")
    random = made_with_random_weights(found)
    if random != made_with_random_weights(identity):
        there, here = ("random weights", "checkpoints") if random else ("checkpoints", "random weights")
        raise IcvosError(f"{path}: holds a run with {there}, this one has {here}; choose another --out")
    for key, value in identity.items():
        if found.get(key) != value:
            raise IcvosError(
                f"{path}: holds a run with {key} {found.get(key)!r}, not {value!r}; "
                "choose another --out, or --overwrite always to replace it"
            )
    return found


def _summarise(record: dict[str, Any]) -> None:
    clips = record["clips"].values()
    record["finished"] = _now()
    record["frames"] = sum(clip["frames"] for clip in clips)
    record["seconds_per_frame"] = round(sum(clip["seconds"] for clip in clips) / record["frames"], 4)


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def versions() -> dict[str, str]:
    """Versions of what took part: Python, icvos, and the libraries that are loaded."""
    found = {"python": platform.python_version(), "icvos": importlib.metadata.version("icvos")}
    for package, module in (("numpy", "numpy"), ("opencv", "cv2"), ("pillow", "PIL"), ("torch", "torch")):
        if module in sys.modules:
            found[package] = str(sys.modules[module].__version__)
    return found


def predict_video(
    method: Method | Segmenter,
    supports: Sequence[Support],
    frames: Iterable[tuple[str, np.ndarray]],
    out: Path,
    advance: Callable[[int], None] = lambda frames: None,
) -> int:
    """Segment somebody's own video: one-bit ``<frame>.png`` masks in ``out``, whole or not; the number of frames.

    ``frames`` gives (name, (H, W, 3) uint8 RGB) in order.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise IcvosError(f"{out}: is not an empty folder; choose another --out")
    names: list[str] = []

    def images() -> Iterator[np.ndarray]:
        for name, image in frames:
            names.append(name)
            yield image

    count = 0
    with atomic_folder(out, out.parent) as folder:
        for count, mask in enumerate(segment(method, supports, images()), start=1):
            (folder / f"{names[count - 1]}.png").write_bytes(encode_binary(mask))
            advance(1)
    return count


def support_of_files(image: Path, mask: Path) -> Support:
    """A support of somebody's own picture and mask; raises `IcvosError` if they do not fit or the mask is empty."""
    if open_image(image).getexif().get(EXIF_ORIENTATION, 1) != 1:
        raise IcvosError(
            f"{image}: is stored turned, with a note (EXIF) to turn it back; save it upright, as its mask is"
        )
    support = Support(image.stem, image, mask)
    found = support.mask()
    if found.shape != image_size(image):
        raise IcvosError(
            f"{mask}: mask is {found.shape}, {image.name} is {image_size(image)} (height, width); use one size"
        )
    if not found.any():
        raise IcvosError(f"{mask}: no pixel is set; mark the object with any non-zero value")
    return support
