"""CyCTR's losses, and the network as it is trained."""

import numpy as np
import torch
from torch import Tensor, nn

from baselines.cyctr.keys import Permute, seeded
from baselines.cyctr.network import Cycled, CyCTRNetwork
from icvos.models.backbones.stages import STAGES
from icvos.models.losses import IGNORED
from icvos.models.maps import aligned
from icvos.models.squares import standardise
from icvos.models.weights.load import Loaded
from icvos.training.remembered import Remembered
from icvos.training.squares import MEAN_COLOUR
from icvos.training.trainable import EpisodeBatch, ParameterGroup

TRANSFORMER_RATE, TRANSFORMER_DECAY = 1e-4, 0.01  # of AdamW, whatever the recipe's rate
BLACK = (0, 0, 0)


def dice_of_both(logits: Tensor, label: Tensor) -> Tensor:
    """The sum over both channels of 1 - 2 sum(p t) / (sum(p^2) + sum(t^2)), p = sigmoid; the mean over a batch.

    Ignored pixels are not left out, as published: there both channels should be low.

    Args:
        logits: (B, 2, h, w), enlarged to the label.
        label: (B, S, S), 255 ignored.
    """
    shown = aligned(logits, label.shape[-1]).sigmoid().flatten(2)
    wanted = torch.stack([label == 0, label == 1], 1).to(shown).flatten(2)
    both = (shown * wanted).sum(2)
    share = 2 * both / (shown.square().sum(2) + wanted.square().sum(2)).clamp(min=1e-8)
    return (1 - share).sum(1).mean()


def cyctr_losses(network: CyCTRNetwork, found: Cycled, label: Tensor, support_labels: Tensor) -> dict[str, Tensor]:
    """``total`` = ``main`` + ``auxiliary``, of the supports segmented by their query.

    Args:
        network: Which computed ``found``.
        found: Its outcome.
        label: (B, S, S).
        support_labels: (B, K, S, S).
    """
    _, backwards = network.backwards(found, label)
    main, auxiliary = dice_of_both(found.low, label), dice_of_both(backwards, support_labels.flatten(0, 1))
    return {"total": main + auxiliary, "main": main, "auxiliary": auxiliary}


def padding_of(pictures: Tensor, labels: Tensor) -> Tensor:
    """(B, S, S) bool: where squares hold no picture, by the colours that they are filled with.

    The ignored outline of an object, as PASCAL VOC has it, is none: it would tell the transformer where the object is.

    Args:
        pictures: (B, 3, S, S), standardised.
        labels: (B, S, S): padding is ignored.
    """
    filled = torch.zeros_like(labels, dtype=torch.bool)
    for colour in (BLACK, MEAN_COLOUR):
        value = standardise(np.array([[colour]], dtype=np.uint8)).to(pictures)
        filled |= (pictures - value).abs().amax(1) < 1e-4
    return filled & (labels == IGNORED)


class CyCTRTrainable:
    """CyCTR as it is trained: the transformer by AdamW at a constant rate, the rest as the recipe says."""

    leaves_unused = True  # ``addtional_proj``

    def __init__(self, network: CyCTRNetwork, loaded: tuple[Loaded, ...] = ()) -> None:
        self.network = network
        self.loaded = loaded

    def train(self) -> None:
        """Training mode for all but the frozen backbone, whose batch norms stay as they are."""
        self.network.train()
        for name in STAGES:
            getattr(self.network, name).eval()

    def remember(self, pictures: int) -> None:
        """Keep what the frozen backbone sees, as `icvos.training.trainable.Remembers`."""
        self.network.remembered = Remembered(self.network.seen, pictures)

    def parameter_groups(self, learning_rate: float) -> list[ParameterGroup]:
        """All that is not backbone or transformer, at one rate (the applied one: 15 times the configured one)."""
        weights: list[nn.Parameter] = []
        biases: list[nn.Parameter] = []
        others: list[nn.Parameter] = []
        for name, parameter in self.network.named_parameters():
            if name.startswith("transformer."):
                (biases if "bias" in name else weights).append(parameter)
            elif not name.startswith(STAGES):
                others.append(parameter)

        def of_transformer(params: list[nn.Parameter], decay: float) -> ParameterGroup:
            rate = TRANSFORMER_RATE
            return {"params": params, "lr": rate, "optimiser": "adamw", "weight_decay": decay, "constant": True}

        own: ParameterGroup = {"params": others, "lr": learning_rate}
        return [own, of_transformer(weights, TRANSFORMER_DECAY), of_transformer(biases, 0.0)]

    def losses(self, batch: EpisodeBatch) -> dict[str, Tensor]:
        """``total``, ``main`` and ``auxiliary``."""
        found = self._run(batch, torch.randperm)
        return cyctr_losses(self.network, found, batch.query_label, batch.support_labels)

    def logits(self, batch: EpisodeBatch) -> Tensor:
        """(B, S, S) foreground less background; keys are drawn anew, always the same ones."""
        found = aligned(self._run(batch, seeded(0, [])).low, batch.query.shape[-1])
        return found[:, 1] - found[:, 0]

    def _run(self, batch: EpisodeBatch, permute: Permute) -> Cycled:
        found: Cycled = self.network(
            batch.query,
            batch.supports,
            batch.support_labels,
            padding_of(batch.query, batch.query_label),
            batch.support_labels == IGNORED,
            permute,
        )
        return found
