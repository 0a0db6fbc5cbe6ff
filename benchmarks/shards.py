"""What sharing a run costs one process, and how long several take together.

    python benchmarks/shards.py [--benchmark BENCHMARK [--method lite] [--set short_side=96] [--rounds 5]]

Without a benchmark only the schedule is simulated, by the code that orders videos in `icvos eval --shard`: 437 videos
of 20 to 2,000 frames, many short and few long, in seconds of one frame. The least time is that of the longest video, or
all frames over the workers.

With one, a method makes all draws of it in turn by the bare loop over `predict_group`, which keeps no record and claims
nothing, and as `icvos eval` does, and the masks are compared. Times are of the processor, all threads of the process
together, and medians over the rounds.
"""

import argparse
import random
import statistics
import tempfile
import time
from pathlib import Path

from icvos.commands.options import read_settings
from icvos.files.leases import Leases
from icvos.method import load_method, sees_truth
from icvos.protocol import NATIVE
from icvos.tasks.record import RunRecord
from icvos.tasks.runs import RunOptions
from icvos.tasks.shards import Worker, makespan
from icvos.tasks.video.benchmark import Benchmark
from icvos.tasks.video.predict import plan, run
from icvos.tasks.video.together import groups, predict_group

CLIPS, SHORTEST, LONGEST = 437, 20, 2000
LEASE = 60 / 0.7  # in seconds of a frame that takes 0.7 s


def lengths(seed: int) -> list[int]:
    """Frames of `CLIPS` videos."""
    generator = random.Random(seed)
    return [min(LONGEST, max(SHORTEST, int(generator.lognormvariate(4.5, 1.2)))) for _ in range(CLIPS)]


def simulate() -> None:
    costs = lengths(0)
    total = sum(costs)
    print(f"{len(costs)} videos, {min(costs)} to {max(costs)} frames, {total:,} in all")
    for count in (1, 2, 4, 8, 16, 32):
        bound = max(max(costs), total / count)
        whole = makespan(costs, [Worker()] * count)
        rest = [Worker()] * (count - 1)
        late = makespan(costs, [*rest, Worker(starts=bound / 2)])
        dead = makespan(costs, [*rest, Worker(dies=bound / 2)], LEASE) if rest else float("nan")
        print(f"| {count} | {bound:,.0f} | {whole / bound:.3f} | {late / bound:.3f} | {dead / bound:.3f} |")


def masks(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*.png"))}


def overhead(benchmark: Benchmark, name: str, settings: dict[str, str], rounds: int) -> None:
    options = RunOptions(name, settings, protocols=(NATIVE,))
    method = load_method(name, settings)
    draws = (0,) if sees_truth(method) else range(benchmark.draws)
    bare, shared = list[float](), list[float]()
    with tempfile.TemporaryDirectory() as folder:
        for position in range(rounds + 1):  # the first loads what is loaded once
            one, other = Path(folder) / f"bare{position}", Path(folder) / f"shared{position}"
            began = time.process_time()
            again = load_method(name, settings)
            work = plan(benchmark.clips, one, options, dict.fromkeys(draws, RunRecord()))
            for group in groups(work, again):
                predict_group(benchmark, again, group, options, one, lambda clip, frames: None)
            ended = time.process_time()
            run(benchmark, benchmark.clips, other, options)
            bare.append(ended - began)
            shared.append(time.process_time() - ended)
            if masks(one) != masks(other):
                raise SystemExit("the masks differ")
    ratio = statistics.median(b / a for a, b in zip(bare[1:], shared[1:], strict=True))
    each = statistics.median(b - a for a, b in zip(bare[1:], shared[1:], strict=True)) / len(benchmark.videos)
    frames = sum(item.frames for item in work)
    print(
        f"{name}: {len(benchmark.videos)} videos, {len(work)} clips and draws, {frames} masks: "
        f"{statistics.median(bare[1:]):.2f} s of processor time, shared {ratio:.3f} of it, {1000 * each:.1f} ms a video"
    )


def claims() -> None:
    with tempfile.TemporaryDirectory() as folder, Leases(Path(folder) / "claims") as leases:
        began = time.process_time()
        for _ in range(1000):
            leases.take("video")
            leases.release("video")
        print(f"a claim, made and given back: {time.process_time() - began:.2f} ms of processor time")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--benchmark", type=Path)
    parser.add_argument("--method", default="lite")
    parser.add_argument("--set", dest="pairs", action="append", default=[])
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    simulate()
    claims()
    if given.benchmark:
        overhead(Benchmark.open(given.benchmark), given.method, read_settings(tuple(given.pairs)), given.rounds)


if __name__ == "__main__":
    main()
