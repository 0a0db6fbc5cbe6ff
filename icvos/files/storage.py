"""Writes that are there whole or not at all: a temporary name first, then a rename.

Temporaries say whose they are, see `icvos.files.leftovers`.
"""

import codecs
import contextlib
import ctypes
import errno
import hashlib
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from icvos.errors import IcvosError
from icvos.files.leftovers import remove, remove_leftovers, temporary_file, temporary_folder
from icvos.files.names import require_inside
from icvos.files.refused import concerns, in_words
from icvos.files.text import without_mark

LONE = re.compile("[\ud800-\udfff]")  # half a surrogate pair: Python's stand-in for a byte that is no UTF-8
SOURCES = frozenset({"icvos.json", "supports.json", "episodes.json", "val.json", "train.json", "run.json"})
ROWS = b"source,video,class,"  # how a curation file begins
AT_FDCWD, RENAME_EXCHANGE = -100, 2  # of Linux
RENAME_SWAP = 2  # of macOS
NO_SPACE, NO_RIGHT = "free some space or choose another folder", "choose a folder that you may write to"
NO_FOLDER = "a file stands where a folder should be, choose another place"
REMEDIES = {
    errno.EISDIR: "it is a folder, give the name of a file",
    errno.ENOTDIR: NO_FOLDER,
    errno.EEXIST: NO_FOLDER,
    errno.EACCES: NO_RIGHT,
    errno.EPERM: NO_RIGHT,
    errno.EROFS: "nothing can be written there, choose another place",
    errno.ENOENT: "choose another folder",
    errno.ENAMETOOLONG: "choose a shorter name",
}


def unwritable(path: Path, error: OSError) -> IcvosError:
    """The error for a file or folder that cannot be written, with the remedy that its cause asks for.

    Where another file is the cause, as a source that has vanished, the error is of that.
    """
    if not concerns(error, path):
        return IcvosError(in_words(error))
    remedy = REMEDIES.get(error.errno or 0, NO_SPACE)
    return IcvosError(f"{path}: cannot be written ({error.strerror or error}); {remedy}")


def require_writable(path: Path, *, folder: bool = False) -> None:
    """Raise `IcvosError` now where ``path`` could not, or should not, be written later; nothing is left behind.

    A file that others are made from, as a benchmark's manifest or the rows of a curation, is never an output: one slip
    of the keyboard would cost it.

    Args:
        path: What is to be written; neither it nor the folders above it need exist.
        folder: Whether it is a folder that files are to be written into.
    """
    try:
        if not folder and path.is_dir():
            raise _os_error(errno.EISDIR)
        if not folder and _is_stream(path):
            if not os.access(path, os.W_OK):
                raise _os_error(errno.EACCES)
            return
        above = path.absolute().parents
        place = next(place for place in ((path, *above) if folder else above) if os.path.lexists(place))
        if not place.is_dir():
            raise _os_error(errno.ENOTDIR)
        tempfile.TemporaryFile(dir=place).close()  # without a name, where the system has such files
        with contextlib.suppress(FileNotFoundError):
            path.lstat()  # a name that is too long
    except OSError as error:
        raise unwritable(path, OSError(error.errno, error.strerror)) from error  # of a temporary, not of what it names
    if not folder and path.is_file():
        _refuse_source(path)


def _refuse_source(path: Path) -> None:
    with path.open("rb") as file:
        start = file.read(len(codecs.BOM_UTF8 + ROWS))
    is_rows = start.removeprefix(codecs.BOM_UTF8).startswith(ROWS)
    if is_rows or path.name in SOURCES:
        what = "a curation file" if is_rows else "part of a benchmark or a run"
        raise IcvosError(f"{path}: is {what}, which would be lost; give the output another name")


def _os_error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def _is_stream(path: Path) -> bool:
    """Whether ``path`` is a device or a pipe, as /dev/stdout: written to, never replaced by a file."""
    return path.exists() and not path.is_file() and not path.is_dir()


def write_bytes(path: Path, data: bytes, *, lasting: bool = True) -> None:
    """Write ``data`` to ``path`` so that a killed process leaves the old file or the new one, never half of it.

    Args:
        path: The file.
        data: Its content.
        lasting: Whether it is on the disk when this returns, to outlive a power failure. For one of many files that
            would take too long.
    """
    if _is_stream(path):
        try:
            path.write_bytes(data)
        except OSError as error:
            raise unwritable(path, error) from error
        return
    if lasting:
        remove_leftovers(path.parent, path.name)
    with _new_file(path, path.name) as temporary:
        temporary.write_bytes(data)
        _put_file(temporary, path, lasting)


