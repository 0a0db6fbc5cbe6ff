"""`icvos build`: from source videos, curation rows and COCO to a benchmark on disk.

Every video and every class of supports is made in a scratch folder and renamed when it is whole; ``.build/`` keeps what
was made from what. A killed build therefore leaves finished videos, and running it again makes the rest. ``icvos.json``
is written last: a folder that has it is complete.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Unpack

from pydantic import ValidationError

from curation.sources.coco import MIN_PIXELS
from curation.sources.datasets import SourceFolders
from curation.sources.left_out import some_of
from curation.video.clips import make_video
from curation.video.manifest import make_manifest
from curation.video.plan import Plan, make_plan
from curation.video.records import RECORDS, SCRATCH, SupportsRecord, VideoRecord
from curation.video.select import left_out_entry
from curation.video.supports import SupportOptions, draw, make_class
from curation.video.tubes import Tubes
from icvos.categories import category
from icvos.errors import IcvosError, printable
from icvos.files.leftovers import end_scratch, remove_leftovers, temporary_folder
from icvos.files.listing import is_empty
from icvos.files.locks import lock_folder
from icvos.files.names import name_fault, plain_name, require_inside
from icvos.files.schema import misfit, write_schema
from icvos.files.storage import require_writable
from icvos.tasks.task import SILENT, Watch
from icvos.tasks.video.benchmark import Benchmark
from icvos.tasks.video.manifest import FORMAT, MANIFEST, SUPPORTS, LeftOutEntry, Manifest, Supports
from icvos.workers import Workers, run_jobs

KINDS = ("videos", "supports")  # the folders of a benchmark


def build(
    out: Path | str,
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
    overwrite: bool = False,
    workers: Workers = 1,
    watch: Watch = SILENT,
    **sources: Unpack[SourceFolders],
) -> Manifest:
    """Build a benchmark of videos. What a killed or an earlier build left in ``out`` is kept where it still holds.

    Args:
        out: The benchmark's folder.
        coco: The folder of COCO 2014 or 2017, for the supports; None: a benchmark without supports.
        coco_split: Which COCO split gives supports, where several are there, as ``val2017``.
        curation: Curation files; their videos replace the rows that ship for DAVIS.
        published: A copy of the published IC-VOS release to be built anew, instead of sources and rows.
        accept_undecided: Build undecided rows as well as accepted ones.
        only_decided: Give no note on undecided rows and on videos without a row.
        allow_late: Build categories that are not in the first frame.
        supports: How supports are chosen and drawn.
        name: The benchmark's name; None: IC-VOS, or IC-VOS-grown where a source is one that the paper does not use.
        overwrite: Take away videos of a benchmark in ``out`` that are not among those to be built; else they are an
            error.
        workers: Processes; the result is the same for any number.
        watch: Is told of every class of supports and every video, and what the caller should know.
        sources: The folders of the source data sets (``davis``, ``mose``, ``lvos``, ``youtube_vos``) and how
            strictly they are read, as `curation.sources.datasets.read_datasets` explains.

    Returns:
        The manifest: counts beside the paper's, what was left out and why, and the digest.

    Raises:
        IcvosError: Bad input, or an ``out`` that holds something else, which is left untouched.

    >>> manifest = build("IC-VOS-DAVIS", davis="davis", coco="coco", curation="curation.csv")
    >>> list(manifest.sources), manifest.counts.paper.videos
    (['davis'], 369)
    """
    require_place(Path(out))
    plan = make_plan(
        coco=coco,
        coco_split=coco_split,
        curation=curation,
        published=published,
        accept_undecided=accept_undecided,
        only_decided=only_decided,
        allow_late=allow_late,
        supports=supports,
        name=name,
        watch=watch,
        **sources,
    )
    return build_plan(plan, Path(out), overwrite=overwrite, workers=workers, watch=watch)


def build_plan(
    plan: Plan, out: Path, *, overwrite: bool = False, workers: Workers = 1, watch: Watch = SILENT
) -> Manifest:
    """Build in ``out`` what was planned; the rest as `build`."""
    for video in plan.tubes:  # before the work of the others
        plain_name(video.name, f"a video of {video.source}")
    if not overwrite:
        _require_kept(plan, out)
    claim(out)
    with lock_folder(out):
        remove_leftovers(out / SCRATCH)
        return _build(plan, out, workers, watch)


def _build(plan: Plan, out: Path, workers: Workers, watch: Watch) -> Manifest:
    supports = _make_supports(plan, out, watch)
    tubes, without = _with_supports(plan, supports)
    watch.stage("videos")
    watch.total(len(tubes))
    built = run_jobs(
        partial(make_video, out=out, allow_late=plan.allow_late),
        tubes,
        workers,
        cost=lambda video: len(video.frames),
        done=lambda video: watch.advance(),
    )
    kept = {record.name: record for record in built if record.clips}
    if not kept:
        raise IcvosError(f"{out}: no category is in its video's first frame; pass --allow-late to build them all")
    classes = sorted({int(index) for record in kept.values() for index in record.clips})
    used = {index: supports[index] for index in classes if index in supports}
    _remove_strangers(out, set(kept), set(used), {record.name for record in built})
    late = [
        left_out_entry(record.source, record.name.partition("_")[2], category(index), reason)
        for record in built
        for index, reason in record.left_out
    ]
    file = _supports_file(out, plan.supports, kept, used)
    manifest = make_manifest(
        {name: record.entry() for name, record in kept.items()},
        file,
        {str(index): record.masks for index, record in used.items()},
        dict(plan.versions),
        (*plan.left_out, *without, *late),
        drawn=plan.drawn,
        name=plan.name,
    )
    write_schema(out / SUPPORTS, file)
    write_schema(out / MANIFEST, manifest)
    end_scratch(out / SCRATCH)
    _note_few(file, watch)
    return manifest


def _supports_file(
    out: Path, options: SupportOptions, videos: Mapping[str, VideoRecord], supports: Mapping[int, SupportsRecord]
) -> Supports:
    """The content of ``supports.json``: the ranked lists, and the draws of every clip that was built.

    `IcvosError` where records in ``out`` contradict themselves, as only those can that another program wrote.
    """
    names = {index: record.names for index, record in supports.items()}
    clips = [(f"{name}/{index}", int(index)) for name, record in videos.items() for index in record.clips]
    try:
        return Supports(
            format=FORMAT,
            rule=options.rule,
            shots=options.shots,
            classes={str(index): found for index, found in names.items()},
            draws=tuple(draw(clips, names, options)) if names else (),
        )
    except ValidationError as error:
        place = out / RECORDS / "supports"
        raise IcvosError(
            printable(f"{place}: {misfit(error, 'a record of supports')}; remove the folder and build again")
        ) from error


def require_place(out: Path) -> None:
    """Refuse a folder that holds something else than a benchmark made here, or that cannot be written."""
    if out.exists() and not out.is_dir():
        raise IcvosError(f"{out}: is a file; choose another --out")
    if not is_empty(out) and not (out / RECORDS).is_dir():
        raise IcvosError(
            f"{out}: holds something that icvos build did not make; choose an empty or new folder for --out"
        )
    require_writable(out, folder=True)


def _require_kept(plan: Plan, out: Path) -> None:
    """Refuse to take away videos of a benchmark that is whole."""
    if not (out / MANIFEST).is_file():
        return
    try:
        there = {video.name for video in Benchmark.open(out).videos}
    except IcvosError:  # damaged: there is nothing to keep it for
        return
    gone = sorted(there - {video.name for video in plan.tubes})
    if gone:
        raise IcvosError(
            f"{out}: holds a benchmark of {len(there)} videos, and {len(gone)} of them would be removed "
            f"({some_of(gone)}); choose another --out, or --overwrite it"
        )


def claim(out: Path) -> None:
    """`require_place`, then make ``out``."""
    require_place(out)
    for name in (RECORDS, SCRATCH, *(f"{top}{kind}" for top in ("", f"{RECORDS}/") for kind in KINDS)):
        require_inside(out / name, out)
    try:
        (out / RECORDS).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise IcvosError(f"{out}: cannot be written ({error.strerror}); choose another --out") from error


def _make_supports(plan: Plan, out: Path, watch: Watch) -> dict[int, SupportsRecord]:
    """Make the supports of every class of the plan; class index -> its record."""
    if plan.coco is None:
        return {}
    classes = sorted({index for tubes in plan.tubes for index in tubes.instances})
    watch.stage("supports")
    watch.total(len(classes))
    made = {}
    for index in classes:
        made[index] = make_class(plan.coco, index, plan.supports, out)
        watch.advance()
    return made


def _with_supports(plan: Plan, supports: Mapping[int, SupportsRecord]) -> tuple[list[Tubes], list[LeftOutEntry]]:
    """The videos with the classes that have a support image; every clip can then be asked of every method."""
    if plan.coco is None:
        return list(plan.tubes), []
    reason = f"no image of {plan.coco.split} has {MIN_PIXELS} pixels of it; give a larger COCO split for supports"
    indices = {index for index, record in supports.items() if record.names}
    tubes = [video.only(indices) for video in plan.tubes]
    left_out = [
        left_out_entry(video.source, video.name.partition("_")[2], category(index), reason)
        for video in plan.tubes
        for index in sorted(set(video.instances) - indices)
    ]
    found = [video for video in tubes if video.instances]
    if not found:
        raise IcvosError(f"{plan.coco.annotation_file}: {reason}")
    return found, left_out


def _remove_strangers(out: Path, videos: set[str], classes: set[int], seen: set[str]) -> None:
    """Remove what an earlier build with another choice left behind: only folders that have a record of ours.

    A folder goes at once, by a rename, so that no half of one is ever taken for whole; its record goes after it. The
    records of videos ``seen`` now that had no category to build stay.
    """
    (out / SCRATCH).mkdir(exist_ok=True)
    for kind, wanted in zip(KINDS, (videos, {str(index) for index in classes}), strict=True):
        for record in sorted((out / RECORDS / kind).glob("*.json")):
            name = record.name.removesuffix(".json")
            folder = out / kind / name
            if name in wanted or name_fault(name):
                continue
            if folder.is_dir():
                require_inside(folder, out)
                (out / MANIFEST).unlink(missing_ok=True)
                with temporary_folder(out / SCRATCH, name) as scratch:
                    folder.rename(scratch / name)
            if kind != "videos" or name not in seen:
                record.unlink()


def _note_few(supports: Supports, watch: Watch) -> None:
    """Say which classes have fewer images than a draw holds: their clips get as many as there are."""
    few = [
        f"{category(index).name} {len(names)}"
        for index, names in supports.classes.items()
        if len(names) < supports.shots
    ]
    if few:
        watch.note(f"fewer support images than the {supports.shots} of a draw: {', '.join(few)}")
