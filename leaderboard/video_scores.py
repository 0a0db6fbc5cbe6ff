"""The check that the scores of a run on videos must pass before a table believes them.

What an analysis is made of, and the analysis itself, may be absent.
"""

from pathlib import Path
from typing import Any

from leaderboard.checks import (
    as_count,
    as_finite,
    broken,
    check_count,
    check_interval,
    check_level,
    check_object,
    fraction,
)

MEAN_TOLERANCE = 1e-4  # between jf and the mean of j and f, both fractions


def check_video_scores(scores: dict[str, Any], path: Path) -> None:
    """Raise `IcvosError` naming the first thing in ``scores`` that a table could not show or should not believe."""
    overall = _check_figures(scores.get("overall"), "overall", path)
    for key in ("clips", "videos", "frames"):
        check_count(overall, key, "overall", path)
    interval = overall.get("interval")
    if interval is not None:
        check_level(interval, "overall.interval", path)
        check_interval(interval, ("j", "f", "jf"), "overall.interval", path)
    draws = overall.get("draws") or []
    if not isinstance(draws, list):
        raise broken(path, "overall.draws is not a list")
    for position, draw in enumerate(draws):
        _check_figures(draw, f"overall.draws[{position}]", path)
    for group in ("categories", "sources", "clips"):
        for name, member in check_object(scores.get(group, {}), group, path).items():
            _check_figures(member, f"{group}.{name}", path)
            if group == "clips":
                _check_facts(member, f"{group}.{name}", path)
            else:
                check_count(member, "clips", f"{group}.{name}", path)
    _check_analysis(scores.get("analysis", {}), path)


def _check_analysis(analysis: Any, path: Path) -> None:
    """The groups of `icvos.tasks.video.analysis`, any of which may be absent."""
    if not isinstance(analysis, dict):
        raise broken(path, "analysis is not an object")
    groups = {f"analysis.{key}": analysis.get(key) for key in ("disappearance", "reappearance")}
    for key in ("length", "area", "instances"):
        bins = analysis.get(key, {})
        if not isinstance(bins, dict):
            raise broken(path, f"analysis.{key} is not an object")
        groups |= {f"analysis.{key}.{name}": group for name, group in bins.items()}
    propagation = analysis.get("propagation")
    if propagation is not None:
        if not isinstance(propagation, dict):
            raise broken(path, "analysis.propagation is not an object")
        for key in ("first", "after"):
            figures = _check_figures(propagation.get(key), f"analysis.propagation.{key}", path)
            groups[f"analysis.propagation.{key}"] = {**figures, "clips": propagation.get("clips")}
    for where, group in groups.items():
        if group is not None:
            check_count(_check_figures(group, where, path), "clips", where, path)


def _check_facts(clip: dict[str, Any], where: str, path: Path) -> None:
    """What an analysis is made of; null where a clip has no such thing, absent in results without it."""
    for key in ("frames", "instances"):
        if clip.get(key) is not None and as_count(clip[key]) is None:
            raise broken(path, f"{where}.{key} is not a count")
    area = clip.get("area")
    if area is not None and not 0 < (as_finite(area) or 0) <= 1:
        raise broken(path, f"{where}.area is not a share of the frame")
    for key in ("first", "after", "disappearance", "reappearance"):
        if clip.get(key) is None:
            continue
        found = _check_figures(clip[key], f"{where}.{key}", path)
        for name in ("runs", "frames") if key.endswith("appearance") else ():
            check_count(found, name, f"{where}.{key}", path)


def _check_figures(figures: Any, where: str, path: Path) -> dict[str, Any]:
    if not isinstance(figures, dict):
        raise broken(path, f"{where} is missing")
    j, f, jf = (fraction(figures, key, where, path) for key in ("j", "f", "jf"))
    if abs(jf - (j + f) / 2) > MEAN_TOLERANCE:
        raise broken(path, f"{where}.jf is not the mean of its j and f")
    for key in ("j_recall", "f_recall", "j_decay", "f_decay"):
        share = figures.get(key, 0)
        if isinstance(share, bool) or not isinstance(share, int | float) or not -1 <= share <= 1:
            raise broken(path, f"{where}.{key} is not a share in -1..1")
    return figures
