"""Which data sets there are to be had, under which terms and where; ``catalogue.toml`` holds them all."""

import functools
import tomllib
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, RootModel, ValidationError, model_validator

from icvos.errors import IcvosError
from icvos.files.hub import REPOSITORY
from icvos.files.schema import PlainPath, Schema, misfit
from icvos.files.text import read_text
from icvos.suggestions import nearest

WHAT = "a catalogue of data sets"
GIGABYTE, MEGABYTE = 10**9, 10**6
Reader = Literal["davis", "mose", "lvos", "youtube-vos", "coco", "voc", "sbd", "ic-vos"]
Size = Annotated[int, Field(gt=0)]
Address = Annotated[str, Field(pattern=r"^https?://[^/\s]+/\S+$")]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Inside(Schema):
    """An archive inside of an archive: its path there, its SHA-256 and what it is unpacked into."""

    file: PlainPath
    sha256: Digest | None = None
    into: PlainPath | Literal[""] = ""


class Archive(Schema):
    """A file that is fetched and unpacked, or all files of a repository on the Hub; see ``catalogue.toml``."""

    file: PlainPath | Literal[""] = ""
    urls: tuple[Address, ...] = ()
    hub: Annotated[str, Field(pattern=f"^{REPOSITORY.pattern}$")] | None = None
    size: Size | None = None
    sha256: Digest | None = None
    into: PlainPath | Literal[""] = ""
    only: tuple[str, ...] = ()
    inside: tuple[Inside, ...] = ()
    holds: dict[PlainPath, Size] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _is_somewhere(self) -> "Archive":
        if bool(self.urls) == bool(self.hub):
            raise ValueError("needs urls, or else the repository hub")
        if self.urls and not self.file:
            raise ValueError("needs the name of its file")
        return self

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.file or f"{self.hub} on the Hugging Face Hub"

    def line(self) -> str:
        """Where it is, its size and its hash, as far as they are known."""
        if self.hub:
            return f"on the Hugging Face Hub: {self.hub} {self.file}".rstrip()
        digest = f"SHA-256 {self.sha256}" if self.sha256 else "no SHA-256 known"
        return f"download: {self.urls[0]} ({in_words(self.size) or 'size not known'}, {digest})"


class Source(Schema):
    """A data set, as ``catalogue.toml`` explains."""

    name: str = ""
    title: str
    what: str
    used_by: str
    folder: PlainPath | Literal[""] = ""
    layout: str = ""
    licence: str = ""
    terms: str = ""
    page: str = ""
    by_hand: str = ""
    note: str = ""
    parts: tuple[str, ...] = ()
    archives: tuple[Archive, ...] = ()
    reader: Reader | None = None
    version: str = ""
    videos: Size | None = None
    frames: Size | None = None
    images: Size | None = None

    @model_validator(mode="after")
    def _can_be_had(self) -> "Source":
        if sum(map(bool, (self.parts, self.archives, self.by_hand))) != 1:
            raise ValueError("needs parts, archives, or by_hand, and one of them")
        if self.archives and not self.terms:
            raise ValueError("needs the address of its terms")
        return self

    @property
    def size(self) -> int | None:
        """Bytes to fetch; None where a size is not published."""
        sizes = [archive.size for archive in self.archives]
        return None if not sizes or None in sizes else sum(size for size in sizes if size)

    @property
    def way(self) -> str:
        """How it is had: ``fetch``, ``hub``, ``by hand``."""
        if self.by_hand:
            return "by hand"
        return "hub" if any(archive.hub for archive in self.archives) else "fetch"

    def lines(self) -> list[str]:
        """All that a user should know of it, line by line."""
        lines = [f"{self.title}: {self.what}", f"  licence: {self.licence}", f"  terms: {self.terms}"]
        lines.append(f"  handed out at: {self.page}")
        lines += [f"  {archive.line()}" for archive in self.archives]
        if self.by_hand:
            lines.append(f"  by hand, as no stable address could be confirmed: {self.by_hand}")
        else:
            lines.append(f"  icvos data fetch {self.name} --to DIR --accept-terms")
        if self.layout:
            lines.append(f"  layout of DIR/{self.folder}: {self.layout}")
        lines.append(f"  then: {self.used_by} DIR/{self.folder}")
        return lines + ([f"  note: {self.note}"] if self.note else [])


class _Sources(RootModel[dict[str, Source]]):
    """A catalogue: data sets by name."""


@functools.cache
def shipped() -> dict[str, Source]:
    """The catalogue that comes with icvos."""
    text = files("curation.acquisition").joinpath("catalogue.toml").read_text(encoding="utf-8")
    return _parse(text, "the catalogue of icvos")


def read_catalogue(path: Path | None = None) -> dict[str, Source]:
    """The data sets of a catalogue of one's own, with mirrors perhaps; None: those that icvos knows.

    Raises `IcvosError` for a file that is no catalogue.
    """
    if path is None:
        return shipped()
    try:
        text = read_text(path)
    except (OSError, ValueError) as error:
        raise IcvosError(f"{path}: cannot be read as {WHAT} ({error}); give a TOML file") from error
    return _parse(text, str(path))


def _parse(text: str, where: str) -> dict[str, Source]:
    try:
        entries: dict[str, Any] = tomllib.loads(text)
        named = {name: {**entry, "name": name} if isinstance(entry, dict) else entry for name, entry in entries.items()}
        sources = _Sources.model_validate(named).root
    except tomllib.TOMLDecodeError as error:
        raise IcvosError(f"{where}: is not TOML ({error}); correct it") from error
    except ValidationError as error:
        raise IcvosError(f"{where}: {misfit(error, WHAT)}; correct it") from error
    for source in sources.values():
        unknown = [part for part in source.parts if part not in sources]
        if unknown:
            raise IcvosError(f"{where}: {source.name} has the part {unknown[0]}, which is not there; correct it")
    return sources


def choose(sources: dict[str, Source], names: Sequence[str]) -> list[Source]:
    """The data sets that are called so, each once, those that consist of others replaced by them."""
    found: dict[str, Source] = {}
    for name in names:
        source = find(sources, name)
        for part in source.parts or (name,):
            found[part] = sources[part]
    return list(found.values())


def find(sources: dict[str, Source], name: str) -> Source:
    """The data set that is called so; raises `IcvosError` with the nearest name for another."""
    if name not in sources:
        near = nearest(name, sources)
        hint = f"did you mean {near}?" if near else "icvos data list shows those known"
        raise IcvosError(f"unknown data set {name!r}; {hint}")
    return sources[name]


def in_words(size: int | None) -> str:
    """A number of bytes, as ``833 MB``; "" for None.

    >>> in_words(832766765), in_words(19336861798), in_words(1200)
    ('833 MB', '19.3 GB', '1 kB')
    """
    if size is None:
        return ""
    if size >= GIGABYTE:
        return f"{size / GIGABYTE:.1f} GB"
    return f"{size / MEGABYTE:.0f} MB" if size >= MEGABYTE else f"{max(1, round(size / 1000))} kB"
