"""What the few-shot networks share, against its plain formulas."""

import pytest
import torch
from torch.nn.functional import normalize

from icvos.models import prior as module
from icvos.models.maps import aligned, sine_positions
from icvos.models.prior import certain, contrast, prior, shown_cells, spread, stretched


def plain(query: torch.Tensor, support: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """(h, w) of (C, h, w): the whole product over the whole product of lengths."""
    s, q = (support * mask).flatten(1), query.flatten(1)
    similar = s.T @ q / (s.norm(dim=0)[:, None] * q.norm(dim=0) + 1e-7)
    return similar.max(0).values.reshape(query.shape[1:])


@pytest.mark.parametrize("largest", [1, 100, 2**22])
@pytest.mark.parametrize("kind", ["hard", "soft", "empty", "full", "one short of full", "mixed"])
def test_prior_equals_the_whole_product(monkeypatch: pytest.MonkeyPatch, kind: str, largest: int) -> None:
    monkeypatch.setattr(module, "LARGEST", largest)
    generator = torch.Generator().manual_seed(0)
    query = torch.randn(2, 8, 5, 5, generator=generator)  # signed, so that a masked cell may have the greatest
    supports = torch.randn(2, 3, 8, 5, 5, generator=generator)
    query[0, :, 2, 3] = supports[1, 2, :, 0, 1] = 0
    masks = torch.rand(2, 3, 1, 5, 5, generator=generator)
    if kind == "hard":
        masks = (masks > 0.6).float()
    elif kind == "soft":
        masks *= masks > 0.6
    elif kind == "empty":
        masks *= 0
    else:
        masks[:] = 1
    if kind == "one short of full":
        masks[..., 4, 4] = 0
    elif kind == "mixed":
        masks[0, 1], masks[1, 0, :, 2:] = 0, 0
    found = prior(query, supports, masks)
    assert found.shape == (2, 3, 5, 5)
    for episode in range(2):
        for shot in range(3):
            expected = plain(query[episode], supports[episode, shot], masks[episode, shot])
            torch.testing.assert_close(found[episode, shot], expected, rtol=1e-5, atol=1e-6)


def test_prior_of_near_nothing_keeps_the_epsilon() -> None:
    """It is added to the product of lengths, which tells where that is small."""
    support = torch.full((1, 1, 4, 2, 2), 1e-4)
    query = torch.full((1, 4, 2, 2), 1e-4)
    found = prior(query, support, torch.ones(1, 1, 1, 2, 2))
    assert torch.allclose(found, torch.tensor(4e-8 / (4e-8 + 1e-7)))


def test_shown_cells_come_in_order_with_one_that_is_not_shown() -> None:
    masks = torch.tensor([[0, 0.2, 0, 1, 0], [0, 0, 0, 0, 3]])
    assert shown_cells(masks).tolist() == [[1, 3, 0], [4, 0, 1]]
    assert shown_cells(torch.ones(1, 3)).tolist() == [[0, 1, 2]]
    assert shown_cells(torch.zeros(1, 3)).tolist() == [[0]]


def test_sine_positions() -> None:
    found = sine_positions(3, 4)
    assert found.shape == (1, 256, 3, 4)
    angle = torch.tensor(2 / (3 + 1e-6) * 2 * torch.pi)
    assert torch.allclose(found[0, 0, 1], angle.sin().expand(4), atol=1e-5)
    assert torch.allclose(found[0, 1, 1], angle.cos().expand(4), atol=1e-5)
    angle = torch.tensor(3 / (4 + 1e-6) * 2 * torch.pi / 10000 ** (2 * 2 / 128))
    assert torch.allclose(found[0, 128 + 5, :, 2], angle.cos().expand(3), atol=1e-5)


def test_prior_in_half_precision_is_that_of_its_inputs_in_full() -> None:
    """Lengths multiply to less than half precision holds, and an epsilon of 1e-7 is not one there."""
    generator = torch.Generator().manual_seed(0)
    query = 1e-3 * torch.randn(1, 8, 5, 5, generator=generator).half()
    supports = 1e-3 * torch.randn(1, 2, 8, 5, 5, generator=generator).half()
    query[..., 0] = 0
    masks = torch.ones(1, 2, 5, 5)
    with torch.autocast("cpu", torch.float16):
        found = prior(query, supports, masks)
    assert torch.equal(found, prior(query.float(), supports.float(), masks))


def test_contrast_finds_the_object_wherever_it_is() -> None:
    generator = torch.Generator().manual_seed(0)
    here, there = torch.randn(2, 16, generator=generator)
    inside = torch.zeros(8, 8, dtype=torch.bool)
    inside[2:6, 3:6] = True
    maps = torch.where(inside, here[:, None, None], there[:, None, None]) + 5  # what all cells share
    masks = inside.float().repeat_interleave(4, 0).repeat_interleave(4, 1)[None, None]
    found = contrast([maps[None].flip(3)], [maps[None]], masks, 8)
    torch.testing.assert_close(found, inside.flip(1).float()[None, None])


def test_contrast_is_of_all_levels_and_apart_for_each_support() -> None:
    generator = torch.Generator().manual_seed(1)
    fine, coarse = torch.randn(2, 4, 8, 8, generator=generator), torch.randn(2, 6, 4, 4, generator=generator)
    shown = torch.randn(4, 4, 8, 8, generator=generator), torch.randn(4, 6, 4, 4, generator=generator)
    masks = (torch.rand(2, 2, 16, 16, generator=generator) > 0.5).float()
    found = contrast([fine, coarse], list(shown), masks, 8)
    levels = []
    for query, support in (
        (fine[1], shown[0][3]),
        (coarse[1], shown[1][3]),
    ):  # the second support of the second episode
        query, support = (x - x.mean((1, 2), keepdim=True) for x in (query, support))
        on, off = (where[0] for where in certain(masks[1:, 1:], support.shape[-1]))
        each = plain(query, support, on) - plain(query, support, off)
        levels.append(aligned(each[None, None], 8))
    of_object, around = (normalize(normalize(support, dim=0)[:, where[0] > 0].sum(1), dim=0) for where in (on, off))
    each = torch.einsum("chw,c->hw", normalize(query, dim=0), of_object - around)
    levels.append(aligned(each[None, None], 8))
    scores = torch.stack([(x - x.mean()) / x.std(correction=0) for x in levels]).mean(0)
    torch.testing.assert_close(found[1, 1], stretched(spread(scores, fine[1:]))[0, 0], rtol=1e-4, atol=1e-5)


def test_scores_spread_over_cells_that_look_alike_and_lie_near() -> None:
    """By the same system of equations as in ``lite``, here solved in full."""
    generator = torch.Generator().manual_seed(0)
    maps, scores = torch.randn(2, 3, 6, 9, generator=generator), torch.randn(2, 2, 6, 9, generator=generator)
    found = spread(scores, maps)
    for episode in range(2):
        cells = normalize(maps[episode] - maps[episode].mean((1, 2), keepdim=True), dim=0).flatten(1)
        rows, columns = torch.meshgrid(torch.arange(6), torch.arange(9), indexing="ij")
        place = torch.stack([rows.flatten(), columns.flatten()], 1).float() / 6
        weights = torch.exp((cells.T @ cells - 1) / 0.05 - torch.cdist(place, place) ** 2 / (2 * 0.25**2))
        weights.fill_diagonal_(0)
        root = weights.sum(1).sqrt()
        system = torch.eye(54) - 0.8 * weights / (root[:, None] * root)
        for shot in range(2):
            expected = torch.linalg.solve(system, scores[episode, shot].flatten() * root) / root
            gap = (found[episode, shot].flatten() - expected).abs().max() / expected.abs().max()
            assert gap < 0.8**20, gap  # what further steps would add


def test_cells_on_an_outline_are_neither_object_nor_background() -> None:
    masks = torch.zeros(2, 1, 8, 8)
    masks[0, 0, :3] = 1  # three of four rows of the upper cells, of which every one is 4 x 4
    masks[1, 0, :1, :1] = 1  # a sixteenth of one cell
    on, off = certain(masks, 2)
    assert on[:, 0].tolist() == [[[1, 1], [0, 0]], [[1, 0], [0, 0]]]  # the fullest where none is half full
    assert off[:, 0].tolist() == [[[0, 0], [1, 1]], [[1, 1], [1, 1]]]
    on, off = certain(torch.zeros(1, 1, 8, 8), 2)
    assert not on.any()
    assert off.all()
