"""One question of a benchmark with a run's answer, and how the run's method came to it, as one picture."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from icvos.errors import IcvosError
from icvos.guard import Asked, description_of, guarded
from icvos.method import AnyMethod, Explains, Image, Mask, Step, Support, load_method, method_class, methods_with
from icvos.models.weights.registry import random_weights_allowed
from icvos.tasks.record import RECORD, RunRecord, Weights, record_of

if TYPE_CHECKING:
    from icvos.tasks.task import Drawing


@dataclass(frozen=True, slots=True)
class Case:
    """A clip or an episode as a method was asked about it.

    Args:
        name: What it is called, as ``davis_dogs-jump/17`` or ``0/12``.
        category: What is asked for, in words.
        supports: What the run showed to its method.
        frame: (H, W, 3) uint8: the query, or the first frame of the video.
        moving: Whether it is one of a video.
        truth: (H, W) bool.
        answer: (H, W) bool, the run's mask.
        folder: The part of the run that has it, with its record.
        record: How it was made.
    """

    name: str
    category: str
    supports: Sequence[Support]
    frame: Image
    moving: bool
    truth: Mask
    answer: Mask
    folder: Path
    record: RunRecord


def explained(case: Case, settings: Mapping[str, Any], drawing: "Drawing") -> Image:
    """The picture of one case: what was given, the steps of the method, and the run's answer beside the truth.

    Args:
        case: The question.
        settings: Over those of the run's record: files that were moved since, and the device.
        drawing: How high panels are.

    Raises `IcvosError` for a run of a method that does not explain itself, or whose weights are not those of today.
    """
    from icvos.drawing.steps import draw_steps

    path, record = case.folder / RECORD, case.record
    if not record.method:
        raise IcvosError(f"{path}: does not say by which method; give a run that icvos eval made")
    asked = Asked(record.method, case.name)
    with random_weights_allowed(record.made_with_random_weights):
        method = _built(record, settings, path)
        assert isinstance(method, Explains)
        with guarded(asked):
            steps = method.explain(case.supports, case.frame, moving=case.moving)
        weights = _digests(record_of(description_of(method, record.method), record.method))
    _require_same(_digests(record), weights, path)
    _require_steps(steps, len(case.supports), asked)
    shown = [(support.image(), support.mask()) for support in case.supports]
    where = "the first frame of" if case.moving else "episode"
    random = ", RANDOM WEIGHTS: it means nothing" if record.made_with_random_weights else ""
    return draw_steps(
        f"{record.method} looks for: {case.category} in {where} {case.name}{random}",
        steps,
        shown,
        case.frame,
        asked="first frame" if case.moving else "picture",
        made_by=f"Weights: {', '.join(weights)}." if weights else "",
        answer=case.answer,
        truth=case.truth,
        height_px=drawing.height_px,
    )


def _built(record: RunRecord, settings: Mapping[str, Any], path: Path) -> AnyMethod:
    """The run's method with the run's settings; `IcvosError` for one that does not explain itself."""
    name = str(record.method)
    kind = method_class(name)
    if not callable(getattr(kind, "explain", None)):
        able = ", ".join(methods_with("explain")) or "none"
        raise IcvosError(f"method {name} does not explain itself; --explain is for runs of {able}")
    own = getattr(kind, "Settings", None)
    names = {found.name for found in dataclasses.fields(own)} if own else set()
    recorded = {key: value for key, value in record.settings.items() if key in names}  # it has results beside them
    files = {key for key, value in recorded.items() if isinstance(value, str) and Path(value).name in _digests(record)}
    for key in settings:
        if key not in files | {"device"}:
            files_there = ", ".join(sorted(files)) or "none here"
            raise IcvosError(
                f"--set {key}: a run is explained as it was made; --set is for files ({files_there}) and device"
            )
    for key in files - settings.keys():
        if "/" in recorded[key] and not Path(recorded[key]).expanduser().is_file():
            raise IcvosError(f"{path}: made with {key}={recorded[key]}, which is not there; add --set {key}=PATH")
    return load_method(name, recorded | dict(settings))


def _digests(record: RunRecord) -> dict[str, str | None]:
    """SHA-256 of the weights that a record names."""
    return {one.name: one.sha256 for one in record.weights if isinstance(one, Weights) and one.name}


def _require_same(made: Mapping[str, str | None], now: Mapping[str, str | None], path: Path) -> None:
    """Refuse to explain a run by other weights than made it."""
    for name, digest in made.items():
        if digest not in now.values():
            raise IcvosError(
                f"{path}: made with {name} of sha256 {str(digest)[:8]}..., and that is another file now; put it back, "
                "give the right one by --set, or run icvos eval again into another --out"
            )


def _require_steps(steps: object, shots: int, asked: Asked) -> None:
    """Refuse what is no sequence of steps, or lies over supports that are not there."""
    if not isinstance(steps, Sequence) or not all(isinstance(step, Step) for step in steps):
        raise asked.error(f"gave an explanation of {asked.what} that is no sequence of Step")
    for panel in (panel for step in steps for panel in step.panels):
        if panel.shot is not None and not 0 <= panel.shot < shots:
            raise asked.error(f"explained {asked.what} over support {panel.shot}, it was given {shots} from 0 on")
