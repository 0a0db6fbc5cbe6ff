"""Peak memory of build, eval and score on a video of 100 and of 2,000 frames: it must not grow with the length.

    python benchmarks/memory.py [--method oracle] [--set short_side=160] [--frames 100 2000]

Each command runs in a process of its own, whose peak resident memory the operating system reports.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from curation.video.rows import CurationRow, write_rows
from icvos.categories import category
from icvos.files.masks import DAVIS_PALETTE

HEIGHT, WIDTH = 240, 426


def make_davis(root: Path, frames: int) -> None:
    """A DAVIS folder with one sequence: a textured disc that wanders over a textured ground."""
    rng = np.random.default_rng(0)
    ground = rng.integers(60, 120, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    skin = rng.integers(140, 230, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    images, masks = root / "JPEGImages" / "480p" / "disc", root / "Annotations" / "480p" / "disc"
    images.mkdir(parents=True)
    masks.mkdir(parents=True)
    for number in range(frames):
        centre_y, centre_x = HEIGHT / 2 + 50 * np.sin(number / 37), WIDTH / 2 + 120 * np.sin(number / 53)
        disc = (y - centre_y) ** 2 + (x - centre_x) ** 2 <= 40**2
        Image.fromarray(np.where(disc[..., None], skin, ground)).save(images / f"{number:05d}.jpg")
        mask = Image.frombytes("P", (WIDTH, HEIGHT), disc.astype(np.uint8).tobytes())
        mask.putpalette(DAVIS_PALETTE.ravel().tolist())
        mask.save(masks / f"{number:05d}.png")
    ball = category("sports ball")
    row = CurationRow(source="davis", video="disc", category=ball, objects=(1,), decision="accepted")
    write_rows(root.parent / "rows.csv", [row])


def peak_of(*arguments: object) -> tuple[float, float]:
    """(peak resident MiB, seconds) of one icvos command."""
    began = time.perf_counter()
    command = [sys.executable, "-c", "from icvos.cli import main; main()", *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        sys.exit(process.stderr.read().decode() if process.stderr else "a command failed")
    return usage.ru_maxrss / 1024, time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--method", default="oracle")
    parser.add_argument("--set", default="short_side=160", help="a setting of the method, to be quick")
    parser.add_argument("--frames", type=int, nargs="+", default=[100, 2000])
    arguments = parser.parse_args()
    print(f"{'frames':>7} {'command':<14} {'peak MiB':>9} {'seconds':>8}")
    for frames in arguments.frames:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            make_davis(root / "davis", frames)
            built, run = root / "built", root / "run"
            native = ["--benchmark", built, "--protocol", "native"]
            for name, command in (
                ("build", ["build", "--davis", root / "davis", "--curation", root / "rows.csv", "--out", built]),
                (
                    "eval",
                    ["eval", "--method", arguments.method, "--set", arguments.set, *native, "--out", run],
                ),
                ("score", ["score", run, *native, "--out", root / "scores.json"]),
            ):
                peak, seconds = peak_of(*command)
                print(f"{frames:>7} {name:<14} {peak:>9.0f} {seconds:>8.1f}", flush=True)


if __name__ == "__main__":
    main()
