"""What BAM does, and HDMNet and AMNet after it: the answer of a meta learner combined with that of a base learner.

The base learner, a PSPNet on the training classes, says what is something else than the target. How far apart query and
supports are, told by the Gram matrices of their low-level features, decides how far to trust it.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor, nn

from baselines.parts.base_network import BaseNetwork, vote
from icvos.models.backbones.stages import Staged
from icvos.models.maps import in_float32
from icvos.models.prior import EPSILON

Taps = Callable[[Tensor], tuple[Tensor, ...]]


class Answer(Protocol):
    """What a network says of its queries, f the side of the feature map; channel 1 is foreground."""

    @property
    def final(self) -> Tensor:
        """(B, 2, f, f) probabilities, combined with what the base learner sees."""
        ...

    @property
    def meta(self) -> Tensor:
        """(B, 2, f, f) logits, without the base learner."""
        ...


class EnsembleNetwork(Staged, ABC):
    """The common half of such networks; published parameter names."""

    gram_merge: nn.Conv2d
    cls_merge: nn.Conv2d
    shots: int
    remembered: Taps | None = None

    def add_ensemble(self, shots: int) -> None:
        """Add the two merges, and for more than one support the weighting of shots."""
        self.gram_merge = nn.Conv2d(2, 1, 1, bias=False)
        self.cls_merge = nn.Conv2d(2, 1, 1, bias=False)
        for merge in (self.gram_merge, self.cls_merge):
            merge.weight.data = torch.tensor([1.0, 0.0]).reshape(1, 2, 1, 1)
        if shots > 1:
            self.kshot_rw = nn.Sequential(nn.Conv2d(shots, 2, 1), nn.ReLU(), nn.Conv2d(2, shots, 1))
        self.shots = shots

    @abstractmethod
    def taps(self, x: Tensor) -> tuple[Tensor, ...]:
        """The maps that the frozen parts make of (B, 3, S, S) pictures."""

    @abstractmethod
    def base_logits(self, seen: tuple[Tensor, ...]) -> Tensor:
        """(B, N + 1, f, f) logits of the base learner, by what `taps` gave; channel 0 is background."""

    @abstractmethod
    def take(self, base: BaseNetwork) -> None:
        """Put a trained base learner on the same backbone in the place of the network's own."""

    @abstractmethod
    def forward(
        self,
        query: Tensor,
        supports: Tensor,
        masks: Tensor,
        left_out: Tensor | None = None,
        shown: tuple[Tensor, ...] | None = None,
    ) -> Answer:
        """Segment (B, 3, S, S) queries by (B, K, 3, S, S) supports and their (B, K, S, S) float masks of 0 and 1.

        Args:
            query: Standardised pictures.
            supports: Standardised pictures.
            masks: Where the supports show the category.
            left_out: (B,) base class, from 0, that does not count as something else; -1 for none.
            shown: What `see` gave of the (B K, 3, S, S) supports, where that is known.
        """

    def answer(self, query: Tensor, supports: Tensor, masks: Tensor, *, leave_out: bool) -> Answer:
        """`forward`; to ``leave_out`` the class that the base learner sees most inside the support masks."""
        shown = left_out = None
        if leave_out:
            with torch.no_grad():
                shown = self.see(supports.flatten(0, 1))
                left_out = vote(self.base_logits(shown), masks)
        found: Answer = self(query, supports, masks, left_out, shown)
        return found

    def see(self, x: Tensor) -> tuple[Tensor, ...]:
        """What the frozen parts see of (B, 3, S, S) pictures: `taps`, or what is ``remembered`` of them."""
        return (self.remembered or self.taps)(x)

    def ensemble(self, logits: Tensor, distance: Tensor, base_map: Tensor) -> Tensor:
        """(B, 2, f, f) combined probabilities.

        Args:
            logits: (B, 2, f, f) of the meta learner.
            distance: (B, 1), how far apart query and supports are.
            base_map: (B, 1, f, f), how much the base learner sees something else.
        """
        probability = logits.softmax(1)
        spread = distance[:, :, None, None].expand_as(base_map)
        foreground = self.gram_merge(torch.cat([probability[:, 1:], spread], 1))
        background = self.gram_merge(torch.cat([probability[:, :1], spread], 1))
        background = self.cls_merge(torch.cat([background, base_map], 1))
        return torch.cat([background, foreground], 1)

    def ranked(self, distances: Tensor) -> tuple[Tensor, Tensor]:
        """Scores of (B, K) distances from the least to the greatest, (B, K), and whose distance has each rank, (B, K).

        A network for one support gives all the same score.
        """
        ordered, whose = distances.sort(dim=1)
        if self.shots == 1:
            return torch.zeros_like(distances), whose
        return self.kshot_rw(ordered[:, :, None, None])[:, :, 0, 0], whose


def gram_distances(query: Tensor, supports: Tensor) -> Tensor:
    """(B, K): how far the Gram matrices of (B K, C, h, w) support features are from those of (B, C, h, w) queries."""
    apart = gram(query)[:, None] - gram(supports).unflatten(0, (len(query), -1))
    return apart.flatten(2).norm(dim=2) / apart.shape[2]


@in_float32
def gram(features: Tensor) -> Tensor:
    """(B, C, C): cosine of every pair of channels of (B, C, h, w), over positions."""
    flat = features.flatten(2)
    length = flat.norm(dim=2)
    return flat @ flat.transpose(1, 2) / (length[:, :, None] * length[:, None] + EPSILON)


def something_else(base: Tensor, left_out: Tensor | None) -> Tensor:
    """(B, 1, f, f): probability, by (B, N, f, f) base logits, of any base class but the one that is left out."""
    probability = base.softmax(1)
    total = probability[:, 1:].sum(1, keepdim=True)
    if left_out is None:
        return total
    index = (left_out + 1).clamp(min=0)
    own = probability[torch.arange(len(base), device=base.device), index][:, None]
    return total - own * (left_out >= 0)[:, None, None, None]
