"""The compiled half of J and F: masks as bits, 64 pixels a word, counted with whole-word operations.

Word ``k`` of row ``y`` holds the pixels ``64 k`` to ``64 k + 63`` of that row, the first in its lowest bit, and lies at
``words[k, y]``: a column of words is contiguous, so that one vector instruction works on several rows at once, and a
move up or down is nothing but another start. After the last word of a row and below the last row there are zeros.
"""

import numpy as np
from numba import types

from icvos.compiled import bit_count, compiled, equal_bits

BYTES = types.Array(types.uint8, 1, "C", readonly=True)
WORDS = types.Array(types.uint64, 2, "C")
RUNS = types.Array(types.int64, 1, "C", readonly=True)
MAPS = types.Array(types.uint64, 3, "C")
SPACE = types.Array(types.uint64, 1, "C")
WORD = np.uint64
ZERO, ONE, EVERY, LAST = WORD(0), WORD(1), WORD((1 << 64) - 1), WORD(63)
FEW = 40  # a word on its own takes about so many times as long as a word among all
EVEN, PAIRS, HALVES = WORD(0x5555555555555555), WORD(0x3333333333333333), WORD(0x0F0F0F0F0F0F0F0F)


@compiled(types.void(WORDS))
def _clear(words: np.ndarray) -> None:
    for k in range(len(words)):
        for y in range(words.shape[1]):
            words[k, y] = ZERO


@compiled(types.UniTuple(types.int64, 5)(WORDS))
def extent(words: np.ndarray) -> tuple[int, int, int, int, int]:
    """The area of packed pixels, and where their boundary can lie: first and last row, first and last word of a row.

    Of no pixels at all: 0, and a first row and word beyond the last ones.
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
    return area, top, bottom, left, right


@compiled(types.UniTuple(types.int64, 5)(WORDS, BYTES, *[types.int64] * 5, types.uint8, types.uint64))
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
) -> tuple[int, int, int, int, int]:
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


@compiled(types.UniTuple(types.int64, 5)(WORDS, WORDS, types.int64, types.int64))
def pack_bits(words: np.ndarray, lines: np.ndarray, width: int, rows: int) -> tuple[int, int, int, int, int]:
    """As `pack_bytes`, from an image of one bit a pixel as PNG files hold it: the first pixel is a byte's highest bit.

    Args:
        words: (K + 1, at least ``rows``) to fill.
        lines: (H, K) words as they lie in memory: the rows, filled up to whole words with anything.
        width: Pixels of a row.
        rows: How many rows to take, as in `pack_bytes`.
    """
    height, columns = lines.shape
    _clear(words)
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
        height: Of the image.
    """
    _clear(words)
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


@compiled(types.Tuple((WORDS, types.UniTuple(types.int64, 5)))(WORDS, WORDS, types.int64))
def narrow(words: np.ndarray, plan: np.ndarray, width: int) -> tuple[np.ndarray, tuple[int, int, int, int, int]]:
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


