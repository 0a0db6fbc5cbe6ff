"""What a built IC-VOS benchmark is: videos, clips and supports, read lazily from its folder.

    <root>/icvos.json                                        what it holds, with a digest
           supports.json                                     per class a ranked list; per draw the choice of each clip
           videos/<video>/JPEGImages/<frame>.jpg
           videos/<video>/Annotations/<class>/<frame>.png    one bit, 1 = the category; class is 1..80 in COCO order
           supports/<class>/<image>.{jpg,png}

`icvos.tasks.video.manifest` explains every key of the two files. A folder in the layout of the published release
(``<video>/{JPEGImages,Annotations/<class>}``, no ``icvos.json``) opens too; it has no supports. Where a built one is
only scored against, as `truth_files` packs it, the frames and the supports' images may be left out.
"""

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from icvos.categories import Category, category
from icvos.errors import IcvosError, plural, printable
from icvos.files.images import image_size
from icvos.files.listing import sorted_frames, visible_entries, visible_folders
from icvos.files.names import SOURCES
from icvos.files.schema import read_schema
from icvos.files.sources import build_command
from icvos.method import Support
from icvos.tasks.video.manifest import IC_VOS, MANIFEST, REMEDY, SUPPORTS, Manifest, Supports, VideoEntry, disagreement
from icvos.tasks.video.published import classes_of, is_video, require_masks

FRAME_SUFFIXES = (".jpg", ".jpeg", ".JPG", ".JPEG")


def restore(root: Path) -> str:
    """What to do about a file of the built benchmark in ``root`` that is lost or not as it was built."""
    again = "run the icvos build that made it again, which makes what is missing"
    return f"{again}; icvos build --check --out {root} lists all that differs"


@dataclass(frozen=True)
class Video:
    """One video: ``name`` is ``<source>_<original name>``, or the original name in the published layout.

    ``entry`` is what the manifest says of it; None in the published layout.
    """

    name: str
    source: str
    folder: Path
    entry: VideoEntry | None = field(default=None, compare=False, repr=False)

    @property
    def root(self) -> Path:
        """The folder of the built benchmark that it is of."""
        return self.folder.parents[1]

    @property
    def frame_paths(self) -> tuple[Path, ...]:
        """The frames in order of their integer stems; raises `IcvosError` where the manifest has another number."""
        return tuple(self.folder / "JPEGImages" / name for name in self._files)

    @cached_property
    def _files(self) -> tuple[str, ...]:
        """The names of the frames' files. Millions may be kept: equal names are one text, and paths are made anew."""
        found = sorted_frames(self.folder / "JPEGImages", FRAME_SUFFIXES)
        if self.entry and len(found) != self.entry.frames:
            raise IcvosError(
                f"{self.folder / 'JPEGImages'}: {plural(len(found), 'frame')}, but "
                f"{MANIFEST} says {self.entry.frames}; {restore(self.root)}"
            )
        return tuple(sys.intern(path.name) for path in found)

    @cached_property
    def frames(self) -> tuple[str, ...]:
        """The frames' names without suffix, in order; where the frames were left out, the names of the true masks."""
        if self.entry is None or not self._is_truth_alone:
            return tuple(sys.intern(Path(name).stem) for name in self._files)
        folder = self.folder / "Annotations" / next(iter(self.entry.clips))
        found = sorted_frames(folder, (".png",))
        if len(found) != self.entry.frames:
            raise IcvosError(
                f"{folder}: {plural(len(found), 'mask')}, but {MANIFEST} says {self.entry.frames}; {restore(self.root)}"
            )
        return tuple(sys.intern(path.stem) for path in found)

    @cached_property
    def size(self) -> tuple[int, int]:
        """(height, width) of the first frame; raises `IcvosError` where the manifest has another."""
        if self.entry and self._is_truth_alone:
            return self.entry.height, self.entry.width
        height, width = image_size(self.frame_paths[0])
        if self.entry and (self.entry.height, self.entry.width) != (height, width):
            raise IcvosError(
                f"{self.frame_paths[0]}: {width}x{height} pixels, but {MANIFEST} says "
                f"{self.entry.width}x{self.entry.height}; {restore(self.root)}"
            )
        return height, width

    @property
    def _is_truth_alone(self) -> bool:
        return not (self.folder / "JPEGImages").exists()


