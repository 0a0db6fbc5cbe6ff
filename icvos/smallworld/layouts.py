"""Miniature source datasets in their real layouts: DAVIS 2017, MOSE, LVOS v2, COCO, and a curation file for them."""

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from icvos.categories import COCO, Category
from icvos.errors import IcvosError
from icvos.files.masks import encode_ids
from icvos.files.names import DRAWN
from icvos.files.rle import decode_rle, encode_rle
from icvos.files.storage import write_bytes, write_json, write_text
from icvos.smallworld.catalogue import KINDS, Kind, held_out
from icvos.smallworld.decisions import CurationRow, curation_rows, of_fold, write_curation
from icvos.smallworld.staging import Traits, compose
from icvos.smallworld.world import Clip, Picture, World

SCALES = ("tiny", "demo")
SUPPORT_PX = 2 * 32 * 32  # the least class area in a picture that the few-shot lists accept


DRAWN_TEXT = "Drawn by icvos smallworld in the layout of this data set; none of its pictures or videos is in here.\n"

_PLAINLY = Traits()


@dataclass(frozen=True, slots=True)
class Script:
    """One video to be: its name and split in the dataset, the category of each object, what happens, and where.

    Without traits or a place, chance has them.
    """

    name: str
    split: str
    cast: tuple[str, ...]
    frames: int
    size: tuple[int, int]
    traits: Traits | None = _PLAINLY
    place: str | None = None


_WIDE, _PLAIN, _SMALL = (208, 368), (240, 320), (96, 128)

_DAVIS = {
    "tiny": (
        Script("dog-walk", "train", ("dog", "person"), 7, _SMALL, place="park"),
        Script("car-park", "val", ("car", "cat"), 6, _SMALL, place="park"),
    ),
    "demo": (
        Script("dogs-park", "train", ("dog", "person", "dog"), 36, _WIDE, place="park"),
        Script("sailing", "train", ("boat", "bird"), 32, _PLAIN, Traits(extras=1)),
        Script("bus-traffic", "val", ("bus", "car", "bicycle"), 40, _WIDE),
        Script("riding-school", "val", ("person", "horse"), 28, _PLAIN, Traits(unlabelled=True)),
    ),
}
_MOSE = {
    "tiny": (Script("0d06c4fe", "train", ("dog",), 8, _SMALL, Traits(leaving=1)),),
    "demo": (
        Script("1f7be20a", "train", ("dog",), 40, _PLAIN, Traits(leaving=1, extras=1), "beach"),
        Script("5c09d3e8", "train", ("giraffe", "zebra", "giraffe"), 32, _WIDE, Traits(screens=2)),
        Script("93ab46f1", "train", ("car", "motorcycle", "car"), 36, _WIDE, Traits(leaving=1, screens=1), "street"),
        Script("c2e8570d", "train", ("cat", "sports ball", "cat"), 30, _PLAIN, Traits(leaving=1, screens=1, extras=1)),
    ),
}
_LVOS = {
    "tiny": (
        Script("Qm4tZ7aK", "train", ("cat", "person", "cat"), 8, _SMALL, Traits(late=1)),
        Script("x3GvPp9e", "valid", ("person",), 7, _SMALL, Traits(leaving=1)),
    ),
    "demo": (
        Script("8hVnR2wE", "train", ("cow", "horse", "cow"), 36, _PLAIN, Traits(late=1)),
        Script("bT5xKc0Y", "train", ("elephant", "bird"), 30, _WIDE, Traits(extras=1)),
        Script("Jr7sQz3u", "valid", ("airplane", "kite"), 32, _WIDE, Traits(leaving=1)),
        Script("m2LdWf6N", "valid", ("bear",), 40, _PLAIN, Traits(leaving=1, screens=1)),
    ),
}
_PICTURES = {
    "tiny": (("dog", "person"), ("car", "cat"), ("person", "car"), ("cat", "dog"), ("dog", "car"), ("person",
    "cat")) * 2,
    "demo": (
        ("dog", "person"), ("cat", "sports ball"), ("bus", "car"), ("bicycle", "motorcycle"), ("boat", "bird"),
        ("giraffe", "zebra"), ("horse", "cow"), ("airplane", "kite"), ("elephant",), ("bear",),
    ) * 6,
}  # fmt: skip
_PICTURE_SIZES = {"tiny": ((176, 208), (208, 176)), "demo": ((240, 320), (320, 240), (280, 300))}


