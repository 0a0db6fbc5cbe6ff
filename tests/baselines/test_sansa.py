"""SANSA against the recorded outputs of the published program, from pictures and supports to masks, and its loss."""

import argparse
import dataclasses
import functools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from baselines.sansa import SANSA, SANSASettings
from baselines.sansa.adapters import Adapters, load_adapters
from baselines.sansa.prompts import component_boxes, largest_box
from baselines.sansa.training import losses_of
from icvos.errors import IcvosError
from icvos.method import Prompt, segment
from icvos.models.sam.propagation import load_propagator
from icvos.models.sam.sam2 import build_sam2
from icvos.models.squares import standardise
from icvos.models.weights.load import fresh_layers, read_state
from icvos.training.recipe import read_recipe
from icvos.training.trainable import EpisodeBatch
from tests import Json, parity
from tests.baselines.drawn import drawn, random_batch, saved, small_sam2

CHANGED = ("sam_mask_decoder.output_upscaling.0.weight", "sam_mask_decoder.output_upscaling.3.weight")
STEPS = {"features16": 2, "memory": 2, "conditioned": 2, "low_res": 2, "support_low_res": 4}  # of mask-prompt


def saved_weights(case: Json, folder: Path) -> dict[str, str]:
    """SAM 2 and the adapters as their publishers save them, as settings."""
    state = {name: torch.from_numpy(value) for name, value in parity.state_dict(case).items()}
    for name in CHANGED:
        state[name] = state[name][..., :1, :1].expand_as(state[name]).contiguous()
    adapters = {name: tensor for name, tensor in state.items() if name.startswith("sam.")}
    sam2 = {name: tensor for name, tensor in state.items() if name not in adapters}
    torch.save({"model": sam2}, folder / "sam2.pt")
    options = argparse.Namespace(channel_factor=0.3, adaptformer_stages=[2, 3], lr=1e-4)
    rest = {"optimizer": {"state": {}, "param_groups": []}, "lr_scheduler": {"last_epoch": 1}, "epoch": 4}
    torch.save({"model": adapters, "args": options, **rest}, folder / "adapters.pth")
    return {"checkpoint": str(folder / "adapters.pth"), "sam2": str(folder / "sam2.pt")}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> SANSA:
    """On the weights of the first case, at its size."""
    case, _ = parity.load("sansa-mask-prompt")
    with small_sam2():
        found = SANSA(SANSASettings(**saved_weights(case, tmp_path_factory.mktemp("sansa")), size=160, device="cpu"))
    assert found.network.image_size == case["config"]["image_size"]
    return found


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> SANSA:
    """On the weights of the second case, at its size; pictures go straight to SAM 2's square."""
    case, _ = parity.load("sansa-point-prompts")
    return SANSA(SANSASettings(**saved_weights(case, tmp_path_factory.mktemp("sansa")), size=None, device="cpu"))


class Seen:
    """What SAM 2's parts are given and give while a sequence runs, in order."""

    def __init__(self) -> None:
        self.features: list[Tensor] = []  # (256, s, s) of each picture
        self.decoded: list[tuple[Tensor, Tensor]] = []  # logits and predicted IoUs
        self.conditioned: list[Tensor] = []  # (256, s, s) of each target
        self.tokens: list[tuple[int, int]] = []  # spatial and pointer tokens of each target
        self.memories: list[Tensor] = []  # (64, s, s) of each picture
        self.into_memory: list[Tensor] = []  # (L, L) mask logits of each picture
        self.adapted: dict[str, list[Tensor]] = {}


