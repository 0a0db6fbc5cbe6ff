"""Unpack an archive of a data set: within bounds, and on from where it was stopped.

What comes out is gathered in a folder of its own and put in its place at the end, so that a reader never meets half
of it. A file that is there in full, there or in its place, is not unpacked again.
"""

import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from curation.acquisition.catalogue import in_words
from icvos.errors import Fault, IcvosError
from icvos.files.archives.entries import ArchiveError, Entry, Limits, inspect
from icvos.files.archives.unpacking import listed, write
from icvos.files.listing import is_passed_over
from icvos.files.locks import lock_file
from icvos.files.storage import NO_SPACE, unwritable
from icvos.tasks.task import SILENT, Watch

# of published data sets: COCO's largest archive has 118,288 entries, MOSE's 22 GB in one
LIMITS = Limits(
    entries=3_000_000,
    folders=300_000,
    directory_bytes=1 << 30,
    entry_bytes=1 << 37,
    total_bytes=1 << 40,
    archives=True,
)
MEGABYTE = 10**6


def unpack(
    archive: Path, target: Path, staging: Path, only: Sequence[str] = (), *, watch: Watch = SILENT
) -> dict[str, int]:
    """Unpack an archive into ``target``, which may hold other things already.

    Args:
        archive: A zip, tar or tar.gz file.
        target: Where its files belong.
        staging: Where they are gathered, on the same disk; removed at the end, and gone on from after a stop.
        only: Patterns of the paths that are unpacked; all without them.
        watch: Is told of the stage and its megabytes.

    Returns:
        How many files came of it, by the first parts of their paths.

    Raises:
        IcvosError: It is no archive, holds what could do harm, does not fit on the disk, or cannot be written.
    """
    watch.stage(f"unpack {archive.name} (MB)")
    chosen = _judged(archive, only)
    missing = [entry for entry in chosen if not (_stands(entry, staging) or _stands(entry, target))]
    total, rest = sum(entry.size for entry in chosen), sum(entry.size for entry in missing)
    require_space(staging, rest, f"to unpack {archive.name}")
    watch.total(total // MEGABYTE, (total - rest) // MEGABYTE)
    try:
        staging.mkdir(parents=True, exist_ok=True)
        for entry in missing:  # one that was cut off
            staging.joinpath(*entry.parts).unlink(missing_ok=True)
        if missing:
            write(archive, missing, staging, LIMITS, remedy=NO_SPACE, told=_in_megabytes(watch))
        with lock_file(staging.parent / "placing", str(target), wait=True):
            place(staging, target)
    except ArchiveError as error:
        raise _refused(archive, error.faults) from error
    except OSError as error:
        raise unwritable(target, error) from error
    return dict(Counter(entry.parts[0] for entry in chosen))


def require_space(folder: Path, wanted: int, what: str) -> None:
    """Raise `IcvosError` where the disk of ``folder``, which need not exist, has less than ``wanted`` bytes free."""
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    free = shutil.disk_usage(there).free
    if free < wanted:
        raise IcvosError(
            f"{folder}: {in_words(wanted)} are needed {what}, {in_words(free)} are free; free some space, or choose "
            "another disk"
        )


def place(source: Path, target: Path) -> None:
    """Move ``source`` to ``target``: folders into those that are there, files in the place of those that are there."""
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        source.rename(target)
    elif source.is_dir() and target.is_dir():
        for child in sorted(source.iterdir()):
            place(child, target / child.name)
        source.rmdir()
    elif source.is_file() and target.is_file():
        source.replace(target)
    else:
        kind = "a file" if target.is_file() else "a folder"
        raise IcvosError(f"{target}: is {kind}, which the data set has not there; move it, or choose another folder")


def _judged(archive: Path, only: Sequence[str]) -> list[Entry]:
    """The files of an archive that are wanted; nothing is unpacked of one with a fault."""
    try:
        found = listed(archive, LIMITS)
        faults = list(inspect(archive, found, LIMITS, lambda entry: _is_wanted(entry, only)))
    except ArchiveError as error:
        raise _refused(archive, error.faults) from error
    if faults:
        raise _refused(archive, faults)
    chosen = [entry for entry in found if entry.kind == "file" and _is_wanted(entry, only)]
    if not chosen:
        raise IcvosError(f"{archive}: has no file{f' like {only[0]}' if only else ''}; remove it and fetch it again")
    return chosen


def _is_wanted(entry: Entry, only: Sequence[str]) -> bool:
    return not any(map(is_passed_over, entry.parts)) and (
        not only or any(fnmatchcase(entry.name, pattern) for pattern in only)
    )


def _stands(entry: Entry, folder: Path) -> bool:
    path = folder.joinpath(*entry.parts)
    return path.is_file() and path.stat().st_size == entry.size


def _refused(archive: Path, faults: Sequence[Fault]) -> IcvosError:
    """The error for an archive that others made: its faults are told without what its maker could do about them."""
    first, more = faults[0], f" (and {len(faults) - 1:,} more)" if len(faults) > 1 else ""
    what = first.what.partition(";")[0]
    return IcvosError(
        f"{first.where}: {what}{more}; {archive} is not as it was published: remove it and fetch it again"
    )


def _in_megabytes(watch: Watch) -> Callable[[int], None]:
    """Tells ``watch`` of bytes in whole megabytes."""
    rest = 0

    def told(size: int) -> None:
        nonlocal rest
        whole, rest = divmod(rest + size, MEGABYTE)
        if whole:
            watch.advance(whole)

    return told
