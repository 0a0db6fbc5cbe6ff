"""The prompt generator against the recorded outputs of the published program."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from dcsam.attention import Fidelity
from dcsam.fusion import Backdrop
from dcsam.prompt_generator import LEARNED, Branches, PromptGenerator
from icvos.errors import IcvosError
from icvos.models.backbones.build import build_backbone
from icvos.models.backbones.dinov2 import DINOV2_MODELS, DINOv2
from tests import Json, parity
from tests.baselines import recorded

POINTS = "prompt_encoder.point_embeddings"
SLOW = "dcsam-sam*-resnet50-1shot dcsam-prior-* dcsam-dinov2-*"


def drawn_features(spec: Json) -> Tensor:
    """(B, C, h, w) of SAM, as the case says in words."""
    height, width = spec["size"]
    items = []
    for item in range(spec["count"]):
        mix = parity.fill(f"{spec['name']}.{item}.mix", (spec["C"], 3))
        pixels = parity.normalise(parity.image(spec["seed"] + item, height, width)).reshape(3, -1)
        noise = parity.fill(f"{spec['name']}.{item}.noise", (spec["C"] * height * width, 1))
        items.append((mix @ pixels).reshape(-1, height, width) + 0.5 * noise.reshape(-1, height, width))
    return torch.from_numpy(np.stack(items)).float()


def sam_features(case: Json, whose: str) -> Tensor | tuple[Tensor, Tensor, Tensor]:
    given = case["inputs"]
    if whose in given:
        return drawn_features(given[whose])
    fine, middle, coarse = (drawn_features(given[f"{whose}.{n}"]) for n in ("high_res_0", "high_res_1", "image_embed"))
    return fine, middle, coarse


def pictures(spec: Json, make: str) -> Tensor:
    """(1, K, ...) of a spec with a count."""
    drawn = getattr(recorded, make)
    return torch.stack([drawn({**spec, "seed": spec["seed"] + item}) for item in range(spec.get("count", 1))])[
        None
    ].float()


def build(config: Json, fidelity: Fidelity = "published") -> PromptGenerator:
    if config["backbone"].startswith("dinov2"):
        body = DINOv2(DINOV2_MODELS["dinov2-vitb14-reg"])
    else:
        body = build_backbone(recorded.BACKBONES[config["backbone"]], "torchvision")
    variant = "prior" if "prior" in config["variant"] else "full"
    return PromptGenerator(body, variant, config["sam_version"], config["num_query_per_branch"], fidelity)


def outputs(branches: Branches, tokens: tuple[Tensor, Tensor]) -> Json:
    positive, negative = branches.positive, branches.negative
    found = {
        "stage1_pos": tokens[0],
        "stage1_neg": tokens[1],
        "prior_mask": positive.prior,
        "neg_prior_mask": negative.prior,
        "prototype": positive.prototype.flatten(0, 1),
    }
    for name, branch in (("", positive), ("neg_", negative)):
        found[f"{name}support_fused_sub"] = branch.support.flatten(0, 1)[:, ::16, ::8, ::8]
        found[f"{name}query_fused_sub"] = branch.query[:, ::16, ::8, ::8]
    return found


@pytest.mark.parametrize("name", parity.cases("dcsam-*shot", slow=SLOW))
def test_recorded_outputs(name: str, tmp_path: Path) -> None:
    case, expected = parity.load(name)
    config, state = case["config"], parity.state_dict(case)
    network = build(config)
    own = {key: value for key, value in state.items() if not key.startswith(POINTS)}
    recorded.load_published(network, own, tmp_path)
    labels = [torch.from_numpy(parity.fill(f"{POINTS}.{label}.weight", (1, 256))) for label in (1, 0)]
    given = case["inputs"]
    asked, shown = sam_features(case, "query_sam"), sam_features(case, "support_sam")
    coarse = recorded.mask(given["pre_mask"])[None]
    with torch.inference_mode():
        seen = network.backdrop(
            recorded.picture(given["query_img"])[None],
            pictures(given["support_imgs"], "picture"),
            pictures(given["support_masks"], "mask"),
        )
        branches = network.fuse(seen, asked, shown)
        tokens = network.look(branches)
        found = outputs(branches, tokens)
        if config["sam_version"] == 2:
            found["query_sam_fused_sub"] = network.sam_downscaling(asked)[:, ::16, ::8, ::8]
        last = "_last_shot" if config["nshot"] > 1 else ""
        for start, given_tokens in (
            ("", tokens),
            ("labelled_", (tokens[0] + labels[0], tokens[1] + labels[1])),
        ):
            network.fidelity = "published"
            found[f"stage2_{start}pos"], found[f"stage2_{start}neg{last}"] = network.refine(
                given_tokens, branches, coarse
            )
            network.fidelity = "paper"
            _, found[f"stage2_{start}neg_query_features"] = network.refine(given_tokens, branches, coarse)
    found = {key: value for key, value in found.items() if "labelled" not in key or key in expected}
    assert found.keys() == expected.keys()
    for key, value in found.items():
        parity.assert_close(value.numpy(), expected[key], case["tolerance"], key)
    assert recorded.parameters(network) == case["counts"].get("total", recorded.parameters(network))
    learned = [getattr(network, part) for part in LEARNED if hasattr(network, part)]
    assert sum(map(recorded.parameters, learned)) == case["counts"]["learnable"]


def drawn_backdrop() -> Backdrop:
    """Two episodes of one shot on a grid of 8, as from VGG-16."""
    generator = torch.Generator().manual_seed(0)
    masks = (torch.rand(2, 1, 1, 8, 8, generator=generator) > 0.5).float()
    priors, taps = torch.rand(2, 2, 1, 8, 8, generator=generator), torch.rand(2, 2, 768, 8, 8, generator=generator)
    return Backdrop(priors[0], priors[1], masks, 1 - masks, taps[0], taps[1])


@pytest.mark.parametrize("negative", [True, False])
@pytest.mark.parametrize("fusion", [True, False])
def test_parts_may_be_left_out(negative: bool, fusion: bool) -> None:
    network = PromptGenerator(build_backbone("vgg16-bn", "torchvision"), sam=1, negative=negative, fusion=fusion)
    assert hasattr(network, "merge_2") == hasattr(network, "neg_transformer_decoder") == negative
    assert network.merge_1[0].weight.shape[1] == (769 if fusion else 513)
    network.eval()
    seen, coarse = drawn_backdrop(), torch.ones(2, 64, 64)
    prompts = []
    with torch.inference_mode():
        for sam in (torch.zeros(2, 256, 8, 8), torch.ones(2, 256, 8, 8)):
            branches = network.fuse(seen, sam, sam)
            prompts.append(network.refine(network.look(branches), branches, coarse))
    assert [branch.shape for branch in prompts[0]] == [(2, 25, 256)] * (2 if negative else 1)
    same = [torch.equal(one, other) for one, other in zip(*prompts, strict=True)]
    assert same == [not fusion] * len(same)


def test_the_prior_variant_fuses_sams_features() -> None:
    with pytest.raises(IcvosError, match="set variant=full, or fusion=true"):
        PromptGenerator(build_backbone("vgg16-bn", "torchvision"), "prior", fusion=False)
