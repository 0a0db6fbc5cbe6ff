"""Matcher against the recorded outputs of the published program, stage by stage."""

import dataclasses
from pathlib import Path
from random import Random
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from baselines.matcher.matching import GRID, SIDE, match, square_mask, target_patches, unit_features
from baselines.matcher.merging import Merging, choose, measure
from baselines.matcher.method import PRESETS, Matcher, MatcherSettings, Preset
from baselines.matcher.proposals import Filter, boxes_of
from baselines.matcher.sampling import centres, prompts
from icvos.errors import IcvosError
from icvos.files.masks import encode_binary
from icvos.method import Support
from icvos.models.sam.sam2 import SAM2_MODELS
from icvos.models.weights.registry import random_weights_allowed
from tests import parity


def check_match(found: Any, prefix: str, expected: dict, tolerance: dict) -> None:
    values = {
        "support_patches": found.target,
        "forward_rows": found.rows,
        "forward_cols": found.columns,
        "reverse_cols": found.back,
        "retained": found.retained,
        "forward_similarity": found.similarity,
        "num_kept": np.array(len(found.patches)),
        "points": found.points,
        "box": found.box,
    }
    recorded = {name for name in expected if name.startswith(f"{prefix}_")}
    assert {f"{prefix}_{name}" for name in values} == recorded
    for name, value in values.items():
        parity.assert_close(value, expected[f"{prefix}_{name}"], tolerance, f"{prefix}_{name}")


def masks_of(text: str, shots: int) -> torch.Tensor:
    """The support masks that a matching run describes."""
    if text.startswith("shot k"):
        base = int(text.split("reference.mask(")[1].split(" ")[0])
        found = [parity.mask(base + shot, SIDE, SIDE) for shot in range(shots)]
        found = [1 - mask for mask in found] if "1 - " in text else found
    elif text.startswith("ones"):
        found = [np.zeros((SIDE, SIDE), dtype=np.uint8)]
        found[0][210:275, 300:350] = 1
    elif text == "all zeros":
        found = [np.zeros((SIDE, SIDE), dtype=np.uint8)]
    else:
        found = [parity.mask(61, SIDE, SIDE)]
    return torch.from_numpy(np.stack(found)).float()


def test_matching() -> None:
    case, expected = parity.load("matcher-matching")
    count, width = GRID * GRID, 32
    for name, run in case["inputs"]["runs"].items():
        rng = np.random.RandomState(run["seed"])
        shots = run["shots"]
        supports = rng.standard_normal((shots * count, width)).astype(np.float32)
        noise = rng.standard_normal((count, width)).astype(np.float32)
        order = rng.permutation(shots * count)[:count]
        query = noise if name == "fallback" else np.float32(0.6) * supports[order] + np.float32(0.8) * noise
        target = target_patches(masks_of(run["support masks"], shots))
        found = match(unit_features(torch.from_numpy(supports)), unit_features(torch.from_numpy(query)), target)
        check_match(found, name, expected, case["tolerance"])


