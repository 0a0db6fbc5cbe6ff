"""How good is the mask that `icvos predict` makes of a box, or of a click?

    python -m benchmarks.boxes --davis DAVIS --coco COCO
    python -m benchmarks.boxes --davis DAVIS --segmenter sam2.1-hiera-l

The object is the one of each first frame of DAVIS (its masks as one), and the largest of each picture of COCO that has
one of 2048 pixels. The box is the tight one around the true mask, the click its pixel farthest inside. It prints mean
IoU with the true mask of what is found for both, and of the box itself, filled.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from curation.sources.coco import Coco
from icvos.files.images import read_image
from icvos.files.masks import read_binary
from icvos.method import Image, Mask, Prompt
from icvos.models.sam.clicked import filled, segment_prompt
from icvos.models.sam.sam2_images import load_sam_on_images

LEAST_PX = 2048


def main() -> None:
    """Print a line for each dataset."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--davis", type=Path)
    parser.add_argument("--coco", type=Path)
    parser.add_argument("--segmenter", default="sam2-nano")
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args()
    sam = load_sam_on_images(given.segmenter, given.device)
    for name, root, cases in (("DAVIS", given.davis, first_frames), ("COCO", given.coco, largest_objects)):
        found = []
        for image, mask in cases(root) if root else ():
            box, click = tight_box(mask), Prompt(points=inmost(mask)[None], labels=np.ones(1, np.int64))
            masks = segment_prompt(sam, image, Prompt(box=box)), segment_prompt(sam, image, click)
            found.append([iou(other, mask) for other in (*masks, filled(box, (mask.shape[0], mask.shape[1])))])
        if found:
            boxed, clicked, whole = 100 * np.mean(found, axis=0)
            print(f"{name}, {len(found)}: box {boxed:.1f}, click {clicked:.1f}, the box itself {whole:.1f}")


def first_frames(root: Path) -> Iterator[tuple[Image, Mask]]:
    """The first frame of every video of DAVIS."""
    for folder in sorted((root / "Annotations" / "480p").iterdir()):
        mask = min(folder.glob("*.png"))
        yield read_image(root / "JPEGImages" / "480p" / folder.name / f"{mask.stem}.jpg"), read_binary(mask)


def largest_objects(root: Path) -> Iterator[tuple[Image, Mask]]:
    """The largest object of every picture of COCO."""
    coco = Coco.open(root)
    for image in coco.images.values():
        masks = [mask for kind in coco.outlines(image) for mask in coco.instance_masks(image, kind)]
        largest = max(masks, key=lambda mask: int(mask.sum()), default=None)
        if largest is not None and largest.sum() >= LEAST_PX:
            yield read_image(image.file), largest.astype(bool)


def tight_box(mask: Mask) -> np.ndarray:
    """(4,) float32: x0, y0, x1, y1 around a mask."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], np.float32)


def inmost(mask: Mask) -> np.ndarray:
    """(2,) float32: x, y of the middle of the pixel farthest inside a mask."""
    inner = cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_L2, 3)[1:-1, 1:-1]
    y, x = np.unravel_index(inner.argmax(), inner.shape)
    return np.array([x + 0.5, y + 0.5], np.float32)


def iou(one: Mask, other: Mask) -> float:
    """The intersection over the union of two masks."""
    return float((one & other).sum() / max(1, (one | other).sum()))


if __name__ == "__main__":
    main()
