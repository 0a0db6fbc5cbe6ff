"""AMNet against the recorded outputs of the published program."""

from pathlib import Path

import pytest
import torch
from torch.nn import functional

from baselines.amnet import AMNet
from baselines.amnet.network import AMNetwork
from baselines.amnet.training import adversarial_losses, amnet_losses, diversity
from baselines.parts.ensemble_method import EnsembleSettings
from icvos.models.backbones.build import build_backbone
from icvos.models.maps import aligned
from tests import parity
from tests.baselines import recorded
from tests.baselines.drawn import random_batch, small_sam2


@pytest.mark.parametrize("name", parity.cases("amnet-*", slow="*-5shot* *-gated*"))
def test_recorded_outputs(name: str, tmp_path: Path) -> None:
    case, expected = parity.load(name)
    config, given = case["config"], recorded.episode(case)
    body = build_backbone(recorded.BACKBONES[config["backbone"]], "whole")
    network = AMNetwork(body, config["base_classes"] - 1, config["shot"])
    recorded.load_published(network, parity.state_dict(case), tmp_path)
    with torch.inference_mode():
        found = network(given.query, given.supports, given.masks)
        training = network(given.query, given.supports, given.masks, recorded.class_index(case))
        losses = amnet_losses(training, given.label)
        against = adversarial_losses(network, training, given.label)
        side = given.label.shape[-1]
        base = aligned(found.compared.base, side)
        base_loss = functional.cross_entropy(base, recorded.base_label(case, given.label), ignore_index=255)
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
        "final": aligned(found.final, side),
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
    recorded.check(values, case, expected)
    assert recorded.parameters(network) == case["counts"]["parameters_total"]
    learned = sum(p.numel() for p in network.parameters() if p.requires_grad)
    assert learned == case["counts"]["parameters_learnable"]


def test_turns_move_their_own_parts() -> None:
    with small_sam2():
        method = AMNet(EnsembleSettings(backbone="vgg16-bn", size=129, sam2="sam2-hiera-t", device="cpu"))
        trainable = method.trainable(range(80))
    batch = random_batch([3, 79])
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
