"""Training of DC-SAM: what learns, the losses, and gradients through a mask tube."""

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from dcsam.attention import Fidelity
from dcsam.model import DCSAM, DCSAMSettings
from dcsam.training import DCTrainable, Tuned, squared_dice, tuned_parameters
from icvos.models.losses import dice
from icvos.models.sam.sam2 import build_sam2
from icvos.training.episodes import TrainingEpisodes
from icvos.training.loop import train
from icvos.training.recipe import Recipe
from icvos.training.squares import tube_views
from icvos.training.trainable import EpisodeBatch
from tests import parity
from tests.baselines.drawn import random_batch, small_sam2
from tests.icvos.tasks.image.image_benchmark import write_image_benchmark

SIDE = 64


@pytest.fixture(scope="module")
def method() -> Iterator[DCSAM]:
    with small_sam2():
        yield DCSAM(
            DCSAMSettings(backbone="vgg16-bn", variant="prior", queries=5, size=SIDE, sam2="sam2-hiera-t", device="cpu")
        )


def trainable_of(method: DCSAM, tuned: Tuned) -> DCTrainable:
    method.settings = dataclasses.replace(method.settings, tuned=tuned)
    return method.trainable(range(80))


def tube_batch() -> EpisodeBatch:
    batch = random_batch([0], SIDE)
    views = torch.randn(1, 2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    return dataclasses.replace(batch, later=views, later_labels=batch.query_label[:, None].repeat(1, 2, 1, 1))


@pytest.mark.parametrize(
    ("tuned", "count"),
    [("none", 0), ("decoder", 3_950_656), ("memory", 7_306_912), ("both", 11_257_568), ("masks", 3_950_656 - 24_672)],
)
def test_counts_of_tuned_parts(tuned: Tuned, count: int) -> None:
    network = build_sam2("sam2-hiera-t")  # of every size the same
    assert sum(parameter.numel() for parameter in tuned_parameters(network, tuned)) == count


@pytest.mark.parametrize("kind", ["image", "tube"])
def test_recorded_losses(kind: str) -> None:
    case, expected = parity.load("dcsam-loss-and-metrics")
    config = case["config"]
    side, frames = config["size"], {"image": 1, "tube": 5}[kind]
    drawn = parity.fill(f"input.logits_{kind}", (2 * frames * side * side, 1))
    logits = torch.from_numpy(3 * drawn.reshape(2, frames, side, side)).float()
    truth = torch.from_numpy(
        np.stack(
            [
                [
                    parity.mask(config["seed"] + (10 * item + t if frames > 1 else item), side, side)
                    for t in range(frames)
                ]
                for item in range(2)
            ]
        )
    ).float()
    bce = torch.nn.functional.binary_cross_entropy_with_logits(logits, truth)
    found = {"bce": bce, "dice": dice(logits, truth), "loss": bce + dice(logits, truth)}
    for name, value in found.items():
        parity.assert_close(value[None].numpy(), expected[f"{name}_{kind}"], case["tolerance"], name)


def test_squared_dice_by_hand() -> None:
    logits = torch.tensor([[[0.0, 100.0], [-100.0, 0.0]]])  # 0.5, 1, 0, 0.5
    truth = torch.tensor([[[1.0, 1.0], [0.0, 0.0]]])
    assert float(squared_dice(logits, truth)) == pytest.approx(1 - 2 * 1.5 / (1.5 + 2))


@pytest.mark.parametrize("tuned", ["none", "masks", "both"])
def test_what_learns_gets_a_gradient_and_nothing_else_does(method: DCSAM, tuned: Tuned) -> None:
    trainable = trainable_of(method, tuned)
    trainable.network.requires_grad_(False)
    learned = [parameter for group in trainable.parameter_groups(1.0) for parameter in group["params"]]
    for parameter in learned:
        parameter.requires_grad_(True)
        parameter.grad = None
    trainable.train()
    losses = trainable.losses(tube_batch() if tuned == "both" else random_batch([0, 3], SIDE))
    assert float(losses["total"].detach()) == pytest.approx(float((losses["bce"] + losses["dice"]).detach()))
    losses["total"].backward()
    learns = {id(parameter) for parameter in learned}
    for name, parameter in trainable.network.named_parameters():
        assert (parameter.grad is not None) <= (id(parameter) in learns), name
        assert trainable.leaves_unused or id(parameter) not in learns or parameter.grad is not None, name
        if id(parameter) in learns and (parameter.grad is None or not parameter.grad.any()):
            # as published no gradient goes through a resizing; the masks of multimask output are never asked for
            assert "sam_downscaling" in name or re.search(r"output_hypernetworks_mlps\.[123]", name), name


@pytest.mark.parametrize("tuned", ["none", "masks", "both"])
def test_a_rough_mask_learns_by_a_loss_of_its_own_and_by_that_of_what_sam_makes_of_it(tuned: Tuned) -> None:
    with small_sam2():
        small = DCSAMSettings(backbone="vgg16-bn", variant="prior", queries=5, size=SIDE, sam2="sam2-hiera-t")
        trainable = trainable_of(DCSAM(dataclasses.replace(small, mask_prompt=True, device="cpu")), tuned)
    losses = trainable.losses(tube_batch() if tuned == "both" else random_batch([0, 3], SIDE))
    values = {name: float(loss.detach()) for name, loss in losses.items()}
    assert values["total"] == pytest.approx(values["bce"] + values["dice"] + values["rough"])
    own = list(trainable.generator.mask_prompt.parameters())
    assert {id(one) for one in own} <= {id(one) for one in trainable.parameter_groups(1.0)[0]["params"]}
    for loss in (losses["rough"], losses["bce"]):
        (change,) = torch.autograd.grad(loss, [trainable.generator.mask_prompt.likely.weight], retain_graph=True)
        assert change.any()


def test_tube_views() -> None:
    image, label = parity.image(3, 40, 60), parity.mask(3, 40, 60)
    views = tube_views(image, label, np.random.default_rng(0))
    assert len(views) == 5
    assert np.array_equal(views[0][0], image)
    assert np.array_equal(views[2][0], image[:, ::-1])
    assert np.array_equal(views[2][1], label[:, ::-1])
    assert np.array_equal(views[3][0], image[::-1])
    assert np.array_equal(views[4][1], label)
    assert set(np.unique(views[1][1])) <= {0, 1}
    assert 0.8 < views[1][1].mean() / label.mean() < 1.2


def test_a_run_on_tubes_gives_a_checkpoint_that_carries_sam2(method: DCSAM, tmp_path: Path) -> None:
    benchmark = write_image_benchmark(tmp_path / "episodes")
    recipe = Recipe(
        "dcsam", benchmark="coco-20i", size=SIDE, tubes=True, epochs=1, episodes=2, batch=1, validation_episodes=1
    )
    trainable = trainable_of(method, "both")
    before = {name: value.clone() for name, value in trainable.network.state_dict().items()}
    done = train(recipe, trainable, TrainingEpisodes(benchmark, recipe), tmp_path / "run")
    assert done.steps == 2
    after = trainable.network.state_dict()
    moved = {name.split(".")[1] for name, value in after.items() if not torch.equal(value, before[name])}
    assert {"transformer_decoder", "merge_1", "sam_mask_decoder", "memory_attention", "memory_encoder"} <= moved
    assert not moved & {"image_encoder", "sam_prompt_encoder", "obj_ptr_proj"}
    with small_sam2():
        again = DCSAM(dataclasses.replace(method.settings, checkpoint=str(done.checkpoint), tuned="none"))
        carried = again.propagator().network.state_dict()
    for name, value in after.items():
        if name.startswith("sam2."):
            assert torch.equal(carried[name.removeprefix("sam2.")], value), name


@pytest.mark.parametrize(("fidelity", "gradient"), [("published", False), ("paper", True)])
@pytest.mark.parametrize("tubes", [False, True])
def test_an_object_that_sam2_takes_for_absent(
    method: DCSAM, fidelity: Fidelity, gradient: bool, tubes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(method, "settings", dataclasses.replace(method.settings, fidelity=fidelity))
    trainable = trainable_of(method, "both" if tubes else "masks")
    score = trainable.network.sam2.sam_mask_decoder.pred_obj_score_head.layers[-1]
    before = score.bias.detach().clone()
    with torch.no_grad():
        score.bias.fill_(-1e3)
    try:
        trainable.train()
        found = trainable.losses(tube_batch() if tubes else random_batch([0, 1], SIDE))
        moved = trainable.network.prompt_encoder.transformer_decoder.supp_q_feat.weight
        (change,) = torch.autograd.grad(found["total"], [moved], allow_unused=True)
    finally:
        with torch.no_grad():
            score.bias.copy_(before)
    assert (found["bce"].item() < 10) == gradient  # else logits of -1024
    assert (change is not None and bool(change.any())) == gradient


@pytest.mark.parametrize("tuned", ["none", "masks", "decoder"])
def test_remembering_changes_no_loss(method: DCSAM, tuned: Tuned) -> None:
    batch = random_batch([0, 1], SIDE)
    plain, remembering = trainable_of(method, tuned), trainable_of(method, tuned)
    remembering.remember(4)
    for trainable in (plain, remembering):
        trainable.network.eval()
    wanted = plain.losses(batch)
    for _ in range(2):
        found = remembering.losses(batch)
        assert all(float(found[name]) == pytest.approx(float(value), rel=1e-5) for name, value in wanted.items())
    if tuned == "decoder":  # the finer maps that SAM's features come with have changed
        layer = remembering.sam.network.sam_mask_decoder.conv_s0
        with torch.no_grad():
            layer.weight.neg_()
            changed, found = plain.losses(batch), remembering.losses(batch)
            layer.weight.neg_()
        assert float(changed["total"]) != pytest.approx(float(wanted["total"]), rel=1e-5)
        assert float(found["total"]) == pytest.approx(float(changed["total"]), rel=1e-5)
