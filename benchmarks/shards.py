"""What sharing a run costs one process, and how long several take together.

    python benchmarks/shards.py [--processes 4] [--benchmark BENCHMARK [--method lite] [--set short_side=96]]

First the schedule is simulated, by the code that orders videos in `icvos eval --shard`: 437 videos
of 20 to 2,000 frames, many short and few long, in seconds of one frame. The least time is that of the longest video, or
all frames over the workers.

With processes, as many shards of `icvos eval` run 60 videos of 5 to 100 frames by a method that does nothing but sleep
for 50 ms a frame, so that they do not compete for a processor. What the same command takes on the finished run, its
start and the scoring, is subtracted.

With a benchmark, a method makes all draws of it in turn by the bare loop of `Maker.make`, which keeps no record
and claims nothing, and as `icvos eval` does, and the masks are compared. Times are of the processor, all threads of the
process together, and medians over the rounds.
"""

import argparse
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from icvos.commands.options import read_settings
from icvos.files.leases import Leases
from icvos.files.masks import write_binary
from icvos.method import load_method, sees_truth
from icvos.protocol import NATIVE
from icvos.tasks.record import RunRecord
from icvos.tasks.runs import RunOptions
from icvos.tasks.shards import Worker, makespan
from icvos.tasks.video.benchmark import Benchmark
from icvos.tasks.video.opening import plan
from icvos.tasks.video.predict import run
from icvos.tasks.video.together import Maker

CLIPS, SHORTEST, LONGEST = 437, 20, 2000
SLEEP_S = 0.05  # a frame
SLEEPER = f"""
import time
import numpy as np


class Sleeper:
    sees_truth = True

    def segment(self, supports, frames):
        for frame in frames:
            time.sleep({SLEEP_S})
            yield np.zeros(frame.shape[:2], dtype=bool)
"""
MAIN = f"""{SLEEPER}
import sys
from importlib.metadata import EntryPoint
from icvos import method
from icvos.cli import main

method.entry_points = lambda group: [EntryPoint("sleeper", "__main__:Sleeper", "icvos.methods")]
main(sys.argv[1:])
"""
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


def write_videos(root: Path) -> list[int]:
    """A benchmark of small videos, in the published layout; how many frames they have."""
    counts = [min(100, max(5, count // 8)) for count in lengths(1)[:60]]
    for number, count in enumerate(counts):
        video = root / f"video{number:03d}"
        for kind in ("JPEGImages", "Annotations/17"):
            (video / kind).mkdir(parents=True)
        for frame in range(count):
            Image.new("RGB", (64, 48)).save(video / "JPEGImages" / f"{frame:05d}.jpg")
            write_binary(video / "Annotations/17" / f"{frame:05d}.png", np.ones((48, 64), dtype=bool))
    return counts


def processes(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        frames = write_videos(Path(folder) / "benchmark")

        def seconds() -> float:
            arguments = ["eval", "--method", "sleeper", "--protocol", "native", "--benchmark", f"{folder}/benchmark"]
            command = [sys.executable, "-c", MAIN, *arguments, "--out", f"{folder}/run"]
            began = time.perf_counter()
            shards = [
                subprocess.Popen([*command, "--shard", f"{number + 1}/{count}"], stdout=subprocess.DEVNULL)
                for number in range(count)
            ]
            for shard in shards:
                if shard.wait():
                    raise SystemExit("a shard failed")
            return time.perf_counter() - began

        taken = seconds()
        again = seconds()
    bound = max(max(frames), sum(frames) / count) * SLEEP_S
    print(
        f"{count} processes, {len(frames)} videos, {sum(frames)} frames: {taken:.1f} s, on the finished run "
        f"{again:.1f} s; the difference is {(taken - again) / bound:.3f} of the least time, {bound:.1f} s"
    )


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
            for _ in Maker(benchmark, again, options, one).make(work):
                pass
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
    parser.add_argument("--processes", type=int)
    parser.add_argument("--benchmark", type=Path)
    parser.add_argument("--method", default="lite")
    parser.add_argument("--set", dest="pairs", action="append", default=[])
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    simulate()
    claims()
    if given.processes:
        processes(given.processes)
    if given.benchmark:
        overhead(Benchmark.open(given.benchmark), given.method, read_settings(tuple(given.pairs)), given.rounds)


if __name__ == "__main__":
    main()
