"""How long the workers of a cluster take for a run, and what they cost beside a single process.

    python -m benchmarks.cluster [--workers 4] [--rounds 5] [--starts 5]
        [--benchmark BENCHMARK [--method lite] [--set device=cpu]]

First the schedule is simulated, by the code that gives videos to workers in `icvos eval --ray`: 437 videos of 20 to
2,000 frames, in seconds of one frame. The least possible time is that of the longest video, or of all frames over the
workers. Workers that die do so at random moments, and are replaced after 60 seconds; medians and the worst of 20 cases,
relative to that time, and to `icvos.tasks.makespan.Span.least`, which knows what was lost. Then several methods, which
take 20 seconds to load: what they take by the same workers, and one after the other, relative to the least time; how
often workers load a method in either case.

With workers, a real Ray runs 60 videos of 5 to 100 frames by a method that does nothing but sleep for 50 ms a frame, so
that workers do not compete for a processor; then the same with one worker and in this process, in turn. With starts,
the time from the call to the first video is measured so many times: Ray's own start, that of a worker, and the loading
of the method; in turn with it Ray's start alone, and what that takes of processors. With a benchmark, a real method
makes it in this process and with one worker, in turn.
"""

import argparse
import contextlib
import importlib
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.shards import CLIPS, SLEEPER, lengths, write_videos
from icvos.commands.options import read_settings
from icvos.protocol import NATIVE
from icvos.tasks.makespan import Span, makespan
from icvos.tasks.pool import Pool
from icvos.tasks.runs import RunOptions
from icvos.tasks.shards import Worker
from icvos.tasks.video.benchmark import Benchmark
from icvos.tasks.video.predict import run

REPLACED = 60 / 0.7  # in seconds of a frame that takes 0.7 s
LOADING = 20 / 0.7


def simulate() -> None:
    costs = lengths(0)
    total = sum(costs)
    print(f"{len(costs)} videos, {min(costs)} to {max(costs)} frames, {total:,} in all")
    for count in (1, 2, 4, 8, 16, 32):
        bound = max(max(costs), total / count)
        whole = makespan([costs], [Worker()] * count)
        line = f"| {count} | {bound:,.0f} | {whole.seconds / bound:.3f} "
        for dying in (1, max(1, count // 4)):
            spans = [dead(costs, count, dying, bound, seed) for seed in range(20)]
            for found in ([span.seconds / bound for span in spans], [span.seconds / span.least for span in spans]):
                line += f"| {statistics.median(found):.3f} | {max(found):.3f} "
        print(f"{line}|")


def dead(costs: list[int], count: int, dying: int, bound: float, seed: int) -> Span:
    generator = random.Random(seed)
    workers = [Worker(dies=generator.uniform(0, bound) if number < dying else None) for number in range(count)]
    return makespan([costs], workers, REPLACED)


def simulate_methods() -> None:
    """Methods of the same speed, which share the workers or take turns."""
    for methods, count, videos in ((10, 8, CLIPS), (10, 32, CLIPS), (5, 4, 20), (10, 32, 60)):
        runs = [lengths(seed)[:videos] for seed in range(methods)]
        shared = makespan(runs, [Worker()] * count, loading_s=LOADING)
        turns = sum(makespan([costs], [Worker()] * count, loading_s=LOADING).seconds for costs in runs)
        print(
            f"| {methods} | {videos} | {count} | {shared.least:,.0f} | {shared.seconds / shared.least:.3f} "
            f"| {turns / shared.least:.3f} | {shared.loads} | {methods * count} |"
        )


def install_sleeper(folder: Path) -> None:
    """A package with the method, for this process and for the workers that it starts."""
    about = folder / "sleeper-1.0.dist-info"
    about.mkdir()
    (folder / "sleeper.py").write_text(SLEEPER)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: sleeper\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[icvos.methods]\nsleeper = sleeper:Sleeper\n")
    sys.path.insert(0, str(folder))
    os.environ["PYTHONPATH"] = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])


