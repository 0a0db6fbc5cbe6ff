"""GF-SAM against the recorded outputs of the published program, stage by stage."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from baselines.gf_sam import GFSAM, GFSAMSettings
from baselines.gf_sam.graph import Masks, choose, components
from baselines.gf_sam.method import pixels_of
from baselines.gf_sam.similarity import all_alike, by_channel, cosine, likeness, points_of, prompt_map
from baselines.parts.decoding import ON_CPU
from icvos.errors import IcvosError
from tests import Json, parity
from tests.baselines.drawn import drawn, saved

CLOSE = {"rtol": 1e-5, "atol": 1e-5}  # as the specification says; integers and booleans are exact


def check(found: Json, expected: dict[str, np.ndarray], prefix: str = "") -> None:
    """Everything that is recorded, and nothing but it."""
    assert {prefix + name for name in found} == {name for name in expected if name.startswith(prefix)}
    for name, value in found.items():
        array, wanted = value.cpu().numpy() if isinstance(value, Tensor) else value, expected[prefix + name]
        assert array.shape == wanted.shape, name
        parity.assert_close(array.astype(wanted.dtype), wanted, CLOSE, prefix + name)


def prototypes(channels: int) -> np.ndarray:
    random = np.random.RandomState(901)
    base, own = random.standard_normal((3, channels)), random.standard_normal((6, channels))
    return 0.75 * base[np.arange(6) // 2] + 0.65 * own


def position(side: int, channels: int) -> np.ndarray:
    """(n, n, C), as the case describes it."""
    random = np.random.RandomState(902)
    u, v = random.standard_normal((3, channels)), random.standard_normal((3, channels))
    y, x = np.arange(side)[:, None, None] + 0.5, np.arange(side)[None, :, None] + 0.5
    return sum(np.cos(np.pi * j * y / side) * u[j - 1] + np.cos(np.pi * j * x / side) * v[j - 1] for j in (1, 2, 3))


def regions(random: np.random.RandomState, count: int, side: int) -> np.ndarray:
    """(n, n): the number of the nearest of some random centres."""
    centres = random.uniform(0, 1, (count, 2)) * side
    y, x = np.mgrid[:side, :side] + 0.5
    return np.asarray(((y[..., None] - centres[:, 0]) ** 2 + (x[..., None] - centres[:, 1]) ** 2).argmin(-1))


def scene(seed: int, mask: np.ndarray, run: Json, channels: int) -> Tensor:
    """(N, C) tokens, as the case describes them."""
    side, random = len(mask), np.random.RandomState(seed)
    kind = 2 + regions(random, 8, side) % 4
    kind = np.where(mask == 1, np.where(np.arange(side) + 0.5 < side / 2, 0, 1), kind)
    noise = random.standard_normal((side, side, channels))
    features = prototypes(channels)[kind] + run["a"] * position(side, channels) + run["b"] * noise
    return torch.from_numpy(features.astype(np.float32)).flatten(0, 1)


def masks_of(pixels: np.ndarray, run: Json, side: int) -> Tensor:
    """(K, L, L) bool: what stands in for SAM's masks of these points."""
    inside = np.zeros((side, side), np.uint8)
    if run["target_mask_seed"] is not None:
        inside = parity.mask(run["target_mask_seed"], side, side)
    part = regions(np.random.RandomState(run["target_seed"] + 1), run["centres"], side) + run["split"] * inside.astype(
        int
    )
    row, column = np.mgrid[:side, :side]
    found = []
    for x, y in pixels.tolist():
        same = part == part[y, x]
        disc = (row - y) ** 2 + (column - x) ** 2 <= run["radius"] ** 2
        kind = (x + 2 * y) % 17
        found.append(same if kind < 9 else same & disc if kind < 16 else same | disc)
    return torch.from_numpy(np.stack(found))


@pytest.mark.parametrize(("case_name", "name"), parity.runs("gfsam-core"))
def test_core(case_name: str, name: str) -> None:
    case, expected = parity.load(case_name)
    config, run = case["config"], case["inputs"]["runs"][name]
    side, grid, channels = config["L"], config["grid"], config["channels"]
    shots = range(run["shots"])
    shown = [
        scene(run["seed"] + 10 * k, parity.mask(run["mask_seed"] + 10 * k, grid, grid), run, channels) for k in shots
    ]
    masks = np.stack([parity.mask(run["mask_seed"] + 10 * k, side, side) for k in shots])
    where = np.zeros((grid, grid), np.uint8)
    if run["target_mask_seed"] is not None:
        where = parity.mask(run["target_mask_seed"], grid, grid)
    query = by_channel(scene(run["target_seed"], where, run, channels))
    maps = likeness(torch.stack([by_channel(one) for one in shown]), torch.from_numpy(masks).float(), query)
    strength = prompt_map(maps)
    points = points_of(strength)
    pixels = pixels_of(points, side)
    chosen = choose(Masks.of(masks_of(pixels, run, side), grid), points, maps, query)
    found = {
        "positive_mean": maps.mean,
        "positive_max": maps.greatest,
        "negative_mean": maps.outside,
        "prompt_map": strength,
        "points_grid": points,
        "points_pixel": pixels,
        "covers": chosen.covers,
        "components": chosen.clusters,
        "positive_gate": chosen.passed,
        "labels": chosen.labels,
        "scores": chosen.scores,
        "mask": chosen.mask,
    }
    check(found, expected, f"{name}_")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> GFSAM:
    """On the recorded weights."""
    case, _ = parity.load("gfsam-e2e")
    state = {name: torch.from_numpy(value) for name, value in parity.state_dict(case).items()}
    for layer in (0, 3):
        kernel = state[f"mask_decoder.output_upscaling.{layer}.weight"]
        state[f"mask_decoder.output_upscaling.{layer}.weight"] = kernel[..., :1, :1].expand_as(kernel).contiguous()
    parts, folder = ("image_encoder.", "prompt_encoder.", "mask_decoder."), tmp_path_factory.mktemp("gf-sam")
    save_file({name: value for name, value in state.items() if name.startswith(parts)}, folder / "sam.safetensors")
    encoder = {name: value for name, value in state.items() if not name.startswith(parts)}
    save_file(encoder, folder / "dinov2.safetensors")
    return GFSAM(
        GFSAMSettings(
            sam=str(folder / "sam.safetensors"),
            dinov2="dinov2-vits14",
            dinov2_checkpoint=str(folder / "dinov2.safetensors"),
            sam2="affinity",
            device="cpu",
        )
    )


