"""The figures of docs/traps.md are what `benchmarks.traps` measures."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.traps import boundary, elliptic, measure, other_supports
from icvos.metrics import count
from tests import ROOT

ROWS = [
    line
    for line in (ROOT / "docs" / "traps.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and not line.startswith(("| measured |", "| ---"))
]


def test_figures_of_real_masks(samples: Path) -> None:
    if not (samples / "davis_osvos").is_dir():
        pytest.skip(f"{samples} has no davis_osvos, the masks of this page")
    assert [figure.row() for figure in measure(samples / "davis_osvos")] == ROWS[:-1]


def test_figure_of_supports(built: Path) -> None:
    assert other_supports(built).row() == ROWS[-1]


@pytest.mark.parametrize("seed", range(5))
def test_the_boundary_that_is_matched_otherwise_is_that_of_icvos(seed: int) -> None:
    """What differs from icvos is the ellipse alone: where a radius of 1 makes it the disk, F is the same."""
    random = np.random.default_rng(seed)
    truth, prediction = (cv2.blur(random.random((40, 60)), (7, 7)) > 0.5 for _ in range(2))
    found = count(truth, prediction)
    assert int(boundary(truth).sum()) == found.truth_boundary
    assert elliptic((truth, prediction)) == found.f


def test_the_ellipse_of_opencv_is_larger_than_a_disk() -> None:
    offset = np.arange(-8, 9) ** 2
    disk = int((offset[:, None] + offset <= 64).sum())
    ellipse = int(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (17, 17)).sum())
    text = (ROOT / "docs" / "traps.md").read_text(encoding="utf-8")
    assert f"has {ellipse} pixels at a radius of 8, where the disk has {disk}" in text