@contextlib.contextmanager
def sleepy_benchmark() -> Iterator[Benchmark]:
    """Small videos, and the method that sleeps."""
    with tempfile.TemporaryDirectory() as folder:
        package, root = Path(folder) / "package", Path(folder) / "benchmark"
        package.mkdir()
        install_sleeper(package)
        frames = write_videos(root)
        print(f"{len(frames)} videos, {sum(frames)} frames")
        yield Benchmark.open(root)


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of a run.

    Args:
        start_up: From the call to the first video.
        taken: From there to the end.
    """

    start_up: float
    taken: float


class _BegunError(Exception):
    """Only the start was asked for."""


def timed(
    benchmark: Benchmark, name: str, settings: dict[str, Any], pool: Pool | None, *, only_start: bool = False
) -> Times:
    """A run from its beginning."""

    def start(done: int, total: int) -> None:  # noqa: ARG001
        started.append(time.perf_counter())
        if only_start:
            raise _BegunError

    started = list[float]()
    options = RunOptions(name, settings, protocols=(NATIVE,), pool=pool)
    with tempfile.TemporaryDirectory() as out:
        began = time.perf_counter()
        with contextlib.suppress(_BegunError):
            run(benchmark, benchmark.clips, Path(out) / "run", options, start=start)
        ended = time.perf_counter()
        return Times(started[0] - began, ended - started[0])


def workers(count: int, rounds: int) -> None:
    with sleepy_benchmark() as benchmark:
        ray = start_ray(count)
        compare(benchmark, "sleeper", {}, {count: Pool("local", 1), 1: Pool("local", count)}, rounds)
        ray.shutdown()


def starts(rounds: int) -> None:
    """Times from a call to its first video, in turn with those of Ray alone."""
    whole, alone, used = list[float](), list[float](), list[float]()
    with sleepy_benchmark() as benchmark:
        for _ in range(rounds):
            whole.append(timed(benchmark, "sleeper", {}, Pool("local", os.cpu_count()), only_start=True).start_up)
            before, began = processor_seconds(), time.perf_counter()
            ray = start_ray(os.cpu_count() or 1)
            alone.append(time.perf_counter() - began)
            used.append(processor_seconds() - before)
            ray.shutdown()
    for name, found in (("start-up", whole), ("Ray alone", alone), ("of processors", used)):
        print(f"{name}: {statistics.median(found):.1f} s ({min(found):.1f} to {max(found):.1f})")
    print(f"{os.cpu_count()} processors, load {', '.join(f'{load:.1f}' for load in os.getloadavg())}")


def processor_seconds() -> float:
    """What this process and all that it has started have used of processors, on Linux."""
    parents, used = dict[int, int](), dict[int, int]()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:  # has ended
            continue
        parents[int(path.parent.name)] = int(fields[1])
        used[int(path.parent.name)] = sum(map(int, fields[11:13]))
    own = {os.getpid()}
    for process in sorted(parents):  # children have higher numbers, unless these have begun anew
        if parents[process] in own:
            own.add(process)
    return sum(used[process] for process in own) / os.sysconf("SC_CLK_TCK")


def start_ray(processors: int) -> Any:
    """A Ray for several runs, so that its start and end are in none of their times."""
    ray = importlib.import_module("ray")
    ray.init(
        "local",
        num_cpus=processors,
        include_dashboard=False,
        object_store_memory=80 << 20,
        log_to_driver=False,
        logging_level="ERROR",
    )
    return ray


def compare(benchmark: Benchmark, name: str, settings: dict[str, Any], pools: Mapping[int, Pool], rounds: int) -> None:
    """By their numbers, workers against this process, in turn; ratios to its time divided by their number."""
    ratios: dict[int, list[float]] = {count: [] for count in pools}
    alone = list[float]()
    for _ in range(rounds):
        alone.append(timed(benchmark, name, settings, None).taken)
        for count, pool in pools.items():
            ratios[count].append(timed(benchmark, name, settings, pool).taken * count / alone[-1])
    print(f"{name}: {statistics.median(alone):.1f} s in this process")
    for count, found in ratios.items():
        low, high = min(found), max(found)
        print(f"{count} workers: {statistics.median(found):.3f} of that by {count} ({low:.3f} to {high:.3f})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--benchmark", type=Path)
    parser.add_argument("--method", default="lite")
    parser.add_argument("--set", dest="pairs", action="append", default=[])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--starts", type=int)
    given = parser.parse_args()
    simulate()
    simulate_methods()
    if given.workers:
        workers(given.workers, given.rounds)
    if given.starts:
        starts(given.starts)
    if given.benchmark:
        settings = read_settings(tuple(given.pairs))
        ray = start_ray(1)
        compare(Benchmark.open(given.benchmark), given.method, settings, {1: Pool("local", 1)}, given.rounds)
        ray.shutdown()


if __name__ == "__main__":
    main()