def write_world(
    root: Path,
    seed: int = 0,
    scale: str = "tiny",
    train_pictures: int = 0,
    val_pictures: int = 0,
    videos: int = 0,
    fold: int | None = None,
) -> dict[str, Path]:
    """Write all four datasets and ``curation.csv`` into ``root``; gives the folder of each dataset by its name.

    ``tiny`` is for tests, ``demo`` has twelve videos and enough pictures of every class to draw supports from; for the
    numbers of pictures see `write_coco`, for that of videos `write_mose`. With a ``fold`` of COCO-20i only categories
    that it tests are accepted.
    """
    _checked(scale)
    rows = [
        *write_davis(root / "davis", seed, scale),
        *write_mose(root / "mose", seed, scale, videos, fold),
        *write_lvos(root / "lvos", seed, scale),
    ]
    write_coco(root / "coco", seed, scale, train_pictures, val_pictures)
    write_curation(root / "curation.csv", rows if fold is None else of_fold(rows, fold))
    return {name: root / name for name in ("davis", "mose", "lvos", "coco")}


def write_davis(root: Path, seed: int = 0, scale: str = "tiny") -> list[CurationRow]:
    """DAVIS 2017 at 480p: frames, palette masks, set files, ``davis_semantics.json`` and ``categories.json``."""
    write_text(root / DRAWN, DRAWN_TEXT)
    scripts = _DAVIS[_checked(scale)]
    rows, semantics = [], {}
    for script, clip in _clips(seed, 0, scripts):
        names = [f"{index:05d}" for index in range(len(clip))]
        folders = (root / "JPEGImages" / "480p" / script.name, root / "Annotations" / "480p" / script.name)
        _write_frames(clip, folders, names)
        semantics[script.name] = {str(found.id): found.category.name for found in clip.instances}
        rows += curation_rows("davis", script.name, clip)
    for split in ("train", "val"):
        listed = [script.name for script in scripts if script.split == split]
        write_text(root / "ImageSets" / "2017" / f"{split}.txt", "".join(f"{name}\n" for name in listed))
    write_json(root / "davis_semantics.json", semantics)
    classes = {found.name: found.supercategory for found in COCO}
    used = sorted({name for objects in semantics.values() for name in objects.values()})
    listing = {name: {"id": index + 1, "super_category": classes[name]} for index, name in enumerate(used)}
    write_json(root / "categories.json", listing)
    return rows


def write_mose(
    root: Path, seed: int = 0, scale: str = "tiny", videos: int = 0, fold: int | None = None
) -> list[CurationRow]:
    """MOSE v1: ``train/{JPEGImages,Annotations}/<8 hex digits>``; objects leave, return and are hidden.

    Args:
        root: MOSE's folder.
        seed: Which world.
        scale: ``tiny`` or ``demo``.
        videos: So many more videos, of all categories in turn, in which whatever may happen does.
        fold: Each of them shows a category that this fold of COCO-20i tests.
    """
    write_text(root / DRAWN, DRAWN_TEXT)
    rows = []
    usual = _clips(seed, 100, _MOSE[_checked(scale)])
    for script, clip in chain(usual, _clips(seed, 300_000, list(_scripts(videos, fold)))):
        names = [f"{index:05d}" for index in range(len(clip))]
        split = root / script.split
        _write_frames(clip, (split / "JPEGImages" / script.name, split / "Annotations" / script.name), names)
        rows += curation_rows("mose", script.name, clip)
    return rows


