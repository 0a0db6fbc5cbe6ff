"""Which source data set a folder holds, by its layout.

DAVIS has ``JPEGImages/<resolution>/<video>``. The others have ``<split>/JPEGImages/<video>``, and MOSE occurs as
``JPEGImages/<split>/<video>`` too.
"""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from icvos.files.listing import visible_entries, visible_folders

RESOLUTIONS = ("480p", "Full-Resolution", "1080p")
SPLIT_NAMES: dict[str, tuple[str, ...]] = {"train": ("train",), "val": ("val", "valid", "eval"), "test": ("test",)}
TITLES = {
    "davis": "DAVIS",
    "mose": "MOSE",
    "lvos": "LVOS",
    "youtube-vos": "YouTube-VOS",
    "coco": "COCO",
    "voc": "PASCAL VOC",
}


@dataclass(frozen=True, slots=True)
class SplitFolders:
    """Where one split lies: ``name`` as on disk, and the folders of its videos' frames and masks."""

    name: str
    frames: Path
    masks: Path


CURATION = "curation.csv"  # beside the data sets of a drawn world


def recognise(place: Path) -> str | None:
    """Which data set lies in ``place`` itself: a name of `TITLES`, another's title, or None.

    MOSE, LVOS and YouTube-VOS share a layout and are told apart by their names alone, so only a clear case is named.
    """
    if (place / "icvos.json").is_file():
        return "a built IC-VOS benchmark"
    if any((place / "JPEGImages" / resolution).is_dir() for resolution in RESOLUTIONS):
        return "davis"
    if has_coco_annotations(place):
        return "coco"
    if (place / "ImageSets" / "Segmentation").is_dir():
        return "voc"
    found = (recognise_videos(folders[0].frames) for folders in split_folders(place).values())
    return next((source for source in found if source is not None), None)


def has_coco_annotations(place: Path) -> bool:
    """Whether ``place`` has a folder of COCO's annotations of any kind."""
    return any((place / "annotations").glob("*_*.json"))


def recognise_videos(folder: Path) -> str | None:
    """Which data set the videos in ``folder`` are from, by their names and those of the first video's frames."""
    videos = sorted(visible_folders(folder))
    stems = sorted(path.stem for path in visible_entries(videos[0])) if videos else []
    if not stems:
        return None
    digits = len(stems[0]) if stems[0].isdecimal() else 0
    names = [video.name for video in videos]
    is_hex = all(re.fullmatch(r"[0-9a-f]{8}", name) for name in names)
    if digits == 5 and is_hex:
        return "mose"
    if digits == 8 and not is_hex and all(re.fullmatch(r"[0-9A-Za-z]{8}", name) for name in names):
        return "lvos"
    if digits == 5 and all(re.fullmatch(r"[0-9a-f]{10}", name) for name in names):
        return "youtube-vos"
    return None


def split_folders(root: Path) -> dict[str, list[SplitFolders]]:
    """Every place where each split (``train``, ``val``, ``test``) lies below ``root``, in both layouts."""
    found: dict[str, list[SplitFolders]] = {}
    for split, names in SPLIT_NAMES.items():
        for name in names:
            for frames, masks in (
                (root / name / "JPEGImages", root / name / "Annotations"),
                (root / "JPEGImages" / name, root / "Annotations" / name),
            ):
                if frames.is_dir():
                    found.setdefault(split, []).append(SplitFolders(name, frames, masks))
    return found


def build_command(root: Path) -> str | None:
    """The command that builds a benchmark of the data sets in ``root`` or the folders in it; None where there is none.

    What a build needs and is not there stands in it in capitals.
    """
    if not root.is_dir():
        return None
    found: dict[str, Path] = {}
    for place in (root, *sorted(visible_folders(root))):
        source = recognise(place)
        if source in TITLES:
            found.setdefault(source, place)
    videos = {name: place for name, place in found.items() if name not in ("coco", "voc")}
    if not found:
        return None
    if not videos:
        name, benchmark = ("coco", "coco-20i") if "coco" in found else ("voc", "pascal-5i")
        return f"icvos episodes {benchmark} --{name} {shlex.quote(str(found[name]))} --out {benchmark}"
    named = [f"--{name} {shlex.quote(str(place))}" for name, place in videos.items()]
    named.append(f"--coco {shlex.quote(str(found['coco'])) if 'coco' in found else 'COCO'}")
    rows = root / CURATION
    if rows.is_file():
        named.append(f"--curation {shlex.quote(str(rows))}")
    elif set(videos) != {"davis"}:
        named.append("--curation ROWS.csv")
    return f"icvos build {' '.join(named)} --out BENCHMARK"
