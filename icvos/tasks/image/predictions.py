"""The masks of a run on an image benchmark: one line for every finished episode.

    <run>/fold<F>/run.json        how the fold's masks were made
    <run>/fold<F>/episodes.jsonl  a line an episode, in any order:
        {"episode": 12, "class": 17, "mask": {"size": [h, w], "counts": "..."}, "seconds": 0.31}

``episode`` counts from 0 in the fold, ``class`` is the class asked for, ``mask`` is COCO RLE at the picture's own size
and ``seconds``, which may be absent, what the method took. Lines are appended as episodes are finished, so that a
killed run loses the one under way; a last line that is cut off counts for nothing, one that only lacks its end counts.

A file may come from elsewhere: lines are bounded, and a mask's size is compared before its runs are decoded.
"""

import codecs
import json
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import ConfigDict, Field, ValidationError

from icvos.errors import Fault, PredictionError, extent
from icvos.files.rle import Rle, decode_rle
from icvos.files.schema import Schema, Seconds, misfit
from icvos.files.storage import is_object, refuse_repeated_keys
from icvos.files.submitted import opened
from icvos.tasks.image.benchmark import Episode

EPISODES = "episodes.jsonl"
MAX_LINE_BYTES = 1 << 22  # of a mask of noise at 1920 x 1080; an honest one takes a few thousand
MAX_LINES = 200_000


class AnswerLine(Schema):
    """A line of ``episodes.jsonl``. Keys that are not known here are passed over."""

    model_config = ConfigDict(extra="ignore")

    episode: Annotated[int, Field(ge=0)] = Field(description="The episode, from 0 in the fold.")
    kind: Annotated[int, Field(ge=0)] = Field(alias="class", description="The class that was asked for.")
    mask: Rle = Field(description="The mask at the picture's own size.")
    seconds: Seconds | None = Field(None, description="What the method took.")


@dataclass(frozen=True, slots=True)
class Answer:
    """One line: the mask of an episode, not decoded yet, and the seconds that it took, None where the line has none."""

    episode: int
    kind: int
    rle: Rle
    seconds: float | None
    where: str

    def mask(self) -> np.ndarray:
        """(H, W) bool; `PredictionError` for runs that are none. Compare the size first, by `fault_of`."""
        try:
            return decode_rle(self.rle)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            what = f"not a COCO RLE ({error}); write the mask again"
            raise PredictionError(Fault("unreadable", self.where, what)) from error

    def line(self) -> bytes:
        """The line as `read_answers` reads it back."""
        value = {"episode": self.episode, "class": self.kind, "mask": self.rle, "seconds": self.seconds}
        return json.dumps(value).encode() + b"\n"


def read_answers(path: Path) -> Iterator[Answer | Fault]:
    """The lines of a file in order, and a fault in the place of each that is none; nothing for a file that is absent.

    A last line that is cut off is passed over. `PredictionError` where the file as a whole cannot be read.
    """
    try:
        with opened(path) as file:
            for number in range(1, MAX_LINES + 1):
                line = file.readline(MAX_LINE_BYTES)
                if not line:
                    return
                if number == 1:
                    line = line.removeprefix(codecs.BOM_UTF8)
                where = f"{path}: line {number}"
                if line.endswith(b"\n"):
                    yield _parse(line, where)
                elif len(line) == MAX_LINE_BYTES:
                    what = f"line of more than {MAX_LINE_BYTES >> 20} MiB; write compressed RLE"
                    raise PredictionError(Fault("limit", where, what))
                elif is_object(line):
                    yield _parse(line, where)
            if file.readline(1):
                raise PredictionError(Fault("limit", str(path), f"more than {MAX_LINES:,} lines; keep one an episode"))
    except FileNotFoundError:
        return
    except OSError as error:
        what = f"cannot be read ({error.strerror}); make it a file of one JSON object a line"
        raise PredictionError(Fault("unreadable", str(path), what)) from error


def _parse(line: bytes, where: str) -> Answer | Fault:
    try:
        found = AnswerLine.model_validate_json(line, strict=True)
        refuse_repeated_keys(line)
    except ValidationError as error:
        what = f"{misfit(error, 'the answer to an episode')}; remove the line and predict its episode again"
        return Fault("unreadable", where, what)
    except (ValueError, RecursionError) as error:
        what = f"cannot be read ({error}); remove the line and predict its episode again"
        return Fault("unreadable", where, what)
    return Answer(found.episode, found.kind, found.mask, found.seconds, where)


def fault_of(answer: Answer, episodes: Sequence[Episode], before: Container[int]) -> Fault | None:
    """What is wrong with an answer to one of a fold's ``episodes``, when those ``before`` it are there already."""
    if answer.episode >= len(episodes):
        what = f"the fold has episodes 0..{len(episodes) - 1}, not {answer.episode}; remove the line"
        return Fault("extra-episode", answer.where, what)
    if answer.episode in before:
        return Fault("duplicate", answer.where, f"episode {answer.episode} is there already; remove one of the two")
    episode = episodes[answer.episode]
    if answer.kind != episode.kind:
        what = f"says class {answer.kind}, the episode asks for class {episode.kind}; predict it for this benchmark"
        return Fault("class", answer.where, what)
    try:
        height, width = (int(value) for value in answer.rle["size"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return Fault("unreadable", answer.where, "the mask has no size [height, width]; write the mask again")
    if (height, width) != episode.query.size:
        sizes = f"mask of {extent((height, width))} pixels, the picture is {extent(episode.query.size)}"
        return Fault("size", answer.where, f"{sizes}; give the mask at the picture's own size")
    return None


def right_answers(path: Path, episodes: Sequence[Episode]) -> Iterator[Answer]:
    """The lines of a fold, none decoded; `PredictionError` for the first that answers no episode or one again."""
    before: set[int] = set()
    for answer in read_answers(path):
        fault = answer if isinstance(answer, Fault) else fault_of(answer, episodes, before)
        if fault is not None:
            raise PredictionError(fault)
        assert isinstance(answer, Answer)
        before.add(answer.episode)
        yield answer
