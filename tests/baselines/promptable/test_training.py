"""A SAM 2 of the small kind: it is built and saved like the others, and every part of it that should learn does."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from baselines.oracle import Oracle, OracleSettings
from baselines.promptable.prompts import COUNTS, draw_prompts
from baselines.promptable.training import MEMORY, PromptableTrainable
from icvos.errors import IcvosError
from icvos.method import Prompt
from icvos.models.sam.propagation import Sam2Propagator
from icvos.models.sam.sam2 import UNTRAINED, load_sam2
from icvos.training.drawn import DrawnEpisodes
from icvos.training.learner import make_optimisers
from icvos.training.recipe import Recipe
from icvos.training.session import prepare
from icvos.training.trainable import EpisodeBatch

RECIPE = Recipe(method="oracle", benchmark="smallworld", labels="objects", size=256, episodes=8, validation_episodes=1)


def batch_of(count: int, **changes: object) -> EpisodeBatch:
    episodes = DrawnEpisodes(RECIPE.changed(changes))
    return EpisodeBatch.stack([episodes.training(0, index) for index in range(count)])


@pytest.fixture
def trainable() -> PromptableTrainable:
    found = Oracle(OracleSettings(sam2=UNTRAINED, device="cpu")).trainable(())
    found.each = 2
    for group in found.parameter_groups(1.0):
        for parameter in group["params"]:
            parameter.requires_grad_(True)
    return found


def test_every_part_but_the_trunk_learns_from_clips(trainable: PromptableTrainable) -> None:
    trainable.train()
    torch.manual_seed(0)
    batch = batch_of(2, frames=3)
    for _ in range(4):  # what the first frame is given, and how it goes on, is drawn
        losses = trainable.losses(batch)
        losses["total"].backward()
    assert set(losses) == {"total", "prompts", "video"}
    silent = {
        name
        for name, parameter in trainable.network.named_parameters()
        if parameter.grad is None and not name.startswith("image_encoder.trunk.")
    }
    assert all("no_mem_pos_enc" in name or "no_obj" in name or "mask_downsample" in name for name in silent), silent
    assert all(p.grad is None for p in trainable.network.image_encoder.trunk.parameters())


def test_a_step_lowers_the_loss_of_its_own_pictures(trainable: PromptableTrainable) -> None:
    trainable.train()
    batch = batch_of(2)
    optimiser = torch.optim.AdamW(trainable.parameter_groups(2e-3)[0]["params"], 2e-3)
    found = []
    for _ in range(12):
        torch.manual_seed(3)  # the same prompts
        loss = trainable.losses(batch)["total"]
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        found.append(loss.item())
    assert found[-1] < 0.7 * found[0]


def test_a_new_trunk_is_fitted_to_the_classes_alike_in_every_process() -> None:
    one, same, other = (
        Oracle(OracleSettings(sam2=UNTRAINED, device="cpu")).trainable(classes).network.image_encoder.trunk
        for classes in ((0, 16), (0, 16), (14,))
    )
    assert all(torch.equal(a.deviation, b.deviation) for a, b in zip(one.norms, same.norms, strict=True))
    assert not torch.equal(one.norms[0].mean, other.norms[0].mean)
    assert all(0.7 < x.std().item() < 1.4 for x in one(batch_of(2).query))


def test_a_checkpoint_loads_by_its_path_and_carries_a_video(trainable: PromptableTrainable, tmp_path: Path) -> None:
    trainable.losses(batch_of(1))
    state = {name: value.contiguous() for name, value in trainable.network.state_dict().items()}
    save_file(state, tmp_path / "sam2.safetensors")
    network, _ = load_sam2(str(tmp_path / "sam2.safetensors"))
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in trainable.network.state_dict().items())
    carried = Oracle(OracleSettings(sam2=str(tmp_path / "sam2.safetensors"), device="cpu")).propagator()
    assert isinstance(carried, Sam2Propagator)
    frame = np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8)
    mask = np.zeros((120, 160), bool)
    mask[30:70, 40:90] = True
    carried.start(frame, Prompt(mask=mask))
    assert carried.step(frame).shape == mask.shape


@pytest.fixture
def remembering() -> PromptableTrainable:
    """A SAM 2 that is trained already, of which the memory is to learn."""
    return Oracle(OracleSettings(sam2="sam2-nano", device="cpu")).trainable(())


def test_of_a_trained_sam2_the_memory_alone_learns_and_pictures_stay_the_same(remembering: PromptableTrainable) -> None:
    network, batch = remembering.network, batch_of(2, frames=3)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with torch.no_grad():
        masks = remembering.logits(batch)
    optimisers = make_optimisers(RECIPE.changed({"optimiser": "adamw", "learning_rate": 1e-3}), remembering)
    remembering.train()
    for seed in range(3):
        torch.manual_seed(seed)
        losses = remembering.losses(batch)
        losses["total"].backward()
        optimisers["total"].step()
    assert set(losses) == {"total", "video"}
    after = network.state_dict()
    changed = {name for name, value in before.items() if not torch.equal(value, after[name])}
    assert {"memory_attention", "memory_encoder", "maskmem_tpos_enc"} <= {name.split(".")[0] for name in changed}
    assert all(name.startswith(MEMORY) for name in changed)
    network.eval()
    with torch.no_grad():
        assert torch.equal(remembering.logits(batch), masks)


def test_what_frozen_parts_see_is_remembered_as_it_is(remembering: PromptableTrainable) -> None:
    remembering.network.eval()  # without dropout
    batch = batch_of(2, frames=3)

    def loss() -> float:
        torch.manual_seed(0)
        with torch.no_grad():
            return float(remembering.losses(batch)["total"])

    plain = loss()
    remembering.remember(6)
    assert loss() == loss() == pytest.approx(plain, rel=1e-5)  # a picture alone or in a batch


def test_a_memory_does_not_learn_from_single_pictures(tmp_path: Path) -> None:
    with pytest.raises(IcvosError, match=r"frames=1: .* add --set frames=8, or settings\.sam2=nano for a new one"):
        prepare("nano-sam2-image", None, tmp_path / "out", settings={"settings.sam2": "sam2-nano"})
    assert not (tmp_path / "out").exists()


def test_one_click_in_the_middle_is_what_validates(trainable: PromptableTrainable) -> None:
    trainable.network.eval()
    with torch.no_grad():
        assert trainable.logits(DrawnEpisodes(RECIPE).validation(0)).shape == (1, 256, 256)


def test_an_oracle_by_affinity_has_nothing_to_learn() -> None:
    with pytest.raises(IcvosError, match="nothing of it learns"):
        Oracle(OracleSettings(device="cpu")).trainable(())


def test_prompts_belong_to_their_regions() -> None:
    labels = batch_of(2).query_label
    for seed in range(20):
        found = draw_prompts(labels, 4, 0.5, np.random.default_rng(seed))
        assert found.points.shape[1] in COUNTS
        assert found.targets.flatten(1).any(1).all()
        for points, kinds, target in zip(found.points, found.labels, found.targets, strict=True):
            for (x, y), kind in zip(points.tolist(), kinds.tolist(), strict=True):
                if kind in (0, 1):
                    assert target[int(y), int(x)].item() == kind
