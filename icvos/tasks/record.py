"""``run.json``: how the masks of one part of a run were made."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, ValidationError, model_validator

from icvos.errors import Fault, IcvosError, PredictionError
from icvos.files.schema import Count, FormatOne, Name, PlainPath, Schema, Seconds, misfit
from icvos.files.storage import refuse_repeated_keys
from icvos.files.submitted import opened
from icvos.files.text import without_mark

RECORD = "run.json"
MAX_RECORD_BYTES = 1 << 20  # one of 600 clips takes 80 kB
MAX_RECORD_PARTS = 1 << 17  # values, lists and objects in it: written with indents, each takes up to some 60 bytes
MAX_RECORD_TEXT = 4096  # characters of one text
MAX_RECORD_DEPTH = 16
MAX_RECORD_NUMBER = 1 << 63
MAX_SHOTS = 1000
MAX_PART = 9999  # the number of a draw or a fold
Part = Literal["draw", "fold"]
ShownName = Annotated[Name, Field(min_length=1)]
PartNumber = Annotated[int, Field(ge=0, le=MAX_PART)]


class _Open(Schema):
    """A part of a record. Keys that are not known here are kept: a record may come from another program."""

    model_config = ConfigDict(extra="allow")


class Weights(_Open):
    """A checkpoint that a method loaded; it says which."""

    name: ShownName | None = Field(None, description="Its name in the registry, or its file.")
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{2,64}$")] | None = Field(
        None, description="Of the file, or how it begins; null for random weights."
    )
    random: bool = Field(False, description="Whether it is random, or was trained on top of random weights.")

    @model_validator(mode="after")
    def _says_which(self) -> Self:
        if self.name is None and self.sha256 is None and not self.random:
            raise ValueError("has neither a name nor a sha256")
        return self


class RunBenchmark(_Open):
    """What the run was made on."""

    name: str | None = Field(None, description="The benchmark's name.")
    digest: str | None = Field(None, description="Its digest; null in the published layout.")
    clips: Count | None = Field(None, description="On videos: how many clips the whole benchmark has.")


class ClipRun(_Open):
    """What one clip took."""

    frames: Count = Field(description="Frames that were predicted.")
    seconds: Seconds | None = Field(
        description="Of reading frames and making masks, without writing them; of clips that were followed in step, an "
        "equal share of what their pass over the video took. Null where several methods were followed in it."
    )
    remarks: tuple[str, ...] = Field((), description="Where the method left its usual way.")


class RunRecord(_Open):
    """``run.json``: how the masks of one part of a run, a draw or a fold, were made. All keys may be absent."""

    format: FormatOne | None = Field(None, description="Version of this layout.")
    method: str | None = Field(None, description="The method's name.")
    settings: dict[str, Any] = Field({}, description="The method's settings, defaults included.")
    random_weights: bool = Field(False, description="Present and true where weights were random: figures mean nothing.")
    weights: tuple[Weights | ShownName, ...] | ShownName = Field((), description="The checkpoints that were loaded.")
    sees_truth: bool = Field(False, description="Whether the method was given true masks of what it was asked about.")
    benchmark: RunBenchmark | None = Field(None, description="What the run was made on.")
    draw: PartNumber | None = Field(None, description="On videos: the support draw.")
    fold: PartNumber | None = Field(None, description="On images: the fold.")
    shots: Annotated[int, Field(ge=1, le=MAX_SHOTS)] | None = Field(None, description="Supports per clip or episode.")
    device: str | None = Field(None, description="What it was computed on.")
    dtype: str | None = Field(None, description="Floating-point type of the networks.")
    versions: dict[str, str] = Field({}, description="Versions of the programs that took part.")
    started: str | None = Field(None, description="When the run began, ISO 8601 in UTC.")
    finished: str | None = Field(None, description="When the last mask so far was made.")
    asked: Count | None = Field(None, description="On images: how many of the fold's episodes the run is to have.")
    episodes: Annotated[int, Field(ge=0)] | None = Field(None, description="On images: how many there are so far.")
    seconds_per_image: Seconds | None = Field(None, description="On images: mean time of an episode.")
    frames: Annotated[int, Field(ge=0)] | None = Field(None, description="On videos: frames predicted so far.")
    seconds_per_frame: Seconds | None = Field(
        None, description="On videos: mean time of a frame, by the seconds of its clips."
    )
    clips: dict[PlainPath, ClipRun] = Field({}, description="On videos: what each clip took.")

    @property
    def made_with_random_weights(self) -> bool:
        """Whether random weights took part: the masks mean nothing."""
        return self.random_weights or any(isinstance(one, Weights) and one.random for one in self.weights)

    @property
    def digest(self) -> str | None:
        """The digest of the benchmark that it was made on, where it says."""
        return self.benchmark.digest if self.benchmark else None

    @property
    def given(self) -> bool:
        """Whether there is a record at all."""
        return bool(self.model_fields_set or self.model_extra)


def read_record(path: Path) -> RunRecord:
    """The record in ``path``, an empty one where there is no such file; `PredictionError` for one that does not fit."""
    what, remedy = "the record of a run", "correct that, or make it anew with: icvos eval ... --overwrite always"
    try:
        with opened(path) as file:
            data = file.read(MAX_RECORD_BYTES + 1)
        found = RunRecord.model_validate_json(_bounded(data), strict=True)
        refuse_repeated_keys(data)  # of which pydantic keeps the last
        _require_small(found.to_json())
    except FileNotFoundError:
        return RunRecord()
    except ValidationError as error:
        raise PredictionError(Fault("record", str(path), f"{misfit(error, what)}; {remedy}")) from error
    except ValueError as error:
        raise PredictionError(Fault("record", str(path), f"{error}, so not {what}; {remedy}")) from error
    except OSError as error:
        what = f"cannot be read as {what} ({error.strerror}); {remedy}"
        raise PredictionError(Fault("record", str(path), what)) from error
    return found


def _bounded(data: bytes) -> bytes:
    """``data`` unless it is far too long for a record, or has far too much in it; else ValueError."""
    if len(data) > MAX_RECORD_BYTES:
        raise ValueError(f"larger than {MAX_RECORD_BYTES >> 20} MiB")
    if sum(map(data.count, (b",", b"[", b"{"))) > MAX_RECORD_PARTS:
        raise ValueError(f"has more than {MAX_RECORD_PARTS:,} values")
    return without_mark(data)


def _require_small(value: Any, depth: int = 0) -> None:
    """ValueError for a JSON value with a text, a number or a depth that no record has: it is copied into results."""
    if depth > MAX_RECORD_DEPTH:
        raise ValueError(f"has lists in lists more than {MAX_RECORD_DEPTH} deep")
    if isinstance(value, str) and len(value) > MAX_RECORD_TEXT:
        raise ValueError(f"has a text of more than {MAX_RECORD_TEXT:,} characters")
    if isinstance(value, int) and not -MAX_RECORD_NUMBER <= value < MAX_RECORD_NUMBER:
        raise ValueError("has a whole number of more than 64 bits")
    if isinstance(value, dict):
        for name in value:
            _require_small(name, depth + 1)
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for one in inner:
        _require_small(one, depth + 1)


def read_records(run: Path, part: Part) -> dict[Path, RunRecord]:
    """All records of a run, or of a prediction folder, by their files."""
    return {path: read_record(path) for path in (run / RECORD, *sorted(run.glob(f"{part}*/{RECORD}")))}


def record_of(description: Mapping[str, Any], method: str) -> RunRecord:
    """What a method says of itself, as a record; `IcvosError` for a description that does not fit into one.

    Args:
        description: What `icvos.method.Described.describe` gave, and what else is known.
        method: Its name, for the error.
    """
    remedy = "see icvos.method.Described for what it may give"
    try:
        return RunRecord.model_validate_json(json.dumps(dict(description)))
    except ValidationError as error:
        raise IcvosError(f"method {method}: describe() does not fit, {misfit(error, 'a record')}; {remedy}") from error
    except TypeError as error:
        raise IcvosError(f"method {method}: describe() gives more than JSON values ({error}); {remedy}") from error
