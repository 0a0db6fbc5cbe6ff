"""Whether a built benchmark is still what its manifest says."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from curation.video.manifest import update_digest
from icvos.errors import IcvosError, extent
from icvos.files.images import image_size
from icvos.files.masks import read_binary
from icvos.files.schema import read_schema
from icvos.tasks.task import SILENT, Watch
from icvos.tasks.video.benchmark import Benchmark, Clip
from icvos.tasks.video.manifest import REMEDY, SUPPORTS, Supports, overall_digest
from icvos.workers import Workers, run_jobs


def check_benchmark(root: Path | str, *, workers: Workers = 1, watch: Watch = SILENT) -> list[str]:
    """Read a built benchmark again, whole.

    Args:
        root: Its folder.
        workers: Processes; what is found is the same for any number.
        watch: Is told of every clip.

    Returns:
        One line for everything that differs from its manifest and digest; empty where it is whole.

    Raises:
        IcvosError: The folder holds no benchmark, or one that was not made by `curation.video.build.build`.

    >>> check_benchmark("benchmark")
    []
    """
    benchmark = Benchmark.open(root)
    manifest = benchmark.manifest
    if manifest is None:
        raise IcvosError(f"{root}: has no icvos.json to check against; only benchmarks made by icvos build have one")
    watch.stage("check")
    watch.total(len(benchmark.clips))
    results = run_jobs(
        _check_clip,
        benchmark.clips,
        workers,
        cost=lambda clip: len(clip.video.frames),
        done=lambda clip: watch.advance(),
    )
    problems = []
    clip_masks: dict[str, dict[str, str]] = {}
    for clip, (digest, found) in zip(benchmark.clips, results, strict=True):
        problems += found
        index = str(clip.category.index)
        clip_masks.setdefault(clip.video.name, {})[index] = digest
        if not found and digest != manifest.videos[clip.video.name].clips[index].masks:
            problems.append(f"{clip.folder}: masks or frame names differ from the manifest")
    supports = read_schema(benchmark.root / SUPPORTS, Supports, "the frozen support draws", REMEDY)
    support_masks = {}
    for index, names in supports.classes.items():
        support_masks[index], found = _check_supports(benchmark.root / "supports" / index, names)
        problems += found
    if not problems and overall_digest(clip_masks, supports, support_masks) != manifest.digest:
        problems.append(f"{root}: the digest of its content is not {manifest.digest}")
    return list(dict.fromkeys(problems))


def _check_clip(clip: Clip) -> tuple[str, list[str]]:
    """SHA-256 of one clip's masks as they are on disk, and what is wrong with its files."""
    digest = hashlib.sha256()
    problems = []
    try:
        frames = clip.video.frame_paths
    except IcvosError as error:
        return "", [str(error)]
    for path in frames:
        try:
            mask = read_binary(clip.mask_path(path.stem))
            size = image_size(path)
        except IcvosError as error:
            problems.append(str(error))
            continue
        if mask.shape != size:
            problems.append(
                f"{clip.mask_path(path.stem)}: mask of {extent(mask.shape)} pixels, the frame is {extent(size)}"
            )
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
            problems.append(f"{folder / name}.png: mask of {extent(mask.shape)} pixels, the picture is {extent(size)}")
        update_digest(digest, name, mask)
    return digest.hexdigest(), problems
