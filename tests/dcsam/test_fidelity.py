"""``paper`` differs from ``published`` where docs/dcsam.md says, and nowhere else."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dcsam.attention import Fidelity
from dcsam.fusion import Backdrop, on_grid
from dcsam.prompt_generator import PromptGenerator
from dcsam.prompts import find_prompts
from dcsam.training import DCTrainable, WithSam2
from icvos.models.backbones.build import build_backbone
from icvos.models.losses import dice

WIDTH, QUERIES, GRID = 32, 3, 8
FIDELITIES: tuple[Fidelity, Fidelity] = ("published", "paper")


class DrawnSam:
    """Features of noise, and a mask that follows from the tokens, one for each sample; SAM 1 adds labels in place."""

    def __init__(self, in_place: bool) -> None:
        self.in_place = in_place
        self.labels = torch.full((1, WIDTH), 0.5), torch.full((1, WIDTH), -0.5)

    def maps(self, pictures: Tensor) -> Tensor:
        return pictures.mean((1, 2, 3)).view(-1, 1, 1, 1) + drawn(1, WIDTH, GRID, GRID, seed=2)

    def logits(self, maps: Tensor, tokens: Tensor, rough: Tensor | None = None) -> Tensor:  # noqa: ARG002
        return torch.einsum("bnc,bchw->bhw", tokens, maps)[:, None]


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def network_of(fidelity: Fidelity) -> PromptGenerator:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        body = build_backbone("vgg16-bn", "torchvision")
        return PromptGenerator(body, sam=1, queries=QUERIES, fidelity=fidelity, width=WIDTH).eval()


@pytest.fixture(scope="module")
def networks() -> tuple[PromptGenerator, PromptGenerator]:
    published, paper = network_of("published"), network_of("paper")
    paper.load_state_dict(published.state_dict())
    return published, paper


def prompts_of(network: PromptGenerator, batch: slice, shots: int, in_place: bool) -> tuple[Tensor, Tensor]:
    """Positive and negative prompts of some of two episodes, whose backdrop is drawn."""
    masks = (drawn(2, shots, 1, GRID, GRID, seed=3) > 0).float()[batch]
    priors, query = drawn(2, 2, shots, GRID, GRID, seed=4)[:, batch], drawn(2, 768, GRID, GRID, seed=5)[batch]
    supports = drawn(2, shots, 768, GRID, GRID, seed=6)[batch].flatten(0, 1)
    seen = Backdrop(priors[0], priors[1], masks, 1 - masks, query, supports)
    network.backdrop = lambda *_: seen  # type: ignore[method-assign]
    pictures = drawn(2, 1 + shots, 3, 16, 16, seed=7)[batch]
    sam: Any = DrawnSam(in_place)
    with torch.inference_mode():
        tokens = find_prompts(network, sam, pictures[:, 0], pictures[:, 1:], masks[:, :, 0]).tokens
    return tokens[:, :QUERIES], tokens[:, QUERIES:]


@pytest.mark.parametrize(
    ("episodes", "shots", "in_place", "same"),
    [
        (1, 1, False, True),  # SAM 2: as in the paper, but for the negative branch
        (1, 1, True, False),  # SAM 1: labels are added in place
        (1, 2, False, False),  # the last of several shots alone is seen
        (2, 1, False, False),  # heads are given other samples' masks
    ],
)
def test_where_positive_prompts_differ(
    networks: tuple[PromptGenerator, PromptGenerator], episodes: int, shots: int, in_place: bool, same: bool
) -> None:
    published, paper = (prompts_of(network, slice(episodes), shots, in_place) for network in networks)
    assert torch.allclose(published[0], paper[0], atol=1e-5) == same
    assert not torch.allclose(published[1], paper[1], atol=1e-5)  # it looks at the support as published


def test_as_in_the_paper_a_batch_gives_what_each_episode_gives(
    networks: tuple[PromptGenerator, PromptGenerator],
) -> None:
    for network, same in zip(networks, (False, True), strict=True):
        together = torch.cat(prompts_of(network, slice(2), 1, False), 1)
        alone = torch.cat([torch.cat(prompts_of(network, slice(n, n + 1), 1, False), 1) for n in range(2)])
        assert torch.allclose(together, alone, atol=1e-5) == same


@pytest.mark.parametrize(("grid", "flows"), [(GRID, (True, True)), (2 * GRID, (False, True))])
def test_gradients_of_resized_features(grid: int, flows: tuple[bool, bool]) -> None:
    features = drawn(1, 2, GRID, GRID).requires_grad_()
    published, paper = (on_grid(features, grid, fidelity) for fidelity in FIDELITIES)
    assert torch.equal(published, paper)
    assert (published.requires_grad, paper.requires_grad) == flows


def test_dice_and_what_is_in_training_mode() -> None:
    logits, truth = drawn(2, 1, 8, 8), (drawn(2, 1, 8, 8, seed=1) > 0).float()
    for fidelity in FIDELITIES:
        network = network_of(fidelity)
        sam: Any = DrawnSam(True)
        trainable = DCTrainable(network, sam, fidelity=fidelity)
        trainable._logits = lambda _: (logits, SimpleNamespace(rough=None))  # type: ignore[assignment,method-assign,return-value]
        batch: Any = type("Batch", (), {"query_label": truth[:, 0], "later_labels": None})
        found = trainable.losses(batch)["dice"]
        assert torch.equal(found, dice(logits, truth)) == (fidelity == "published")
        trainable.train()
        assert network.transformer_decoder.training  # a frozen SAM: batch norms are fixed in both
        assert not any(module.training for module in network.layer2.modules())
        trainable.network = WithSam2(network, nn.Dropout())
        trainable.train()  # beside a SAM 2 that learns too, they move as published
        assert network.layer2.training == (fidelity == "published")
        assert network.transformer_decoder.training
