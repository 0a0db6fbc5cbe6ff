"""Results on images in words and tables, for a terminal."""

from collections.abc import Iterator, Sequence

from icvos.errors import IcvosError, plural
from icvos.tasks.image.result import ImageResult
from icvos.tasks.listing import Listing, percent
from icvos.tasks.result import Named, Report, Selection, caveats, copies, few_episodes


def lines(result: ImageResult, where: str) -> Sequence[str]:
    """A line for each fold, and one for their mean."""
    found = [*copies(result)]
    for number, fold in result.folds.items():
        whole = fold.episodes == fold.of
        extent = plural(fold.of, "episode") if whole else f"{fold.episodes:,} of {plural(fold.of, 'episode')}"
        found.append(
            f"fold {number}: mIoU {percent(fold.miou)}  FB-IoU {percent(fold.fb_iou)}  "
            f"{extent}, {plural(fold.classes, 'class')}{_without(fold.without)}"
        )
    partial = " (partial)" if result.partial_note else ""
    overall, shots = result.overall, plural(result.shots, "shot")
    interval = f"(no interval: {few_episodes(result.fewest_episodes)})"
    if result.sure is not None:
        low, high = result.sure.miou
        interval = f"[{percent(low)}, {percent(high)}]"
    found.append(
        f"{result.benchmark.name}, {shots}, {result.protocol}: "
        f"mIoU {percent(overall.miou)} {interval}  FB-IoU {percent(overall.fb_iou)}  "
        f"{overall.folds} of {plural(result.benchmark.folds, 'fold')}, "
        f"{plural(overall.episodes, 'episode')}{partial} -> {where}"
    )
    return tuple(found)


def _without(names: Sequence[str]) -> str:
    """The classes that no episode asks for: all of a few, else how many."""
    if not names:
        return ""
    return f"; no episode of {', '.join(names)}" if len(names) <= 4 else f"; no episode of {len(names)} others"


def restricted(result: ImageResult, selection: Selection, where: str) -> ImageResult:
    """The whole result where nothing is selected; else `IcvosError`."""
    if selection:
        raise IcvosError(f"{where}: on images; its report shows every fold and class, leave out what selects some")
    return result


def report(result: ImageResult, named: Named, ceiling: Named | None) -> Report:
    """Every fold with its classes."""
    if ceiling is not None:
        raise IcvosError(f"{named.where}: on images; its report has no ceiling, leave it out")
    title = f"{named.name}, {', '.join((result.benchmark.name, result.protocol, *caveats(result)))}"
    return Report((Listing(title, ("", "episodes", "mIoU", "FB-IoU"), tuple(_rows(result))),))


def _rows(result: ImageResult) -> Iterator[tuple[str, ...] | None]:
    overall = result.overall
    yield ("all folds", f"{overall.episodes:,}", percent(overall.miou), percent(overall.fb_iou))
    for number, fold in result.folds.items():
        yield None
        yield (f"fold {number}", f"{fold.episodes:,}", percent(fold.miou), percent(fold.fb_iou))
        classes = [item for item in result.categories.items() if item[1].fold == int(number)]
        for name, member in sorted(classes, key=lambda item: (-item[1].iou, item[0])):
            yield (f"  {name}", f"{member.episodes:,}", percent(member.iou))
        for name in fold.without:
            yield (f"  {name}", "0")


def compared(named: Named, other: Named, most: int) -> Report:  # noqa: ARG001  # as on videos
    """Refused: an `IcvosError` that says what shows both."""
    raise IcvosError(
        f"{named.where}: on images, and only runs on videos are compared clip by clip; show both with: "
        f"icvos leaderboard {named.where} {other.where}"
    )
