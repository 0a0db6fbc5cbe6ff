"""Which data sets are in a folder, and what each lacks. Names and numbers are looked at, not what is in the files."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from curation.acquisition.catalogue import Source, read_catalogue
from curation.acquisition.holdings import STORE, lacking
from curation.sources import davis, lvos, mose, youtube_vos
from curation.sources.coco import Coco
from curation.sources.left_out import some_of
from curation.sources.pascal import OF_VAL, Pascal, find_sbd, read_list
from curation.sources.video import ReadOptions, SourceDataset
from curation.video.published import CLIPS, VIDEOS
from icvos.errors import IcvosError, plural
from icvos.files.listing import visible_folders
from icvos.files.names import DRAWN
from icvos.files.sources import TITLES, recognise
from icvos.tasks.video.benchmark import Benchmark

LENIENT = ReadOptions(missing_masks="empty", natural_sort=True)
READERS: Mapping[str, Callable[..., SourceDataset]] = {
    "davis": davis.read,
    "mose": mose.read,
    "lvos": lvos.read,
    "youtube-vos": youtube_vos.read,
}
KNOWN = {**TITLES, "sbd": "SBD", "ic-vos": "IC-VOS, the published release", "built": "a built IC-VOS benchmark"}
SPLITS = ("train2014", "val2014", "train2017", "val2017")  # of COCO
DEPTH = 2  # folders below the one that is given


@dataclass(slots=True)
class Holding:
    """A data set in a folder.

    Args:
        reader: Which one: a name of `KNOWN`.
        title: What it is called, with its version.
        place: Its folder.
        used_by: The option that takes it.
        has: What is there, one line each.
        missing: What is not.
        notes: What a reader would say of it.
    """

    reader: str
    title: str
    place: Path
    used_by: str = ""
    has: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return {**asdict(self), "place": str(self.place)}

    def lines(self) -> list[str]:
        """All of it, line by line."""
        lines = [f"{self.title}: {self.place}"]
        for what, texts in (("has", self.has), ("MISSING", self.missing), ("note", self.notes)):
            lines += [f"  {what}: {text}" for text in texts]
        return lines + ([f"  whole: {self.used_by} {self.place}"] if self.used_by and not self.missing else [])


def check(folder: Path | str, *, catalogue: Path | None = None) -> list[Holding]:
    """The data sets in ``folder`` or below it, and what each lacks of its release and for a build.

    Raises `IcvosError` where there is none that icvos knows.

    >>> [(found.title, found.missing) for found in check("davis")]
    [('DAVIS 2017', [])]
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise IcvosError(f"{folder}: no such folder; give that of a data set, or the one it was fetched to")
    sources = list(read_catalogue(catalogue).values())
    found = [_look(reader, place, sources) for place, reader in _recognised(folder, DEPTH)]
    if not found and (folder / STORE).is_dir():
        raise IcvosError(f"{folder}: no data set yet, as what was fetched is not all there; run icvos data fetch again")
    if not found:
        raise IcvosError(
            f"{folder}: no data set that icvos knows, in it or {DEPTH} folders below; icvos data list has them and "
            "icvos data show NAME how each is laid out"
        )
    return found


def _recognised(folder: Path, depth: int) -> list[tuple[Path, str]]:
    """The folders of data sets, from ``folder`` down; none is looked for within another."""
    reader = _reader_of(folder)
    if reader:
        return [(folder, reader)]
    if not depth:
        return []
    return [found for below in sorted(visible_folders(folder)) for found in _recognised(below, depth - 1)]


def _reader_of(place: Path) -> str | None:
    known = recognise(place)
    if known is not None:
        return known if known in TITLES else "built"
    if any((one / "cls").is_dir() and (one / "train.txt").is_file() for one in (place, place / "dataset")):
        return "sbd"
    videos = (below for below in visible_folders(place) if (below / "JPEGImages").is_dir())
    first = next(videos, None)
    if first is None or not (first / "Annotations").is_dir():
        return None
    return "ic-vos" if all(one.name.isdecimal() for one in visible_folders(first / "Annotations")) else None


def _look(reader: str, place: Path, sources: Sequence[Source]) -> Holding:
    known = [source for source in sources if source.reader == reader]
    found = Holding(reader, KNOWN[reader], place, known[0].used_by if known else "")
    look = {"coco": _look_at_coco, "voc": _look_at_voc, "sbd": _look_at_sbd, "ic-vos": _look_at_release}
    if reader == "built":
        found.notes.append(f"icvos build --check --out {place} compares it with its digest")
        return found
    try:
        look.get(reader, _look_at_videos)(found, known)
    except IcvosError as error:
        found.missing.append(str(error))
    return found


