"""COCO's instance annotations as a file states them: each entry is read, counted as left out, or refused by its id.

Tools write the format in their own ways. Numbers may be 12.0 for 12, ``iscrowd`` may be any spelling of 0 and 1, and an
outline may be a list of RLEs, whose union it is. A box, pairs of points and the like are refused: read as polygons they
would enclose nothing.
"""

import json
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curation.sources.left_out import LeftOut
from icvos.categories import BY_CATEGORY_ID
from icvos.errors import IcvosError, printable
from icvos.files.storage import read_json

WHAT = "COCO instance annotations"
CROWDS = "marked as a crowd (iscrowd 1), so no instance"
FORMS = "polygons [[x1, y1, x2, y2, x3, y3, ...], ...] or RLE"
_SCHEMA = "images, annotations with category_id and segmentation, categories"
_NOT_CROWDS, _CROWDS = ("0", "0.0", "false"), ("1", "1.0", "true")


@dataclass(frozen=True, slots=True)
class Instance:
    """One object: the annotation's id, its class index 1..80, and its outline: polygons of x, y, ..., RLE or RLEs."""

    id: object
    class_index: int
    segmentation: Any


@dataclass(frozen=True, slots=True)
class ImageEntry:
    """One image as the annotations have it: ``id``, file name, and size in pixels."""

    id: int
    file_name: str
    height: int
    width: int


@dataclass(frozen=True, slots=True)
class Annotations:
    """The content of a file.

    Args:
        images: In the file's order.
        instances: By image id, in the file's order.
        left_out: The annotations and polygons that are not among them.
    """

    images: tuple[ImageEntry, ...]
    instances: dict[int, list[Instance]]
    left_out: tuple[LeftOut, ...]


def read_annotations(path: Path) -> Annotations:
    """The annotations in ``path``; raises `IcvosError` for another schema, and by its id for an entry that is none."""
    value = read_json(path, WHAT, _compact)
    _require_schema(path, value)
    kinds = {number: BY_CATEGORY_ID[number].index for number in _categories(path, value["categories"])}
    images = tuple(_images(path, value["images"]))
    return _instances(path, value["annotations"], kinds, images)


def _compact(value: dict[str, Any]) -> dict[str, Any]:
    """A JSON object with its polygons as packed numbers: a fifth of the memory, and 2014 has nine million of them."""
    segmentation = value.get("segmentation")
    if isinstance(segmentation, list) and all(map(_are_numbers, segmentation)):
        value["segmentation"] = [array("d", polygon) for polygon in segmentation]
    return value


def _are_numbers(polygon: Any) -> bool:
    return isinstance(polygon, list) and set(map(type, polygon)) <= {int, float}


def _other_schema(path: Path, found: str) -> IcvosError:
    return IcvosError(printable(f"{path}: expected {WHAT} ({_SCHEMA}), but {found}; fetch instances_*.json"))


def _require_schema(path: Path, value: Any) -> None:
    if not isinstance(value, dict):
        raise _other_schema(path, f"it holds a {type(value).__name__}")
    for key in ("categories", "images", "annotations"):
        if not isinstance(value.get(key), list):
            hint = "; it looks like captions" if _are_captions(value.get("annotations")) else ""
            raise _other_schema(path, f"it has no list of {key}{hint}")


def _are_captions(found: Any) -> bool:
    return isinstance(found, list) and any(isinstance(entry, dict) and "caption" in entry for entry in found)


@dataclass(slots=True)
class _Entries:
    """The entries of one list, each named in errors by its id, or by its place where it has none.

    Args:
        path: The file.
        what: ``annotation`` and the like.
        ids: Those that were seen.
    """

    path: Path
    what: str
    ids: set[object]

    def each(self, entries: Iterable[Any]) -> Iterator[tuple[object, dict[str, Any]]]:
        """(id or ``number 3``, entry); raises for an entry that is no object, and for an id that occurs twice."""
        for place, entry in enumerate(entries, start=1):
            if not isinstance(entry, dict):
                raise _other_schema(self.path, f"{self.what} number {place} is {_brief(entry)}")
            given = entry.get("id")
            if given is None:
                yield f"number {place}", entry
                continue
            name = int(given) if isinstance(given, float) and given.is_integer() else given
            if type(name) not in (int, str):
                raise self.fault(f"number {place}", f"id is {_brief(given)}", "write a number of its own")
            if name in self.ids:
                remedy = "give each its own id, or remove the one that is a copy"
                raise IcvosError(f"{self.path}: {self.what} {_brief(name)} occurs twice; {remedy}")
            self.ids.add(name)
            yield name, entry

    def fault(self, name: object, found: str, remedy: str) -> IcvosError:
        """The error for an entry."""
        return IcvosError(printable(f"{self.path}: {self.what} {name}: {found}; {remedy}"))

    def whole(self, name: object, entry: dict[str, Any], key: str, least: int = 0) -> int:
        """A whole number, which pandas may have written as 12.0."""
        if key not in entry:
            raise _other_schema(self.path, f"{self.what} {name} has no {key}")
        found = entry[key]
        if type(found) is float and found.is_integer():
            found = int(found)
        if type(found) is not int or found < least:
            raise self.fault(name, f"{key} is {_brief(entry[key])}", f"write a whole number of {least} or more")
        return found

    def text(self, name: object, entry: dict[str, Any], key: str) -> str:
        """A text that is not empty."""
        if key not in entry:
            raise _other_schema(self.path, f"{self.what} {name} has no {key}")
        found = entry[key]
        if not isinstance(found, str) or not found:
            raise self.fault(name, f"{key} is {_brief(found)}", "write a text")
        return found


