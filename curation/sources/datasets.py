"""The source data sets that a command or a call names, read together."""

from pathlib import Path
from typing import TypedDict

from curation.sources import davis as davis_videos
from curation.sources import lvos as lvos_videos
from curation.sources import mose as mose_videos
from curation.sources import youtube_vos as youtube_videos
from curation.sources.video import MissingMasks, ReadOptions, SourceDataset
from icvos.tasks.task import SILENT, Watch


class SourceFolders(TypedDict, total=False):
    """The keywords of `read_datasets`, which every call that opens source data sets takes."""

    davis: Path | str | None
    mose: Path | str | None
    lvos: Path | str | None
    youtube_vos: Path | str | None
    resolution: str | None
    missing_masks: MissingMasks
    resize: bool
    natural_sort: bool


def read_datasets(
    *,
    davis: Path | str | None = None,
    mose: Path | str | None = None,
    lvos: Path | str | None = None,
    youtube_vos: Path | str | None = None,
    resolution: str | None = None,
    missing_masks: MissingMasks = "error",
    resize: bool = False,
    natural_sort: bool = False,
    watch: Watch = SILENT,
) -> list[SourceDataset]:
    """The source data sets in these folders; those that are None are left out.

    Args:
        davis: The folder of DAVIS 2016 or 2017, with ``JPEGImages`` and ``Annotations``.
        mose: The folder of MOSE v1 or v2, with ``train``.
        lvos: The folder of LVOS v1 or v2, with ``train`` and ``val`` or ``valid``.
        youtube_vos: The folder of YouTube-VOS 2018 or 2019, with ``train``, which the paper does not use.
        resolution: DAVIS only: ``480p`` or ``Full-Resolution``, where both are there.
        missing_masks: A frame without a mask is an ``error``, is read as ``empty``, or is left out (``skip``).
        resize: Resize masks that differ in size from their frame, to the nearest pixel; else they are an error.
        natural_sort: Take frame names that are not numbers, in natural order; else they are an error.
        watch: Is told every finding that does not stop the reading.

    Raises:
        IcvosError: A folder holds another data set, or one that is not whole.
    """
    options = ReadOptions(missing_masks, resize, natural_sort)
    datasets = []
    if davis is not None:
        datasets.append(davis_videos.read(Path(davis), resolution=resolution, options=options))
    if mose is not None:
        datasets.append(mose_videos.read(Path(mose), options=options))
    if lvos is not None:
        datasets.append(lvos_videos.read(Path(lvos), options=options))
    if youtube_vos is not None:
        datasets.append(youtube_videos.read(Path(youtube_vos), options=options))
    for dataset in datasets:
        for warning in dataset.warnings:
            watch.note(warning)
    return datasets
