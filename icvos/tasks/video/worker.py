"""A worker of a cluster: it loads the method once, and makes one video after the other. It does not know Ray."""

import contextlib
import os
import platform
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from icvos.errors import IcvosError
from icvos.files.leases import Claim
from icvos.models.weights.registry import FOLDER_VARIABLE, random_weights_allowed
from icvos.notices import LOGGER, Kept
from icvos.tasks.runs import RunOptions
from icvos.tasks.video.benchmark import Benchmark
from icvos.tasks.video.opening import MadeBy, load_maker, made_by
from icvos.tasks.video.together import Made, Maker, Work

NEWS_S = 0.5  # between two reports of masks


@dataclass(frozen=True, slots=True)
class Orders:
    """What every worker of a run is told. Paths are the same on all machines.

    Args:
        benchmark: The folder of the benchmark.
        out: The run folder.
        options: How it is run.
        draws: The draws of the run.
        folder: The folder that the command was given in, to which paths are relative.
        weights: The folder of weights.
        random_weights: Whether missing checkpoints are replaced by random weights.
    """

    benchmark: Path
    out: Path
    options: RunOptions
    draws: tuple[int, ...]
    folder: Path
    weights: Path
    random_weights: bool


@dataclass(frozen=True, slots=True)
class News:
    """What a worker tells of a video.

    Args:
        masks: By clip how many masks were made since the last news.
        made: A group of clips that is through.
        notices: Warnings that were logged there.
    """

    masks: dict[str, int] = field(default_factory=dict)
    made: Made | None = None
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Begun:
    """What a worker says when the method is loaded.

    Args:
        made_by: What the records of the run say.
        host: The name of its machine.
        pid: Its process.
        notices: Warnings that were logged there.
    """

    made_by: MadeBy
    host: str
    pid: int
    notices: tuple[str, ...]


class _LostError(Exception):
    """Another process has taken over what this worker was making."""


class Worker:
    """One worker.

    Args:
        orders: What it is told.
    """

    def __init__(self, orders: Orders) -> None:
        self.orders = orders
        self.maker: Maker | None = None
        self.kept = Kept()
        LOGGER.addHandler(self.kept)

    def begin(self) -> Begun:
        """Load the method; `IcvosError` where it cannot be used here."""
        orders = self.orders
        try:
            os.chdir(orders.folder)
        except OSError as error:
            if not (orders.benchmark.is_absolute() and orders.out.is_absolute()):
                raise IcvosError(
                    f"{orders.folder}: cannot be reached from {platform.node()} ({error.strerror}); give --benchmark "
                    "and --out as absolute paths, in folders that all machines share"
                ) from error
        os.environ[FOLDER_VARIABLE] = str(orders.weights)
        with random_weights_allowed(orders.random_weights):
            self.maker = load_maker(Benchmark.open(orders.benchmark), orders.out, orders.options)
            found = made_by(self.maker, orders.draws)
        return Begun(found, platform.node(), os.getpid(), self.kept.told())

    def make(self, items: Sequence[Work], claim: Claim) -> Iterator[News]:
        """Make some clips of a video, as long as ``claim`` stands.

        Errors are told as text, since those of a method may be of classes that nobody else knows.
        """
        assert self.maker is not None
        masks, told = Counter[str](), time.monotonic()

        def ready() -> None:
            if not claim.stands:
                raise _LostError

        with random_weights_allowed(self.orders.random_weights), contextlib.suppress(_LostError):
            for news in self.maker.make(items, ready):
                if isinstance(news, Made):
                    failed = [(item, IcvosError(str(error))) for item, error in news.failed]
                    yield News(dict(masks), Made(news.clips, failed), self.kept.told())
                else:
                    masks[news.id] += 1
                    if time.monotonic() - told < NEWS_S:
                        continue
                    yield News(dict(masks), notices=self.kept.told())
                masks.clear()
                told = time.monotonic()