def _categories(path: Path, values: list[Any]) -> list[int]:
    """The ids of the categories, which are all COCO's own."""
    entries, found = _Entries(path, "category", set()), []
    for name, entry in entries.each(values):
        number, title = entries.whole(name, entry, "id"), entries.text(name, entry, "name")
        known = BY_CATEGORY_ID.get(number)
        if known is None or title not in (known.name, *known.aliases):
            raise _other_schema(path, f"category {number} is {title!r}")
        if "keypoints" in entry:
            raise _other_schema(path, "it holds keypoints")
        found.append(number)
    return found


def _images(path: Path, values: list[Any]) -> Iterator[ImageEntry]:
    entries = _Entries(path, "image", set())
    for name, entry in entries.each(values):
        number, file_name = entries.whole(name, entry, "id"), entries.text(name, entry, "file_name")
        height, width = (entries.whole(name, entry, key, least=1) for key in ("height", "width"))
        yield ImageEntry(number, file_name, height, width)


def _instances(path: Path, values: list[Any], kinds: dict[int, int], images: tuple[ImageEntry, ...]) -> Annotations:
    entries, known = _Entries(path, "annotation", set()), {image.id for image in images}
    instances: dict[int, list[Instance]] = {}
    crowds: list[object] = []
    strays: list[object] = []
    empty: list[object] = []
    short: list[object] = []
    for name, entry in entries.each(values):
        image, number = entries.whole(name, entry, "image_id"), entries.whole(name, entry, "category_id")
        if number not in kinds:
            raise _other_schema(path, f"category_id {number} is not in its categories (annotation {name})")
        if "segmentation" not in entry:
            raise _other_schema(path, f"annotation {name} has no segmentation")
        if _is_crowd(entries, name, entry):
            crowds.append(name)
        elif image not in known:
            strays.append(name)
        elif entry["segmentation"] == []:
            empty.append(name)
        else:
            outline = _outline(entries, name, entry["segmentation"], short)
            instances.setdefault(image, []).append(Instance(name, kinds[number], outline))
    if crowds and not instances:
        raise IcvosError(f"{path}: all {len(crowds)} annotations are {CROWDS}; write iscrowd 0 for single objects")
    groups = (
        ("annotations", CROWDS, crowds),
        ("annotations", "of images that it does not list", strays),
        ("annotations", "with an empty segmentation", empty),
        ("polygons", "of fewer than three points, which enclose nothing", short),
    )
    left_out = tuple(LeftOut(what, reason, tuple(names)) for what, reason, names in groups if names)
    return Annotations(images, instances, left_out)


def _is_crowd(entries: _Entries, name: object, entry: dict[str, Any]) -> bool:
    given = entry.get("iscrowd", 0)
    if type(given) is int and given in (0, 1):  # nearly always; there may be a million
        return given == 1
    spelt = str(given).strip().lower() if isinstance(given, int | float | str) else ""
    if spelt not in (*_NOT_CROWDS, *_CROWDS):
        raise entries.fault(name, f"iscrowd is {_brief(given)}", "write 0, or 1 for a crowd")
    return spelt in _CROWDS


def _outline(entries: _Entries, name: object, found: Any, short: list[object]) -> Any:
    """The polygons, RLE or RLEs of an annotation; ``short`` gets its name for each polygon that encloses nothing."""
    kinds = set(map(type, found)) if isinstance(found, list) else set()
    if isinstance(found, dict):
        fault = _rle_fault(found)
    elif kinds == {array}:
        lengths = set(map(len, found))
        fault = _polygons_fault(lengths)
        if min(lengths) < 6 and fault is None:
            whole = [polygon for polygon in found if len(polygon) >= 6]
            short += [name] * (len(found) - len(whole))
            found = whole
    elif kinds == {dict}:
        fault = next(filter(None, map(_rle_fault, found)), None)
    else:
        fault = _brief(found)
    if fault is not None:
        raise entries.fault(name, f"segmentation is {fault}", f"write {FORMS}, or remove the annotation")
    return found


def _polygons_fault(lengths: set[int]) -> str | None:
    odd = next((length for length in lengths if length % 2), None)
    if odd is not None:
        return f"a polygon of {odd} numbers, which are no pairs of x and y"
    if max(lengths) < 6:  # pycocotools, too, takes none of these for a polygon
        return "a box of four numbers" if lengths == {4} else "points, of which no polygon has three"
    return None


def _rle_fault(found: dict[str, Any]) -> str | None:
    size, counts = found.get("size"), found.get("counts")
    if not (isinstance(size, list) and len(size) == 2 and set(map(type, size)) == {int}):
        return f"an RLE whose size is {_brief(size)}, not [height, width]"
    if not isinstance(counts, str) and not (isinstance(counts, list) and set(map(type, counts)) == {int}):
        return f"an RLE whose counts are {_brief(counts)}, neither text nor whole numbers"
    return None


def _brief(value: Any) -> str:
    text = json.dumps(value, default=list)
    return text if len(text) <= 60 else f"{text[:57]}..."