def test_from_pictures_to_masks(recorded: GFSAM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case, expected = parity.load("gfsam-e2e")
    inputs = case["inputs"]
    said = [(parity.drawn(one["image"]), parity.drawn(one["mask"])) for one in inputs["support"]]
    supports = [saved(tmp_path, image, mask, str(number)) for number, (image, mask) in enumerate(said)]
    image = parity.drawn(inputs["query"])
    low: list[Tensor] = []
    decode = recorded.sam.decode

    def decoding(*given: Any, **options: Any) -> tuple[Tensor, Tensor]:
        found = decode(*given, **options)
        low.append(found[0][:, 0])
        return found

    monkeypatch.setattr(recorded.sam, "decode", decoding)
    found = recorded.find(supports, image)
    assert [len(one) for one in low] == [ON_CPU] * (len(found.points) // ON_CPU)  # and not the published 64
    assert found.masks
    assert found.chosen
    values = {
        "support_tokens": recorded.features(said[0][0])[::20],
        "query_tokens": recorded.features(image)[::20],
        "positive_mean": found.maps.mean,
        "positive_max": found.maps.greatest,
        "negative_mean": found.maps.outside,
        "prompt_map": prompt_map(found.maps),
        "points_grid": found.points,
        "points_pixel": pixels_of(found.points, case["config"]["L"]),
        "low_res": torch.cat(low)[::16, ::8, ::8],
        "area": found.masks.full.sum((1, 2)),
        "covers": found.chosen.covers,
        "components": found.chosen.clusters,
        "positive_gate": found.chosen.passed,
        "labels": found.chosen.labels,
        "mask": recorded.segment_image(supports, image),
    }
    check(values, expected)


@pytest.fixture(scope="module")
def nano() -> GFSAM:
    return GFSAM(GFSAMSettings("sam2-nano", "efficientnet-lite0", sam2="affinity", device="cpu"))


@pytest.mark.parametrize("handover", ["mask", "points"])
def test_prompts_of_any_frame(handover: Any, nano: GFSAM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nano, "settings", GFSAMSettings(handover=handover))
    support, frame = drawn(tmp_path, 3, parity.mask(3, 60, 90)), parity.image(9, 41, 70)
    prompt, found = nano.sam2_prompt([support], frame), nano.find([support], frame)
    assert found.chosen
    if handover == "mask":
        assert prompt.mask is not None
        assert np.array_equal(prompt.mask, nano.segment_image([support], frame))
        return
    assert prompt.points is not None
    assert len(prompt.points) == len(found.chosen.clusters[found.chosen.labels == 1].unique())
    places = (prompt.points * [nano.side / 70, nano.side / 41]).round().astype(int).tolist()
    left = pixels_of(found.points[found.chosen.labels == 1], nano.side).tolist()
    assert all(place in left for place in places)


def test_nothing_alike_gives_no_point_and_no_mask(nano: GFSAM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert points_of(torch.zeros(37, 37)).shape == (0, 2)
    few = torch.zeros(37, 37)
    few[5, 7] = 0.3
    assert points_of(few).tolist() == [[7, 5]]
    monkeypatch.setattr("baselines.gf_sam.method.prompt_map", lambda maps: torch.zeros_like(maps.mean))
    support = drawn(tmp_path, 3, parity.mask(3, 60, 90))
    mask = nano.segment_image([support], parity.image(9, 41, 70))
    assert mask.shape == (41, 70)
    assert not mask.any()
    prompt = nano.sam2_prompt([support], parity.image(9, 41, 70))
    assert prompt.mask is not None
    assert not prompt.mask.any()


def test_the_middle_stands_in_where_no_support_has_a_mask(nano: GFSAM, tmp_path: Path) -> None:
    image, empty, middle = parity.image(4, 80, 80), np.zeros((80, 80)), np.zeros((256, 256))
    middle[121:135, 121:135] = 1
    found = nano.find([saved(tmp_path, image, empty)], parity.image(9, 60, 60))
    big = np.array(Image.fromarray(image).resize((256, 256), Image.Resampling.BILINEAR))
    wanted = nano.find([saved(tmp_path, big, middle, "big")], parity.image(9, 60, 60))
    assert torch.equal(found.points, wanted.points)
    with pytest.raises(IcvosError, match="gf-sam needs a support"):
        nano.segment_image([], image)


def test_clusters_are_numbered_by_their_first_points() -> None:
    covers = torch.zeros(6, 6, dtype=torch.bool)
    for first, second in ((5, 3), (3, 1), (4, 0)):
        covers[first, second] = True
    assert components(covers).tolist() == [0, 1, 2, 1, 0, 1]


def test_features_that_are_all_alike() -> None:
    first, second = torch.randn(2, 9, 5, generator=torch.Generator().manual_seed(0))
    wanted = (1 + cosine(first, second)) / 2
    torch.testing.assert_close(cosine(all_alike(first), all_alike(second)), wanted)
