"""Training episodes as a picture: what a network is shown, and what it is asked for, as it gets them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from icvos.drawing.overlays import overlay
from icvos.drawing.panels import contact_sheet, encode_png, side_by_side
from icvos.errors import IcvosError
from icvos.files.storage import require_writable, write_bytes
from icvos.method import Image
from icvos.models.squares import IMAGENET_MEAN, IMAGENET_STD
from icvos.training.trainable import EpisodeBatch, Episodes

HEIGHT_PX = 200  # of a picture


def write_sheet(path: Path, episodes: Episodes, count: int) -> None:
    """Write `episode_sheet` as a PNG. Raises `IcvosError` for another ending, before anything is drawn."""
    if path.suffix.lower() != ".png":
        raise IcvosError(f"{path}: episodes are drawn as a PNG; give --out a name that ends in .png")
    require_writable(path)
    write_bytes(path, encode_png(episode_sheet(episodes, count)))


def episode_sheet(episodes: Episodes, count: int) -> Image:
    """(H, W, 3) uint8: the first ``count`` training episodes, one below the other.

    In a row: the supports with their masks, the query, the query with its label, and the frames of a tube with theirs.
    Pixels that the loss leaves out are not tinted.
    """
    rows = [_row(episodes.training(0, index)) for index in range(count)]
    return contact_sheet(rows, columns=1, width_px=max(row.shape[1] for row in rows) + 20)


def _row(batch: EpisodeBatch) -> Image:
    named = list(_panels(batch))
    return side_by_side([panel for _, panel in named], [name for name, _ in named], HEIGHT_PX)


def _panels(batch: EpisodeBatch) -> Iterator[tuple[str, Image]]:
    for picture, label in zip(batch.supports[0], batch.support_labels[0], strict=True):
        yield "support", _labelled(picture, label)
    yield "query", _picture(batch.query[0])
    yield "asked for", _labelled(batch.query[0], batch.query_label[0])
    if batch.later is not None and batch.later_labels is not None:
        for number, (picture, label) in enumerate(zip(batch.later[0], batch.later_labels[0], strict=True), 2):
            yield f"frame {number}", _labelled(picture, label)


def _labelled(picture: Tensor, label: Tensor) -> Image:
    return overlay(_picture(picture), np.where(label.numpy() == 255, 0, label.numpy()).astype(np.uint8))


def _picture(picture: Tensor) -> Image:
    """(S, S, 3) uint8 of (3, S, S) float32, standardised with ImageNet's mean and deviation."""
    scale, shift = (torch.tensor(value)[:, None, None] for value in (IMAGENET_STD, IMAGENET_MEAN))
    shown: Image = ((picture * scale + shift) * 255).round().clamp(0, 255).byte().permute(1, 2, 0).numpy()
    return shown
