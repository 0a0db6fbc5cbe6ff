"""A picture of the first frame of a source video, with its objects outlined and numbered."""

from pathlib import Path

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw

from curation.sources.video import SourceVideo
from icvos.bitmasks.values import occurring
from icvos.drawing.overlays import COLOURS, overlay
from icvos.drawing.panels import fitting_font, to_height
from icvos.files.images import read_image
from icvos.files.names import plain_name
from icvos.files.storage import atomic_file
from icvos.method import Image

HEIGHT_PX = 360
BADGE = (21, 24, 29)  # the ground of a number
QUALITY = 88


def numbered(image: Image, ids: np.ndarray, height_px: int = HEIGHT_PX) -> Image:
    """A frame with its objects outlined and numbered, ``height_px`` high.

    Args:
        image: (H, W, 3) uint8.
        ids: (H, W) object ids, 0 is background.
        height_px: Height of the picture; a frame that is smaller is enlarged.
    """
    import cv2

    scale = height_px / image.shape[0]
    colours = [COLOURS[number % len(COLOURS)] for number in range(int(ids.max(initial=0)))]
    drawn = to_height(overlay(image, ids, colours or COLOURS, alpha=0.2, outline_px=max(1.0, 2 / scale)), height_px)
    picture = Pillow.fromarray(drawn)
    pen = ImageDraw.Draw(picture)
    places: list[tuple[float, float]] = []
    for number in (int(found) for found in occurring(ids) if found):
        inside = np.pad((ids == number).astype(np.uint8), 1)
        depth = cv2.distanceTransform(inside, cv2.DIST_L2, 3)
        row, column = np.unravel_index(int(depth.argmax()), depth.shape)
        x, y = (column - 0.5) * scale, (row - 0.5) * scale
        text = str(number)
        font = fitting_font(text, 15, 60)
        half = max(11.0, font.getlength(text) / 2 + 6)
        if depth.max() * scale < half:  # a small object would lie under its number
            y = max(13.0, y - 20)
        x = min(max(x, half + 1), picture.width - half - 1)
        while any(abs(x - left) < 24 and abs(y - top) < 22 for left, top in places) and y < picture.height - 34:
            y += 22  # beside the number of another object
        places.append((x, y))
        pen.rounded_rectangle(
            (x - half, y - 11, x + half, y + 11), 11, fill=BADGE, outline=colours[number - 1], width=2
        )
        pen.text((x, y), text, fill="white", font=font, anchor="mm")
    return np.asarray(picture)


def write_thumbnail(video: SourceVideo, folder: Path) -> Path:
    """Write the picture of a video as ``<source>_<video>.jpg``; returns where it is."""
    name = f"{video.source}_{plain_name(video.name, f'a video of {video.source}')}"
    path = folder / f"{name}.jpg"
    picture = numbered(read_image(video.frames[0]), next(video.iter_ids()))
    with atomic_file(path) as temporary:
        Pillow.fromarray(picture).save(temporary, format="JPEG", quality=QUALITY)
    return path
