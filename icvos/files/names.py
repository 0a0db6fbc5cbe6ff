"""Names from files, before they meet a path: the one place that says what may be a part of one.

Benchmarks, runs and boards come from strangers, and a name in them that leads elsewhere, as ``../photos``, would have
icvos read, replace or remove what it must not touch. So every name that becomes part of a path is a `PlainName` or a
`PlainPath` of `icvos.files.schema`, or goes through `plain_name`; and `require_inside` looks once more, through links,
where something is written or removed.
"""

import re
from pathlib import Path

from icvos.errors import IcvosError, printable

MAX_BYTES = 200  # of a name; file systems take 255, and temporary names are longer than the name they stand for
MAX_PARTS = 16  # of a path
SOURCES = ("davis", "mose", "lvos", "youtube-vos")  # of videos; a built video is called <source>_<original name>
DRAWN = "drawn.txt"  # in a data set that is drawn: what is built of it, and scored on that, says so
DEVICE = re.compile(r"(con|prn|aux|nul|com[1-9¹²³]|lpt[1-9¹²³])(\..*)?", re.IGNORECASE)  # of Windows
DRIVE = re.compile(r"[A-Za-z]:")


def name_fault(text: str) -> str:
    r"""Why ``text`` cannot be the name of a file or folder on every system, after "which"; empty where it can.

    >>> name_fault("davis_dog"), name_fault("../photos")
    ('', 'has a slash or backslash')
    """
    if not text:
        return "is empty"
    if "/" in text or "\\" in text:
        return "has a slash or backslash"
    if len(text.encode("utf-8", "replace")) > MAX_BYTES:
        return f"is longer than {MAX_BYTES} bytes"
    if text.strip(". ") != text:
        return "begins or ends with a dot or a space"
    if printable(text) != text:
        return "has characters that cannot be shown"
    if DRIVE.match(text):
        return "begins like a drive"
    return "is a device of Windows" if DEVICE.fullmatch(text) else ""


def path_fault(text: str) -> str:
    """Why ``text`` is no relative path of plain names, with ``/`` between them; empty where it is."""
    parts = text.split("/")
    if len(parts) > MAX_PARTS:
        return f"has more than {MAX_PARTS} parts"
    return next(filter(None, map(name_fault, parts)), "")


def plain_name(text: str, where: object) -> str:
    """``text`` if it can be the name of a file or folder; else `IcvosError`. ``where`` says where it is from."""
    fault = name_fault(text)
    if fault:
        raise IcvosError(printable(f"{where}: {text!r} cannot name a file or folder, it {fault}; rename it"))
    return text


def require_inside(path: Path, folder: Path) -> None:
    """Raise `IcvosError` where ``path``, all links followed, does not lie in ``folder``."""
    try:
        place, root = path.resolve(), folder.resolve()
    except (OSError, RuntimeError) as error:  # links in a circle, or a name that the system does not take
        raise IcvosError(printable(f"{path}: leads nowhere ({error}); remove it")) from error
    if root not in place.parents:
        raise IcvosError(
            printable(
                f"{path}: leads out of {folder}, where nothing is written or removed; remove the link, if it is one"
            )
        )
