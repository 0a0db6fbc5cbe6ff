"""`icvos curate candidates`: a curation file to fill in, and a reason for everything that gets no row in it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

from curation.sources.datasets import SourceFolders, read_datasets
from curation.sources.naming import coco_class
from curation.sources.video import SourceDataset, SourceVideo
from curation.video.absent import not_given, why_absent
from curation.video.rows import CurationRow, merge, read_rows, refuse_existing, shipped_rows, write_rows
from curation.video.select import MOST_SUGGESTIONS, left_out_entry
from icvos.categories import Category, category
from icvos.errors import IcvosError
from icvos.files.sources import TITLES
from icvos.tasks.task import SILENT, Watch
from icvos.tasks.video.manifest import LeftOutEntry


@dataclass(frozen=True, slots=True)
class Candidates:
    """What a curation file to fill in has, and what it does not.

    Args:
        rows: Its rows.
        left_out: The videos, folders, rows and objects that are not in it, each with the reason.
    """

    rows: tuple[CurationRow, ...]
    left_out: tuple[LeftOutEntry, ...]


def write_candidates(
    out: Path | str,
    *,
    rows: Path | str | Sequence[Path | str] = (),
    shipped: bool = False,
    shown: Callable[[SourceVideo], object] | None = None,
    watch: Watch = SILENT,
    **sources: Unpack[SourceFolders],
) -> Candidates:
    """Write undecided rows for every source video that has none yet: its object ids, and what its data set names.

    Where the data set says the categories of its objects, there is a row for each of COCO's; else one without a class.

    Args:
        out: The curation file to write; a file that exists is refused.
        rows: Curation files that there are already: their videos get no new row, and what they say of videos and
            objects that are not there is listed.
        shipped: Write the rows that ship with icvos for DAVIS into the file too, to be overruled there.
        shown: Is called with every video of a new row, to draw it.
        watch: Is told of every video, whose masks are read for their ids.
        sources: The folders of the source data sets (``davis``, ``mose``, ``lvos``, ``youtube_vos``) and how
            strictly they are read, as `curation.sources.datasets.read_datasets` explains.

    Returns:
        The rows, and what got none. A row without a class whose objects are of several is to be split.

    Raises:
        IcvosError: ``out`` exists, no source is given, or a source or a curation file cannot be read.

    >>> found = write_candidates("candidates.csv", mose="mose")
    >>> found.rows[0].source, found.rows[0].category, found.rows[0].decision
    ('mose', None, 'undecided')
    """
    out = Path(out)
    refuse_existing(out)
    files = [rows] if isinstance(rows, Path | str) else rows
    given = merge(*(read_rows(Path(path)) for path in files))
    datasets = read_datasets(watch=watch, **sources)
    if not datasets:
        raise IcvosError("no source: give at least one of --davis, --mose, --lvos, --youtube-vos")
    by_video = _by_video(given)
    of_icvos = {key: found for key, found in _by_video(shipped_rows()).items() if key not in by_video}
    videos = [video for dataset in datasets for video in dataset.videos]
    names = {(dataset.source, name): found for dataset in datasets for name, found in dataset.categories.items()}
    watch.stage("candidates")
    watch.total(len(videos))
    made: list[CurationRow] = []
    left_out: list[LeftOutEntry] = []
    for video in videos:
        key = video.source, video.name
        if key in by_video:
            left_out += _unlike(video, by_video[key])
        elif key in of_icvos and shipped:
            made += of_icvos[key]
            left_out += _unlike(video, of_icvos[key])
        elif key in of_icvos:
            left_out.append(left_out_entry(*key, None, "has a row that ships with icvos; --shipped writes it too"))
        elif video.object_ids():
            made += _rows(video, names.get(key, {}), TITLES[video.source])
            if shown is not None:
                shown(video)
        else:
            left_out.append(left_out_entry(*key, None, "no object in any mask"))
        watch.advance()
    left_out += _not_read(datasets)
    left_out += _without_video(datasets, given)
    write_rows(out, made)
    return Candidates(tuple(made), tuple(left_out))


def _by_video(rows: Sequence[CurationRow]) -> dict[tuple[str, str], list[CurationRow]]:
    found: dict[tuple[str, str], list[CurationRow]] = {}
    for row in rows:
        found.setdefault((row.source, row.video), []).append(row)
    return found


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


def _unlike(video: SourceVideo, rows: Sequence[CurationRow]) -> list[LeftOutEntry]:
    """Where the rows of a video and its masks have other objects; 0/255 masks have them all in one."""
    if video.is_binary():
        return []
    there, named = set(video.object_ids()), {number for row in rows for number in row.objects}
    found = [
        left_out_entry(video.source, video.name, row.category, f"object {number} is in no mask")
        for row in rows
        for number in row.objects
        if number not in there
    ]
    missing = ", ".join(map(str, sorted(there - named)))
    if missing:
        found.append(left_out_entry(video.source, video.name, None, f"object {missing} is in no row of the video"))
    return found


def _not_read(datasets: Sequence[SourceDataset]) -> list[LeftOutEntry]:
    """The folders that the readers passed over."""
    return [
        left_out_entry(dataset.source, name, None, reason)
        for dataset in datasets
        for name, reason in sorted(dataset.left_out.items())
    ]


def _without_video(datasets: Sequence[SourceDataset], rows: Sequence[CurationRow]) -> list[LeftOutEntry]:
    """The rows whose video was not read."""
    given: Mapping[str, SourceDataset] = {dataset.source: dataset for dataset in datasets}
    present = {(dataset.source, video.name) for dataset in datasets for video in dataset.videos}
    absent = [row for row in rows if (row.source, row.video) not in present]
    found = []
    for row in absent:
        dataset = given.get(row.source)
        suggest = len(absent) <= MOST_SUGGESTIONS
        reason = not_given(row.source) if dataset is None else why_absent(row.video, dataset, suggest)
        found.append(left_out_entry(row.source, row.video, row.category, reason))
    return found