def write_lvos(root: Path, seed: int = 0, scale: str = "tiny") -> list[CurationRow]:
    """LVOS v2: ``train`` and ``valid``, frame names in steps of five from 00000001, and a meta file in each split."""
    write_text(root / DRAWN, DRAWN_TEXT)
    rows: list[CurationRow] = []
    meta: dict[str, dict[str, Any]] = {"train": {}, "valid": {}}
    for script, clip in _clips(seed, 200, _LVOS[_checked(scale)]):
        numbers = [1 + 5 * index for index in range(len(clip))]
        split = root / script.split
        folders = (split / "JPEGImages" / script.name, split / "Annotations" / script.name)
        seen = _write_frames(clip, folders, [f"{number:08d}" for number in numbers])
        objects = {}
        for found in clip.instances:
            present = [number for number, ids in zip(numbers, seen, strict=True) if found.id in ids]
            start, end = present[0], present[-1]
            span = {"start": start, "end": end, "frame_nums": (end - start) // 5}
            objects[str(found.id)] = {"frame_range": span}
        meta[script.split][script.name] = {"objects": objects}
        rows += curation_rows("lvos", script.name, clip)
    for name, videos in meta.items():
        write_json(root / name / f"{name}_meta.json", {"videos": videos})
    return rows


def write_coco(root: Path, seed: int = 0, scale: str = "tiny", train_pictures: int = 0, val_pictures: int = 0) -> None:
    """COCO val2017: pictures and ``instances_val2017.json`` with polygons, RLE, one crowd, one picture without objects.

    Every class that occurs covers at least `SUPPORT_PX` pixels in six pictures or more. The third picture is grey.

    Args:
        root: COCO's folder.
        seed: Which world.
        scale: ``tiny`` or ``demo``.
        train_pictures: Where above 0, there is a train2017 of as many pictures, with all categories in turn.
        val_pictures: So many more pictures of val2017, likewise.
    """
    write_text(root / DRAWN, DRAWN_TEXT)
    usual = _pictures(seed, _checked(scale))
    _write_split(root, "val2017", chain(usual, _turns(seed, scale, 200_000, val_pictures)), grey=2)
    if train_pictures:
        _write_split(root, "train2017", _turns(seed, scale, 100_000, train_pictures), first_id=100_000_000)


def _write_split(
    root: Path, split: str, pictures: Iterable[tuple[Picture, set[int]]], first_id: int = 139, grey: int | None = None
) -> None:
    """One split of COCO, of pictures with the ids that make a crowd; the one at ``grey`` is written without colour."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for index, (picture, crowd) in enumerate(pictures):
        identity = first_id + 428 * index
        name = f"{identity:012d}.jpg"
        shot = Image.fromarray(picture.image)
        write_bytes(root / split / name, _jpeg(shot.convert("L") if index == grey else shot))
        height, width = picture.ids.shape
        images.append(
            {"license": 1, "file_name": name, "coco_url": f"http://images.cocodataset.org/{split}/{name}",
             "height": height, "width": width, "date_captured": "2026-01-01 00:00:00", "flickr_url": "", "id": identity}
        )  # fmt: skip
        for found in picture.instances:
            if found.id not in crowd:
                row = annotation(picture.ids == found.id, found.category, identity, False)
                annotations.append({**row, "id": 1000 + len(annotations)})
        if crowd:
            mass = np.isin(picture.ids, sorted(crowd))
            row = annotation(mass, picture.instances[0].category, identity, True)
            annotations.append({**row, "id": 900100000000 + identity})
    content = {
        "info": {"description": "icvos small world", "version": "1.0", "year": 2026, "date_created": "2026-01-01"},
        "licenses": [{"id": 1, "name": "CC0 1.0", "url": "https://creativecommons.org/publicdomain/zero/1.0/"}],
        "images": images,
        "annotations": annotations,
        "categories": [{"supercategory": c.supercategory, "id": c.category_id, "name": c.name} for c in COCO],
    }
    write_json(root / "annotations" / f"instances_{split}.json", content)


def annotation(mask: np.ndarray, category: Category, image_id: int, crowd: bool) -> dict[str, Any]:
    """A COCO annotation of a non-empty (H, W) bool mask, without its id; it decodes to exactly this mask.

    Polygons where they reproduce the mask, else compressed RLE; a crowd gets uncompressed RLE, as in COCO itself.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    left, top = int(columns[0]), int(rows[0])
    shape: Any = _run_lengths(mask) if crowd else polygons(mask) or encode_rle(mask)
    return {
        "segmentation": shape,
        "area": int(np.count_nonzero(mask)),
        "iscrowd": int(crowd),
        "image_id": image_id,
        "bbox": [left, top, int(columns[-1]) - left + 1, int(rows[-1]) - top + 1],
        "category_id": category.category_id,
    }


def polygons(mask: np.ndarray) -> list[list[float]] | None:
    """Outlines along the pixels' edges, [x, y, x, y, ...] each; None where they would not decode to the same mask."""
    double = np.repeat(np.repeat(mask.astype(np.uint8), 2, axis=0), 2, axis=1)
    contours, tree = cv2.findContours(double, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    if not len(contours) or np.any(tree[0, :, 3] >= 0):  # a hole
        return None
    outlines = []
    for contour in contours:
        corners = (contour[:, 0, :] + 1) // 2  # an even column is a left edge, an odd one a right edge
        changed = np.any(corners != np.roll(corners, 1, axis=0), axis=1)
        corners = corners[changed]
        step = np.roll(corners, -1, axis=0) - corners
        bends = np.any(step != np.roll(step, 1, axis=0), axis=1)
        corners = corners[bends]
        if len(corners) < 3:
            return None
        outlines.append([float(value) for value in corners.reshape(-1)])
    from pycocotools import mask as coco_mask

    merged = coco_mask.merge(coco_mask.frPyObjects(outlines, *mask.shape))
    same = np.array_equal(decode_rle({"size": merged["size"], "counts": merged["counts"].decode("ascii")}), mask)
    return outlines if same else None


def _run_lengths(mask: np.ndarray) -> dict[str, Any]:
    """Uncompressed RLE: lengths of runs down the columns, background first."""
    flat = np.concatenate([[False], mask.reshape(-1, order="F")])
    edges = np.flatnonzero(flat[1:] != flat[:-1])
    lengths = np.diff(np.concatenate([[0], edges, [mask.size]]))
    return {"counts": [int(v) for v in lengths], "size": [int(v) for v in mask.shape]}


def _clips(seed: int, offset: int, scripts: Sequence[Script]) -> Iterator[tuple[Script, Clip]]:
    world = World(seed)
    for index, script in enumerate(scripts):
        yield script, world.clip(offset + index, script.frames, script.cast, script.size, script.traits, script.place)


def _pictures(seed: int, scale: str) -> Iterator[tuple[Picture, set[int]]]:
    """The pictures, each with the ids that make a crowd."""
    world = World(seed)
    sizes = _PICTURE_SIZES[scale]
    for index, cast in enumerate(_PICTURES[scale]):
        again = (cast[index // 10 % len(cast)],) if index % 3 == 2 and scale == "demo" else ()
        yield world.picture(index, (*cast, *again), sizes[index % len(sizes)], least_px=SUPPORT_PX), set()
    flock = world.picture(9000, ("dog", "person", "dog", "dog"), sizes[0], least_px=SUPPORT_PX)
    dogs = {found.id for found in flock.instances if found.category == flock.instances[0].category}
    yield flock, dogs
    random = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, 3])))
    image, ids = compose(sizes[0], 1, "meadow", (), Traits(objects=0), random).render(0)
    yield Picture(image, ids, ()), set()


