"""What `icvos predict` made of a video of your own, in the forms that other programs read.

With classes, the folder that was predicted into holds

    <class>/<frame>.png     one-bit masks of each class
    labels/<frame>.png      all classes in one palette PNG: 0 is none, 1 the first class, and so on
    classes.json            the classes in that order, as `Classes`

Where two classes overlap, the label is that of the class that comes first.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from PIL import Image as Pillow
from pydantic import Field

from icvos.errors import IcvosError, extent
from icvos.files.frames import Frames
from icvos.files.listing import is_empty, visible_entries
from icvos.files.masks import encode_ids, read_binary
from icvos.files.names import name_fault
from icvos.files.rle import encode_rle, rle_extent
from icvos.files.schema import FormatOne, PlainName, Schema, read_schema, write_schema
from icvos.files.storage import atomic_folder, require_writable, write_json
from icvos.method import Image

LABELS, CLASSES = "labels", "classes.json"
CUT = ".cutouts"  # an empty file in a folder of cut-outs, by which a later run knows it as its own
MOST_CLASSES = 254  # values of a PNG of labels, without 0 and the 255 that means void
OBJECT = "object"  # what a category is called that nobody named
Advance = Callable[[int], None]


class Classes(Schema):
    """The classes of a folder of predictions, in a file in it."""

    format: FormatOne = Field(description="Version of this layout.")
    classes: Annotated[tuple[PlainName, ...], Field(min_length=1, max_length=MOST_CLASSES)] = Field(
        description="The first has the value 1 in the PNGs of labels, the second 2, and so on."
    )


def require_classes(names: Mapping[str, Any], out: Path) -> None:
    """Raise `IcvosError` for classes that cannot name folders in ``out``, or an ``out`` that holds something else."""
    for name in names:
        if fault := name_fault(name):
            raise IcvosError(f"--class {name!r}: cannot name a folder, as it {fault}; choose another name")
        if name.lower() in (LABELS, CLASSES):
            raise IcvosError(f"--class {name}: is what icvos calls a file of its own; choose another name")
    if len(names) > MOST_CLASSES:
        raise IcvosError(f"{len(names)} classes; a PNG of labels tells {MOST_CLASSES} apart, give fewer")
    if out.is_dir():
        own = {*names, LABELS, CLASSES}
        other = sorted(entry.name for entry in visible_entries(out) if entry.name not in own)
        if other:
            raise IcvosError(f"{out}: holds {other[0]}, which is of something else; choose another --out")


def folders_of(masks: Path) -> dict[str, Path]:
    """By class, the folders of masks in a folder that was predicted into; without classes itself, named "object"."""
    if not masks.is_dir():
        raise IcvosError(f"{masks}: no such folder; give the one that icvos predict made")
    if not (masks / CLASSES).is_file():
        return {OBJECT: masks}
    found = read_schema(masks / CLASSES, Classes, "the classes of a prediction", "run icvos predict again")
    return {name: masks / name for name in found.classes}


def labelled(frames: Frames, folders: Mapping[str, Path]) -> Iterator[tuple[str, Image, np.ndarray, list[np.ndarray]]]:
    """For every frame its name, its picture, (H, W) uint8 labels, and a (H, W) bool mask for each class.

    Raises `IcvosError` where a mask is missing or of another size than its frame.
    """
    for name, image in frames:
        masks = [_mask(folder / f"{name}.png", name, image, frames) for folder in folders.values()]
        labels = np.zeros(image.shape[:2], np.uint8)
        for value in range(len(masks), 0, -1):  # the first class last, over the others
            labels[masks[value - 1]] = value
        yield name, image, labels, masks


def _mask(file: Path, name: str, image: Image, frames: Frames) -> np.ndarray:
    if not file.is_file():
        raise IcvosError(f"{file}: no mask of frame {name} of {frames.path}; give the masks of this video")
    mask = read_binary(file)
    if mask.shape != image.shape[:2]:
        raise IcvosError(
            f"{file}: mask of {extent(mask.shape)} pixels, frame {name} of {frames.path} is {extent(image.shape)}; "
            "give the masks of this video"
        )
    return mask


def write_labels(frames: Frames, out: Path, names: Mapping[str, Any], advance: Advance) -> None:
    """Write ``labels/`` and ``classes.json`` into a folder that holds the masks of all its classes."""
    with atomic_folder(out / LABELS, out) as folder:
        for name, _, labels, _ in labelled(frames, {name: out / name for name in names}):
            (folder / f"{name}.png").write_bytes(encode_ids(labels))
            advance(1)
    write_schema(out / CLASSES, Classes(format=1, classes=tuple(names)))


def write_coco(path: Path, frames: Frames, folders: Mapping[str, Path], advance: Advance) -> int:
    """Write all masks as one COCO JSON file; returns how many annotations it has.

    An image for every frame, a category for every class (ids from 1), and an annotation for every class in every frame
    that shows it: compressed RLE, area in pixels and box [left, top, width, height].
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    files = None if frames.pictures is None else [picture.name for picture in frames.pictures]
    for number, (name, image, _, masks) in enumerate(labelled(frames, folders), start=1):
        height, width = image.shape[:2]
        file = f"{name}.png" if files is None else files[number - 1]
        images.append({"id": number, "file_name": file, "width": width, "height": height})
        for category, mask in enumerate(masks, start=1):
            if mask.any():
                rle = encode_rle(mask)
                area, box = rle_extent(rle)
                annotations.append({
                    "id": len(annotations) + 1, "image_id": number, "category_id": category, "segmentation": rle,
                    "area": area, "bbox": box, "iscrowd": 0,
                })  # fmt: skip
        advance(1)
    categories = [{"id": number, "name": name} for number, name in enumerate(folders, start=1)]
    info = {"description": f"masks of {frames.path.name}, made by icvos predict"}
    write_json(path, {"info": info, "images": images, "annotations": annotations, "categories": categories})
    return len(annotations)


def write_cutouts(path: Path, frames: Frames, folders: Mapping[str, Path], advance: Advance) -> None:
    """Write every frame as an RGBA PNG that is transparent outside the masks of all classes."""
    path = path.resolve()  # of ".", the name too
    with atomic_folder(path, path.parent) as folder:
        (folder / CUT).touch()
        for name, image, labels, _ in labelled(frames, folders):
            shown = np.where(labels[..., None] > 0, image, np.uint8(0))  # nothing of what is cut away is kept
            alpha = np.where(labels > 0, np.uint8(255), np.uint8(0))
            Pillow.fromarray(np.dstack([shown, alpha])).save(folder / f"{name}.png")
            advance(1)


def require_cutouts(path: Path) -> None:
    """Raise `IcvosError` for a folder of cut-outs that could not be written, or that holds something else."""
    require_writable(path, folder=True)
    if not is_empty(path) and not (path / CUT).is_file():
        raise IcvosError(f"{path}: is not an empty folder; choose another --cutouts")
