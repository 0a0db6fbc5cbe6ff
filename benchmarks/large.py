"""What a run on a benchmark of fifty thousand videos takes: GPU hours, wall-clock hours with failures, files and bytes.

    python -m benchmarks.large [--videos 51000] [--categories 2] [--draws 5] [--workers 8 32 128]
        [--encode-ms 30] [--mask-ms 10] [--load-s 20]

Videos have 24 to 828 frames, 4 to 138 seconds at 6 frames a second, and about 84 in the mean, as SA-V is described. A
frame takes the time of its encoding once, and that of a mask for every category and draw; neither is measured, so give
your own. The schedule is played through by the code that gives videos to workers in `icvos eval --ray`, without deaths,
and with a quarter of the workers dying at random moments, each replaced after 60 seconds: the worst of five cases. The
least time is that of the longest video, or of everything over the workers.
"""

import argparse
import random

from icvos.tasks.makespan import makespan
from icvos.tasks.shards import Worker

FRAMES_PER_S = 6
SHORTEST_S, LONGEST_S, MEDIAN_S, SPREAD = 4, 138, 12.0, 0.55
REPLACED_MS = 60_000
CASES = 5
HOUR_MS = 3_600_000
# the means of 537 frames and 650 annotations of DAVIS at 854 x 480
JPEG_BYTES, MASK_BYTES, BLOCK_BYTES = 77_800, 2_600, 4096
RECORD_BYTES, SCORES_BYTES = 72, 500  # of a clip in run.json, and in scores.json with five draws


def lengths(videos: int) -> list[int]:
    """Frames of every video."""
    generator = random.Random(0)
    seconds = (MEDIAN_S * generator.lognormvariate(0, SPREAD) for _ in range(videos))
    return [round(FRAMES_PER_S * min(LONGEST_S, max(SHORTEST_S, one))) for one in seconds]


def simulate(costs: list[int], count: int, load_ms: float) -> str:
    """A row of the table."""
    least = max(load_ms + max(costs), load_ms + sum(costs) / count)
    whole = makespan([costs], [Worker()] * count, loading_s=load_ms)
    dying = max(1, count // 4)
    spans = []
    for seed in range(CASES):
        generator = random.Random(seed)
        workers = [Worker(dies=generator.uniform(0, least) if one < dying else None) for one in range(count)]
        spans.append(makespan([costs], workers, REPLACED_MS, load_ms))
    worst = max(spans, key=lambda span: span.seconds)
    lost = max(span.lost for span in spans) / HOUR_MS
    return (
        f"| {count} | {least / HOUR_MS:,.1f} | {whole.seconds / least:.4f} | {worst.seconds / least:.4f} "
        f"| {worst.seconds / worst.least:.4f} | {dying} | {lost:.2f} |"
    )


def sizes(frames: int, clips: int, masks: int, draws: int) -> None:
    """Files and bytes of the benchmark and of a run."""
    print("| what | files | bytes | on a disk with blocks of 4 KiB |\n| --- | ---: | ---: | ---: |")
    for name, files, each in (
        ("frames", frames, JPEG_BYTES),
        ("true masks", masks, MASK_BYTES),
        ("predicted masks", draws * masks, MASK_BYTES),
        ("records", draws, RECORD_BYTES * clips),
        ("scores", 1, SCORES_BYTES * clips),
    ):
        blocks = -(-each // BLOCK_BYTES) * BLOCK_BYTES
        print(f"| {name} | {files:,} | {files * each / 1e9:,.2f} GB | {files * blocks / 1e9:,.2f} GB |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=51_000)
    parser.add_argument("--categories", type=int, default=2, help="of each video")
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--workers", type=int, nargs="+", default=[8, 32, 128])
    parser.add_argument("--encode-ms", type=float, default=30)
    parser.add_argument("--mask-ms", type=float, default=10)
    parser.add_argument("--load-s", type=float, default=20)
    given = parser.parse_args()
    frames = lengths(given.videos)
    total, clips = sum(frames), given.videos * given.categories
    frame_ms = given.encode_ms + given.mask_ms * given.categories * given.draws
    costs = [round(one * frame_ms) for one in frames]
    print(f"{given.videos:,} videos of {min(frames)} to {max(frames)} frames, {total:,} in all, {clips:,} clips")
    apart = total * (given.encode_ms + given.mask_ms) * given.categories * given.draws
    print(
        f"{frame_ms:.0f} ms a frame: {sum(costs) / HOUR_MS:,.0f} GPU hours, where clips by themselves would take "
        f"{apart / HOUR_MS:,.0f}\n"
    )
    print("| workers | least, hours | none dies | a quarter dies, of least | of bound | deaths | GPU hours lost |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for count in given.workers:
        print(simulate(costs, count, 1000 * given.load_s), flush=True)
    print()
    sizes(total, clips, total * given.categories, given.draws)


if __name__ == "__main__":
    main()
