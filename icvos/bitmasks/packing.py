"""Masks as words of bits, 64 pixels a word: packed from bytes, bits and runs, narrowed and stretched.

Word ``k`` of row ``y`` holds the pixels ``64 k`` to ``64 k + 63`` of that row, the first in its lowest bit, and lies at
``words[k, y]``: a column of words is contiguous, so that one vector instruction works on several rows at once, and a
move up or down is nothing but another start. After the last word of a row and below the last row there are zeros.
"""

import numpy as np
from numba import types

from icvos.bitmasks.compiled import EVERY, bit_count, compiled, equal_bits
from icvos.bitmasks.mask import Window

BYTES = types.Array(types.uint8, 1, "C", readonly=True)
WORDS = types.Array(types.uint64, 2, "C")
SEEN = types.Array(types.boolean, 1, "C")
RUNS = types.Array(types.int64, 1, "C", readonly=True)
# A NamedTuple takes half a microsecond longer a call, and caches that name it break when it moves.
WINDOW = types.UniTuple(types.int64, 4)
EXTENT = types.Tuple((types.int64, WINDOW))
WORD = np.uint64
ZERO, ONE, LAST = WORD(0), WORD(1), WORD(63)
EVEN, PAIRS, HALVES = WORD(0x5555555555555555), WORD(0x3333333333333333), WORD(0x0F0F0F0F0F0F0F0F)


@compiled(types.void(WORDS))
def clear(words: np.ndarray) -> None:
    for k in range(len(words)):
        for y in range(words.shape[1]):
            words[k, y] = ZERO


@compiled(EXTENT(WORDS))
def extent(words: np.ndarray) -> tuple[int, Window]:
    """The area of packed pixels, and where their boundary can lie.

    Where no pixel is set: 0, and a first row and word beyond the last ones.
    """
    columns, rows = words.shape
    area = 0
    left, right = columns, -1
    any_row = np.zeros(rows, dtype=np.uint64)
    for k in range(columns):
        column = words[k]
        any_column, count = ZERO, 0
        for y in range(rows):
            any_column |= column[y]
            any_row[y] |= column[y]
            count += bit_count(column[y])
        if any_column:
            left, right = min(left, k - 1 if k and any_column & ONE else k), k
        area += count
    top, bottom = rows, -1
    for y in range(rows):
        if any_row[y]:
            top, bottom = min(top, max(y - 1, 0)), y
    return area, (top, bottom, left, right)


@compiled(EXTENT(WORDS, BYTES, *[types.int64] * 5, types.uint8, types.uint64))
def pack_bytes(
    words: np.ndarray,
    values: np.ndarray,
    start: int,
    stride: int,
    height: int,
    width: int,
    rows: int,
    value: int,
    flip: int,
) -> tuple[int, Window]:
    """The pixels that equal ``value``, or with ``flip`` = all bits the others, as words; returns their `extent`.

    Args:
        words: (K + 1, at least ``rows``) to fill, for K words a row.
        values: (N,) uint8, the image; row ``y`` begins at ``start + y * stride``.
        start: See above.
        stride: See above.
        height: Rows of the image.
        width: Pixels of a row.
        rows: How many rows to take, by the old nearest rule: row ``y`` is row ``y * height // rows`` of the image.
        value: See above.
        flip: All bits 0 or all 1.
    """
    whole, rest = width // 64, width % 64
    inside = (ONE << WORD(rest)) - ONE
    for y in range(rows):
        position = start + y * height // rows * stride
        for k in range(whole):
            words[k, y] = equal_bits(values, position + 64 * k, value) ^ flip
        if rest:
            position += 64 * whole
            word = ZERO
            if position + 64 <= len(values):
                word = equal_bits(values, position, value)
            else:
                for x in range(rest):
                    word |= WORD(values[position + x] == value) << WORD(x)
            words[whole, y] = (word ^ flip) & inside
    for k in range(len(words)):
        for y in range(rows if k < len(words) - 1 else 0, words.shape[1]):
            words[k, y] = ZERO
    return extent(words)


