"""The picture of a method's steps."""

import numpy as np
import pytest

from icvos.drawing.steps import COLUMNS, GAP_PX, draw_panel, draw_steps
from icvos.method import Panel, Step

GREY = np.full((40, 60, 3), 120, dtype=np.uint8)
LEFT = np.array([[True, False]])


def test_a_mask_is_tinted_where_it_is() -> None:
    drawn = draw_panel(GREY, Panel("mask", LEFT, "mask"))
    assert (drawn[20, 10] != 120).any()
    assert (drawn[20, 50] == 120).all()


def test_what_is_not_kept_is_darker_and_bluer() -> None:
    drawn = draw_panel(GREY, Panel("kept", LEFT, "kept"))
    assert (drawn[:, :30] == 120).all()
    red, _, blue = drawn[20, 50]
    assert red < blue < 120


def test_a_map_goes_from_dark_to_bright_whatever_its_range() -> None:
    values = np.array([[0.3, 0.5]], dtype=np.float32)
    drawn = draw_panel(GREY, Panel("map", values, "heat"))
    assert drawn[20, 0].sum() < drawn[20, 59].sum()
    assert np.array_equal(drawn, draw_panel(GREY, Panel("map", 100 * values - 7, "heat")))
    even = draw_panel(GREY, Panel("map", np.ones((2, 2)), "heat"))
    assert (even == even[0, 0]).all()


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (np.ones(4), "heat"),
        (np.ones((0, 4)), "heat"),
        (np.full((2, 2), np.nan), "heat"),
        (LEFT, "heat"),
        (np.ones((2, 2)), "mask"),
    ],
)
def test_values_that_cannot_be_drawn(values: np.ndarray, kind: str) -> None:
    with pytest.raises(ValueError, match="panel 'odd'"):
        Panel("odd", values, kind)  # type: ignore[arg-type]


@pytest.mark.parametrize("shots", [1, 3])
@pytest.mark.parametrize("size", [(60, 40), (40, 60), (20, 200)])
def test_pages_are_four_panels_wide_for_pictures_of_any_shape(size: tuple[int, int], shots: int) -> None:
    support = np.full((50, 50, 3), 90, dtype=np.uint8), np.eye(50, dtype=bool)
    frame, mask = np.full((*size, 3), 60, dtype=np.uint8), np.zeros(size, dtype=bool)
    panels = [Panel(f"head {number}", LEFT, "kept", shots - 1) for number in range(6)]
    words = "as many words as do not fit into one line of a page " * 8
    drawn = draw_steps("a title", [Step("a step", words, panels)], [support] * shots, frame, answer=mask, truth=mask)
    cell = max(300, round(240 * size[1] / size[0]), 240)
    assert drawn.shape[1] == COLUMNS * (cell + GAP_PX) + GAP_PX
    assert drawn.shape[0] > 4 * 240  # given, two lines of the step, what comes out
