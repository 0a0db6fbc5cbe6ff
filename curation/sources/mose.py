"""MOSE v1 and v2: ``<split>/{JPEGImages,Annotations}/<8 hex digits>/00000.{jpg,png}``, or with the split below the two.

Only the train split has public masks for every frame. An object may leave and come back, so an empty mask is data.
"""

from collections.abc import Sequence
from pathlib import Path

from curation.sources.layout import (
    by_name,
    choose_splits,
    elsewhere,
    find_root,
    has_splits_of,
    read_splits,
    split_folders,
)
from curation.sources.left_out import Findings
from curation.sources.video import STRICT, ReadOptions, SourceDataset, check_meta, read_meta

VIDEOS_IN_V1 = 2149


def read(root: Path, *, splits: Sequence[str] | None = None, options: ReadOptions = STRICT) -> SourceDataset:
    """The data set in ``root`` or in the folder below it.

    Args:
        root: Holds ``train/JPEGImages`` or ``JPEGImages/train``.
        splits: Names of splits, ``val`` and ``valid`` being one; None: ``train``, the only one with public masks.
        options: How strict to be; ``valid`` has first masks only and needs ``missing_masks`` other than ``error``.

    Raises `IcvosError` for another data set, two candidates, no videos, or a frame without a mask.
    """
    root = find_root(
        Path(root),
        "mose",
        lambda place: has_splits_of(place, "mose"),
        "train/JPEGImages/<video> or JPEGImages/train/<video>",
    )
    chosen = choose_splits(root, splits, ("train",), "mose")
    findings = Findings()
    videos = read_splits("mose", chosen, options, findings)
    for split in chosen:
        path = root / f"meta_{split.name}.json"
        if path.is_file():
            findings.warnings += check_meta(path, read_meta(path), by_name([split]), videos)
    names = tuple(split.name for split in chosen)
    return SourceDataset(
        "mose",
        root,
        _version(root),
        names,
        tuple(videos.values()),
        tuple(findings.warnings),
        findings.left_out,
        elsewhere(root, chosen),
    )


def _version(root: Path) -> str:
    """``v2`` where there is a meta file, which v1 never had, or more videos than v1 has in all; else ``v1``."""
    everything = [split for entries in split_folders(root).values() for split in entries]
    if any(root.glob("meta_*.json")) or len(by_name(everything)) > VIDEOS_IN_V1:
        return "v2"
    return "v1"