@contextmanager
def watched(method: SANSA, places: tuple[str, ...] = ()) -> Iterator[Seen]:
    seen, network = Seen(), method.network

    def encoded(_module: Any, _given: Any, found: Any) -> None:
        seen.features.append(found["backbone_fpn"][-1][0])

    def decoded(_module: Any, _given: Any, found: Any) -> None:
        seen.decoded.append((found[0][0], found[1][0]))

    def conditioned(_module: Any, _given: Any, options: Any, found: Tensor) -> None:
        side = network.image_size // 16
        pointers = options["num_obj_ptr_tokens"]
        seen.conditioned.append(found[:, 0].T.unflatten(1, (side, side)))
        seen.tokens.append((len(options["memory"]) - pointers, pointers))

    def remembered(_module: Any, _given: Any, found: Any) -> None:
        seen.memories.append(found["vision_features"][0])

    encode = network._encode_new_memory

    def encoded_memory(**given: Any) -> Any:
        seen.into_memory.append(given["pred_masks_high_res"][0, 0])
        return encode(**given)

    handles = [
        network.image_encoder.register_forward_hook(encoded),
        network.sam_mask_decoder.register_forward_hook(decoded),
        network.memory_attention.register_forward_hook(conditioned, with_kwargs=True),
        network.memory_encoder.register_forward_hook(remembered),
    ]
    for place in places:
        kept = seen.adapted.setdefault(place, [])
        adapter = method.adapters.at(place)
        handles.append(adapter.register_forward_hook(lambda _m, _g, found, kept=kept: kept.append(found[0])))
    network._encode_new_memory = encoded_memory
    try:
        yield seen
    finally:
        del network._encode_new_memory
        for handle in handles:
            handle.remove()


def run_sequence(method: SANSA, given: list[tuple[np.ndarray, Prompt]], targets: list[np.ndarray]) -> Json:
    """All that is recorded of a run, at full size."""
    stream, size = method.stream, targets[0].shape[:2]
    stream.reset()
    stream.kept = "first"
    with watched(method, ("blocks.3", "blocks.11")) as seen:
        low, pointers, masks = [], [], []
        for image, prompt in given:
            stream.condition(image, prompt)
            low.append(stream.output["pred_masks"][0, 0])
            pointers.append(stream.output["obj_ptr"][0])
        for image in targets:
            masks.append(stream.step(image))
            low.append(stream.output["pred_masks"][0, 0])
            pointers.append(stream.output["obj_ptr"][0])
    shots = len(given)
    answers = torch.stack([decoded[0] for decoded, _ in seen.decoded[:shots]])
    return {
        "features16": seen.features[shots],
        "support_low_res": torch.stack(low[:shots]),
        "memory": torch.stack(seen.memories),
        "pointers": torch.stack(pointers),
        "conditioned": torch.stack(seen.conditioned),
        "iou": torch.stack([ious for _, ious in seen.decoded[shots:]]),
        "low_res": torch.stack(low[shots:]),
        "mask": np.stack(masks),
        "tokens": np.array(seen.tokens),
        "adapter_3": seen.adapted["blocks.3"][shots],
        "adapter_11": seen.adapted["blocks.11"][shots],
        "support_answer": torch.nn.functional.interpolate(answers[None], size=size, mode="bilinear")[0],
        "support_memory_mask": seen.into_memory[0],
    }


def check(found: Json, expected: dict[str, np.ndarray], case: Json, name: str) -> None:
    """A recorded value, by the tolerance of its kind."""
    kind, wanted = name.split("_", 1)[1], expected[name]
    value = found[kind]
    array = value.numpy() if isinstance(value, Tensor) else value
    assert array.shape == wanted.shape, name
    bound = 5e-4 if kind in ("memory", "conditioned") else case["tolerance"]["rtol"]
    if kind == "mask":
        assert (array != wanted).mean() <= 0.0002, name
    else:
        parity.assert_close(array, wanted, {"rtol": bound, "atol": bound}, name)


