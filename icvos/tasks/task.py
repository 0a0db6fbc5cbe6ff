"""The one door to benchmarks: of videos, of images, or of a kind yet to come.

A `Task` is an opened benchmark: it predicts, checks, scores and draws. What it writes and reads is the business of its
wing, a folder beside this file; `WINGS` lists them, and nothing else here or above asks of which kind a benchmark is.
"""

import importlib
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from icvos.errors import Fault, IcvosError
from icvos.files.addresses import require_local
from icvos.files.schema import Schema, parse_schema, read_bytes
from icvos.files.storage import refuse_repeated_keys
from icvos.protocol import PROTOCOLS
from icvos.tasks.listing import Listing
from icvos.tasks.record import Part
from icvos.tasks.repairs import RepairReport
from icvos.tasks.result import MAX_BYTES, REMEDY, Keep, Named, Result, Selection
from icvos.workers import Workers

if TYPE_CHECKING:
    import numpy as np

    from icvos.protocol import Protocol as ScoringProtocol
    from icvos.tasks.case import Case
    from icvos.tasks.pool import Pool
    from icvos.tasks.runs import Outcome, RunOptions
    from icvos.tasks.tracks import Track


@dataclass(frozen=True, slots=True)
class Wing:
    """One kind of benchmark.

    Args:
        task: ``module:class`` of its `Task`, which has the static methods ``recognises`` and ``open``.
        result: ``module:class`` of its `Result`, a model of ``scores.json``.
    """

    task: str
    result: str


# a folder that none of them recognises is for videos, whose wing says what is wrong with it
WINGS: dict[str, Wing] = {
    "image": Wing("icvos.tasks.image.task:ImageTask", "icvos.tasks.image.result:ImageResult"),
    "video": Wing("icvos.tasks.video.task:VideoTask", "icvos.tasks.video.result:VideoResult"),
}


class Watch(Protocol):
    """Is told how a long call goes on."""

    def stage(self, name: str) -> None:
        """What comes now is called so."""
        ...

    def total(self, units: int, done: int = 0) -> None:
        """So much is to be done, frames or episodes or clips, ``done`` of it already."""
        ...

    def advance(self, units: int = 1, what: str = "") -> None:
        """So much more is done; ``what`` names the part that it was of."""
        ...

    def note(self, text: str) -> None:
        """Something that the caller should know, in one line."""
        ...


class Silent:
    """Shows no progress; notes go to the logger ``icvos``."""

    def stage(self, name: str) -> None:
        """Nothing is shown."""

    def total(self, units: int, done: int = 0) -> None:
        """Nothing is shown."""

    def advance(self, units: int = 1, what: str = "") -> None:
        """Nothing is shown."""

    def note(self, text: str) -> None:
        """Logged as a warning."""
        logging.getLogger("icvos").warning(text)


@dataclass(frozen=True, slots=True)
class Drawing:
    """How masks are drawn.

    Args:
        kind: ``gif``, ``webp``, ``mp4`` or ``sheet``; None: what the task shows best.
        every: Draw every Nth frame.
        errors: Colour predictions by what they hit, miss and add.
        height_px: Height of a panel.
        columns: Frames in a row of a video's contact sheet.
    """

    kind: str | None = None
    every: int = 1
    errors: bool = False
    height_px: int = 240
    columns: int = 2


SHEET_FRAMES = 8  # on the contact sheet of a video


@dataclass(frozen=True, slots=True)
class Sheet:
    """Pictures that go into one file.

    Args:
        name: The file name, without suffix.
        kind: ``gif``, ``webp``, ``mp4`` or ``sheet``.
        images: (H, W, 3) uint8 each, drawn when they are asked for.
        rows: Whether each is a whole row of a contact sheet.
        fps: Frames a second of an animation.
    """

    name: str
    kind: str
    images: "Iterator[np.ndarray]"
    rows: bool = False
    fps: float = 12


