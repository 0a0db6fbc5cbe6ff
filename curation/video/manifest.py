"""``icvos.json``: what a build holds, its digest, and the check of a build against it."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from curation import published
from curation.video.select import LeftOut
from icvos.categories import category
from icvos.errors import IcvosError
from icvos.files.images import image_size
from icvos.files.masks import read_binary
from icvos.files.storage import read_json
from icvos.tasks.video.benchmark import FORMAT, Benchmark, Clip
from icvos.workers import run_jobs

RECORDS = ".build"
SCRATCH = ".partial"


def update_digest(digest: Any, name: str, mask: np.ndarray) -> None:
    """Add one mask to a SHA-256: name, size and pixels, not the PNG's bytes, which depend on the encoder."""
    digest.update(f"{name} {mask.shape[0]}x{mask.shape[1]} ".encode())
    digest.update(np.packbits(mask).tobytes())


def overall_digest(videos: Mapping[str, Any], supports: Mapping[str, Any], support_masks: Mapping[str, str]) -> str:
    """``sha256:...`` over every clip's frame names and masks, and every support's name, mask and draw."""
    content = {
        "format": FORMAT,
        "videos": {
            name: {index: clip["masks"] for index, clip in sorted(video["clips"].items())}
            for name, video in sorted(videos.items())
        },
        "supports": {
            "classes": supports["classes"],
            "masks": dict(sorted(support_masks.items())),
            "draws": supports["draws"],
        },
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def make_manifest(
    records: Mapping[str, Any],
    supports: Mapping[str, Any],
    support_digests: Mapping[int, str],
    versions: Mapping[str, str],
    left_out: Sequence[LeftOut],
) -> dict[str, Any]:
    """The content of ``icvos.json`` from the records of the built videos and the content of ``supports.json``."""
    videos = {
        name: {key: record[key] for key in ("source", "frames", "height", "width", "clips")}
        for name, record in sorted(records.items())
    }
    support_masks = {str(index): digest for index, digest in support_digests.items()}
    return {
        "format": FORMAT,
        "name": "IC-VOS",
        "digest": overall_digest(videos, supports, support_masks),
        "counts": counts(videos),
        "sources": _sources(videos, versions),
        "categories": _categories(videos),
        "supports": {"rule": supports["rule"], "masks": support_masks},
        "left_out": [asdict(reason) for reason in left_out],
        "videos": videos,
    }


def counts(videos: Mapping[str, Any]) -> dict[str, Any]:
    """Videos, clips, frames (of videos) and categories, next to the paper's."""
    return {
        "videos": len(videos),
        "clips": sum(len(video["clips"]) for video in videos.values()),
        "frames": sum(video["frames"] for video in videos.values()),
        "categories": len({index for video in videos.values() for index in video["clips"]}),
        "paper": {
            "videos": published.VIDEOS,
            "clips": published.CLIPS,
            "frames": published.FRAMES,
            "categories": published.CATEGORIES,
        },
    }


def _sources(videos: Mapping[str, Any], versions: Mapping[str, str]) -> dict[str, Any]:
    found = {}
    for source in sorted({video["source"] for video in videos.values()}):
        own = [video for video in videos.values() if video["source"] == source]
        found[source] = {
            "version": versions.get(source, ""),
            "videos": len(own),
            "clips": sum(len(video["clips"]) for video in own),
            "frames": sum(video["frames"] for video in own),
            "share_percent": round(100 * len(own) / len(videos), 1),
            "paper": {
                "videos": published.SOURCE_VIDEOS.get(source),
                "share_percent": published.SOURCE_SHARES_PERCENT.get(source),
            },
        }
    return found


def _categories(videos: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for index in sorted({int(index) for video in videos.values() for index in video["clips"]}):
        own = [video for video in videos.values() if str(index) in video["clips"]]
        clips, frames = published.CATEGORY_COUNTS.get(index, (0, 0))
        found[category(index).name] = {
            "class": index,
            "clips": len(own),
            "frames": sum(video["frames"] for video in own),
            "paper": {"clips": clips, "frames_about": frames},
        }
    return found


def check(root: Path, *, workers: int = 1, progress: Callable[[str, int, int], None] = lambda *_: None) -> list[str]:
    """Read a built benchmark again, whole; one line for everything that differs from its manifest and digest."""
    benchmark = Benchmark.open(root)
    if not benchmark.manifest:
        raise IcvosError(f"{root}: has no icvos.json to check against; only benchmarks made by icvos build have one")
    problems = []
    masks: dict[str, dict[str, str]] = {}
    checked = count(1)
    results = run_jobs(
        _check_clip,
        benchmark.clips,
        workers,
        cost=lambda clip: len(clip.video.frames),
        done=lambda clip: progress("clips", next(checked), len(benchmark.clips)),
    )
    for clip, (digest, found) in zip(benchmark.clips, results, strict=True):
        problems += found
        masks.setdefault(clip.video.name, {})[str(clip.category.index)] = digest
        if digest != benchmark.manifest["videos"][clip.video.name]["clips"][str(clip.category.index)]["masks"]:
            problems.append(f"{clip.folder}: masks or frame names differ from the manifest")
    supports = read_json(root / "supports.json", "the frozen support draws")
    support_masks = {}
    for index, names in supports["classes"].items():
        support_masks[index], found = _check_supports(root / "supports" / index, names)
        problems += found
    videos = {
        name: {"clips": {index: {"masks": digest} for index, digest in clips.items()}} for name, clips in masks.items()
    }
    if overall_digest(videos, supports, support_masks) != benchmark.digest:
        problems.append(f"{root}: the digest of its content is not {benchmark.digest}; build it again to restore it")
    return list(dict.fromkeys(problems))


def _check_clip(clip: Clip) -> tuple[str, list[str]]:
    """SHA-256 of one clip's masks as they are on disk, and what is wrong with its files."""
    digest = hashlib.sha256()
    problems = []
    for path in clip.video.frame_paths:
        try:
            mask = read_binary(clip.mask_path(path.stem))
            size = image_size(path)
        except IcvosError as error:
            problems.append(str(error))
            continue
        if mask.shape != size:
            problems.append(f"{clip.mask_path(path.stem)}: mask is {mask.shape}, frame is {size} (height, width)")
        update_digest(digest, path.stem, mask)
    extra = {path.stem for path in clip.folder.glob("*.png")} - set(clip.video.frames)
    problems += [f"{clip.folder / name}.png: a mask without a frame" for name in sorted(extra)]
    return digest.hexdigest(), problems


def _check_supports(folder: Path, names: Sequence[str]) -> tuple[str, list[str]]:
    """SHA-256 of one class's support masks as they are on disk, and what is wrong with its files."""
    digest = hashlib.sha256()
    problems = []
    for name in names:
        try:
            mask = read_binary(folder / f"{name}.png")
            size = image_size(folder / f"{name}.jpg")
        except IcvosError as error:
            problems.append(str(error))
            continue
        if mask.shape != size:
            problems.append(f"{folder / name}.png: mask is {mask.shape}, image is {size} (height, width)")
        update_digest(digest, name, mask)
    return digest.hexdigest(), problems