@pytest.mark.parametrize(
    ("case_name", "run"), [("sansa-mask-prompt", run) for run in ["one", "three", "video", "eight", "long"]]
)
def test_mask_supports(case_name: str, run: str, small: SANSA) -> None:
    case, expected = parity.load(case_name)
    said = case["inputs"]["runs"][run]
    given = [
        (parity.image(one["image"], 160, 160), Prompt(mask=parity.mask(one["mask"], 160, 160) > 0))
        for one in said["supports"]
    ]
    targets = [parity.image(seed, 160, 160) for seed in said["targets"]]
    if said.get("window"):
        wide = parity.image(said["targets"][0], 160, 160 + 8 * len(targets))
        targets = [wide[:, 8 * number : 8 * number + 160] for number in range(len(targets))]
    found = run_sequence(small, given, targets)
    last = len(targets) - 1
    conditioned = [last] if said.get("brief") else [0, 1, 8] if run == "video" else [0, 0]
    found |= {
        "features16": found["features16"][::4, ::2, ::2],
        "support_low_res": found["support_low_res"][:, ::4, ::4],
        "memory": found["memory"][:3, ::4, ::2, ::2],
        "pointers": found["pointers"][:6],
        "conditioned": found["conditioned"][conditioned][:, ::4, ::2, ::2],
        "low_res": found["low_res"][[last] if said.get("brief") else slice(None), ::2, ::2],
        "mask": found["mask"][[last] if said.get("brief") else slice(None)],
        "adapter_3": found["adapter_3"][::2, ::2, ::6],
        "adapter_11": found["adapter_11"][::2, ::2, ::12],
        "support_answer": found["support_answer"][:, ::5, ::5],
        "support_memory_mask": found["support_memory_mask"][::8, ::8],
    }
    recorded = [name for name in expected if name.startswith(f"{run}_")]
    assert len(recorded) >= 5
    for name in recorded:
        check(found, expected, case, name)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case_name", "run"), [("sansa-point-prompts", run) for run in ["points", "scribble", "box", "mixed"]]
)
def test_other_supports(case_name: str, run: str, large: SANSA) -> None:
    case, expected = parity.load(case_name)
    given = []
    for one in case["inputs"]["runs"][run]["supports"]:
        mask = parity.mask(one.get("mask", 0), 160, 208) > 0
        points = np.array(one.get("points", np.argwhere(mask)[:, ::-1]), np.float32)
        if "step" in one:
            points = points[(points % one["step"] == 0).all(1)]
        assert "count" not in one or len(points) == one["count"]
        prompt = {
            "mask": Prompt(mask=mask),
            "box": Prompt(box=np.array(one.get("box"), np.float32)),
        }.get(one["kind"], Prompt(points=points, labels=np.ones(len(points), np.int64)))
        if one["kind"] == "box":
            assert largest_box(mask) == tuple(one["box"])
        given.append((parity.image(one["image"], 160, 208), prompt))
    targets = [parity.image(seed, 160, 208) for seed in case["inputs"]["runs"][run]["targets"]]
    found = run_sequence(large, given, targets)
    found |= {
        "support_low_res": found["support_low_res"][:, ::8, ::8],
        "support_answer": found["support_answer"][:, ::8, ::8],
        "memory": found["memory"][: len(given), ::4, ::8, ::8],
        "conditioned": found["conditioned"][-1:, ::8, ::8, ::8],
        "low_res": found["low_res"][:, ::8, ::8],
    }
    recorded = [name for name in expected if name.startswith(f"{run}_") and name != "box_components"]
    assert len(recorded) == 8
    for name in recorded:
        check(found, expected, case, name)


def test_boxes_of_masks_with_many_parts() -> None:
    case, expected = parity.load("sansa-point-prompts")
    masks = []
    for seed in case["inputs"]["boxes"]["seeds"]:
        mask = np.zeros((160, 208), bool)
        for j in range(11):
            top, left = 37 * (seed + 3 * j * j) % 120, 53 * (seed + 5 * j * j) % 168
            mask[top : top + 40, left : left + 40] |= parity.mask(seed + 1000 * j, 40, 40) > 0
        masks.append(mask)
    masks.append(np.zeros_like(masks[0]))
    assert [len(component_boxes(mask)) for mask in masks] == expected["box_components"].tolist()
    np.testing.assert_array_equal([largest_box(mask) for mask in masks], expected["boxes"])


@pytest.mark.parametrize("counted", [1, 2])
def test_loss(counted: int) -> None:
    _, expected = parity.load("sansa-mask-prompt")
    logits = torch.from_numpy(np.random.RandomState(77).standard_normal((4, 20, 20)).astype(np.float32)) * 2
    truth = torch.from_numpy(np.stack([parity.mask(90 + number, 20, 20) for number in range(4)])).float()
    found = losses_of(logits.unflatten(0, (2, 2))[:, -counted:], truth.unflatten(0, (2, 2))[:, -counted:])
    np.testing.assert_allclose([float(found["focal"]), float(found["dice"])], expected[f"loss_{counted}"], rtol=1e-4)
    assert float(found["total"]) == pytest.approx(expected[f"loss_{counted}"].sum(), rel=1e-4)


def shape_of(model: str) -> Any:
    """A SAM 2 without weights and without the memory for them."""
    with pytest.MonkeyPatch.context() as patch, torch.device("meta"):
        patch.setattr(torch, "linspace", functools.partial(torch.linspace, device="cpu"))  # whose numbers are read
        return build_sam2(model, postprocess=False, scores=False)


