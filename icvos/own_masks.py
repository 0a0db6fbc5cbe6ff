"""The folder that `icvos predict` fills, and how the same command goes on where it was stopped.

    <out>/<frame>.png          one-bit masks, one for every frame
    <out>/.predict.json        what they were made with and from, as `Made`; a hidden file, which all readers pass over

The folder is filled under the name ``.<out>.partial`` beside it, and gets its own when it is whole. Until then
``.memory.npz`` in it holds what the method remembered after one of its last frames, where the method can put that aside
(`icvos.method.Resumable`); other methods begin the video anew.
"""

import contextlib
import hashlib
import io
import os
import time
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from icvos.errors import IcvosError
from icvos.files.frames import Frames
from icvos.files.leftovers import remove
from icvos.files.listing import is_empty
from icvos.files.locks import lock_file
from icvos.files.schema import Count, Schema, read_schema, write_schema
from icvos.files.storage import put_folder, require_writable, sha256, unwritable, write_bytes
from icvos.method import AnyMethod, Image, Mask, Method, Resumable, Segmenter, Support
from icvos.tasks.record import RunRecord

MADE, MEMORY = ".predict.json", ".memory.npz"
SAVE_SECONDS = 10.0  # between two times that a method's memory is put aside; a kill loses no more
FRAMES = "frames done"  # key of the number of frames in a memory that was put aside
Memory = Mapping[str, np.ndarray]


class Made(Schema):
    """What the masks of one's own video were made with and from; two that are equal make the same masks."""

    format: Literal[1] = Field(1, description="Version of this layout.")
    method: str = Field(description="The method.")
    settings: dict[str, Any] = Field(description="Its settings.")
    weights: list[Any] = Field(description="Its weights.")
    device: str | None = Field(description="What it was computed on.")
    dtype: str | None = Field(description="Floating-point type of the networks.")
    supports: tuple[tuple[str, str], ...] = Field(description="SHA-256 of each picture and of its mask.")
    video: str = Field(description="SHA-256 of the video file, or of the names and contents of all frames.")
    frames: Count | None = Field(None, description="How many masks there are, once all are there.")


def made_of(method: str, record: RunRecord, supports: Sequence[tuple[Path, Path]], frames: Frames) -> Made:
    """What the masks will be made with and from; ``record`` is what the method says of itself."""
    said = record.to_json()
    return Made(
        format=1,
        method=method,
        settings=said.get("settings", {}),
        weights=said.get("weights", []),
        device=said.get("device"),
        dtype=said.get("dtype"),
        supports=tuple((sha256(picture), sha256(mask)) for picture, mask in supports),
        video=_digest(frames),
    )


def _digest(frames: Frames) -> str:
    if frames.pictures is None:
        return sha256(frames.path)
    digest = hashlib.sha256()
    for picture in frames.pictures:
        digest.update(os.fsencode(picture.name) + b"\0" + bytes.fromhex(sha256(picture)))
    return digest.hexdigest()


def finished(out: Path, made: Made) -> int | None:
    """How many masks ``out`` holds already where they are those that are asked for; None where it is empty.

    Raises `IcvosError` where it holds anything else.
    """
    if is_empty(out):
        return None
    if not is_made(out):
        raise IcvosError(f"{out}: is not an empty folder; choose another --out")
    found = read_schema(out / MADE, Made, "the record of a prediction", "choose another --out")
    if what := _difference(found, made):
        raise IcvosError(f"{out}: holds masks of {what}; choose another --out, or remove it")
    count = sum(1 for _ in out.glob("*.png"))
    if count != found.frames:
        raise IcvosError(f"{out}: holds {count} of its {found.frames} masks; remove it and run the same command again")
    return count


def is_made(folder: Path) -> bool:
    """Whether ``folder`` is one that `icvos predict` filled."""
    return (folder / MADE).is_file()