class Task(Protocol):
    """An opened benchmark, or the part of one that was selected."""

    @property
    def kind(self) -> str:
        """Its key in `WINGS`."""
        ...

    @property
    def part(self) -> Part:
        """What a run consists of: ``draw`` or ``fold``."""
        ...

    @property
    def parts(self) -> Sequence[int]:
        """The numbers of the draws or folds that there are."""
        ...

    @property
    def name(self) -> str:
        """The benchmark's name."""
        ...

    @property
    def digest(self) -> str | None:
        """What tells this build of it from another; None in the published layout."""
        ...

    @property
    def root(self) -> Path:
        """Its folder."""
        ...

    @property
    def folders(self) -> frozenset[str]:
        """The names of the folders by which a run on it is known inside an archive."""
        ...

    @property
    def clips(self) -> int | None:
        """How many clips the whole benchmark has, where it consists of clips."""
        ...

    def covered(self, folder: Path) -> int:
        """Of how many clips every draw in ``folder`` has a mask; 0 where the benchmark does not consist of clips."""
        ...

    def select(self, selection: Selection) -> "Task":
        """The task on a part of the benchmark; `IcvosError` for what is not there."""
        ...

    def there(self, folder: Path, protocol: "ScoringProtocol") -> "Task":
        """The part of it that an unfinished run has whole in all its parts; `IcvosError` where that is nothing."""
        ...

    def predict(self, out: Path, options: "RunOptions", watch: Watch) -> tuple[int, ...]:
        """Run a method into the run folder ``out``, keeping what is there; the draws or folds that can be scored.

        None where other processes still make some of them.
        """
        ...

    def predict_all(
        self, runs: Mapping[Path, "RunOptions"], pool: "Pool | None", watch: Watch
    ) -> "Mapping[Path, Outcome]":
        """Run several methods, each into its folder, by the workers of one pool or in this process; what came of each.

        `IcvosError` where that is not possible on benchmarks of this kind.
        """
        ...

    def check(self, folder: Path, protocol: "ScoringProtocol", watch: Watch) -> list[Fault]:
        """Every fault of a run or prediction folder, from one pass that reads every mask once."""
        ...

    def score(
        self,
        folder: Path,
        protocol: "ScoringProtocol",
        watch: Watch,
        *,
        workers: Workers = 1,
        parts: Sequence[int] | None = None,
        frames_csv: Path | None = None,
        keep: Keep | None = None,
    ) -> Result:
        """Score a run or prediction folder.

        Args:
            folder: The run.
            protocol: Which frames count, and at which size masks are compared.
            watch: Is told of every clip or fold.
            workers: Processes; the result is the same to the last bit for any number.
            parts: Only these draws or folds of the run; None: all that it has.
            frames_csv: Also write a row for every frame.
            keep: Is given J and F of every frame, as ``frames.json`` has them.
        """
        ...

    def confirm(self, result: Result, where: str) -> bool:
        """Whether a result is on this benchmark; `IcvosError`, which names the key, where it contradicts it.

        Sizes, names and numbers of frames or episodes are compared, no mask is read.
        """
        ...

    def repair(self, predictions: Path, out: Path, protocol: "ScoringProtocol") -> RepairReport:
        """A copy of ``predictions`` in ``out`` without the harmless faults; `IcvosError` where none can be repaired."""
        ...

    def sheets(self, predictions: Path | None, drawing: Drawing) -> Iterator[Sheet]:
        """The pictures of every clip or fold, with the masks of ``predictions`` beside the truth."""
        ...

    def worst(self, named: Named, run: Path, count: int, height_px: int) -> "Iterator[np.ndarray]":
        """Rows of one picture, (H, W, 3) uint8 each: the ``count`` clips that a result is worst on, and its masks.

        Raises `IcvosError` where the result is not on this benchmark, or masks or frames are not there.
        """
        ...

    def case(self, name: str, run: Path) -> "Case":
        """A clip or an episode, by its name, with the answer of ``run``; `IcvosError` where it is not there."""
        ...

    def truth_files(self) -> "Iterator[tuple[str, Path | bytes]]":
        """The files of a folder that predictions can be scored against and nothing more: names, and what is in them."""
        ...

    def tracks(self, run: Path | None) -> "Mapping[str, Iterator[Track]]":
        """By draw or fold the clips or episodes that ``run`` has, with its masks; None: all, with the true masks."""
        ...

    def summary(self) -> Sequence[Listing | str]:
        """What the benchmark has, as tables and lines."""
        ...


SILENT = Silent()


def _load(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)


def open_task(root: Path | str) -> Task:
    """The benchmark in the folder ``root``, of whichever kind it is; raises `IcvosError` for anything else.

    >>> task = open_task("IC-VOS")
    >>> task.name, task.part, list(task.parts)
    ('IC-VOS', 'draw', [0, 1, 2, 3, 4])
    >>> task.select(Selection(categories=("dog",))).kind
    'video'
    """
    require_local(root)
    root = Path(root)
    wings = [_load(wing.task) for wing in WINGS.values()]
    found = next((wing for wing in wings if wing.recognises(root)), _load(WINGS["video"].task))
    return cast(Task, found.open(root))


def result_model(kind: object, where: str) -> type[Schema]:
    """The model of ``scores.json`` for a kind of benchmark; `IcvosError` for a kind that is not known."""
    wing = WINGS.get(kind) if isinstance(kind, str) else None
    if wing is None:
        raise IcvosError(f"{where}: task is not one of {', '.join(sorted(WINGS))}; {REMEDY}")
    return cast(type[Schema], _load(wing.result))


def parse_result(value: Mapping[str, Any], where: str) -> Result:
    """The result in an object read from JSON, of whichever kind; ``where`` names its file in errors.

    `IcvosError` for one that does not fit its model, or whose figures do not follow from what they are made of.
    """
    model = result_model(value.get("task", "video"), where)
    found = cast(Result, parse_schema(json.dumps(value), model, where, "a result", REMEDY))
    if found.protocol not in PROTOCOLS:
        raise IcvosError(f"{where}: protocol is {found.protocol}, this icvos knows {', '.join(PROTOCOLS)}; {REMEDY}")
    found.prove(where)
    return found


def read_object(path: Path, what: str, remedy: str) -> dict[str, Any]:
    """The JSON object in a file that may come from anybody; `IcvosError` for anything else, or one far too large."""
    from pydantic_core import from_json

    data = read_bytes(path, what, remedy, MAX_BYTES)
    try:
        value = from_json(data, allow_inf_nan=False)
        refuse_repeated_keys(data)
    except (ValueError, RecursionError) as error:
        raise IcvosError(f"{path}: cannot be read as {what} ({error}); {remedy}") from error
    if not isinstance(value, dict):
        raise IcvosError(f"{path}: not {what}, which is a JSON object; {remedy}")
    return value


def read_result(path: Path | str) -> Result:
    """The result in a ``scores.json``, of whichever kind; `IcvosError` for anything else.

    >>> from icvos.tasks.calls import score
    >>> written = score("masks", "IC-VOS", out="scores.json")
    >>> read_result("scores.json") == written
    True
    """
    path = Path(path)
    value = read_object(path, "a result of icvos score", REMEDY)
    if "overall" not in value:
        raise IcvosError(f"{path}: not a result; results are written by icvos score and icvos submit")
    return parse_result(value, str(path))