@pytest.mark.parametrize(
    ("model", "blocks", "counts", "frozen"),
    [
        ("sam2-hiera-t", range(3, 12), (1_117_380, 1_857_696, 2_962_404), 38_813_633),
        ("sam2-hiera-b+", range(5, 24), (3_093_947, 5_152_112, 8_216_491), 80_701_313),
        ("sam2-hiera-l", range(8, 48), (9_898_385, 16_511_184, 26_333_537), 224_297_777),
    ],
)
def test_sizes_are_the_published_ones(model: str, blocks: range, counts: tuple[int, ...], frozen: int) -> None:
    network = shape_of(model)
    with torch.device("meta"):
        made = [Adapters.fresh(network.image_encoder.trunk, (2, 3), share) for share in (0.3, 0.5, 0.8)]
    assert made[0].places == tuple(f"blocks.{number}" for number in blocks)
    assert len(made[0].state_dict()) == 6 * len(blocks)
    assert tuple(sum(parameter.numel() for parameter in one.parameters()) for one in made) == counts
    assert sum(parameter.numel() for parameter in network.parameters()) == frozen


def test_bottlenecks_are_shares_of_what_enters_a_block_cut() -> None:
    adapters = Adapters.fresh(shape_of("sam2-hiera-l").image_encoder.trunk, (2, 3), 0.3)
    found = {number: adapters.at(f"blocks.{number}").down_proj.out_features for number in (8, 9, 43, 44, 45, 47)}
    assert found == {8: 86, 9: 172, 43: 172, 44: 172, 45: 345, 47: 345}


@pytest.fixture(scope="module")
def trunk() -> Any:
    """Hiera-T's, without its weights."""
    return shape_of("sam2-hiera-t").image_encoder.trunk


def adapter_file(trunk: Any, path: Path, drop: str = "never") -> str:
    """Adapters of two stages without those whose names have ``drop``."""
    state = Adapters.fresh(trunk, (2, 3), 0.3).state_dict()
    save_file({name: tensor for name, tensor in state.items() if drop not in name}, path)
    return str(path)


def test_stages_and_bottlenecks_are_told_from_the_file(trunk: Any, tmp_path: Path) -> None:
    written = Adapters.fresh(trunk, (3,), 0.7)
    save_file(written.state_dict(), tmp_path / "adapters.safetensors")
    read, loaded = load_adapters(str(tmp_path / "adapters.safetensors"), trunk, "sam2-hiera-t", SANSASettings())
    assert read.places == ("blocks.10", "blocks.11")
    assert read.at("blocks.10").down_proj.weight.shape == (int(0.7 * 384), 768)
    assert loaded.sha256


@pytest.mark.parametrize(
    ("model", "drop", "message"),
    [
        ("sam2-hiera-t", "blocks.7.", "its adapters do not fit .*: it has none of blocks.7; give the SAM 2 that"),
        (
            "sam2-hiera-t",
            "up_proj",
            r"lacks .*adapter.up_proj.bias, .* and 15 more; this is not a checkpoint of Adapters",
        ),
        ("sam2-hiera-t", "adapter", "has no adapters .*; give a file of SANSA's adapters"),
        ("sam2-hiera-s", "never", "do not fit sam2-hiera-s: it has none of blocks.12; give the SAM 2"),
        ("sam2-hiera-l", "never", "do not fit sam2-hiera-l: it has none of blocks.2; give the SAM 2"),
        ("sam2-hiera-b+", "blocks.3", "do not fit .*; give the SAM 2"),
    ],
)
def test_files_of_something_else_are_refused(model: str, drop: str, message: str, trunk: Any, tmp_path: Path) -> None:
    path = adapter_file(trunk, tmp_path / "adapters.safetensors", drop)
    other = shape_of(model).image_encoder.trunk
    with pytest.raises(IcvosError, match=message) as refusal:
        load_adapters(path, other, model, SANSASettings())
    assert "\n" not in str(refusal.value)


def test_files_that_hold_more_than_options_are_refused(tmp_path: Path) -> None:
    torch.save({"model": {}, "args": argparse.Namespace(out=tmp_path.joinpath)}, tmp_path / "adapters.pth")
    with pytest.raises(IcvosError, match="holds Python objects beside tensors, which could run code"):
        read_state(tmp_path / "adapters.pth")