def _difference(found: Made, made: Made) -> str:
    """In which way two differ, in words; "" where they do not."""
    there, here = found.to_json(), made.to_json()
    if there["method"] != here["method"]:
        return f"method {there['method']}, not {here['method']}"
    if there["video"] != here["video"]:
        return "another video"
    if there["supports"] != here["supports"]:
        return "other supports"
    names = [name for name in {**there["settings"], **here["settings"]} if _changed(there, here, name)]
    if names:
        old, new = there["settings"].get(names[0]), here["settings"].get(names[0])
        return f"setting {names[0]}={old}, not {new}"
    return next((f"other {key}" for key in ("weights", "device", "dtype") if there.get(key) != here.get(key)), "")


def _changed(there: dict[str, Any], here: dict[str, Any], name: str) -> bool:
    return bool(there["settings"].get(name) != here["settings"].get(name))


@dataclass(slots=True)
class Partial:
    """The folder under its temporary name.

    Args:
        folder: Where masks are written.
        done: How many frames need not be made again.
        memory: What the method remembered after them.
    """

    folder: Path
    done: int = 0
    memory: Memory | None = None
    _saved: float = field(default_factory=time.monotonic)

    def keep(self, memory: Memory, done: int, *, now: bool = False) -> None:
        """Put a method's memory after ``done`` frames aside, now or where the last time is long ago."""
        self.memory, self.done = memory, done
        if now or time.monotonic() - self._saved >= SAVE_SECONDS:
            buffer = io.BytesIO()
            arrays: dict[str, Any] = {**memory, FRAMES: np.array(done)}
            np.savez(buffer, **arrays)
            write_bytes(self.folder / MEMORY, buffer.getvalue())
            self._saved = time.monotonic()


@contextlib.contextmanager
def partial_folder(out: Path, made: Made) -> Iterator[Partial]:
    """The folder to fill, this process's alone; it becomes ``out`` when the block ends well, and else stays for later.

    What an earlier call left is gone on with where it is of the same ``made``, and removed where it is not.
    """
    out = out.resolve()  # of ".", the name too
    require_writable(out, folder=True)
    with lock_file(out.with_name(f".{out.name}.lock"), str(out)):
        folder = out.with_name(f".{out.name}.partial")
        try:
            found = _left(folder, made)
            if found is None:
                if os.path.lexists(folder):
                    remove(folder)
                folder.mkdir(parents=True)
                write_schema(folder / MADE, made)
            partial = found or Partial(folder)
            yield partial
            (folder / MEMORY).unlink(missing_ok=True)
            put_folder(folder, out)
        except OSError as error:
            raise unwritable(out, error) from error


def _left(folder: Path, made: Made) -> Partial | None:
    """What an earlier call left that was the same and can be gone on with."""
    try:
        if read_schema(folder / MADE, Made, "a record", "") != made:
            return None
        with np.load(folder / MEMORY, allow_pickle=False) as kept:
            memory = {name: kept[name] for name in kept.files}
        done = int(memory.pop(FRAMES))
    except (IcvosError, OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
        return None
    return Partial(folder, done, memory)


@dataclass(slots=True)
class Continued:
    """A `icvos.method.Segmenter`: a method whose memory is looked at after every frame, and may come from before.

    Args:
        method: What prompts.
        propagator: What carries its prompts through the video, and remembers.
        memory: What it remembered after the frames that are not given again; None: they begin with the first.
    """

    method: Method
    propagator: Resumable
    memory: Memory | None

    def segment(self, supports: Sequence[Support], frames: Iterable[Image]) -> Iterator[Mask]:
        """One mask for every frame, in order; `Continued.memory` is then what was remembered after it."""
        stream = iter(frames)
        if self.memory is None:
            first = next(stream, None)
            if first is None:
                return
            mask = self.propagator.start(first, self.method.prompt(supports, first))
            self.memory = self.propagator.remembered()
            yield mask
        else:
            self.propagator.recall(self.memory)
        for frame in stream:
            mask = self.propagator.step(frame)
            self.memory = self.propagator.remembered()
            yield mask


def continued(method: AnyMethod, memory: Memory | None) -> Continued | None:
    """The method so that it can go on from ``memory``; None where it cannot put its memory aside."""
    if isinstance(method, Segmenter):
        return None
    propagator = method.propagator()
    return Continued(method, propagator, memory) if isinstance(propagator, Resumable) else None
