"""The dual-branch prompt generator, Figure 3 of the paper: 2 N prompts from supports, their masks and the query."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from dcsam.attention import Fidelity
from dcsam.fusion import Backdrop, Sam2Folding, Taps, on_grid, through_dinov2, through_stages
from dcsam.mask_prompt import MaskPrompt
from dcsam.prompt_decoder import PromptDecoder
from icvos.errors import IcvosError
from icvos.models.backbones.dinov2 import DINOv2
from icvos.models.backbones.stages import Staged
from icvos.models.maps import masked_average
from icvos.models.sam.prompted import Maps

Variant = Literal["full", "prior"]
LEARNED = (
    "downsample_query",
    "merge_1",
    "merge_2",
    "sam_downscaling",
    "transformer_decoder",
    "neg_transformer_decoder",
    "mask_prompt",
)
MASK_WEIGHT = 10  # of masks and priors among the fused channels


@dataclass(frozen=True, slots=True)
class Branch:
    """The fused features of one branch.

    Args:
        support: (B, K, C, h, w).
        query: (B, C, h, w).
        masks: (B, K, h, w) of 0 and 1, where the branch's kind is in the supports.
        prior: (B, 1, h, w), averaged over the shots; not stretched.
        prototype: (B, K, C).
    """

    support: Tensor
    query: Tensor
    masks: Tensor
    prior: Tensor
    prototype: Tensor


@dataclass(frozen=True, slots=True)
class Branches:
    """Where the object is, and, unless that is left out, where it is not."""

    positive: Branch
    negative: Branch | None


class PromptGenerator(Staged):
    """The prompt generator; published parameter names.

    Args:
        body: A staged backbone, or DINOv2, which has the ``prior`` variant alone.
        variant: ``full`` fuses backbone maps and SAM's, ``prior`` SAM's alone.
        sam: 1 or 2: whose features are fused.
        queries: N, the tokens of each branch.
        fidelity: ``published`` repeats what the released code computes, ``paper`` what the paper says.
        cyclic: Whether attention is filtered by cyclic consistency.
        negative: Whether there is a negative branch.
        fusion: Whether SAM's features are fused; they must be where nothing else is.
        width: C, the channels of features and tokens: SAM's.
        mask_prompt: Whether there is a rough mask beside the tokens, see `MaskPrompt`.
    """

    def __init__(
        self,
        body: Staged | DINOv2,
        variant: Variant = "full",
        sam: Literal[1, 2] = 2,
        queries: int = 25,
        fidelity: Fidelity = "published",
        cyclic: bool = True,
        negative: bool = True,
        fusion: bool = True,
        width: int = 256,
        mask_prompt: bool = False,
    ) -> None:
        super().__init__()
        if isinstance(body, DINOv2):
            if variant != "prior":
                raise IcvosError("DINOv2 has no maps to fuse; set variant=prior")
            self.dinov2 = body
        else:
            self.take_stages(body)
        if variant == "prior" and not fusion:
            raise IcvosError("variant=prior fuses SAM's features alone; set variant=full, or fusion=true")
        if variant == "full":
            taps = self.channels[2] + self.channels[3]
            self.downsample_query = nn.Sequential(nn.Conv2d(taps, width, 1, bias=False), nn.ReLU(), nn.Dropout2d(0.5))
        fused = width * (3 if variant == "full" and fusion else 2) + 1
        self.merge_1 = nn.Sequential(nn.Conv2d(fused, width, 1, bias=False), nn.ReLU())
        if negative:
            self.merge_2 = nn.Sequential(nn.Conv2d(fused, width, 1, bias=False), nn.ReLU())
        if sam == 2 and fusion:
            self.sam_downscaling = Sam2Folding(width)
        self.transformer_decoder = PromptDecoder(queries, fidelity, cyclic, width)
        if negative:
            self.neg_transformer_decoder = PromptDecoder(queries, fidelity, cyclic, width)
        if mask_prompt:
            self.mask_prompt = MaskPrompt(width)
        self.fusion = fusion
        self.negative = negative
        self.variant = variant
        self.fidelity = fidelity

    def backdrop(
        self, query: Tensor, supports: Tensor, masks: Tensor, early: Callable[[Tensor], Taps] | None = None
    ) -> Backdrop:
        """What the frozen backbone sees; see `dcsam.fusion.through_stages` for the shapes.

        Args:
            query: The queries.
            supports: The supports.
            masks: Their masks.
            early: What gives the maps of `early`, where they are remembered.
        """
        with torch.no_grad():
            if hasattr(self, "dinov2"):
                return through_dinov2(self.dinov2, query, supports, masks)
            return through_stages(early or self.early, self.layer4, query, supports, masks, taps=self.variant == "full")

    def early(self, pictures: Tensor) -> Taps:
        """The maps of ``layer2``, ``layer3`` and, where pictures are compared by it, ``layer4``; (B, 3, S, S) given."""
        return self.features(pictures, (2, 3, 4) if self.contrasts else (2, 3))

    def fuse(self, seen: Backdrop, query: Maps, supports: Maps) -> Branches:
        """Both branches, equations (5), (6), (15) and (16).

        Args:
            seen: What the backbone gives.
            query: SAM's features of the queries: (B, C, s, s), or SAM 2's three maps.
            supports: SAM's features of the supports: (B K, C, s, s), or SAM 2's three maps.
        """
        grid = seen.masks.shape[-1]
        maps = []
        if seen.query is not None and seen.supports is not None:
            maps.append((self.downsample_query(seen.query), self.downsample_query(seen.supports)))
        if self.fusion:
            asked, shown = (on_grid(self._folded(own), grid, self.fidelity) for own in (query, supports))
            maps.append((asked, shown))
        return Branches(
            self._branch(self.merge_1, maps, seen.prior, seen.masks),
            self._branch(self.merge_2, maps, seen.negative_prior, seen.negative_masks) if self.negative else None,
        )

    def look(self, branches: Branches) -> tuple[Tensor, ...]:
        """Stage 1: the tokens of each branch after a look at the supports, (B, N, C) each.

        As published the shots overwrite each other, and the last alone is seen; as in the paper all are.
        """
        shots = slice(-1, None) if self.fidelity == "published" else slice(None)
        positive, negative = branches.positive, branches.negative
        looked: Tensor = self.transformer_decoder.look(positive.support[:, shots], positive.masks[:, shots])
        if negative is None:
            return (looked,)
        return looked, self.neg_transformer_decoder.look(negative.support[:, shots], negative.masks[:, shots])

    def rough(self, branches: Branches) -> Tensor | None:
        """(B, 1, h, w) logits of a rough mask of the query; None without ``mask_prompt``."""
        if not hasattr(self, "mask_prompt"):
            return None
        found: Tensor = self.mask_prompt(branches.positive.query, branches.positive.prior)
        return found

    def refine(self, tokens: tuple[Tensor, ...], branches: Branches, coarse: Tensor) -> tuple[Tensor, ...]:
        """Stage 2: the prompts of each branch, (B, N, C) each.

        The negative branch looks at its own query features, equation (13); as published at the *positive* features of
        the support, the last where there are several.

        Args:
            tokens: Those of stage 1.
            branches: The fused features.
            coarse: (B, S, S) of 0 and 1: the query's mask by SAM from the tokens of stage 1.
        """
        positive, negative = branches.positive, branches.negative
        size = positive.query.shape[2:]
        mask = functional.interpolate(coarse[:, None].float(), size=size, mode="nearest")[:, 0]
        refined: Tensor = self.transformer_decoder.refine(tokens[0], positive.query, mask)
        if negative is None:
            return (refined,)
        where = positive.support[:, -1] if self.fidelity == "published" else negative.query
        return refined, self.neg_transformer_decoder.refine(tokens[1], where, 1 - mask)

    def _folded(self, maps: Maps) -> Tensor:
        if isinstance(maps, Tensor):
            return maps
        folded: Tensor = self.sam_downscaling(maps)
        return folded

    def _branch(
        self, merge: nn.Module, maps: Sequence[tuple[Tensor, Tensor]], similar: Tensor, masks: Tensor
    ) -> Branch:
        """Fuse maps of query and supports, the supports' masked average of the first, and mask or prior."""
        by_episode = masks.shape[:2]
        prototype = masked_average(maps[0][1], masks.flatten(0, 1))
        mean, likely = prototype.unflatten(0, by_episode).mean(1), similar.mean(1, keepdim=True)
        shown = self._fused(merge, [support for _, support in maps], prototype, masks.flatten(0, 1))
        asked = self._fused(merge, [query for query, _ in maps], mean, likely)
        return Branch(
            shown.unflatten(0, by_episode),
            asked,
            masks[:, :, 0],
            likely,
            prototype[..., 0, 0].unflatten(0, by_episode),
        )

    @staticmethod
    def _fused(merge: nn.Module, maps: Sequence[Tensor], prototype: Tensor, where: Tensor) -> Tensor:
        spread = prototype.expand(-1, -1, *maps[0].shape[2:])
        fused: Tensor = merge(torch.cat([maps[0], spread, *maps[1:], MASK_WEIGHT * where], 1))
        return fused
