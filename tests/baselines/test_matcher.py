"""Matcher against the recorded outputs of the published program, stage by stage."""

import dataclasses
import re
from pathlib import Path
from random import Random
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from baselines.matcher.matching import match, square_mask, target_patches, unit_features
from baselines.matcher.merging import Merging, choose, measure
from baselines.matcher.method import PRESETS, Matcher, MatcherSettings, Preset
from baselines.matcher.proposals import Filter, boxes_of
from baselines.matcher.sampling import ALL_COMBINATIONS, centres, prompts
from icvos.errors import IcvosError
from icvos.method import Support
from icvos.models.backbones.dinov2 import PATCH
from icvos.models.backbones.patches import GRID, SIDE
from tests import Json, parity
from tests.baselines.drawn import remembering, saved, small_sam2


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
    if text == "all zeros":
        found = [np.zeros((SIDE, SIDE), dtype=np.uint8)]
    elif ones := re.match(r"ones in rows (\d+):(\d+), columns (\d+):(\d+)", text):
        top, bottom, left, right = map(int, ones.groups())
        found = [np.zeros((SIDE, SIDE), dtype=np.uint8)]
        found[0][top:bottom, left:right] = 1
    elif text.startswith("shot k"):
        base = parity.number("reference.mask(#", text)
        found = [parity.drawn(text.replace(f"{base} + k", str(base + shot))) for shot in range(shots)]
        found = [1 - mask for mask in found] if "1 - " in text else found
    else:
        found = [parity.drawn(text)]
    return torch.from_numpy(np.stack(found)).float()


@pytest.mark.parametrize("case_name", parity.cases("matcher-matching*"))
def test_matching(case_name: str) -> None:
    case, expected = parity.load(case_name)
    text = case["inputs"]["features"]
    count, width = parity.number("N = #", text), parity.number("D = #", text)
    share, noise_share = (np.float32(value) for value in re.findall(r"float32\(([\d.]+)\)", text))
    for name, run in case["inputs"]["runs"].items():
        rng = np.random.RandomState(run["seed"])
        shots = run["shots"]
        supports = rng.standard_normal((shots * count, width)).astype(np.float32)
        noise = rng.standard_normal((count, width)).astype(np.float32)
        order = rng.permutation(shots * count)[:count]
        unrelated = f"In the run '{name}', tar = noise" in text
        query = noise if unrelated else share * supports[order] + noise_share * noise
        target = target_patches(masks_of(run["support masks"], shots))
        found = match(unit_features(torch.from_numpy(supports)), unit_features(torch.from_numpy(query)), target)
        check_match(found, name, expected, case["tolerance"])


