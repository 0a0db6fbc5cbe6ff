"""Score as many clips and frames as the published benchmark has, at 854 x 480: seconds, and memory over time.

    python benchmarks/scale.py [--frames 100000] [--workers 2] [--protocol native@1]

The masks are drawn: ellipses, and predictions that are a little off. They are a pool of 2,000 pairs to which the frames
are hard links, so the files come from memory, not from a disk.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from icvos.files.masks import write_binary

CLIPS = 437
POOL = 2000
HEIGHT, WIDTH = 480, 854


def draw_pool(root: Path) -> None:
    """`POOL` pairs of masks as one-bit PNGs: ``truth/<n>.png``, ``prediction/<n>.png``, and JPEG frames to link to."""
    rng = np.random.default_rng(0)
    for number in range(POOL):
        centre = rng.uniform((0.2 * WIDTH, 0.2 * HEIGHT), (0.8 * WIDTH, 0.8 * HEIGHT))
        axes = rng.uniform(30, 160, 2)
        for kind, shift in (("truth", 0.0), ("prediction", rng.normal(0, 4))):
            mask = np.zeros((HEIGHT, WIDTH), np.uint8)
            place = tuple(int(v + shift) for v in centre)
            cv2.ellipse(mask, place, tuple(int(v) for v in axes), float(rng.uniform(0, 8)), 0, 360, 1, -1)
            write_binary(root / kind / f"{number}.png", mask > 0)
    frames = root / "frame"
    frames.mkdir()
    for number in range(POOL // 100):
        Image.new("RGB", (WIDTH, HEIGHT), (number, 0, 0)).save(frames / f"{number}.jpg")


def link_clips(pool: Path, benchmark: Path, predictions: Path, frames: int) -> None:
    """A benchmark in the published layout with `CLIPS` clips of one class, and predictions of it."""
    for clip in range(CLIPS):
        length = frames // CLIPS + (clip < frames % CLIPS)
        name = f"video{clip:04d}"
        folders = [benchmark / name / "JPEGImages", benchmark / name / "Annotations" / "17", predictions / name / "17"]
        for folder in folders:
            folder.mkdir(parents=True)
        for frame in range(length):
            pair = (clip * 31 + frame) % POOL
            os.link(pool / "frame" / f"{pair % (POOL // 100)}.jpg", folders[0] / f"{frame:05d}.jpg")
            os.link(pool / "truth" / f"{pair}.png", folders[1] / f"{frame:05d}.png")
            os.link(pool / "prediction" / f"{pair}.png", folders[2] / f"{frame:05d}.png")


def resident_mib(process: int) -> float:
    """Resident memory of a process and its children."""
    total, waiting = 0, [process]
    while waiting:
        number = waiting.pop()
        try:
            total += int(Path(f"/proc/{number}/statm").read_text().split()[1])
            waiting += [int(text) for text in Path(f"/proc/{number}/task/{number}/children").read_text().split()]
        except FileNotFoundError:
            continue
    return total * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--protocol", default="native@1")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        draw_pool(root / "pool")
        link_clips(root / "pool", root / "benchmark", root / "predictions", arguments.frames)
        command = ["score", root / "predictions", "--benchmark", root / "benchmark", "--out", root / "scores.json"]
        command += ["--workers", arguments.workers, "--protocol", arguments.protocol]
        code = "from icvos.cli import main\nif __name__ == '__main__':\n    main()"
        began = time.perf_counter()
        process = subprocess.Popen([sys.executable, "-c", code, *map(str, command)])
        curve = []
        while process.poll() is None:
            curve.append((time.perf_counter() - began, resident_mib(process.pid)))
            time.sleep(0.5)
        seconds = time.perf_counter() - began
    rate = arguments.frames / seconds
    print(f"{arguments.frames:,} frames, {arguments.workers} workers: {seconds:.1f} s, {rate:,.0f} a second")
    shown = curve[:: max(1, len(curve) // 12)]
    print("memory of all processes:", ", ".join(f"{at:.0f} s {mib:.0f} MiB" for at, mib in shown))


if __name__ == "__main__":
    main()
