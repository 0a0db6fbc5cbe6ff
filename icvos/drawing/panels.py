"""Laying pictures out on white paper: labels, rows and contact sheets.

An image is (H, W, 3) uint8 RGB in [0, 255].
"""

import io
from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from icvos.errors import IcvosError
from icvos.method import Image

INK = (38, 38, 42)
PAPER = 255
ELLIPSIS = "…"


def label(image: Image, text: str, size_px: int | None = None) -> Image:
    """``image`` under a white strip with ``text``, centred.

    The text is ``size_px`` high (None: by the image's width), smaller where it would not fit, and cut at last.
    """
    width = image.shape[1]
    size = text_size(width) if size_px is None else size_px
    strip, draw = paper_strip(width, round(1.7 * size))
    font = fitting_font(text, size, width)
    draw.text((width / 2, strip.height / 2), _cut(text, font, width), fill=INK, font=font, anchor="mm")
    return np.concatenate([np.asarray(strip), image])


def heading(text: str, width_px: int, size_px: int) -> Image:
    """A white strip with ``text`` at its left, smaller where it would not fit, and cut at last."""
    strip, draw = paper_strip(width_px, caption_height(size_px))
    font = fitting_font(text, size_px, width_px)
    draw.text((0, strip.height / 2), _cut(text, font, width_px), fill=INK, font=font, anchor="lm")
    return np.asarray(strip)


def side_by_side(
    panels: Sequence[Image], labels: Sequence[str] = (), height_px: int | None = None, gap_px: int = 8
) -> Image:
    """``panels`` in a row on white, all scaled to ``height_px`` (None: the tallest), with ``labels`` above them."""
    if not panels:
        raise IcvosError("no panel to show; give at least one image")
    height = height_px or max(panel.shape[0] for panel in panels)
    scaled = [to_height(panel, height) for panel in panels]
    if labels:
        size = text_size(round(1.6 * height))
        scaled = [label(panel, text, size) for panel, text in zip(scaled, labels, strict=True)]
    return in_row(scaled, gap_px)


def contact_sheet(
    images: Iterable[Image],
    columns: int = 4,
    width_px: int = 1600,
    labels: Iterable[str] = (),
    count: int | None = None,
    gap_px: int = 10,
) -> Image:
    """A white sheet of ``images`` in rows, each scaled to its column; with ``count``, that many, evenly spaced.

    The images may be a stream of any length: only thumbnails are kept, at most four times ``count`` of them.

    Args:
        images: Pictures of any sizes; the first is in the top left corner.
        columns: Images in a row; fewer where there are fewer images.
        width_px: Width of the sheet.
        labels: A text above each image, as many as ``images``; none: no text.
        count: How many to show; None: all.
        gap_px: White between the images.
    """
    column_px = (width_px - gap_px * (columns + 1)) // max(1, columns)
    if columns < 1 or column_px < 16:
        raise IcvosError(f"{columns} columns do not fit in {width_px} pixels; choose from 1 to {width_px // 32}")
    texts = iter(labels)
    thumbnails = ((to_width(image, column_px), next(texts, None)) for image in images)
    kept = list(thumbnails) if count is None else _thin(thumbnails, count)
    if not kept:
        raise IcvosError("no image for the contact sheet; choose frames that exist")
    tiles = [image if text is None else label(image, text) for image, text in kept]
    lines = [in_row(tiles[start : start + columns], gap_px) for start in range(0, len(tiles), columns)]
    sheet_px = width_px if len(tiles) >= columns else lines[0].shape[1] + 2 * gap_px
    sheet = padded(stacked(lines, gap_px), gap_px, sheet_px)
    return np.concatenate([blank(gap_px, sheet_px), sheet, blank(gap_px, sheet_px)])


def encode_png(image: Image) -> bytes:
    """A PNG of a (H, W, 3) uint8 RGB image."""
    buffer = io.BytesIO()
    Pillow.fromarray(image).save(buffer, format="PNG")
    return buffer.getvalue()