@compiled(EXTENT(WORDS, WORDS, types.int64, types.int64))
def pack_bits(words: np.ndarray, lines: np.ndarray, width: int, rows: int) -> tuple[int, Window]:
    """As `pack_bytes`, from an image of one bit a pixel as PNG files hold it: the first pixel is a byte's highest bit.

    Args:
        words: (K + 1, at least ``rows``) to fill.
        lines: (H, K) words as they lie in memory: the rows, filled up to whole words with anything.
        width: Pixels of a row.
        rows: How many rows to take, as in `pack_bytes`.
    """
    height, columns = lines.shape
    clear(words)
    for y in range(rows):
        line = lines[y * height // rows]
        for k in range(columns):
            words[k, y] = line[k]
    rest = width % 64
    inside = (ONE << WORD(rest)) - ONE if rest else EVERY
    for k in range(columns):
        column, keep = words[k], inside if k == columns - 1 else EVERY
        for y in range(rows):
            word = column[y]
            word = (word & EVEN) << ONE | (word >> ONE) & EVEN
            word = (word & PAIRS) << WORD(2) | (word >> WORD(2)) & PAIRS
            word = (word & HALVES) << WORD(4) | (word >> WORD(4)) & HALVES
            column[y] = word & keep
    return extent(words)


@compiled(types.void(WORDS, RUNS, types.int64))
def pack_runs(words: np.ndarray, runs: np.ndarray, height: int) -> None:
    """Fill ``words`` from the lengths of runs down the columns, of pixels that are not set and that are, in turn.

    Args:
        words: (K + 1, at least ``height``), for K words a row.
        runs: (N,) int64; together the pixels of the image.
        height: Height of the image.
    """
    clear(words)
    position = 0
    for number in range(len(runs)):
        end = position + runs[number]
        while number % 2 and position < end:
            x, y = position // height, position % height
            count = min(end - position, height - y)
            column, bit = words[x // 64, y : y + count], ONE << WORD(x % 64)
            for row in range(count):
                column[row] |= bit
            position += count
        position = end


@compiled(types.Tuple((WORDS, EXTENT))(WORDS, WORDS, types.int64))
def narrow(words: np.ndarray, plan: np.ndarray, width: int) -> tuple[np.ndarray, tuple[int, Window]]:
    """Leave out columns of pixels: the others move together, and what is left is ``width`` pixels wide.

    Args:
        words: (K + 1, R) of a mask.
        plan: (K, 7) for every word of a row the bits to keep, then the bits to move down by 1, 2, 4, ... 32 in turn.
        width: The number of bits kept.
    """
    narrower = np.zeros(((width + 63) // 64 + 1, words.shape[1]), dtype=np.uint64)
    filled = 0
    for k in range(len(plan)):
        source, steps = words[k], plan[k]
        target, shift = narrower[filled // 64], WORD(filled % 64)
        spill = narrower[min(filled // 64 + 1, len(narrower) - 1)]
        for y in range(len(source)):
            word = source[y] & steps[0]
            for step in range(6):
                moved = word & steps[step + 1]
                word = (word ^ moved) | (moved >> WORD(1 << step))
            target[y] |= word << shift
            spill[y] |= (word >> ONE) >> (LAST - shift)
        filled += bit_count(steps[0])
    return narrower, extent(narrower)


@compiled(types.Tuple((WORDS, EXTENT))(WORDS, WORDS, types.int64))
def stretch(words: np.ndarray, plan: np.ndarray, width: int) -> tuple[np.ndarray, tuple[int, Window]]:
    """Repeat columns of pixels until there are ``width``.

    Args:
        words: (K + 1, R) of a mask.
        plan: (N, 8) for every word of the result the column of pixels that its first bit repeats, then the bits that
            come from 32, 16, ... 1 bits further down in turn, then the bits that are inside the frame.
        width: Width of the result, at least that of the mask.
    """
    wider = np.zeros(((width + 63) // 64 + 1, words.shape[1]), dtype=np.uint64)
    for k in range(len(plan)):
        steps, target = plan[k], wider[k]
        first, shift = np.int64(steps[0]) // 64, steps[0] % WORD(64)
        source, following = words[first], words[first + 1]
        for y in range(len(source)):
            word = source[y] >> shift | (following[y] << ONE) << (LAST - shift)
            for step in range(6):
                moved = (word << WORD(32 >> step)) & steps[step + 1]
                word = (word & ~steps[step + 1]) | moved
            target[y] = word & steps[7]
    return wider, extent(wider)


@compiled(types.void(BYTES, SEEN))
def mark_values(pixels: np.ndarray, seen: np.ndarray) -> None:
    """Set ``seen``, (256,) bool, at every value of ``pixels``; most of a mask is 64 pixels of one value in a row."""
    whole = len(pixels) // 64 * 64
    for first in range(0, whole, 64):
        if equal_bits(pixels, first, pixels[first]) == EVERY:
            seen[pixels[first]] = True
        else:
            for x in range(first, first + 64):
                seen[pixels[x]] = True
    for x in range(whole, len(pixels)):
        seen[pixels[x]] = True
