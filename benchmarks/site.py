"""The site of a large board: how long it takes to write, how large its pages are, and when the board shows its rows.

    python benchmarks/site.py [--entries 200] [--clips 437] [--frames 229] [--chromium /usr/bin/chromium]

The figures are drawn by a generator. ``--frames 0`` leaves out J and F of every frame. Pages are opened from disk.
"""

import argparse
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, sync_playwright

from icvos.files.storage import json_text
from icvos.tasks.record import RunRecord
from icvos.tasks.result import FRAMES_SUFFIX
from icvos.tasks.video.means import summarise
from icvos.tasks.video.result import Clip, ClipDraw, Pair, VideoResult
from leaderboard.ranking import rank, write_site
from leaderboard.store import Board

DIGEST = "sha256:" + "0123456789abcdef" * 4
OPENED = 5  # times
# the moment at which the first row of a table has a place on the screen, in ms since the page was asked for
WATCH = """
const look = () => {
  const row = document.querySelector("main tbody tr:not(.group)");
  if (row?.getClientRects().length) window.firstRow = performance.now();
  else requestAnimationFrame(look);
};
look();
"""


def draw_board(folder: Path, entries: int, clips: int, frames: int) -> None:
    """Boards of one result each, whose figures differ by method and by clip."""
    for number in range(entries):
        random = np.random.default_rng(number)
        start = random.normal(0.4 + 0.4 * number / entries, 0.15, (2, clips, 1))
        steps = random.normal(0, 0.015, (2, clips, max(1, frames)))
        j, f = np.clip(start + np.cumsum(steps, axis=2), 0, 1).round(4)
        board = Board.open(folder / f"{number:03d}")  # each its own: adding reads what is there already
        path = board.add(_result(j.mean(axis=1), f.mean(axis=1), max(1, frames)), name=f"method {number:03d}")
        if frames:
            path.with_suffix(FRAMES_SUFFIX).write_text(_frames(j, f), encoding="utf-8")


def _names(clips: int) -> list[str]:
    return [f"davis_{clip // 2:04d}/{17 + clip % 2}" for clip in range(clips)]


def _result(j: np.ndarray, f: np.ndarray, frames: int) -> VideoResult:
    found = {}
    for name, own_j, own_f in zip(_names(len(j)), j.tolist(), f.tolist(), strict=True):
        draw = ClipDraw(draw=0, j=own_j, f=own_f)
        found[name] = Clip(**dict(Pair.of(own_j, own_f)), frames=frames, draws=(draw,))
    return summarise(found, dict.fromkeys(found, "davis"), protocol="paper@1", digest=DIGEST, run=RunRecord())


def _frames(j: np.ndarray, f: np.ndarray) -> str:
    names = [f"{frame:05d}" for frame in range(j.shape[1])]
    whole = [np.rint(10_000 * values).astype(int).tolist() for values in (j, f)]
    clips = {
        name: {"frames": names, "j": own_j, "f": own_f}
        for name, own_j, own_f in zip(_names(len(j)), *whole, strict=True)
    }
    head = {"format": 1, "protocol": "paper@1", "digest": DIGEST}
    return json_text({**head, "clips": clips}, indent=None)


def first_row(browser: Browser, page: Path) -> float:
    """Seconds until the first row is there, the median of several openings."""
    found = []
    for _ in range(OPENED):
        tab = browser.new_page()
        tab.add_init_script(WATCH)
        tab.goto(page.as_uri())
        found.append(tab.evaluate("window.firstRow") / 1000)
        tab.close()
    return statistics.median(found)


def kilobytes(paths: list[Path]) -> str:
    sizes = sorted(path.stat().st_size / 1000 for path in paths)
    return f"{len(sizes)} of {statistics.median(sizes):,.0f} kB (at most {sizes[-1]:,.0f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--entries", type=int, default=200)
    parser.add_argument("--clips", type=int, default=437)
    parser.add_argument("--frames", type=int, default=229, help="of a clip; 0: nothing is kept of frames")
    parser.add_argument("--chromium", default=shutil.which("chromium"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        board, out = Path(folder) / "board", Path(folder) / "site"
        draw_board(board, arguments.entries, arguments.clips, arguments.frames)
        began = time.process_time()
        tables = rank(sorted(board.iterdir()))
        ranked = time.process_time()
        index = write_site(tables, out)
        print(f"CPU time: ranked in {ranked - began:.1f} s, written in {time.process_time() - ranked:.1f} s")
        print(f"the board: {index.stat().st_size / 1e6:.2f} MB")
        for kind in ("runs/*.html", "runs/*.js", "compare/*.html"):
            if found := list(out.glob(kind)):
                print(f"{kind}: {kilobytes(found)}")
        with sync_playwright() as player:
            browser = player.chromium.launch(executable_path=arguments.chromium, args=["--no-sandbox"])
            print(f"first row of the board after {first_row(browser, index):.2f} s")
            print(f"first row of a run after {first_row(browser, min((out / 'runs').iterdir())):.2f} s")
            browser.close()


if __name__ == "__main__":
    main()
