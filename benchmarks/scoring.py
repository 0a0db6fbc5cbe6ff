"""How fast J and F are counted and folders of masks are scored, beside the packages that are on PyPI for it.

    python benchmarks/scoring.py [--masks FOLDER] [--runs 3] [--frames 60]

FOLDER holds real masks as ``gt/<sequence>/<frame>.png`` and ``osvos/<sequence>/<frame>.png`` (non-zero is the object);
without it ``$ICVOS_SAMPLES/davis_osvos`` is taken. Needs ``vos-benchmark``; ``trackeval``, whose J and F is adapted
from the code of DAVIS 2017 (itself not on PyPI), is compared where it is installed.

Everything runs in this one process and thread, in turn, on the same masks. Times are of the processor, which a busy
machine disturbs less than the clock; a ratio is the median over blocks of masks or over sequences, and what is printed
the median over runs. Every result is compared before it is timed. The Markdown tables go to ``docs/performance.md``.
"""

import argparse
import contextlib
import importlib.util
import io
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image
from vos_benchmark.benchmark import VideoEvaluator
from vos_benchmark.evaluator import Evaluator
from zlib_ng import zlib_ng

from icvos.files.masks import DAVIS_PALETTE, encode_binary, read_binary, resize_nearest
from icvos.files.png import parse
from icvos.files.storage import link_or_copy
from icvos.metrics import count, warm
from icvos.protocol import NATIVE, PAPER, Protocol
from icvos.tasks.video.benchmark import Benchmark
from icvos.tasks.video.score import score

Pair = tuple[np.ndarray, np.ndarray]
Peer = Callable[[Pair], tuple[float, float]]
BLOCK = 6  # pairs that are timed together: more than the processor's own caches hold
SIZES = [(480, 854), (720, 1280), (1080, 1920)]


def seconds(work: Callable[[], Any]) -> float:
    """Time of this thread on the processor."""
    start = time.thread_time_ns()
    work()
    return (time.thread_time_ns() - start) / 1e9


def icvos_jf(pair: Pair) -> tuple[float, float]:
    found = count(*pair)
    return found.j, found.f


def vos_benchmark_jf(pair: Pair) -> tuple[float, float]:
    evaluator = Evaluator()
    evaluator.feed_frame(pair[1].view(np.uint8), pair[0].view(np.uint8))
    return (evaluator.object_iou or {1: [1.0]})[1][0], (evaluator.boundary_f or {1: [1.0]})[1][0]


def trackeval_jf(pair: Pair) -> tuple[float, float]:
    from pycocotools import mask as coco_mask
    from trackeval.metrics import JAndF

    truth, prediction = (coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8)) for mask in pair)
    data = {"gt_dets": [[truth]], "tracker_dets": [[prediction]], "gt_ids": [[0]], "tracker_ids": [[0]]}
    data |= {"num_timesteps": 1, "num_tracker_ids": 1, "num_gt_ids": 1}
    found = JAndF().eval_sequence(data)
    return found["J-Mean"], found["F-Mean"]


def peers() -> dict[str, Peer]:
    found = {"vos-benchmark": vos_benchmark_jf}
    if importlib.util.find_spec("trackeval"):
        found["trackeval"] = trackeval_jf
    return found


