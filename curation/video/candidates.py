"""`icvos curate candidates`: a curation file to fill in."""

from pathlib import Path
from typing import Unpack

from curation.sources.datasets import SourceFolders, read_datasets
from curation.sources.left_out import some_of
from curation.sources.video import SourceVideo
from curation.video.rows import CurationRow, refuse_existing, shipped_rows, write_rows
from icvos.errors import IcvosError
from icvos.tasks.task import SILENT, Watch


def write_candidates(
    out: Path | str, *, watch: Watch = SILENT, **sources: Unpack[SourceFolders]
) -> tuple[CurationRow, ...]:
    """Write a row for every source video that has no shipped row: its object ids, and no class.

    Args:
        out: The curation file to write; a file that exists is refused.
        watch: Is told of every video, whose masks are read for their ids.
        sources: The folders of the source data sets (``davis``, ``mose``, ``lvos``) and how strictly they are read,
            as `curation.sources.datasets.read_datasets` explains.

    Returns:
        The rows. A row whose objects are of several classes is to be split.

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
        raise IcvosError("no source: give at least one of --davis, --mose, --lvos")
    known = {(row.source, row.video) for row in shipped_rows()}
    everything = [video for dataset in datasets for video in dataset.videos]
    videos = [video for video in everything if (video.source, video.name) not in known]
    shipped = [video.name for video in everything if (video.source, video.name) in known]
    if shipped:
        watch.note(f"{len(shipped)} videos have rows that ship with icvos, so no row here: {some_of(shipped)}")
    watch.stage("candidates")
    watch.total(len(videos))
    rows = []
    for video in videos:
        if video.object_ids():
            rows.append(_row(video))
        else:
            watch.note(f"{video.source}: {video.name} has no object in any mask, so no row")
        watch.advance()
    write_rows(out, rows)
    return tuple(rows)


def _row(video: SourceVideo) -> CurationRow:
    return CurationRow(
        source=video.source,
        video=video.name,
        category=None,
        objects=video.object_ids(),
        decision="undecided",
        reason="fill in the class of these objects",
    )
