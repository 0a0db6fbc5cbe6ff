"""How the stages of the suite grow: processor time and memory for more and more clips, frames, results, submissions.

    python -m benchmarks.scale clips  [--counts 1000 10000 100000]    # clips of a benchmark, and of a run of five draws
    python -m benchmarks.scale frames [--counts 25000 100000 400000] [--workers 1]    # scored, in 437 clips
    python -m benchmarks.scale board  [--counts 100 300 1000]         # results of 437 clips on a board
    python -m benchmarks.scale queue  [--counts 50 500 5000]          # submissions that wait on a server

Every count has a process of its own, so that memory is its own. Growth is the exponent between a count and the one
before: 1 is linear, 2 quadratic. Seconds are of the processor, with those of processes that were started; memory is the
most that any one process had so far. Frames are of 854 x 480: a pool of 2,000 pairs of drawn masks to which
files are hard links, so they come from memory, not from a disk. Videos of clips have three frames.
"""

import argparse
import contextlib
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from icvos.files.masks import write_binary

CLIPS = 437
POOL = 2000
HEIGHT, WIDTH = 480, 854
WORKERS = 64  # of a cluster that makes a run
MADE = 100  # videos that are made when all others are
CODE = "from icvos.cli import main\nif __name__ == '__main__':\n    main()"


@contextlib.contextmanager
def metered(step: str, jobs: int = 1) -> Iterator[None]:
    """Print what a step takes, by the number of ``jobs`` that it consists of."""
    began = used()
    yield
    told(step, (used() - began) / jobs)


def told(step: str, seconds: float) -> None:
    kib = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(json.dumps([step, seconds, kib / 1024]), flush=True)


def used() -> float:
    own, started = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + started.ru_utime + started.ru_stime


