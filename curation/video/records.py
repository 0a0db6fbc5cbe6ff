"""``.build/`` of a benchmark: what was made from what, so that a killed build goes on and nothing is made twice.

<out>/.build/videos/<video>.json      a `VideoRecord`
             supports/<class>.json    a `SupportsRecord`
      .partial/                       what is being made; renamed when it is whole
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from pydantic import Field

from icvos.files.schema import Count, PlainName, Schema, read_schema
from icvos.tasks.video.manifest import MANIFEST, ClassIndex, ClipEntry, Sha256, VideoEntry

RECORDS = ".build"
SCRATCH = ".partial"


class VideoRecord(Schema):
    """How a video was made."""

    name: PlainName = Field(description="<source>_<original name>.")
    source: PlainName = Field(description="The data set that it comes from: davis, mose, lvos or youtube-vos.")
    recipe: str = Field(description="From what and how, in words; another text means that it must be made again.")
    frames: Count = Field(description="Its number of frames.")
    height: Count = Field(description="The frames' height in pixels.")
    width: Count = Field(description="The frames' width in pixels.")
    clips: dict[ClassIndex, ClipEntry] = Field(description="By class, as in icvos.json.")
    left_out: tuple[tuple[ClassIndex, str], ...] = Field(
        description="Classes that were not built, or not whole, each with a reason."
    )

    def entry(self) -> VideoEntry:
        """The video as ``icvos.json`` has it."""
        return VideoEntry(
            source=self.source, frames=self.frames, height=self.height, width=self.width, clips=self.clips
        )


class SupportsRecord(Schema):
    """How the supports of a class were made."""

    index: int = Field(validation_alias="class", serialization_alias="class", description="1 to 80 in COCO's order.")
    recipe: str = Field(description="From what and how, in words; another text means that they must be made again.")
    names: tuple[PlainName, ...] = Field(description="The images in the order of their rank.")
    masks: Sha256 = Field(description="SHA-256 over names, sizes and pixels of the masks.")


R = TypeVar("R", VideoRecord, SupportsRecord)


def matching_record(path: Path, model: type[R], recipe: str) -> R | None:
    """The record in ``path`` if it was made by this very recipe; `IcvosError` for a file that is none."""
    if not path.is_file():
        return None
    record = read_schema(path, model, "a record of what was built", "remove it and build again")
    return record if record.recipe == recipe else None


def stamp(paths: Iterable[Path]) -> str:
    """SHA-256 over names, sizes and times of files: enough to see that an input has changed since the last build."""
    digest = hashlib.sha256()
    for path in paths:
        status = path.stat()
        digest.update(f"{path.resolve()} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def invalidate(out: Path, record: Path) -> None:
    """Take manifest and record away just before what they tell of changes: no half-changed benchmark can be opened."""
    (out / MANIFEST).unlink(missing_ok=True)
    record.unlink(missing_ok=True)
