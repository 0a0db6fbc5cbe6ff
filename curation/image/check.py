"""What a built image benchmark holds: counts of its folds beside the published ones, and whether it is whole."""

from collections.abc import Iterator
from dataclasses import dataclass

from curation.image.build import train_digest, val_digest
from curation.image.plan import fold_classes
from curation.published import FOLD_LISTS, FoldList
from icvos.errors import IcvosError
from icvos.files.images import image_size
from icvos.tasks.image.benchmark import ImageBenchmark, Picture


@dataclass(frozen=True, slots=True)
class FoldCounts:
    """One fold in numbers.

    Args:
        tested: Classes to test.
        asked: Those that occur in an episode.
        pictures: Of evaluation, listed for a tested class.
        pairs: Of such a picture and a tested class.
        episodes: Frozen.
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


def check(benchmark: ImageBenchmark) -> list[str]:
    """Every fault, one line each: digests, images that are missing or of another size, and impossible episodes."""
    problems = []
    manifest, root = benchmark.manifest, benchmark.root
    validation = tuple(benchmark.validation.values())
    if val_digest(manifest, validation) != benchmark.digest:
        problems.append(f"{root / 'val.json'}: does not match the digest of evaluation")
    problems += _image_faults(validation)
    if benchmark.training_digest:
        training = tuple(benchmark.training.values())
        if train_digest(manifest, training) != benchmark.training_digest:
            problems.append(f"{root / 'train.json'}: does not match the digest of training")
        problems += _image_faults(training)
    for number, fold in enumerate(benchmark.folds):
        for index, (kind, query, supports) in enumerate(fold.episodes):
            asked = {name: benchmark.validation.get(name) for name in (query, *supports)}
            listed = all(picture is not None and kind in picture.listed for picture in asked.values())
            if query in supports or kind not in fold.test or not listed:
                problems.append(f"{root}: episode {index} of fold {number} is impossible")
    return problems


def _image_faults(pictures: tuple[Picture, ...]) -> Iterator[str]:
    for picture in pictures:
        try:
            size = image_size(picture.path)
        except IcvosError as error:
            yield str(error)
            continue
        if size != picture.size:
            yield f"{picture.path}: {size[1]}x{size[0]} pixels, annotated as {picture.size[1]}x{picture.size[0]}"
