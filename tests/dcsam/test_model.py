"""DC-SAM as a method: published checkpoints in, the recorded masks out, on an image and on a video."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from dcsam.model import DCSAM, DCSAMSettings
from icvos.inspection.check import check_method
from icvos.method import Support
from icvos.models.maps import aligned
from icvos.models.sam.prompted import mask_prompt as as_mask_prompt
from icvos.models.squares import squash
from icvos.smallworld import World
from tests import Json, parity
from tests.baselines.drawn import saved

SAM_PARTS = ("image_encoder.", "prompt_encoder.", "mask_decoder.")


def published(state: dict[str, np.ndarray], path: Path, prefix: str = "module.") -> str:
    torch.save({prefix + name: torch.from_numpy(value) for name, value in state.items()}, path)
    return str(path)


def support(case: Json, folder: Path) -> Support:
    given = case["inputs"]
    image = parity.image(given["support_imgs"]["seed"], 512, 512)
    return saved(folder, image, parity.mask(given["support_masks"]["seed"], 512, 512))


def sub(x: torch.Tensor, every: int) -> torch.Tensor:
    return x[..., ::every, ::every]


@pytest.mark.slow
def test_recorded_image(tmp_path: Path) -> None:
    case, expected = parity.load("dcsam-sam1-vit-b-resnet50-end-to-end")
    state = parity.state_dict(case)
    sam = {name: value for name, value in state.items() if name.startswith(SAM_PARTS)}
    own = {name: value for name, value in state.items() if name not in sam}
    settings = DCSAMSettings(
        checkpoint=published(own, tmp_path / "dcsam.pth"),
        encoder="sam",
        sam=published(sam, tmp_path / "sam.pth", ""),
        device="cpu",
    )
    method, shown = DCSAM(settings), support(case, tmp_path)
    image = parity.image(case["inputs"]["query_img"]["seed"], 512, 512)
    found = method.find(method.see([shown], method.sam()), torch.from_numpy(parity.normalise(image)), method.sam())
    labels = [label.detach() for label in method.sam().labels]
    with torch.inference_mode():
        low = method.sam().logits(found.query, found.tokens)
    values = {
        "stage2_pos": found.tokens[:, :25] - labels[0],
        "stage2_neg": found.tokens[:, 25:] - labels[1],
        "coarse_low_res_logits": found.coarse,
        "low_res_logits": low,
        "logits_sub": sub(aligned(low, 512), 8),
        "query_sam_sub": sub(found.query, 8)[:, ::16],
    }
    for name, value in values.items():
        parity.assert_close(value.numpy(), expected[name], case["tolerance"], name)
    mask = np.unpackbits(expected["mask"][0], axis=1).astype(bool)
    assert (method.segment_image([shown], image) != mask).mean() <= 0.001


@pytest.mark.slow
def test_recorded_video(tmp_path: Path) -> None:
    case, expected = parity.load("dcsam-sam2.1-hiera-t-video")
    checkpoint = published(parity.state_dict(case), tmp_path / "video.pth")
    method, shown = DCSAM(DCSAMSettings(checkpoint=checkpoint, device="cpu")), support(case, tmp_path)
    given = case["inputs"]["query_video"]
    first = parity.image(given["seed"], 512, 512)
    shift = given["dy"], given["dx"]
    frames = [np.roll(first, (shift[0] * t, shift[1] * t), axis=(0, 1)) for t in range(given["frames"])]
    prompt = method.prompt([shown], frames[0])
    propagator = method.propagator()
    tokens = torch.from_numpy(prompt.embeddings)
    positive, negative = (label.detach() for label in method.sam().labels)
    parity.assert_close((tokens[:25] - positive)[None].numpy(), expected["stage2_pos"], case["tolerance"])
    parity.assert_close((tokens[25:] - negative)[None].numpy(), expected["stage2_neg"], case["tolerance"])
    masks, low, scores, pointers = [], [], [], []
    for number, frame in enumerate(frames):
        step = propagator.step(frame) if number else propagator.start(frame, prompt, len(frames))
        masks.append(step)
        low.append(propagator.output["pred_masks"])
        scores.append(propagator.output["object_score_logits"].flatten())
        pointers.append(propagator.output["obj_ptr"])
    logits = functional.interpolate(torch.cat(low), size=(512, 512), mode="bilinear", align_corners=False)[:, 0]
    values = {
        "first_frame_low_res_logits": low[0],
        "frame_low_res_logits_sub": sub(torch.cat(low), 4),
        "frame_logits_sub": sub(logits, 8),
        "frame_mean_logit": logits.mean((1, 2)),
        "frame_foreground_fraction": torch.tensor([mask.mean() for mask in masks]).float(),
    }
    for name, value in values.items():
        parity.assert_close(value.numpy(), expected[name], case["tolerance"], name)
    parity.assert_close(
        torch.cat(scores).numpy(), expected["object_score_logits"][1:], case["tolerance"]["object_score_logits"]
    )
    parity.assert_close(
        torch.cat(pointers).numpy(), expected["object_pointers"][1:], case["tolerance"]["object_pointers"]
    )


def test_a_rough_mask_reaches_sam2_on_videos_as_on_pictures(tmp_path: Path) -> None:
    """There it goes through a probability at the frame's size; that of a new network is the prior."""
    world = World(5, (96, 128), ("dog", "horse"))
    shown = saved(tmp_path, (one := world.picture(1, ("dog",))).image, one.ids > 0)
    frame = world.picture(0, ("dog",)).image
    small: dict[str, Any] = {"sam2": "nano", "width": 128, "size": 128, "backbone": "efficientnet-lite0"}
    logits = {}
    for mask_prompt in (False, True):
        method = DCSAM(DCSAMSettings(**small, fidelity="paper", mask_prompt=mask_prompt, device="cpu"))
        prompt, carried = method.prompt([shown], frame), method.sam2()
        assert (prompt.mask is not None) is mask_prompt
        carried.start(frame, prompt)
        logits[mask_prompt] = carried.output["pred_masks"]
        _, handed = carried._inputs(prompt, (96, 128))
        sam = method.video_sam()
        rough = method.find(method.see([shown], sam), squash(frame, 128), sam).rough
        if rough is None or handed is None:
            assert not mask_prompt
            continue
        on_picture = as_mask_prompt(rough, carried.network.sam_prompt_encoder.mask_input_size)
        assert handed.shape == on_picture.shape
        assert (handed - on_picture).abs().mean() < 0.5
        assert on_picture.amax() - on_picture.amin() > 10
    assert not torch.allclose(logits[False], logits[True], atol=0.1)


@pytest.mark.slow
def test_the_method_keeps_its_promises() -> None:
    small = {"sam2": "nano", "width": 128, "size": 64, "backbone": "efficientnet-lite0", "device": "cpu"}
    found = check_method("dcsam", settings=small, frames=22, random_weights=True)
    assert found.failed == 0, found
