"""The masks that were sent for scoring: a folder as it is, or the few files of an archive that are needed."""

import contextlib
import os
import tempfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from icvos.errors import Fault, IcvosError
from icvos.files.archives.entries import ARCHIVES, LIMITS, Entry, Limits, inspect, refused
from icvos.files.archives.unpacking import bare_name, listed, require_archive, write
from icvos.files.listing import is_passed_over
from icvos.vos.layout import Parts, is_mask

MAX_LEVELS = 8  # of folders that are looked into
MAX_FILES = 2_000_000
EXPECTED = "masks as <video>/<frame>.png"


class Source(Protocol):
    """Files by their paths, some of which can be had as files on disk."""

    @property
    def path(self) -> Path:
        """What the user gave."""
        ...

    @property
    def name(self) -> str:
        """What the whole is called."""
        ...

    def shown(self, text: str) -> str:
        """``text`` with the paths that the user knows."""
        ...

    def files(self) -> list[Parts]:
        """The paths of all that may be masks; `IcvosError` where there are none."""
        ...

    def fetch(self, chosen: Collection[Parts], /) -> Path:
        """The folder in which the ``chosen`` lie at their paths."""
        ...


@contextlib.contextmanager
def opened_source(path: Path, limits: Limits = LIMITS) -> Iterator[Source]:
    """The folder or archive ``path``; inside, errors name the archive, not where it is unpacked."""
    if path.is_dir():
        yield _Folder(path)
        return
    require_archive(path, EXPECTED)
    with tempfile.TemporaryDirectory(prefix="icvos-") as temporary:
        source = _Archive(path, Path(temporary).resolve(), limits)
        try:
            yield source
        except IcvosError as error:
            told = source.shown(str(error))
            if told == str(error):
                raise
            raise IcvosError(told) from error


@dataclass(frozen=True, slots=True)
class _Folder:
    path: Path

    @property
    def name(self) -> str:
        return self.path.resolve().name

    def shown(self, text: str) -> str:
        return text

    def files(self) -> list[Parts]:
        found: list[Parts] = []
        for place, folders, names in os.walk(self.path, followlinks=True):
            parts = Path(place).relative_to(self.path).parts
            folders[:] = [] if len(parts) >= MAX_LEVELS else [name for name in folders if not is_passed_over(name)]
            found += [(*parts, name) for name in names if is_mask((name,))]
            if len(found) > MAX_FILES:
                raise IcvosError(f"{self.path}: more than {MAX_FILES:,} PNG files; give the folder of the masks")
        if not found:
            raise IcvosError(f"{self.path}: no {EXPECTED}; give the folder that holds one folder of PNGs per video")
        return found

    def fetch(self, _: Collection[Parts], /) -> Path:
        return self.path


@dataclass(slots=True)
class _Archive:
    path: Path
    place: Path
    limits: Limits
    entries: tuple[Entry, ...] = ()

    @property
    def name(self) -> str:
        return bare_name(self.path)

    def shown(self, text: str) -> str:
        return text.replace(str(self.place), str(self.path))

    def files(self) -> list[Parts]:
        """Judged: names and kinds of all entries, and sizes of what may be unpacked."""
        entries = listed(self.path, self.limits)
        faults = list(inspect(self.path, entries, self.limits, _may_be_unpacked))
        if faults:
            raise refused(self.path, faults)
        self.entries = tuple(filter(_may_be_unpacked, entries))
        if not self.entries:
            inner = next((entry.name for entry in entries if entry.name.lower().endswith(ARCHIVES)), None)
            what = f"holds no {EXPECTED}"
            what += f"; unpack it, and give {inner} in it" if inner else "; pack the folders of the videos"
            raise refused(self.path, [Fault("nested" if inner else "layout", str(self.path), what)])
        return [tuple(entry.parts) for entry in self.entries]

    def fetch(self, chosen: Collection[Parts], /) -> Path:
        wanted = set(chosen)
        write(self.path, [entry for entry in self.entries if tuple(entry.parts) in wanted], self.place, self.limits)
        return self.place


def _may_be_unpacked(entry: Entry) -> bool:
    return entry.kind == "file" and is_mask(entry.parts)
