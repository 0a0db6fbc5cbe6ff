"""Whether a built image benchmark is still what its manifest says."""

from collections.abc import Iterator
from pathlib import Path

from curation.image.build import train_digest, val_digest
from icvos.errors import IcvosError, extent
from icvos.files.images import image_size
from icvos.tasks.image.benchmark import ImageBenchmark, Picture
from icvos.tasks.task import SILENT, Watch


def check_benchmark(root: Path | str, *, watch: Watch = SILENT) -> list[str]:
    """Read a built image benchmark again, with the headers of all its images.

    Args:
        root: Its folder.
        watch: Is told of every picture.

    Returns:
        One line for everything that is wrong: another digest, an image that is missing or of another size, an episode
        that is impossible; empty where it is whole.

    Raises:
        IcvosError: The folder holds no image benchmark, or one whose files cannot be read.

    >>> check_benchmark("episodes")
    []
    """
    benchmark = ImageBenchmark.open(root)
    head = (benchmark.name, benchmark.manifest.rule, benchmark.classes, benchmark.folds)
    validation = tuple(benchmark.validation.values())
    training = tuple(benchmark.training.values()) if benchmark.training_digest else ()
    watch.stage("check")
    watch.total(len(validation) + len(training))
    problems = []
    if val_digest(*head, validation) != benchmark.digest:
        problems.append(f"{benchmark.root / 'val.json'}: does not match the digest of evaluation")
    problems += _image_faults(validation, watch)
    if benchmark.training_digest and train_digest(*head, training) != benchmark.training_digest:
        problems.append(f"{benchmark.root / 'train.json'}: does not match the digest of training")
    problems += _image_faults(training, watch)
    return [*problems, *_impossible(benchmark)]


def _impossible(benchmark: ImageBenchmark) -> Iterator[str]:
    for number, fold in enumerate(benchmark.folds):
        for index, (kind, query, supports) in enumerate(fold.episodes):
            asked = [benchmark.validation.get(name) for name in (query, *supports)]
            if not all(picture is not None and kind in picture.listed for picture in asked):
                yield f"{benchmark.root}: episode {index} of fold {number} is impossible"


def _image_faults(pictures: tuple[Picture, ...], watch: Watch) -> Iterator[str]:
    for picture in pictures:
        try:
            size = image_size(picture.path)
        except IcvosError as error:
            yield str(error)
        else:
            if size != picture.size:
                yield f"{picture.path}: {extent(size)} pixels, annotated as {extent(picture.size)}"
        watch.advance()