@dataclass(frozen=True)
class Clip:
    """One (video, category) pair: what a method segments and what is scored.

    ``instances`` is how many annotated objects its masks unite; None where nobody knows.
    """

    video: Video
    category: Category
    instances: int | None = None

    @property
    def id(self) -> str:
        """``<video>/<class index>``, as in prediction folders and results."""
        return f"{self.video.name}/{self.category.index}"

    @property
    def folder(self) -> Path:
        """The folder of the true masks."""
        return self.video.folder / "Annotations" / str(self.category.index)

    def mask_path(self, frame: str) -> Path:
        """The true mask of the frame called ``frame``; `IcvosError` where a built benchmark has lost it."""
        path = self.folder / f"{frame}.png"
        if self.video.entry and not path.is_file():
            raise IcvosError(f"{path}: missing from the benchmark; {restore(self.video.root)}")
        return path


@dataclass(frozen=True)
class Benchmark:
    """A built benchmark; make one with `Benchmark.open`.

    Args:
        root: Its folder.
        videos: In order of their names.
        clips: In order of video name and class index.
        digest: ``sha256:...`` over masks, frame names and supports; None in the published layout.
        manifest: ``icvos.json``; None in the published layout.
        choices: ``supports.json``; None where there is none.
    """

    root: Path
    videos: tuple[Video, ...]
    clips: tuple[Clip, ...]
    digest: str | None = None
    manifest: Manifest | None = None
    choices: Supports | None = None

    @property
    def drawn(self) -> bool:
        """Whether its videos are drawn, so that it is no IC-VOS."""
        return self.manifest is not None and self.manifest.drawn

    @property
    def title(self) -> str:
        """What tables call it: IC-VOS, or the name that its manifest has."""
        return self.manifest.name if self.manifest else IC_VOS

    @classmethod
    def open(cls, root: Path | str) -> "Benchmark":
        """Open a built benchmark or a folder in the published layout; raises `IcvosError` for anything else."""
        root = Path(root)
        if root.is_file():
            raise IcvosError(f"{root}: is a file; give the folder of the benchmark, as {root.parent}")
        if not root.is_dir():
            raise IcvosError(
                f"{root}: no such folder; build a benchmark with: icvos build --out {root} --coco ... --davis ..."
            )
        if (root / MANIFEST).is_file():
            return cls._open_built(root)
        return cls._open_published(root)

    @classmethod
    def _open_built(cls, root: Path) -> "Benchmark":
        manifest = read_schema(root / MANIFEST, Manifest, "the manifest of a built benchmark", REMEDY)
        path = root / SUPPORTS
        supports = read_schema(path, Supports, "the frozen support draws", REMEDY) if path.is_file() else None
        fault = disagreement(manifest, supports) if supports else ""
        if fault:
            raise IcvosError(printable(f"{root}: {fault}; {REMEDY}"))
        videos, clips = [], []
        for name, entry in sorted(manifest.videos.items()):
            video = Video(name, entry.source, root / "videos" / name, entry)
            if not video.folder.is_dir():
                raise IcvosError(f"{video.folder}: missing from the benchmark; {restore(root)}")
            videos.append(video)
            clips += [
                Clip(video, category(index), entry.clips[index].instances) for index in sorted(entry.clips, key=int)
            ]
        return cls(root, tuple(videos), tuple(clips), manifest.digest, manifest, supports)

    @classmethod
    def _open_published(cls, root: Path) -> "Benchmark":
        videos: list[Video] = []
        clips: list[Clip] = []
        broken = sorted(path for path in visible_entries(root) if path.is_symlink() and not path.exists())
        faults = [f"{path}: a link to nothing; copy the video again, or remove the link" for path in broken]
        for folder in sorted(visible_folders(root)):
            try:
                found = _published_clips(folder)
            except IcvosError as error:
                faults.append(str(error))
                continue
            videos += [found[0].video] if found else []
            clips += found
        sources = None if clips else build_command(root)
        if sources:
            raise IcvosError(f"{root}: source data, not a benchmark; build one of it with: {sources}")
        if not clips and not any(map(is_video, visible_folders(root))):
            raise IcvosError(
                f"{root}: not a benchmark (no icvos.json, and no <video>/Annotations/<class 1..80> as in the published "
                "release); build one with: icvos build"
            )
        if faults:
            more = f" (and {len(faults) - 1} more like it)" if len(faults) > 1 else ""
            raise IcvosError(f"{faults[0]}{more}")
        return cls(root, tuple(videos), tuple(clips))

    @property
    def name(self) -> str:
        """What records and messages call it."""
        return self.manifest.name if self.manifest else self.root.name

    def clip(self, clip_id: str) -> Clip:
        """The clip called ``<video>/<class index>``."""
        found = self._clips_by_id.get(clip_id)
        if found is None:
            raise IcvosError(
                f"{self.root}: no clip {clip_id}; clips are <video>/<class>, for instance {self.clips[0].id}"
            )
        return found

    @cached_property
    def _clips_by_id(self) -> dict[str, Clip]:
        return {clip.id: clip for clip in self.clips}

    def select(
        self,
        videos: Sequence[str] = (),
        categories: Sequence[str] = (),
        limit: int | None = None,
        clips: Sequence[str] = (),
    ) -> tuple[Clip, ...]:
        """The clips of these names, videos and categories (empty: all), at most ``limit``; raises where none is."""
        named = {self.clip(name) for name in clips}
        wanted = {category(key).index for key in categories}
        known = {name for video in self.videos for name in (video.name, video.name.partition("_")[2])}
        unknown = [name for name in videos if name not in known]
        if unknown:
            raise IcvosError(f"{self.root}: no video {', '.join(unknown)}; videos are named like {self.videos[0].name}")
        names = set(videos)
        chosen = [
            clip
            for clip in self.clips
            if (not named or clip in named)
            and (not wanted or clip.category.index in wanted)
            and (not names or {clip.video.name, clip.video.name.partition("_")[2]} & names)
        ]
        if not chosen:
            raise IcvosError(
                f"{self.root}: no clip matches the given videos and categories; see icvos info {self.root}"
            )
        return tuple(chosen[:limit])

    @property
    def draws(self) -> int:
        """How many frozen support draws there are; 0 in the published layout."""
        return len(self.choices.draws) if self.choices else 0

    def supports(self, clip: Clip, draw: int, shots: int) -> tuple[Support, ...]:
        """The first ``shots`` supports of ``clip`` in draw 0, 1, ...; fewer where the class has fewer images."""
        if self.choices is None:
            raise IcvosError(f"{self.root}: has no supports.json; build the benchmark with --coco to give it supports")
        if not self.draws:
            raise IcvosError(f"{self.root}: has no support draws; build the benchmark with --coco to give it some")
        if not 0 <= draw < self.draws:
            raise IcvosError(f"{self.root}: no draw {draw}; draws are 0..{self.draws - 1}")
        names = self.choices.draws[draw].get(clip.id)
        if not names:
            raise IcvosError(
                f"{self.root}: clip {clip.id} has no support image; build again with COCO images of that class"
            )
        if shots > self.choices.shots:
            raise IcvosError(f"{self.root}: draws hold {self.choices.shots} supports; build again with --shots {shots}")
        return tuple(self._support(clip.category, name) for name in names[:shots])

    def _support(self, kind: Category, name: str) -> Support:
        folder = self.root / "supports" / str(kind.index)
        support = Support(name, folder / f"{name}.jpg", folder / f"{name}.png")
        for path in (support.image_path, support.mask_path):
            if not path.is_file():
                raise IcvosError(f"{path}: missing from the benchmark; {restore(self.root)}")
        return support


