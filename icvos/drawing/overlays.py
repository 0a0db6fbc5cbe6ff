"""Pictures of masks: overlays, truth beside prediction, contact sheets and the figure of a paper.

An image is (H, W, 3) uint8 RGB in [0, 255]; a mask is (H, W), either bool or uint8 object ids. Animations are streamed:
`render_clip` draws one frame at a time, and `icvos.drawing.animation.write_animation` takes them as they come.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from icvos.drawing.panels import (
    INK,
    blank,
    caption_height,
    captioned,
    contact_sheet,
    evenly,
    fitting_font,
    fitting_size,
    in_row,
    label,
    padded,
    paper_strip,
    resized,
    side_by_side,
    stacked,
    text_size,
    to_height,
)
from icvos.errors import IcvosError, plural
from icvos.method import Image, Mask, Support

__all__ = [
    "AGREEMENT",
    "COLOURS",
    "FALSE",
    "MISSED",
    "compare",
    "contact_sheet",
    "evenly",
    "figure",
    "label",
    "legend",
    "overlay",
    "render_frames",
    "side_by_side",
]
Colour = tuple[int, int, int]
Palette = Sequence[Colour] | np.ndarray  # (N, 3) RGB
# Pairwise far apart in CIELAB as seen with normal sight and with each of the three kinds of colour blindness, and the
# first ones far from grass, sky, water, wood and skin.
COLOURS: tuple[Colour, ...] = (
    (255, 20, 110),  # pink
    (0, 140, 255),  # blue
    (255, 225, 0),  # yellow
    (0, 90, 40),  # dark green
    (106, 0, 128),  # purple
    (51, 255, 221),  # mint
    (217, 130, 43),  # ochre
    (72, 0, 217),  # indigo
)
AGREEMENT: Colour = (60, 210, 130)  # green
MISSED: Colour = (30, 90, 255)  # blue
FALSE: Colour = (255, 110, 0)  # orange
VOID = 255
WHITE: Colour = (255, 255, 255)


def overlay(
    image: Image, mask: np.ndarray, colours: Palette = COLOURS, alpha: float = 0.5, outline_px: float = 2.0
) -> Image:
    """``image`` with every object of ``mask`` tinted and outlined in its own colour, with a thin white rim.

    Args:
        image: (H, W, 3) uint8 RGB.
        mask: (H, W) bool, drawn in the first colour, or uint8 ids: id 1 in the first colour, and so on, around again
            after the last. 255 is void and left as it is, unless it is the only id, as in 0/255 masks.
        colours: RGB; ``icvos.files.masks.DAVIS_PALETTE[1:]`` gives the colours of the DAVIS files.
        alpha: Share of the colour inside the object, 0..1.
        outline_px: Width of the contour in pixels, inside the object, with a rim of half of that outside; 0 draws none.

    >>> image, mask = np.zeros((40, 60, 3), dtype=np.uint8), np.zeros((40, 60), dtype=bool)
    >>> mask[10:30, 10:30] = True
    >>> picture = overlay(image, mask)
    >>> picture[20, 20].any(), picture[5, 5].any()
    (np.True_, np.False_)
    """
    _check_sizes(image, mask)
    picture = image.astype(np.float32)
    layers = list(_layers(mask))
    if outline_px > 0:
        for layer, _ in layers:  # all before the first tint, so that a rim never lies on a neighbour
            _tint(picture, layer, WHITE, 0.0, (-outline_px / 2, 0.5))
    for layer, index in layers:
        _tint(picture, layer, colours[index % len(colours)], alpha, (0.0, outline_px))
    return np.rint(picture).astype(np.uint8)


def compare(image: Image, truth: Mask, prediction: Mask, alpha: float = 0.6, outline_px: float = 1.5) -> Image:
    """``image`` with agreement, missed and false pixels in the colours of `legend`, the truth's contour in white.

    Args:
        image: (H, W, 3) uint8 RGB.
        truth, prediction: (H, W); every non-zero value is foreground.
        alpha: Share of the colours, 0..1.
        outline_px: Width of the truth's contour in pixels; 0 draws none.
    """
    _check_sizes(image, truth)
    _check_sizes(image, prediction)
    true, predicted = truth != 0, prediction != 0
    picture = image.astype(np.float32)
    for layer, colour in ((true & predicted, AGREEMENT), (true & ~predicted, MISSED), (predicted & ~true, FALSE)):
        picture[layer] += alpha * (np.array(colour, dtype=np.float32) - picture[layer])
    _tint(picture, true, WHITE, 0.0, (-outline_px / 2, outline_px / 2))
    return np.rint(picture).astype(np.uint8)


def legend(width_px: int, size_px: int | None = None) -> Image:
    """A white strip that names the colours of `compare`: (H, ``width_px``, 3) uint8; its text is ``size_px`` high."""
    entries = (("agreement", AGREEMENT), ("missed", MISSED), ("false", FALSE))
    size = text_size(width_px) if size_px is None else size_px
    font = fitting_font("   ".join(f"##{name}" for name, _ in entries), size, width_px)
    strip, draw = paper_strip(width_px, round(1.7 * size))
    chip, space = round(0.8 * font.size), 0.45 * font.size
    widths = [chip + space + font.getlength(name) for name, _ in entries]
    x = (width_px - sum(widths) - 3 * space * (len(entries) - 1)) / 2
    middle = strip.height / 2
    for (name, colour), width in zip(entries, widths, strict=True):
        draw.rectangle((x, middle - chip / 2, x + chip, middle + chip / 2), fill=colour)
        draw.text((x + chip + space, middle), name, fill=INK, font=font, anchor="lm")
        x += width + 3 * space
    return np.asarray(strip)


def render_frames(
    frames: Iterable[tuple[str, Image]],
    truth: Callable[[str], np.ndarray] | None = None,
    masks: Callable[[str], np.ndarray] | None = None,
    supports: Sequence[Support] = (),
    category: str = "",
    errors: bool = False,
    height_px: int = 300,
    colours: Palette = COLOURS,
    word: str = "frame",
) -> Iterator[Image]:
    """`render_clip` for any frames: (name, image) pairs, and functions that give a frame's masks (bool or ids).

    ``word`` is what a frame is called.
    """
    support = _supports_panel(supports, height_px, colours)
    for name, image in frames:
        panels, labels = (
            ([support], [_counted("support", len(supports), category)]) if support is not None else ([], [])
        )
        true = None if truth is None else truth(name)
        predicted = None if masks is None else masks(name)
        outline = outline_width(image, height_px)
        if true is not None:
            panels.append(to_height(overlay(image, true, colours, outline_px=outline), height_px))
            labels.append(f"truth, {word} {name}")
        if predicted is not None and true is not None and errors:
            panels.append(to_height(compare(image, true, predicted, outline_px=0.75 * outline), height_px))
            labels.append("prediction")
        elif predicted is not None:
            panels.append(to_height(overlay(image, predicted, colours, outline_px=outline), height_px))
            labels.append("prediction" if true is not None else f"prediction, {word} {name}")
        if true is None and predicted is None:
            panels.append(to_height(image, height_px))
            labels.append(f"{word} {name}")
        line = side_by_side(panels, labels, height_px)
        if errors and true is not None and predicted is not None:
            line = np.concatenate([line, legend(line.shape[1], text_size(round(1.6 * height_px)))])
        yield padded(np.concatenate([line, blank(8, line.shape[1])]), 8, line.shape[1] + 16)


def figure(
    support_image: Image,
    support_mask: Mask,
    frames: Sequence[Image],
    masks: Sequence[Mask],
    captions: Sequence[str] = (),
    support_caption: str = "support + mask",
    width_px: int = 1800,
    rows: int = 1,
) -> Image:
    """The task in one picture, on white: the support at the left, an arrow, and ``rows`` of video frames with masks.

    ``captions`` go under the frames, ``support_caption`` under the support, which is as high as all rows together.
    Everything is as large as ``width_px`` allows.
    """
    gap, arrow_px, size = round(0.007 * width_px), round(0.05 * width_px), max(12, round(0.015 * width_px))
    between = caption_height(size) + gap
    columns = -(-len(frames) // rows)
    lines = [range(start, min(start + columns, len(frames))) for start in range(0, len(frames), columns)]
    aspects = [frame.shape[1] / frame.shape[0] for frame in frames]
    support_aspect = support_image.shape[1] / support_image.shape[0]
    free = width_px - arrow_px - gap * (columns + 3) - support_aspect * (len(lines) - 1) * between
    height = int(free / (support_aspect * len(lines) + max(sum(aspects[index] for index in line) for line in lines)))
    support_height = len(lines) * height + (len(lines) - 1) * between

    def drawn(image: Image, mask: Mask, height_px: int) -> Image:
        return to_height(
            overlay(image, mask, outline_px=outline_width(image, height_px, min(2.5, max(1.2, height_px / 130)))),
            height_px,
        )

    support = drawn(support_image, support_mask, support_height)
    shown = [drawn(image, mask, height) for image, mask in zip(frames, masks, strict=True)]
    texts = [support_caption, *(captions or [""] * len(frames))]
    sizes = [fitting_size(text, size, image.shape[1]) for text, image in zip(texts, [support, *shown], strict=True)]
    support, *shown = [captioned(image, text, min(sizes)) for image, text in zip([support, *shown], texts, strict=True)]
    grid = stacked([in_row([shown[index] for index in line], gap) for line in lines], gap)
    middle = _arrow(support_height, arrow_px)
    line = in_row([support, middle, grid], gap)
    return padded(np.concatenate([blank(gap, line.shape[1]), line]), (width_px - line.shape[1]) // 2, width_px)


def _check_sizes(image: Image, mask: np.ndarray) -> None:
    if image.shape[:2] != mask.shape:
        raise IcvosError(
            f"the mask is {mask.shape[-1]}x{mask.shape[0]} pixels, the image {image.shape[1]}x{image.shape[0]}; "
            "give the mask of this image"
        )


def _layers(mask: np.ndarray) -> Iterator[tuple[Mask, int]]:
    """The (H, W) bool mask of each object and its place among the colours, 0, 1, ..."""
    if mask.dtype == bool:
        yield mask, 0
        return
    ids = [int(value) for value in np.unique(mask) if value]
    if ids == [VOID]:
        yield mask == VOID, 0
        return
    for value in ids:
        if value != VOID:
            yield mask == value, value - 1


def _tint(
    picture: np.ndarray, layer: Mask, colour: Colour | np.ndarray, alpha: float, band: tuple[float, float]
) -> None:
    """Draw one object into the (H, W, 3) float32 ``picture``: tinted, and solid where its depth lies within ``band``.

    Depth is the distance to the contour in pixels, positive inside the object; edges are smooth.
    """
    import cv2

    left, top, width, height = cv2.boundingRect(layer.astype(np.uint8))
    if not width:
        return
    margin = math.ceil(max(0.0, -band[0])) + 3
    rows = slice(max(0, top - margin), top + height + margin)
    columns = slice(max(0, left - margin), left + width + margin)
    depth = _depth(layer[rows, columns])
    weight = alpha * np.clip(depth + 0.5, 0, 1)
    if band[1] > band[0]:
        solid = np.clip(depth - band[0] + 0.5, 0, 1) * np.clip(band[1] - depth + 0.5, 0, 1)
        weight = np.maximum(weight, solid)
    area = picture[rows, columns]
    area += weight[..., None] * (np.array(colour, dtype=np.float32) - area)


def _depth(layer: Mask) -> np.ndarray:
    """(H, W) float32: distance to the contour in pixels, positive inside, smoothed so that steps do not show."""
    import cv2

    inside = layer.astype(np.uint8)
    distance = cv2.distanceTransform(inside, cv2.DIST_L2, 5) - cv2.distanceTransform(1 - inside, cv2.DIST_L2, 5)
    signed = np.clip(distance - 0.5 * np.sign(distance), -64, 64)
    smooth: np.ndarray = cv2.GaussianBlur(signed, (0, 0), 0.8)
    return smooth


def outline_width(image: Image, height_px: int, width_px: float = 2.0) -> float:
    """The contour's width on ``image`` that is ``width_px`` wide after scaling to ``height_px``."""
    return max(1.0, width_px * image.shape[0] / height_px)