def write_new(path: Path, data: bytes) -> bool:
    """`write_bytes` where there is no such file yet: whether that was so. However many write at once, one succeeds."""
    remove_leftovers(path.parent, path.name)
    with _new_file(path, path.name) as temporary:
        temporary.write_bytes(data)
        temporary.chmod(0o644)
        sync(temporary)
        try:
            os.link(temporary, path)
        except FileExistsError:
            return False
        except OSError:  # a file system without hard links
            if path.exists():
                return False
            temporary.replace(path)
        sync(path.parent)
    return True


@contextlib.contextmanager
def _new_file(path: Path, name: str, suffix: str = "") -> Iterator[Path]:
    """A temporary beside ``path``; an `OSError` in the block becomes the `IcvosError` that names ``path``."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary_file(path.parent, name, suffix) as temporary:
            yield temporary
    except OSError as error:
        raise unwritable(path, error) from error


def _put_file(temporary: Path, path: Path, lasting: bool) -> None:
    temporary.chmod(0o644)
    if lasting:
        sync(temporary)
    temporary.replace(path)
    if lasting:
        sync(path.parent)


def sync(path: Path) -> None:
    """Put a file, or the list of names of a folder, on the disk, where the system can."""
    is_folder = path.is_dir()
    if is_folder and os.name == "nt":
        return
    try:
        handle = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        if not is_folder and error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS):
            raise


def write_text(path: Path, text: str, *, lasting: bool = True) -> None:
    """`write_bytes` for UTF-8 text, made `storable`."""
    write_bytes(path, storable(text).encode("utf-8"), lasting=lasting)


def storable(text: str) -> str:
    r"""``text`` with ``\xe9`` for what UTF-8 cannot hold: a byte of a file name that is in another encoding.

    >>> storable("caf\udce9")
    'caf\\xe9'
    """
    return LONE.sub(lambda found: _spelled(ord(found[0])), text)


def _spelled(code: int) -> str:
    return f"\\x{code & 0xFF:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"


def json_text(value: Any, encoding: str = "utf-8", *, indent: int | None = 2) -> str:
    """JSON with keys in the order given, two spaces of indent and a final newline; texts are made `storable`.

    Other characters that ``encoding`` does not have are escaped. Without ``indent`` it is one line, made far faster.
    """
    text = json.dumps(value, indent=indent, ensure_ascii=False) + "\n"
    text = LONE.sub(lambda found: json.dumps(storable(found[0]))[1:-1], text)
    if encoding.lower() not in ("utf-8", "utf8"):
        text = "".join(one if one.isascii() else json.dumps(one)[1:-1] for one in text)
    return text


def write_json(path: Path, value: Any) -> None:
    """`write_bytes` for `json_text`."""
    write_text(path, json_text(value))


def once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object as `json` reads it (``object_pairs_hook``); ValueError for a key that is there twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        before: set[str] = set()
        for key, _ in pairs:
            if key in before:
                raise ValueError(f"key {key!r} occurs twice in one object")
            before.add(key)
    return found


def refuse_repeated_keys(data: bytes | str) -> None:
    """Raises ValueError for a JSON text with an object that has a key twice; keeps nothing of what it reads."""
    json.loads(data, object_pairs_hook=lambda pairs: len(once_each(pairs)))


def is_object(line: bytes | str) -> bool:
    """Whether a last line without its end is a whole JSON object, and not cut off by a kill."""
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def end_last_line(path: Path) -> None:
    """Make ``path`` ready to be appended to: drop a last line that is cut off, end one that only lacks its end."""
    data = path.read_bytes() if path.is_file() else b""
    end = data.rfind(b"\n") + 1
    if end == len(data):
        return
    if is_object(data[end:]):
        with path.open("ab") as file:
            file.write(b"\n")
    else:
        os.truncate(path, end)


def read_json(path: Path, what: str, compact: Callable[[dict[str, Any]], Any] | None = None) -> Any:
    """The value in a JSON file; ``what`` names the file's role in the error for one that cannot be read.

    ``compact`` is given every object as it is read and says what to keep in its place, to save memory on a large file.
    A key that an object has twice is refused.
    """
    hook = once_each if compact is None else lambda pairs: compact(once_each(pairs))
    try:
        text = without_mark(path.read_bytes()).decode("utf-8")
        return json.loads(text, object_pairs_hook=hook)
    except FileNotFoundError:
        raise IcvosError(f"{path}: no such file; expected {what}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise IcvosError(f"{path}: cannot be read as {what} ({error}); fetch or write it again") from error


@contextlib.contextmanager
def atomic_folder(path: Path, scratch: Path, within: Path | None = None, *, lasting: bool = False) -> Iterator[Path]:
    """A new folder below ``scratch`` to fill; it becomes ``path``, replacing what was there, when the block ends well.

    The two change places in one step where the system has one (`exchange`). Elsewhere there is a moment in which
    ``path`` is not there; `recover_folder` puts the old one back after a kill in it, and is called here first.
    ``scratch`` must lie on the same file system as ``path``. After an error ``path`` is as it was.

    Args:
        path: The folder.
        scratch: Where it is filled.
        within: Where a part of ``path`` comes from a file: the folder that neither may leave, by a name or by a link.
        lasting: As for `write_bytes`, for all of its files.
    """
    if within is not None:
        require_inside(path, within)
        require_inside(scratch, within)
    try:
        scratch.mkdir(parents=True, exist_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        recover_folder(path)
        remove_leftovers(scratch, path.name)
        with temporary_folder(scratch, path.name) as temporary:
            yield temporary
            put_folder(temporary, path, lasting=lasting)
    except OSError as error:
        raise unwritable(path, error) from error


def put_folder(folder: Path, path: Path, *, lasting: bool = False) -> None:
    """Make ``folder`` the folder ``path``, in place of the one that is there; the rest as `atomic_folder`."""
    if lasting:
        for found in sorted(folder.rglob("*")):
            sync(found)
        sync(folder)
    if not path.is_symlink() and not path.exists():
        folder.rename(path)
    elif exchange(folder, path):
        remove(folder)
    else:
        aside = _aside(path)
        path.rename(aside)
        try:
            folder.rename(path)
        finally:
            recover_folder(path)
    if lasting:
        sync(path.parent)


def recover_folder(path: Path) -> bool:
    """Finish what a replacement of the folder ``path`` was stopped in: whether the old one had to be put back."""
    aside = _aside(path)
    if not aside.exists():
        return False
    if path.exists():
        remove(aside)
        return False
    aside.rename(path)
    return True


def _aside(path: Path) -> Path:
    return path.with_name(f".{path.name}.old")


def exchange(one: Path, other: Path) -> bool:
    """Let two files or folders change places in one step; whether the system could, as Linux and macOS can."""
    names = os.fsencode(one), os.fsencode(other)
    with contextlib.suppress(AttributeError, OSError, TypeError):  # no such library, or no such function
        library = ctypes.CDLL(None)
        if sys.platform == "darwin":
            return bool(library.renamex_np(*names, RENAME_SWAP) == 0)
        return bool(library.renameat2(AT_FDCWD, names[0], AT_FDCWD, names[1], RENAME_EXCHANGE) == 0)
    return False


@contextlib.contextmanager
def atomic_file(path: Path, *, lasting: bool = False) -> Iterator[Path]:
    """A temporary name beside ``path``, with its suffix, to write to; it becomes ``path`` when the block ends well.

    For files that are written in pieces or by another library; ``lasting`` as for `write_bytes`. After an error
    ``path`` is untouched.
    """
    remove_leftovers(path.parent, path.stem)
    with _new_file(path, path.stem, path.suffix) as temporary:
        yield temporary
        _put_file(temporary, path, lasting)


def link_or_copy(source: Path, target: Path) -> None:
    """A hard link to ``source`` where the file system allows it, else a copy."""
    try:
        os.link(source.resolve(), target)
    except OSError:
        shutil.copyfile(source, target)


def take_in(source: Path, target: Path) -> None:
    """`link_or_copy` into a folder that may not exist yet, in the place of what is there, whole or not at all."""
    remove_leftovers(target.parent, target.name)
    with _new_file(target, target.name) as temporary:
        temporary.unlink()
        link_or_copy(source, temporary)
        sync(temporary)
        temporary.replace(target)
        sync(target.parent)


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for chunk in iter(lambda: file.read(1 << 20), b""):
            digest.update(chunk)
    return digest.hexdigest()
