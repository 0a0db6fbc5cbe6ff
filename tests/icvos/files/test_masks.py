"""Mask files of every kind that datasets come in."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from icvos import masks
from icvos.errors import IcvosError, PredictionError
from icvos.files.images import image_size, read_image
from icvos.files.masks import DAVIS_PALETTE, read_binary, read_ids, resize_nearest, write_binary
from icvos.files.rle import compress_rle, decode_rle, encode_rle, pack_rle
from icvos.files.untrusted import decode_frame

IDS = np.array([[0, 1, 2], [3, 10, 255]], dtype=np.uint8)


def save_palette(path: Path, ids: np.ndarray, palette: np.ndarray = DAVIS_PALETTE) -> Path:
    image = Image.frombytes("P", (ids.shape[1], ids.shape[0]), ids.tobytes())
    image.putpalette(palette.ravel().tolist())
    image.save(path)
    return path


def test_davis_palette_starts_as_published() -> None:
    assert DAVIS_PALETTE[:5].tolist() == [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0], [0, 0, 128]]
    assert len(np.unique(DAVIS_PALETTE, axis=0)) == 256


def test_palette_index_is_the_id_whatever_the_palette(tmp_path: Path) -> None:
    shuffled = np.random.default_rng(0).permutation(DAVIS_PALETTE)
    for palette in (DAVIS_PALETTE, shuffled):
        assert np.array_equal(read_ids(save_palette(tmp_path / "a.png", IDS, palette)), IDS)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_colours_map_back_through_the_davis_palette(tmp_path: Path, mode: str) -> None:
    Image.open(save_palette(tmp_path / "a.png", IDS)).convert(mode).save(tmp_path / "b.png")
    assert np.array_equal(read_ids(tmp_path / "b.png"), IDS)


def test_white_on_black_is_a_mask_in_any_mode(tmp_path: Path) -> None:
    grey = (IDS > 1).astype(np.uint8) * 255
    for mode in ("L", "RGB", "RGBA"):
        Image.fromarray(grey).convert(mode).save(tmp_path / f"{mode}.png")
        assert np.array_equal(read_ids(tmp_path / f"{mode}.png"), grey)


def test_unknown_colour_names_file_and_pixel(tmp_path: Path) -> None:
    colours = np.zeros((2, 3, 3), dtype=np.uint8)
    colours[1, 2] = (1, 2, 3)
    Image.fromarray(colours).save(tmp_path / "a.png")
    with pytest.raises(IcvosError, match=r"a\.png: colour \[1, 2, 3\] at row 1, column 2"):
        read_ids(tmp_path / "a.png")


def test_grey_one_bit_and_16_bit_values(tmp_path: Path) -> None:
    Image.fromarray(IDS).save(tmp_path / "grey.png")
    assert np.array_equal(read_ids(tmp_path / "grey.png"), IDS)
    Image.fromarray(IDS > 0).save(tmp_path / "bit.png")
    assert np.array_equal(read_ids(tmp_path / "bit.png"), (IDS > 0).astype(np.uint8))
    Image.fromarray(IDS.astype(np.uint16) * 200).save(tmp_path / "wide.png")
    assert np.array_equal(read_ids(tmp_path / "wide.png"), IDS.astype(np.uint16) * 200)


def test_written_masks_are_one_bit(tmp_path: Path) -> None:
    write_binary(tmp_path / "a.png", IDS > 1)
    assert Image.open(tmp_path / "a.png").mode == "1"
    assert np.array_equal(read_binary(tmp_path / "a.png"), IDS > 1)
    assert image_size(tmp_path / "a.png") == (2, 3)


@pytest.mark.parametrize("name", ["cut.png", "cut.jpg"])
def test_truncated_file_is_named(tmp_path: Path, name: str) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / name)
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[: len(data) // 2])
    with pytest.raises(IcvosError, match=name):
        read_image(tmp_path / name)


def test_missing_and_foreign_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    for read in (read_image, read_ids, image_size):
        with pytest.raises(IcvosError, match=r"none\.png: no such file"):
            read(tmp_path / "none.png")
        with pytest.raises(IcvosError, match=r"text\.png"):
            read(tmp_path / "text.png")


def test_grey_pictures_become_rgb(tmp_path: Path) -> None:
    Image.fromarray(IDS).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png").shape == (2, 3, 3)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 40), st.integers(1, 40))
def test_resize_takes_the_floor_index(height: int, width: int, to_height: int, to_width: int) -> None:
    source = np.arange(height * width).reshape(height, width)
    found = resize_nearest(source, (to_height, to_width))
    for y in (0, to_height // 2, to_height - 1):
        for x in (0, to_width // 2, to_width - 1):
            assert found[y, x] == source[y * height // to_height, x * width // to_width]


def test_resize_equals_opencv_nearest_to_512() -> None:
    mask = np.random.default_rng(0).random((480, 854)) < 0.5
    expected = cv2.resize(mask.astype(np.uint8), (512, 512), interpolation=cv2.INTER_NEAREST) > 0
    assert np.array_equal(resize_nearest(mask, (512, 512)), expected)


@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 2**32 - 1))
def test_rle_round_trip(height: int, width: int, seed: int) -> None:
    mask = np.random.default_rng(seed).random((height, width)) < 0.5
    assert np.array_equal(decode_rle(encode_rle(mask)), mask)


def test_rle_of_run_lengths() -> None:
    assert decode_rle({"size": [2, 3], "counts": [1, 2, 3]}).tolist() == [[False, True, False], [True, False, False]]


SOUND = {"size": [2, 3], "counts": [1, 2, 3]}


@pytest.mark.parametrize(
    "change",
    [
        {"size": [2.0, 3]},
        {"size": [2.7, 3]},
        {"size": ["2", 3]},
        {"size": "23"},
        {"size": [True, 6], "counts": [1, 2, 3]},
        {"size": [2, 3, 1]},
        {"size": [-2, -3]},
        {"size": [[2], 3]},
        {"size": {"2": 1, "3": 1}},
        {"size": None},
        {"counts": [1.0, 2, 3]},
        {"counts": [1.9, 2.9, 3]},
        {"counts": ["1", "2", "3"]},
        {"counts": [True, 2, 3]},
        {"counts": [[1, 2], [3]]},
        {"counts": [[1, 2, 3]]},
        {"counts": [1, 2, None]},
        {"counts": [1 << 70, 2, 3]},
        {"counts": [-1, 4, 3]},
        {"counts": [1, 2, 4]},
        {"counts": 6},
        {"counts": True},
    ],
)
def test_rle_takes_whole_numbers_alone(tmp_path: Path, change: Any) -> None:
    rle: Any = {**SOUND, **change}
    for decode in (decode_rle, pack_rle, compress_rle):
        with pytest.raises((ValueError, TypeError)):
            decode(rle)
    with pytest.raises(PredictionError, match="00000"):
        decode_frame({"00000": rle}, "00000", (2, 3), tmp_path, decode_rle)


def test_rle_takes_the_whole_numbers_of_numpy() -> None:
    rle: Any = {"size": list(np.array([2, 3])), "counts": list(np.array([1, 2, 3], dtype=np.uint32))}
    assert np.array_equal(decode_rle(rle), decode_rle(SOUND))  # type: ignore[arg-type]


def test_the_face_of_masks_reads_what_it_writes(tmp_path: Path) -> None:
    assert masks.__all__ == ["decode_rle", "encode_rle", "read_binary", "read_ids", "write_binary"]
    masks.write_binary(tmp_path / "a.png", IDS > 1)
    assert np.array_equal(masks.read_binary(tmp_path / "a.png"), masks.read_ids(tmp_path / "a.png") == 1)
    assert np.array_equal(masks.decode_rle(masks.encode_rle(IDS > 1)), IDS > 1)
