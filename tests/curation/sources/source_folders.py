"""Tiny source data sets, written as their authors ship them, for the tests of the readers."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from icvos.files.masks import DAVIS_PALETTE
from tests import Json

SIZE = (6, 8)  # height, width


def ids_of(*rectangles: tuple[int, slice, slice], size: tuple[int, int] = SIZE) -> np.ndarray:
    """(H, W) uint8: each (value, rows, columns) painted in order."""
    ids = np.zeros(size, dtype=np.uint8)
    for value, rows, columns in rectangles:
        ids[rows, columns] = value
    return ids


ONE = ids_of((1, slice(1, 4), slice(2, 5)))


def write_frame(path: Path, size: tuple[int, int] = SIZE, quality: int = 90) -> None:
    """A grey gradient, in the format that the suffix says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    grey = np.linspace(0, 255, size[0] * size[1]).reshape(size).astype(np.uint8)
    kind = "PNG" if path.suffix.lower() == ".png" else "JPEG"
    Image.fromarray(grey).convert("RGB").save(path, format=kind, quality=quality)


def write_mask(path: Path, ids: np.ndarray, mode: str = "P", palette: np.ndarray = DAVIS_PALETTE) -> None:
    """A mask of these values as a picture of ``mode``; of ``RGB`` and ``RGBA`` in the colours of the palette."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if mode == "P":
        picture = Image.fromarray(ids.astype(np.uint8), mode="P")
        picture.putpalette(palette.ravel().tolist())
    elif mode in ("RGB", "RGBA"):
        picture = Image.fromarray(palette[ids]).convert(mode)
    elif mode == "1":
        picture = Image.fromarray(ids.astype(bool))
    elif mode == "I;16":
        picture = Image.fromarray(ids.astype(np.uint16))
    else:
        picture = Image.fromarray(ids.astype(np.uint8))
    picture.save(path)


def write_video(
    frames: Path, masks: Path, ids: Sequence[np.ndarray | None], names: Sequence[str] = (), mode: str = "P"
) -> None:
    """One frame for every entry of ``ids``, and a mask unless it is None; names default to 00000, 00001, ..."""
    for position, found in enumerate(ids):
        name = names[position] if names else f"{position:05d}"
        write_frame(frames / f"{name}.jpg", SIZE if found is None else found.shape)
        if found is not None:
            write_mask(masks / f"{name}.png", found, mode)


def write_davis(root: Path, sequences: Sequence[str] = ("dog",), resolution: str = "480p") -> Path:
    """A DAVIS 2017 of these sequences, all in the val set, of three frames each; returns its root."""
    for name in sequences:
        write_video(root / "JPEGImages" / resolution / name, root / "Annotations" / resolution / name, [ONE] * 3)
    write_text(root / "ImageSets" / "2017" / "val.txt", "".join(f"{name}\n" for name in sequences))
    return root


def write_mose(root: Path, videos: Sequence[str] = ("0a43a414",), split: str = "train") -> Path:
    """A MOSE v1 split of these videos of three frames each; returns its root."""
    for name in videos:
        write_video(root / split / "JPEGImages" / name, root / split / "Annotations" / name, [ONE] * 3)
    return root


def write_lvos(root: Path, videos: Sequence[str] = ("7K7WVzGG",), split: str = "train") -> Path:
    """An LVOS split of these videos of three frames each, named 00000001, 00000006, 00000011; returns its root."""
    names = [f"{number:08d}" for number in (1, 6, 11)]
    for name in videos:
        write_video(root / split / "JPEGImages" / name, root / split / "Annotations" / name, [ONE] * 3, names)
    return root


def write_youtube_vos(root: Path, videos: Mapping[str, Mapping[int, str]]) -> Path:
    """A train split of YouTube-VOS with these names of objects by video and id, three frames each; returns its root."""
    stems = ["00000", "00005", "00010"]
    meta: Json = {}
    for name, objects in videos.items():
        ids = ids_of(*((number, slice(0, 3), slice(2 * k, 2 * k + 2)) for k, number in enumerate(objects)))
        split = root / "train"
        write_video(split / "JPEGImages" / name, split / "Annotations" / name, [ids] * 3, stems)
        meta[name] = {"objects": {str(number): {"category": kind, "frames": stems} for number, kind in objects.items()}}
    write_text(root / "train" / "meta.json", json.dumps({"videos": meta}))
    return root


def write_coco(
    root: Path,
    annotations: Sequence[Json] = ({"image_id": 1, "category_id": 18, "segmentation": [[1, 1, 5, 1, 5, 4]]},),
    images: Sequence[int] = (1,),
    split: str = "val2017",
    prefix: str = "",
) -> Path:
    """A COCO split of 8x6 images with these annotations, stripped of ``info`` and ``licenses``; returns its root."""
    entries = []
    for number in images:
        name = f"{prefix}{number:012d}.jpg"
        write_frame(root / split / name)
        entries.append({"id": number, "file_name": name, "height": SIZE[0], "width": SIZE[1]})
    categories = [
        {"id": 1, "name": "person", "supercategory": "person"},
        {"id": 18, "name": "dog", "supercategory": "animal"},
    ]
    value = {"images": entries, "annotations": list(annotations), "categories": categories}
    write_text(root / "annotations" / f"instances_{split}.json", json.dumps(value))
    return root


def write_text(path: Path, text: str) -> None:
    """``text`` in ``path``, whose folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