def truth_files(benchmark: Benchmark) -> Iterator[tuple[str, Path]]:
    """What scoring reads of a built benchmark, by its names in the folder: true masks, and neither frames nor supports.

    `IcvosError` for the published layout, which says neither what it is nor that a mask is missing.
    """
    if benchmark.manifest is None:
        raise IcvosError(
            f"{benchmark.root}: is in the published layout; build it first with: "
            f"icvos build --published {benchmark.root} --coco ... --out ..."
        )
    for name in (MANIFEST, SUPPORTS):
        if (benchmark.root / name).is_file():
            yield name, benchmark.root / name
    for clip in benchmark.clips:
        for frame in clip.video.frames:
            path = clip.mask_path(frame)
            yield str(path.relative_to(benchmark.root).as_posix()), path


def _published_clips(folder: Path) -> list[Clip]:
    """The clips of a video in the published layout, none where it is no video; `IcvosError` for half a video."""
    classes = classes_of(folder)
    video = Video(folder.name, guess_source(folder.name), folder)
    clips = [Clip(video, category(index)) for index in classes]
    for clip in clips:
        require_masks(clip.folder, video.frames)
    return clips


def guess_source(name: str) -> str:
    """The source of a video in the published layout, by its name.

    A prefix that icvos wrote says it. Else MOSE has 8 hex digits, and LVOS 8 letters and digits.
    """
    prefix, has_prefix, _ = name.partition("_")
    if has_prefix and prefix in SOURCES:
        return prefix
    if re.fullmatch(r"[0-9a-f]{8}", name):
        return "mose"
    if re.fullmatch(r"[0-9A-Za-z]{8}", name) and re.search(r"[0-9A-Z]", name):
        return "lvos"
    return "davis"
