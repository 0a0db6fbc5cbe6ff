"""YouTube-VOS: ``<split>/{JPEGImages,Annotations}/<10 hex digits>/00000.{jpg,png}, 00005, ...``, ``<split>/meta.json``.

Its meta file names the category of every object. Only the train split has public masks for every listed frame.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from curation.sources.layout import by_name, read_dataset
from curation.sources.video import STRICT, MetaFindings, ReadOptions, SourceDataset, SourceVideo, check_meta, read_meta
from icvos.errors import IcvosError
from icvos.files.sources import SplitFolders


def read(root: Path, *, splits: Sequence[str] | None = None, options: ReadOptions = STRICT) -> SourceDataset:
    """The data set in ``root`` or in the folder below it.

    Args:
        root: Holds ``train/JPEGImages``, ``train/Annotations`` and ``train/meta.json``.
        splits: Names of splits, ``val`` and ``valid`` being one; None: ``train``, the only one with public masks.
        options: How strict to be; ``valid`` has first masks only and needs ``missing_masks`` other than ``error``.

    Raises `IcvosError` for another data set, two candidates, no videos, a frame without a mask, or no meta file.
    """
    return read_dataset(
        "youtube-vos",
        Path(root),
        splits,
        options,
        usual=("train",),
        expected="train/JPEGImages/<video>",
        version=_version,
        meta=_meta,
    )


def _meta(root: Path, split: SplitFolders, videos: Mapping[str, SourceVideo]) -> MetaFindings:
    places = [split.frames.parent / "meta.json", root / split.name / "meta.json", root / "meta.json"]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        raise IcvosError(f"{places[0]}: no such file, and only it names the categories of objects; fetch it")
    return check_meta(path, read_meta(path), by_name([split]), videos)


def _version(root: Path) -> str:
    """``2018`` or ``2019`` by the folder's name: the train splits of the two are alike. Else empty."""
    named = re.search(r"20(?:18|19)", root.name)
    return named[0] if named else ""
