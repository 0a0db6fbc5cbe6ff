"""The published lists of few-shot segmentation: which pictures are asked for which class.

    <lists>/{train,val}/sub_class_file_list_<fold>.txt    {class: [(image path, label path), ...], ...}
    <lists>/{train,val}/data_list_<fold>.txt              image path, label path: a line a picture; read only where
                                                          there are no class lists, which name the same pictures

The paths are those of another machine: only file names are kept. The lists of all folds are joined: a class has
the same pictures in whichever fold it is. Files are read by a scanner that knows this one form; nothing is evaluated.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath, PureWindowsPath

from icvos.errors import IcvosError
from icvos.files.text import read_text

Listing = Mapping[str, frozenset[int]]  # picture key -> classes
LARGEST = 1 << 28  # bytes; the lists of all 80 classes of COCO's training pictures have about a fifth of this

_TEXT = r"""(?:'((?:[^'\\\n]|\\.)*)'|"((?:[^"\\\n]|\\.)*)")"""
_CLASS = re.compile(r"(\d{1,3})\s*:\s*\[\s*")
_PAIR = re.compile(rf"\(\s*{_TEXT}\s*,\s*{_TEXT}\s*,?\s*\)\s*")
_COMMA = re.compile(r",\s*")
_END = re.compile(r"\]\s*(?:,\s*|(?=\}$))")


def picture_key(path: PurePath | str) -> str:
    """What names a picture in every list and release: the stem, and of COCO's 2014 names the number alone.

    >>> picture_key("val2014/COCO_val2014_000000000139.jpg"), picture_key("2007_000033.jpg")
    ('000000000139', '2007_000033')
    """
    stem = PurePath(path).stem
    found = re.fullmatch(r"COCO_(?:train|val)2014_(\d{12})", stem)
    return found[1] if found else stem


def read_listing(root: Path, split: str, classes: int) -> Listing:
    """The classes of every picture in the lists of ``split`` (``train`` or ``val``) below ``root``.

    Where there are data lists alone, the classes are empty, which leaves them to the area of the masks.

    Raises `IcvosError` where there is no list, for a file of another form or above 256 MiB, and for a class that is not
    in 1..classes.
    """
    folder = next((place / split for place in (root, root / "fss_list") if (place / split).is_dir()), root / split)
    found: dict[str, set[int]] = {}
    for path in sorted(folder.glob("sub_class_file_list_*.txt")):
        for kind, name in _read_pairs(path):
            if not 1 <= kind <= classes:
                raise IcvosError(f"{path}: class {kind}; class numbers are 1..{classes}")
            found.setdefault(picture_key(name), set()).add(kind)
    if not found:
        for path in sorted(folder.glob("data_list_*.txt")):
            for line in filter(None, map(str.strip, _read_text(path).splitlines())):
                found.setdefault(picture_key(_file_name(line.split()[0])), set())
    if not found:
        pickled = any(root.glob("**/fold?.pkl"))
        reason = "; pickled splits are not read, since they can run code" if pickled else ""
        raise IcvosError(
            f"{folder}: no picture in sub_class_file_list_*.txt; give the folder fss_list of published lists{reason}"
        )
    return {key: frozenset(kinds) for key, kinds in sorted(found.items())}


def _read_text(path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST:
            raise IcvosError(f"{path}: larger than {LARGEST >> 20} MiB; this is no published list")
        return read_text(path).strip()
    except (OSError, ValueError) as error:
        raise IcvosError(f"{path}: cannot be read ({error}); fetch the list again") from error


def _file_name(path: str) -> str:
    return PureWindowsPath(path).name  # which takes both kinds of slash


def _read_pairs(path: Path) -> Iterator[tuple[int, str]]:
    """(class, file name of the image) of every entry of a class list."""
    text = _read_text(path)
    if not (text.startswith("{") and text.endswith("}")):
        raise _other_form(path, text, 0)
    place = len(text) - len(text[1:].lstrip())
    while place < len(text) - 1:
        head = _CLASS.match(text, place)
        if head is None:
            raise _other_form(path, text, place)
        place = head.end()
        while pair := _PAIR.match(text, place):
            yield int(head[1]), _file_name(pair[1] or pair[2] or "")
            place = pair.end()
            comma = _COMMA.match(text, place)
            if comma is None:
                break
            place = comma.end()
        tail = _END.match(text, place)
        if tail is None:
            raise _other_form(path, text, place)
        place = tail.end()


def _other_form(path: Path, text: str, place: int) -> IcvosError:
    found = text[place : place + 30]
    return IcvosError(
        f"{path}: expected {{class: [(image path, label path), ...], ...}}, but found {found!r} at character {place}; "
        "fetch the list again"
    )