def evenly(total: int, count: int) -> list[int]:
    """At most ``count`` positions in ``range(total)``, evenly spaced, first and last among them.

    >>> evenly(100, 4), evenly(3, 8), evenly(9, 1)
    ([0, 33, 66, 99], [0, 1, 2], [4])
    """
    if count >= total:
        return list(range(total))
    if count == 1:
        return [(total - 1) // 2]
    return [step * (total - 1) // (count - 1) for step in range(count)]


def to_height(image: Image, height_px: int) -> Image:
    """``image`` scaled to ``height_px``, its shape kept."""
    return resized(image, max(1, round(image.shape[1] * height_px / image.shape[0])), height_px)


def to_width(image: Image, width_px: int) -> Image:
    """``image`` scaled to ``width_px``, its shape kept."""
    return resized(image, width_px, max(1, round(image.shape[0] * width_px / image.shape[1])))


def fitted(image: Image, height_px: int, width_px: int) -> Image:
    """``image`` as large as it can be, its shape kept, in the middle of white paper of this size."""
    scaled = to_height(image, height_px)
    if scaled.shape[1] > width_px:
        scaled = to_width(image, width_px)
    paper = blank(height_px, width_px)
    top, left = (height_px - scaled.shape[0]) // 2, (width_px - scaled.shape[1]) // 2
    paper[top : top + scaled.shape[0], left : left + scaled.shape[1]] = scaled
    return paper


def resized(image: Image, width_px: int, height_px: int) -> Image:
    """``image`` scaled to this size: averaged where it shrinks, cubic where it grows."""
    import cv2

    if image.shape[:2] == (height_px, width_px):
        return image
    shrinks = width_px < image.shape[1]
    scaled: Image = cv2.resize(
        image, (width_px, height_px), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    )
    return scaled


def blank(height_px: int, width_px: int) -> Image:
    """White paper."""
    return np.full((height_px, width_px, 3), PAPER, dtype=np.uint8)


def padded(image: Image, left_px: int, width_px: int) -> Image:
    """``image`` on white, ``left_px`` from the left, ``width_px`` wide."""
    right = width_px - image.shape[1] - left_px
    return np.pad(image, ((0, 0), (left_px, max(0, right)), (0, 0)), constant_values=PAPER)


def in_row(panels: Sequence[Image], gap_px: int) -> Image:
    """``panels`` beside each other on white, tops aligned."""
    height = max(panel.shape[0] for panel in panels)
    parts: list[Image] = []
    for panel in panels:
        parts += [blank(height, gap_px), np.concatenate([panel, blank(height - panel.shape[0], panel.shape[1])])]
    return np.concatenate(parts[1:], axis=1)


def stacked(images: Sequence[Image], gap_px: int) -> Image:
    """``images`` below each other on white, left sides aligned."""
    width = max(image.shape[1] for image in images)
    parts = [part for image in images for part in (blank(gap_px, width), padded(image, 0, width))]
    return np.concatenate(parts[1:])


def text_size(width_px: int) -> int:
    """The height of a label's text on an image ``width_px`` wide, in pixels."""
    return int(min(40, max(11, width_px / 26)))


def paper_strip(width_px: int, height_px: int) -> tuple[Pillow.Image, ImageDraw.ImageDraw]:
    """White paper and the pen for it."""
    strip = Pillow.new("RGB", (width_px, height_px), (PAPER, PAPER, PAPER))
    return strip, ImageDraw.Draw(strip)


def _font(size_px: float) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size_px)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font


def fitting_font(text: str, size_px: int, width_px: int) -> ImageFont.FreeTypeFont:
    """The font at ``size_px``, or down to 9 pixels where ``text`` is too wide."""
    return _font(fitting_size(text, size_px, width_px))


def fitting_size(text: str, size_px: int, width_px: int) -> int:
    """``size_px``, or down to 9 pixels where ``text`` is wider than ``width_px``."""
    length = _font(size_px).getlength(text)
    return size_px if length <= width_px else max(9, int(size_px * width_px / length))


def _cut(text: str, font: ImageFont.FreeTypeFont, width_px: int) -> str:
    if font.getlength(text) <= width_px:
        return text
    while text and font.getlength(text + ELLIPSIS) > width_px:
        text = text[:-1]
    return text + ELLIPSIS


def caption_height(size_px: int) -> int:
    """The height of the strip of `captioned`."""
    return round(1.9 * size_px)


def captioned(image: Image, text: str, size_px: int) -> Image:
    """``image`` over a white strip with ``text``, centred."""
    width = image.shape[1]
    strip, draw = paper_strip(width, caption_height(size_px))
    font = fitting_font(text, size_px, width)
    draw.text((width / 2, strip.height / 2), _cut(text, font, width), fill=INK, font=font, anchor="mm")
    return np.concatenate([image, np.asarray(strip)])


def _thin(items: Iterable[tuple[Image, str | None]], count: int) -> list[tuple[Image, str | None]]:
    """``count`` evenly spaced items of a stream of unknown length, holding at most 4 ``count`` + 1 of them."""
    kept: list[tuple[Image, str | None]] = []
    stride, last, position = 1, None, -1
    for position, item in enumerate(items):
        last = item
        if position % stride == 0:
            kept.append(item)
        if len(kept) > 4 * count:
            kept, stride = kept[::2], 2 * stride
    if last is not None and position % stride:
        kept.append(last)
    return [kept[index] for index in evenly(len(kept), count)]