def real_pairs(masks: Path, frames: int) -> list[Pair]:
    paths = sorted((masks / "gt").rglob("*.png"))
    chosen = [paths[k * len(paths) // frames] for k in range(min(frames, len(paths)))]
    return [(read_binary(path), read_binary(masks / "osvos" / path.relative_to(masks / "gt"))) for path in chosen]


def hard_pairs(size: tuple[int, int]) -> dict[str, Pair]:
    """Masks that no method makes, and that undo what makes ordinary ones fast."""
    height, width = size
    random = np.random.RandomState(0)
    rows, columns = np.indices(size)
    square = (abs(rows - height // 2) < height // 8) & (abs(columns - width // 2) < height // 8)
    ring = (rows == 0) | (rows == height - 1) | (columns == 0) | (columns == width - 1)
    half, other, percent, sparse = (random.rand(*size) < share for share in (0.5, 0.5, 0.01, 0.0001))
    specks = np.zeros(size, dtype=bool)
    specks[::7, ::9] = True
    checkerboard = (rows + columns) % 2 == 0
    return {
        "half noise, a square": (half, square),
        "half noise, other noise": (half, other),
        "half noise, a ring along the frame": (half, ring),
        "noise of 1 %, of 0.01 %": (percent, sparse),
        "specks 7 x 9 apart, a square": (specks, square),
        "specks, the same 3 pixels on": (specks, np.roll(specks, (3, 4), (0, 1))),
        "checkerboard, a square": (checkerboard, square),
        "checkerboard, a ring": (checkerboard, ring),
        "alternate rows, alternate columns": (rows % 2 == 0, columns % 2 == 0),
        "both empty": (np.zeros_like(square), np.zeros_like(square)),
        "both full": (np.ones_like(square), np.ones_like(square)),
    }


def compare(block: list[Pair], names: dict[str, Peer]) -> dict[str, float]:
    """Seconds a pair of each package on a block of pairs, ours between the others; all must agree on J and F.

    ``icvos`` streams the block from memory, as the others do; ``cached`` is of masks that were read a moment ago, as
    they are when files are scored.
    """
    found: dict[str, float] = {}
    ours, hot = [], []
    for name, peer in names.items():
        for pair in block:
            if not np.allclose(peer(pair), icvos_jf(pair), rtol=0, atol=1e-12):
                raise SystemExit(f"{name} gives {peer(pair)}, icvos {icvos_jf(pair)}")
        found[name] = seconds(lambda peer=peer: [peer(pair) for pair in block]) / len(block)
        ours.append(seconds(lambda: [icvos_jf(pair) for pair in block]) / len(block))
        hot += [seconds(lambda pair=pair: icvos_jf(pair)) for pair in block for _ in range(5)]
    return found | {"icvos": statistics.median(ours), "cached": statistics.median(hot)}


def kernel_rows(pairs: list[Pair], names: dict[str, Peer]) -> list[list[float]]:
    """Per size: milliseconds of icvos, streamed and cached, then for each peer its milliseconds and both ratios."""
    rows = []
    for size in SIZES:
        scaled = [(resize_nearest(truth, size), resize_nearest(prediction, size)) for truth, prediction in pairs]
        found = [compare(scaled[start : start + BLOCK], names) for start in range(0, len(scaled), BLOCK)]
        row = [1e3 * statistics.median(one[kind] for one in found) for kind in ("icvos", "cached")]
        for name in names:
            row += [1e3 * statistics.median(one[name] for one in found)]
            row += [statistics.median(one[name] / one[kind] for one in found) for kind in ("icvos", "cached")]
        rows.append(row)
    return rows


def hard_rows() -> list[list[float]]:
    """Per hard pair: the ratio to vos-benchmark at 480p and at 1080p."""
    by_size = []
    for size in (SIZES[0], SIZES[-1]):
        found = []
        for truth, prediction in hard_pairs(size).values():
            block = [(truth.copy(), prediction.copy()) for _ in range(BLOCK)]
            times = compare(block, {"vos-benchmark": vos_benchmark_jf})
            found.append(times["vos-benchmark"] / times["icvos"])
        by_size.append(found)
    return [list(row) for row in zip(*by_size, strict=True)]


def write_folders(pairs_of: dict[str, list[Pair]], root: Path, kind: str) -> tuple[Benchmark, Path, Path, Path]:
    """The same mask files twice, linked: as icvos and as vos-benchmark want them."""
    blank = root / "blank.jpg"
    root.mkdir()
    Image.new("RGB", pairs_of[next(iter(pairs_of))][0][0].shape[::-1]).save(blank)
    for name, pairs in pairs_of.items():
        ours = [root / "benchmark" / name / "Annotations" / "1", root / "run" / name / "1"]
        theirs = [root / "gt" / name, root / "masks" / name]
        frames = root / "benchmark" / name / "JPEGImages"
        for folder in (*ours, *theirs, frames):
            folder.mkdir(parents=True)
        for number, pair in enumerate(pairs):
            link_or_copy(blank, frames / f"{number:05d}.jpg")
            for mask, our, their in zip(pair, ours, theirs, strict=True):
                (our / f"{number:05d}.png").write_bytes(encode(mask, kind))
                link_or_copy(our / f"{number:05d}.png", their / f"{number:05d}.png")
    return Benchmark.open(root / "benchmark"), root / "run", root / "gt", root / "masks"


def encode(mask: np.ndarray, kind: str) -> bytes:
    """A PNG file: ``one bit`` as icvos writes, or ``palette`` as the tools of DAVIS do."""
    if kind == "one bit":
        return encode_binary(mask)
    buffer = io.BytesIO()
    image = Image.fromarray(mask.astype(np.uint8), mode="P")
    image.putpalette(DAVIS_PALETTE.ravel().tolist())
    image.save(buffer, format="PNG")
    return buffer.getvalue()


def trackeval_folders(gt: Path, masks: Path, name: str, frames: int) -> tuple[float, float]:
    """J and F of one sequence as TrackEval reads and counts a DAVIS folder."""
    from trackeval.datasets import DAVIS
    from trackeval.metrics import JAndF

    with contextlib.redirect_stdout(io.StringIO()):
        settings = {"GT_FOLDER": str(gt), "TRACKERS_FOLDER": str(masks.parent), "TRACKERS_TO_EVAL": [masks.name]}
        settings |= {"TRACKER_SUB_FOLDER": "", "SEQ_INFO": {name: frames}, "PRINT_CONFIG": False}
        dataset = DAVIS(settings)
        data = dataset.get_preprocessed_seq_data(dataset.get_raw_seq_data(masks.name, name), "general")
        found = JAndF().eval_sequence(data)
    return found["J-Mean"], found["F-Mean"]


def folder_row(places: tuple[Benchmark, Path, Path, Path]) -> list[float]:
    """Frames a second of icvos (native, paper@1), both peers, inflating alone; ratios; distance to the last.

    Without trackeval its two figures are not numbers.
    """
    benchmark, run, gt, masks = places
    ratios, davis_ratios, times = [], [], dict.fromkeys(("native", "paper", "vos", "davis", "floor"), 0.0)
    frames = 0
    for clip in benchmark.clips:

        def ours(protocol: Protocol, clip: Any = clip) -> Any:
            return score(benchmark, run, protocol, clips=[clip])

        name = clip.video.name
        evaluator = VideoEvaluator(str(gt), str(masks), skip_first_and_last=False)
        overall, theirs = ours(NATIVE).to_result().to_json()["overall"], evaluator(name)
        if not np.allclose((100 * overall["j"], 100 * overall["f"]), [next(iter(d.values())) for d in theirs[1:]]):
            raise SystemExit(f"{name}: vos-benchmark gives {theirs}, icvos {overall}")
        files = [path.read_bytes() for folder in (gt, masks) for path in sorted((folder / name).iterdir())]
        data = [(found.data, found.height * (1 + (found.width * found.depth + 7) // 8)) for found in map(parse, files)]
        one = {
            "native": seconds(lambda ours=ours: ours(NATIVE)),
            "vos": seconds(lambda name=name, evaluator=evaluator: evaluator(name)),
            "paper": seconds(lambda ours=ours: ours(PAPER)),
            "floor": seconds(lambda data=data: inflate(data)),
            "davis": math.nan,
        }
        if "trackeval" in peers():
            found = trackeval_folders(gt, masks, name, len(files) // 2)
            if not np.allclose((overall["j"], overall["f"]), found):
                raise SystemExit(f"{name}: trackeval gives {found}, icvos {overall}")
            began = time.process_time()  # timed once: it is slow
            trackeval_folders(gt, masks, name, len(files) // 2)
            one["davis"] = time.process_time() - began
        ratios.append(one["vos"] / one["native"])
        davis_ratios.append(one["davis"] / one["native"])
        times = {key: times[key] + one[key] for key in times}
        frames += len(files) // 2
    rates = [frames / times[key] for key in ("native", "paper", "vos", "davis", "floor")]
    return [*rates, statistics.median(ratios), statistics.median(davis_ratios), times["native"] / times["floor"]]


def inflate(data: list[tuple[bytes, int]]) -> None:
    """The least that has to be done with PNG files: undo the compression, and forget the pixels."""
    for body, size in data:
        zlib_ng.decompress(body, 15, size)


def first_run_seconds() -> tuple[float, float]:
    """How long it takes to load the compiled code with an empty cache, and with a filled one."""
    with tempfile.TemporaryDirectory() as cache:
        environment = os.environ | {"NUMBA_CACHE_DIR": cache}
        program = (
            "import time; from icvos.metrics import warm; "
            "start = time.process_time(); warm(); print(time.process_time() - start)"
        )
        runs = [
            subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
            for _ in range(2)
        ]
    return float(runs[0].stdout), float(runs[1].stdout)


def medians(runs: list[list[list[float]]]) -> list[list[float]]:
    return np.median(np.array(runs), axis=0).tolist()


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        model = platform.processor() or platform.machine()
    return f"{model}, {os.cpu_count()} cores"


def print_table(head: list[str], rows: list[list[str]]) -> None:
    for row in (head, ["---", *["---:"] * (len(head) - 1)], *rows):
        print(f"| {' | '.join(row)} |")
    print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    samples = os.environ.get("ICVOS_SAMPLES")
    parser.add_argument("--masks", type=Path, default=Path(samples) / "davis_osvos" if samples else None)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--frames", type=int, default=60, help="pairs of masks a run, spread over the sequences")
    options = parser.parse_args()
    if options.masks is None or not (options.masks / "gt").is_dir():
        parser.error("--masks: a folder with gt/<sequence>/<frame>.png and osvos/<sequence>/<frame>.png is needed")
    cv2.setNumThreads(1)
    warm()
    names = peers()
    print(f"{processor()}; Python {platform.python_version()}; one thread; medians of {options.runs} runs\n")

    pairs = real_pairs(options.masks, options.frames)
    found = medians([kernel_rows(pairs, names) for _ in range(options.runs)])
    head = ["ms a pair of masks", "icvos", "icvos, cached"]
    for name in names:
        head += [name, "ratio", "ratio, cached"]
    rows = []
    for (height, width), (ours, cached, *others) in zip(SIZES, found, strict=True):
        row = [f"{height} x {width}", f"{ours:.3f}", f"{cached:.3f}"]
        for place in range(0, len(others), 3):
            row += [f"{others[place]:.1f}", *(f"{ratio:.0f} x" for ratio in others[place + 1 : place + 3])]
        rows.append(row)
    print_table(head, rows)

    found = medians([hard_rows() for _ in range(options.runs)])
    labels = hard_pairs((8, 8))
    rows = [[label, f"{small:.0f} x", f"{large:.0f} x"] for label, (small, large) in zip(labels, found, strict=True)]
    print_table(["hard masks, ratio to vos-benchmark", "480 x 854", "1080 x 1920"], rows)

    by_sequence = {
        folder.name: [
            (read_binary(path), read_binary(options.masks / "osvos" / folder.name / path.name))
            for path in sorted(folder.iterdir())
        ]
        for folder in sorted((options.masks / "gt").iterdir())
    }
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for kind in ("palette", "one bit"):
            places = write_folders(by_sequence, Path(scratch) / kind, kind)
            (row,) = medians([[folder_row(places)] for _ in range(options.runs)])
            *rates, ratio, davis_ratio, distance = row
            rows.append([kind, *(f"{rate:.0f}" for rate in rates)])
            rows[-1] += [f"{ratio:.0f} x", f"{davis_ratio:.0f} x", f"{distance:.1f} x"]
    head = [
        "folders of PNG, frames a second",
        "icvos",
        "icvos paper@1",
        "vos-benchmark",
        "trackeval",
        "inflating alone",
    ]
    print_table([*head, "to vos-benchmark", "to trackeval", "icvos to inflating"], rows)
    compiling, loading = first_run_seconds()
    print(f"The first run on a machine compiles for {compiling:.1f} s; later ones load for {loading:.1f} s.")


if __name__ == "__main__":
    main()
