"""Small checkpoints: half precision, and the frozen backbone from its own package."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from dcsam.model import DCSAM
from icvos.errors import IcvosError
from icvos.files.storage import sha256
from icvos.method import Prompt, load_method
from icvos.models.packed import pack
from icvos.models.sam.propagation import load_propagator
from icvos.models.sam.sam2 import NANO, build_sam2, fit_sam2, load_sam2
from icvos.models.weights import registry
from icvos.models.weights.header import read_header
from icvos.models.weights.load import BASE, SHARES, fit_state, lacks, read_state, without_body
from icvos.training.session import train

RECIPE = {"method": "oracle", "benchmark": "smallworld", "fold": 0, "size": 256, "shots": 1, "settings": {}}
MADE = {"made_by": "icvos train", "settings": "{}", "classes": "[]", "recipe": json.dumps(RECIPE)}


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    network, _ = load_sam2("nano")
    path = tmp_path / "best.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in network.state_dict().items()}, path, MADE)
    return path


def test_a_packed_file_loads_as_the_whole_one_does(whole: Path, tmp_path: Path) -> None:
    small = tmp_path / "small.safetensors"
    pack(whole, small)
    assert small.stat().st_size < whole.stat().st_size / 3
    assert not any("trunk.body" in name for name in load_file(small))
    assert lacks(small) == "efficientnet-lite0"
    assert read_header(small).items() >= MADE.items()
    assert without_body(str(small), "efficientnet-lite0")
    assert not without_body(str(small), "resnet50-v2")
    assert not without_body(str(whole), "efficientnet-lite0")
    before, after = (load_sam2(str(path))[0].state_dict() for path in (whole, small))
    assert before.keys() == after.keys()
    for name, tensor in before.items():
        if "trunk.body" in name:
            assert torch.equal(tensor, after[name])
        else:
            assert torch.allclose(tensor, after[name], rtol=1e-3, atol=1e-4)


def test_a_packed_file_never_stands_on_a_backbone_that_is_not_loaded(whole: Path, tmp_path: Path) -> None:
    """Else its layers would be what chance made them, and every mask nonsense without a word."""
    small = tmp_path / "small.safetensors"
    pack(whole, small)
    network = build_sam2(NANO)
    with pytest.raises(IcvosError, match=r"leaves efficientnet-lite0 out; Sam2 has to load that first"):
        fit_state(network, load_file(small), small)
    fit_sam2(network, load_file(small), small)


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("dcsam", "sam2-nano: is a checkpoint of SAM itself; add it as --set sam2=sam2-nano"),
        ("vrp-sam", "sam2-nano.*lacks"),
    ],
)
def test_a_small_sam2_given_as_another_network_is_named(method: str, message: str) -> None:
    """Not the backbone of the default settings, which has nothing to do with it."""
    with pytest.raises(IcvosError, match=message):
        load_method(method, {"checkpoint": "sam2-nano"})


@pytest.mark.parametrize(
    ("name", "factor", "message"),
    [
        ("layer1.0.conv1.weight", 1.0, "is not of efficientnet-lite0"),
        ("no_mem_embed", float("inf"), "is beyond half precision"),
    ],
)
def test_what_cannot_be_packed_is_refused(whole: Path, tmp_path: Path, name: str, factor: float, message: str) -> None:
    state = load_file(whole)
    state[name] = state.get(name, torch.ones(3)) * factor
    save_file(state, whole, MADE)
    with pytest.raises(IcvosError, match=message):
        pack(whole, tmp_path / "small.safetensors")
    assert not (tmp_path / "small.safetensors").exists()
    save_file(state, whole, {})
    with pytest.raises(IcvosError, match="no checkpoint of icvos train"):
        pack(whole, tmp_path / "small.safetensors")


def test_what_of_the_backbone_was_trained_is_kept(whole: Path, tmp_path: Path) -> None:
    small, name = tmp_path / "small.safetensors", "image_encoder.trunk.body.layer2.0._expand_conv.weight"
    state = load_file(whole)
    state[name] = state[name] + 0.5
    save_file(state, whole, MADE)
    pack(whole, small)
    assert [left for left in load_file(small) if "trunk.body" in left] == [name]
    assert torch.equal(load_sam2(str(small))[0].state_dict()[name], state[name].half().float())


@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("hdmnet-nano", {"cls.4.": "base_learnear.2."}),
        ("amnet-nano", {"cls.4.": "base_learnear.2."}),
        ("bam-nano", {"cls.": "learner_base.1.", "ppm.": "learner_base.0."}),
    ],
)
def test_the_base_learner_that_networks_share_comes_with_icvos_once(
    name: str, places: dict[str, str], tmp_path: Path
) -> None:
    """Left out and filled in again, to the bit, by whatever names they know it."""
    packed, whole, small = registry.OWN / f"{name}.safetensors", tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    state, left = read_state(packed), load_file(packed)
    for key, tensor in load_file(registry.OWN / "base-learner-nano.safetensors").items():
        own = next((key.replace(there, here, 1) for there, here in places.items() if key.startswith(there)), key)
        assert torch.equal(state[own], tensor), own
        assert own not in left
    save_file(state, whole, {key: text for key, text in read_header(packed).items() if key not in (BASE, SHARES)})
    pack(whole, small, "base-learner-nano")
    again = read_state(small)
    assert load_file(small).keys() == left.keys()
    assert again.keys() == state.keys()
    assert all(torch.equal(again[key], tensor) for key, tensor in state.items())


def test_only_what_comes_with_icvos_can_be_left_out(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(IcvosError, match=r"resnet50-v2: does not come with icvos; choose from .*base-learner-nano"):
        pack(whole, tmp_path / "small.safetensors", "resnet50-v2")


def test_what_comes_with_icvos_is_as_the_registry_says() -> None:
    inside = [known for known in registry.checkpoints().values() if known.inside]
    assert {known.inside for known in inside} == {path.name for path in registry.OWN.glob("*.safetensors")}
    for known in inside:
        path = registry.OWN / known.inside
        assert (path.stat().st_size, sha256(path)) == (known.size, known.sha256)
        assert registry.is_there(known)
        assert registry.locate(known) == path
    assert sum(known.size or 0 for known in inside) < 15_000_000


def trained_on(sam2: str, out: Path) -> Path:
    """A checkpoint of one training step of DC-SAM on a small SAM 2."""
    changes = {"settings.sam2": sam2, "size": 64, "pictures": 60, "inventions": 0}
    shorter = {"epochs": 1, "episodes": 2, "batch": 2, "validation_episodes": 0}
    return train("nano-dcsam-image", None, out, settings=changes | shorter).checkpoint


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """On the one that comes with icvos."""
    return trained_on("sam2-nano", tmp_path_factory.mktemp("trained"))


def dcsam(checkpoint: Path) -> DCSAM:
    method = load_method("dcsam", {"checkpoint": str(checkpoint), "device": "cpu"})
    assert isinstance(method, DCSAM)
    return method


def test_what_a_method_has_in_common_with_the_small_sam2_is_left_out(trained: Path, tmp_path: Path) -> None:
    small = tmp_path / "small.safetensors"
    pack(trained, small)
    left = load_file(small)
    assert "sam2.sam_mask_decoder.transformer.layers.0.self_attn.q_proj.weight" in left  # was trained
    assert not any(name.startswith(("sam2.memory_", "sam2.image_encoder.", "prompt_encoder.layer")) for name in left)
    before, after = (load_sam2(str(path))[0].state_dict() for path in (trained, small))
    assert all(torch.allclose(tensor, after[name], rtol=1e-3, atol=1e-4) for name, tensor in before.items())
    one, other = (dcsam(path) for path in (trained, small))
    one_mask, other_mask = (method.network.mask_prompt.corrected[0].weight for method in (one, other))
    assert torch.allclose(one_mask, other_mask, rtol=1e-3, atol=1e-4)
    carried = other.sam2().network.state_dict()
    assert all(torch.equal(tensor, after[name]) for name, tensor in carried.items())


def test_what_was_left_out_comes_from_icvos_whatever_else_is_named_so(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small, other = tmp_path / "small.safetensors", tmp_path / "other.safetensors"
    pack(trained, small)
    wanted = load_sam2(str(small))[0].state_dict()
    save_file({name: -tensor for name, tensor in load_file(registry.OWN / "sam2-nano.safetensors").items()}, other)
    monkeypatch.setenv("ICVOS_WEIGHTS_SAM2_NANO", str(other))
    found = load_sam2(str(small))[0].state_dict()
    assert all(torch.equal(tensor, wanted[name]) for name, tensor in found.items())


def test_a_memory_that_never_learned_carries_nothing_through_a_video(tmp_path: Path) -> None:
    """In silence it would give nonsense; so it would with what was trained on top of it, packed or not."""
    alone, small = tmp_path / "alone.safetensors", tmp_path / "small.safetensors"
    recipe = {**RECIPE, "labels": "objects", "frames": 1}
    state = {name: tensor.contiguous() for name, tensor in load_sam2("sam2-nano")[0].state_dict().items()}
    save_file(state, alone, MADE | {"recipe": json.dumps(recipe)})
    above = trained_on(str(alone), tmp_path / "above")
    pack(above, small)
    carried = [load_propagator(str(alone), "cpu"), dcsam(above).sam2(), dcsam(small).sam2()]
    for propagator, path in zip(carried, (alone, above, small), strict=True):
        with pytest.raises(IcvosError, match=f"{path.name}: .* add --set sam2=affinity, or take another SAM 2"):
            propagator.start(np.zeros((64, 64, 3), np.uint8), Prompt(mask=np.ones((64, 64), bool)))
    save_file(state, alone, MADE | {"recipe": json.dumps(recipe | {"frames": 4})})
    load_propagator(str(alone), "cpu").start(np.zeros((64, 64, 3), np.uint8), Prompt(mask=np.ones((64, 64), bool)))


def test_a_file_that_was_made_small_for_another_sam2_is_named(trained: Path, tmp_path: Path) -> None:
    small = tmp_path / "small.safetensors"
    pack(trained, small)
    header = read_header(small)
    save_file(load_file(small), small, header | {"base": f"sam2-nano {'0' * 64}"})
    with pytest.raises(IcvosError, match=r"small.safetensors: was made small for another sam2-nano; take the icvos"):
        dcsam(small)
    save_file(load_file(small), small, header | {"shares": '{"sam2.no_mem_embed": "no_such_tensor"}'})
    with pytest.raises(IcvosError, match=r"small.safetensors: its header is not as icvos weights pack writes it"):
        dcsam(small)
