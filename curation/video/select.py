"""Which candidates the curation rows select, and a reason for everything left out."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from curation.sources.video import SourceDataset, SourceVideo
from curation.video.rows import CurationRow
from curation.video.tubes import Candidate
from icvos.categories import Category
from icvos.errors import IcvosError
from icvos.tasks.video.manifest import LeftOutEntry


@dataclass(frozen=True, slots=True)
class Selection:
    """What is built (in order of name), what is not, and the videos for which no row exists."""

    candidates: tuple[Candidate, ...]
    left_out: tuple[LeftOutEntry, ...]
    without_rows: dict[str, tuple[str, ...]]


def select(
    datasets: Sequence[SourceDataset], rows: Iterable[CurationRow], *, accept_undecided: bool = False
) -> Selection:
    """Match the rows with the videos that are there; other rows are ignored.

    Raises `IcvosError` if no clip remains.
    """
    of_video: dict[tuple[str, str], list[CurationRow]] = defaultdict(list)
    for row in rows:
        of_video[row.source, row.video].append(row)
    candidates: list[Candidate] = []
    left_out: list[LeftOutEntry] = []
    without_rows: dict[str, tuple[str, ...]] = {}
    for dataset in datasets:
        without_rows[dataset.source] = tuple(
            video.name for video in dataset.videos if (dataset.source, video.name) not in of_video
        )
        for video in dataset.videos:
            chosen, reasons = _classes(video, of_video.get((dataset.source, video.name), []), accept_undecided)
            left_out += reasons
            if chosen:
                candidates.append(Candidate(video, chosen))
    if not candidates:
        raise IcvosError(_nothing(datasets, left_out, without_rows))
    return Selection(tuple(sorted(candidates, key=lambda found: found.name)), tuple(left_out), without_rows)


def _classes(
    video: SourceVideo, rows: Sequence[CurationRow], accept_undecided: bool
) -> tuple[tuple[tuple[int, tuple[int, ...]], ...], list[LeftOutEntry]]:
    """The classes to build from one video, and the rows that are not built."""
    chosen: list[tuple[int, tuple[int, ...]]] = []
    left_out: list[LeftOutEntry] = []
    for row in rows:
        if row.category is None:
            continue
        if row.decision == "accepted" or (row.decision == "undecided" and accept_undecided):
            chosen.append((row.category.index, row.objects))
        else:
            reason = f"{row.decision}: {row.reason}" if row.reason else row.decision
            left_out.append(left_out_entry(video.source, video.name, row.category, reason))
    if chosen and len(rows) > 1 and video.is_binary():
        kinds = ", ".join(sorted(row.category.name if row.category else "other" for row in rows))
        reason = f"its masks are 0/255, all objects in one ({kinds}): give the masks with object ids (DAVIS 2017)"
        left_out += [left_out_entry(video.source, video.name, row.category, reason) for row in rows if row.category]
        return (), left_out
    return tuple(sorted(chosen)), left_out


def left_out_entry(source: str, video: str, kind: Category, reason: str) -> LeftOutEntry:
    """The category of a source video that is not built, and why."""
    return LeftOutEntry(source=source, video=video, category=kind.name, reason=reason)


def is_undecided(entry: LeftOutEntry) -> bool:
    """Whether it was left out for want of a decision."""
    return entry.reason.startswith("undecided")


def _nothing(
    datasets: Sequence[SourceDataset], left_out: Sequence[LeftOutEntry], without_rows: dict[str, tuple[str, ...]]
) -> str:
    """The one line for a selection that is empty: what was seen, and what to do."""
    where = ", ".join(str(dataset.root) for dataset in datasets)
    undecided = sum(map(is_undecided, left_out))
    if undecided:
        return f"{where}: no accepted clip, {undecided} undecided; decide them in a curation file or --accept undecided"
    if any(without_rows.values()):
        return f"{where}: no video has a curation row; {how_to_get_rows()}"
    return f"{where}: every clip is rejected in the curation file; change a decision there"


def how_to_get_rows() -> str:
    """The remedy for videos without rows."""
    return (
        "get rows with: icvos curate recover (from a copy of the published IC-VOS), or icvos curate candidates "
        "(a file to fill in), and pass them with --curation"
    )
