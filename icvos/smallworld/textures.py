"""Periodic 256 x 256 tiles, made once per process from a fixed seed: surfaces, markings and noise.

Integer arithmetic makes the value noise the same everywhere; everything else is thresholded or rounded to 8 bits.
"""

from functools import cache

import cv2
import numpy as np

SIDE = 256


def _random(kind: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([20170617, kind])))


def _value_noise(generator: np.random.Generator, cells: tuple[int, int]) -> np.ndarray:
    """(256, 256) int64 in 0..255 * 2**16: random values on a periodic grid of ``cells`` = (rows, columns)."""
    grid = generator.integers(0, 256, cells)
    axes = []
    for count in cells:
        step = SIDE // count
        place = np.arange(SIDE)
        share = (place % step) * 256 // step
        axes.append((place // step, (place // step + 1) % count, share * share * (768 - 2 * share) >> 16))
    (top, bottom, down), (left, right, across) = axes
    upper = grid[top][:, left] * (256 - across) + grid[top][:, right] * across
    lower = grid[bottom][:, left] * (256 - across) + grid[bottom][:, right] * across
    return np.asarray(upper * (256 - down[:, None]) + lower * down[:, None])


def _fractal(kind: int, octaves: tuple[tuple[int, int], ...], gain: float = 0.55) -> np.ndarray:
    """(256, 256) uint8, spread over 0..255: octaves of value noise, each weaker than the one before."""
    generator = _random(kind)
    weights = [int(256 * gain**index) for index in range(len(octaves))]
    total = sum(weight * _value_noise(generator, cells) for weight, cells in zip(weights, octaves, strict=True))
    low, high = int(np.min(total)), int(np.max(total))
    return np.asarray((total - low) * 255 // (high - low), dtype=np.uint8)


def _threshold(tile: np.ndarray, level: int, softness: int = 16) -> np.ndarray:
    """0 below and 255 above ``level``, with a soft edge."""
    return np.asarray(((tile.astype(np.int64) - level) * 255 // softness + 128).clip(0, 255), dtype=np.uint8)


def _stripes(kind: int, count: int, wobble: int, level: int) -> np.ndarray:
    """Wavy bands across x."""
    bend = _fractal(kind, ((4, 4), (8, 8))).astype(np.int64) - 128
    phase = np.arange(SIDE) * count + bend * wobble // 16
    wave = np.rint(np.sin(phase * (2 * np.pi / SIDE)) * 127 + 128)
    return _threshold(wave, level, 60)


def _cells(kind: int, count: int, border: int) -> np.ndarray:
    """255 inside the cells of scattered points and 0 along their borders."""
    generator = _random(kind)
    side = SIDE // 2
    grid = int(np.sqrt(count))
    pitch = side // grid
    corner = np.stack(np.meshgrid(np.arange(grid), np.arange(grid), indexing="ij"), axis=-1).reshape(-1, 2) * pitch
    points = corner + generator.integers(0, pitch * 4 // 5, corner.shape)
    distance = []
    for y, x in points:
        rows, columns = np.abs(np.arange(side) - y) % side, np.abs(np.arange(side) - x) % side
        rows, columns = np.minimum(rows, side - rows), np.minimum(columns, side - columns)
        distance.append(rows[:, None] ** 2 + columns[None, :] ** 2)
    nearest = np.sqrt(np.partition(np.stack(distance), 1, axis=0)[:2])
    gap = np.rint((nearest[1] - nearest[0]) * 16).astype(np.int64)
    return _threshold(np.kron(gap, np.ones((2, 2), dtype=np.int64)), border, 24)


@cache
def tile(name: str) -> np.ndarray:
    """(256, 256) uint8, periodic: a surface around 128 or a marking 0..255. The array must not be written to."""
    made = _MAKERS[name]()
    made.setflags(write=False)
    return made


def _surface(values: np.ndarray, spread: int) -> np.ndarray:
    centred = values.astype(np.int64) - int(values.mean())
    return np.asarray((128 + centred * spread // 64).clip(0, 255), dtype=np.uint8)


def _white() -> np.ndarray:
    return np.asarray(_random(9).integers(0, 256, (SIDE, SIDE)), dtype=np.uint8)


def _planks() -> np.ndarray:
    """Wooden boards along y: a tone for each board, grain, dark joints."""
    board = np.arange(SIDE) // 32
    tones = _random(21).integers(96, 150, 8)[board][None, :]
    grain = _fractal(22, ((8, 64), (16, 128))).astype(np.int64) - 128
    joint = np.where(np.arange(SIDE) % 32 < 2, -50, 0)[None, :]
    return np.asarray((tones + grain // 4 + joint).clip(0, 255), dtype=np.uint8)


def _flagstones() -> np.ndarray:
    """Square slabs with pale joints."""
    slab = np.arange(SIDE) // 64
    tones = _random(23).integers(112, 146, (4, 4))[slab][:, slab]
    joint = (np.arange(SIDE) % 64 < 3)[:, None] | (np.arange(SIDE) % 64 < 3)[None, :]
    noise = (_white().astype(np.int64) - 128) // 10
    return np.asarray(np.where(joint, 84, tones + noise).clip(0, 255), dtype=np.uint8)


def _weave() -> np.ndarray:
    checks = ((np.arange(SIDE) // 4)[:, None] + (np.arange(SIDE) // 4)[None, :]) % 2
    return _surface((checks * 10 + 100 + _white() // 16).astype(np.uint8), 64)


_MAKERS = {
    "clouds": lambda: _fractal(1, ((4, 4), (8, 8), (16, 16), (32, 32), (64, 64)), 0.6),
    "smooth": lambda: _surface(_fractal(2, ((8, 8), (16, 16))), 18),
    "fur": lambda: _surface(_fractal(3, ((64, 16), (128, 32), (256, 64)), 0.9), 30),
    "wool": lambda: _surface(_fractal(4, ((16, 16), (32, 32), (64, 64)), 0.8), 36),
    "skin": lambda: _surface(_fractal(5, ((16, 16), (64, 64), (128, 128)), 0.8), 26),
    "metal": lambda: _surface(_fractal(6, ((2, 4), (8, 8))), 20),
    "cloth": _weave,
    "feather": lambda: _surface(_fractal(7, ((64, 32), (64, 128)), 0.9), 28),
    "leaf": lambda: _surface(_fractal(8, ((32, 32), (64, 64), (128, 128)), 0.9), 38),
    "noise": _white,
    "stripes": lambda: _stripes(10, 9, 20, 150),
    "tabby": lambda: _stripes(11, 11, 34, 178),
    "patches": lambda: _threshold(_fractal(12, ((4, 4), (8, 8), (16, 16)), 0.45), 128),
    "spots": lambda: _threshold(_fractal(13, ((16, 16), (32, 32)), 0.4), 178),
    "saddle": lambda: _threshold(_fractal(14, ((2, 2), (8, 8), (32, 32)), 0.35), 120, 40),
    "cells": lambda: _cells(15, 81, 44),
    "grass": lambda: _surface(_fractal(16, ((8, 8), (32, 32), (64, 128), (128, 256)), 0.85), 34),
    "asphalt": lambda: _surface(_fractal(17, ((4, 4), (128, 128), (256, 256)), 0.9), 30),
    "sand": lambda: _surface(_fractal(18, ((8, 8), (32, 16), (128, 128)), 0.7), 17),
    "waves": lambda: _surface(_fractal(19, ((16, 4), (32, 8), (64, 16)), 0.85), 44),
    "wood": lambda: _surface(_fractal(20, ((4, 64), (8, 128)), 0.7), 26),
    "planks": _planks,
    "flagstones": _flagstones,
}


@cache
def levels(name: str) -> np.ndarray:
    """(4 * 256 * 256,) uint8: the tile and three blurs of it, for surfaces seen at a distance. Not to be written to."""
    base = tile(name)
    stack = [base]
    for side in (3, 7, 15):
        wrapped = np.pad(base, side, mode="wrap")
        stack.append(cv2.blur(wrapped, (side, side))[side:-side, side:-side])
    flat = np.stack(stack).reshape(-1)
    flat.setflags(write=False)
    return flat
