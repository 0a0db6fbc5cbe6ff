"""DC-SAM as three programs of tensors for one episode: SAM's features, the prompts, the mask."""

import torch
from torch import Tensor

from dcsam.prompt_generator import PromptGenerator
from dcsam.prompts import prompts_from
from icvos.models.export import Program
from icvos.models.sam.prompted import PromptedSam, as_maps, as_tuple


def programs(generator: PromptGenerator, sam: PromptedSam, side: int, shots: int) -> list[Program]:
    """The three, for squares of ``side``: pictures (1, 3, S, S) and (1, K, 3, S, S), standardised, masks (1, K, S, S).

    Between them go SAM's maps, one or SAM 2's three, of the query and of the supports together, (K, C, h, w) each, and
    the prompts (1, 2 N, C), with a rough mask's logits (1, 1, h, w) where there is one. The mask's logits
    are (1, 1, 4 g, 4 g).
    """

    def features(picture: Tensor) -> tuple[Tensor, ...]:
        return as_tuple(sam.maps(picture))

    def prompts(query: Tensor, supports: Tensor, masks: Tensor, *maps: Tensor) -> tuple[Tensor, ...]:
        half = len(maps) // 2
        asked, shown = (as_maps(part) for part in (maps[:half], maps[half:]))
        found = prompts_from(generator, sam, generator.backdrop(query, supports, masks), asked, shown, side)
        return (found.tokens,) if found.rough is None else (found.tokens, found.rough)

    def mask(tokens: Tensor, *more: Tensor) -> Tensor:
        return sam.logits(as_maps(more[given:]), tokens, *more[:given])

    device = next(generator.parameters()).device
    pictures = torch.rand(1 + shots, 3, side, side, generator=torch.Generator().manual_seed(0)).to(device)
    masks = torch.zeros(1, shots, side, side, device=device)
    masks[..., side // 4 : side // 2, side // 4 : side // 2] = 1
    episode = {"query": pictures[:1], "supports": pictures[None, 1:], "masks": masks}
    with torch.no_grad():
        asked, shown = features(pictures[:1]), features(pictures[1:])
        handed = dict(zip(("tokens", "rough"), prompts(*episode.values(), *asked, *shown), strict=False))
    given = len(handed) - 1
    names = ["fine", "middle", "coarse"] if len(asked) > 1 else ["features"]
    of_query = {f"query_{name}": one for name, one in zip(names, asked, strict=True)}
    of_supports = {f"supports_{name}": one for name, one in zip(names, shown, strict=True)}
    return [
        Program("features", features, {"picture": pictures[:1]}, names),
        Program("prompts", prompts, episode | of_query | of_supports, list(handed)),
        Program("mask", mask, handed | of_query, ["logits"]),
    ]
