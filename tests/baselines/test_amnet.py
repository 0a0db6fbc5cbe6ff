"""AMNet against the recorded outputs of the published program."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from baselines.amnet import AMNet
from baselines.amnet.network import AMNetwork
from baselines.amnet.training import adversarial_losses, amnet_losses, diversity
from baselines.parts.matching_method import MatchingSettings
from icvos.models.backbones.build import build_backbone
from icvos.models.maps import aligned
from icvos.models.sam.sam2 import SAM2_MODELS
from icvos.models.weights.load import load_weights
from icvos.models.weights.registry import random_weights_allowed
from icvos.training.trainable import EpisodeBatch
from tests import parity


@pytest.mark.parametrize("name", ["amnet-resnet50-1shot", "amnet-resnet50-1shot-gated", "amnet-resnet50-5shot"])
def test_recorded_outputs(name: str, tmp_path: Path) -> None:
    case, expected = parity.load(name)
    config, given = case["config"], case["inputs"]
    shots = config["shot"]
    network = AMNetwork(build_backbone("resnet50-v2", "whole"), config["base_classes"] - 1, shots)
    state = {f"module.{key}": torch.from_numpy(value) for key, value in parity.state_dict(case).items()}
    torch.save({"epoch": 1, "state_dict": state}, tmp_path / "published.pth")
    load_weights(network, str(tmp_path / "published.pth"))
    network.eval()

    def picture(part: str) -> torch.Tensor:
        return torch.from_numpy(parity.normalise(parity.image(given[part]["seed"], *given[part]["size"])))

    def mask(spec: dict) -> torch.Tensor:
        return torch.from_numpy(parity.mask(spec["seed"], *spec["size"]))

    query = picture("query_image")[None]
    supports = torch.stack([picture(f"support_image_{shot}") for shot in range(shots)])[None]
    masks = torch.stack([mask(given[f"support_mask_{shot}"]) for shot in range(shots)])[None].float()
    label = mask(case["loss_inputs"]["query_mask"]).long()[None]
    label[:, -8:] = 255
    with torch.inference_mode():
        found = network(query, supports, masks)
        training = network(query, supports, masks, torch.tensor([6]))
        losses = amnet_losses(training, label)
        against = adversarial_losses(network, training, label)
        base_label = torch.where(label == 1, 7, label)
        base = aligned(found.compared.base, label.shape[-1])
        base_loss = functional.cross_entropy(base, base_label, ignore_index=255)
    compared = found.compared
    values = {f"query_layer{index + 2}_mean": compared.taps[index].mean(1, keepdim=True) for index in range(3)}
    values |= {
        "query_base_feature_mean": compared.taps[3].mean(1, keepdim=True),
        "support_base_feature_mean": compared.support_feature.mean(1, keepdim=True),
        "similarity": compared.similar,
        "gram_distance": compared.distances,
        "gram_weights": compared.trust,
        "gram_value": compared.distance,
        "query_reduced_mean": compared.reduced.mean(1, keepdim=True),
        "query_merged_mean": compared.query.mean(1, keepdim=True),
        "support_merged_mean": compared.support.mean(1, keepdim=True),
        "base_low_4": compared.base[:, :4],
        "base_map": found.base_map,
        "initial_prediction": found.guess,
        "final_low": found.final,
        "final": aligned(found.final, label.shape[-1]),
        "loss_main": losses["main"],
        "loss_distil": losses["distil"],
        "loss_base": base_loss,
        "loss_generator": against["generator"],
        "loss_discriminator": against["discriminator"],
    }
    for index in range(3):
        values[f"query_tokens_{index}_4"] = found.tokens[index][..., :4]
        values[f"attention_map_{index}"] = found.maps[index]
        values[f"refined{index}_low"] = found.logits[index]
        values[f"fused{index}_mean"] = found.features[index].mean(1, keepdim=True)
    for number in (1, 2):
        values[f"refine{number}_mask"] = found.masks[number - 1]
        values[f"refine{number}_attention_map"] = found.refined_maps[number - 1]
    assert values.keys() == expected.keys()
    for key, value in values.items():
        bound = case["tolerance"]["relative_to_max_abs"] * np.abs(expected[key]).max()
        assert value.shape == expected[key].shape, key
        assert np.abs(value.numpy() - expected[key]).max() <= bound, key
    assert sum(p.numel() for p in network.parameters()) == case["counts"]["parameters_total"]
    learned = sum(p.numel() for p in network.parameters() if p.requires_grad)
    assert learned == case["counts"]["parameters_learnable"]


def test_turns_move_their_own_parts() -> None:
    with pytest.MonkeyPatch.context() as patch, random_weights_allowed():
        patch.setitem(SAM2_MODELS, "sam2-hiera-t", dataclasses.replace(SAM2_MODELS["sam2-hiera-t"], image_size=256))
        method = AMNet(MatchingSettings(backbone="vgg16-bn", size=129, sam2="sam2-hiera-t", device="cpu"))
        trainable = method.trainable(range(80))
    generator = torch.Generator().manual_seed(0)
    label = (torch.rand(2, 65, 65, generator=generator) > 0.5).long()
    pictures = torch.randn(2, 2, 3, 65, 65, generator=generator)
    batch = EpisodeBatch(pictures[0], label, pictures[1][:, None], label[:, None], torch.tensor([3, 79]))
    turns: dict[str, list[dict]] = {}
    for group in trainable.parameter_groups(1e-2):
        turns.setdefault(group.get("turn", "total"), []).append({"params": group["params"], "lr": group["lr"]})
    trainable.train()
    for iteration, expected in ((0, "total"), (1, "discriminator"), (4, "total")):
        name = trainable.turn(iteration)
        assert name == expected
        before = {key: tensor.clone() for key, tensor in trainable.network.state_dict().items()}
        trainable.network.zero_grad()
        trainable.losses(batch)[name].backward()
        torch.optim.AdamW(turns[name]).step()
        now = trainable.network.state_dict()
        moved = {key.split(".")[0] for key in now if not torch.equal(now[key], before[key])}
        adversary = {"part", "binary_cls"}
        assert moved <= adversary if name == "discriminator" else not moved & adversary
        assert moved


def test_diversity_of_equal_maps_is_one() -> None:
    assert float(diversity(torch.ones(2, 14, 30))) == pytest.approx(1.0)
