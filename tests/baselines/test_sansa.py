"""SANSA against the recorded outputs of the published program, from pictures and supports to masks, and its loss."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from baselines.sansa import SANSA, SANSASettings
from baselines.sansa.prompts import component_boxes, largest_box
from baselines.sansa.training import losses_of
from icvos.method import Prompt
from tests import Json, parity
from tests.baselines.drawn import small_sam2

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
