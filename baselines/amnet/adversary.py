"""What looks at AMNet's feature in training: learned tokens that collect its parts, and discriminators of these."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from icvos.models.maps import tokens_of

PARTS = 14


class FeedForward(nn.Module):
    """Two linear layers without bias, beside a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        first = nn.Sequential(nn.Linear(width, 3 * width, bias=False), nn.ReLU(), nn.Dropout(0.1))
        self.layers = nn.Sequential(first, nn.Linear(3 * width, width, bias=False), nn.Dropout(0.1))

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, C) to the same."""
        added: Tensor = x + self.layers(x)
        return added


class PartMining(nn.Module):
    """Learned tokens, each of which collects a part of a masked feature."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.parts = nn.Parameter(torch.rand(PARTS, width))
        self.q_fc, self.k_fc, self.v_fc, self.proj = (nn.Linear(width, width, bias=False) for _ in range(4))
        self.ffn = FeedForward(width)
        self.layer_norms = nn.LayerNorm(width)
        self.dropout = nn.Dropout(0.1)

    def forward(self, feature: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 14, C) parts and their (B, 14, f f) maps, of a (B, C, f, f) masked feature and its mask."""
        x = tokens_of(feature)
        learned = self.parts[None].expand(len(x), -1, -1)

        def split(y: Tensor) -> Tensor:
            return y.unflatten(2, (4, -1)).transpose(1, 2)

        query, key = split(self.q_fc(learned)), split(self.k_fc(x))
        score = (
            functional.normalize(query.float(), dim=-1)
            @ functional.normalize(key.float(), dim=-1).transpose(2, 3)
            / 0.1
        )
        maps = score.mean(1).sigmoid() * mask.flatten(2)
        mixed = (self.dropout(score.softmax(-1)) @ split(self.v_fc(x))).transpose(1, 2).flatten(2)
        z = self.dropout(self.proj(mixed)) + learned
        return self.layer_norms(self.ffn(z)), maps


class Discriminator(nn.Module):
    """Whether a part is of the true object; the sigmoid is published, in front of a loss that has its own."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            nn.Linear(width, 32),
            nn.LeakyReLU(0.2),
            nn.Linear(32, 16),
            nn.LeakyReLU(0.2),
            nn.Linear(16, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C) to (B, 1)."""
        found: Tensor = self.conv(x)
        return found
