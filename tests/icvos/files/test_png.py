"""Mask PNGs read directly: the same values as Pillow for every kind, and never anything worse than an `IcvosError`."""

import io
import itertools
import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from icvos.bitmasks.mask import pack
from icvos.errors import IcvosError
from icvos.files import png
from icvos.files.masks import encode_binary, read_binary, read_ids, read_packed, resize_nearest
from tests.icvos.handmade import sample_masks


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def paeth(left: int, up: int, corner: int) -> int:
    guess = left + up - corner
    distances = abs(guess - left), abs(guess - up), abs(guess - corner)
    return (left, up, corner)[distances.index(min(distances))]


def filtered(lines: np.ndarray, kinds: list[int]) -> bytes:
    """The rows as a PNG holds them, filtered by the book, one pixel at a time."""
    out = bytearray()
    for y, line in enumerate(lines.tolist()):
        kind = kinds[y % len(kinds)]
        above = lines[y - 1].tolist() if y else [0] * len(line)
        out.append(kind)
        for x, value in enumerate(line):
            left, up, corner = (line[x - 1], above[x], above[x - 1]) if x else (0, above[x], 0)
            guess = (0, left, up, (left + up) // 2, paeth(left, up, corner))[kind] if kind < 5 else 0
            out.append((value - guess) % 256)
    return bytes(out)


def lines_of(values: np.ndarray, depth: int) -> np.ndarray:
    """(H, B) uint8: values of ``depth`` bits side by side, the first in the highest bits."""
    bits = np.unpackbits(values[..., None], axis=2)[..., 8 - depth :]
    return np.packbits(bits.reshape(len(values), -1), axis=1)


def encode(
    values: np.ndarray,
    depth: int = 8,
    kind: int = png.GREY,
    filters: tuple[int, ...] = (0,),
    *,
    extra: tuple[tuple[bytes, bytes], ...] = (),
    parts: int = 1,
    header: dict[str, int] | None = None,
    level: int = 6,
) -> bytes:
    fields = {"width": values.shape[1], "height": values.shape[0], "depth": depth, "kind": kind}
    fields |= {"compression": 0, "filter": 0, "interlaced": 0} | (header or {})
    data = zlib.compress(filtered(lines_of(values, depth), list(filters)), level)
    cuts = [len(data) * part // parts for part in range(parts + 1)]
    palette = ((b"PLTE", bytes(range(256)) * 3),) if kind == png.PALETTE else ()
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", *fields.values())), *palette, *extra]
    chunks += [(b"IDAT", data[start:end]) for start, end in itertools.pairwise(cuts)]
    return png.SIGNATURE + b"".join(chunk(*one) for one in (*chunks, (b"IEND", b"")))


def by_pillow(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as image:
        return np.array(image).astype(np.uint8) if image.mode == "1" else np.array(image)


def agrees_with_pillow(content: bytes) -> None:
    found = png.parse(content)
    assert found is not None
    wanted = by_pillow(content)
    values, packed = found.values(), found.packed()
    assert values is not None
    assert packed is not None
    assert values.dtype == np.uint8
    assert np.array_equal(values, wanted)
    assert np.array_equal(packed.unpack(), wanted != 0)
    assert packed == pack(wanted)
    size = 23, 77
    assert found.packed(size) == pack(resize_nearest(wanted, size))


def blobs(shape: tuple[int, int], depth: int, seed: int = 0) -> np.ndarray:
    """Large even areas with a few edges, as in masks, and some noise."""
    random = np.random.RandomState(seed)
    values = np.zeros(shape, dtype=np.uint8)
    for _ in range(4):
        y, x = random.randint(shape[0]), random.randint(shape[1])
        values[y : y + shape[0] // 2 + 1, x : x + shape[1] // 2 + 1] = random.randint(1 << depth)
    noise = random.rand(*shape) < 0.01
    values[noise] = random.randint(0, 1 << depth, noise.sum())
    return values


@pytest.mark.parametrize("filters", [(0,), (1,), (2,), (3,), (4,), (0, 1, 2, 3, 4), (4, 3, 1, 2, 0, 2)])
@pytest.mark.parametrize("kind", [png.GREY, png.PALETTE])
@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_every_filter_depth_and_kind(depth: int, kind: int, filters: tuple[int, ...]) -> None:
    for number, shape in enumerate([(1, 1), (1, 9), (9, 1), (7, 63), (8, 64), (9, 65), (5, 200), (30, 333)]):
        agrees_with_pillow(encode(blobs(shape, depth, number), depth, kind, filters))


@given(
    st.tuples(st.integers(1, 12), st.integers(1, 150)),
    st.sampled_from([1, 2, 4, 8]),
    st.sampled_from([png.GREY, png.PALETTE]),
    st.lists(st.integers(0, 4), min_size=1, max_size=6),
    st.integers(0, 10_000),
    st.integers(1, 5),
    st.integers(0, 9),
)
@settings(max_examples=150, deadline=None)
def test_anything_that_is_valid(
    shape: tuple[int, int], depth: int, kind: int, filters: list[int], seed: int, parts: int, level: int
) -> None:
    values = blobs(shape, depth, seed)
    if seed % 3 == 0:
        values = np.random.RandomState(seed).randint(0, 1 << depth, shape).astype(np.uint8)
    agrees_with_pillow(encode(values, depth, kind, tuple(filters), parts=parts, level=level))


@pytest.mark.parametrize(
    "extra",
    [
        (b"gAMA", struct.pack(">I", 45455)),
        (b"sRGB", b"\0"),
        (b"cHRM", bytes(32)),
        (b"pHYs", bytes(9)),
        (b"tIME", bytes(7)),
        (b"tRNS", b"\0\0"),
        (b"tEXt", b"Software\0somebody's"),
    ],
)
def test_chunks_beside_the_pixels_change_nothing(extra: tuple[bytes, bytes]) -> None:
    for kind in (png.GREY, png.PALETTE):
        agrees_with_pillow(encode(blobs((20, 30), 8), 8, kind, (0, 4), extra=(extra,)))
    agrees_with_pillow(encode(blobs((20, 30), 1), 1, extra=(extra,)))


def test_what_is_left_to_pillow(tmp_path: Path) -> None:
    values = blobs((20, 30), 8)
    buffers = {name: io.BytesIO() for name in ("interlaced", "wide", "colour", "alpha", "jpeg")}
    Image.fromarray(values.astype(np.uint16) * 200).save(buffers["wide"], "PNG")
    Image.fromarray(values).convert("RGB").save(buffers["colour"], "PNG")
    Image.fromarray(values).convert("LA").save(buffers["alpha"], "PNG")
    Image.fromarray(values).save(buffers["jpeg"], "JPEG")
    for name in ("wide", "colour", "alpha", "jpeg"):
        assert png.parse(buffers[name].getvalue()) is None, name
    assert png.parse(interlaced()) is None
    assert png.parse(encode(values, extra=((b"acTL", bytes(8)),))) is None
    assert png.parse(b"") is None
    assert png.parse(png.SIGNATURE) is None
    path = tmp_path / "a.png"
    path.write_bytes(interlaced())
    assert np.array_equal(read_ids(path), INTERLACED)
    assert np.array_equal(read_packed(path).unpack(), INTERLACED != 0)
    path.write_bytes(buffers["wide"].getvalue())
    assert np.array_equal(read_ids(path), values.astype(np.uint16) * 200)
    assert read_packed(path) == pack(values)


INTERLACED = (np.arange(64).reshape(8, 8) % 5).astype(np.uint8)


def interlaced() -> bytes:
    """An image of 8 x 8 pixels in the seven passes of Adam7."""
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    data = b"".join(filtered(INTERLACED[y::down, x::right], [0]) for y, x, down, right in passes)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, png.GREY, 0, 0, 1))
    return png.SIGNATURE + header + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


def test_a_wrong_checksum_is_an_error(tmp_path: Path) -> None:
    content = bytearray(encode(blobs((20, 30), 8)))
    content[content.index(b"IDAT") + 10] ^= 1
    path = tmp_path / "a.png"
    path.write_bytes(content)
    for read in (read_ids, read_binary, read_packed):
        with pytest.raises(IcvosError, match=r"a\.png: cannot be decoded \(wrong checksum .*; fetch the file again"):
            read(path)


def test_bombs_are_never_inflated() -> None:
    bomb = zlib.compress(bytes(50_000_000), 9)
    for height, width in ((4, 4), (1, 1000)):
        header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, png.GREY, 0, 0, 0))
        found = png.parse(png.SIGNATURE + header + chunk(b"IDAT", bomb) + chunk(b"IEND", b""))
        assert found is not None
        assert found.values() is None
        assert found.packed() is None
    huge = struct.pack(">IIBBBBB", 1 << 30, 1 << 30, 8, png.GREY, 0, 0, 0)
    assert png.parse(png.SIGNATURE + chunk(b"IHDR", huge) + chunk(b"IDAT", bomb) + chunk(b"IEND", b"")) is None


