"""How good the suggestions of a review are, and how soon the next video's first picture is there.

    python -m benchmarks.review --davis DAVIS --coco COCO [--every 10]      suggestions, on known categories
    python -m benchmarks.review --missed COCO --coco COCO                   places where an instance was missed
    python -m benchmarks.review --davis DAVIS --pictures [--width 1920]     pictures, in Chromium

Suggestions are asked for the objects of DAVIS whose category the shipped rows tell, in first and every Nth frames.
Missed instances: of every picture of ``--missed`` that shows 2 to 8 instances of a category, two of them on more than a
hundredth of it, one of these is left out of the annotations (by seed 0), and it is counted whether a place that is
pointed at has a fifth of its pixels; and how many places are pointed at with all annotations, which are false alarms.

Pictures are timed from the key that keeps a decision to the moment that the next video's first frame is drawn with its
outlines; the frames of DAVIS are scaled to ``--width`` for it.
"""

import argparse
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from curation.review.desk import Session
from curation.review.examples import examples_of
from curation.review.missed import Box, Search
from curation.review.run import open_desk
from curation.review.suggestions import propose
from curation.sources.coco import Coco
from curation.sources.davis import read
from curation.sources.video import SourceVideo
from curation.video.rows import shipped_rows
from icvos.categories import COCO
from icvos.files.images import read_image

LARGE, MOST_INSTANCES, SEEN = 0.01, 8, 0.2


def known_objects(davis: Path) -> Iterator[tuple[SourceVideo, dict[int, str]]]:
    """The videos of DAVIS of which every object's category is known, or the one category of a mask of all."""
    rows = shipped_rows()
    for video in read(davis).videos:
        own = [row for row in rows if row.video == video.name]
        names = {number: row.category.name for row in own if row.category for number in row.objects}
        if video.is_binary() and len(own) == 1 and names:
            yield video, {1: next(iter(names.values()))}
        elif not video.is_binary() and names:
            yield video, names


def accuracy(davis: Path, coco: Path, every: int) -> None:
    """Print top-1 and top-3 accuracy, with counts, and the places that are pointed at in first frames."""
    from curation.review.features import Eye

    eye, search = Eye(), Search(Coco.open(coco))
    begun = time.perf_counter()
    examples = examples_of(Coco.open(coco), eye)
    kinds = len(set(examples.categories.tolist()))
    print(f"{len(examples.categories)} examples of {kinds} categories in {time.perf_counter() - begun:.1f} s")
    totals = {"first frames": [0, 0, 0], f"every {every}th frame": [0, 0, 0]}
    for video, names in known_objects(davis):
        for frame, ids in enumerate(video.iter_ids()):
            if frame % every:
                continue
            objects, hints = propose(read_image(video.frames[frame]), ids, examples, eye, search)
            for number, name in names.items():
                if number not in objects:
                    continue
                said = [found for found, _ in objects[number]]
                for total in (totals["first frames"], totals[f"every {every}th frame"])[bool(frame) :]:
                    total[0] += 1
                    total[1] += said[0] == name
                    total[2] += name in said
                if not frame:
                    print(f"{video.name}: {name}: said {objects[number]}; {len(hints)} places pointed at")
    for name, (count, first, three) in totals.items():
        print(f"{name}: {count} objects, top-1 {first} ({first / count:.1%}), top-3 {three} ({three / count:.1%})")


