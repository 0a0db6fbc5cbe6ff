"""Prompts for a query in two stages, with SAM's coarse mask between them."""

from dataclasses import dataclass

import torch
from torch import Tensor

from dcsam.fusion import Backdrop
from dcsam.prompt_generator import Branches, PromptGenerator
from icvos.models.maps import aligned, resized
from icvos.models.sam.prompted import Maps, PromptedSam, PromptedSam2


@dataclass(frozen=True, slots=True)
class Prompts:
    """What the two stages give.

    Args:
        tokens: (B, 2 N, C): positive and negative prompts, marked with SAM's labels.
        coarse: (B, 1, 4 g, 4 g) logits of the query's mask after stage 1.
        query: SAM's features of the queries, to decode the tokens with.
        branches: What the tokens looked at.
        rough: (B, 1, h, w) logits of a rough mask, which SAM is given too; None without ``mask_prompt``.
    """

    tokens: Tensor
    coarse: Tensor
    query: Maps
    branches: Branches
    rough: Tensor | None = None


def find_prompts(
    generator: PromptGenerator, sam: PromptedSam, query: Tensor, supports: Tensor, masks: Tensor
) -> Prompts:
    """Both stages of the prompt generator, with SAM's coarse mask between them, through which no gradient goes.

    Args:
        generator: The prompt generator.
        sam: Whose features it sees, and which makes the coarse mask.
        query: (B, 3, S, S), standardised.
        supports: (B, K, 3, S, S).
        masks: (B, K, S, S) float of 0 and 1.
    """
    seen = generator.backdrop(query, supports, masks)
    return prompts_from(generator, sam, seen, sam.maps(query), sam.maps(supports.flatten(0, 1)), query.shape[-1])


def prompts_from(
    generator: PromptGenerator, sam: PromptedSam, seen: Backdrop, asked: Maps, shown: Maps, side: int
) -> Prompts:
    """As `find_prompts`, where what frozen networks see of pictures of S x S (``side``) is there already.

    Args:
        generator: The prompt generator.
        sam: What makes the coarse mask.
        seen: What the backbone gives.
        asked: SAM's features of the queries.
        shown: Those of the supports.
        side: S.
    """
    branches = generator.fuse(seen, asked, shown)
    rough = generator.rough(branches)
    looked = generator.look(branches)
    marked = marked_tokens(looked, sam.labels)
    with torch.no_grad():
        coarse = sam.logits(asked, torch.cat(marked, 1), rough)
        # on videos SAM 2's own resizing, which does not align corners
        full = resized(coarse, side) if isinstance(sam, PromptedSam2) and sam.moving else aligned(coarse, side)
    start = marked if sam.in_place and generator.fidelity == "published" else looked
    refined = generator.refine(start, branches, full[:, 0] > 0)
    return Prompts(torch.cat(marked_tokens(refined, sam.labels), 1), coarse, asked, branches, rough)


def marked_tokens(tokens: tuple[Tensor, ...], labels: tuple[Tensor, Tensor]) -> tuple[Tensor, ...]:
    """Positive tokens, and negative ones where there are any, each with SAM's embedding of its label added."""
    return tuple(branch + label for branch, label in zip(tokens, labels, strict=False))
