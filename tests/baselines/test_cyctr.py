"""CyCTR against the recorded outputs of the published program."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from baselines.cyctr.keys import Permute, object_cells
from baselines.cyctr.network import Cycled, CyCTRNetwork, own_names
from baselines.cyctr.training import CyCTRTrainable, cyctr_losses
from baselines.cyctr.transformer import Layer, Shown, Transformer
from icvos.models.backbones.build import build_backbone
from icvos.models.maps import aligned, shown_positions, tokens_of
from icvos.models.weights.load import load_weights
from tests import Json, parity
from tests.baselines import recorded


def recorded_orders(seed: int) -> Permute:
    random = np.random.RandomState(seed)
    return lambda count: torch.from_numpy(random.permutation(count))


def picture(spec: Json, side: int) -> Tensor:
    square = np.zeros((side, side, 3), dtype=np.uint8)
    height, width = spec["content"]
    square[:height, :width] = parity.image(spec["seed"], height, width)
    return torch.from_numpy(parity.normalise(square))


def label(spec: Json, side: int) -> Tensor:
    """(S, S) int64; what is 255 is padding too."""
    square = np.full((side, side), 255, dtype=np.int64)
    height, width = spec["content"]
    square[:height, :width] = spec.get("value", parity.mask(spec["seed"], height, width))
    if "ignored" in spec:
        top, bottom, left, right = spec["ignored"]
        square[top:bottom, left:right] = 255
    return torch.from_numpy(square)


def load(network: nn.Module, state: dict[str, np.ndarray], folder: Path) -> None:
    named = {f"module.{name}": torch.from_numpy(value) for name, value in state.items()}
    torch.save({"epoch": 1, "state_dict": named, "optimizer": {}}, folder / "published.pth")
    load_weights(network, str(folder / "published.pth"), own_names)
    network.eval()


@pytest.mark.parametrize("name", parity.cases("cyctr-resnet*", slow="*-5shot*"))
def test_recorded_outputs(name: str, tmp_path: Path) -> None:
    case, expected = parity.load(name)
    given, side, shots = case["inputs"], case["config"]["input_size"], range(case["config"]["shot"])
    network = CyCTRNetwork(build_backbone("resnet50-v2", "torchvision"))
    load(network, parity.state_dict(case), tmp_path)
    query = picture(given["query_image"], side)[None]
    padding = torch.ones(1, side, side, dtype=torch.bool)
    height, width = given["query_image"]["content"]
    padding[:, :height, :width] = False
    pictures = torch.stack([picture(given[f"support_image_{shot}"], side) for shot in shots])[None]
    labels = torch.stack([label(given[f"support_label_{shot}"], side) for shot in shots])[None]
    wanted = label(case["loss_inputs"]["query_label"], side)[None]
    orders = recorded_orders(case["permutation_seed"])
    with torch.inference_mode():
        found = network(query, pictures, labels, padding, labels == 255, orders)
        prototype, backwards = network.backwards(found, wanted)
        losses = cyctr_losses(network, found, wanted, labels)
    values = described(found) | layered(found.layers, 2)
    values |= {
        "logits_every_2": aligned(found.low, side)[..., ::2, ::2],
        "query_prototype": prototype[..., 0, 0],
        "support_logits_low": backwards,
        "loss_main": losses["main"],
        "loss_aux": losses["auxiliary"],
    }
    check(values, case, expected)
    counts = case["counts"]
    assert recorded.learned(CyCTRTrainable(network)) == counts["parameters_learnable"]
    assert recorded.parameters(network) == counts["parameters_total"]
    assert recorded.parameters(network.addtional_proj) == counts["parameters_never_used"]
    assert recorded.parameters(network.transformer) == 2_474_672


def described(found: Cycled) -> dict[str, Tensor]:
    """The recorded outputs around the transformer."""
    values = {f"query_layer{level + 2}_mean": tap.mean(1, keepdim=True) for level, tap in enumerate(found.taps)}
    values |= {f"support_layer{index + 2}_mean": x.mean(1, keepdim=True) for index, x in enumerate(found.support_taps)}
    shape = found.padded.shape
    return values | {
        "query_reduced_mean": found.query.mean(1, keepdim=True),
        "support_reduced_mean": found.supports.mean(1, keepdim=True),
        "prototype": found.prototype[..., 0, 0],
        "prototype_each": found.prototype_each[0, ..., 0, 0],
        "prior_each": found.prior_each[0][:, None],
        "prior": found.prior,
        "query_merged_mean": found.merged.mean(1, keepdim=True),
        "support_merged_mean": found.merged_supports.mean(1, keepdim=True),
        "query_padding_low": found.padded,
        "support_padding_low": found.shown.padded.reshape(-1, *shape[1:]),
        "support_object_low": found.shown.shows.reshape(-1, *shape[1:]),
        "position_every": tokens_of(shown_positions(~found.padded, found.query.shape[1]))[:, ::7, ::8],
        "transformer_mean": found.transformed.mean(1, keepdim=True),
        "fused_mean": found.fused.mean(1, keepdim=True),
        "logits_low": found.low,
    }


def layered(layers: list[Layer], every: int) -> dict[str, Tensor]:
    """The recorded outputs of the transformer; of its tokens every second or fourth, or all."""
    keys = layers[0].keys
    values = {"key_index": keys.index, "key_object": keys.shows, "key_padding": keys.padded}
    for number, layer in enumerate(layers):
        values |= {
            f"self_{number}_4": layer.looked[:, ::every, :4],
            f"kept_{number}": layer.kept,
            f"cross_{number}_4": layer.crossed[:, ::every, :4],
            f"tokens_{number}_4": layer.tokens[:, ::every, :4],
        }
    return values


def check(values: dict[str, Tensor], case: Json, expected: dict[str, np.ndarray]) -> None:
    """Flags and places are the recorded ones, all else is within the case's tolerance."""
    assert values.keys() == expected.keys()
    whole = {key for key, value in expected.items() if value.dtype.kind in "iu"}
    assert {"key_index", "kept_0"} <= {key.removeprefix(f"{key.partition('_')[0]}_") for key in whole} | whole
    for key in whole:
        assert np.array_equal(values[key].numpy(), expected[key]), key
    rest = expected.keys() - whole
    recorded.check({key: values[key] for key in rest}, case, {key: expected[key] for key in rest})


