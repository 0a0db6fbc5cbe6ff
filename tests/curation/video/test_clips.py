"""The frames of a clip as they are put into a benchmark."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from curation.video.clips import _place_frame
from icvos.errors import IcvosError


def test_frames_that_are_no_jpeg_are_encoded_as_they_look(tmp_path: Path) -> None:
    for mode in ("L", "RGB", "RGBA", "P"):
        Image.new("L", (16, 8), 120).convert(mode).save(tmp_path / "a.png")
        _place_frame(tmp_path / "a.png", tmp_path / f"{mode}.jpg")
        with Image.open(tmp_path / f"{mode}.jpg") as found:
            assert (found.mode, found.size) == ("RGB", (16, 8))
            assert abs(np.asarray(found).astype(int) - 120).max() < 4


def test_frames_of_16_bits_are_refused_and_not_white(tmp_path: Path) -> None:
    Image.fromarray(np.full((8, 16), 30_000, dtype=np.uint16)).save(tmp_path / "a.png")
    with pytest.raises(IcvosError, match=r"a\.png: a picture of mode I;16; save it with 8 bits a channel"):
        _place_frame(tmp_path / "a.png", tmp_path / "a.jpg")
    assert not (tmp_path / "a.jpg").exists()
