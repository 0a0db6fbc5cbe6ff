"""What results on videos and on images have in common: their head, their intervals, and what a table asks of both."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Protocol, Self

from pydantic import AfterValidator, Field

from icvos.errors import IcvosError
from icvos.files.schema import Count, Fraction, Schema
from icvos.tasks.listing import Listing
from icvos.tasks.record import RunRecord

FORMAT = 1  # of scores.json
MAX_BYTES = 64 * 2**20  # a result of all 437 clips over five draws takes less than one
INTERVAL_LEVEL = 0.95
REMEDY = "score the predictions again with icvos score"


def _in_order(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] > bounds[1]:
        raise ValueError("is not [low, high] with low <= high")
    return bounds


Bounds = Annotated[tuple[Fraction, Fraction], AfterValidator(_in_order)]
ProtocolId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,40}@[0-9]{1,4}$")]
Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{8,64}$")]
Level = Annotated[float, Field(gt=0, lt=1)]


class Bootstrap(Schema):
    """How an interval was made."""

    level: Level = Field(description="Share of the resamples inside the interval, as 0.95.")
    samples: Count | None = Field(None, description="Resamples that were drawn.")


class Result(Protocol):
    """A scored run, whatever its task: what the leaderboard and the commands ask of it."""

    protocol: str
    digest: str | None

    @property
    def kind(self) -> str:
        """``video`` or ``image``: the kind of benchmark."""
        ...

    @property
    def benchmark_name(self) -> str:
        """What tables call the benchmark."""
        ...

    @property
    def records(self) -> Mapping[str, RunRecord]:
        """How the predictions were made: a record for each part that was made by itself; none where none is known."""
        ...

    @property
    def shots(self) -> int | None:
        """Supports per clip or episode, where the result says."""
        ...

    @property
    def seconds(self) -> float | None:
        """Mean prediction time of a frame or an image, where the result says."""
        ...

    @property
    def identity(self) -> tuple[str, ...]:
        """What tells this result from another of the same method, and one table from another.

        The protocol, the digest ("" without one), and then, in words that can stand in the name of a file, whatever
        else makes results of this kind incomparable.
        """
        ...

    def to_json(self) -> dict[str, Any]:
        """The content of its file."""
        ...

    def lines(self, where: str) -> Sequence[str]:
        """The figures for a terminal, the whole run's last; ``where`` is the file that the last line points to."""
        ...

    def report(self, name: str, ceiling: Self | None = None, ceiling_name: str = "") -> Sequence[Listing]:
        """Where the run is good and where it fails, as tables.

        ``ceiling`` is a result of the same kind on the same benchmark whose method saw the truth. Raises `IcvosError`
        for a result that has too little in it, and for a ceiling that cannot be compared.
        """
        ...


def random_weights(result: Result) -> bool:
    """Whether a part of the run was made with random weights: its figures mean nothing."""
    return any(record.made_with_random_weights for record in result.records.values())


def refuse_random(result: Result, where: object) -> None:
    """Raise `IcvosError` for a run with random weights, which no board takes."""
    refuse_random_records(result.records.values(), where)


def refuse_random_records(records: Iterable[RunRecord], where: object) -> None:
    """`refuse_random` for the records of a run that is not scored yet."""
    if any(record.made_with_random_weights for record in records):
        raise IcvosError(
            f"{where}: made with random weights, so its figures mean nothing; fetch the checkpoints and run it again"
        )