class Alone(nn.Module):
    """The transformer under its published name."""

    def __init__(self) -> None:
        super().__init__()
        self.transformer = Transformer(256)


def test_recorded_outputs_of_the_transformer(tmp_path: Path) -> None:
    case, expected = parity.load("cyctr-transformer")
    network = Alone()
    load(network, parity.state_dict(case), tmp_path)
    values: dict[str, Tensor] = {}
    for part, given in case["inputs"].items():
        every = {42: 4, 30: 2}.get(given["f"], 1)
        with torch.inference_mode():
            out, layers = network.transformer(*prepared(given), recorded_orders(given["permutation_seed"]))
        found = layered(layers, every) | {"output_mean": out.mean(1, keepdim=True)}
        values |= {f"{part}_{key}": value for key, value in found.items()}
    check(values, case, expected)


def prepared(given: Json) -> tuple[Tensor, Tensor, Shown]:
    """Query, its padding and the supports of a part of the recorded transformer."""
    side = given["f"]

    def normal(spec: Json) -> Tensor:
        drawn = np.random.RandomState(spec["seed"]).standard_normal(spec["size"])
        return torch.from_numpy(drawn.astype(np.float32))

    def padding(rows: int, columns: int) -> Tensor:
        found = torch.zeros(side, side, dtype=torch.bool)
        found[side - rows :] = True
        found[:, side - columns :] = True
        return found

    labels = []
    for spec in given["support_mask"]:
        drawn = parity.mask(spec["seed"], side, side)
        drawn = 1 - drawn if spec.get("inverted") else drawn
        labels.append(torch.from_numpy(np.full_like(drawn, spec["value"]) if "value" in spec else drawn))
    supports = torch.stack([normal(spec) for spec in given["support"]])
    shown = Shown(
        tokens_of(supports).flatten(0, 1)[None],
        object_cells(torch.stack(labels)[None], side).flatten(1),
        torch.stack([padding(*each) for each in given["support_padding"]]).flatten()[None],
        given["shot"],
    )
    return normal(given["query"])[None], padding(*given["query_padding"])[None], shown
