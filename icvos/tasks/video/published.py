"""Videos in the layout of the published release, which has no manifest: what is in a folder must add up by itself.

    <root>/<video>/JPEGImages/<frame>.jpg
           <video>/Annotations/<class>/<frame>.png    class is 1..80 in COCO order, a mask for every frame

A folder that is no video and holds no picture is passed over, as are texts and what file managers leave. Anything else
that cannot be read is named: a result over the rest would pass for one over the whole benchmark.
"""

import re
from collections.abc import Collection
from pathlib import Path

from icvos.categories import category
from icvos.errors import IcvosError
from icvos.files.listing import is_passed_over, visible_folders

PARTS = ("Annotations", "JPEGImages")
SPLITS = ("train", "val", "valid", "eval", "test")  # of MOSE and LVOS, which have the two folders as well
PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")


def is_video(folder: Path) -> bool:
    """Whether ``folder`` is laid out like a video, however its classes are called."""
    return folder.name not in SPLITS and all((folder / name).is_dir() for name in PARTS)


def classes_of(folder: Path) -> list[int]:
    """The class indices of the video in ``folder``, in order; none where the folder is no video and has no pictures.

    Raises `IcvosError` for half a video, and for anything in ``Annotations`` that is no folder of a class.
    """
    there = [name for name in PARTS if (folder / name).is_dir()]
    if not there:
        return _no_video(folder)
    for name in PARTS:
        if name not in there:
            raise IcvosError(
                f"{folder}: has {there[0]} but no folder {name}; copy the video again, or move it out of the benchmark"
            )
    annotations = folder / "Annotations"
    for path in sorted(annotations.iterdir()):
        _require_class(path)
    found = sorted(int(entry.name) for entry in visible_folders(annotations))
    if not found:
        raise IcvosError(f"{annotations}: no class folder in it; copy the video again, or move it out of the benchmark")
    return found


def require_masks(folder: Path, frames: Collection[str]) -> None:
    """Raises `IcvosError` unless the masks in the class folder ``folder`` are those of ``frames``, names for names."""
    masks = {path.stem for path in folder.iterdir() if path.suffix == ".png" and not is_passed_over(path.name)}
    missing = [frame for frame in frames if frame not in masks]
    if missing:
        raise IcvosError(
            f"{folder}: no mask of frame {missing[0]} ({len(missing)} of {len(frames)} frames have none); copy the "
            "video again, or move the class out of the benchmark"
        )
    surplus = sorted(masks - set(frames))
    if surplus:
        raise IcvosError(
            f"{folder.parent.parent / 'JPEGImages'}: no frame for the mask {surplus[0]} of class {folder.name} "
            f"({len(surplus)} of {len(masks)} masks have none); copy the video again, or remove the masks"
        )


def _no_video(folder: Path) -> list[int]:
    """No class; raises for an empty folder and for one with pictures, either of which a video may have been."""
    files = [path for path in folder.rglob("*") if path.is_file() and not is_passed_over(path.name)]
    if not files:
        raise IcvosError(f"{folder}: an empty folder; copy the video again, or remove the folder")
    if any(path.suffix.lower() in PICTURES for path in files):
        raise IcvosError(
            f"{folder}: holds pictures but no video (JPEGImages and Annotations/<class>); rename its folders, or move "
            "it out of the benchmark"
        )
    return []


def _require_class(path: Path) -> None:
    """Raises for an entry of ``Annotations`` that is no class folder but may hold masks."""
    if is_passed_over(path.name):
        return
    is_class = re.fullmatch(r"[1-9]\d?", path.name, re.ASCII) and int(path.name) <= 80
    if not path.is_dir():
        if path.suffix.lower() in ("", ".zip", ".json", *PICTURES):
            raise IcvosError(
                f"{path}: a file where the folders of classes are; put masks into Annotations/<class 1..80>/, or move "
                "the file away"
            )
    elif not is_class:
        number = _class_meant(path.name)
        remedy = f"rename it to {number}" if number else "rename it to the class that its masks show"
        raise IcvosError(
            f"{path}: no class of COCO, whose folders are called 1 to 80; {remedy}, or move it out of the benchmark"
        )


def _class_meant(name: str) -> int | None:
    """The class that a folder called ``dog`` or ``017`` is of."""
    try:
        return category(name.lstrip("0") or name).index
    except IcvosError:
        return None
