"""`icvos curate candidates`: a curation file to fill in."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Unpack

from curation.sources.datasets import SourceFolders, read_datasets
from curation.sources.layout import TITLES
from curation.sources.left_out import some_of
from curation.sources.naming import coco_class
from curation.sources.video import SourceVideo
from curation.video.rows import CurationRow, refuse_existing, shipped_rows, write_rows
from icvos.categories import Category, category
from icvos.errors import IcvosError
from icvos.tasks.task import SILENT, Watch


def write_candidates(
    out: Path | str, *, watch: Watch = SILENT, **sources: Unpack[SourceFolders]
) -> tuple[CurationRow, ...]:
    """Write undecided rows for every source video that has no shipped one: its object ids, and what its data set names.

    Where the data set says the categories of its objects, there is a row for each of COCO's; else one without a class.

    Args:
        out: The curation file to write; a file that exists is refused.
        watch: Is told of every video, whose masks are read for their ids.
        sources: The folders of the source data sets (``davis``, ``mose``, ``lvos``, ``youtube_vos``) and how
            strictly they are read, as `curation.sources.datasets.read_datasets` explains.

    Returns:
        The rows. A row without a class whose objects are of several is to be split.

    Raises:
        IcvosError: ``out`` exists, no source is given, or a source cannot be read.

    >>> rows = write_candidates("candidates.csv", mose="mose")
    >>> rows[0].source, rows[0].category, rows[0].decision
    ('mose', None, 'undecided')
    """
    out = Path(out)
    refuse_existing(out)
    datasets = read_datasets(watch=watch, **sources)
    if not datasets:
        raise IcvosError("no source: give at least one of --davis, --mose, --lvos, --youtube-vos")
    known = {(row.source, row.video) for row in shipped_rows()}
    everything = [video for dataset in datasets for video in dataset.videos]
    videos = [video for video in everything if (video.source, video.name) not in known]
    shipped = [video.name for video in everything if (video.source, video.name) in known]
    if shipped:
        watch.note(f"{len(shipped)} videos have rows that ship with icvos, so no row here: {some_of(shipped)}")
    names = {(dataset.source, name): found for dataset in datasets for name, found in dataset.categories.items()}
    watch.stage("candidates")
    watch.total(len(videos))
    rows: list[CurationRow] = []
    for video in videos:
        if video.object_ids():
            rows += _rows(video, names.get((video.source, video.name), {}), TITLES[video.source])
        else:
            watch.note(f"{video.source}: {video.name} has no object in any mask, so no row")
        watch.advance()
    write_rows(out, rows)
    return tuple(rows)


def _rows(video: SourceVideo, names: Mapping[int, str], title: str) -> list[CurationRow]:
    """A row for every category that the data set names, and one for the objects that it names otherwise or not at all.

    Args:
        video: The video.
        names: What the data set calls its objects, by id.
        title: The data set.
    """
    of_class: dict[str, list[int]] = {}
    unclear: dict[str, list[int]] = {}
    for number in video.object_ids():
        name = names.get(number, "")
        kind, reason = coco_class(name) if name else (None, "")
        if kind:
            of_class.setdefault(kind.name, []).append(number)
        else:
            unclear.setdefault(f"{name} ({reason})" if name else "", []).append(number)
    rows = [
        _row(video, category(name), objects, f"{title} says {name}; is every {name} of the first frame annotated?")
        for name, objects in of_class.items()
    ]
    if unclear:
        called = ", ".join(f"{';'.join(map(str, found))} {name}" for name, found in unclear.items() if name)
        reason = f"fill in the class of these objects{f'; {title} says: {called}' if called else ''}"
        rows.append(_row(video, None, [number for found in unclear.values() for number in found], reason))
    return rows


def _row(video: SourceVideo, kind: Category | None, objects: Sequence[int], reason: str) -> CurationRow:
    return CurationRow(
        source=video.source,
        video=video.name,
        category=kind,
        objects=tuple(sorted(objects)),
        decision="undecided",
        reason=reason,
    )
