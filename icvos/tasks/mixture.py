"""A run is one method: parts that were made by another, or by the same with other settings or weights, are refused.

A mean over draws or folds of two methods is the figure of neither. What a record does not say cannot be compared, so
all parts of a run have a record or none has.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from icvos.errors import Fault, PredictionError
from icvos.tasks.record import RECORD, Part, RunRecord

KEYS = ("method", "settings", "weights", "random_weights", "sees_truth", "benchmark", "shots", "dtype", "seed")
MAX_TEXT = 1000  # characters of a setting that is compared with another fold's
REMEDY = "a run is one method; score each in a folder of its own"


def mixture(records: Mapping[int, tuple[Path, RunRecord]], part: Part) -> Iterator[Fault]:
    """What keeps the parts of a run from being of one method, a fault for each part that is not like the first.

    Args:
        records: By the number of each draw or fold, its folder and its record.
        part: What the numbers count. Folds may have settings and checkpoints of their own: those whose text differs by
            the fold's number, as ``{fold}`` makes them.
    """
    numbers = sorted(records)
    for number in numbers:
        folder, record = records[number]
        stated = record.draw if part == "draw" else record.fold
        if stated not in (None, number):
            what = f"says that it is {part} {stated}, and is in the place of {part} {number}; a copy is no {part} more"
            yield Fault("mixture", str(folder / RECORD), f"{what}, remove it or correct its number")
    for number in numbers[1:]:
        folder, record = records[number]
        first = records[numbers[0]][1]
        folds = (numbers[0], number) if part == "fold" else None
        if found := _difference(first, record, folds, f"{part}{numbers[0]}"):
            yield Fault("mixture", str(folder / RECORD), f"{found}; {REMEDY}")


def refuse_mixture(records: Mapping[int, tuple[Path, RunRecord]], part: Part) -> None:
    """Raise `PredictionError` for the first fault of `mixture`."""
    for fault in mixture(records, part):
        raise PredictionError(fault)


def difference(first: RunRecord, other: RunRecord, folds: tuple[int, int] | None = None) -> tuple[str, Any, Any] | None:
    """The first key in which two parts are of different methods, with both values; None where they are of one.

    ``folds`` are the numbers of the two where they are folds.
    """
    return next(_differences(first, other, folds), None)


def _difference(first: RunRecord, other: RunRecord, folds: tuple[int, int] | None, name: str) -> str:
    """The first difference in words; ``name`` is that of the first part."""
    if first.given != other.given:
        return f"has no record, {name} has one" if first.given else f"has a record, {name} has none"
    if found := difference(first, other, folds):
        key, old, new = found
        return f"was made with {key} {new!r}, {name} with {old!r}"
    return ""


def _differences(first: RunRecord, other: RunRecord, folds: tuple[int, int] | None) -> Iterator[tuple[str, Any, Any]]:
    there, here = _compared(first), _compared(other)
    own_settings = folds is not None and there["settings"] != here["settings"]
    for key in KEYS:
        old, new = there[key], here[key]
        if key == "settings":
            yield from _in_settings(old, new, folds)
        elif key == "weights":
            if not _same_weights(old, new, folds, own_settings):
                yield key, old, new
        elif old != new:
            yield key, old, new


def _compared(record: RunRecord) -> dict[str, Any]:
    """What is compared, by key; ``seed`` is every key of another program whose name has that word in it."""
    found: dict[str, Any] = {key: record.to_json().get(key) for key in KEYS}
    found |= {"settings": dict(record.settings), "random_weights": record.made_with_random_weights}
    found |= {"sees_truth": record.sees_truth, "benchmark": record.digest}
    weights = record.weights if isinstance(record.weights, tuple) else (record.weights,)
    found["weights"] = [one if isinstance(one, str) else one.to_json() for one in weights]
    found["seed"] = {key: value for key, value in (record.model_extra or {}).items() if "seed" in key} or None
    return found


def _in_settings(old: Any, new: Any, folds: tuple[int, int] | None) -> Iterator[tuple[str, Any, Any]]:
    for name in (*old, *(name for name in new if name not in old)):
        if name not in old or name not in new or not _alike(old[name], new[name], folds):
            yield f"settings.{name}", old.get(name), new.get(name)


def _alike(old: Any, new: Any, folds: tuple[int, int] | None) -> bool:
    """Whether two values are equal, or texts that are where each has the number of its fold."""
    if old == new and isinstance(old, bool) == isinstance(new, bool):
        return True
    if folds is None or not (isinstance(old, str) and isinstance(new, str)):
        return False
    if max(len(old), len(new)) > MAX_TEXT:
        return False
    numbers = tuple(map(str, folds))
    # the first text, in which every number of its fold may also be that of the other: all places to which it may reach
    places = {0}
    for count, piece in enumerate(old.split(numbers[0])):
        if count:
            places = {place + len(one) for place in places for one in numbers if new.startswith(one, place)}
        places = {place + len(piece) for place in places if new.startswith(piece, place)}
    return len(new) in places


def _same_weights(old: list[Any], new: list[Any], folds: tuple[int, int] | None, own_settings: bool) -> bool:
    """Whether two parts loaded the same checkpoints; of folds, each its own where a name or a setting says so."""
    if old == new:
        return True
    if folds is None or len(old) != len(new):
        return False
    for one, other in zip(old, new, strict=True):
        names = [value if isinstance(value, str) else value.get("name") for value in (one, other)]
        named_by_fold = names[0] != names[1] and _alike(names[0], names[1], folds)
        if one != other and not named_by_fold and not (own_settings and names[0] == names[1]):
            return False
    return True