def missed(asked: Coco, shown: Coco) -> None:
    """Print how many of the instances that are left out are pointed at, and how many places without reason."""
    search, random = Search(shown), np.random.default_rng(0)
    found = alarms = pictures_with_alarms = count = 0
    seconds = 0.0
    for picture in asked.images.values():
        for one in COCO:
            masks = [*asked.instance_masks(picture, one.index)] if picture in asked.images_of(one.index) else []
            large = [place for place, mask in enumerate(masks) if mask.mean() > LARGE]
            if not 2 <= len(masks) <= MOST_INSTANCES or len(large) < 2 or not search.supports(one.index):
                continue
            out = int(random.choice(large))
            left = np.any([mask for place, mask in enumerate(masks) if place != out], axis=0)
            alone, image = masks[out] & ~left, read_image(picture.file)
            begun = time.process_time()
            boxes = search.elsewhere(one.index, image, left)
            seconds += time.process_time() - begun
            found += any(alone[_window(box, alone)].sum() >= SEEN * alone.sum() for box in boxes)
            false = len(search.elsewhere(one.index, image, left | masks[out]))
            alarms, pictures_with_alarms, count = alarms + false, pictures_with_alarms + bool(false), count + 1
    print(f"{count} categories of pictures: {found} of {count} instances that are left out are pointed at")
    print(f"with all annotations: {alarms} places, in {pictures_with_alarms} of {count}; {seconds / count:.2f} s each")


def _window(box: Box, mask: np.ndarray) -> tuple[slice, slice]:
    height, width = mask.shape
    left, top, right, bottom = box
    return np.s_[round(top * height) : round(bottom * height), round(left * width) : round(right * width)]


def enlarged(davis: Path, out: Path, width: int) -> None:
    """Write a copy of DAVIS with frames and masks of another width, ten frames a video."""
    for video in read(davis).videos:
        for path, mask in list(zip(video.frames, video.masks, strict=True))[:10]:
            image = read_image(path)
            size = width, round(image.shape[0] * width / image.shape[1])
            for kind, source in (("JPEGImages", path), ("Annotations", mask)):
                if source is None:
                    continue
                target = out / kind / "480p" / video.name / source.name
                target.parent.mkdir(parents=True, exist_ok=True)
                if kind == "JPEGImages":
                    scaled = cv2.resize(image, size, interpolation=cv2.INTER_CUBIC)
                    Image.fromarray(scaled).save(target, quality=92)
                else:
                    Image.open(source).resize(size, Image.Resampling.NEAREST).save(target)


def pictures(davis: Path, width: int) -> None:
    """Print the milliseconds to each next video's picture."""
    from playwright.sync_api import sync_playwright

    from tests.curation.review.desks import served

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        enlarged(davis, root / "davis", width)
        desk = open_desk(root / "rows.csv", Session("anna"), davis=root / "davis")
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        with served(desk) as address, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
            page = browser.new_page(viewport={"width": 1366, "height": 768})
            page.goto(address)
            page.select_option("#filter", "all")
            page.wait_for_selector("body[data-shown]")
            page.evaluate(WATCH)
            for _ in range(len(desk.videos) - 1):
                page.wait_for_timeout(2500)  # somebody looks at it
                before = page.evaluate("document.body.dataset.shown")
                for key in ("Shift+A", "d", "o", "Enter"):
                    page.keyboard.press(key)
                page.wait_for_function("video => document.body.dataset.shown !== video", arg=before)
                page.wait_for_timeout(100)
            times = page.evaluate("window.times")
            browser.close()
    print(f"{len(times)} videos {width} px wide: median {np.median(times):.0f} ms, longest {max(times):.0f} ms")


WATCH = """() => {
  window.times = [];
  let pressed = 0;
  addEventListener("keydown", (event) => { if (event.key === "Enter") pressed = performance.now(); }, true);
  const drawn = () => setTimeout(() => window.times.push(performance.now() - pressed));
  const watched = { attributes: true, attributeFilter: ["data-shown"] };
  new MutationObserver(() => requestAnimationFrame(drawn)).observe(document.body, watched);
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--davis", type=Path)
    parser.add_argument("--missed", type=Path)
    parser.add_argument("--coco", type=Path)
    parser.add_argument("--every", type=int, default=10)
    parser.add_argument("--pictures", action="store_true")
    parser.add_argument("--width", type=int, default=1920)
    given = parser.parse_args()
    if given.pictures:
        pictures(given.davis, given.width)
    elif given.missed:
        missed(Coco.open(given.missed), Coco.open(given.coco))
    else:
        accuracy(given.davis, given.coco, given.every)


if __name__ == "__main__":
    main()