def read_or_refuse(read: Any, path: Path) -> np.ndarray | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, of large images
        try:
            return np.asarray(read(path))
        except IcvosError:
            return None


def opened_by_pillow(path: Path) -> np.ndarray | None:
    """What reading gave before PNGs were read directly; None where it was refused."""
    direct, png.parse = png.parse, lambda content: None  # type: ignore[assignment]
    try:
        return read_or_refuse(read_ids, path)
    finally:
        png.parse = direct


SEEDS = [
    encode(blobs((9, 33), depth), depth, kind, (0, 1, 2, 3, 4), parts=2)
    for depth, kind in ((1, png.GREY), (2, png.PALETTE), (4, png.GREY), (8, png.PALETTE), (8, png.GREY))
] + [interlaced(), encode_binary(blobs((40, 70), 1) != 0)]


@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=4),
    st.integers(0, 2000),
    st.booleans(),
)
@example(SEEDS[0], [], 40, True)
@settings(max_examples=300, deadline=None)
def test_damaged_files_read_as_by_pillow_or_not_at_all(
    tmp_path_factory: pytest.TempPathFactory, seed: bytes, changes: list[tuple[int, int]], cut: int, mended: bool
) -> None:
    content = bytearray(seed)
    for place, value in changes:
        content[place % len(content)] = value
    content = content[: cut or None]
    path = tmp_path_factory.getbasetemp() / "damaged.png"
    path.write_bytes(mend(bytes(content)) if mended else content)
    found, wanted = read_or_refuse(read_ids, path), opened_by_pillow(path)
    assert found is None or (wanted is not None and np.array_equal(found, wanted))
    bits = read_or_refuse(lambda file: read_packed(file).unpack(), path)
    # several shades may be one object, and are refused where values are ids
    binary = read_or_refuse(read_binary, path)
    assert (bits is None) == (binary is None)
    assert bits is None or binary is None or np.array_equal(bits, binary)
    assert found is None or (bits is not None and np.array_equal(bits, found != 0))


def mend(content: bytes) -> bytes:
    """The same chunks with right checksums, so that damage gets past them."""
    out, position = content[:8], 8
    while position + 12 <= len(content):
        length = min(int.from_bytes(content[position : position + 4], "big"), len(content) - position - 12)
        out += chunk(content[position + 4 : position + 8], content[position + 8 : position + 8 + length])
        position += 12 + length
    return out


def test_real_masks() -> None:
    masks = sample_masks()
    for path in sorted(masks.rglob("*.png"))[::40]:
        agrees_with_pillow(path.read_bytes())
