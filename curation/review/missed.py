"""Where another instance of a category may have been missed: what `lite` finds of it outside the annotated objects."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from curation.sources.coco import Coco, CocoImage
from icvos.files.schema import Fraction
from icvos.method import Image, Mask, Support, load_method, segment_image

SHOTS = 5  # supports of a category: those of `LOOKED_AT` images that show most of it
LOOKED_AT = 24
CLEAR = 0.12  # side of what is added around the objects, over the frame's height: outlines are not sure so near
LEAST_AREA = 0.01  # share of the frame from which on something is pointed at
MOST = 3
Box = tuple[Fraction, Fraction, Fraction, Fraction]  # left, top, right, bottom in shares of the frame


@dataclass(frozen=True, slots=True)
class CocoSupport(Support):
    """All instances of a class in an image of COCO.

    Args:
        coco: Where they are annotated.
        picture: The image.
        index: The class, 1..80.
    """

    coco: Coco = field(compare=False, repr=False)
    picture: CocoImage
    index: int

    def mask(self) -> Mask:
        """(H, W) bool, of the image's size."""
        return self.coco.class_mask(self.picture, self.index)


class Search:
    """Finds categories of COCO in pictures, for one thread at a time.

    Args:
        coco: Where its supports are from.
    """

    def __init__(self, coco: Coco) -> None:
        self.coco = coco
        self.method = load_method("lite")
        self._supports: dict[int, tuple[CocoSupport, ...]] = {}

    def supports(self, index: int) -> tuple[CocoSupport, ...]:
        """The images among the first of COCO that show most of a class; none where COCO has none."""
        if index not in self._supports:
            images = self.coco.images_of(index)[:LOOKED_AT]
            areas = {image: self.coco.class_area(image, index) / (image.height * image.width) for image in images}
            best = sorted(images, key=lambda image: (-areas[image], image.id))[:SHOTS]
            self._supports[index] = tuple(
                CocoSupport(f"{index} {image.id}", image.file, self.coco.annotation_file, self.coco, image, index)
                for image in best
            )
        return self._supports[index]

    def elsewhere(self, index: int, image: Image, annotated: np.ndarray) -> Sequence[Box]:
        """Where a class is found outside the objects, the largest place first.

        Args:
            index: The class, 1..80.
            image: (H, W, 3) uint8.
            annotated: (H, W) bool: all objects.
        """
        supports = self.supports(index)
        return places(segment_image(self.method, supports, image), annotated) if supports else []


def places(found: Mask, annotated: np.ndarray) -> Sequence[Box]:
    """Boxes around what is found clear of the objects, both (H, W) bool: at most `MOST`, the largest place first."""
    height, width = annotated.shape
    reach = max(1, round(CLEAR * height))
    near = cv2.dilate(annotated.astype(np.uint8), np.ones((reach, reach), np.uint8)) > 0
    count, _, boxes, _ = cv2.connectedComponentsWithStats((found & ~near).astype(np.uint8), connectivity=8)
    areas = boxes[:, cv2.CC_STAT_AREA]
    large = [place for place in range(1, count) if areas[place] >= LEAST_AREA * height * width]
    order = sorted(large, key=lambda place: -areas[place])[:MOST]
    return [
        (left / width, top / height, (left + across) / width, (top + down) / height)
        for left, top, across, down, _ in boxes[order].tolist()
    ]