@compiled(types.Tuple((WORDS, types.UniTuple(types.int64, 5)))(WORDS, WORDS, types.int64))
def stretch(words: np.ndarray, plan: np.ndarray, width: int) -> tuple[np.ndarray, tuple[int, int, int, int, int]]:
    """Repeat columns of pixels until there are ``width``.

    Args:
        words: (K + 1, R) of a mask.
        plan: (N, 8) for every word of the result the column of pixels that its first bit repeats, then the bits that
            come from 32, 16, ... 1 bits further down in turn, then the bits that are inside the frame.
        width: Of the result, at least that of the mask.
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


@compiled(types.void(WORDS, WORDS))
def _copy(target: np.ndarray, source: np.ndarray) -> None:
    for k in range(len(source)):
        for y in range(source.shape[1]):
            target[k, y] = source[k, y]


@compiled(types.int64(WORDS, WORDS, *[types.int64] * 7))
def _boundary(
    edges: np.ndarray,
    words: np.ndarray,
    height: int,
    width: int,
    top: int,
    bottom: int,
    left: int,
    right: int,
    margin: int,
) -> int:
    """Fill in the boundary map in a window; returns how many bits it has.

    A pixel is on the boundary where its right, lower or lower right neighbour differs from it. The last row only looks
    right and the last column only down, so an object cut by the frame has no boundary along it.

    Args:
        edges: To fill, with one word of zeros beside the window and ``margin`` rows of zeros above and below it.
        words: (K, at least ``height + 1``) words of the mask.
        height: Of the frame.
        width: Of the frame.
        top: First row of the window.
        bottom: Its last row.
        left: Its first word of a row.
        right: Its last one.
        margin: See above.
    """
    rows, columns = bottom - top + 1, right - left + 1
    _clear(edges)
    count = 0
    for k in range(columns):
        column, beyond = words[left + k, top : bottom + 2], words[left + k + 1, top : bottom + 2]
        target = edges[k + 1, margin : margin + rows]
        last_bit = ONE << WORD((width - 1) % 64) if left + k == (width - 1) // 64 else ZERO
        for y in range(rows):
            here, below = column[y], column[y + 1]
            right_of, below_right = here >> ONE | beyond[y] << LAST, below >> ONE | beyond[y + 1] << LAST
            found = (here ^ right_of) | (here ^ below) | (here ^ below_right)
            target[y] = (found & ~last_bit) | ((here ^ below) & last_bit)
        if bottom == height - 1:
            here = column[rows - 1]
            target[rows - 1] = (here ^ (here >> ONE | beyond[rows - 1] << LAST)) & ~last_bit
        for y in range(rows):
            count += bit_count(target[y])
    return count


@compiled(types.void(WORDS, WORDS, types.int64, types.int64))
def _widen(target: np.ndarray, source: np.ndarray, margin: int, step: int) -> None:
    """Into ``target`` what is set in ``source``, there and ``step`` <= 63 pixels to the left and right."""
    up, down = WORD(step), WORD(64 - step)
    end = source.shape[1] - margin
    for k in range(1, len(source) - 1):
        before, column, after = source[k - 1, margin:end], source[k, margin:end], source[k + 1, margin:end]
        wider = target[k, margin:end]
        for y in range(len(wider)):
            here = column[y]
            wider[y] = here | here << up | before[y] >> down | here >> up | after[y] << down


@compiled(types.void(WORDS, WORDS, WORDS, types.int64, types.int64))
def _add_moved(target: np.ndarray, source: np.ndarray, others: np.ndarray, margin: int, step: int) -> None:
    """Into ``target`` what is set in ``source``, or in ``others`` moved ``step`` <= ``margin`` rows up or down."""
    end = source.shape[1] - margin
    for k in range(1, len(source) - 1):
        above, below = others[k, margin - step : end - step], others[k, margin + step : end + step]
        column, taller = source[k, margin:end], target[k, margin:end]
        for y in range(len(taller)):
            taller[y] = column[y] | above[y] | below[y]


@compiled(types.UniTuple(types.int64, 2)(WORDS, WORDS))
def _remove(edges: np.ndarray, near: np.ndarray) -> tuple[int, int]:
    """Clear the bits of ``edges`` that are set in ``near``.

    Returns how many those were, and in how many words others are left.
    """
    count = words = 0
    for k in range(1, len(edges) - 1):
        column, reached = edges[k], near[k]
        for y in range(len(column)):
            count += bit_count(column[y] & reached[y])
            column[y] &= ~reached[y]
            words += column[y] != ZERO
    return count, words


@compiled(WORDS(WORDS, WORDS, WORDS, types.int64))
def _near_square(others: np.ndarray, near: np.ndarray, spare: np.ndarray, radius: int) -> np.ndarray:
    """What lies in the square inside the disk around a set bit; in the memory of ``near`` or ``spare``.

    It is quick to make, and most of what the disk reaches.
    """
    _copy(near, others)
    _clear(spare)
    reach = 0
    while 2 * (reach + 1) ** 2 <= radius * radius:
        step = 1
        while step <= reach and 2 * (reach + step + 1) ** 2 <= radius * radius:
            step += 1
        _widen(spare, near, radius, step)
        _add_moved(near, spare, spare, radius, step)
        reach += step
    return near


@compiled(WORDS(WORDS, WORDS, WORDS, types.int64))
def _near_disk(others: np.ndarray, near: np.ndarray, spare: np.ndarray, radius: int) -> np.ndarray:
    """What lies in the disk around a set bit; in the memory of ``near`` or ``spare``.

    The disk is a stack of rows that get shorter away from its middle. So the map is widened one pixel at a time, and
    the unwidened map is added, moved up and down, in between: the tips of the disk come last and are widened least.
    """
    _copy(near, others)
    _clear(spare)
    half = radius
    for d in range(1, radius + 1):
        while half * half > radius * radius - d * d:
            _widen(spare, near, radius, 1)
            near, spare = spare, near
            half -= 1
        _add_moved(spare, near, others, radius, d)
        near, spare = spare, near
    return near


@compiled(types.uint64(types.uint64, types.uint64, types.uint64, types.int64))
def _widened(before: np.uint64, here: np.uint64, after: np.uint64, half: int) -> np.uint64:
    """A word with all within ``half`` <= 63 pixels of what is set in it and its two neighbours."""
    up = down = here
    reach = 0
    while reach < half:
        step = min(reach + 1, half - reach)
        near, far = WORD(step), WORD(64 - step)
        up |= up << near | before >> far
        before |= before << near
        down |= down >> near | after << far
        after |= after >> near
        reach += step
    return up | down


@compiled(types.int64(WORDS, WORDS, types.int64))
def _remove_one_by_one(edges: np.ndarray, others: np.ndarray, radius: int) -> int:
    """How many bits of ``edges`` have one of ``others`` within ``radius`` <= 63: for maps with few bits."""
    count = 0
    for k in range(1, len(edges) - 1):
        for y in range(radius, edges.shape[1] - radius):
            left = edges[k, y]
            half = radius
            for d in range(radius + 1 if left else 0):
                while half * half > radius * radius - d * d:
                    half -= 1
                for row in (y - d, y + d):
                    before, here, after = others[k - 1, row], others[k, row], others[k + 1, row]
                    if before | here | after:
                        left &= ~_widened(before, here, after, half)
                if not left:
                    break
            count += bit_count(edges[k, y] ^ left)
    return count


@compiled(types.int64(WORDS, WORDS, MAPS, types.int64))
def _matched(edges: np.ndarray, others: np.ndarray, space: np.ndarray, radius: int) -> int:
    """How many bits of ``edges`` have one of ``others`` within ``radius`` pixels.

    Args:
        edges: (K, R) words of a boundary map with zeros around it: one column of words, ``radius`` rows.
        others: Likewise.
        space: (3, K, R) to work in.
        radius: Any from 0 on.
    """
    left, near, spare = space[0], space[1], space[2]
    _copy(left, edges)
    count = 0
    if radius <= 63:
        count, words = _remove(left, _near_square(others, near, spare, radius))
        if words * FEW < edges.size:
            return count + _remove_one_by_one(left, others, radius)
    return count + _remove(left, _near_disk(others, near, spare, radius))[0]


@compiled(types.UniTuple(types.int64, 5)(WORDS, WORDS, SPACE, *[types.int64] * 7))
def compare(
    truth: np.ndarray,
    prediction: np.ndarray,
    space: np.ndarray,
    height: int,
    width: int,
    top: int,
    bottom: int,
    left: int,
    right: int,
    radius: int,
) -> tuple[int, int, int, int, int]:
    """Intersection, pixels of both boundaries, and matched pixels of both boundaries.

    Args:
        truth: (K, at least ``height + 1``) words.
        prediction: Likewise.
        space: (N,) uint64 to work in, N >= ``5 * (K + 2) * (height + 2 * radius)``.
        height: Of the frame.
        width: Of the frame.
        top: First row that a boundary can touch; nothing is set where it is below ``bottom``.
        bottom: The last one.
        left: First word of a row that a boundary can touch.
        right: The last one.
        radius: How far boundaries reach, in pixels.
    """
    if bottom < top:
        return 0, 0, 0, 0, 0
    inter = 0
    for k in range(left, right + 1):
        some, others = truth[k], prediction[k]
        for y in range(top, bottom + 1):
            inter += bit_count(some[y] & others[y])
    columns, rows = right - left + 3, bottom - top + 1 + 2 * radius
    maps = space[: 5 * columns * rows].reshape(5, columns, rows)
    edges, other_edges, rest = maps[0], maps[1], maps[2:]
    count = _boundary(edges, truth, height, width, top, bottom, left, right, radius)
    other_count = _boundary(other_edges, prediction, height, width, top, bottom, left, right, radius)
    if not count or not other_count:
        return inter, count, other_count, 0, 0
    matched = _matched(edges, other_edges, rest, radius)
    return inter, count, other_count, matched, _matched(other_edges, edges, rest, radius)


@compiled(types.UniTuple(types.int64, 7)(BYTES, BYTES, MAPS, SPACE, types.int64, types.int64, types.int64))
def count_bytes(
    truth: np.ndarray,
    prediction: np.ndarray,
    words: np.ndarray,
    space: np.ndarray,
    height: int,
    width: int,
    radius: int,
) -> tuple[int, int, int, int, int, int, int]:
    """The seven integers of two images, one byte a pixel, whose non-zero pixels are set.

    Args:
        truth: (``height * width``,) uint8.
        prediction: Likewise.
        words: (2, K + 1, at least ``height + 1``) to pack them into, for K words a row.
        space: As for `compare`.
        height: Of the frame.
        width: Of the frame.
        radius: How far boundaries reach, in pixels.
    """
    zero = np.uint8(0)
    area, top, bottom, left, right = pack_bytes(words[0], truth, 0, width, height, width, height, zero, EVERY)
    found = pack_bytes(words[1], prediction, 0, width, height, width, height, zero, EVERY)
    top, bottom, left, right = min(top, found[1]), max(bottom, found[2]), min(left, found[3]), max(right, found[4])
    counts = compare(words[0], words[1], space, height, width, top, bottom, left, right, radius)
    return counts[0], area, found[0], counts[1], counts[2], counts[3], counts[4]
