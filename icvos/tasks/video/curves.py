"""``frames.json``: J and F of every frame, which the means in ``scores.json`` beside it are made of.

A result is whole without it; the leaderboard draws curves from it, and believes it only where the means agree.
"""

from pathlib import Path
from typing import Annotated, Self

import numpy as np
from pydantic import Field, model_validator

from icvos.errors import IcvosError
from icvos.files.schema import MAX_NAME, ROUND_OFF, FormatOne, Name, Schema, parse_schema
from icvos.files.submitted import opened
from icvos.tasks.result import Digest, ProtocolId, frames_path
from icvos.tasks.video.result import Clip, VideoResult
from icvos.tasks.video.score import ClipScores, Scores

SCALE = 10_000  # figures are whole hundredths of a per cent
MAX_BYTES = 16 * 2**20  # the frames of all 437 clips take about two
MOST_FRAMES = 100_000  # of a clip
WHAT, REMEDY = "J and F of every frame", "score the predictions again with --frames"
Figure = Annotated[int, Field(ge=0, le=SCALE)]
FrameName = Annotated[str, Field(min_length=1, max_length=MAX_NAME)]


class ClipCurves(Schema):
    """One clip: three lists of one length, in the order of its frames."""

    frames: Annotated[tuple[FrameName, ...], Field(min_length=1, max_length=MOST_FRAMES)] = Field(
        description="The names of the frames that count."
    )
    j: tuple[Figure, ...] = Field(description="J of each, the mean over support draws, in hundredths of a per cent.")
    f: tuple[Figure, ...] = Field(description="F of each, likewise.")

    @model_validator(mode="after")
    def _lengths(self) -> Self:
        if not len(self.frames) == len(self.j) == len(self.f):
            raise ValueError(f"has {len(self.frames)} frames, {len(self.j)} figures of J and {len(self.f)} of F")
        return self


class Curves(Schema):
    """``frames.json`` of a run on videos, beside its ``scores.json``."""

    format: FormatOne = Field(description="Version of this layout.")
    protocol: ProtocolId = Field(description="That of the scores.")
    digest: Digest | None = Field(description="That of the scores.")
    clips: dict[Name, ClipCurves] = Field(description="By clip, <video>/<class>, as in the scores.")


def to_curves(scores: Scores) -> Curves:
    """J and F of every frame, means over support draws, rounded to a hundredth of a per cent."""
    clips = {clip.id: _curves(per_draw) for clip, per_draw in zip(scores.clips, scores.values, strict=True)}
    return Curves(format=1, protocol=scores.protocol, digest=scores.digest, clips=clips)


def _curves(per_draw: tuple[ClipScores, ...]) -> ClipCurves:
    means = np.array([[one.j for one in per_draw], [one.f for one in per_draw]]).mean(axis=1)
    j, f = np.rint(SCALE * means).astype(int).tolist()
    return ClipCurves(frames=per_draw[0].frames, j=tuple(j), f=tuple(f))


def read_curves(scores: Path, result: VideoResult) -> Curves | None:
    """The curves of ``result``, which is in the file ``scores``; None where none were kept.

    Raises `IcvosError` for a file that is too large, does not fit, or does not agree with the result.
    """
    path = frames_path(scores)
    try:
        with opened(path) as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise IcvosError(f"{path}: cannot be read as {WHAT} ({error.strerror}); {REMEDY}") from error
    if len(data) > MAX_BYTES:
        raise IcvosError(f"{path}: larger than {MAX_BYTES >> 20} MiB, so not {WHAT}; {REMEDY}")
    curves = parse_schema(data, Curves, str(path), WHAT, REMEDY)
    fault = _disagreement(curves, result)
    if fault:
        raise IcvosError(f"{path}: {fault}, so it is of other scores than {scores.name}; {REMEDY}")
    return curves


def _disagreement(curves: Curves, result: VideoResult) -> str:
    """What in the curves contradicts the result; "" where they are of it."""
    for key in ("protocol", "digest"):
        own, other = getattr(curves, key), getattr(result, key)
        if own != other:
            return f"{key} is {own}, that of the scores {other}"
    if curves.clips.keys() != result.clips.keys():
        name = min(curves.clips.keys() ^ result.clips.keys())
        return f"clips.{name} is in one of the two alone"
    return next(filter(None, (_clip_fault(name, own, result.clips[name]) for name, own in curves.clips.items())), "")


def _clip_fault(name: str, curves: ClipCurves, clip: Clip) -> str:
    if clip.frames not in (None, len(curves.frames)):
        return f"clips.{name} has {len(curves.frames)} frames, in the scores {clip.frames}"
    for key, values in (("j", curves.j), ("f", curves.f)):
        mean = sum(values) / len(values) / SCALE
        if abs(mean - clip.figure(key)) > 0.5 / SCALE + ROUND_OFF:
            return f"the mean of clips.{name}.{key} is {100 * mean:.3f} %, in the scores {100 * clip.figure(key):.3f} %"
    return ""
