"""The recorded few-shot networks: what they were run on, and the comparison with what came out."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from icvos.models.weights.load import State, load_weights
from tests import Json, parity

BACKBONES = {"resnet50": "resnet50-v2", "resnet50_v2": "resnet50-v2", "vgg16": "vgg16-bn", "vgg16_bn": "vgg16-bn"}


@dataclass(frozen=True, slots=True)
class Episode:
    """A query, its K supports, and the label that the losses compare with.

    Args:
        query: (1, 3, H, W) float32, standardised.
        supports: (1, K, 3, H, W) float32, standardised.
        masks: (1, K, H, W) float32 of 0 and 1.
        label: (1, H, W) int64 of 0, 1 and 255, which is ignored.
    """

    query: Tensor
    supports: Tensor
    masks: Tensor
    label: Tensor


def picture(spec: Json) -> Tensor:
    """(3, H, W), standardised."""
    return torch.from_numpy(parity.normalise(parity.image(spec["seed"], *spec["size"])))


def mask(spec: Json) -> Tensor:
    """(H, W) of 0 and 1."""
    return torch.from_numpy(parity.mask(spec["seed"], *spec["size"]))


def episode(case: Json) -> Episode:
    given, shots, asked = case["inputs"], range(case["config"]["shot"]), case["loss_inputs"]["query_mask"]
    label = mask(asked).long()[None]
    if not asked["note"].startswith("no ignored pixels"):
        label[:, -parity.number("the last # rows are set to 255", asked["note"]) :] = 255
    return Episode(
        query=picture(given["query_image"])[None],
        supports=torch.stack([picture(given[f"support_image_{shot}"]) for shot in shots])[None],
        masks=torch.stack([mask(given[f"support_mask_{shot}"]) for shot in shots])[None].float(),
        label=label,
    )


def class_index(case: Json) -> Tensor:
    """(1,) int64: the class of the episode among the base classes without background."""
    return torch.tensor([parity.number("#:", case["loss_inputs"]["class_index"])])


def base_label(case: Json, label: Tensor) -> Tensor:
    """What the base learner's loss compares with: the label with the number of the class among the base classes."""
    return torch.where(label == 1, parity.number("1 replaced by #", case["loss_inputs"]["base_mask"]), label)


def load_published(
    network: nn.Module,
    state: dict[str, np.ndarray],
    folder: Path,
    prefix: str = "module.",
    convert: Callable[[State], State] = dict,
) -> None:
    """The weights by way of a file such as the published program writes; evaluation mode."""
    named = {prefix + name: torch.from_numpy(value) for name, value in state.items()}
    torch.save({"epoch": 1, "state_dict": named}, folder / "published.pth")
    load_weights(network, str(folder / "published.pth"), convert)
    network.eval()


def check(values: dict[str, Tensor], case: Json, expected: dict[str, np.ndarray]) -> None:
    """Each recorded output was found, within the case's tolerance of its largest absolute value."""
    assert values.keys() == expected.keys()
    for key, value in values.items():
        bound = case["tolerance"]["relative_to_max_abs"] * np.abs(expected[key]).max()
        assert value.shape == expected[key].shape, key
        assert np.abs(value.numpy() - expected[key]).max() <= bound, key


def check_thinned(values: dict[str, Tensor], case: Json, expected: dict[str, np.ndarray]) -> None:
    """Each recorded output was found, thinned as the case says it was, within 1e-5 of its largest absolute value.

    Masks may differ in 16 pixels, of those that are near to a tie.
    """
    assert values.keys() == expected.keys()
    for key, value in values.items():
        what = case["outputs"][key]["what"]
        if step := re.search(r"every (\d+)\w\w row and column", what):
            value = value[..., :: int(step[1]), :: int(step[1])]
        assert value.shape == expected[key].shape, key
        if value.dtype == torch.bool:
            assert np.count_nonzero(value.numpy() != expected[key]) <= 16, key
        else:
            assert np.abs(value.numpy() - expected[key]).max() <= 1e-5 * np.abs(expected[key]).max(), (
                key,
                np.abs(value.numpy() - expected[key]).max() / np.abs(expected[key]).max(),
            )


def of_correlations(asked: Sequence[Tensor], correlations: Sequence[Tensor]) -> dict[str, Tensor]:
    """What is recorded of taps and of the correlations with the first support."""
    values = {}
    for group, taps, correlation in zip((2, 3, 4), asked[-3:], correlations, strict=True):
        values[f"query_features_{group}_mean"] = taps.mean(2)
        values[f"correlation_{group}_support_mean"] = correlation[0].mean((3, 4))
        values[f"correlation_{group}_query_mean"] = correlation[0].mean((1, 2))
    return values


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def learned(trainable: Any) -> int:
    """The number of parameters that a trainable gives to its optimisers."""
    return sum(parameter.numel() for group in trainable.parameter_groups(1) for parameter in group["params"])
