"""What results on videos and on images have in common: their head, their intervals, and what a table asks of both."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Protocol, Self

from pydantic import AfterValidator, Field

from icvos.errors import IcvosError
from icvos.files.schema import Count, Fraction, Schema
from icvos.files.storage import json_text, write_text
from icvos.protocol import PAPER
from icvos.tasks.listing import Listing
from icvos.tasks.record import RunRecord

FORMAT = 1  # of scores.json
MISSING = object()
SCORES_NAME = re.compile(
    r"(scores|frames)((?:-[A-Za-z0-9_-]+@[0-9]+)?(?:-partial)?)\.json"
)  # as `scores_name` makes it, and beside it
FRAMES_SUFFIX = ".frames.json"  # behind the stem of a file of scores that has another name
MAX_BYTES = 64 * 2**20  # a result of all 437 clips over five draws takes less than one
INTERVAL_LEVEL = 0.95
MOST_EQUAL = 0.9  # of the masks, beyond which they are taken for copies of the truth: no method gets every pixel right
MOST_WORST = 8  # clips that a report lists and draws, where no other number is asked for
FEWEST = 6  # videos, or episodes of a fold: an interval over fewer is far too narrow
REMEDY = "score the predictions again with icvos score"


def _in_order(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] > bounds[1]:
        raise ValueError("is not [low, high] with low <= high")
    return bounds


Bounds = Annotated[tuple[Fraction, Fraction], AfterValidator(_in_order)]


ProtocolId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,40}@[0-9]{1,4}$")]
Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{8,64}$")]
Keep = Callable[[Schema], object]  # is given J and F of every frame
Level = Annotated[float, Field(gt=0, lt=1)]


class Bootstrap(Schema):
    """How an interval was made."""

    level: Level = Field(description="Share of the resamples inside the interval, as 0.95.")
    samples: Count | None = Field(None, description="Resamples that were drawn.")


class Result(Protocol):
    """A scored run, whatever its task: what the leaderboard and the commands ask of it."""

    @property
    def protocol(self) -> str:
        """The protocol's id."""
        ...

    @property
    def digest(self) -> str | None:
        """The benchmark's."""
        ...

    @property
    def partial(self) -> bool:
        """Whether it says that a part of the benchmark is missing."""
        ...

    @property
    def kind(self) -> str:
        """``video`` or ``image``: the kind of benchmark."""
        ...

    @property
    def benchmark_name(self) -> str:
        """What tables call the benchmark."""
        ...

    @property
    def drawn(self) -> bool:
        """Whether the benchmark is drawn: figures on it cannot be compared with any of the real one."""
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

    @property
    def parts(self) -> Sequence[int]:
        """The numbers of its draws or folds."""
        ...

    @property
    def partial_note(self) -> str:
        """What it lacks of the benchmark, in words; "" where it is known to lack nothing, or nothing is known."""
        ...

    @property
    def draws_note(self) -> str | None:
        """That it is of fewer draws than there are, in words; "" where it is of all, None where nobody knows."""
        ...

    @property
    def equal_share(self) -> float:
        """The share of its masks that equal the truth to the last pixel, among those where there is one."""
        ...

    def to_json(self) -> dict[str, Any]:
        """The content of its file."""
        ...

    def prove(self, where: str) -> None:
        """Raise `IcvosError`, which names the key, where a figure does not follow from what it is made of.

        ``where`` names the result's file.
        """
        ...

    def lines(self, where: str) -> Sequence[str]:
        """The figures for a terminal, the whole run's last; ``where`` is the file that the last line points to."""
        ...

    def select(self, selection: "Selection", where: str) -> Self:
        """The result on a part of the benchmark, its means made anew; `IcvosError` for what it does not have."""
        ...

    def report(self, named: "Named", ceiling: "Named | None" = None, most: int = MOST_WORST) -> "Report":
        """Where the run is good and where it fails.

        Args:
            named: This result with its name.
            ceiling: A result on the same benchmark whose method saw the truth.
            most: How many clips to list, the worst first.

        Raises:
            IcvosError: The result has too little in it, or the ceiling cannot be compared with it.
        """
        ...

    def compare(self, named: "Named", other: "Named", most: int) -> "Report":
        """How far this result and another are apart, and how sure that is; the ``most`` items where they part most.

        Raises:
            IcvosError: The two cannot be compared.
        """
        ...


@dataclass(frozen=True, slots=True)
class Selection:
    """Which part of a benchmark, or of a result, is meant; empty: all of it.

    Args:
        videos: Names of videos, with or without their source.
        categories: Names or numbers of categories.
        clips: ``<video>/<class>`` of videos, ``<fold>/<episode>`` of images.
        limit: Only the first N clips, or the first N episodes of each fold.
    """

    videos: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    clips: tuple[str, ...] = ()
    limit: int | None = None

    def __bool__(self) -> bool:
        return bool(self.videos or self.categories or self.clips or self.limit is not None)


@dataclass(frozen=True, slots=True)
class Named:
    """A result with what it is called and where it lies."""

    name: str
    where: str
    result: Result


