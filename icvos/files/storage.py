"""Writes that are there whole or not at all: a temporary name first, then a rename."""

import contextlib
import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from icvos.errors import IcvosError
from icvos.files.names import require_inside

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
    """The error for a file or folder that cannot be written, with the remedy that its cause asks for."""
    remedy = REMEDIES.get(error.errno or 0, NO_SPACE)
    return IcvosError(f"{path}: cannot be written ({error.strerror or error}); {remedy}")


def require_writable(path: Path, *, folder: bool = False) -> None:
    """Raise `IcvosError` now where ``path`` could not be written later, after the work; nothing is left behind.

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
        handle, temporary = tempfile.mkstemp(dir=place, prefix=".icvos." if folder else f".{path.name}.")
        os.close(handle)
        Path(temporary).unlink()
    except OSError as error:
        raise unwritable(path, error) from error


def _os_error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def _is_stream(path: Path) -> bool:
    """Whether ``path`` is a device or a pipe, as /dev/stdout: written to, never replaced by a file."""
    return path.exists() and not path.is_file() and not path.is_dir()


def write_bytes(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` so that a killed process leaves the old file or the new one, never half of it."""
    try:
        if _is_stream(path):
            path.write_bytes(data)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise unwritable(path, error) from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except OSError as error:
        Path(temporary).unlink(missing_ok=True)
        raise unwritable(path, error) from error
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """`write_bytes` for UTF-8 text."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, value: Any) -> None:
    """`write_bytes` for JSON with sorted keys left as given, two spaces of indent and a final newline."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path, what: str, compact: Callable[[dict[str, Any]], Any] | None = None) -> Any:
    """The value in a JSON file; ``what`` names the file's role in the error for one that cannot be read.

    ``compact`` is given every object as it is read and says what to keep in its place, to save memory on a large file.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"), object_hook=compact)
    except FileNotFoundError:
        raise IcvosError(f"{path}: no such file; expected {what}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise IcvosError(f"{path}: cannot be read as {what} ({error}); fetch or write it again") from error


@contextlib.contextmanager
def atomic_folder(path: Path, scratch: Path, within: Path | None = None) -> Iterator[Path]:
    """A new folder below ``scratch`` to fill; it becomes ``path``, replacing what was there, when the block ends well.

    ``scratch`` must lie on the same file system as ``path``. After an error ``path`` is as it was. Where a part of
    ``path`` comes from a file, ``within`` is the folder that neither may leave, by a name or by a link.
    """
    if within is not None:
        require_inside(path, within)
        require_inside(scratch, within)
    try:
        scratch.mkdir(parents=True, exist_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=scratch, prefix=f"{path.name}."))
        temporary.chmod(0o755)
    except OSError as error:
        raise unwritable(path, error) from error
    try:
        yield temporary
        if path.exists():
            replaced = Path(tempfile.mkdtemp(dir=scratch, prefix=f"{path.name}.old."))
            path.rename(replaced / path.name)
            temporary.rename(path)
            shutil.rmtree(replaced)
        else:
            temporary.rename(path)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise unwritable(path, error) from error
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """A temporary name beside ``path``, with its suffix, to write to; it becomes ``path`` when the block ends well.

    For files that are written in pieces or by another library. After an error ``path`` is untouched.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.", suffix=path.suffix)
    except OSError as error:
        raise unwritable(path, error) from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def link_or_copy(source: Path, target: Path) -> None:
    """A hard link to ``source`` where the file system allows it, else a copy."""
    try:
        os.link(source.resolve(), target)
    except OSError:
        shutil.copyfile(source, target)


def take_in(source: Path, target: Path) -> None:
    """`link_or_copy` into a folder that may not exist yet, in the place of what is there, whole or not at all."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        link_or_copy(source, temporary)
        temporary.replace(target)
        temporary.unlink(missing_ok=True)  # a rename leaves both names where they are one file already
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise IcvosError(
            f"{target}: cannot be written ({error.strerror or error}); free some space or choose another folder"
        ) from error


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for chunk in iter(lambda: file.read(1 << 20), b""):
            digest.update(chunk)
    return digest.hexdigest()
