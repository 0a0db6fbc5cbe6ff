"""What `dcsam.explain` shows is what the network computed, and looking on changes nothing."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from dcsam.attention import CyclicAttention, Fidelity
from dcsam.explain import affinity, steps, watched
from dcsam.prompt_generator import PromptGenerator
from dcsam.prompts import Prompts, find_prompts
from icvos.method import Step
from icvos.models.backbones.build import build_backbone
from tests.baselines.drawn import small_sam2
from tests.conftest import icvos
from tests.icvos.tasks.image.tiny_episodes import write_images

SIDE, GRID, TOKENS = 64, 8, 6


class DrawnSam:
    """Features of the picture's colours and a decoder that compares them with the tokens, in the place of SAM 1."""

    in_place = True

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(1)
        self.mix = torch.randn(256, 3, generator=generator)
        self.labels = torch.randn(1, 256, generator=generator), torch.randn(1, 256, generator=generator)

    def maps(self, pictures: Tensor) -> Tensor:
        small = torch.nn.functional.avg_pool2d(pictures, SIDE // GRID)
        return torch.einsum("cd,bdhw->bchw", self.mix, small)

    def logits(self, maps: Tensor, tokens: Tensor, rough: Tensor | None = None) -> Tensor:
        assert rough is None or rough.shape[-1] == GRID
        near = torch.einsum("bchw,bnc->bhw", maps, tokens)[:, None]
        return torch.nn.functional.interpolate(near - near.mean(), scale_factor=4)


def question(shots: int) -> tuple[Tensor, Tensor, Tensor]:
    drawn = torch.randn(shots + 1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(2))
    masks = torch.zeros(1, shots, SIDE, SIDE)
    masks[:, :, 10:40, 20:50] = 1
    return drawn[None, 0], drawn[None, 1:], masks


def answered(fidelity: Fidelity, shots: int, **more: bool) -> tuple[PromptGenerator, Prompts, dict, list[Step]]:
    torch.manual_seed(0)
    body = build_backbone("resnet50-v2", "torchvision")
    network = PromptGenerator(body, "full", 1, TOKENS, fidelity, **more).eval()
    with torch.inference_mode(), watched(network) as looks:
        found = find_prompts(network, DrawnSam(), *question(shots))
    return network, found, dict(looks), steps(network, found, looks)


def plainly_kept(layer: CyclicAttention, given: tuple[Tensor, ...]) -> np.ndarray:
    """(H, M) bool: equations (17) to (20), a head and a cell at a time."""
    tokens, places, features, positions, mask = (part.detach() for part in given)
    mask = mask[0].numpy()
    weight, bias = (getattr(layer.multihead_attn, f"in_proj_{name}").detach().numpy() for name in ("weight", "bias"))
    query, key = (
        x @ w.T + b
        for x, w, b in zip(
            ((tokens + places)[0].numpy(), (features + positions)[0].numpy()),
            np.split(weight, 3)[:2],
            np.split(bias, 3)[:2],
            strict=True,
        )
    )
    heads = []
    for q, k in zip(np.split(query, 4, axis=1), np.split(key, 4, axis=1), strict=True):
        like = q @ k.T / np.sqrt(q.shape[1])
        best = [int(np.argmax(like[:, cell])) for cell in range(len(k))]
        heads.append([mask[cell] == mask[int(np.argmax(like[best[cell]]))] for cell in range(len(k))])
    return np.array(heads)


def test_a_mask_prompt_is_shown_before_the_coarse_mask() -> None:
    _, found, _, (_, _, agreed, _) = answered("paper", 1, mask_prompt=True)
    assert found.rough is not None
    assert [panel.label.split(" (")[0] for panel in agreed.panels[:2]] == ["mask prompt", "coarse mask"]
    assert np.allclose(agreed.panels[0].values, found.rough[0, 0].sigmoid())


@pytest.mark.parametrize(("fidelity", "shots"), [("published", 1), ("paper", 1), ("paper", 2)])
def test_kept_places_are_those_of_the_plain_equations(fidelity: Fidelity, shots: int) -> None:
    network, _, looks, (_, learned, agreed, _) = answered(fidelity, shots)
    for number, decoder in enumerate((network.transformer_decoder, network.neg_transformer_decoder)):
        first, second = decoder.transformer_cross_attention_layers_0[0], decoder.transformer_cross_attention_layers[0]
        expected = plainly_kept(first, looks[first]).reshape(4, shots, -1).swapaxes(0, 1).reshape(4 * shots, -1)
        shown = np.stack([panel.values for panel in learned.panels[4 * shots * number :][: 4 * shots]])
        assert np.array_equal(shown.reshape(4 * shots, -1), expected)
        assert 0 < expected.mean() < 1
        share = plainly_kept(second, looks[second]).mean(0)
        assert np.array_equal(agreed.panels[1 + number].values.reshape(-1), share.astype(np.float32))
    assert [panel.shot for panel in learned.panels] == [
        shot for _ in range(2) for shot in range(shots) for _ in range(4)
    ]


def test_looking_on_changes_no_bit_and_leaves_nothing_behind() -> None:
    network, seen, _, _ = answered("published", 1)
    with torch.inference_mode():
        unseen = find_prompts(network, DrawnSam(), *question(1))
    assert torch.equal(seen.tokens, unseen.tokens)
    assert torch.equal(seen.coarse, unseen.coarse)
    assert not any(layer._forward_hooks for layer in network.modules())


def test_looks_are_the_attention_of_the_second_stage() -> None:
    network, found, looks, (priors, _, agreed, looked) = answered("published", 1)
    layer = network.neg_transformer_decoder.transformer_cross_attention_layers[0]
    tokens, places, features, positions, mask = looks[layer]
    with torch.inference_mode():
        weights, _ = layer.weights(tokens + places, features + positions, features, mask)
        assert torch.equal(affinity(layer, looks).softmax(2), weights[0])
    negative = looked.panels[4]
    times = weights[0].mean((0, 1)) * GRID**2
    np.testing.assert_allclose(negative.values.reshape(-1), times.numpy(), rtol=1e-5)
    assert [panel.shot for panel in looked.panels] == [None] * 4 + [0] * 4
    assert np.array_equal(agreed.panels[0].values, found.coarse[0, 0].numpy() > 0)
    assert np.array_equal(priors.panels[1].values, found.branches.negative.prior[0, 0].numpy())


def test_as_in_the_paper_the_negative_prompts_look_at_the_picture_too() -> None:
    _, _, _, (*_, looked) = answered("paper", 1)
    assert {panel.shot for panel in looked.panels} == {None}


def test_without_cyclic_consistency_all_places_are_kept() -> None:
    _, _, _, (_, learned, _, _) = answered("published", 1, cyclic=False)
    assert all(panel.values.all() for panel in learned.panels)


def test_without_the_negative_branch_there_is_nothing_of_it() -> None:
    _, _, _, found = answered("paper", 1, negative=False)
    assert [len(step.panels) for step in found] == [1, 4, 2, 4]
    assert not any("negative" in panel.label for step in found for panel in step.panels)


def test_a_run_on_pictures_is_explained(tmp_path: Path) -> None:
    write_images(tmp_path / "tiny")
    settings = ("backbone=efficientnet-lite0", "sam2=sam2.1-hiera-t", "size=64", "device=cpu")
    chosen = [part for setting in settings for part in ("--set", setting)]
    benchmark, run, out = tmp_path / "tiny", tmp_path / "run", tmp_path / "out"
    eval_it = ("eval", "--method", "dcsam", "--benchmark", benchmark, "--out", run, "--fold", 0, "--limit", 1, *chosen)
    with small_sam2():
        icvos(*eval_it, "--allow-random-weights")
        icvos("render", benchmark, "--predictions", run, "--explain", "0/0", "--out", out)
    assert (out / "0-0-explained.png").stat().st_size > 50_000