@pytest.mark.parametrize("case_name", parity.cases("matcher-sampling*"))
def test_sampling(case_name: str) -> None:
    case, expected = parity.load(case_name)
    seeds, drawn = case["config"]["seed"], case["inputs"]["points"]
    seed, first = parity.number("random.seed(#)", seeds), parity.number("RandomState(# + n)", drawn)
    cells, middle = parity.number("permutation(#)", drawn), PATCH // 2

    def points(n: int) -> np.ndarray:
        index = np.sort(np.random.RandomState(first + n).permutation(cells)[:n])
        return np.stack([index % GRID * PATCH + middle, index // GRID * PATCH + middle], axis=1)

    for name, run in case["config"]["runs"].items():
        sizes, iterations = tuple(run["sample_range"]), run.get("max_sample_iterations", 0)
        groups = prompts(points(run["n"]), sizes, iterations, Random(seed))
        np.testing.assert_array_equal([group.shape[1] for group in groups], expected[f"{name}_sizes"])
        np.testing.assert_array_equal([len(group) for group in groups], expected[f"{name}_counts"])
        recorded, start = expected[f"{name}_samples"], 0
        for group in groups:
            block = recorded[start : start + group.shape[0] * group.shape[1]].reshape(group.shape)
            start += len(block) * group.shape[1]
            if run["n"] > ALL_COMBINATIONS:
                np.testing.assert_array_equal(group, block)
            else:  # all combinations, in any order

                def as_set(prompts_of_one_size: np.ndarray) -> set:
                    return {frozenset(map(tuple, prompt.tolist())) for prompt in prompts_of_one_size}

                assert as_set(group) == as_set(block)
                assert len(as_set(group)) == len(group)
        assert start == len(recorded)
    for n in case["config"]["clusterings"]:
        generator = torch.Generator().manual_seed(parity.number("torch.manual_seed(#)", seeds))
        found = centres(points(n), case["config"]["num_centers"], generator)
        np.testing.assert_array_equal(found, expected[f"centers_{n}"])


def merging_of(run: Json) -> Merging:
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


def proposals(inputs: Json) -> np.ndarray:
    """The masks that a merging case writes as NumPy expressions of T, x and y."""
    target = parity.drawn(inputs["target_region"])
    y, x = np.mgrid[: len(target), : target.shape[1]]
    given = {"T": target.astype(int), "x": x, "y": y, "maximum": np.maximum, "numpy": np, "reference": parity}
    plain = {"all ones": np.ones_like(x), "all zeros": np.zeros_like(x)}
    made = [plain[text] if text in plain else eval(text, given) for text in inputs["proposals"]]
    return np.stack(made).astype(bool)


@pytest.mark.parametrize("case_name", parity.cases("matcher-merging*"))
def test_metrics_choice_and_merging(case_name: str) -> None:
    case, expected = parity.load(case_name)
    tolerance, inputs = case["tolerance"], case["inputs"]
    support, region = parity.drawn(inputs["support_mask"]), parity.drawn(inputs["target_region"])
    rng = np.random.RandomState(parity.number("RandomState(#)", inputs["features"]))
    cells, width = (parity.number(text, inputs["features"]) for text in ("standard_normal((#", "standard_normal(#)"))
    direction = rng.standard_normal(width).astype(np.float32)
    first, second = (rng.standard_normal((cells, width)).astype(np.float32) for _ in range(2))
    for features, mask in ((first, support), (second, region)):
        small = cv2.resize(mask.astype(np.float32), (GRID, GRID), interpolation=cv2.INTER_AREA) > 0
        features[small.ravel()] += direction
    target = target_patches(torch.from_numpy(support)[None])
    matched = match(unit_features(torch.from_numpy(first)), unit_features(torch.from_numpy(second)), target)
    np.testing.assert_array_equal(matched.points, expected["points"])
    np.testing.assert_array_equal(matched.target, expected["support_patches"])
    masks = proposals(inputs)
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
    with small_sam2():
        matcher = Matcher(
            MatcherSettings(
                sam=str(folder / "sam.safetensors"),
                dinov2="dinov2-vits14",
                dinov2_checkpoint=str(folder / "dinov2.safetensors"),
                sam2="sam2-hiera-t",
                device="cpu",
            )
        )
    matcher.features = remembering(matcher.features)  # type: ignore[method-assign]
    return matcher


def pair(case: Json, folder: Path) -> tuple[Support, np.ndarray]:
    """The support and the query of a case."""
    support, mask, query = (
        parity.drawn(case["inputs"][name]) for name in ("support_image", "support_mask", "query_image")
    )
    return saved(folder, support, mask), query


@pytest.mark.parametrize("case_name", parity.cases("matcher-features*"))
def test_features(case_name: str, recorded: Matcher, tmp_path: Path) -> None:
    case, expected = parity.load(case_name)
    support, query = pair(case, tmp_path)
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


def preset_of(run: Json) -> Preset:
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


@pytest.mark.parametrize(("case_name", "name"), parity.runs("matcher-e2e*"))
def test_end_to_end(case_name: str, name: str, recorded: Matcher, tmp_path: Path) -> None:
    case, expected = parity.load(case_name)
    tolerance = case["tolerance"]
    support, query = pair(case, tmp_path)
    preset = preset_of(case["config"]["runs"][name])
    recorded.preset = preset
    matched = recorded.match([support], query)
    np.testing.assert_array_equal(matched.points, expected[f"{name}_points"])
    if preset.box:
        np.testing.assert_array_equal(matched.box, expected[f"{name}_box"])
    seeds = [parity.number(text, case["config"]["seeds"]) for text in ("random.seed(#)", "torch.manual_seed(#)")]
    random, generator = Random(seeds[0]), torch.Generator().manual_seed(seeds[1])
    found = recorded.propose(matched, query, random, generator)
    random, generator = Random(seeds[0]), torch.Generator().manual_seed(seeds[1])
    pool = centres(matched.points, preset.centres, generator) if preset.centres else matched.points
    groups = prompts(pool, preset.sizes, preset.iterations, random)
    np.testing.assert_array_equal([group.shape[1] for group in groups], expected[f"{name}_prompt_sizes"])
    np.testing.assert_array_equal([len(group) for group in groups], expected[f"{name}_prompt_counts"])
    if len(pool) > ALL_COMBINATIONS:
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
