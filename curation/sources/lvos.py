"""LVOS v1 and v2: ``<split>/{JPEGImages,Annotations}/<8 letters and digits>/00000001.{jpg,png}, 00000006, ...``.

Names are case-sensitive, frame numbers go up by 5, and objects may start late. The middle split is called ``val``,
``valid`` or ``eval``. What lies beside ``Annotations`` (``Annotations_convert``,
``Annotations_first_only``) is not read.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from curation.sources.layout import by_name, read_dataset
from curation.sources.video import STRICT, MetaFindings, ReadOptions, SourceDataset, SourceVideo, check_meta, read_meta
from icvos.files.sources import SPLIT_NAMES, SplitFolders, split_folders

VIDEOS_IN_V1 = 220


def read(root: Path, *, splits: Sequence[str] | None = None, options: ReadOptions = STRICT) -> SourceDataset:
    """The data set in ``root`` or in the folder below it.

    Args:
        root: Holds ``train/JPEGImages`` and the like.
        splits: Names of splits, ``val``, ``valid`` and ``eval`` being one; None: those of train and val that exist.
        options: How strict to be; ``test`` has first masks only and needs ``missing_masks`` other than ``error``.

    Raises `IcvosError` for another data set, two candidates, no videos, or a frame without a mask.
    """
    return read_dataset(
        "lvos",
        Path(root),
        splits,
        options,
        usual=("train", "val"),
        expected="train/JPEGImages/<video> or val/JPEGImages/<video>",
        version=_version,
        meta=_meta,
    )


def _meta(root: Path, split: SplitFolders, videos: Mapping[str, SourceVideo]) -> MetaFindings:
    path = _meta_path(root, split)
    if path is None:
        return MetaFindings()
    meta = read_meta(path)
    on_disk = by_name([split])
    if path == root / "meta.json":  # speaks of all splits, so only of this one is it known what it should hold
        elsewhere = by_name(entry for entries in split_folders(root).values() for entry in entries)
        meta = {name: found for name, found in meta.items() if name in on_disk or name not in elsewhere}
    return check_meta(path, meta, on_disk, videos)


def _meta_path(root: Path, split: SplitFolders) -> Path | None:
    """The first of the names that are in use, in the split's folder and one level up."""
    aliases = next(names for names in SPLIT_NAMES.values() if split.name in names)
    names = [f"{alias}_meta.json" for alias in (split.name, *aliases)] + ["meta.json"]
    candidates = [folder / name for folder in (root / split.name, root) for name in names]
    return next((path for path in candidates if path.is_file()), None)


def _version(root: Path) -> str:
    """``v2`` or ``v1`` by the extra files that only one has, the number of videos or the folder's name; else empty."""
    for pattern, version in (("*meta_attribute.json", "v2"), ("*expression_meta.json", "v1")):
        if any(root.glob(pattern)) or any(root.glob(f"*/{pattern}")):
            return version
    everything = [split for entries in split_folders(root).values() for split in entries]
    if len(by_name(everything)) > VIDEOS_IN_V1:
        return "v2"
    named = re.search(r"v[12]$", root.name.lower())
    return named[0] if named else ""
