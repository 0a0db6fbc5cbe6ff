"""PerSAM and PerSAM-F against the recorded outputs of the published programs."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from baselines.persam import PerSAM, PerSAMF
from baselines.persam.fit import combine, fit_weights
from baselines.persam.guidance import attention_bias, guided_masks
from baselines.persam.persam import PerSAMSettings
from baselines.persam.persam_f import PerSAMFSettings
from baselines.persam.target import extreme_points, similarity, target_cells, target_vector, tight_box
from icvos.errors import IcvosError
from icvos.files.masks import encode_binary
from icvos.method import Support
from icvos.models.sam.sam1 import Encoder, Sam1, build_sam, encoder_of, load_sam
from icvos.models.weights.load import Loaded, fill_randomly, read_state
from tests import parity


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recorded weights of a small SAM, as a checkpoint of published names."""
    case, _ = parity.load("persam-e2e")
    path = tmp_path_factory.mktemp("sam") / "small.safetensors"
    save_file({name: torch.from_numpy(value) for name, value in parity.state_dict(case).items()}, path)
    return path


@pytest.fixture(scope="module")
def sam(checkpoint: Path) -> Sam1:
    return load_sam(str(checkpoint))


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Support:
    return saved(tmp_path_factory.mktemp("support"), parity.image(11, 84, 112), parity.mask(11, 84, 112))


def saved(folder: Path, image: np.ndarray, mask: np.ndarray) -> Support:
    Image.fromarray(image).save(folder / "image.png")
    (folder / "mask.png").write_bytes(encode_binary(mask.astype(bool)))
    return Support("own", folder / "image.png", folder / "mask.png")


QUERIES = (parity.image(12, 180, 128), parity.image(13, 120, 208))


def tiny_sam() -> Sam1:
    """Random weights on small pictures."""
    network = build_sam(Encoder(32, 1, 2, (0,), side=128))
    fill_randomly(network)
    return Sam1(network, Loaded("random", None))


def test_features_and_points(sam: Sam1) -> None:
    case, expected = parity.load("persam-features")
    tolerance = case["tolerance"]
    support, mask = sam.embed(parity.image(11, 84, 112)), parity.mask(11, 84, 112).astype(bool)
    queries = [sam.embed(query) for query in QUERIES]
    seen = set()

    def check(name: str, value: Any) -> None:
        seen.add(name)
        parity.assert_close(np.asarray(value), expected[name], tolerance, name)

    check("support_features_sample", support.features[:, ::16, ::16])
    late = (support, queries[0])  # features and cosines were recorded one picture late, the rest was not
    for number, picture in enumerate(late):
        check(f"query_{number}_features_sample", picture.features[:, ::16, ::16])
    for value in case["config"]["mask_values"]:
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
            if value == 128:
                unit = late[number].features / late[number].features.norm(dim=0)
                check(f"query_{number}_cosine_{value}", torch.einsum("c,chw->hw", mean / mean.norm(), unit))
                check(f"query_{number}_similarity_{value}", similar)
        own = similarity(sam, support, mixed)
        check(f"f_self_points_{value}", extreme_points(own)[0])
        if value == 128:
            check(f"f_self_similarity_{value}", own)
    assert seen == expected.keys()


def test_guided_attention(sam: Sam1) -> None:
    case, expected = parity.load("persam-attention")
    rng = np.random.RandomState(90)
    features = torch.from_numpy(rng.standard_normal((1, 256, 64, 64)).astype(np.float32))
    target = torch.from_numpy(rng.standard_normal((1, 1, 256)).astype(np.float32) * np.float32(0.5))
    grey = parity.image(91, 64, 64)[..., 0].astype(np.float32)
    bias = torch.sigmoid(torch.from_numpy((grey - grey.mean()) / grey.std(ddof=1)))
    parity.assert_close(bias.numpy(), expected["attn_sim"], case["tolerance"], "attn_sim")
    given = torch.from_numpy((parity.image(92, 256, 256)[..., 0].astype(np.float32) - 128) / 16)[None, None]
    points = torch.tensor([[[512.0, 384.0], [900.0, 60.0]]]), torch.tensor([[1, 0]])
    guides = {"plain": (False, False), "bias": (True, False), "target": (False, True), "both": (True, True)}
    for prefix, mask in (("nomask", None), ("mask", given)):
        with torch.inference_mode():
            sparse, dense = sam.network.prompt_encoder(points=points, boxes=None, masks=mask)
            place = sam.network.prompt_encoder.get_dense_pe()
            for guide, (with_bias, with_target) in guides.items():
                logits, ious = guided_masks(
                    sam.network.mask_decoder,
                    features,
                    place,
                    sparse,
                    dense,
                    bias.reshape(1, 1, 1, -1) if with_bias else None,
                    target if with_target else None,
                )
                found = {"logits": logits[0, :, ::4, ::4].numpy(), "iou": ious[0].numpy()}
                for part, value in found.items():
                    name = f"{prefix}_{guide}_{part}"
                    parity.assert_close(value, expected[name], case["tolerance"], name)


