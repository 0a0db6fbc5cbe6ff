"""INSID3 and its DINOv3 against the recorded outputs of the published programs, stage by stage."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from baselines.insid3 import INSID3, INSID3Settings
from baselines.insid3.grouping import (
    candidates_of,
    clusters_of,
    debiased,
    patch_mask,
    positional_basis,
    prototype_of,
    to_pixels,
    weigh,
)
from baselines.insid3.method import Found
from icvos.errors import IcvosError
from icvos.models.backbones.dinov3 import DINOV3_MODELS, DINOv3, load_dinov3
from icvos.models.squares import squash_mask
from tests import Json, parity
from tests.baselines.drawn import saved

CLOSE = {"rtol": 1e-4, "atol": 1e-4}  # as the specification says; integers and booleans are exact


def check(found: dict[str, Any], expected: dict[str, np.ndarray], run: str, *, every: bool = True) -> None:
    recorded = {name.removeprefix(f"{run}_") for name in expected if name.startswith(f"{run}_")}
    if every:
        assert recorded <= found.keys()
    for name in recorded & found.keys():
        value = found[name]
        array = value.cpu().numpy() if isinstance(value, Tensor) else np.asarray(value)
        wanted = expected[f"{run}_{name}"]
        parity.assert_close(array.astype(wanted.dtype), wanted, CLOSE, f"{run} {name}")


def checkpoint_of(case: Json, path: Path) -> str:
    state = {name: torch.from_numpy(np.array(value)) for name, value in parity.state_dict(case).items()}
    save_file(state, path)
    return str(path)


def test_dinov3(tmp_path: Path) -> None:
    case, expected = parity.load("insid3-features")
    network, loaded = load_dinov3("dinov3-vits16", checkpoint=checkpoint_of(case, tmp_path / "dinov3.safetensors"))
    assert loaded.sha256
    picture = torch.from_numpy(parity.normalise(parity.image(501, 160, 224)))[None]
    black = torch.from_numpy(parity.normalise(np.zeros((160, 224, 3), np.uint8)))[None]
    with torch.inference_mode():
        sine, cosine = network.rope_embed((10, 14))
        tokens = network.tokens(picture)[0]
        (last,) = network.features(picture, [11])
        found = {
            "patch_tokens": network(picture)[0].T.unflatten(1, (10, 14))[:, ::2, ::2],
            "class_token": tokens[0],
            "storage_tokens": tokens[1:5],
            "patch_tokens_before_norm": last[0, :, ::3, ::3],
            "black_patch_tokens": network(black)[0].T.unflatten(1, (10, 14))[:, ::3, ::3],
            "rope_sin": sine,
            "rope_cos": cosine,
        }
    assert found.keys() == expected.keys()
    for name, value in found.items():
        parity.assert_close(value.numpy(), expected[name], CLOSE, name)


@pytest.mark.parametrize(
    ("model", "count"),
    [("dinov3-vits16", 21_601_152), ("dinov3-vitb16", 85_669_632), ("dinov3-vitl16", 303_154_176)],
)
def test_sizes_are_the_published_ones(model: str, count: int) -> None:
    with torch.device("meta"):
        network = DINOv3(DINOV3_MODELS[model])
    unused = network.mask_token.numel()
    assert sum(parameter.numel() for parameter in network.parameters()) - unused in (count, count - unused)
    assert len(network.state_dict()) == (368 if model.endswith("l16") else 188)


def position(height: int, width: int, channels: int) -> np.ndarray:
    """(h, w, C), as the case describes it."""
    random = np.random.RandomState(302)
    u, v = random.standard_normal((3, channels)), random.standard_normal((3, channels))
    y, x = np.arange(height)[:, None, None] + 0.5, np.arange(width)[None, :, None] + 0.5
    terms = [np.cos(np.pi * j * y / height) * u[j - 1] + np.cos(np.pi * j * x / width) * v[j - 1] for j in (1, 2, 3)]
    return np.sum(terms, axis=0)


def scene(seed: int, mask_seed: int, grid: tuple[int, int], channels: int) -> Tensor:
    """(C, h, w) features of unit length, as the case describes them."""
    height, width = grid
    random = np.random.RandomState(301)
    base, own = random.standard_normal((3, channels)), random.standard_normal((6, channels))
    prototypes = 0.75 * base[np.arange(6) // 2] + 0.65 * own
    random = np.random.RandomState(seed)
    centres = random.uniform(0, 1, (8, 2)) * (height, width)
    y, x = np.mgrid[0:height, 0:width] + 0.5
    region = ((y[..., None] - centres[:, 0]) ** 2 + (x[..., None] - centres[:, 1]) ** 2).argmin(-1)
    kind = np.where(parity.mask(mask_seed, height, width) == 1, np.where(x < width / 2, 0, 1), 2 + region % 4)
    noise = random.standard_normal((height, width, channels))
    features = prototypes[kind] + 0.45 * position(height, width, channels) + 0.55 * noise
    return functional.normalize(torch.from_numpy(features.transpose(2, 0, 1).astype(np.float32)), dim=0)


@pytest.mark.parametrize(("case_name", "run"), parity.runs("insid3-core"))
def test_core(case_name: str, run: str) -> None:
    case, expected = parity.load(case_name)
    config, said = case["config"], case["inputs"]["runs"][run]
    settings = config["runs"][run]
    side, (height, width), channels = config["image_size"], config["grid"], config["channels"]
    black = 0.45 * position(height, width, channels)
    black += 0.3 * np.random.RandomState(303).standard_normal((height, width, channels))
    basis = positional_basis(torch.from_numpy(black.transpose(2, 0, 1).astype(np.float32)), settings["svd_components"])
    shots, masks = [], []
    for shot in range(settings["shots"]):
        shots.append(scene(said["seed"] + 10 * shot, said["mask_seed"] + 10 * shot, (height, width), channels))
        mask = parity.mask(said["mask_seed"] + 10 * shot, 180, 220)
        if "small_at" in said:
            top, left = said["small_at"]
            mask = np.zeros_like(mask)
            mask[top : top + 2, left : left + 2] = 1
        masks.append(patch_mask(squash_mask(mask > 0, side), (height, width)))
    features = scene(said["target_seed"], said["target_mask_seed"], (height, width), channels)
    target, supports = debiased(features, basis), torch.stack([debiased(shot, basis) for shot in shots])
    prototype = prototype_of(supports, torch.stack(masks))
    similarity = torch.einsum("c,chw->hw", prototype, target)
    candidates = candidates_of(similarity, target, supports, torch.stack(masks))
    clusters = clusters_of(features, settings["tau"])
    groups = weigh(clusters, candidates, similarity, prototype, features, target)
    patches = (groups.combined > settings["merge_threshold"])[clusters]
    found = {
        "ref_patch_masks": torch.stack(masks),
        "prototype": prototype,
        "target_debiased": target,
        "similarity": similarity,
        "candidates": candidates,
        "clusters": clusters,
        "seed": groups.seed,
        "coverage": groups.coverage,
        "cross": groups.cross,
        "intra": groups.intra,
        "combined": groups.combined,
        "patch_mask": patches,
        "mask": to_pixels(patches, side, tuple(settings["target_size"])),
        "projector": basis @ basis.T,
    }
    check(found, expected, run)


@pytest.mark.parametrize(("case_name", "run"), parity.runs("insid3-e2e"))
def test_from_pictures_to_masks(case_name: str, run: str, tmp_path: Path) -> None:
    case, expected = parity.load(case_name)
    config, said = case["config"], case["inputs"]["runs"][run]
    settings = config["runs"][run]
    method = INSID3(
        INSID3Settings(
            backbone="dinov3-vits16",
            backbone_checkpoint=checkpoint_of(case, tmp_path / "dinov3.safetensors"),
            side=config["image_size"],
            directions=settings["svd_components"],
            tau=settings["tau"],
            theta=settings["merge_threshold"],
            sam2="affinity",
        )
    )
    supports = [
        saved(tmp_path, parity.drawn(one["image"]), parity.drawn(one["mask"]) > 0, f"s{number}")
        for number, one in enumerate(said["references"])
    ]
    image = parity.drawn(said["target"])
    found: Found = method.find(supports, image)
    assert found.groups
    values = {
        "similarity": found.similarity,
        "candidates": found.candidates,
        "clusters": found.clusters,
        "seed": found.groups.seed,
        "combined": found.groups.combined,
        "patch_mask": found.patches,
        "mask": method.segment_image(supports, image),
    }
    check(values, expected, run, every=False)
    assert len(values) == sum(name.startswith(f"{run}_") for name in expected) - 1  # the encoder's own, checked above


def test_a_lone_patch_is_a_cluster() -> None:
    assert clusters_of(torch.ones(4, 1, 1) / 2, 0.6).tolist() == [[0]]


def test_clusters_are_numbered_by_their_first_patches() -> None:
    kinds = torch.tensor([[2, 2, 0], [1, 0, 1]])
    features = functional.one_hot(kinds, 3).float().permute(2, 0, 1)
    assert clusters_of(features, 0.6).tolist() == [[0, 0, 1], [2, 1, 2]]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"backbone": "dinov2-vitl14"}, "no such encoder; choose from dinov3-vits16, .*, efficientnet-lite0"),
        ({"side": 1000}, "give a multiple of 16"),
        ({"backbone": "efficientnet-lite0"}, "has 304 channels, of which nothing would be left"),
        ({"backbone": "efficientnet-lite0", "backbone_checkpoint": "x"}, "x: is for another encoder"),
    ],
)
def test_settings_that_do_not_fit_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(IcvosError, match=message):
        INSID3(INSID3Settings(**{"side": 320, "sam2": "affinity", **given}))


def test_an_empty_support_mask_is_named(tmp_path: Path) -> None:
    method = INSID3(INSID3Settings(backbone="efficientnet-lite0", directions=20, side=160, sam2="affinity"))
    image = parity.image(1, 60, 80)
    with pytest.raises(IcvosError, match="its mask is empty; give a support that shows the object"):
        method.segment_image([saved(tmp_path, image, np.zeros((60, 80), bool))], image)
    with pytest.raises(IcvosError, match="insid3 needs a support"):
        method.segment_image([], image)
