"""Which candidates the curation rows select, and a reason for everything left out."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from curation.sources.video import SourceDataset, SourceVideo
from curation.video.absent import not_given, why_absent
from curation.video.rows import CurationRow
from curation.video.tubes import Candidate
from icvos.categories import Category
from icvos.errors import IcvosError, printable
from icvos.tasks.video.manifest import LeftOutEntry

MOST_SUGGESTIONS = 50  # rows without a video, from which on nobody mistyped a name
NO_ROW = "no curation row"
NO_CLASS = "undecided: its row has no class; fill it in"
HOW_TO_DECIDE = "decide them by icvos curate review, or fill in class and decision in the curation file"


@dataclass(frozen=True, slots=True)
class Selection:
    """What is built and what is not.

    Args:
        candidates: What is built, in order of name.
        left_out: What is not.
        without_rows: By source, the videos for which no row exists.
        without_video: The rows to be built, other than shipped ones, whose video was not read: ``mose/0a43a414 dog``.
    """

    candidates: tuple[Candidate, ...]
    left_out: tuple[LeftOutEntry, ...]
    without_rows: dict[str, tuple[str, ...]]
    without_video: tuple[str, ...] = ()


def select(
    datasets: Sequence[SourceDataset],
    rows: Iterable[CurationRow],
    *,
    shipped: Collection[CurationRow] = (),
    accept_undecided: bool = False,
) -> Selection:
    """Match the rows with the videos that are there, and give a reason for every row and video that is not built.

    Args:
        datasets: What was read.
        rows: The curation rows, each of which is built or left out with a reason.
        shipped: Those of them that nobody wrote for these data sets: where none of a data set's videos has one, they
            are of another.
        accept_undecided: Build undecided rows as well as accepted ones.

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
    absent, without_video = _rows_without_video(datasets, of_video, set(shipped), accept_undecided)
    left_out += absent
    left_out += _videos_without_rows(datasets, without_rows, {(entry.source, entry.video) for entry in left_out})
    return Selection(
        tuple(sorted(candidates, key=lambda found: found.name)), tuple(left_out), without_rows, without_video
    )


def _rows_without_video(
    datasets: Sequence[SourceDataset],
    of_video: Mapping[tuple[str, str], Sequence[CurationRow]],
    shipped: Collection[CurationRow],
    accept_undecided: bool,
) -> tuple[list[LeftOutEntry], tuple[str, ...]]:
    """The rows to be built whose video was not read, each with the reason; and the names of those not shipped."""
    given = {dataset.source: dataset for dataset in datasets}
    present = {(dataset.source, video.name) for dataset in datasets for video in dataset.videos}
    at_home = {row.source for row in shipped if (row.source, row.video) in present}
    absent = [
        row
        for key in sorted(set(of_video) - present)
        for row in of_video[key]
        if row.category and _is_wanted(row, accept_undecided) and (row not in shipped or row.source in at_home)
    ]
    own = [row for row in absent if row not in shipped]
    found = []
    for row in absent:
        dataset = given.get(row.source)
        suggest = row not in shipped and len(own) <= MOST_SUGGESTIONS
        reason = not_given(row.source) if dataset is None else why_absent(row.video, dataset, suggest)
        found.append(left_out_entry(row.source, row.video, row.category, reason))
    names = tuple(f"{row.source}/{row.video} {row.category.name}" for row in own if row.category)
    return found, names


def _videos_without_rows(
    datasets: Sequence[SourceDataset], without_rows: Mapping[str, Sequence[str]], listed: Collection[tuple[str, str]]
) -> list[LeftOutEntry]:
    """The videos that no row is about, and the folders that the readers left out, unless they are ``listed``."""
    found = []
    for dataset in datasets:
        reasons = {**dict.fromkeys(without_rows[dataset.source], NO_ROW), **dataset.left_out}
        for name, reason in sorted(reasons.items()):
            if (dataset.source, name) not in listed:
                found.append(left_out_entry(dataset.source, name, None, reason))
    return found


def _is_wanted(row: CurationRow, accept_undecided: bool) -> bool:
    return row.decision == "accepted" or (row.decision == "undecided" and accept_undecided)


def _classes(
    video: SourceVideo, rows: Sequence[CurationRow], accept_undecided: bool
) -> tuple[tuple[tuple[int, tuple[int, ...]], ...], list[LeftOutEntry]]:
    """The classes to build from one video, and the rows that are not built."""
    chosen: list[tuple[int, tuple[int, ...]]] = []
    left_out: list[LeftOutEntry] = []
    for row in rows:
        if row.category is not None and _is_wanted(row, accept_undecided):
            chosen.append((row.category.index, row.objects))
            continue
        reason = f"{row.decision}: {row.reason}" if row.reason else row.decision
        if row.category is None and row.decision == "undecided" and not row.reason:
            reason = NO_CLASS
        left_out.append(left_out_entry(video.source, video.name, row.category, reason))
    if chosen and len(rows) > 1 and video.is_binary():
        kinds = ", ".join(sorted(row.category.name if row.category else "other" for row in rows))
        reason = f"its masks are 0/255, all objects in one ({kinds}): give the masks with object ids (DAVIS 2017)"
        wanted = [row for row in rows if row.category and _is_wanted(row, accept_undecided)]
        left_out += [left_out_entry(video.source, video.name, row.category, reason) for row in wanted]
        return (), left_out
    return tuple(sorted(chosen)), left_out


def left_out_entry(source: str, video: str, kind: Category | None, reason: str) -> LeftOutEntry:
    """The category of a source video that is not built, or None for the whole video, and why."""
    name = kind.name if kind else ""
    return LeftOutEntry(source=source, video=printable(video), category=name, reason=printable(reason))


def is_undecided(entry: LeftOutEntry) -> bool:
    """Whether it is a clip that was left out for want of a decision."""
    return bool(entry.category) and entry.reason.startswith("undecided")


def has_no_class(entry: LeftOutEntry) -> bool:
    """Whether it is a row of no class yet: one that was never filled in, or on which reviewers differ."""
    return not entry.category and entry.reason.startswith("undecided")


def _nothing(
    datasets: Sequence[SourceDataset], left_out: Sequence[LeftOutEntry], without_rows: dict[str, tuple[str, ...]]
) -> str:
    """The one line for a selection that is empty: what was seen, and what to do."""
    where = ", ".join(str(dataset.root) for dataset in datasets)
    undecided = sum(map(is_undecided, left_out))
    if undecided:
        return f"{where}: no accepted clip, {undecided} undecided; decide them in a curation file or --accept undecided"
    unnamed = sum(map(has_no_class, left_out))
    if unnamed:
        return f"{where}: no accepted clip, {unnamed} rows without a class; {HOW_TO_DECIDE}"
    if any(without_rows.values()):
        return f"{where}: no video has a curation row; {how_to_get_rows()}"
    return f"{where}: every clip is rejected in the curation file; change a decision there"


def how_to_get_rows() -> str:
    """The remedy for videos without rows."""
    return (
        "get rows with: icvos curate recover (from a copy of the published IC-VOS), or icvos curate candidates "
        "(a file to fill in), and pass them with --curation"
    )
