"""One mask saved in every way, right and wrong: read, refused or doubted alike wherever it is read."""

import io
import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from icvos.errors import IcvosError, PredictionError
from icvos.files.images import open_image, read_image, whole_image_size
from icvos.files.mask_rules import DAVIS_PALETTE
from icvos.files.masks import read_binary, read_ids, read_packed, white_value
from icvos.files.untrusted import odd_values, open_png, read_plain, read_values
from icvos.own_supports import support_of_files
from tests.icvos.files.test_png import chunk

SIZE = (40, 56)
OBJECT = np.zeros(SIZE, dtype=bool)
OBJECT[8:31, 11:40] = True
OBJECT[20:31, 11:20] = False
GREY = OBJECT.astype(np.uint8) * 255


def saved(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def palette(values: np.ndarray, *colours: tuple[int, int, int], alpha: bytes | None = None) -> bytes:
    picture = Image.frombytes("P", values.shape[::-1], values.astype(np.uint8).tobytes())
    picture.putpalette([part for colour in colours for part in colour])
    return saved(picture, **({} if alpha is None else {"transparency": alpha}))


def stacked(*layers: np.ndarray) -> Image.Image:
    return Image.fromarray(np.stack([np.broadcast_to(np.uint8(layer), SIZE) for layer in layers], axis=-1))


def rgba(grey: np.ndarray | int, alpha: np.ndarray | int) -> bytes:
    layers = [np.broadcast_to(np.asarray(layer, dtype=np.uint8), SIZE) for layer in (grey, grey, grey, alpha)]
    return saved(Image.fromarray(np.stack(layers, axis=-1), mode="RGBA"))


def grey_alpha(grey: np.ndarray | int, alpha: np.ndarray | int) -> bytes:
    layers = [
        Image.fromarray(np.broadcast_to(np.asarray(layer, dtype=np.uint8), SIZE).copy()) for layer in (grey, alpha)
    ]
    return saved(Image.merge("LA", layers))


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved(Image.fromarray(GREY), exif=exif)


def animated() -> bytes:
    return saved(Image.fromarray(GREY), save_all=True, append_images=[Image.fromarray(255 - GREY)])


def without_end(content: bytes) -> bytes:
    return content[: content.index(b"IEND") - 4]


def with_chunk(content: bytes, name: bytes, body: bytes) -> bytes:
    place = content.index(b"IDAT") - 4
    return content[:place] + chunk(name, body) + content[place:]


BLACK, WHITE, RED = (0, 0, 0), (255, 255, 255), (128, 0, 0)
PLAIN = saved(Image.fromarray(GREY))
BIT = saved(Image.fromarray(OBJECT))
SOFT = saved(Image.fromarray(GREY).filter(ImageFilter.GaussianBlur(2)))
NOISE = saved(Image.open(io.BytesIO(saved(Image.fromarray(GREY), "JPEG", quality=75))))
SIXTEEN = GREY.astype(np.uint16) * 257

RIGHT = {
    "grey": PLAIN,
    "one bit": BIT,
    "grey of 0 and 1": saved(Image.fromarray(OBJECT.astype(np.uint8))),
    "16 bits, 0 and 255": saved(Image.fromarray(GREY.astype(np.uint16))),
    "16 bits, 0 and 65535": saved(Image.fromarray(SIXTEEN)),
    "palette": palette(OBJECT, BLACK, RED),
    "palette, white background": palette(OBJECT, WHITE, RED),
    "palette, background transparent": palette(OBJECT, BLACK, WHITE, alpha=b"\0\xff"),
    "palette, white, background transparent": palette(OBJECT, WHITE, WHITE, alpha=b"\0\xff"),
    "black transparent": with_chunk(PLAIN, b"tRNS", b"\0\0"),
}
RIGHT_COLOURS = {
    "RGB": saved(Image.fromarray(GREY).convert("RGB")),
    "RGBA, opaque": rgba(GREY, 255),
    "grey and alpha, opaque": grey_alpha(GREY, 255),
    "DAVIS colours": saved(Image.fromarray(DAVIS_PALETTE[OBJECT.astype(np.uint8)])),
    "object in the alpha channel": rgba(255, GREY),
    "object in the alpha channel of grey": grey_alpha(255, GREY),
    "background transparent": rgba(GREY, GREY),
    "transparent corner of another colour": rgba(
        np.where(np.indices(SIZE)[0] < 2, 9, GREY), 255 * (np.indices(SIZE)[0] > 1)
    ),
}
REFUSED = {
    "JPEG": (saved(Image.fromarray(GREY), "JPEG"), "is a JPEG, not a PNG file"),
    "GIF": (saved(Image.fromarray(GREY), "GIF"), "not a PNG"),
    "palette, index 0 the object": (palette(~OBJECT, WHITE, BLACK), "index 0"),
    "palette, index 0 the object, nearly": (palette(~OBJECT, (250, 250, 250), (8, 8, 8)), "index 0"),
    "palette, background of another index transparent": (palette(~OBJECT, RED, RED, alpha=b"\xff\0"), "index 0"),
    "palette, black object on nothing": (palette(~OBJECT, BLACK, WHITE, alpha=b"\xff\0"), "index 0"),
    "animation": (animated(), "animation"),
    "turned by EXIF": (turned(), "turned"),
    "cut off": (without_end(PLAIN), "cut off"),
    "cut off, one bit": (without_end(BIT), "cut off"),
    "white transparent": (with_chunk(PLAIN, b"tRNS", b"\0\xff"), "black and transparency"),
}
REFUSED_COLOURS = {
    "cut off, colours": (without_end(rgba(GREY, 255)), "cut off"),
    "soft alpha": (rgba(255, np.asarray(Image.open(io.BytesIO(SOFT)))), "half transparent"),
    "black on nothing": (rgba(0, GREY), "black and transparency"),
    "nothing at all": (rgba(GREY, 0), "black and transparency"),
    "shades as colours": (saved(Image.open(io.BytesIO(SOFT)).convert("RGB")), "not in the DAVIS palette"),
    "white and grey": (
        saved(Image.fromarray(np.where(np.indices(SIZE)[0] < 2, 128, GREY).astype(np.uint8)).convert("RGB")),
        "white beside",
    ),
}
DOUBTED = {
    "soft edges": SOFT,
    "noise of a JPEG": NOISE,
    "soft edges, palette": saved(Image.open(io.BytesIO(SOFT)).convert("P")),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    Image.new("RGB", SIZE[::-1]).save(tmp_path / "picture.png")
    return tmp_path / "mask.png"


@pytest.mark.parametrize("name", [*RIGHT, *RIGHT_COLOURS])
def test_one_right_reading(path: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    path.write_bytes({**RIGHT, **RIGHT_COLOURS}[name])
    support = support_of_files(path.with_name("picture.png"), path)
    for read in (read_binary, lambda file: read_ids(file) != 0, lambda file: read_packed(file).unpack()):
        assert np.array_equal(read(path), OBJECT)
    assert np.array_equal(support.mask(), OBJECT)
    assert not caplog.records
    if name in RIGHT:
        assert np.array_equal(read_values(path, SIZE).values != 0, OBJECT)
        assert odd_values(open_png(path, SIZE), path) is None
        plain = read_plain(path, SIZE, None)
        assert plain is None or np.array_equal(plain.unpack(), OBJECT)
    else:
        with pytest.raises(PredictionError, match="image of mode"):
            read_values(path, SIZE)


@pytest.mark.parametrize("name", [*REFUSED, *REFUSED_COLOURS])
def test_no_right_reading(path: Path, name: str) -> None:
    content, message = {**REFUSED, **REFUSED_COLOURS}[name]
    path.write_bytes(content)
    for read in (
        read_binary,
        read_ids,
        read_packed,
        lambda file: support_of_files(file.with_name("picture.png"), file),
    ):
        with pytest.raises(IcvosError, match=message) as refusal:
            read(path)
        assert str(path) in str(refusal.value)
    with pytest.raises(PredictionError, match=message if name in REFUSED else "image of mode"):
        read_values(path, SIZE)
    if "cut off" in message:
        with pytest.raises(PredictionError, match=message):
            read_plain(path, SIZE, None)
    else:
        assert read_plain(path, SIZE, None) is None  # left to `read_values`


@pytest.mark.parametrize("name", DOUBTED)
def test_shades_are_told_or_refused(path: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    path.write_bytes(DOUBTED[name])
    for _ in range(2):
        read_binary(path)
    assert [record.getMessage() for record in caplog.records] == [str(odd_values(open_png(path, SIZE), path))]
    assert caplog.records[0].levelno == logging.WARNING
    assert f"{path}: " in caplog.text
    assert "different values beside 0" in caplog.text
    with pytest.raises(IcvosError, match=r"mask\.png: shades of grey"):
        read_ids(path)


def test_many_objects_are_no_shades(path: Path) -> None:
    ids = np.zeros(SIZE, dtype=np.uint8)
    for number in range(12):
        ids[number // 4 * 12 : number // 4 * 12 + 9, number % 4 * 13 : number % 4 * 13 + 9] = 20 * number + 15
    Image.fromarray(ids).save(path)
    assert np.array_equal(read_ids(path), ids)


def test_spread_levels_are_narrowed_and_others_kept(path: Path) -> None:
    ids = np.array([[0, 1, 2], [3, 7, 255]], dtype=np.uint16)
    for values, found in ((ids * 257, ids), (ids * 200, ids * 200), (ids, ids), (ids * 0, ids * 0)):
        Image.fromarray(values).save(path)
        assert np.array_equal(read_ids(path), found)


@pytest.mark.parametrize(
    ("names", "white"),
    [
        (("grey", "RGB", "one bit", "palette of white"), 255),
        (("one bit", "empty"), 1),
        (("one bit", "palette of white"), 1),
        (("palette of white",), 0),
        (("grey ramp",), 255),
        (("16 bits, 0 and 65535",), 255),
        (("object in the alpha channel", "grey"), 255),
        (("grey", "palette"), 0),
        (("grey of 0 and 1",), 0),
        (("empty",), 0),
    ],
)
def test_white_on_black_however_it_was_saved(tmp_path: Path, names: tuple[str, ...], white: int) -> None:
    kinds = {**RIGHT, **RIGHT_COLOURS, "empty": saved(Image.new("L", SIZE[::-1]))}
    kinds |= {"palette of white": palette(OBJECT, BLACK, WHITE), "grey ramp": saved(Image.fromarray(GREY).convert("P"))}
    for name in names:
        (tmp_path / name).write_bytes(kinds[name])
    assert white_value(tmp_path / name for name in names) == white


def test_a_picture_without_its_end_is_cut_off(path: Path) -> None:
    whole = path.with_name("picture.png").read_bytes()
    for content in (without_end(whole), without_end(whole) + b"\xff\xd9 IEND", without_end(whole)[:-5]):
        path.write_bytes(content)
        for read in (open_image, read_image, whole_image_size):
            with pytest.raises(IcvosError, match=r"mask\.png: cannot be decoded"):
                read(path)
    path.write_bytes(whole + bytes(100))  # what follows the end changes nothing
    assert whole_image_size(path) == SIZE


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        (Image.fromarray(np.full((4, 4), 40_000, dtype=np.uint16)), "8 bits a channel"),
        (Image.new("RGBA", (4, 4), (9, 9, 9, 0)), "transparent parts"),
        (Image.new("LA", (4, 4), (9, 100)), "transparent parts"),
    ],
)
def test_pictures_without_certain_colours_are_refused(tmp_path: Path, picture: Image.Image, message: str) -> None:
    picture.save(tmp_path / "a.png")
    with pytest.raises(IcvosError, match=message):
        read_image(tmp_path / "a.png")


def test_pictures_of_every_mode_become_rgb(tmp_path: Path) -> None:
    grey = Image.new("L", (16, 16), 200)
    for mode, kind in (("LA", "png"), ("P", "png"), ("RGBA", "png"), ("1", "png"), ("CMYK", "jpg"), ("L", "jpg")):
        grey.convert(mode).save(tmp_path / f"{mode}.{kind}")
        found = read_image(tmp_path / f"{mode}.{kind}")
        assert found.shape == (16, 16, 3)
        assert found.dtype == np.uint8
        assert mode == "1" or abs(int(found.mean()) - 200) < 3
