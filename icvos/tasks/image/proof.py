"""A result on images proves itself: every figure is made anew from the counts of its episodes."""

from collections.abc import Iterator

from icvos.errors import IcvosError
from icvos.files.schema import ROUND_OFF
from icvos.metrics.fewshot import EpisodeCounts
from icvos.tasks.image.benchmark import ImageBenchmark
from icvos.tasks.image.means import FoldMeans, fold_means, overall_interval, read_counts
from icvos.tasks.image.result import Fold, ImageResult
from icvos.tasks.result import REMEDY, first_difference

SAME = ("miou", "fb_iou", "foreground_iou", "background_iou")


def prove(result: ImageResult, where: str) -> None:
    """Raise `IcvosError`, which names the key, where a figure does not follow from the episodes.

    Results of older programs have no counts of episodes; of them only the means over classes and folds are known, which
    the model compares when it is made.
    """
    for key, problem in _faults(result):
        raise IcvosError(f"{where}: {key} {problem}; {REMEDY}")


def confirm(result: ImageResult, benchmark: ImageBenchmark, where: str) -> None:
    """Raise `IcvosError`, which names the key, where a result contradicts the benchmark that it says it is on."""
    for key, problem in _contradictions(result, benchmark):
        raise IcvosError(f"{where}: {key} {problem}; {REMEDY}")


def _contradictions(result: ImageResult, benchmark: ImageBenchmark) -> Iterator[tuple[str, str]]:
    episodes = [len(fold.episodes) for fold in benchmark.folds]
    whole = {"name": benchmark.name, "folds": len(episodes), "episodes": sum(episodes)}
    for key, real in whole.items():
        if (stated := getattr(result.benchmark, key)) != real:
            yield f"benchmark.{key}", f"is {stated}, not {real}"
    for number, fold in result.folds.items():
        asked = benchmark.fold(int(number)).episodes
        if fold.of != len(asked):
            yield f"folds.{number}.of", f"is {fold.of}, in {benchmark.name} {len(asked)}"
        for position, text in enumerate(fold.counts or ()):
            if read_counts(text)[0] != asked[position][0]:
                yield f"folds.{number}.counts[{position}]", f"is not of class {asked[position][0]}"
    for name, found in result.categories.items():
        if benchmark.classes.get(found.index) != name:
            yield f"categories.{name}.class", f"is {found.index}, {benchmark.classes.get(found.index, 'no class')}"
        if found.index not in benchmark.fold(found.fold).test:
            yield f"categories.{name}.fold", f"is {found.fold}, which does not ask for it"


def _faults(result: ImageResult) -> Iterator[tuple[str, str]]:
    yield from _class_faults(result)
    made: list[FoldMeans] = []
    for number, fold in result.folds.items():
        if fold.counts is None:
            continue
        episodes = [read_counts(text) for text in fold.counts]
        for position, (_, counts) in enumerate(episodes):
            if not _possible(counts):
                yield f"folds.{number}.counts[{position}]", "are of no picture"
        made.append(fold_means(int(number), episodes))
        yield from _fold_faults(result, number, fold, made[-1])
    seconds = _seconds(result)
    if result.overall.seconds_per_image is not None and (
        seconds is None or abs(seconds - result.overall.seconds_per_image) > ROUND_OFF * max(1, seconds)
    ):
        yield "overall.seconds_per_image", "does not follow from the folds"
    interval = overall_interval(made) if len(made) == len(result.folds) else None
    if interval and result.overall.interval:
        key = first_difference(result.overall.interval.to_json(), interval.to_json(), tolerance=ROUND_OFF)
        if key:
            yield f"overall.interval.{key}", "does not follow from the episodes"


def _seconds(result: ImageResult) -> float | None:
    """The mean time of an episode, from those of the folds; None where a fold has none."""
    taken = [(fold.seconds_per_image, fold.episodes) for fold in result.folds.values()]
    known = [one * count for one, count in taken if one is not None]
    return sum(known) / result.overall.episodes if len(known) == len(taken) else None


def _class_faults(result: ImageResult) -> Iterator[tuple[str, str]]:
    """Classes that have the number of another."""
    seen: set[int] = set()
    for name, found in result.categories.items():
        if found.index in seen:
            yield f"categories.{name}.class", f"is {found.index}, the number of another class"
        seen.add(found.index)


def _possible(counts: EpisodeCounts) -> bool:
    """Whether the four numbers can be of one picture: what is no union of the one is the intersection of the other."""
    pixels = counts.inter_background + counts.union_foreground
    inside = counts.inter_foreground <= counts.union_foreground and counts.inter_background <= counts.union_background
    return inside and pixels == counts.inter_foreground + counts.union_background > 0


def _fold_faults(result: ImageResult, number: str, fold: Fold, made: FoldMeans) -> Iterator[tuple[str, str]]:
    stated = {key: getattr(fold, key) for key in SAME} | {"episodes": fold.episodes, "classes": fold.classes}
    found = {key: getattr(made.scores, key) for key in SAME}
    found |= {"episodes": sum(made.episodes.values()), "classes": len(made.episodes)}
    stated, found = stated | {"equal": fold.equal}, found | {"equal": made.equal}
    if fold.interval and made.interval:
        stated, found = stated | {"interval": fold.interval.to_json()}, found | {"interval": made.interval.to_json()}
    if key := first_difference(stated, found, tolerance=ROUND_OFF):
        yield f"folds.{number}.{key}", "does not follow from its counts"
    own = {name: one for name, one in result.categories.items() if one.fold == int(number)}
    for name, one in own.items():
        if abs(made.scores.class_iou.get(one.index, -1) - one.iou) > ROUND_OFF:
            yield f"categories.{name}.iou", f"does not follow from the counts of fold {number}"
        if made.episodes[one.index] != one.episodes:
            yield f"categories.{name}.episodes", f"does not follow from the counts of fold {number}"