def steps_of(found: Any, number: int) -> dict[str, np.ndarray]:
    """What the cases record of a picture."""
    recorded: dict[str, Any] = {"points": found.points, "labels": found.labels}
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


def test_persam_end_to_end(checkpoint: Path, shown: Support) -> None:
    case, expected = parity.load("persam-e2e")
    method = PerSAM(PerSAMSettings(sam=str(checkpoint), mask_value=128, device="cpu"))
    covered = set()
    for number, query in enumerate(QUERIES):
        found = method.find([shown], query)
        recorded = steps_of(found, number)
        recorded[f"query_{number}_step3_box"] = np.asarray(found.steps[2].box)
        check_steps(recorded, case, expected, number)
        covered |= recorded.keys() | {f"query_{number}_final_mask", f"query_{number}_attn_sim"}
        similar = similarity(method.sam, method.sam.embed(query), method.target([shown]))
        bias = attention_bias(similar, 64).reshape(64, 64)
        parity.assert_close(bias.numpy(), expected[f"query_{number}_attn_sim"], case["tolerance"])
    assert covered == expected.keys()


def test_persam_f_training(checkpoint: Path, shown: Support) -> None:
    case, expected = parity.load("persamf-train")
    method = PerSAMF(PerSAMFSettings(sam=str(checkpoint), mask_value=128, device="cpu"))
    logits, mask = method.own_masks(method.target([shown]), shown)
    parity.assert_close(logits.numpy(), expected["logits_high"], case["tolerance"])
    embedded, _ = method._embedded(shown)
    points, labels = extreme_points(similarity(method.sam, embedded, method.target([shown])))
    np.testing.assert_array_equal(points, expected["self_points"])
    low, _ = method.sam.decode(embedded, points[None], labels[None], multimask=True)
    parity.assert_close(low[0, :, ::8, ::8].numpy(), expected["logits_low"], case["tolerance"])
    for name, run in case["config"]["runs"].items():
        fit = fit_weights([(logits, mask)], run["epochs"], run["lr"])
        parity.assert_close(np.array(fit.dice, np.float32), expected[f"{name}_dice"], case["tolerance"])
        parity.assert_close(np.array(fit.focal, np.float32), expected[f"{name}_focal"], case["tolerance"])
        path = torch.stack(fit.path).numpy()
        parity.assert_close(path, expected[f"{name}_weights_before_step"], case["tolerance"])
        parity.assert_close(fit.weights.numpy(), expected[f"{name}_final_weights"], case["tolerance"])


def test_persam_f_end_to_end(checkpoint: Path, shown: Support) -> None:
    case, expected = parity.load("persamf-e2e")
    settings = PerSAMFSettings(
        sam=str(checkpoint),
        mask_value=128,
        epochs=case["config"]["epochs"],
        learning_rate=case["config"]["lr"],
        device="cpu",
    )
    method = PerSAMF(settings)
    covered = set()
    for number, query in enumerate(QUERIES):
        found = method.find([shown], query)
        recorded = steps_of(found, number)
        recorded[f"query_{number}_step2_box"] = np.asarray(found.steps[0].box)
        recorded[f"query_{number}_step3_box"] = np.asarray(found.steps[2].box)
        check_steps(recorded, case, expected, number)
        covered |= recorded.keys() | {f"query_{number}_final_mask"}
        prompt = method.prompt([shown], query)
        np.testing.assert_array_equal(prompt.box, recorded[f"query_{number}_step2_box"])
        np.testing.assert_array_equal(prompt.points, recorded[f"query_{number}_points"])
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


def test_architecture_is_told_from_a_checkpoint(checkpoint: Path) -> None:
    assert encoder_of(read_state(checkpoint), "") == Encoder(96, 4, 4, (3,))
    with pytest.raises(IcvosError, match="is not a SAM checkpoint"):
        encoder_of({}, "here")
