"""HDMNet against the recorded outputs of the published program."""

import dataclasses
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from baselines.hdmnet import HDMNet
from baselines.hdmnet.network import HDMNetwork
from baselines.hdmnet.training import HDMNetTrainable, hdmnet_losses
from baselines.parts.ensemble import gram, something_else
from baselines.parts.ensemble_method import EnsembleSettings
from baselines.parts.mix_transformer import MatchBlock
from icvos.errors import IcvosError
from icvos.models.backbones.build import build_backbone
from icvos.models.maps import aligned
from icvos.models.weights.registry import random_weights_allowed
from tests import parity
from tests.baselines import recorded
from tests.baselines.drawn import random_batch, small_sam2, supports


@pytest.mark.parametrize("name", parity.cases("hdmnet-*", slow="*-5shot* *resnet50*"))
def test_recorded_outputs(name: str, tmp_path: Path) -> None:
    case, expected = parity.load(name)
    config, given = case["config"], recorded.episode(case)
    classes = config["base_classes"] - 1
    network = HDMNetwork(build_backbone(recorded.BACKBONES[config["backbone"]], "whole"), classes, config["shot"])
    recorded.load_published(network, parity.state_dict(case), tmp_path, prefix="")
    with torch.inference_mode():
        found = network(given.query, given.supports, given.masks)
        training = network(given.query, given.supports, given.masks, recorded.class_index(case))
        losses = hdmnet_losses(training, given.label)
        side = given.label.shape[-1]
        base = aligned(found.compared.base, side)
        base_loss = functional.cross_entropy(base, recorded.base_label(case, given.label), ignore_index=255)
    values = {f"query_layer{index + 2}_mean": found.compared.taps[index].mean(1, keepdim=True) for index in range(3)}
    values |= {
        "query_base_feature_mean": found.compared.taps[3].mean(1, keepdim=True),
        "support_base_feature_mean": found.compared.support_feature.mean(1, keepdim=True),
        "similarity": found.compared.similar,
        "gram_distance": found.compared.distances,
        "gram_weights": found.compared.trust,
        "gram_value": found.compared.distance,
        "query_reduced_mean": found.compared.reduced.mean(1, keepdim=True),
        "query_merged_mean": found.compared.query.mean(1, keepdim=True),
        "support_merged_mean": found.compared.support.mean(1, keepdim=True),
        "base_low_4": found.compared.base[:, :4],
        "base_map": found.base_map,
        "meta_low": found.meta,
        "final_low": found.final,
        "final": aligned(found.final, side),
        "loss_main": losses["main"],
        "loss_distil": losses["distil"],
        "loss_base": base_loss,
    }
    for stage in range(3):
        values[f"stage{stage}_query_4"] = found.matched.queries[stage][..., :4]
        values[f"stage{stage}_support_4"] = found.matched.supports[stage][..., :4]
        values[f"attention_map_{stage}"] = found.matched.maps[stage]
    recorded.check(values, case, expected)
    assert recorded.parameters(network) == case["counts"]["parameters_total"]
    learned = recorded.learned(HDMNetTrainable(network, range(classes)))
    if config["shot"] > 1:  # counted as learned by the published code, but nothing optimises it
        learned += recorded.parameters(network.kshot_rw)
    assert learned == case["counts"]["parameters_learnable"]


@pytest.fixture(scope="module")
def method() -> HDMNet:
    with small_sam2():
        made = HDMNet(EnsembleSettings(backbone="vgg16-bn", size=129, sam2="sam2-hiera-t", device="cpu"))
        made.propagator()
        return made


@pytest.mark.parametrize("base_learner", ["leave-out", "fold", "none"])
@pytest.mark.parametrize("shots", [1, 3])
def test_frames_of_any_size(tmp_path: Path, method: HDMNet, shots: int, base_learner: str) -> None:
    shown = supports(tmp_path, shots)
    method.settings = dataclasses.replace(method.settings, base_learner=base_learner)
    mask = method.prompt(shown, parity.image(9, 47, 61)).mask
    assert mask is not None
    assert mask.shape == (47, 61)
    assert method.describe()["settings"]["base_learner"] == base_learner
    with pytest.raises(IcvosError, match="needs a support"):
        method.prompt([], parity.image(9, 47, 61))