def _supports_panel(supports: Sequence[Support], height_px: int, colours: Palette) -> Image | None:
    """One image of ``height_px`` with all supports: a single picture, or rows of smaller ones."""
    if not supports:
        return None
    rows = round(math.sqrt(len(supports)))
    height = (height_px - 4 * (rows - 1)) // rows
    pictures = []
    for support in supports:
        image = support.image()
        drawn = overlay(image, support.mask(), colours, outline_px=outline_width(image, height))
        pictures.append(to_height(drawn, height))
    columns = math.ceil(len(pictures) / rows)
    lines = [in_row(pictures[start : start + columns], 4) for start in range(0, len(pictures), columns)]
    return stacked(lines, 4)


def _counted(word: str, count: int, category: str) -> str:
    text = word if count == 1 else plural(count, word)
    return f"{text}: {category}" if category else text


def _arrow(height_px: int, width_px: int) -> Image:
    """A dark arrow to the right on white, drawn four times as large and shrunk for smooth edges."""
    strip, draw = paper_strip(4 * width_px, 4 * height_px)
    middle, right, head, line = 2 * height_px, 3.6 * width_px, 0.9 * width_px, max(4, 0.2 * width_px)
    draw.rectangle((0.4 * width_px, middle - line / 2, right - head, middle + line / 2), fill=INK)
    draw.polygon([(right - head, middle - 0.6 * head), (right, middle), (right - head, middle + 0.6 * head)], fill=INK)
    return resized(np.asarray(strip), width_px, height_px)
