"""What HSNet and VAT compute before they learn anything: taps of a frozen backbone, masked, and correlated.

Hybrid masking (HM) is another way to mask a support, and nothing else.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from baselines.parts.four_axes import correlation
from icvos.models.backbones.taps import Tapped
from icvos.models.maps import aligned
from icvos.models.weights.load import State

Taps = Callable[[Tensor], tuple[Tensor, ...]]


class CorrelationNetwork(nn.Module, ABC):
    """The network but for `hpn_learner`, which is all of it that learns; published parameter names.

    Args:
        body: The backbone, frozen.
        learner: What learns.
        hybrid: Whether supports are masked by HM.
    """

    def __init__(self, body: Tapped, learner: nn.Module, *, hybrid: bool) -> None:
        super().__init__()
        self.backbone = body
        self.remembered: Taps | None = None
        self.hpn_learner = learner.to(memory_format=torch.channels_last)  # as its maps are; see `four_axes`
        self.hybrid = hybrid

    def forward(self, query: Tensor, supports: Tensor, masks: Tensor) -> Tensor:
        """(B, K, 2, l, l): low logits of (B, 3, S, S) queries by each of their supports alone; channel 1 is foreground.

        Shots are gone through one after the other, because the correlations of one are what takes the memory.

        Args:
            query: Standardised pictures.
            supports: (B, K, 3, S, S) standardised pictures.
            masks: (B, K, S, S) float32 of 0 and 1: where the supports show the category.
        """
        with torch.no_grad():
            asked = self.on_grids(self.see(query))
        shots = zip(supports.unbind(1), masks.unbind(1), strict=True)
        return torch.stack([self.learned(asked, self.correlate(asked, *shot)) for shot in shots], 1)

    def taps(self, x: Tensor) -> tuple[Tensor, ...]:
        """What the frozen backbone makes of (B, 3, S, S) pictures; see `Tapped.forward`."""
        return tuple(self.backbone(x))

    def see(self, x: Tensor) -> tuple[Tensor, ...]:
        """`taps`, or what is ``remembered`` of them."""
        return (self.remembered or self.taps)(x)

    @torch.no_grad()
    def correlate(self, asked: Sequence[Tensor], support: Tensor, mask: Tensor) -> list[Tensor]:
        """(B, L, Qh, Qw, Ph, Pw) correlations of the groups at strides 8, 16 and 32, in this order.

        Args:
            asked: The query's taps.
            support: (B, 3, S, S) standardised pictures.
            mask: (B, S, S) float32 of 0 and 1.
        """
        shown = self.shown(support, mask[:, None])[-3:]
        return [correlation(*pair) for pair in zip(asked[-3:], shown, strict=True)]

    def shown(self, support: Tensor, mask: Tensor) -> list[Tensor]:
        """The masked taps of (B, 3, S, S) supports, whose masks are (B, 1, S, S).

        HM takes a tap under its mask where that is above 0, and elsewhere the tap of the masked picture.
        """
        if not self.hybrid:
            return [under(taps, mask) for taps in self.on_grids(self.see(support))]
        both = self.backbone(torch.cat([support, support * mask]))
        found = []
        for taps in both:
            whole, inside = taps.chunk(2)
            features = under(whole, mask)
            found.append(torch.where(features > 0, features, inside))
        return self.on_grids(found)

    def on_grids(self, groups: Sequence[Tensor]) -> list[Tensor]:
        """The taps at the sizes at which they are correlated: their own."""
        return list(groups)

    @abstractmethod
    def learned(self, asked: Sequence[Tensor], correlations: Sequence[Tensor]) -> Tensor:
        """(B, 2, l, l) low logits, by the query's taps and the correlations with one support."""

    @staticmethod
    def own_state(state: State) -> State:
        """The state of a published checkpoint without the backbone's classifier and without constants."""
        unused = ("backbone.fc.", "backbone.classifier.")
        constants = (".relative_position_index", ".attn_mask")
        return {
            name: value for name, value in state.items() if not name.startswith(unused) and not name.endswith(constants)
        }


def under(taps: Tensor, mask: Tensor) -> Tensor:
    """(B, L, C, h, w) taps times the (B, 1, S, S) mask, which is soft at the edges at their size.

    In float32 as torch computes its coordinates: a weight of 1e-5 beside the mask is not 0 once cells are normalised.
    """
    return taps * aligned(mask, (taps.shape[3], taps.shape[4]))[:, None]
