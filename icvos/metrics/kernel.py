"""The compiled half of J and F: masks as bits (`icvos.bitmasks.packing`), counted with whole-word operations."""

import numpy as np
from numba import types

from icvos.bitmasks.compiled import EVERY, bit_count, compiled
from icvos.bitmasks.mask import Window
from icvos.bitmasks.packing import BYTES, LAST, ONE, WINDOW, WORD, WORDS, ZERO, clear, pack_bytes

MAPS = types.Array(types.uint64, 3, "C")
SPACE = types.Array(types.uint64, 1, "C")
FEW = 40  # a word on its own takes about 40 times as long as a word among all


@compiled(types.void(WORDS, WORDS))
def _copy(target: np.ndarray, source: np.ndarray) -> None:
    for k in range(len(source)):
        for y in range(source.shape[1]):
            target[k, y] = source[k, y]


@compiled(types.int64(WORDS, WORDS, types.int64, types.int64, WINDOW, types.int64))
def _boundary(edges: np.ndarray, words: np.ndarray, height: int, width: int, window: Window, margin: int) -> int:
    """Fill in the boundary map in a window; returns how many bits it has.

    A pixel is on the boundary where its right, lower or lower right neighbour differs from it. The last row only looks
    right and the last column only down, so an object cut by the frame has no boundary along it.

    Args:
        edges: To fill, with one word of zeros beside the window and ``margin`` rows of zeros above and below it.
        words: (K, at least ``height + 1``) words of the mask.
        height: Height of the frame.
        width: Width of the frame.
        window: What to look at.
        margin: See above.
    """
    top, bottom, left, right = window
    rows, columns = bottom - top + 1, right - left + 1
    clear(edges)
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
    clear(spare)
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
    clear(spare)
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


@compiled(types.UniTuple(types.int64, 5)(WORDS, WORDS, SPACE, types.int64, types.int64, WINDOW, types.int64))
def compare(
    truth: np.ndarray,
    prediction: np.ndarray,
    space: np.ndarray,
    height: int,
    width: int,
    window: Window,
    radius: int,
) -> tuple[int, int, int, int, int]:
    """Intersection, pixels of both boundaries, and matched pixels of both boundaries.

    Args:
        truth: (K, at least ``height + 1``) words.
        prediction: Likewise.
        space: (N,) uint64 to work in, N >= ``5 * (K + 2) * (height + 2 * radius)``.
        height: Height of the frame.
        width: Width of the frame.
        window: What either boundary can touch.
        radius: How far boundaries reach, in pixels.
    """
    top, bottom, left, right = window
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
    count = _boundary(edges, truth, height, width, window, radius)
    other_count = _boundary(other_edges, prediction, height, width, window, radius)
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
        height: Height of the frame.
        width: Width of the frame.
        radius: How far boundaries reach, in pixels.
    """
    zero = np.uint8(0)
    area, one = pack_bytes(words[0], truth, 0, width, height, width, height, zero, EVERY)
    other_area, other = pack_bytes(words[1], prediction, 0, width, height, width, height, zero, EVERY)
    both = min(one[0], other[0]), max(one[1], other[1]), min(one[2], other[2]), max(one[3], other[3])
    counts = compare(words[0], words[1], space, height, width, both, radius)
    return counts[0], area, other_area, counts[1], counts[2], counts[3], counts[4]
