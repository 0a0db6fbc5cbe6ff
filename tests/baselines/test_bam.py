"""BAM against the recorded outputs of the published program."""

from pathlib import Path

import pytest
import torch
from torch.nn import functional

from baselines.bam import BAM
from baselines.bam.method import BAMSettings
from baselines.bam.network import BAMNetwork
from baselines.bam.training import BAMTrainable, bam_losses
from icvos.errors import IcvosError
from icvos.models.backbones.build import build_backbone
from icvos.models.maps import aligned
from icvos.models.weights.registry import random_weights_allowed
from tests import parity
from tests.baselines import recorded
from tests.baselines.drawn import random_batch, small_sam2, supports


@pytest.mark.parametrize("name", parity.cases("bam-*", slow="*-5shot*"))
def test_recorded_outputs(name: str, tmp_path: Path) -> None:
    case, expected = parity.load(name)
    config, given = case["config"], recorded.episode(case)
    classes = config["base_classes"] - 1
    state = {f"module.{key}": torch.from_numpy(value) for key, value in parity.state_dict(case).items()}
    torch.save({"epoch": 1, "state_dict": state, "optimizer": {}}, tmp_path / "bam.pth")
    network = BAM(
        BAMSettings(
            checkpoint=str(tmp_path / "bam.pth"),
            backbone=recorded.BACKBONES[config["backbone"]],  # type: ignore[arg-type]
            base_classes=classes,
            shots=config["shot"],
            device="cpu",
        )
    ).network
    with torch.inference_mode():
        found = network(given.query, given.supports, given.masks)
        training = network(given.query, given.supports, given.masks, recorded.class_index(case))
        losses = bam_losses(training, given.label)
        side = given.label.shape[-1]
        base = aligned(found.base, side)
        base_loss = functional.cross_entropy(base, of_all_classes(case, given.label), ignore_index=255)
    values = {f"query_layer{index + 2}_mean": tap.mean(1, keepdim=True) for index, tap in enumerate(found.taps)}
    values |= {
        "support_layer4_mean": found.support_last.mean(1, keepdim=True),
        "support_mask_low": found.support_mask,
        "query_reduced_mean": found.reduced.mean(1, keepdim=True),
        "gram_distance": found.distances,
        "gram_weights": found.trust,
        "gram_value": found.distance,
        "support_prototype": found.prototype[..., 0, 0],
        "prior": found.prior,
        "merged_mean": found.merged.mean(1, keepdim=True),
        "aspp_mean": found.pyramid.unflatten(1, (5, -1)).mean(2),
        "decoded_mean": found.decoded.mean(1, keepdim=True),
        "meta_low": found.meta,
        "base_low_4": found.base[:, :4],
        "base_map": found.base_map,
        "base_map_training": training.base_map,
        "final_low": found.final,
        "meta_every_4": aligned(found.meta, side)[..., ::4, ::4],
        "base_every_8": base[:, :8, ::8, ::8],
        "final_every_2": aligned(found.final, side)[..., ::2, ::2],
        "loss_main": losses["main"],
        "loss_meta": losses["meta"],
        "loss_base": base_loss,
    }
    recorded.check(values, case, expected)
    assert torch.equal(losses["total"], losses["main"] + losses["meta"])
    counts = case["counts"]
    assert recorded.learned(BAMTrainable(network, range(classes))) == counts["parameters_learnable"]
    assert recorded.parameters(network.learner_base) == counts["parameters_base_learner"]
    assert recorded.parameters(network) == counts["parameters_total"]


def of_all_classes(case: dict, label: torch.Tensor) -> torch.Tensor:
    """(1, S, S): what the base learner's loss compares with, two base classes."""
    spec = case["loss_inputs"]["base_mask"]
    other = parity.number("# where this mask is 1", spec["note"]) * recorded.mask(spec).long()[None]
    own = torch.where(label == 1, parity.number("then # where query_mask is 1", spec["note"]), other)
    return torch.where(label == 255, 255, own)


@pytest.fixture(scope="module")
def method() -> BAM:
    with small_sam2():
        return BAM(BAMSettings(backbone="vgg16-bn", size=129, sam2="sam2-hiera-t", device="cpu", base_classes=3))


@pytest.mark.parametrize("shots", [1, 5])
@pytest.mark.parametrize("base_learner", ["leave-out", "fold", "none"])
def test_frames_of_any_size(tmp_path: Path, method: BAM, shots: int, base_learner: str) -> None:
    method.settings = BAMSettings(
        backbone="vgg16-bn",
        size=129,
        base_learner=base_learner,  # type: ignore[arg-type]
        sam2="sam2-hiera-t",
        device="cpu",
        base_classes=3,
    )
    mask = method.segment_image(supports(tmp_path, shots), parity.image(9, 47, 61))
    assert mask.shape == (47, 61)
    with pytest.raises(IcvosError, match="BAM needs a support"):
        method.segment_image([], parity.image(9, 47, 61))


def test_every_shot_has_the_weight_of_its_rank() -> None:
    """HDMNet and AMNet, which took this over, give the first shot the weight of the nearest one."""
    network = BAMNetwork(build_backbone("vgg16-bn"), shots=3)
    with torch.no_grad():
        for layer in (network.kshot_rw[0], network.kshot_rw[2]):
            layer.weight.fill_(0)
            layer.bias.fill_(0)
        network.kshot_rw[2].bias.copy_(torch.tensor([2.0, 1.0, 0.0]))  # by rank, the nearest first
        trust = network._trust(torch.tensor([[0.3, 0.1, 0.2], [0.1, 0.2, 0.3]]))
    by_rank = torch.tensor([2.0, 1.0, 0.0]).softmax(0)
    assert torch.allclose(trust, by_rank[torch.tensor([[2, 0, 1], [0, 1, 2]])])


def test_training_moves_the_learned_parts_alone(method: BAM) -> None:
    with random_weights_allowed():
        trainable = method.trainable(range(3))
    before = {name: tensor.clone() for name, tensor in trainable.network.state_dict().items()}
    trainable.train()
    trainable.losses(random_batch([0, 2]))["total"].backward()
    torch.optim.SGD(trainable.parameter_groups(1e-2)).step()
    now = trainable.network.state_dict()
    moved = {name.split(".")[0] for name in now if not torch.equal(now[name], before[name])}
    learned = {"down_query", "down_supp", "init_merge", "ASPP_meta", "res1_meta", "res2_meta", "cls_meta"}
    assert moved == learned | {"gram_merge", "cls_merge"}
