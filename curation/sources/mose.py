"""MOSE v1 and v2: ``<split>/{JPEGImages,Annotations}/<8 hex digits>/00000.{jpg,png}``, or with the split below the two.

Only the train split has public masks for every frame. An object may leave and come back, so an empty mask is data.
The meta files of v2 say no category of any object; where a copy has one that does, as YouTube-VOS, it is read.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from curation.sources.layout import by_name, read_dataset
from curation.sources.video import STRICT, MetaFindings, ReadOptions, SourceDataset, SourceVideo, check_meta, read_meta
from icvos.files.sources import SplitFolders, split_folders

VIDEOS_IN_V1 = 2149


def read(root: Path, *, splits: Sequence[str] | None = None, options: ReadOptions = STRICT) -> SourceDataset:
    """The data set in ``root`` or in the folder below it.

    Args:
        root: Holds ``train/JPEGImages`` or ``JPEGImages/train``.
        splits: Names of splits, ``val`` and ``valid`` being one; None: ``train``, the only one with public masks.
        options: How strict to be; ``valid`` has first masks only and needs ``missing_masks`` other than ``error``.

    Raises `IcvosError` for another data set, two candidates, no videos, or a frame without a mask.
    """
    return read_dataset(
        "mose",
        Path(root),
        splits,
        options,
        usual=("train",),
        expected="train/JPEGImages/<video> or JPEGImages/train/<video>",
        version=_version,
        meta=_meta,
    )


def _meta(root: Path, split: SplitFolders, videos: Mapping[str, SourceVideo]) -> MetaFindings:
    path = root / f"meta_{split.name}.json"
    return check_meta(path, read_meta(path), by_name([split]), videos) if path.is_file() else MetaFindings()


def _version(root: Path) -> str:
    """``v2`` where there is a meta file, which v1 never had, or more videos than v1 has in all; else ``v1``."""
    everything = [split for entries in split_folders(root).values() for split in entries]
    if any(root.glob("meta_*.json")) or len(by_name(everything)) > VIDEOS_IN_V1:
        return "v2"
    return "v1"
