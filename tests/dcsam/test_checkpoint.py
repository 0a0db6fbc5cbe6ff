"""Checkpoints that are another model's, or of other settings: one line that says what was found and what to do."""

import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from baselines.pfenet import PFENetwork
from baselines.vrp_sam import PromptEncoder as VRPPromptEncoder
from dcsam.checkpoint import Shape, load_generator, shape_of
from dcsam.model import DCSAM, DCSAMSettings, build_body
from dcsam.prompt_generator import PromptGenerator, Variant
from icvos.errors import IcvosError
from icvos.files.storage import sha256
from icvos.models.backbones.build import build_backbone
from icvos.models.backbones.dinov2 import DINOv2
from icvos.models.backbones.dinov2 import Variant as Size
from icvos.models.sam.lora import with_adapter
from icvos.models.sam.sam2 import NANO, SAM2_MODELS, build_sam2
from icvos.training.recipe import Recipe
from tests import Json
from tests.baselines.drawn import small_sam2, supports

WANTED = DCSAMSettings(backbone="vgg16-bn")


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
    assert (list(found.own) if found else []) == [name.removeprefix("sam2.") for name in beside]
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"variant": "prior"}, "was trained with variant=prior, not full; add --set variant=prior"),
        (
            {"sam": 1},
            "was trained with encoder=sam, not sam2; add --set encoder=sam for images, or train for videos with: icvos "
            "train dcsam-ic-vos-image",
        ),
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
        ({"mask_prompt": True}, "was trained with mask_prompt=True, not False; add --set mask_prompt=True"),
    ],
)
def test_other_settings_are_named(tmp_path: Path, changes: dict, said: str) -> None:
    path = as_published(state_of(**changes), tmp_path / "other.pth")
    with pytest.raises(IcvosError, match=said):
        load_generator(PromptGenerator(build_body("vgg16-bn")), path, WANTED)


def refused(path: Path | str, said: str) -> None:
    """Given as the checkpoint, the file is refused with a line that names it and says this."""
    with pytest.raises(IcvosError, match=f"^{path}: {said}") as caught:
        load_generator(PromptGenerator(build_body("vgg16-bn")), str(path), WANTED)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (
            lambda: VRPPromptEncoder(build_backbone("vgg16-bn", "torchvision")),
            "is a checkpoint of VRP-SAM; run it with",
        ),
        (lambda: PFENetwork(build_backbone("vgg16-bn", "pfenet")), "is no checkpoint of DC-SAM; train one with: icvos"),
        (lambda: build_sam2("sam2-hiera-t"), "is a checkpoint of SAM itself; add it as --set sam2=.*other.pth, and as"),
        (lambda: with_adapter(build_sam2("sam2-hiera-t")), "is an adapter of SAM 2 without prompt_encoder.*save both"),
        (lambda: nn.Linear(2, 2), "is no checkpoint of DC-SAM; train one with: icvos train dcsam-coco-20i"),
    ],
)
def test_other_models_are_named(tmp_path: Path, build: Callable[[], nn.Module], said: str) -> None:
    refused(as_published(build().state_dict(), tmp_path / "other.pth"), said)


@pytest.mark.parametrize("name", ["merge_1.0.weight", "transformer_decoder.supp_q_feat.weight"])
def test_what_tells_a_shape_may_be_odd(tmp_path: Path, name: str) -> None:
    for odd in ({}, {name: torch.ones(())}):
        state = {other: value for other, value in state_of().items() if other != name}
        refused(as_published(state | odd, tmp_path / "odd.pth"), "is no checkpoint of DC-SAM")


def test_files_that_are_none_are_named(tmp_path: Path) -> None:
    whole = Path(as_published(state_of(), tmp_path / "whole.pth")).read_bytes()
    (tmp_path / "cut.pth").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.pth").write_bytes(b"")
    refused(tmp_path / "cut.pth", "is a file that was cut off or damaged, not a checkpoint; fetch it again, or train")
    refused(tmp_path / "empty.pth", "is an empty file, not a checkpoint; fetch it again, or train it again")


def trained_file(path: Path, method: str = "dcsam", weights: Sequence[Json] = (), **settings: object) -> str:
    """A generator, and an adapter beside it, with the header of `icvos train`."""
    adapter = with_adapter(build_sam2(NANO)).state_dict()
    beside = {f"sam2.{name}": value for name, value in adapter.items() if ".lora_" in name}
    state = {f"prompt_encoder.{name}": value for name, value in state_of(variant="prior", width=128).items()} | beside
    facts = {
        "recipe": Recipe(method, benchmark="all-coco").to_json(),
        "settings": dataclasses.asdict(DCSAMSettings()) | settings,
        "classes": [0],
        "weights": weights,
    }
    header = {"made_by": "icvos train"} | {name: json.dumps(fact) for name, fact in facts.items()}
    save_file({name: value.contiguous() for name, value in state.items()}, path, header)
    return str(path)


PRIOR = {"backbone": "vgg16-bn", "variant": "prior", "device": "cpu"}


