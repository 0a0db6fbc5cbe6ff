"""PerSAM and PerSAM-F against the recorded outputs of the published programs."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional

from baselines.persam import PerSAM, PerSAMF
from baselines.persam.fit import Truth, combine, fit_weights, losses_of
from baselines.persam.guidance import attention_bias, guided_masks
from baselines.persam.persam import PerSAMSettings
from baselines.persam.persam_f import PerSAMFSettings
from baselines.persam.target import extreme_points, similarity, target_cells, target_vector, tight_box
from icvos.errors import IcvosError
from icvos.method import Support
from icvos.models.sam.sam1 import Encoder, Sam1, build_sam, encoder_of, load_sam
from icvos.models.weights.load import Loaded, fill_randomly
from tests import Json, parity
from tests.baselines.drawn import remembering, saved


@dataclass(frozen=True, slots=True)
class Given:
    """A recorded case: its weights as a checkpoint of published names, its support and its queries."""

    case: dict
    expected: dict[str, np.ndarray]
    checkpoint: Path
    support: Support
    queries: list[np.ndarray]

    @property
    def sam(self) -> Sam1:
        return load_sam(str(self.checkpoint))


def weights(case: dict) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(value) for name, value in parity.state_dict(case).items()}


def encoder(case: dict) -> Encoder:
    """The image encoder that a case names."""
    config = case["config"]["sam"]["image_encoder"]
    windowless = tuple(config["global_attn_indexes"])
    return Encoder(config["embed_dim"], config["depth"], config["num_heads"], windowless, side=config["img_size"])


def given(name: str, folder: Path) -> Given:
    case, expected = parity.load(name)
    path, inputs = folder / "small.safetensors", case["inputs"]
    save_file(weights(case), path)
    shown = saved(folder, parity.drawn(inputs["support_image"]), parity.drawn(inputs["support_mask"]))
    queries = [parity.drawn(inputs[key]) for key in sorted(inputs) if key.startswith("query_image_")]
    return Given(case, expected, path, shown, queries)


def tiny_sam() -> Sam1:
    """Random weights on small pictures."""
    network = build_sam(Encoder(32, 1, 2, (0,), side=128))
    fill_randomly(network)
    return Sam1(network, Loaded("random", None))


@pytest.mark.parametrize("name", parity.cases("persam-features*"))
def test_features_and_points(name: str, tmp_path: Path) -> None:
    recorded = given(name, tmp_path)
    sam, expected, tolerance = recorded.sam, recorded.expected, recorded.case["tolerance"]
    support, mask = sam.embed(recorded.support.image()), recorded.support.mask()
    queries = [sam.embed(query) for query in recorded.queries]
    seen = set()

    def check(name: str, value: Any) -> None:
        seen.add(name)
        parity.assert_close(np.asarray(value), expected[name], tolerance, name)

    check("support_features_sample", support.features[:, ::16, ::16])
    late = (support, *queries[:-1])  # features and cosines were recorded one picture late, the rest was not
    for number, picture in enumerate(late):
        check(f"query_{number}_features_sample", picture.features[:, ::16, ::16])
    for value in recorded.case["config"]["mask_values"]:
        cells = target_cells(sam.mask_cells(mask, value))
        check(f"support_patches_{value}", cells)
        inside = support.features[:, cells].T
        mean, mixed = target_vector(inside, with_maximum=False), target_vector(inside, with_maximum=True)
        check(f"target_mean_{value}", mean)
        check(f"target_maxmean_{value}", mixed)
        for number, query in enumerate(queries):
            similar = similarity(sam, query, mean)
            points, labels = extreme_points(similar, 1, 1)
            check(f"query_{number}_points_{value}", points)
            check(f"query_{number}_labels_{value}", labels)
            check(f"f_query_{number}_points_{value}", extreme_points(similarity(sam, query, mixed))[0])
            if f"query_{number}_cosine_{value}" in expected:
                unit = late[number].features / late[number].features.norm(dim=0)
                check(f"query_{number}_cosine_{value}", torch.einsum("c,chw->hw", mean / mean.norm(), unit))
                check(f"query_{number}_similarity_{value}", similar)
        own = similarity(sam, support, mixed)
        check(f"f_self_points_{value}", extreme_points(own)[0])
        if f"f_self_similarity_{value}" in expected:
            check(f"f_self_similarity_{value}", own)
    assert seen == expected.keys()


def standard_normal(text: str, rng: np.random.RandomState) -> torch.Tensor:
    """What a case calls ``rng.standard_normal((1, 1, 256)).astype(float32) * float32(0.5)``."""
    shape = re.search(r"standard_normal\(\(([\d, ]+)\)\)", text)
    scale = re.search(r"float32\(([\d.]+)\)", text)
    assert shape, text
    drawn = rng.standard_normal(tuple(map(int, shape[1].split(",")))).astype(np.float32)
    return torch.from_numpy(drawn * np.float32(scale[1]) if scale else drawn)


@pytest.mark.parametrize("name", parity.cases("persam-attention*"))
def test_guided_attention(name: str) -> None:
    case, expected = parity.load(name)
    inputs = case["inputs"]
    network = build_sam(encoder(case)).eval()
    without, unknown = network.load_state_dict(weights(case), strict=False)
    assert not unknown
    assert all(key.startswith("image_encoder.") for key in without)  # which nothing here asks
    rng = np.random.RandomState(parity.number("RandomState(#)", inputs["rng"]))
    features = standard_normal(inputs["image_embeddings"], rng)
    target = standard_normal(inputs["target_embedding"], rng)
    grey = parity.drawn(inputs["attn_sim"])[..., 0].astype(np.float32)
    bias = torch.sigmoid(torch.from_numpy((grey - grey.mean()) / grey.std(ddof=1)))
    parity.assert_close(bias.numpy(), expected["attn_sim"], case["tolerance"], "attn_sim")
    prompt = torch.from_numpy((parity.drawn(inputs["mask_input"])[..., 0].astype(np.float32) - 128) / 16)[None, None]
    places, labels = re.findall(r"\[\[.*?\]\](?!\])", inputs["points"])
    points = torch.tensor(json.loads(places)), torch.tensor(json.loads(labels))
    guides = {"plain": (False, False), "bias": (True, False), "target": (False, True), "both": (True, True)}
    for prefix, mask in (("nomask", None), ("mask", prompt)):
        with torch.inference_mode():
            sparse, dense = network.prompt_encoder(points=points, boxes=None, masks=mask)
            place = network.prompt_encoder.get_dense_pe()
            for guide, (with_bias, with_target) in guides.items():
                logits, ious = guided_masks(
                    network.mask_decoder,
                    features,
                    place,
                    sparse,
                    dense,
                    bias.reshape(1, 1, 1, -1) if with_bias else None,
                    target if with_target else None,
                )
                found = {"logits": logits[0, :, ::4, ::4].numpy(), "iou": ious[0].numpy()}
                for part, value in found.items():
                    key = f"{prefix}_{guide}_{part}"
                    parity.assert_close(value, expected[key], case["tolerance"], key)


def steps_of(found: Any, number: int) -> dict[str, np.ndarray]:
    """What the cases record of a picture."""
    recorded: Json = {"points": found.points, "labels": found.labels}
    for index, step in enumerate(found.steps, start=1):
        recorded[f"step{index}_scores"] = step.ious
        recorded[f"step{index}_logits"] = step.logits[:, ::8, ::8]
        if step.mask is not None:
            recorded[f"step{index}_mask_input"] = step.mask[::4, ::4]
    recorded["best"] = np.array(found.steps[-1].best)
    recorded["final_logits"] = found.logits
    return {f"query_{number}_{name}": np.asarray(value) for name, value in recorded.items()}


def check_steps(found: dict[str, np.ndarray], case: dict, expected: dict, number: int) -> None:
    for name, value in found.items():
        parity.assert_close(value, expected[name], case["tolerance"], name)
    mask = found[f"query_{number}_final_logits"] > 0
    assert (mask != expected[f"query_{number}_final_mask"]).mean() <= 0.0005


@pytest.mark.parametrize("name", parity.cases("persam-e2e*", slow="*"))
def test_persam_end_to_end(name: str, tmp_path: Path) -> None:
    recorded = given(name, tmp_path)
    case, expected, support = recorded.case, recorded.expected, recorded.support
    value = case["config"]["mask_value"]
    method = PerSAM(PerSAMSettings(sam=str(recorded.checkpoint), mask_value=value, device="cpu"))
    method.sam.embed = remembering(method.sam.embed)  # type: ignore[method-assign]
    covered = set()
    for number, query in enumerate(recorded.queries):
        found = method.find([support], query)
        steps = steps_of(found, number)
        steps[f"query_{number}_step3_box"] = np.asarray(found.steps[2].box)
        check_steps(steps, case, expected, number)
        covered |= steps.keys() | {f"query_{number}_final_mask", f"query_{number}_attn_sim"}
        similar = similarity(method.sam, method.sam.embed(query), method.target([support]))
        wanted = expected[f"query_{number}_attn_sim"]
        bias = attention_bias(similar, len(wanted)).reshape(wanted.shape)
        parity.assert_close(bias.numpy(), wanted, case["tolerance"])
    assert covered == expected.keys()


@pytest.mark.parametrize("truth", ["some", "none", "all"])
def test_the_slope_of_the_losses_is_what_is_found_backwards(truth: str) -> None:
    mask = {"some": torch.tensor([0, 1, 1, 0, 0, 1, 0, 1]), "none": torch.zeros(8), "all": torch.ones(8)}[
        truth
    ].double()
    logits = torch.tensor([-40, -3, 40, 2, 0.1, 0.4, -1, 5], dtype=torch.float64, requires_grad=True)
    shown = logits.sigmoid()
    dice = 1 - (2 * (shown * mask).sum() + 1) / (shown.sum() + mask.sum() + 1)
    entropy = functional.binary_cross_entropy_with_logits(logits, mask, reduction="none")
    right = torch.where(mask > 0, shown, 1 - shown)
    focal = (torch.where(mask > 0, 0.25, 0.75) * (1 - right) ** 2 * entropy).mean()
    (dice + focal).backward()
    found = losses_of(logits.detach(), Truth.of(mask))
    torch.testing.assert_close((found.dice, found.focal, found.slope), (dice.detach(), focal.detach(), logits.grad))


@pytest.mark.parametrize("name", parity.cases("persamf-train*"))
def test_persam_f_training(name: str, tmp_path: Path) -> None:
    recorded = given(name, tmp_path)
    case, expected, support = recorded.case, recorded.expected, recorded.support
    value = case["config"]["mask_value"]
    method = PerSAMF(PerSAMFSettings(sam=str(recorded.checkpoint), mask_value=value, device="cpu"))
    method.sam.embed = remembering(method.sam.embed)  # type: ignore[method-assign]
    logits, mask = method.own_masks(method.target([support]), support)
    parity.assert_close(logits.numpy(), expected["logits_high"], case["tolerance"])
    embedded, _ = method._embedded(support)
    points, labels = extreme_points(similarity(method.sam, embedded, method.target([support])))
    np.testing.assert_array_equal(points, expected["self_points"])
    low, _ = method.sam.decode(embedded, points[None], labels[None], multimask=True)
    parity.assert_close(low[0, :, ::8, ::8].numpy(), expected["logits_low"], case["tolerance"])
    for run_name, run in case["config"]["runs"].items():
        fit = fit_weights([(logits, mask)], run["epochs"], run["lr"])
        parity.assert_close(np.array(fit.dice, np.float32), expected[f"{run_name}_dice"], case["tolerance"])
        parity.assert_close(np.array(fit.focal, np.float32), expected[f"{run_name}_focal"], case["tolerance"])
        path = torch.stack(fit.path).numpy()
        parity.assert_close(path, expected[f"{run_name}_weights_before_step"], case["tolerance"])
        parity.assert_close(fit.weights.numpy(), expected[f"{run_name}_final_weights"], case["tolerance"])


@pytest.mark.parametrize("name", parity.cases("persamf-e2e*", slow="*"))
def test_persam_f_end_to_end(name: str, tmp_path: Path) -> None:
    recorded = given(name, tmp_path)
    case, expected, config = recorded.case, recorded.expected, recorded.case["config"]
    settings = PerSAMFSettings(
        sam=str(recorded.checkpoint),
        mask_value=config["mask_value"],
        epochs=config["epochs"],
        learning_rate=config["lr"],
        device="cpu",
    )
    method = PerSAMF(settings)
    method.sam.embed = remembering(method.sam.embed)  # type: ignore[method-assign]
    covered = set()
    for number, query in enumerate(recorded.queries):
        found = method.find([recorded.support], query)
        steps = steps_of(found, number)
        steps[f"query_{number}_step2_box"] = np.asarray(found.steps[0].box)
        steps[f"query_{number}_step3_box"] = np.asarray(found.steps[2].box)
        check_steps(steps, case, expected, number)
        covered |= steps.keys() | {f"query_{number}_final_mask"}
        prompt = method.prompt([recorded.support], query)
        np.testing.assert_array_equal(prompt.box, steps[f"query_{number}_step2_box"])
        np.testing.assert_array_equal(prompt.points, steps[f"query_{number}_points"])
    assert covered == expected.keys()


def test_tight_box() -> None:
    mask = np.zeros((9, 12), dtype=bool)
    assert tight_box(mask) is None
    mask[2:5, 3:11] = True
    np.testing.assert_array_equal(tight_box(mask), [3, 2, 10, 4])


def test_combine_weighs_the_first_mask_by_what_is_left() -> None:
    masks = torch.arange(3.0).reshape(3, 1, 1).expand(3, 2, 2)
    assert torch.allclose(combine(masks, torch.tensor([0.25, 0.5])), torch.full((2, 2), 1.25))


def test_target_of_a_tiny_mask_is_its_fullest_cell() -> None:
    values = torch.full((4, 4), -2.0)
    values[1, 2] = -1.5
    assert target_cells(values).nonzero().tolist() == [[1, 2]]


@pytest.mark.parametrize("method", [PerSAM, PerSAMF])
@pytest.mark.parametrize(("shots", "size"), [(1, (33, 61)), (5, (70, 40))])
def test_any_number_of_supports_and_any_size(tmp_path: Path, method: type, shots: int, size: tuple[int, int]) -> None:
    path = tmp_path / "tiny.safetensors"
    save_file(tiny_sam().network.state_dict(), path)
    extra = {"epochs": 5} if method is PerSAMF else {}
    made = method(method.Settings(sam=str(path), device="cpu", handover="mask", **extra))
    supports = []
    for shot in range(shots):
        folder = tmp_path / str(shot)
        folder.mkdir()
        mask = parity.mask(shot, 30, 50)
        if shot == 0:
            mask[:] = 0
            mask[4, 4] = 1  # too small for any cell
        supports.append(saved(folder, parity.image(shot, 30, 50), mask))
    frame = parity.image(20, *size)
    prompt = made.prompt(supports, frame)
    assert prompt.mask.shape == size
    assert made.remarks()[0] == f"the mask of support {supports[0].name} fills no cell; its fullest stood in"
    assert made.remarks() == []
    assert bool(made.find(supports, frame).logits.isfinite().all())
    assert np.array_equal(made.segment_image(supports, frame), prompt.mask)
    with pytest.raises(IcvosError, match="needs a support"):
        made.prompt([], frame)


@pytest.mark.parametrize("name", parity.cases("persam-e2e*", slow="*"))
def test_architecture_is_told_from_a_checkpoint(name: str) -> None:
    case, _ = parity.load(name)
    assert encoder_of(weights(case), "") == encoder(case)
    with pytest.raises(IcvosError, match="is not a SAM checkpoint"):
        encoder_of({}, "here")
