"""How a method came to its mask, as one picture: its steps below each other, each a row of panels with a heading."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from icvos.drawing.overlays import COLOURS, compare, overlay
from icvos.drawing.panels import INK, blank, fitting_font, in_row, label, padded, paper_strip, stacked, to_height
from icvos.method import Image, Mask, Panel, Step

TRUTH = ((255, 225, 0),)  # yellow
COLUMNS = 4
NARROWEST_PX = 300  # of a panel, so that its label can be read
GAP_PX = 12
TEXT_PX, HEADING_PX, TITLE_PX = 15, 20, 26
LEGEND = (
    "Pink: masks, and the outline of the object in a support. Yellow line: the truth. Maps: dark is the least, yellow "
    "the greatest, with the numbers in brackets. Pictures that are dark blue in places: the others are kept."
)
DARK, NIGHT = 0.3, (10, 14, 70)  # what is not kept: a share of it, and this blue, to differ from what is dark anyway


@dataclass(frozen=True, slots=True)
class _Row:
    """A heading, a sentence below it, and pictures with their labels."""

    title: str
    meaning: str
    panels: Sequence[tuple[str, Image]]


def draw_steps(
    title: str,
    steps: Sequence[Step],
    shown: Sequence[tuple[Image, Mask]],
    frame: Image,
    *,
    answer: Mask,
    truth: Mask,
    asked: str = "picture",
    made_by: str = "",
    height_px: int = 240,
) -> Image:
    """One picture of all steps, from what was given to the answer.

    Args:
        title: Over all.
        steps: What the method gave.
        shown: The supports with their masks.
        frame: (H, W, 3) uint8, the picture that was asked about.
        answer: (H, W) bool, the mask in the end.
        truth: (H, W) bool.
        asked: What ``frame`` is.
        made_by: Which weights took part.
        height_px: Height of a panel.
    """
    view = to_height(frame, height_px)
    true, found = _stretched(truth, view), _stretched(answer, view)
    supports = [to_height(image, height_px) for image, _ in shown]
    masks = [_stretched(mask, support) for (_, mask), support in zip(shown, supports, strict=True)]
    names = ["support"] if len(shown) == 1 else [f"support {number}" for number in range(1, len(shown) + 1)]
    given = [(name, overlay(one, mask)) for name, one, mask in zip(names, supports, masks, strict=True)]

    def drawn(panel: Panel) -> tuple[str, Image]:
        if panel.shot is None:
            picture = draw_panel(view, panel)
            return panel.label, _outlined(picture, true, TRUTH) if panel.kind == "mask" else picture
        picture = _outlined(draw_panel(supports[panel.shot], panel), masks[panel.shot])
        return panel.label if len(shown) == 1 else f"{names[panel.shot]}: {panel.label}", picture

    out = [
        ("final mask", _outlined(overlay(view, found), true, TRUTH)),
        ("beside the truth", compare(view, true, found)),
    ]
    rows = [
        _Row("What is given", "A category by example, and where to find it.", [*given, (asked, view)]),
        *(_Row(step.title, step.meaning, [drawn(panel) for panel in step.panels]) for step in steps),
        _Row("What comes out", "The mask of the run. Green is right, blue is missed, orange is false.", out),
    ]
    return _page(title, f"{LEGEND} {made_by}", rows)


def draw_panel(picture: Image, panel: Panel) -> Image:
    """``picture`` with the values of ``panel`` over it.

    >>> panel = Panel("left half", np.array([[True, False]]), "kept")
    >>> draw_panel(np.full((2, 4, 3), 200, dtype=np.uint8), panel)[0, :, 0].tolist()
    [200, 200, 70, 70]
    """
    import cv2

    size = picture.shape[1], picture.shape[0]
    if panel.kind == "mask":
        return overlay(picture, _stretched(panel.values, picture))
    if panel.kind == "kept":
        kept = cv2.resize(panel.values.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
        return np.where(kept[..., None] > 0, picture, (DARK * picture + NIGHT).astype(np.uint8))
    values = panel.values.astype(np.float32)
    span = float(np.ptp(values))
    share = (values - values.min()) / span if span else np.full_like(values, 0.5)
    grown = cv2.resize(share, size, interpolation=cv2.INTER_LINEAR)
    hot = cv2.applyColorMap(np.rint(255 * grown).astype(np.uint8), cv2.COLORMAP_INFERNO)[..., ::-1]
    grey = picture.mean(2, keepdims=True)
    mixed: Image = np.rint(0.35 * grey + 0.65 * hot).astype(np.uint8)
    return mixed


def _stretched(mask: Mask, picture: Image) -> Mask:
    """``mask`` at the size of ``picture``, its steps smoothed."""
    import cv2

    size = picture.shape[1], picture.shape[0]
    grown: Mask = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_LINEAR) > 0.5
    return grown


def _outlined(picture: Image, mask: Mask, colours: Sequence[tuple[int, int, int]] = COLOURS) -> Image:
    return overlay(picture, mask, colours, alpha=0, outline_px=1.5)


def _page(title: str, legend: str, rows: Sequence[_Row]) -> Image:
    """All rows below each other in cells of one width, `COLUMNS` in a line; short ones beside each other."""
    cell = max(NARROWEST_PX, *(panel.shape[1] for row in rows for _, panel in row.panels))
    width = COLUMNS * (cell + GAP_PX) - GAP_PX
    parts = [_text(title, TITLE_PX, width), _text(legend, TEXT_PX, width)]
    line: list[Image] = []
    for number, row in enumerate(rows, 1):
        block = _block(f"{number}. {row.title}", row, cell)
        if line and sum(one.shape[1] + GAP_PX for one in line) + block.shape[1] > width:
            parts.append(in_row(line, GAP_PX))
            line = []
        line.append(block)
    page = padded(stacked([*parts, in_row(line, GAP_PX)], 2 * GAP_PX), GAP_PX, width + 2 * GAP_PX)
    return np.concatenate([blank(GAP_PX, page.shape[1]), page, blank(GAP_PX, page.shape[1])])


def _block(title: str, row: _Row, cell_px: int) -> Image:
    """A row with its heading; its panels take as many lines as they need."""
    cells = []
    for text, panel in row.panels:
        centred = padded(panel, (cell_px - panel.shape[1]) // 2, cell_px)
        cells.append(label(centred, text, TEXT_PX))
    lines = [in_row(cells[start : start + COLUMNS], GAP_PX) for start in range(0, len(cells), COLUMNS)]
    width = lines[0].shape[1]
    return stacked([_text(title, HEADING_PX, width), _text(row.meaning, TEXT_PX, width), *lines], GAP_PX // 2)


def _text(text: str, size_px: int, width_px: int) -> Image:
    """``text`` on white at the left, in as many lines as it needs."""
    font = fitting_font("", size_px, width_px)
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width_px:
            lines[-1] = longer
        else:
            lines.append(word)
    pitch = round(1.35 * size_px)
    strip, draw = paper_strip(width_px, pitch * len(lines) + 4)
    for number, line in enumerate(lines):
        draw.text((0, pitch * number), line, fill=INK, font=font)
    return np.asarray(strip)
