"""Cyclic-consistent attention against the recorded layer, and against loops over its definition."""

import numpy as np
import pytest
import torch
from torch import Tensor

from dcsam.attention import CyclicAttention, Fidelity, cycle_consistent, masks_of_heads
from tests import parity


def recorded_inputs(case: dict, batch: int) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Tokens, their places, features, their positions, and the mask: batch first."""
    config = case["config"]
    height, width = config["map_size"]
    lengths = {"tgt": config["num_queries"], "query_pos": config["num_queries"], "memory": height * width}
    lengths["pos"] = lengths["memory"]
    found = []
    for name, length in lengths.items():
        drawn = parity.fill(f"input.b{batch}.{name}", (length * batch * config["embed_dim"], 1))
        scaled = case["inputs"][name]["scale"] * drawn.reshape(length, batch, config["embed_dim"])
        found.append(torch.from_numpy(scaled).float().transpose(0, 1))
    seed = case["inputs"]["mask"]["seed"]
    mask = np.stack([parity.mask(seed + sample, height, width).reshape(-1) for sample in range(batch)])
    return found[0], found[1], found[2], found[3], torch.from_numpy(mask).float()


def recorded_layer(case: dict, fidelity: Fidelity) -> CyclicAttention:
    config = case["config"]
    layer = CyclicAttention(config["embed_dim"], config["num_heads"], fidelity)
    weights = {name.removeprefix("attention."): torch.from_numpy(w) for name, w in parity.state_dict(case).items()}
    layer.load_state_dict(weights)
    return layer.eval()


@pytest.mark.parametrize("batch", [1, 2])
def test_recorded_layer(batch: int) -> None:
    case, expected = parity.load("cyclic-attention")
    layer = recorded_layer(case, "published")
    tokens, places, features, positions, mask = recorded_inputs(case, batch)
    with torch.inference_mode():
        out = layer(tokens, places, features, positions, mask)
        weights, values = layer.weights(tokens + places, features + positions, features, mask)
        attended = layer.multihead_attn.out_proj((weights @ values).transpose(1, 2).flatten(2))
        layer.cyclic = False
        plain, values = layer.weights(tokens + places, features + positions, features, mask)
        contrast = layer.multihead_attn.out_proj((plain @ values).transpose(1, 2).flatten(2))
    found = {
        "layer_out": out.transpose(0, 1),
        "attention_out": attended.transpose(0, 1),
        "attention_weights_per_head": weights,
        "kept": (weights.amax(2) > 0).byte(),
        "plain_attention_out": contrast.transpose(0, 1),
    }
    for name, value in found.items():
        parity.assert_close(value.numpy(), expected[f"b{batch}_{name}"], case["tolerance"], name)


def test_as_in_the_paper_every_head_has_its_own_samples_mask() -> None:
    case, expected = parity.load("cyclic-attention")
    layer = recorded_layer(case, "paper")
    with torch.inference_mode():
        out = layer(*recorded_inputs(case, 2))
    parity.assert_close(out.transpose(0, 1).numpy(), expected["b2_layer_out_per_sample"], case["tolerance"])


@pytest.mark.parametrize("seed", range(4))
def test_a_cell_is_kept_where_its_cycle_ends_in_its_kind(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    affinity = torch.randn(2, 3, 5, 16, generator=generator)
    mask = (torch.rand(2, 3, 16, generator=generator) > 0.5).float()
    kept = cycle_consistent(affinity, mask)
    for sample in range(2):
        for head in range(3):
            for cell in range(16):
                token = max(range(5), key=lambda i: float(affinity[sample, head, i, cell]))
                back = max(range(16), key=lambda j: float(affinity[sample, head, token, j]))
                assert bool(kept[sample, head, cell]) == bool(mask[sample, head, cell] == mask[sample, head, back])
    assert torch.equal(kept, cycle_consistent(affinity, 1 - mask))
    assert kept.any(2).all()
    assert cycle_consistent(affinity, torch.ones_like(mask)).all()


def test_masks_of_heads_by_fidelity() -> None:
    mask = torch.tensor([[0.0], [1.0]])
    assert masks_of_heads(mask, 4, "paper")[..., 0].tolist() == [[0, 0, 0, 0], [1, 1, 1, 1]]
    assert masks_of_heads(mask, 4, "published")[..., 0].tolist() == [[0, 1, 0, 1], [0, 1, 0, 1]]
