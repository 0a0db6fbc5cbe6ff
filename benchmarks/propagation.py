"""Streaming SAM 2 beside SAM 2's own video predictor: equal logits, memory over the length of a video, time a frame.

    python benchmarks/propagation.py equality [--models sam2.1-hiera-t ...] [--image-size 128] [--frames 20]
    python benchmarks/propagation.py memory [--image-size 256] [--frames 100 500 1000 2000] [--picture memory.png]
    python benchmarks/propagation.py loading [--image-size 1024] [--frames 50 100 200]

Weights are random, which changes neither time nor memory nor equality. ``equality`` takes all eight published models
unless told otherwise. ``memory`` runs every point in a process of its
own, whose peak resident memory the operating system reports; ``loading`` measures the predictor's ``init_state`` alone.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

SIZE = (240, 426)
BOX = np.array([150, 60, 290, 180], dtype=np.float32)


def write_video(folder: Path, frames: int) -> None:
    """JPEG frames of a texture that moves."""
    from PIL import Image

    coarse = np.random.default_rng(0).integers(0, 255, (12, 20, 3), dtype=np.uint8)
    texture = np.array(Image.fromarray(coarse).resize(SIZE[::-1]))
    folder.mkdir(parents=True)
    for number in range(frames):
        Image.fromarray(np.roll(texture, 2 * number, axis=1)).save(folder / f"{number:05d}.jpg")


def streaming(model: str, image_size: int) -> Any:
    from icvos.models.sam.propagation import Sam2Propagator
    from icvos.models.sam.sam2 import SAM2_MODELS, build_sam2, see_objects
    from icvos.models.weights.load import Loaded, fill_randomly

    network: Any = build_sam2(replace(SAM2_MODELS[model], image_size=image_size))
    fill_randomly(network)
    see_objects(network)
    return Sam2Propagator(network, Loaded("random", None))


def predictor(model: str, image_size: int) -> Any:
    """The package's own predictor with the same weights, by its own configuration files."""
    from sam2.build_sam import build_sam2_video_predictor

    version, size = model.partition("-")[0], model.rpartition("-")[2]
    built = build_sam2_video_predictor(
        f"configs/{version}/{version}_hiera_{size}.yaml",
        device="cpu",
        hydra_overrides_extra=[f"++model.image_size={image_size}", "++model.fill_hole_area=0"],
    )
    built.fill_hole_area = 0
    built.load_state_dict(streaming(model, image_size).network.state_dict())
    return built


def prompts() -> dict[str, Any]:
    from icvos.method import Prompt

    mask = np.zeros(SIZE, dtype=bool)
    mask[60:180, 150:290] = True
    points, labels = np.array([[220, 120], [20, 20]], dtype=np.float32), np.array([1, 0])
    return {
        "click": Prompt(points=points[:1], labels=labels[:1]),
        "clicks": Prompt(points=points, labels=labels),
        "box": Prompt(box=BOX),
        "clicks and box": Prompt(points=points, labels=labels, box=BOX),
        "mask": Prompt(mask=mask),
    }


def official(model: Any, video: Path, prompt: Any) -> Iterator[np.ndarray]:
    state = model.init_state(str(video))
    if prompt.mask is not None:
        model.add_new_mask(state, 0, 1, prompt.mask)
    else:
        model.add_new_points_or_box(state, 0, 1, points=prompt.points, labels=prompt.labels, box=prompt.box)
    for _, _, logits in model.propagate_in_video(state):
        yield logits[0, 0].numpy()


def streamed(propagator: Any, video: Path, prompt: Any) -> Iterator[np.ndarray]:
    from icvos.files.images import read_image

    for number, path in enumerate(sorted(video.iterdir())):
        if number:
            propagator.step(read_image(path))
        else:
            propagator.start(read_image(path), prompt)
        yield propagator.logits


