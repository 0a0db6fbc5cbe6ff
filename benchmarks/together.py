"""Several methods in one pass over each video, beside one method after the other.

    python -m benchmarks.together --benchmark BENCHMARK [--methods lite oracle ...] [--clips 4]
        [--sam2 sam2-nano]

The methods at their small sizes, carried on by affinity or a SAM 2, make the first clips of a benchmark either way, in
one process, methods loaded anew each time; the script stops where masks differ. Times are of the processor, loading
and writing masks included. Of the separate runs each method's is printed too.
"""

import argparse
import tempfile
import time
from pathlib import Path

from icvos.commands.demo import CARRIED, DRAW
from icvos.method import method_class, sees_truth
from icvos.tasks.runs import RunOptions
from icvos.tasks.video.benchmark import Benchmark
from icvos.tasks.video.predict import run, run_all

METHODS = ("dcsam", "pfenet", "amnet", "hdmnet", "vrp-sam", "persam", "lite", "oracle")


def options(method: str, sam2: str) -> RunOptions:
    """The method at its small size, carried by affinity at the short side of the demo, or by a SAM 2."""
    factory = method_class(method)
    fields = factory.Settings.__dataclass_fields__
    carried = {name: value for name, value in (CARRIED | {"sam2": sam2}).items() if name in fields}
    return RunOptions(method, {**getattr(factory, "small", {}), **carried}, parts=(DRAW,))


def masks(out: Path) -> dict[str, bytes]:
    """What was made."""
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*.png")}


def main() -> None:
    """Run both ways and print the times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--benchmark", type=Path, required=True)
    parser.add_argument("--methods", nargs="+", default=METHODS)
    parser.add_argument("--clips", type=int, default=4)
    parser.add_argument("--sam2", default="affinity")
    given = parser.parse_args()
    benchmark = Benchmark.open(given.benchmark)
    clips = benchmark.select()[: given.clips]
    frames = sum(len(clip.video.frames) for clip in clips)
    with tempfile.TemporaryDirectory() as folder:
        alone, together = Path(folder, "alone"), Path(folder, "together")
        seconds = {}
        for method in given.methods:
            began = time.process_time()
            run(benchmark, clips, alone / method, options(method, given.sam2))
            seconds[method] = time.process_time() - began
        began = time.process_time()
        runs = {together / method: options(method, given.sam2) for method in given.methods}
        run_all(benchmark, clips, runs, None)
        whole = time.process_time() - began
        if masks(alone) != masks(together):
            raise SystemExit("the masks differ")
    truth = ", ".join(method for method in given.methods if sees_truth(method_class(method)))
    print(f"{len(given.methods)} methods, {len(clips)} clips of {frames} frames; given the truth: {truth or 'none'}")
    print("\n".join(f"{method}: {taken:.1f} s" for method, taken in seconds.items()))
    total = sum(seconds.values())
    print(f"one after the other {total:.1f} s, together {whole:.1f} s: {total / whole:.2f} times as fast")


if __name__ == "__main__":
    main()