def write_clips(root: Path, count: int, _: int) -> None:
    """A built benchmark: videos of two categories and three frames, five draws of five supports."""
    from curation.video.manifest import make_manifest
    from icvos.files.schema import write_schema
    from icvos.tasks.video.manifest import MANIFEST, SUPPORTS, ClipEntry, Supports, VideoEntry

    frame = root / "frame.jpg"
    Image.new("RGB", (WIDTH, HEIGHT)).save(frame)
    pictures = [root / f"{number}.jpg" for number in range(10)]  # a file may have 65,000 names
    for picture in pictures:
        picture.write_bytes(frame.read_bytes())
    lists = {str(index): tuple(f"{100 * index + n:012d}" for n in range(100)) for index in (17, 18)}
    videos = {f"davis_{number:06d}": number for number in range(count // 2)}
    for name, number in videos.items():
        folder = root / "benchmark" / "videos" / name / "JPEGImages"
        folder.mkdir(parents=True)
        for place in range(3):
            os.link(pictures[number % 10], folder / f"{place:05d}.jpg")
    clip = ClipEntry(first_frame="00000", visible=3, instances=1, masks="0" * 64)
    entry = VideoEntry(source="davis", frames=3, height=HEIGHT, width=WIDTH, clips={"17": clip, "18": clip})
    draws = tuple(
        {
            f"{name}/{index}": lists[index][(number + draw) % 90 :][:5]
            for name, number in videos.items()
            for index in lists
        }
        for draw in range(5)
    )
    supports = Supports(format=1, rule="union", shots=5, classes=lists, draws=draws)
    masks = dict.fromkeys(lists, "0" * 64)
    write_schema(root / "benchmark" / SUPPORTS, supports)
    write_schema(
        root / "benchmark" / MANIFEST,
        make_manifest(dict.fromkeys(videos, entry), supports, masks, {"davis": ""}, (), drawn=True, name="large"),
    )


def measure_clips(root: Path, count: int, _: int) -> None:
    from icvos.files.leases import Leases
    from icvos.files.schema import read_schema, write_schema
    from icvos.tasks.makespan import makespan
    from icvos.tasks.record import RECORD, ClipRun, RunRecord
    from icvos.tasks.runs import RunOptions
    from icvos.tasks.shards import Shard, Worker
    from icvos.tasks.video.benchmark import Benchmark
    from icvos.tasks.video.going import Going
    from icvos.tasks.video.opening import plan
    from icvos.tasks.video.records import Records
    from icvos.tasks.video.summary import summary
    from icvos.tasks.video.together import Made

    with metered("open the benchmark"):
        benchmark = Benchmark.open(root / "benchmark")
    with metered("list it"):
        assert list(summary(benchmark))
    with metered("select a category"):
        assert len(benchmark.select(categories=("dog",))) == count // 2
    out, options = root / "run", RunOptions("mine", shard=Shard(2, WORKERS))
    records = {
        draw: RunRecord.model_validate(
            {"format": 1, "method": "mine", "draw": draw, "frames": 0, "seconds_per_frame": None, "clips": {}}
        )
        for draw in range(5)
    }
    with metered("plan a run of five draws"):
        work = plan(benchmark.clips, out, options, records)
    places = {clip.id: place for place, clip in enumerate(benchmark.clips)}
    last = {video.name for video in benchmark.videos[-MADE:]}
    one = ClipRun(frames=3, seconds=1.0)
    clips = {clip.id: one for clip in benchmark.clips if clip.video.name not in last}
    with metered("write the record of a draw", len(records)):
        for draw, record in records.items():
            records[draw] = record.model_copy(update={"clips": clips})
            write_schema(out / f"draw{draw}" / RECORD, records[draw])
    with metered("read it", len(records)):
        for draw in records:
            read_schema(out / f"draw{draw}" / RECORD, RunRecord, "a record", "")
    with Leases(out / ".claims") as leases:
        going = Going(
            options,
            Records(out, records, places, leases),
            leases,
            work,
            shares=True,
            start=lambda done, total: None,
            advance=lambda clip, frames: None,
        )
        with metered(f"order of a shard of {WORKERS}"):
            jobs = {job.name: job for job in going.left()}
        going.records.refresh()
        going.records._rests_until = math.inf  # the records are written for a small part of the time, however large
        with metered("claim, record and give back a video", MADE):
            for name in last:
                items = going.begin(jobs[name])
                assert items is not None
                for item in items:
                    going.hear(jobs[name], item.clip, 3)
                going.record(jobs[name], Made([(item, one) for item in items]))
                going.end(jobs[name])
    with metered("give a video to a worker", count // 2):
        makespan([[20 + number * 7919 % 1000 for number in range(count // 2)]], [Worker()] * WORKERS)


def write_frames(root: Path, count: int, _: int) -> None:
    """A benchmark in the published layout with `CLIPS` clips of one class, and predictions of it."""
    rng = np.random.default_rng(0)
    for number in range(POOL):
        centre = rng.uniform((0.2 * WIDTH, 0.2 * HEIGHT), (0.8 * WIDTH, 0.8 * HEIGHT))
        axes = rng.uniform(30, 160, 2)
        for kind, shift in (("truth", 0.0), ("prediction", rng.normal(0, 4))):
            mask = np.zeros((HEIGHT, WIDTH), np.uint8)
            place = tuple(int(v + shift) for v in centre)
            cv2.ellipse(mask, place, tuple(int(v) for v in axes), float(rng.uniform(0, 8)), 0, 360, 1, -1)
            write_binary(root / kind / f"{number}.png", mask > 0)
    (root / "frame").mkdir()
    for number in range(POOL // 100):
        Image.new("RGB", (WIDTH, HEIGHT), (number, 0, 0)).save(root / "frame" / f"{number}.jpg")
    for clip in range(CLIPS):
        video, predicted = root / "benchmark" / f"video{clip:04d}", root / "predictions" / f"video{clip:04d}" / "17"
        frames, truth = video / "JPEGImages", video / "Annotations" / "17"
        for folder in (frames, truth, predicted):
            folder.mkdir(parents=True)
        for frame in range(count // CLIPS + (clip < count % CLIPS)):
            pair = (clip * 31 + frame) % POOL
            os.link(root / "frame" / f"{pair % (POOL // 100)}.jpg", frames / f"{frame:05d}.jpg")
            os.link(root / "truth" / f"{pair}.png", truth / f"{frame:05d}.png")
            os.link(root / "prediction" / f"{pair}.png", predicted / f"{frame:05d}.png")


def measure_frames(root: Path, _: int, workers: int) -> None:
    command = ["score", root / "predictions", "--benchmark", root / "benchmark", "--out", root / "scores.json"]
    command += ["--workers", workers, "--protocol", "native@1"]
    with metered("score all frames"):
        subprocess.run([sys.executable, "-c", CODE, *map(str, command)], check=True, stdout=subprocess.DEVNULL)


def write_results(root: Path, count: int, _: int) -> None:
    from benchmarks.site import draw_board

    draw_board(root / "drawn", count, CLIPS, 0)
    (root / "board").mkdir()
    for path in (root / "drawn").glob("*/*.json"):
        path.rename(root / "board" / path.name)


def measure_results(root: Path, count: int, _: int) -> None:
    from leaderboard.ranking import rank, write_site
    from leaderboard.store import Board

    board = Board.open(root / "board")
    with metered("read all results"):
        entries = board.entries
    assert len(entries) == count
    with metered("add one"):
        board.add(entries[0].result, name="one more")
    with metered("rank them"):
        tables = rank([root / "board"])
    with metered("write the site"):
        write_site(tables, root / "site")
    pages = sum(path.stat().st_size for path in (root / "site").rglob("*") if path.is_file())
    print(f"{count} results: {pages / 1e6:,.0f} MB of pages", file=sys.stderr)


def write_queue(root: Path, count: int, _: int) -> None:
    """Submissions of 50 users to a new database; no files."""
    from leaderboard.entry import MethodFacts
    from leaderboard.server import accounts, submissions
    from leaderboard.server.database import Database
    from leaderboard.server.models import User

    database = Database(f"sqlite:///{root / 'server.db'}")
    database.migrate()
    hashed = accounts.hash_password("a password for all")
    with database.write() as session:
        for number in range(50):
            wish = accounts.Wish(f"user{number:03d}", "A team", "a password for all")
            accounts.register(session, wish, hashed, "open", time.time())
    for number in range(count):
        with database.write() as session:
            received = submissions.Received(submissions.new_code(), "masks.zip", f"{number:064x}", 1 << 20)
            said = submissions.Described(f"method {number}", "", MethodFacts())
            submissions.add(session, session.get_one(User, 1 + number % 50), received, said, 0, time.time())
    database.close()


def measure_queue(root: Path, count: int, _: int) -> None:
    from leaderboard.server import jobs
    from leaderboard.server.database import Database
    from leaderboard.server.models import Submission

    database = Database(f"sqlite:///{root / 'server.db'}")
    with database.write() as session:
        waiting = session.query(Submission).all()
        with metered("say how many are before one", count):
            places = {jobs.place(session, submission) for submission in waiting}
    assert len(places) == count
    with metered("claim, renew and end one", count):
        for _ in range(count):
            with database.write() as session:
                claim = jobs.claim(session, "a-1", time.time(), 60)
            assert claim is not None
            with database.write() as session:
                assert jobs.renew(session, claim, time.time(), 60)
            with database.write() as session:
                assert jobs.finish(session, claim, time.time())


Stage = tuple[Callable[[Path, int, int], None], Callable[[Path, int, int], None], list[int]]
STAGES: dict[str, Stage] = {
    "clips": (write_clips, measure_clips, [1000, 10_000, 100_000]),
    "frames": (write_frames, measure_frames, [25_000, 100_000, 400_000]),
    "board": (write_results, measure_results, [100, 300, 1000]),
    "queue": (write_queue, measure_queue, [50, 500, 5000]),
}


def grown(stage: str, counts: list[int], workers: int) -> None:
    """The table of a stage."""
    before: dict[str, tuple[int, float]] = {}
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            for role in ("write", "measure"):
                said = subprocess.run(
                    [sys.executable, "-m", "benchmarks.scale", stage, role, folder, str(count), str(workers)],
                    stdout=subprocess.PIPE,
                    text=True,
                    check=True,
                )
            for line in said.stdout.splitlines():
                step, seconds, mib = json.loads(line)
                growth = ""
                if step in before:
                    fewer, took = before[step]
                    growth = f"{math.log(seconds / took) / math.log(count / fewer):.2f}"
                before[step] = count, seconds
                shown = f"{seconds:,.1f} s" if seconds >= 1 else f"{1000 * seconds:,.2f} ms"
                print(f"| {step} | {count:,} | {shown} | {growth} | {mib:,.0f} |", flush=True)


def main() -> None:
    if len(sys.argv) == 6 and sys.argv[2] in ("write", "measure"):
        stage, role, folder, count, workers = sys.argv[1:]
        STAGES[stage][role == "measure"](Path(folder), int(count), int(workers))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stage", choices=STAGES)
    parser.add_argument("--counts", type=int, nargs="+")
    parser.add_argument("--workers", type=int, default=1, help="processes that score")
    given = parser.parse_args()
    print("| step | of | processor | growth | memory, MiB |\n| --- | ---: | ---: | ---: | ---: |")
    grown(given.stage, given.counts or STAGES[given.stage][2], given.workers)


if __name__ == "__main__":
    main()