def equality(models: list[str], image_size: int, frames: int) -> None:
    """Print the largest difference of any logit of any frame, for every model and prompt."""
    print(f"{frames} frames, {image_size} x {image_size}; time: of the streaming form over the predictor's\n")
    print("| model | prompt | largest difference of logits | foreground | time |\n| --- | --- | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as scratch:
        video = Path(scratch) / "video"
        write_video(video, frames)
        for name in models:
            ours, theirs = streaming(name, image_size), predictor(name, image_size)
            for kind, prompt in prompts().items():
                began = time.process_time()
                expected = list(official(theirs, video, prompt))
                between = time.process_time()
                found = list(streamed(ours, video, prompt))
                ratio = (time.process_time() - between) / (between - began)
                largest = max(float(np.abs(a - b).max()) for a, b in zip(found, expected, strict=True))
                share = float(np.mean([(frame > 0).mean() for frame in expected]))
                print(f"| {name} | {kind} | {largest:g} | {share:.0%} | {ratio:.2f} x |", flush=True)


def child(side: str, model: str, image_size: int, video: Path) -> None:
    """One point of a memory curve; prints its time a frame."""
    prompt, count = prompts()["mask"], len(list(video.iterdir()))
    began = time.perf_counter()
    if side == "loading":
        predictor(model, image_size).init_state(str(video))
    elif side == "streaming":
        for _ in streamed(streaming(model, image_size), video, prompt):
            pass
    else:
        for _ in official(predictor(model, image_size), video, prompt):
            pass
    print(json.dumps((time.perf_counter() - began) / count))


def peak_of(side: str, model: str, image_size: int, video: Path) -> tuple[float, float]:
    """(peak resident MiB, seconds a frame) of one side in a process of its own."""
    command = [sys.executable, __file__, "child", side, model, str(image_size), str(video)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    printed = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        sys.exit(f"{side} failed; run: {' '.join(command)}")
    return usage.ru_maxrss / 1024, json.loads(printed.splitlines()[-1])


def memory(sides: tuple[str, ...], model: str, image_size: int, lengths: list[int], picture: Path | None) -> None:
    """Print a table of peaks over the lengths of videos, and what they grow by; draw them into ``picture``."""
    print(f"{model} at {image_size} x {image_size}\n")
    print(f"| frames | {' | '.join(f'{side}, peak MiB' for side in sides)} |\n| ---: {'| ---: ' * len(sides)}|")
    with tempfile.TemporaryDirectory() as scratch:
        peaks = []
        for length in lengths:
            video = Path(scratch) / str(length)
            write_video(video, length)
            peaks.append([peak_of(side, model, image_size, video)[0] for side in sides])
            print(f"| {length} | {' | '.join(f'{peak:.0f}' for peak in peaks[-1])} |", flush=True)
    for side, first, last in zip(sides, peaks[0], peaks[-1], strict=True):
        print(f"{side}: {(last - first) * 2**20 / 1e6 / (lengths[-1] - lengths[0]):.2f} MB a frame")
    if picture:
        draw_curves(picture, lengths, {side: [row[i] for row in peaks] for i, side in enumerate(sides)})


def draw_curves(path: Path, lengths: list[int], curves: dict[str, list[float]]) -> None:
    """A PNG of peak memory in MiB, from 0 on, over the number of frames, from 0 on, a curve for each side."""
    from PIL import Image, ImageDraw, ImageFont

    left, top, right, bottom = 70, 20, 620, 300
    picture = Image.new("RGB", (720, 350), "white")
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(14)
    highest = 500 * -(-max(max(peaks) for peaks in curves.values()) // 500)

    def place(frames: float, peak: float) -> tuple[float, float]:
        return left + frames / lengths[-1] * (right - left), bottom - peak / highest * (bottom - top)

    for peak in range(0, int(highest) + 1, 500):
        pen.line([place(0, peak), place(lengths[-1], peak)], fill="#dddddd")
        pen.text((left - 8, place(0, peak)[1]), str(peak), "black", font, anchor="rm")
    for frames in lengths:
        pen.text((place(frames, 0)[0], bottom + 8), str(frames), "black", font, anchor="mt")
    pen.text((left, top - 4), "peak resident memory, MiB", "black", font, anchor="lb")
    pen.text(((left + right) / 2, bottom + 30), "frames of the video", "black", font, anchor="mt")
    for (side, peaks), colour in zip(curves.items(), ("#0b6e4f", "#b23a48"), strict=False):
        points = [place(*point) for point in zip(lengths, peaks, strict=True)]
        pen.line(points, fill=colour, width=3)
        for x, y in points:
            pen.ellipse([x - 4, y - 4, x + 4, y + 4], fill=colour)
        pen.text((points[-1][0] + 10, points[-1][1]), side, colour, font, anchor="lm")
    picture.save(path, optimize=True)


def main() -> None:
    if sys.argv[1:2] == ["child"]:
        child(sys.argv[2], sys.argv[3], int(sys.argv[4]), Path(sys.argv[5]))
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["equality", "memory", "loading"])
    parser.add_argument("--models", nargs="+", help="[default: all eight for equality, else sam2.1-hiera-t]")
    parser.add_argument("--image-size", type=int)
    parser.add_argument("--frames", type=int, nargs="+")
    parser.add_argument("--picture", type=Path, help="where memory draws its curves, a PNG")
    given = parser.parse_args()
    if given.what == "equality":
        from icvos.models.sam.sam2 import SAM2_MODELS

        equality(given.models or list(SAM2_MODELS), given.image_size or 128, (given.frames or [20])[0])
        return
    model = given.models[-1] if given.models else "sam2.1-hiera-t"
    if given.what == "memory":
        lengths = given.frames or [100, 500, 1000, 2000]
        memory(("streaming", "predictor"), model, given.image_size or 256, lengths, given.picture)
    else:
        memory(("loading",), model, given.image_size or 1024, given.frames or [50, 100, 200], None)


if __name__ == "__main__":
    main()
