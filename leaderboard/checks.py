"""What the checks of result files are made of: counts, fractions, intervals, and one way to say what is wrong."""

import math
from pathlib import Path
from typing import Any

from icvos.errors import IcvosError

MAX_KEY = 200  # characters of a category, source, clip or fold
ROUND_OFF = 1e-9  # a mean of fractions may leave 0..1 by the last digit


def as_count(value: Any) -> int | None:
    """``value`` if it counts something: a whole number above 0."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def as_finite(value: Any) -> float | None:
    """``value`` if it is a finite number that is not below 0."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not -ROUND_OFF <= value < math.inf:
        return None
    return float(value)


def fraction(figures: dict[str, Any], key: str, where: str, path: Path) -> float:
    """The figure ``key`` if it is a fraction in 0..1; else `IcvosError`."""
    value = as_finite(figures.get(key))
    if value is None or value > 1 + ROUND_OFF:
        raise broken(path, f"{where}.{key} is not a fraction in 0..1")
    return value


def check_count(figures: dict[str, Any], key: str, where: str, path: Path) -> int:
    """The count ``key``; else `IcvosError`."""
    value = as_count(figures.get(key))
    if value is None:
        raise broken(path, f"{where}.{key} is not a count")
    return value


def check_object(value: Any, where: str, path: Path) -> dict[str, Any]:
    """``value`` if it is an object with names that can be shown; else `IcvosError`."""
    if not isinstance(value, dict):
        raise broken(path, f"{where} is not an object")
    if not all(name.isprintable() and len(name) <= MAX_KEY for name in value):
        raise broken(path, f"{where} has a name that is not printable or longer than {MAX_KEY} characters")
    return value


def check_interval(interval: Any, keys: tuple[str, ...], where: str, path: Path) -> None:
    """Raise `IcvosError` unless each of ``keys`` is [low, high] in 0..1."""
    if not isinstance(interval, dict):
        raise broken(path, f"{where} is not an object")
    for key in keys:
        bounds = interval.get(key)
        if not isinstance(bounds, list) or len(bounds) != 2 or any(as_finite(bound) is None for bound in bounds):
            raise broken(path, f"{where}.{key} is not [low, high]")
        if not bounds[0] <= bounds[1] <= 1 + ROUND_OFF:
            raise broken(path, f"{where}.{key} is not an interval in 0..1")


def check_level(interval: Any, where: str, path: Path) -> None:
    """Raise `IcvosError` for an interval without a level."""
    if not isinstance(interval, dict) or not 0 < (as_finite(interval.get("level")) or 0) < 1:
        raise broken(path, f"{where} has no level in 0..1")


def broken(path: Path, what: str) -> IcvosError:
    """The error for a result that no table should show."""
    return IcvosError(f"{path}: {plain(what)}; score the predictions again with icvos score")


def plain(text: str) -> str:
    """One printable line of at most 200 characters, whatever a file held."""
    return "".join(character if character.isprintable() else "?" for character in text)[:200]
