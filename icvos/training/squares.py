"""Pictures and labels of image episodes as square tensors: varied for training, unvaried for validation."""

import cv2
import numpy as np
import torch
from torch import Tensor

from icvos.files.masks import resize_nearest
from icvos.method import Image
from icvos.models.squares import fit_label, fit_picture, squash, standardise, stretch
from icvos.tasks.image.benchmark import IGNORED
from icvos.training.colours import vary_colours
from icvos.training.recipe import Recipe

MEAN_COLOUR = (124, 116, 104)  # ImageNet's, RGB
TURN_DEGREES = 10.0
REDRAWS = 31  # how often a crop that shows too little is drawn again
ENOUGH = 0.85  # the share of the foreground that a crop is to show


def training_square(
    image: Image, label: np.ndarray, recipe: Recipe, random: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """A picture and its label as the recipe varies them: (3, S, S) float32, standardised, and (S, S) int64.

    Args:
        image: (H, W, 3) uint8 RGB.
        label: (H, W) uint8; 255 is ignored.
        recipe: Its ``preparation``, ``size``, ``scale`` and ``labels`` count here; S is its ``size``.
        random: Where every choice comes from.
    """
    side = recipe.size
    if recipe.preparation == "squash":
        return _tensors(squash(image, side), resize_nearest(label, (side, side)))
    if recipe.preparation == "cut":
        image, label = cut(image, label, side, random)
        return _tensors(standardise(image), label)
    if recipe.preparation == "colour":
        return _stretched(vary_colours(image, random), label, side)
    image, label = vary(image, label, recipe.scale[0], recipe.scale[1], random)
    if recipe.preparation == "resize":
        return _tensors(squash(image, side), resize_nearest(label, (side, side)))
    image, label = crop(image, label, side, random, redraws=REDRAWS if recipe.labels == "episode" else 0)
    return _tensors(standardise(image), label)


def validation_square(image: Image, label: np.ndarray, recipe: Recipe) -> tuple[Tensor, Tensor]:
    """A picture and its label unvaried, as the method prepares them in evaluation; types as in `training_square`.

    With ``crop`` and ``cut`` the whole picture stands in the corner of the square; what is outside of it is ignored.
    """
    side = recipe.size
    if recipe.preparation in ("crop", "cut"):
        return _tensors(fit_picture(image, side), fit_label(label, side, outside=IGNORED))
    if recipe.preparation == "colour":
        return _stretched(image, label, side)
    return _tensors(squash(image, side), resize_nearest(label, (side, side)))


def vary(
    image: Image, label: np.ndarray, least: float, largest: float, random: np.random.Generator
) -> tuple[Image, np.ndarray]:
    """Scale a picture and its label, then, each with even chance: turn by up to 10 degrees, blur, flip left to right.

    Args:
        image: (H, W, 3) uint8 RGB.
        label: (H, W) uint8; 255 is ignored. What a turn brings in has the mean colour and is ignored.
        least: Least factor of scaling.
        largest: Largest factor of scaling.
        random: Where every choice comes from.
    """
    factor = random.uniform(least, largest)
    size = tuple(max(1, round(edge * factor)) for edge in (image.shape[1], image.shape[0]))
    image = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
    label = cv2.resize(label, size, interpolation=cv2.INTER_NEAREST)
    turns, blurs, flips = random.random(3) < 0.5
    if turns:
        angle = random.uniform(-TURN_DEGREES, TURN_DEGREES)
        matrix = cv2.getRotationMatrix2D(((size[0] - 1) / 2, (size[1] - 1) / 2), angle, 1.0)
        image = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR, borderValue=MEAN_COLOUR)
        label = cv2.warpAffine(label, matrix, size, flags=cv2.INTER_NEAREST, borderValue=(IGNORED,))
    if blurs:
        image = cv2.GaussianBlur(image, (5, 5), 0)
    if flips:
        image, label = cv2.flip(image, 1), cv2.flip(label, 1)
    return image, label