def _turns(seed: int, scale: str, first: int, number: int) -> Iterator[tuple[Picture, set[int]]]:
    """Pictures of all categories in turn."""
    world = World(seed)
    sizes = _PICTURE_SIZES[scale]
    for index in range(number):
        yield world.picture(first + index, _in_turn(index), sizes[index % len(sizes)], least_px=SUPPORT_PX), set()


def _scripts(number: int, fold: int | None) -> Iterator[Script]:
    """Videos of all categories in turn, or of those of a fold."""
    chosen = KINDS if fold is None else [kind for kind in KINDS if kind.category.name in held_out(fold)]
    for index in range(number):
        size, frames = (_WIDE, _PLAIN)[index % 2], 24 + 4 * (index % 4)
        yield Script(f"{0xE0000000 + index:08x}", "train", _in_turn(index, chosen), frames, size, traits=None)


def _in_turn(index: int, chosen: Sequence[Kind] = KINDS) -> tuple[str, ...]:
    """The chosen categories in turn, every other time with a second one, any, that lives where the first does."""
    kind, turn = chosen[index % len(chosen)], index // len(chosen)
    others = [other for other in KINDS if other is not kind and set(other.habitats) & set(kind.habitats)]
    cast = [kind, *([others[(index + turn // 2) % len(others)]] if turn % 2 and others else [])]
    return tuple(found.category.name for found in cast)


def _write_frames(clip: Clip, folders: tuple[Path, Path], names: Sequence[str]) -> list[set[int]]:
    """Frames and masks of a clip; gives the ids in each frame."""
    seen = []
    for index, name in enumerate(names):
        image, ids = clip.frame(index)
        write_bytes(folders[0] / f"{name}.jpg", _jpeg(Image.fromarray(image)))
        write_bytes(folders[1] / f"{name}.png", encode_ids(ids))
        seen.append(set(np.unique(ids).tolist()) - {0})
    return seen


def _jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=92)
    return buffer.getvalue()


def _checked(scale: str) -> str:
    if scale not in SCALES:
        raise IcvosError(f"unknown scale {scale!r}; choose from {', '.join(SCALES)}")
    return scale
