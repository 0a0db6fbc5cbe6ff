"""The check that the scores of a run on images must pass before a table believes them.

`icvos.tasks.image.score` lays them out. Its means are computed again: of a fold its classes', over all its folds'.
"""

import re
from pathlib import Path
from typing import Any

from leaderboard.checks import (
    as_finite,
    broken,
    check_count,
    check_interval,
    check_level,
    check_object,
    fraction,
)

MEAN_TOLERANCE = 1e-6  # between a mean and the mean of its parts, fractions
FIGURES = ("miou", "fb_iou")
MAX_SHOTS = 1000


def check_image_scores(scores: dict[str, Any], path: Path) -> None:
    """Raise `IcvosError` naming the first thing in ``scores`` that a table could not show or should not believe."""
    if scores.get("digest") is None:
        raise broken(path, "digest is null, and episodes always have one")
    benchmark = check_object(scores.get("benchmark"), "benchmark", path)
    name = benchmark.get("name")
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9_.-]{1,40}", name):
        raise broken(path, "benchmark.name is not a short name")
    if check_count(scores, "shots", "scores", path) > MAX_SHOTS:
        raise broken(path, f"scores.shots is above {MAX_SHOTS}")
    overall = check_object(scores.get("overall"), "overall", path)
    folds = check_object(scores.get("folds"), "folds", path)
    for key, parent in (("folds", benchmark), ("episodes", benchmark), ("classes", overall), ("episodes", overall)):
        check_count(parent, key, "benchmark" if parent is benchmark else "overall", path)
    for number, fold in folds.items():
        if not re.fullmatch(r"0|[1-9]\d{0,3}", number) or int(number) >= benchmark["folds"]:
            raise broken(path, f"folds.{number} is not one of the benchmark's {benchmark['folds']}")
        _check_fold(fold, f"folds.{number}", path)
    _check_overall(overall, folds, path)
    _check_categories(check_object(scores.get("categories"), "categories", path), folds, path)


def _check_fold(fold: Any, where: str, path: Path) -> None:
    check_object(fold, where, path)
    _check_figures(fold, where, path)
    for key in ("foreground_iou", "background_iou"):
        fraction(fold, key, where, path)
    if abs((fold["foreground_iou"] + fold["background_iou"]) / 2 - fold["fb_iou"]) > MEAN_TOLERANCE:
        raise broken(path, f"{where}.fb_iou is not the mean of its foreground_iou and background_iou")
    for key in ("episodes", "classes", "of"):
        check_count(fold, key, where, path)
    if not fold["classes"] <= fold["episodes"] <= fold["of"]:
        raise broken(path, f"{where} has more classes than episodes, or more episodes than there are")
    without = fold.get("without")
    if not isinstance(without, list) or not all(isinstance(name, str) and name.isprintable() for name in without):
        raise broken(path, f"{where}.without is not a list of names")
    if not isinstance(fold.get("run"), dict):
        raise broken(path, f"{where}.run is not an object")


def _check_figures(figures: dict[str, Any], where: str, path: Path) -> None:
    for key in FIGURES:
        fraction(figures, key, where, path)
    check_interval(figures.get("interval"), FIGURES, f"{where}.interval", path)
    seconds = figures.get("seconds_per_image")
    if seconds is not None and as_finite(seconds) is None:
        raise broken(path, f"{where}.seconds_per_image is not a time")


def _check_overall(overall: dict[str, Any], folds: dict[str, Any], path: Path) -> None:
    if not folds:
        raise broken(path, "folds is empty")
    _check_figures(overall, "overall", path)
    check_level(overall.get("interval"), "overall.interval", path)
    for key in FIGURES:
        if abs(sum(fold[key] for fold in folds.values()) / len(folds) - overall[key]) > MEAN_TOLERANCE:
            raise broken(path, f"overall.{key} is not the mean of its folds")
    if overall.get("folds") != len(folds):
        raise broken(path, "overall.folds is not the number of folds")
    for key in ("episodes", "classes"):
        if overall[key] != sum(fold[key] for fold in folds.values()):
            raise broken(path, f"overall.{key} is not the sum of its folds")


def _check_categories(categories: dict[str, Any], folds: dict[str, Any], path: Path) -> None:
    """Every class belongs to a fold, and a fold's mIoU and counts are those of its classes."""
    classes: dict[str, list[dict[str, Any]]] = {number: [] for number in folds}
    for name, member in categories.items():
        where = f"categories.{name}"
        check_object(member, where, path)
        fraction(member, "iou", where, path)
        for key in ("class", "episodes"):
            check_count(member, key, where, path)
        if isinstance(member.get("fold"), bool) or str(member.get("fold")) not in classes:
            raise broken(path, f"{where}.fold is not one of the folds")
        classes[str(member["fold"])].append(member)
    for number, members in classes.items():
        fold = folds[number]
        if len(members) != fold["classes"] or sum(member["episodes"] for member in members) != fold["episodes"]:
            raise broken(path, f"folds.{number} has other classes or episodes than its categories")
        if abs(sum(member["iou"] for member in members) / len(members) - fold["miou"]) > MEAN_TOLERANCE:
            raise broken(path, f"folds.{number}.miou is not the mean of its categories")