def _look_at_videos(found: Holding, known: Sequence[Source]) -> None:
    dataset = READERS[found.reader](found.place, options=LENIENT)
    frames = sum(len(video.frames) for video in dataset.videos)
    found.title = f"{TITLES[found.reader]} {dataset.version}".rstrip()
    found.has.append(f"{plural(len(dataset.videos), 'video')}, {plural(frames, 'frame')} ({', '.join(dataset.splits)})")
    bare = [frame for one in dataset.videos for frame, mask in zip(one.frames, one.masks, strict=True) if mask is None]
    if bare:
        found.missing.append(f"masks of {len(bare):,} of {frames:,} frames, as of {bare[0]}")
    found.notes += dataset.warnings
    if dataset.drawn:
        found.notes.append("its videos are drawn, by icvos smallworld")
        return
    whole = next((one for one in known if one.version in ("", dataset.version)), None)
    if whole is None:
        found.notes.append(f"how much {found.title} has in all is not known here")
        return
    for there, wanted, what in ((len(dataset.videos), whole.videos, "videos"), (frames, whole.frames, "frames")):
        if wanted and there < wanted:
            found.missing.append(f"{wanted - there:,} of {wanted:,} {what} of {whole.title}")


def _look_at_coco(found: Holding, known: Sequence[Source]) -> None:
    splits = [name for name in SPLITS if any((found.place / place).is_dir() for place in (name, f"images/{name}"))]
    if not splits:
        found.missing.append(f"{found.place}: no folder of images, as val2017 or val2014")
    drawn = (found.place / DRAWN).is_file()
    for split in splits:
        try:
            coco = Coco.open(found.place, split)
        except IcvosError as error:
            found.missing.append(str(error))
            continue
        found.has.append(f"{split}: {plural(len(coco.images), 'image')} with annotations")
        absent = [group for group in coco.left_out if group.what == "images"]
        found.missing += [f"{split}: {group}" for group in absent]
        found.notes += [f"{split}: {group}" for group in coco.left_out if group not in absent]
        wanted = next((one.images for one in known if one.version == split), None) or 0
        there = len(coco.images) + sum(len(group.names) for group in absent)
        if there < wanted and not drawn:
            found.missing.append(
                f"{split}: {wanted - there:,} of its {wanted:,} images, which its annotations leave out"
            )
    if drawn:
        found.notes.append("its pictures are drawn, by icvos smallworld")


def _look_at_voc(found: Holding, known: Sequence[Source]) -> None:
    voc = Pascal.open(found.place)
    for split in ("train", "val"):
        pictures, groups = voc.pictures(split)
        found.has.append(f"{split}: {plural(len(pictures), 'picture')} with masks")
        found.missing += [f"{split}: {group}" for group in groups if group.reason != OF_VAL]
    _count(found, known, "VOCdevkit/VOC2012", voc.root)


def _look_at_sbd(found: Holding, known: Sequence[Source]) -> None:
    root = find_sbd(found.place)
    masks = {path.stem for name in ("cls", "cls_png") if (root / name).is_dir() for path in (root / name).iterdir()}
    found.has.append(plural(len(masks), "mask"))
    for split in ("train", "val"):
        lacks = [stem for stem in read_list(root / f"{split}.txt") if stem not in masks]
        if lacks:
            found.missing.append(f"{split}: masks of {plural(len(lacks), 'picture')}: {some_of(lacks)}")
    _count(found, known, "benchmark_RELEASE/dataset", root)


def _count(found: Holding, known: Sequence[Source], start: str, root: Path) -> None:
    """Compare with the numbers of files that the release has, whatever its outer folders are called here."""
    for source in known:
        for archive in source.archives:
            holds = {place.removeprefix(f"{start}/"): count for place, count in archive.holds.items()}
            found.missing += lacking(holds, root)


def _look_at_release(found: Holding, known: Sequence[Source]) -> None:
    benchmark = Benchmark.open(found.place)
    videos, clips = len(benchmark.videos), len(benchmark.clips)
    found.has.append(f"{plural(videos, 'video')}, {plural(clips, 'clip')}")
    for there, wanted, what in ((videos, VIDEOS, "videos"), (clips, CLIPS, "clips")):
        if known and there < wanted:
            found.missing.append(f"{wanted - there:,} of {wanted:,} {what}")
