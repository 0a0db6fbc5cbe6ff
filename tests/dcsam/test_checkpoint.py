"""Checkpoints that are another model's, or of other settings: one line that says what was found and what to do."""

from pathlib import Path
from typing import Any

import pytest
import torch

from dcsam.checkpoint import Shape, load_generator, shape_of
from dcsam.model import DCSAM, DCSAMSettings, build_body
from dcsam.prompt_generator import PromptGenerator, Variant
from icvos.errors import IcvosError
from icvos.models.backbones.dinov2 import DINOv2
from icvos.models.backbones.dinov2 import Variant as Size
from tests.baselines.drawn import small_sam2, supports

WANTED = Shape("vgg16-bn", "full", "sam2", 25)


def state_of(backbone: str = "vgg16-bn", variant: Variant = "full", sam: int = 2, **others: Any) -> dict:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return PromptGenerator(build_body(backbone), variant, sam, **others).state_dict()  # type: ignore[arg-type]


def as_published(state: dict, path: Path) -> str:
    torch.save({f"module.{name}": value for name, value in state.items()}, path)
    return str(path)


@pytest.mark.parametrize("prefix", ["", "prompt_encoder."])
def test_both_kinds_of_published_files_load(tmp_path: Path, prefix: str) -> None:
    state = state_of()
    beside = {"sam2.maskmem_tpos_enc": torch.ones(7)} if prefix else {}
    named = {f"{prefix}{name}": value for name, value in state.items()} | beside
    path = as_published(named, tmp_path / "published.pth")
    network = PromptGenerator(build_body("vgg16-bn"))
    loaded, found = load_generator(network, path, WANTED)
    assert loaded.name == "published.pth"
    assert list(found) == [name.removeprefix("sam2.") for name in beside]
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"variant": "prior"}, "was trained with variant=prior, not full; add --set variant=prior"),
        ({"sam": 1}, "was trained with encoder=sam, not sam2; add --set encoder=sam"),
        ({"queries": 5}, "was trained with queries=5, not 25; add --set queries=5"),
        (
            {"backbone": "resnet50-v2"},
            "was trained with backbone=resnet50-v2, not vgg16-bn; add --set backbone=resnet50-v2",
        ),
        ({"backbone": "resnet101-v2"}, "backbone=resnet101-v2, not vgg16-bn"),
        ({"backbone": "swin-b"}, "backbone=swin-b, not vgg16-bn"),
        ({"backbone": "efficientnet-lite0"}, "backbone=efficientnet-lite0, not vgg16-bn"),
        ({"negative": False}, "was trained with branches=positive, not both; add --set branches=positive"),
        ({"fusion": False}, "was trained with fusion=False, not True; add --set fusion=False"),
        ({"width": 128}, "was trained with width=128, not 256; add --set width=128"),
    ],
)
def test_other_settings_are_named(tmp_path: Path, changes: dict, said: str) -> None:
    path = as_published(state_of(**changes), tmp_path / "other.pth")
    with pytest.raises(IcvosError, match=said):
        load_generator(PromptGenerator(build_body("vgg16-bn")), path, WANTED)


@pytest.mark.parametrize(
    ("drop", "said"),
    [
        (
            ("merge_2", "neg_", "transformer_decoder.q_embed"),
            "is a checkpoint of VRP-SAM; run it with --method vrp-sam",
        ),
        (("merge",), "no checkpoint of DC-SAM"),
    ],
)
def test_other_models_are_named(tmp_path: Path, drop: tuple[str, ...], said: str) -> None:
    state = {name: value for name, value in state_of().items() if not name.startswith(drop)}
    with pytest.raises(IcvosError, match=said):
        load_generator(PromptGenerator(build_body("vgg16-bn")), as_published(state, tmp_path / "other.pth"), WANTED)


def test_dinov2_is_known_and_has_the_prior_variant_alone() -> None:
    small = DINOv2(Size(32, 2, 2, 4))
    with pytest.raises(IcvosError, match="set variant=prior"):
        PromptGenerator(small, "full")
    assert shape_of(PromptGenerator(small, "prior", 1).state_dict()) == Shape("dinov2-vitb14-reg", "prior", "sam", 25)


def test_what_published_models_cannot_do(tmp_path: Path) -> None:
    with small_sam2():
        chosen = {"backbone": "vgg16-bn", "size": 64, "sam2": "sam2-hiera-t", "device": "cpu"}
        shown, frame = supports(tmp_path, 2), supports(tmp_path, 2)[0].image()
        method = DCSAM(DCSAMSettings(**chosen))
        with pytest.raises(IcvosError, match="one shot, not 2; give --shots 1, or add --set fidelity=paper"):
            method.prompt(shown, frame)
        prompt = DCSAM(DCSAMSettings(**chosen, fidelity="paper")).prompt(shown, frame)
        assert prompt.embeddings is not None
        assert prompt.embeddings.shape == (50, 256)
        with pytest.raises(IcvosError, match="images alone; for videos add --set encoder=sam2"):
            DCSAM(DCSAMSettings(**chosen, encoder="sam")).prompt(shown[:1], frame)
        with pytest.raises(IcvosError, match="SAM 1 stays frozen"):
            DCSAM(DCSAMSettings(**chosen, encoder="sam", tuned="both")).trainable(())
        with pytest.raises(IcvosError, match="needs a support"):
            method.prompt([], frame)
