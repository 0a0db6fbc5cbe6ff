"""Maps of four axes against loops over their positions, and the vote of several shots."""

import pytest
import torch
from torch import Tensor, nn

from baselines.parts.four_axes import Norm, correlation, over_query, over_support, vote

SHAPE = (2, 8, 5, 6, 4, 3)


def a_map(*, last: bool) -> Tensor:
    """Drawn, with its channels last in memory or not."""
    x = torch.randn(SHAPE, generator=torch.Generator().manual_seed(0))
    return x.permute(0, 2, 3, 4, 5, 1).contiguous().permute(0, 5, 1, 2, 3, 4) if last else x


@pytest.mark.parametrize("last", [False, True])
def test_a_layer_goes_over_every_position(last: bool) -> None:
    x, layer = a_map(last=last), nn.Conv2d(8, 7, 3, 2, padding=1).to(memory_format=torch.channels_last)
    by_query, by_support = over_query(layer, x), over_support(layer, x)
    assert by_query.shape == (2, 7, 3, 3, 4, 3)
    assert by_support.shape == (2, 7, 5, 6, 2, 2)
    for i in range(4):
        for j in range(3):
            torch.testing.assert_close(by_query[..., i, j], layer(x[..., i, j]), rtol=1e-5, atol=1e-5)
    for i in range(5):
        for j in range(6):
            torch.testing.assert_close(by_support[:, :, i, j], layer(x[:, :, i, j]), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("last", [False, True])
def test_the_norm_is_over_all_axes(last: bool) -> None:
    x, norm = a_map(last=last) + 3, Norm(4, 8)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    wanted = nn.functional.group_norm(x.contiguous(), 4, norm.weight, norm.bias)
    torch.testing.assert_close(norm(x), wanted, rtol=1e-5, atol=1e-5)


def test_correlation_is_the_cosine_of_cells_cut_at_0() -> None:
    generator = torch.Generator().manual_seed(0)
    query, support = (torch.randn(2, 3, 9, 4, size, generator=generator) for size in (5, 6))
    support[..., 2] = 0
    found = correlation(query, support)
    assert found.shape == (2, 3, 4, 5, 4, 6)
    for y, x in ((0, 0), (3, 4)):
        one, other = query[1, 2, :, y, x], support[1, 2, :, 1, 3]
        cosine = (one @ other) / ((one.norm() + 1e-5) * (other.norm() + 1e-5))
        assert found[1, 2, y, x, 1, 3] == pytest.approx(max(0.0, float(cosine)), abs=1e-6)
    assert not found[..., 2].any()


@pytest.mark.parametrize(
    ("votes", "shots", "expected"),
    [
        ([0, 1], 1, [False, True]),
        ([0, 1, 2, 3], 3, [False, False, True, True]),
        ([0, 1, 2], 3, [False, True, True]),  # by the largest that occurs, not by the shots
        ([0, 1, 2], 2, [False, True, True]),  # a tie is foreground
        ([0, 0], 5, [False, False]),
        ([1, 0], 5, [True, False]),
    ],
)
def test_votes(votes: list[int], shots: int, expected: list[bool]) -> None:
    logits = torch.zeros(1, shots, 2, 1, len(votes))
    for place, count in enumerate(votes):
        logits[0, :count, 1, 0, place] = 1
    assert vote(logits)[0, 0].tolist() == expected