def test_sampling() -> None:
    case, expected = parity.load("matcher-sampling")

    def points(n: int) -> np.ndarray:
        index = np.sort(np.random.RandomState(70 + n).permutation(1369)[:n])
        return np.stack([index % 37 * 14 + 7, index // 37 * 14 + 7], axis=1)

    for name, run in case["config"]["runs"].items():
        groups = prompts(points(run["n"]), tuple(run["sample_range"]), run.get("max_sample_iterations", 0), Random(70))
        np.testing.assert_array_equal([group.shape[1] for group in groups], expected[f"{name}_sizes"])
        np.testing.assert_array_equal([len(group) for group in groups], expected[f"{name}_counts"])
        recorded, start = expected[f"{name}_samples"], 0
        for group in groups:
            block = recorded[start : start + group.shape[0] * group.shape[1]].reshape(group.shape)
            start += len(block) * group.shape[1]
            if run["n"] > 8:
                np.testing.assert_array_equal(group, block)
            else:  # all combinations, in any order

                def as_set(prompts_of_one_size: np.ndarray) -> set:
                    return {frozenset(map(tuple, prompt.tolist())) for prompt in prompts_of_one_size}

                assert as_set(group) == as_set(block)
                assert len(as_set(group)) == len(group)
        assert start == len(recorded)
    for n in case["config"]["clusterings"]:
        found = centres(points(n), case["config"]["num_centers"], torch.Generator().manual_seed(70))
        np.testing.assert_array_equal(found, expected[f"centers_{n}"])


def merging_of(run: dict[str, Any]) -> Merging:
    """A recorded run's settings under the names used here."""
    return Merging(
        alpha=run["alpha"],
        beta=run["beta"],
        exponent=run["exp"],
        emd_filter=run["emd_filter"],
        purity_filter=run["purity_filter"],
        coverage_filter=run["coverage_filter"],
        score_filter=run["use_score_filter"],
        gap=run["deep_score_filter"],
        relative_gap=run["deep_score_norm_filter"],
        least_share=run["topk_scores_threshold"],
        most=run["num_merging_mask"],
    )


def hand_made_proposals() -> np.ndarray:
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    of = {seed: parity.mask(seed, SIDE, SIDE).astype(int) for seed in range(81, 86)}
    target = of[81]
    ring = (x - 200) ** 2 + (y - 300) ** 2 < 60**2
    made = [target * (x < 259), target * (y < 230), of[82], of[83], of[84], np.ones_like(x), np.zeros_like(x)]
    made += [1 - target, target * of[82], np.maximum(target * (x >= 259), of[83]), ring]
    made += [target * ((x + y) % 3 == 0) * (y > 240), np.roll(target, 40, axis=1), of[85]]
    made += [np.roll(target, -30, axis=0), target * (x < 259), np.roll(target, 15, axis=1) * (y < 300)]
    return np.stack(made).astype(bool)


def test_metrics_choice_and_merging() -> None:
    case, expected = parity.load("matcher-merging")
    tolerance = case["tolerance"]
    support, region = parity.mask(80, SIDE, SIDE), parity.mask(81, SIDE, SIDE)
    rng = np.random.RandomState(80)
    direction = rng.standard_normal(32).astype(np.float32)
    first, second = (rng.standard_normal((1369, 32)).astype(np.float32) for _ in range(2))
    for features, mask in ((first, support), (second, region)):
        small = cv2.resize(mask.astype(np.float32), (37, 37), interpolation=cv2.INTER_AREA) > 0
        features[small.ravel()] += direction
    target = target_patches(torch.from_numpy(support)[None])
    matched = match(unit_features(torch.from_numpy(first)), unit_features(torch.from_numpy(second)), target)
    np.testing.assert_array_equal(matched.points, expected["points"])
    np.testing.assert_array_equal(matched.target, expected["support_patches"])
    masks = hand_made_proposals()
    metrics = measure(masks, matched.points, matched.cost)
    everything = np.arange(len(masks))
    np.testing.assert_array_equal(metrics.pooled, expected["pooled_masks"])
    parity.assert_close(metrics.purity, expected["purity"], tolerance, "purity")
    parity.assert_close(metrics.coverage, expected["coverage"], tolerance, "coverage")
    parity.assert_close(metrics.emd(everything), expected["emd"], tolerance, "emd")
    for name, run in case["config"]["runs"].items():
        merging = merging_of(run)
        parity.assert_close(metrics.score(everything, merging), expected[f"{name}_scores"], tolerance, name)
        fresh = measure(masks, matched.points, matched.cost)
        chosen = choose(fresh, merging)
        np.testing.assert_array_equal(chosen, expected[f"{name}_selected"], err_msg=name)
        np.testing.assert_array_equal(masks[chosen].any(0), expected[f"{name}_mask"], err_msg=name)
        assert len(fresh.moved) <= len(metrics.moved)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Matcher:
    """Matcher on the recorded weights, with a SAM 2 that is never asked."""
    case, _ = parity.load("matcher-e2e")
    state = {name: torch.from_numpy(value) for name, value in parity.state_dict(case).items()}
    for layer in (0, 3):
        kernel = state[f"mask_decoder.output_upscaling.{layer}.weight"]
        state[f"mask_decoder.output_upscaling.{layer}.weight"] = kernel[..., :1, :1].expand_as(kernel).contiguous()
    parts = ("image_encoder.", "prompt_encoder.", "mask_decoder.")
    folder = tmp_path_factory.mktemp("matcher")
    save_file({name: value for name, value in state.items() if name.startswith(parts)}, folder / "sam.safetensors")
    encoder = {name: value for name, value in state.items() if not name.startswith(parts)}
    save_file(encoder, folder / "dinov2.safetensors")
    with pytest.MonkeyPatch.context() as patch, random_weights_allowed():
        patch.setitem(SAM2_MODELS, "sam2-hiera-t", dataclasses.replace(SAM2_MODELS["sam2-hiera-t"], image_size=256))
        return Matcher(
            MatcherSettings(
                sam=str(folder / "sam.safetensors"),
                dinov2="dinov2-vits14",
                dinov2_checkpoint=str(folder / "dinov2.safetensors"),
                sam2="sam2-hiera-t",
                device="cpu",
            )
        )


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Support, np.ndarray]:
    folder = tmp_path_factory.mktemp("pair")
    return saved(folder, parity.image(54, SIDE, SIDE), parity.mask(54, SIDE, SIDE)), parity.image(55, SIDE, SIDE)


def saved(folder: Path, image: np.ndarray, mask: np.ndarray) -> Support:
    Image.fromarray(image).save(folder / "image.png")
    (folder / "mask.png").write_bytes(encode_binary(mask.astype(bool)))
    return Support("own", folder / "image.png", folder / "mask.png")


def test_features(recorded: Matcher, pair: tuple[Support, np.ndarray]) -> None:
    case, expected = parity.load("matcher-features")
    support, query = pair
    first, second = recorded.features(support.image()), recorded.features(query)
    similarity = first @ second.T
    found = {
        "support_features": first[::24],
        "query_features": second[::24],
        "similarity": similarity[::10, ::10],
        "cost": ((1 - similarity) / 2)[::20, ::20],
    }
    for name, value in found.items():
        parity.assert_close(value.numpy(), expected[name], case["tolerance"], name)
    matched = recorded.match([support], query)
    check_match(matched, "match", expected, case["tolerance"])
    assert {name for name in expected if not name.startswith("match_")} == found.keys()


def preset_of(run: dict[str, Any]) -> Preset:
    return Preset(
        0 if run["use_points_or_centers"] else run["num_centers"],
        tuple(run["sample_range"]),
        run["max_sample_iterations"],
        run["use_box"],
        run["points_per_side"] if run["use_dense_mask"] else 0,
        Filter(run["pred_iou_thresh"], run["stability_score_thresh"]),
        bool(run["multimask_output"]),
        Filter(run["iou_filter"], run["sel_stability_score_thresh"]),
        run["box_nms_thresh"],
        merging_of(run),
        5,
    )


@pytest.mark.parametrize("name", ["fss", "part", "coco"])
def test_end_to_end(name: str, recorded: Matcher, pair: tuple[Support, np.ndarray]) -> None:
    case, expected = parity.load("matcher-e2e")
    tolerance = case["tolerance"]
    support, query = pair
    preset = preset_of(case["config"]["runs"][name])
    recorded.preset = preset
    matched = recorded.match([support], query)
    np.testing.assert_array_equal(matched.points, expected[f"{name}_points"])
    if preset.box:
        np.testing.assert_array_equal(matched.box, expected[f"{name}_box"])
    random, generator = Random(0), torch.Generator().manual_seed(0)
    found = recorded.propose(matched, query, random, generator)
    random, generator = Random(0), torch.Generator().manual_seed(0)
    pool = centres(matched.points, preset.centres, generator) if preset.centres else matched.points
    groups = prompts(pool, preset.sizes, preset.iterations, random)
    np.testing.assert_array_equal([group.shape[1] for group in groups], expected[f"{name}_prompt_sizes"])
    np.testing.assert_array_equal([len(group) for group in groups], expected[f"{name}_prompt_counts"])
    if len(pool) > 8:
        drawn = np.concatenate([group.reshape(-1, 2) for group in groups])
        np.testing.assert_array_equal(drawn, expected[f"{name}_prompts"])
    else:
        assert sum(group.size // 2 for group in groups) == len(expected[f"{name}_prompts"])

    order = np.arange(len(found.ious))
    for index in range(len(order) - 1):  # neighbours of all but equal predicted IoU may have changed places
        close = abs(float(found.ious[index] - found.ious[index + 1])) < 1e-5
        mine = found.low[order[index], ::8, ::8].numpy()
        if close and not np.allclose(mine, expected[f"{name}_low_res"][index], rtol=1e-3, atol=1e-3):
            order[[index, index + 1]] = order[[index + 1, index]]
    masks = found.masks.numpy()[order]
    parity.assert_close(found.ious.numpy()[order], expected[f"{name}_iou"], tolerance, "iou")
    parity.assert_close(found.stability.numpy()[order], expected[f"{name}_stability"], tolerance, "stability")
    parity.assert_close(found.low.numpy()[order][:, ::8, ::8], expected[f"{name}_low_res"], tolerance, "low_res")
    assert np.abs(masks.sum((1, 2)) - expected[f"{name}_area"]).max() <= 20
    metrics = measure(masks, matched.points, matched.cost)
    everything = np.arange(len(masks))
    measured = np.stack([metrics.purity, metrics.coverage, metrics.emd(everything)], axis=1)
    parity.assert_close(measured, expected[f"{name}_metrics"], tolerance, "metrics")
    scores = metrics.score(everything, preset.merging)
    parity.assert_close(scores, expected[f"{name}_scores"], tolerance, "scores")
    chosen = choose(metrics, preset.merging)
    np.testing.assert_array_equal(chosen, expected[f"{name}_selected"])
    assert (masks[chosen].any(0) != expected[f"{name}_mask"]).mean() <= 0.0005


@pytest.mark.parametrize("handover", ["mask", "centers", "points"])
def test_prompts_of_any_frame(tmp_path: Path, recorded: Matcher, handover: str) -> None:
    supports = []
    for shot in range(2):
        folder = tmp_path / str(shot)
        folder.mkdir()
        supports.append(saved(folder, parity.image(shot, 60, 90), parity.mask(shot, 60, 90)))
    recorded.preset = dataclasses.replace(PRESETS["fss"], centres=4, sizes=(3, 4))
    recorded.settings = dataclasses.replace(recorded.settings, handover=handover)
    frame = parity.image(20, 70, 41)
    prompt, again = recorded.prompt(supports, frame), recorded.prompt(supports, frame)
    if handover == "mask":
        assert prompt.mask is not None
        assert prompt.mask.shape == (70, 41)
        assert np.array_equal(prompt.mask, again.mask)
    else:
        assert prompt.points is not None
        assert again.points is not None
        assert np.array_equal(prompt.points, again.points)
        assert (prompt.points >= 0).all()
        assert (prompt.points <= [41, 70]).all()
        assert handover == "points" or len(prompt.points) <= 8
    with pytest.raises(IcvosError, match="needs a support"):
        recorded.prompt([], frame)
    recorded.remarks()
    recorded.match([saved(tmp_path, parity.image(7, 60, 90), np.zeros((60, 90)))], frame)
    assert recorded.remarks()[0] == "all support masks were empty; the middle of the pictures stood in"
    assert recorded.remarks() == []


def test_boxes_and_masks() -> None:
    masks = torch.zeros(2, 9, 12, dtype=torch.bool)
    masks[1, 2:5, 3:11] = True
    assert boxes_of(masks).tolist() == [[0, 0, 0, 0], [3, 2, 10, 4]]
    assert square_mask(np.ones((3, 4), dtype=bool)).sum() == SIDE * SIDE
