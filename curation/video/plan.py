"""What a benchmark of videos is built from: selected source videos, COCO for the supports, and what is left out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Unpack

from curation.sources.coco import Coco
from curation.sources.datasets import SourceFolders, read_datasets
from curation.sources.left_out import some_of
from curation.sources.video import SourceDataset
from curation.video.published import SOURCE_VIDEOS
from curation.video.rows import CurationRow, merge, read_rows, shipped_rows
from curation.video.select import HOW_TO_DECIDE, Selection, has_no_class, how_to_get_rows, is_undecided, select
from curation.video.supports import SupportOptions
from curation.video.tubes import Candidate, Tubes, republish
from icvos.categories import category
from icvos.errors import IcvosError, plural
from icvos.files.names import plain_name
from icvos.files.sources import TITLES
from icvos.tasks.task import SILENT, Watch
from icvos.tasks.video.benchmark import Benchmark
from icvos.tasks.video.manifest import IC_VOS, LeftOutEntry

GROWN = "IC-VOS-grown"  # the name of what has more sources than the paper, unless it is given one


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a build depends on.

    Args:
        tubes: The videos, in order of name.
        left_out: What is not built, for the manifest.
        versions: Source -> version of its release, for the manifest.
        coco: Where supports come from; None: a benchmark without supports.
        supports: How supports are chosen.
        allow_late: Build categories that are absent from the first frame instead of leaving them out.
        drawn: Whether videos are drawn and not filmed.
        name: The benchmark's name.
    """

    tubes: tuple[Tubes, ...]
    left_out: tuple[LeftOutEntry, ...] = ()
    versions: tuple[tuple[str, str], ...] = ()
    coco: Coco | None = None
    supports: SupportOptions = field(default_factory=SupportOptions)
    allow_late: bool = False
    drawn: bool = False
    name: str = IC_VOS

    def lines(self) -> list[str]:
        """What would be built: a line for each video, and one for all."""
        found = []
        for video in self.tubes:
            names = ", ".join(category(index).name for index in video.instances)
            found.append(f"{video.name}: {plural(len(video.frames), 'frame')}, {names}")
        clips = sum(len(video.instances) for video in self.tubes)
        frames = sum(len(video.frames) for video in self.tubes)
        return [*found, ", ".join(map(plural, (len(self.tubes), clips, frames), ("video", "clip", "frame")))]


def make_plan(
    *,
    coco: Path | str | None = None,
    coco_split: str | None = None,
    curation: Path | str | Sequence[Path | str] = (),
    published: Path | str | None = None,
    accept_undecided: bool = False,
    only_decided: bool = False,
    allow_late: bool = False,
    supports: SupportOptions | None = None,
    name: str | None = None,
    watch: Watch = SILENT,
    **sources: Unpack[SourceFolders],
) -> Plan:
    """What `curation.video.build.build` would build; writes nothing. The arguments are those of `build`.

    >>> plan = make_plan(davis="davis", coco="coco", curation="curation.csv")
    >>> {video.source for video in plan.tubes}
    {'davis'}
    """
    if coco is None and coco_split is not None:
        raise IcvosError(f"--coco-split {coco_split}: a split of no data set; give --coco as well, or leave it out")
    if name is not None:
        plain_name(name, "--name")
    datasets = read_datasets(watch=watch, **sources)
    images = None if coco is None else Coco.open(coco, coco_split)
    options = supports or SupportOptions()
    if published is not None:
        if datasets:
            raise IcvosError(f"{published}: --published replaces the folders of sources; give one or the other")
        if curation:
            raise IcvosError(f"{published}: --published has its categories already; leave out --curation")
        if name not in (None, IC_VOS):
            raise IcvosError(f"--name {name}: what --published names is {IC_VOS}; leave --name out")
        copied = Benchmark.open(published)
        tubes = republish(copied)
        left_out = _of_supports(images, watch)
        return Plan(tubes, left_out, coco=images, supports=options, allow_late=True, drawn=copied.drawn)
    if not datasets:
        raise IcvosError("no source: give at least one of --davis, --mose, --lvos, --youtube-vos, or --published")
    files = [curation] if isinstance(curation, Path | str) else curation
    tables = {str(path): read_rows(Path(path)) for path in files}
    shipped = shipped_rows()
    rows = merge(shipped, *tables.values())
    selection = select(datasets, rows, shipped=shipped, accept_undecided=accept_undecided)
    _note_replaced(tables, watch)
    if selection.without_video:
        names = selection.without_video
        watch.note(f"{len(names)} rows are of videos that were not read, and are left out: {some_of(names)}")
    left_out = selection.left_out + _of_supports(images, watch)
    if not only_decided:
        _note_undecided(selection, watch)
    versions = tuple((dataset.source, dataset.version) for dataset in datasets)
    drawn = any(dataset.drawn for dataset in datasets)
    title = _title(name, beyond_paper(selection.candidates, datasets))
    return Plan(selection.candidates, left_out, versions, images, options, allow_late, drawn, title)