def test_left_out_class_is_not_something_else() -> None:
    base = torch.randn(2, 5, 3, 3, generator=torch.Generator().manual_seed(0))
    probability = base.softmax(1)
    found = something_else(base, torch.tensor([1, -1]))
    assert torch.allclose(found[0, 0], probability[0, 1] + probability[0, 3] + probability[0, 4], atol=1e-6)
    assert torch.allclose(found[1, 0], probability[1, 1:].sum(0), atol=1e-6)


@pytest.mark.parametrize("kind", ["hard", "soft", "empty", "full"])
def test_matching_equals_the_whole_product(kind: str) -> None:
    """The cross-attention with all keys and the mask behind the softmax, as the paper's text has it."""
    torch.manual_seed(0)
    block = MatchBlock(64)
    size, query, source = (5, 4), torch.randn(2, 20, 64), torch.randn(2, 30, 64)
    mask = torch.rand(2, 30) * (torch.rand(2, 30) > torch.tensor([[0.3], [0.8]]))
    mask = {"hard": (mask > 0).float(), "soft": 10 * mask, "empty": 0 * mask, "full": torch.ones(2, 30)}[kind]
    parts = block.attn.attn

    def whole() -> tuple[torch.Tensor, torch.Tensor]:
        q, k, v = (
            layer(block.norm1(x)).unflatten(2, (2, 32)).transpose(1, 2)
            for layer, x in ((parts.linear_q, query), (parts.linear_k, source), (parts.linear_v, source))
        )
        score = functional.normalize(q, dim=3) @ functional.normalize(k, dim=3).transpose(2, 3) / 0.1
        seen = mask[:, None, None]
        mixed = ((score.softmax(2) * (seen != 0)) @ v).transpose(1, 2).flatten(2)
        x = query + parts.linear_o(mixed)
        return x + block.ffn(block.norm2(x), size), ((score * seen).sum(3) / (seen.sum(3) + 1e-9)).mean(1)

    block.eval()
    outputs = (block(query, source, mask, size), whole())
    gradients = [
        torch.autograd.grad(x.square().sum() + weighted.square().sum(), list(block.parameters()))
        for x, weighted in outputs
    ]
    torch.testing.assert_close(*outputs, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(*gradients, rtol=1e-3, atol=1e-4)


def test_training_moves_the_learned_parts_alone(method: HDMNet) -> None:
    with random_weights_allowed():
        trainable = method.trainable(range(80))
    batch = random_batch([0, 79])
    before = {name: tensor.clone() for name, tensor in trainable.network.state_dict().items()}
    optimiser = torch.optim.AdamW(trainable.parameter_groups(1e-2))
    trainable.train()
    losses = trainable.losses(batch)
    losses["total"].backward()
    optimiser.step()
    trainable.network.eval()
    frozen = ("layer", "ppm", "cls.", "base_learnear")
    statistics = ("running_mean", "running_var", "num_batches_tracked")
    for name, tensor in trainable.network.state_dict().items():
        if name.startswith(frozen) or name.endswith(statistics):
            assert torch.equal(tensor, before[name]), name
    moved = [name for name, tensor in trainable.network.state_dict().items() if not torch.equal(tensor, before[name])]
    assert {name.split(".")[0] for name in moved} == {
        *("transformer", "down_supp", "down_query", "supp_merge", "query_merge", "gram_merge", "cls_merge")
    }


def test_gram_in_half_precision_is_that_of_its_inputs_in_full() -> None:
    features = 1e-4 * torch.randn(1, 6, 3, 3, generator=torch.Generator().manual_seed(0)).half()
    features[:, 2] = 0
    with torch.autocast("cpu", torch.float16):
        found = gram(features)
    assert torch.equal(found, gram(features.float()))
