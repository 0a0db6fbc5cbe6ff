"""VRP-SAM against the recorded outputs of the published program."""

import copy
import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from baselines.parts.annotation import annotate
from baselines.vrp_sam import VRPSAM, PromptEncoder, VRPSettings, VRPTrainable
from icvos.errors import IcvosError
from icvos.models.backbones.build import build_backbone
from icvos.models.maps import aligned
from icvos.models.sam.prompted import PromptedSam1
from icvos.models.sam.sam1 import Embedded, Encoder, Sam1, build_sam, encoder_of
from icvos.models.squares import squash_mask
from icvos.models.weights.load import Loaded, fill_randomly, fit_state
from icvos.training.trainable import EpisodeBatch
from tests import Json, parity
from tests.baselines import recorded
from tests.baselines.drawn import drawn, small_sam2, supports

SIDE = 96  # of the pictures that the method under test is shown
SAM_PARTS = ("image_encoder.", "prompt_encoder.", "mask_decoder.")


def inputs(case: dict) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(1, 3, S, S) query, (1, K, 3, S, S) supports and (1, K, S, S) float masks."""
    given = case["inputs"]
    supports = torch.stack([recorded.picture(given[name]) for name in sorted(given) if name.startswith("support_img")])
    masks = torch.stack([recorded.mask(given[name]) for name in sorted(given) if name.startswith("support_mask")])
    return recorded.picture(given["query_img"])[None], supports[None], masks[None].float()


@pytest.mark.parametrize("name", parity.cases("vrpsam-*", slow="vrpsam-resnet50-*"))
def test_recorded_outputs(name: str, tmp_path: Path) -> None:
    case, expected = parity.load(name)
    config, state = case["config"], parity.state_dict(case)
    body = build_backbone(recorded.BACKBONES[config["backbone"]], "torchvision")
    network = PromptEncoder(body, config["num_query"])
    own = {key: value for key, value in state.items() if not key.startswith(SAM_PARTS)}
    recorded.load_published(network, own, tmp_path)
    sam_state = {key: torch.from_numpy(value) for key, value in state.items() if key.startswith(SAM_PARTS)}
    query, supports, masks = inputs(case)
    with torch.inference_mode():
        encoded = network(query, supports, masks)
    found: Json = {
        "prompts": encoded.prompts,
        "prior_mask": encoded.prior,
        "prototype": encoded.prototype[..., 0, 0],
    }
    for part in ("support_reduced", "query_reduced", "support_fused", "query_fused"):
        found[f"{part}_sub"] = getattr(encoded, part)[:, ::16, ::8, ::8]
    if sam_state:
        network_of_sam = build_sam(encoder_of(sam_state, name))
        fit_state(network_of_sam, sam_state, name)
        sam = Sam1(network_of_sam, Loaded("recorded", None))
        with torch.inference_mode():
            features = PromptedSam1(sam).maps(query)
            low = PromptedSam1(sam).logits(features, encoded.prompts)
            _, dense = sam.network.prompt_encoder(points=None, boxes=None, masks=None)
            _, iou = sam.decode_tokens(
                Embedded(features[0], (sam.side, sam.side)), encoded.prompts, dense, multimask=False
            )
        found["image_embedding_sub"] = features[:, ::16, ::8, ::8]
        found["low_res_logits"] = low
        found["logits_sub"] = aligned(low, config["image_size"])[..., ::8, ::8]
        found["iou_prediction"] = iou
    assert found.keys() == expected.keys()
    for key, value in found.items():
        parity.assert_close(value.numpy(), expected[key], case["tolerance"], key)
    assert recorded.learned(VRPTrainable(network, sam=None)) == case["counts"]["learnable"]  # type: ignore[arg-type]
    assert recorded.parameters(network) == case["counts"]["total_prompt_encoder"]


def small_sam() -> Sam1:
    network = build_sam(Encoder(32, 1, 2, (0,), side=128))
    fill_randomly(network)
    return Sam1(network, Loaded("random", None))


@pytest.fixture(scope="module")
def method(tmp_path_factory: pytest.TempPathFactory) -> VRPSAM:
    path = tmp_path_factory.mktemp("sam") / "sam.safetensors"
    save_file(small_sam().network.state_dict(), path)
    with small_sam2():
        settings = VRPSettings(backbone="vgg16-bn", size=SIDE, sam=str(path), sam2="sam2-hiera-t", device="cpu")
        made = VRPSAM(settings)
        made.propagator()
        return made


@pytest.mark.parametrize("shots", [1, 2])
def test_images_and_videos(tmp_path: Path, method: VRPSAM, shots: int) -> None:
    shown = supports(tmp_path, shots)
    frame = parity.image(9, 47, 61)
    prompt = method.prompt(shown, frame)
    assert prompt.embeddings is not None
    assert prompt.embeddings.shape == (50 * shots, 256)
    assert np.isfinite(prompt.embeddings).all()
    assert method.segment_image(shown, frame).shape == (47, 61)
    propagator = method.propagator()
    assert propagator.start(frame, prompt).shape == (47, 61)
    assert propagator.step(frame).shape == (47, 61)
    assert method.describe()["settings"]["handover"] == "embeddings"
    with pytest.raises(IcvosError, match="needs a support"):
        method.prompt([], frame)


def drawn_batch() -> EpisodeBatch:
    """Two episodes of two shots; borders are ignored."""
    generator = torch.Generator().manual_seed(0)
    label = (torch.rand(2, 64, 64, generator=generator) > 0.5).long()
    shown = label[:, None].repeat(1, 2, 1, 1)
    shown[..., :8] = 255
    pictures = torch.randn(3, 2, 3, 64, 64, generator=generator)
    return EpisodeBatch(pictures[0], label, pictures[1:].transpose(0, 1), shown, torch.tensor([0, 1]))


def test_training_moves_the_learned_parts_alone(method: VRPSAM) -> None:
    trainable, batch = method.trainable(range(60)), drawn_batch()
    before = {name: tensor.clone() for name, tensor in trainable.network.state_dict().items()}
    groups = trainable.parameter_groups(1e-2)
    for group in groups:
        for parameter in group["params"]:
            parameter.requires_grad_(True)
    optimiser = torch.optim.AdamW(groups)
    trainable.train()
    losses = trainable.losses(batch)
    assert float(losses["total"].detach()) == pytest.approx(float((losses["bce"] + losses["dice"]).detach()))
    losses["total"].backward()
    optimiser.step()
    trainable.network.eval()
    for name, tensor in trainable.network.state_dict().items():
        assert torch.equal(tensor, before[name]) == name.startswith("layer"), name


def test_remembering_changes_no_loss(method: VRPSAM) -> None:
    plain, remembering, batch = method.trainable(range(60)), method.trainable(range(60)), drawn_batch()
    remembering.remember(4)
    plain.network.eval()  # which both have
    wanted = plain.losses(batch)
    for _ in range(2):
        found = remembering.losses(batch)
        assert all(found[name].item() == pytest.approx(value.item(), rel=1e-5) for name, value in wanted.items())


@pytest.mark.parametrize("condition", ["mask", "box", "point", "scribble"])
def test_training_and_validation_see_the_annotation(method: VRPSAM, condition: str) -> None:
    method.settings = dataclasses.replace(method.settings, condition=condition)
    trainable, batch = method.trainable(range(60)), drawn_batch()
    seen = []
    handle = trainable.network.register_forward_pre_hook(lambda module, given: seen.append(given[2]))
    with torch.no_grad():
        for seed in (0, 0, 1):
            torch.manual_seed(seed)
            trainable.losses(batch)
        torch.manual_seed(2)
        trainable.logits(batch)
        trainable.logits(batch)
    handle.remove()
    method.settings = dataclasses.replace(method.settings, condition="mask")
    truth = (batch.support_labels == 1).float()
    expected = [[annotate(mask.numpy() > 0, condition) for mask in shots] for shots in truth]
    for masks in seen[3:]:
        assert np.array_equal(masks.numpy() > 0, expected)
    assert torch.equal(seen[0], seen[1])
    free = condition in ("point", "scribble")
    assert torch.equal(seen[0], seen[2]) != free
    assert torch.equal(seen[0], seen[3]) != free
    if condition == "mask":
        assert torch.equal(seen[0], truth)


def test_a_backbone_whose_last_stage_is_smaller() -> None:
    network = PromptEncoder(build_backbone("efficientnet-lite0", "torchvision"), 5, 128).eval()
    query, masks = torch.rand(2, 3, 64, 64), torch.zeros(2, 1, 64, 64)
    masks[..., 8:40, 8:40] = 1
    with torch.inference_mode():
        found = network(query, query[:, None].flip(0), masks)
    assert found.prompts.shape == (2, 5, 128)
    assert found.prior.shape[2:] == found.query_fused.shape[2:]


def test_shots_are_encoded_on_their_own(method: VRPSAM) -> None:
    batch = drawn_batch()
    masks = (batch.support_labels == 1).float()
    with torch.inference_mode():
        together = method.network(batch.query, batch.supports, masks).prompts
        alone = [method.network(batch.query, batch.supports[:, k : k + 1], masks[:, k : k + 1]).prompts for k in (0, 1)]
    torch.testing.assert_close(together, torch.cat(alone, 1), rtol=1e-4, atol=1e-4)


def test_pictures_of_the_size_that_is_set(tmp_path: Path, method: VRPSAM) -> None:
    support, frame = drawn(tmp_path, 1, parity.mask(1, 50, 30)), parity.image(9, 47, 61)
    made = copy.copy(method)
    made.settings = dataclasses.replace(method.settings, size=64)
    seen = []
    handle = method.network.register_forward_pre_hook(lambda module, given: seen.append([x.shape[-2:] for x in given]))
    assert made.segment_image([support], frame).shape == (47, 61)
    made.prompt([support], frame)
    handle.remove()
    assert seen == [[(64, 64)] * 3] * 2


@pytest.mark.parametrize("condition", ["box", "point", "scribble"])
def test_supports_are_annotated_at_the_size_of_the_input(tmp_path: Path, method: VRPSAM, condition: str) -> None:
    support, frame = drawn(tmp_path, 1, parity.mask(1, 50, 30)), parity.image(9, 47, 61)
    method.settings = dataclasses.replace(method.settings, condition=condition)
    seen = []
    handle = method.network.register_forward_pre_hook(lambda module, given: seen.append(given[2][0, 0]))
    first, second = (method.prompt([support], frame).embeddings for _ in range(2))
    handle.remove()
    method.settings = dataclasses.replace(method.settings, condition="mask")
    assert np.array_equal(first, second)
    assert np.array_equal(seen[0].numpy() > 0, annotate(squash_mask(support.mask(), SIDE).numpy() > 0, condition))


def test_unknown_condition() -> None:
    with pytest.raises(IcvosError, match="condition=circle: it must be one of mask, box, point, scribble"):
        VRPSAM(VRPSettings(condition="circle"))
