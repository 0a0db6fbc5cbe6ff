"""What a benchmark of images holds: the counts of its folds beside the published ones."""

from collections.abc import Iterator
from dataclasses import dataclass

from icvos.tasks.image.benchmark import ImageBenchmark
from icvos.tasks.image.folds import FOLD_LISTS, FoldList, fold_classes
from icvos.tasks.image.manifest import MANIFEST
from icvos.tasks.listing import Listing

SHOWN = 5  # names in a line of what was passed over


@dataclass(frozen=True, slots=True)
class FoldCounts:
    """One fold in numbers.

    Args:
        tested: Classes to test.
        asked: Those that occur in an episode.
        pictures: Pictures of evaluation that are listed for a tested class.
        pairs: Pairs of such a picture and a tested class.
        episodes: Frozen episodes.
        shots: Supports of an episode.
        training: Pictures listed for a class to train on.
        training_apart: Those that are listed for no tested class.
        published: The same of the published lists, where they are known.
    """

    tested: int
    asked: int
    pictures: int
    pairs: int
    episodes: int
    shots: int
    training: int
    training_apart: int
    published: FoldList


def fold_counts(benchmark: ImageBenchmark) -> Iterator[FoldCounts]:
    """The counts of every fold, in order."""
    training = tuple(benchmark.training.values()) if benchmark.training_digest else ()
    own = [(set(fold.test), set(fold.train)) for fold in benchmark.folds]
    usual = own == [(set(test), set(train)) for test, train in fold_classes(benchmark.name)]
    for number, (fold, (test, train)) in enumerate(zip(benchmark.folds, own, strict=True)):
        pairs = [len(test.intersection(picture.listed)) for picture in benchmark.validation.values()]
        trained = [picture for picture in training if train.intersection(picture.listed)]
        yield FoldCounts(
            tested=len(test),
            asked=len({kind for kind, _, _ in fold.episodes}),
            pictures=sum(count > 0 for count in pairs),
            pairs=sum(pairs),
            episodes=len(fold.episodes),
            shots=min((len(supports) for _, _, supports in fold.episodes), default=0),
            training=len(trained),
            training_apart=sum(not test.intersection(picture.listed) for picture in trained),
            published=FOLD_LISTS.get((benchmark.name, number), FoldList()) if usual else FoldList(),
        )


def summary(benchmark: ImageBenchmark) -> list[Listing | str]:
    """The folds with the counts of the published lists beside them, and the digests."""
    trains = bool(benchmark.training_digest)
    columns: tuple[str, ...] = ("fold", "classes asked", "pictures", "pairs", "episodes", "shots")
    columns += ("training pictures", "without tested classes") if trains else ()
    rows = [_row(number, found, trains) for number, found in enumerate(fold_counts(benchmark))]
    splits = benchmark.manifest.splits
    names = " and ".join(filter(None, (splits.val, splits.train)))
    shown: list[Listing | str] = [
        f"{benchmark.root}: {benchmark.name}, {names}; {benchmark.manifest.rule}",
        Listing("", columns, tuple(rows)),
        "pairs of a picture and a class; after the stroke: the published lists",
        *_left_out(benchmark),
        f"evaluation {benchmark.digest}",
    ]
    return [*shown, f"training {benchmark.training_digest}"] if trains else shown


def _left_out(benchmark: ImageBenchmark) -> list[str]:
    """A line for every reason to pass things over, and where all of them are listed."""
    groups = benchmark.manifest.left_out or ()
    lines = []
    for group in groups:
        some = ", ".join(group.names[:SHOWN]) + (", ..." if len(group.names) > SHOWN else "")
        lines.append(f"left out: {group.split}: {len(group.names):,} {group.what} {group.reason}: {some}")
    number, path = sum(len(group.names) for group in groups), benchmark.root / MANIFEST
    return [*lines, f"{number:,} left out, each with its reason: left_out in {path}"] if groups else []


def _row(number: int, found: FoldCounts, trains: bool) -> tuple[str, ...]:
    row = (
        str(number),
        f"{found.asked} of {found.tested}",
        _beside(found.pictures, found.published.pictures),
        _beside(found.pairs, found.published.pairs),
        f"{found.episodes:,}",
        str(found.shots),
    )
    if not trains:
        return row
    return (*row, f"{found.training:,}", _beside(found.training_apart, found.published.training_apart))


def _beside(own: int, published: int | None) -> str:
    return f"{own:,}" + (f" / {published:,}" if published else "")