def _title(name: str | None, beyond: Sequence[str]) -> str:
    """The benchmark's name; `IcvosError` where what is more than IC-VOS is to be called so."""
    if beyond and name is not None and name.casefold() == IC_VOS.casefold():
        raise IcvosError(f"--name {name}: {' and '.join(beyond)} is no source of {IC_VOS}; give another name")
    return name or (GROWN if beyond else IC_VOS)


def beyond_paper(candidates: Sequence[Candidate], datasets: Sequence[SourceDataset]) -> list[str]:
    """The data sets that clips are built from and that the paper does not use: all but DAVIS, MOSE v1 and LVOS."""
    used = {candidate.source for candidate in candidates}
    return [
        f"{TITLES[dataset.source]} {dataset.version}".rstrip()
        for dataset in datasets
        if dataset.source in used
        and (dataset.source not in SOURCE_VIDEOS or (dataset.source, dataset.version) == ("mose", "v2"))
    ]


def _note_replaced(tables: Mapping[str, Sequence[CurationRow]], watch: Watch) -> None:
    """Say where one curation file replaces the rows of another."""
    owner: dict[tuple[str, str], str] = {}
    for path, rows in tables.items():
        videos = {(row.source, row.video) for row in rows}
        for earlier in sorted({owner[video] for video in videos if video in owner}):
            names = sorted(video[1] for video in videos if owner.get(video) == earlier)
            watch.note(f"{path}: replaces the rows of {len(names)} videos in {earlier}: {some_of(names)}")
        owner.update(dict.fromkeys(videos, path))


def _of_supports(images: Coco | None, watch: Watch) -> tuple[LeftOutEntry, ...]:
    """What is not read of the data set that supports come from; says so where it is more than crowds."""
    if images is None:
        watch.note("no --coco, so the benchmark has no supports; only oracle can run on it")
        return ()
    for warning in images.warnings:
        watch.note(warning)
    return tuple(
        LeftOutEntry(source="coco", video=images.split, category="", reason=str(one)) for one in images.left_out
    )


def _note_undecided(selection: Selection, watch: Watch) -> None:
    """Say which clips wait for a decision, and which videos have no row."""
    undecided = sum(map(is_undecided, selection.left_out))
    if undecided:
        watch.note(
            f"{undecided} undecided clips are left out; --accept undecided builds them, --only-decided is silent"
        )
    unnamed = sum(map(has_no_class, selection.left_out))
    if unnamed:
        watch.note(f"{unnamed} undecided rows have no class and are left out; {HOW_TO_DECIDE}")
    for name, missing in selection.without_rows.items():
        if missing:
            watch.note(f"{name}: {len(missing)} videos have no curation row ({some_of(missing)}); {how_to_get_rows()}")