def test_a_sam_that_icvos_trained_is_named_as_one(tmp_path: Path) -> None:
    path = tmp_path / "nano.safetensors"
    facts = {"recipe": Recipe("oracle", benchmark="all-coco").to_json(), "settings": {"sam2": "nano"}}
    facts |= {"classes": [0], "weights": []}
    state = {name: value.contiguous() for name, value in build_sam2(NANO).state_dict().items()}
    save_file(state, path, {"made_by": "icvos train"} | {name: json.dumps(fact) for name, fact in facts.items()})
    refused(path, "is a checkpoint of SAM itself; add it as --set sam2=")


def test_what_the_header_says_is_heeded(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    refused(trained_file(tmp_path / "other.safetensors", "pfenet"), "is a checkpoint of pfenet; run it with --method")
    plain = trained_file(tmp_path / "plain.safetensors", cyclic=False, fidelity="paper")
    with pytest.raises(IcvosError, match="was trained with cyclic=False, not True; use --set cyclic=False"):
        DCSAM(DCSAMSettings(**PRIOR, checkpoint=plain, width=128))
    assert not caplog.text
    DCSAM(DCSAMSettings(**PRIOR, checkpoint=plain, width=128, cyclic=False))
    assert f"{plain}: was trained with fidelity=paper, and is good for that alone" in caplog.text


def test_an_adapter_needs_the_sam2_that_it_was_trained_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SAM2_MODELS, "sam2-hiera-t", NANO)  # a small one under a published name
    saved = build_sam2(NANO).state_dict()
    own, beside, wrong = (tmp_path / name for name in ("own.pt", "beside.pth", "wrong.pt"))
    torch.save({"model": saved}, own)
    torch.save({f"sam2.{name}": value for name, value in saved.items()}, beside)
    torch.save({"model": saved | {"maskmem_tpos_enc": torch.ones(7, 1, 1, 64)}}, wrong)
    monkeypatch.setenv("ICVOS_WEIGHTS_SAM2_HIERA_T", str(wrong))
    weights = [{"name": "vgg16-bn", "sha256": None}, {"name": "own.pt", "sha256": sha256(own)}]
    path = trained_file(tmp_path / "adapter.safetensors", weights=weights, backbone="vgg16-bn")
    chosen = {**PRIOR, "checkpoint": path, "width": 128}
    for base in (own, beside):
        described = DCSAM(DCSAMSettings(**chosen, sam2=str(base))).describe()
        assert described["settings"]["sam2_in_checkpoint"] == "LoRA"
        assert described["settings"]["sam2"] == str(base)
        assert [one["name"] for one in described["weights"]] == ["adapter.safetensors", base.name]
    remedy = "give the SAM 2 that it was trained on as --set sam2=NAME or PATH"
    with pytest.raises(IcvosError, match=f"its LoRA adapter was trained on own.pt, not on sam2-hiera-t; {remedy}"):
        DCSAM(DCSAMSettings(**chosen, sam2="sam2-hiera-t")).propagator()
    with pytest.raises(IcvosError, match=rf"is a LoRA adapter without its base; {remedy} \(sam2-hiera-l: .*fetch"):
        DCSAM(DCSAMSettings(**chosen)).propagator()


def test_sam2_is_needed_beside_a_checkpoint_that_lacks_it(tmp_path: Path) -> None:
    without = trained_file(tmp_path / "images.safetensors")
    within = trained_file(tmp_path / "videos.safetensors", tuned="both")
    assert DCSAM.needs(DCSAMSettings(checkpoint=without)) == (without, "sam2-hiera-l")
    assert DCSAM.needs(DCSAMSettings(checkpoint=within)) == (within,)
    assert DCSAM.needs(DCSAMSettings(encoder="sam")) == ("resnet50-v2", "sam-vit-h")


def test_the_record_says_where_sam2_is_from(tmp_path: Path) -> None:
    path = as_published(state_of(variant="prior"), tmp_path / "images.pth")
    with small_sam2():
        described = DCSAM(DCSAMSettings(**PRIOR, checkpoint=path, sam2="sam2-hiera-t")).describe()
    assert described["settings"]["sam2_in_checkpoint"] == "none"
    assert described["settings"]["sam2"] == "sam2-hiera-t"
    assert [one["name"] for one in described["weights"]] == ["images.pth", "sam2-hiera-t"]


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
        with pytest.raises(IcvosError, match="images alone; for videos take encoder=sam2 and a checkpoint that was"):
            DCSAM(DCSAMSettings(**chosen, encoder="sam")).prompt(shown[:1], frame)
        with pytest.raises(IcvosError, match="images alone"):
            DCSAM(DCSAMSettings(**chosen, encoder="sam")).propagator()
        with pytest.raises(IcvosError, match="SAM 1 stays frozen"):
            DCSAM(DCSAMSettings(**chosen, encoder="sam", tuned="both")).trainable(())
        with pytest.raises(IcvosError, match="needs a support"):
            method.prompt([], frame)
