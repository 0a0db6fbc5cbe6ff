"""A trainable of a few parameters and episodes of coloured discs, for tests of the training loop; also a script.

torchrun -m tests.icvos.training.toy_training OUT        trains it twice, with statistics that stay and that drift
"""

import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from icvos.models.weights.load import Loaded
from icvos.training.loop import train
from icvos.training.recipe import Recipe
from icvos.training.trainable import EpisodeBatch, ParameterGroup

COLOURS = torch.tensor([[2.0, 0, 0], [0, 2.0, 0], [0, 0, 2.0], [2.0, 2.0, 0]])


class Discs:
    """Discs in the class's colour and in another one; classes 0 and 1 train, 2 and 3 validate."""

    learned = (0, 1)
    classes = (2, 3)
    digest = "discs"

    def __len__(self) -> int:
        return 16

    def training(self, epoch: int, index: int) -> EpisodeBatch:
        return self._episode(torch.Generator().manual_seed(1000 * epoch + index), (0, 1))

    def validation(self, index: int) -> EpisodeBatch:
        return self._episode(torch.Generator().manual_seed(10**6 + index), self.classes)

    def _episode(self, generator: torch.Generator, classes: tuple[int, int]) -> EpisodeBatch:
        turn = int(torch.randint(2, (1,), generator=generator))
        kind, other = classes[turn], classes[1 - turn]
        query, query_label = self._picture(generator, kind, other)
        support, support_label = self._picture(generator, kind, other)
        return EpisodeBatch(
            query[None], query_label[None], support[None, None], support_label[None, None], torch.tensor([kind])
        )

    def _picture(self, generator: torch.Generator, kind: int, other: int) -> tuple[Tensor, Tensor]:
        image = 0.1 * torch.randn(3, 16, 16, generator=generator)
        label = torch.zeros(16, 16, dtype=torch.int64)
        rows, columns = torch.meshgrid(torch.arange(16), torch.arange(16), indexing="ij")
        for colour, column in ((kind, 4), (other, 11)):
            row = int(torch.randint(4, 12, (1,), generator=generator))
            disc = (rows - row) ** 2 + (columns - column) ** 2 <= 9
            image[:, disc] += COLOURS[colour][:, None]
            if colour == kind:
                label[disc] = 1
        return image, label


class ToyNetwork(nn.Module):
    """A frozen stage, and a learned scale and shift of the distance to the support's mean colour."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.frozen = nn.Sequential(nn.Conv2d(3, 8, 1), nn.BatchNorm2d(8))
        self.dropout = nn.Dropout2d(dropout)
        self.scale = nn.Parameter(torch.tensor(0.1))
        self.shift = nn.Parameter(torch.tensor(0.0))

    def forward(self, query: Tensor, support: Tensor, mask: Tensor) -> Tensor:
        shown, seen = self.frozen(support), self.frozen(query)
        mean = (shown * mask[:, None]).sum((2, 3)) / mask.sum((1, 2))[:, None]
        distance = self.dropout(seen - mean[:, :, None, None]).square().sum(1)
        return self.shift - self.scale * distance


class Toy:
    """A `Trainable`."""

    loaded = (Loaded("toy", "0" * 64),)

    def __init__(self, dropout: float = 0.0, drift: bool = False) -> None:
        torch.manual_seed(0)
        self.network = ToyNetwork(dropout)
        self.drift = drift

    def train(self) -> None:
        self.network.train()
        self.network.frozen.train(self.drift)

    def parameter_groups(self, learning_rate: float) -> list[ParameterGroup]:
        return [
            {"params": [self.network.scale], "lr": learning_rate},
            {"params": [self.network.shift], "lr": 10 * learning_rate},
        ]

    def losses(self, batch: EpisodeBatch) -> dict[str, Tensor]:
        found = functional.binary_cross_entropy_with_logits(self.logits(batch), batch.query_label.float())
        return {"total": found}

    def logits(self, batch: EpisodeBatch) -> Tensor:
        return self.network(batch.query, batch.supports[:, 0], batch.support_labels[:, 0])


def recipe(**changes: Any) -> Recipe:
    """Two epochs of eight steps."""
    values = {"method": "toy", "epochs": 2, "learning_rate": 0.1, "validation_episodes": 6, "save_every": 3} | changes
    return Recipe(**values)


if __name__ == "__main__":
    for name in ("steady", "drift"):
        train(recipe(batch=2), Toy(drift=name == "drift"), Discs(), Path(sys.argv[1]) / name)