def tube_views(image: Image, label: np.ndarray, random: np.random.Generator) -> list[tuple[Image, np.ndarray]]:
    """The five views of a mask tube, each one operation on the picture itself, at its own size.

    As it is, turned by up to 10 degrees, flipped left to right, flipped upside down, and blurred.

    Args:
        image: (H, W, 3) uint8 RGB; what the turn brings in has the mean colour.
        label: (H, W) uint8; what the turn brings in is background.
        random: Where the angle comes from.
    """
    angle = random.uniform(-TURN_DEGREES, TURN_DEGREES)
    size = image.shape[1], image.shape[0]
    matrix = cv2.getRotationMatrix2D(((size[0] - 1) / 2, (size[1] - 1) / 2), angle, 1.0)
    turned = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR, borderValue=MEAN_COLOUR)
    return [
        (image, label),
        (turned, cv2.warpAffine(label, matrix, size, flags=cv2.INTER_NEAREST)),
        (cv2.flip(image, 1), cv2.flip(label, 1)),
        (cv2.flip(image, 0), cv2.flip(label, 0)),
        (cv2.GaussianBlur(image, (5, 5), 0), label),
    ]


def crop(
    image: Image, label: np.ndarray, side: int, random: np.random.Generator, redraws: int
) -> tuple[Image, np.ndarray]:
    """A random square of a picture and its label; smaller ones are padded with the mean colour, ignored there.

    Args:
        image: (H, W, 3) uint8 RGB.
        label: (H, W) uint8; 1 = the foreground, 255 is ignored.
        side: Side of the square, in pixels.
        random: Where the place comes from.
        redraws: How often it is drawn again while it shows less than 85 % of the foreground.
    """
    missing = [max(0, side - edge) for edge in label.shape]
    if any(missing):
        (top, left), (bottom, right) = ([edge // 2 for edge in missing], [edge - edge // 2 for edge in missing])
        image = cv2.copyMakeBorder(image, top, bottom, left, right, cv2.BORDER_CONSTANT, value=MEAN_COLOUR)
        label = cv2.copyMakeBorder(label, top, bottom, left, right, cv2.BORDER_CONSTANT, value=(IGNORED,))
    foreground = label == 1
    wanted = ENOUGH * np.count_nonzero(foreground)
    for _ in range(1 + redraws):
        y, x = (int(random.integers(edge - side + 1)) for edge in label.shape)
        window = np.s_[y : y + side, x : x + side]
        if np.count_nonzero(foreground[window]) >= wanted:
            break
    return image[window], label[window]


def cut(image: Image, label: np.ndarray, side: int, random: np.random.Generator) -> tuple[Image, np.ndarray]:
    """A random square of a picture and its label, wherever the object is; flipped left to right with even chance.

    Smaller ones are padded with black at their right and bottom, ignored there.

    Args:
        image: (H, W, 3) uint8 RGB.
        label: (H, W) uint8; 255 is ignored.
        side: Side of the square, in pixels.
        random: Where the place comes from.
    """
    bottom, right = (max(0, side - edge) for edge in label.shape)
    image = cv2.copyMakeBorder(image, 0, bottom, 0, right, cv2.BORDER_CONSTANT, value=(0, 0, 0))
    label = cv2.copyMakeBorder(label, 0, bottom, 0, right, cv2.BORDER_CONSTANT, value=(IGNORED,))
    y, x = (int(random.integers(edge - side + 1)) for edge in label.shape)
    window = np.s_[y : y + side, x : x + side]
    if random.random() < 0.5:
        return cv2.flip(image[window], 1), cv2.flip(label[window], 1)
    return image[window], label[window]


def _stretched(image: Image, label: np.ndarray, side: int) -> tuple[Tensor, Tensor]:
    return _tensors(stretch(image, side), cv2.resize(label, (side, side), interpolation=cv2.INTER_NEAREST))


def _tensors(picture: Tensor, label: np.ndarray) -> tuple[Tensor, Tensor]:
    return picture, torch.from_numpy(label.astype(np.int64))