def test_sam_2_1_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IcvosError, match=r"sam2.1-hiera-l: is a SAM 2.1, .*; use --set sam2=sam2-hiera-l"):
        SANSA(SANSASettings(sam2="sam2.1-hiera-l", device="cpu"))
    with small_sam2():
        network = build_sam2("sam2.1-hiera-t")
        save_file(network.state_dict(), tmp_path / "sam2.safetensors")
        with pytest.raises(IcvosError, match=r"sam2.safetensors: is a SAM 2.1"):
            SANSA(SANSASettings(sam2=str(tmp_path / "sam2.safetensors"), device="cpu"))


def nano(**given: Any) -> SANSA:
    """On the small SAM 2 with new adapters, which are made to do something."""
    method = SANSA(SANSASettings(**{"sam2": "sam2-nano", "size": 256, "device": "cpu", **given}))
    for place in method.adapters.places:
        with fresh_layers():
            torch.nn.init.normal_(method.adapters.at(place).up_proj.weight, std=0.5)
    return method


def test_adapters_change_what_sam_2_sees(tmp_path: Path) -> None:
    support, image = drawn(tmp_path, 3, parity.mask(3, 60, 80)), parity.image(9, 60, 80)
    plain, adapted = SANSA(SANSASettings(sam2="sam2-nano", size=256, device="cpu")), nano()
    plain.segment_image([support], image)
    adapted.segment_image([support], image)
    assert plain.stream.logits is not None
    assert adapted.stream.logits is not None
    assert np.abs(plain.stream.logits - adapted.stream.logits).max() > 0.1


def test_each_frame_alone_has_the_masks_of_single_pictures(tmp_path: Path) -> None:
    supports = [drawn(tmp_path, seed, parity.mask(seed, 50, 60)) for seed in (3, 4)]
    frames = [parity.image(seed, 60, 80) for seed in (5, 6, 7)]
    method = nano(handover="each-frame")
    masks = list(segment(method, supports, frames))
    for mask, frame in zip(masks, frames, strict=True):
        assert np.array_equal(mask, method.segment_image(supports, frame))


def test_the_first_frame_and_then_sam_2(tmp_path: Path) -> None:
    support, frames = drawn(tmp_path, 3, parity.mask(3, 50, 60)), [parity.image(seed, 60, 80) for seed in (5, 6)]
    method = nano(handover="mask")
    masks = list(segment(method, [support], frames))
    first = method.segment_image([support], frames[0])
    plain = load_propagator("sam2-nano", "cpu")
    wanted = [plain.start(frames[0], Prompt(mask=first)), plain.step(frames[1])]
    assert all(np.array_equal(mask, other) for mask, other in zip(masks, wanted, strict=True))


def test_all_supports_are_kept_on_videos_and_the_first_alone_as_published(tmp_path: Path) -> None:
    supports = [drawn(tmp_path, seed, parity.mask(seed, 50, 60)) for seed in (3, 4, 5)]
    frames = [parity.image(6, 60, 80)] * 18
    held = {}
    for keep, kept in (("auto", [0, 1, 2]), ("first", [0])):
        method = nano(keep=keep)
        assert len(list(segment(method, supports, frames))) == len(frames)
        memory = method.stream.memory
        assert sorted(memory.prompted) == kept
        assert len(memory.recent) == 15  # of which six have a spatial memory
        assert sum(one["maskmem_features"] is not None for one in memory.recent.values()) == 6
        held[keep] = memory.held_bytes()
    assert held["first"] < held["auto"] < 2 * held["first"]


def test_the_order_of_supports_is_of_no_matter_where_all_are_kept(tmp_path: Path) -> None:
    """With SAM 2.0: the small one's pointers know how old they are."""
    supports = [drawn(tmp_path, seed, parity.mask(seed, 50, 60)) for seed in (3, 4, 5)]
    with small_sam2():
        method = SANSA(SANSASettings(sam2="sam2-hiera-t", size=160, device="cpu"))
    image, apart = parity.image(9, 60, 80), {}
    for keep in ("all", "first"):
        method.settings = dataclasses.replace(method.settings, keep=keep)
        found = []
        for given in (supports, supports[::-1]):
            method.segment_image(given, image)
            assert method.stream.logits is not None
            found.append(method.stream.logits)
        apart[keep] = float(np.abs(found[0] - found[1]).max())
    assert apart["all"] < 1e-4
    assert apart["first"] > 1e-3