@dataclass(frozen=True, slots=True)
class Report:
    """What is said of one result or of two.

    Args:
        tables: To be shown in order.
        lines: Shown after them.
        notes: What a reader must know.
        content: The same for programs; None where the result's own file holds all of it.
    """

    tables: Sequence[Listing]
    lines: Sequence[str] = ()
    notes: Sequence[str] = ()
    content: Schema | None = None


def scores_name(protocol: str, partial: bool = False) -> str:
    """The file for the scores of a run under a protocol, by its id; those of a part of it are apart.

    >>> scores_name("paper@1"), scores_name("native@1", partial=True)
    ('scores.json', 'scores-native@1-partial.json')
    """
    stem = "scores" if protocol == PAPER.id else f"scores-{protocol}"
    return f"{stem}{'-partial' * partial}.json"


def frames_path(scores: Path) -> Path:
    """The file for J and F of every frame, beside the scores that are made of them.

    >>> frames_path(Path("run/scores-native@1.json")).name, frames_path(Path("board/lite--1.json")).name
    ('frames-native@1.json', 'lite--1.frames.json')
    """
    named = SCORES_NAME.fullmatch(scores.name)
    return scores.with_name(f"frames{named[2]}.json") if named else scores.with_suffix(FRAMES_SUFFIX)


def is_frames(path: Path) -> bool:
    """Whether a file is called as one for J and F of every frame, so that it is no result."""
    named = SCORES_NAME.fullmatch(path.name)
    return named[1] == "frames" if named else path.name.endswith(FRAMES_SUFFIX)


def keep_frames(scores: Path, kept: Sequence[Schema]) -> None:
    """Write J and F of every frame, where they were kept, beside the scores that are about to be written."""
    for curves in kept:
        write_text(frames_path(scores), json_text(curves.to_json(), indent=None))


def scores_files(run: Path) -> list[Path]:
    """The scores files of a run folder, in order of their names; a partial one only where the whole one is absent."""
    found = {path.stem: path for path in (*run.glob("scores.json"), *run.glob("scores-*.json"))}
    return [
        path
        for stem, path in sorted(found.items())
        if not (stem.endswith("-partial") and stem.removesuffix("-partial") in found)
    ]


def equal_to_truth(result: Result) -> bool:
    """Whether more than `MOST_EQUAL` of the masks equal the truth: no board ranks such a result."""
    return result.equal_share > MOST_EQUAL


def equal_note(result: Result) -> str:
    """That its masks are copies of the truth, in words; "" where they are not."""
    return f"equal to the truth in {100 * result.equal_share:.4g} % of the masks" if equal_to_truth(result) else ""


def drawn_name(benchmark: str) -> str:
    """What a benchmark is called whose pictures are drawn in the layout of another."""
    return f"a drawn world, not {benchmark}"


def few_videos(videos: int) -> str:
    """Why there is no interval and no probability."""
    return f"{videos} video{'s say' if videos != 1 else ' says'} nothing about others, {FEWEST} are the fewest that do"


def few_episodes(episodes: int) -> str:
    """Why there is no interval."""
    return f"a fold of {episodes} episode{'s' * (episodes != 1)} says little, {FEWEST} are the fewest that do"


def copies(result: Result) -> tuple[str, ...]:
    """A line for a terminal where the masks are copies of the truth."""
    return (f"{equal_note(result)}: no leaderboard ranks it",) if equal_to_truth(result) else ()


def caveats(result: Result) -> tuple[str, ...]:
    """What must be said wherever its figures are shown."""
    partial = f"partial, {result.partial_note}" if result.partial_note else ""
    return tuple(filter(None, (equal_note(result), partial, result.draws_note)))


def first_difference(stated: Any, found: Any, *, tolerance: float, key: str = "") -> str:
    """The first key at which a JSON value differs from what was ``found``; "" where they agree.

    Numbers may differ by ``tolerance``. Keys that are not stated are not compared.

    >>> first_difference({"a": [1, {"b": 0.5}]}, {"a": [1, {"b": 0.6}], "c": 1}, tolerance=0.01)
    'a[1].b'
    """
    if isinstance(stated, dict) and isinstance(found, dict):
        inside = (
            first_difference(value, found.get(name, MISSING), tolerance=tolerance, key=f"{key}.{name}" if key else name)
            for name, value in stated.items()
        )
        return next(filter(None, inside), "")
    if isinstance(stated, list) and isinstance(found, list) and len(stated) == len(found):
        inside = (
            first_difference(one, other, tolerance=tolerance, key=f"{key}[{position}]")
            for position, (one, other) in enumerate(zip(stated, found, strict=True))
        )
        return next(filter(None, inside), "")
    numbers = isinstance(stated, int | float) and isinstance(found, int | float)
    same = abs(stated - found) <= tolerance if numbers else stated == found
    return "" if same else key


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
            f"{where}: made with random weights, so its figures mean nothing and no leaderboard takes them; "
            "run it again without --allow-random-weights"
        )