@pytest.mark.parametrize("kind", ["point", "scribble", "box"])
def test_supports_with_less_than_a_mask(kind: Any, tmp_path: Path) -> None:
    mask = parity.mask(3, 50, 60)
    support, empty = drawn(tmp_path, 3, mask), drawn(tmp_path, 4, np.zeros((50, 60)))
    method = nano(prompt=kind)
    prompt = method.stream.prompt_of(mask > 0)
    rows, columns = np.nonzero(mask)
    if kind == "box":
        assert prompt.box is not None
        assert np.abs(prompt.box - [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]).max() < 1
    else:
        assert prompt.points is not None
        x, y = prompt.points.astype(int).T
        assert mask[y, x].mean() > 0.9
        assert (len(prompt.points) == 20) is (kind == "point")
    image = parity.image(9, 60, 80)
    masks = [method.segment_image([one], image) for one in (support, support, empty)]
    assert np.array_equal(masks[0], masks[1])
    assert masks[2].shape == (60, 80)


@pytest.mark.parametrize(("kind", "targets"), [("mask", 3), ("box", 1)])
def test_adapters_learn_and_nothing_else(kind: Any, targets: int) -> None:
    method = nano(prompt=kind, targets=targets)
    trainable = method.trainable(())
    one = random_batch([0, 1], side=64)
    batch = dataclasses.replace(
        one, supports=one.supports.expand(-1, 3, -1, -1, -1), support_labels=one.support_labels.expand(-1, 3, -1, -1)
    )
    trainable.network.requires_grad_(True)
    before = {name: tensor.clone() for name, tensor in method.network.state_dict().items()}
    optimiser = torch.optim.AdamW(trainable.parameter_groups(1e-2)[0]["params"])
    totals = []
    for _ in range(2):
        trainable.train()
        torch.manual_seed(1)
        found = trainable.losses(batch)
        totals.append(found["total"].item())
        found["total"].backward()
        optimiser.step()
        optimiser.zero_grad()
    assert totals[1] < totals[0]
    assert all(torch.equal(tensor, before[name]) for name, tensor in method.network.state_dict().items())
    assert trainable.logits(batch).shape == (2, 64, 64)
    assert not method.network.training


def test_training_finds_what_the_method_finds(tmp_path: Path) -> None:
    """The batched sequence of training and the stream are one computation."""
    picture, mask, image = parity.image(3, 256, 256), parity.mask(3, 256, 256), parity.image(9, 256, 256)
    method = nano()
    method.segment_image([saved(tmp_path, picture, mask)], image)
    label = torch.from_numpy(mask).long()[None]
    batch = EpisodeBatch(
        standardise(image)[None], label, standardise(picture)[None, None], label[None], torch.tensor([0])
    )
    with torch.inference_mode():
        found = method.trainable(()).logits(batch)[0].numpy()
    np.testing.assert_allclose(found, method.stream.logits, atol=1e-3)


def test_more_targets_than_supports_are_refused() -> None:
    with pytest.raises(IcvosError, match=r"settings\.targets = 3, but shots = 1; .* set shots to 3 or more"):
        nano(targets=3).trainable(()).losses(random_batch([0], side=64))


def test_the_published_recipe() -> None:
    recipe = read_recipe("sansa-coco-20i")
    assert recipe.batch * recipe.accumulate == 32
    assert (recipe.gradient_clip, recipe.weight_decay, recipe.learning_rate) == (0.1, 0, 1e-4)
    assert read_recipe("sansa-ic-vos").settings == {"bottleneck": 0.8}


def test_a_record_says_what_it_is_made_of() -> None:
    method = nano()
    described = method.describe()
    assert [one["name"] for one in described["weights"]] == ["never trained", "sam2-nano.safetensors"]
    assert described["settings"]["stages"] == (2, 3)
    assert described["settings"]["resize"] == "256-bilinear"
    with pytest.raises(IcvosError, match="sansa needs a support"):
        method.segment_image([], parity.image(1, 40, 40))
