"""AMNet: the adversarial mining transformer (Wang et al., NeurIPS 2023), and its join with SAM 2.

HDMNet's parts, with another idea: the support gives only a first guess by its mean feature, and then the query is
matched with itself, under the mask found so far, three times over. In training, discriminators look at parts of it.

The published code runs for one support; with more, their mean feature makes the first guess.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from baselines.hdmnet import (
    IGNORE,
    Compared,
    HDMNet,
    HDMNetSettings,
    HDMNetTrainable,
    HDMNetwork,
    something_else,
)
from baselines.parts.mix_transformer import (
    WIDTH,
    ConvNorm,
    MatchBlock,
    MixTransformer,
    map_of,
    parse_layers,
    tokens_of,
    widened,
)
from icvos.models.backbones.stages import Staged
from icvos.models.prior import aligned, in_float32
from icvos.training.trainable import EpisodeBatch

PARTS = 14
DRAWN = 9  # parts whose maps are compared at a time
CALM = 11.0  # generator loss above which the adversary's weighty turn is left out


def _head() -> nn.Sequential:
    return nn.Sequential(*widened(2))


def _level() -> nn.ModuleList:
    return nn.ModuleList([MatchBlock(), ConvNorm()])


class MiningTransformer(nn.Module):
    """The query's encoder, its matching with itself from coarse to fine, and two refinements.

    Index 0 of ``match_layers1`` and ``parse_layers`` is the coarsest level; in HDMNet's lists it is the finest.
    """

    def __init__(self) -> None:
        super().__init__()
        self.down_sample_layers = MixTransformer().down_sample_layers
        self.match_layers1 = nn.ModuleList(_level() for _ in range(3))
        self.parse_layers = nn.ModuleList(parse_layers() for _ in range(3))
        self.cls = _head()
        self.match_layers_r1 = nn.ModuleList([_level()])
        self.parse_layer_r1 = parse_layers()
        self.cls_r1 = _head()
        self.match_layers_r2 = nn.ModuleList([_level()])
        self.parse_layer_r2 = parse_layers()
        self.cls_r2 = _head()

    encode = MixTransformer.encode

    def first(self, query: Tensor, guess: Tensor, similar: Tensor) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """The fused feature (B, 64, f, f), correlation maps and query tokens, both from coarse to fine.

        Args:
            query: (B, 64, f, f) merged query features.
            guess: (B, 1, f, f) soft mask.
            similar: (B, 2, f, f) prior masks.
        """
        stages = self.encode(query)[::-1]
        y: Tensor | None = None
        maps = []
        for (tokens, size), (match, merge), parse in zip(stages, self.match_layers1, self.parse_layers, strict=True):
            mask = aligned(guess, size).flatten(1)
            found, weighted = match(tokens, tokens, mask, size)
            maps.append(weighted.unflatten(1, size))
            o = merge(torch.cat([map_of(found, size), aligned(similar, size)], 1))
            if y is None:
                y = parse(o)
            else:
                y = functional.interpolate(y, size=size, mode="bilinear", align_corners=False)
                y = y + parse(o + y)
        assert y is not None
        return y, maps, [tokens for tokens, _ in stages]

    def refine(self, number: int, feature: Tensor, mask: Tensor, similar: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Refinement 1 or 2 under a hard (B, 1, f, f) mask: the new feature, its logits, and the correlation map."""
        match, merge = getattr(self, f"match_layers_r{number}")[0]
        size = (feature.shape[2], feature.shape[3])
        tokens = tokens_of(feature)
        found, weighted = match(tokens, tokens, mask.flatten(1), size)
        feature = getattr(self, f"parse_layer_r{number}")(merge(torch.cat([map_of(found, size), similar], 1)))
        return feature, getattr(self, f"cls_r{number}")(feature), weighted.unflatten(1, size)


class Mining(nn.Module):
    """Holds the transformer under its published name."""

    def __init__(self) -> None:
        super().__init__()
        self.mix_transformer = MiningTransformer()


class FeedForward(nn.Module):
    """Two linear layers without bias, beside a shortcut."""

    def __init__(self) -> None:
        super().__init__()
        first = nn.Sequential(nn.Linear(WIDTH, 3 * WIDTH, bias=False), nn.ReLU(), nn.Dropout(0.1))
        self.layers = nn.Sequential(first, nn.Linear(3 * WIDTH, WIDTH, bias=False), nn.Dropout(0.1))

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, 64) to the same."""
        added: Tensor = x + self.layers(x)
        return added


class PartMining(nn.Module):
    """Learned tokens, each of which collects a part of a masked feature."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = nn.Parameter(torch.rand(PARTS, WIDTH))
        self.q_fc, self.k_fc, self.v_fc, self.proj = (nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(4))
        self.ffn = FeedForward()
        self.layer_norms = nn.LayerNorm(WIDTH)
        self.dropout = nn.Dropout(0.1)

    def forward(self, feature: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 14, 64) parts and their (B, 14, f f) maps, of a (B, 64, f, f) masked feature and its mask."""
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

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            nn.Linear(WIDTH, 32),
            nn.LeakyReLU(0.2),
            nn.Linear(32, 16),
            nn.LeakyReLU(0.2),
            nn.Linear(16, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, 64) to (B, 1)."""
        found: Tensor = self.conv(x)
        return found


@dataclass(frozen=True, slots=True)
class Mined:
    """What the network computes, f the side of its feature map.

    Args:
        final: (B, 2, f, f), combined probabilities; channel 1 is foreground.
        logits: Of the first prediction and of the two refinements, (B, 2, f, f) each.
        features: The fused features behind them, (B, 64, f, f) each.
        guess: (B, 1, f, f), the first guess.
        maps: Correlation maps of the first prediction, from coarse to fine.
        tokens: Query tokens, from coarse to fine.
        masks: (B, 1, f, f) hard masks of the refinements, and their correlation maps in ``refined_maps``.
        base_map: (B, 1, f, f): how much the base learner sees something else.
        compared: What went into the transformer.
    """

    final: Tensor
    logits: list[Tensor]
    features: list[Tensor]
    guess: Tensor
    maps: list[Tensor]
    tokens: list[Tensor]
    masks: list[Tensor]
    refined_maps: list[Tensor]
    base_map: Tensor
    compared: Compared

    @property
    def meta(self) -> Tensor:
        """The last logits, without the base learner."""
        return self.logits[-1]


class AMNetwork(HDMNetwork):
    """The network; published parameter names. Arguments as of `HDMNetwork`."""

    def __init__(self, body: Staged, base_classes: int = 60, shots: int = 1) -> None:
        super().__init__(body, base_classes, shots)
        self.transformer = Mining()
        self.part = nn.ModuleList(PartMining() for _ in range(3))
        self.binary_cls = nn.ModuleList(Discriminator() for _ in range(3))

    def forward(self, query: Tensor, supports: Tensor, masks: Tensor, left_out: Tensor | None = None) -> Mined:  # type: ignore[override]
        """Segment queries by supports; arguments as of `HDMNetwork.forward`."""
        compared = self.compare(query, supports, masks)
        base_map = something_else(compared.base, left_out)
        guess = first_guess(compared.reduced, compared.prototype)
        transformer: MiningTransformer = self.transformer.mix_transformer
        feature, maps, tokens = transformer.first(compared.query, guess, compared.similar)
        features, logits, hard, refined_maps = [feature], [transformer.cls(feature)], [], []
        for number in (1, 2):
            combined = self.ensemble(logits[-1], compared, base_map)
            mask = ((combined[:, 1:] > 0.5) & (combined[:, :1] <= combined[:, 1:])).float()
            feature, found, weighted = transformer.refine(number, features[-1], mask, compared.similar)
            features.append(feature)
            logits.append(found)
            hard.append(mask)
            refined_maps.append(weighted)
        final = self.ensemble(logits[-1], compared, base_map)
        return Mined(final, logits, features, guess, maps, tokens, hard, refined_maps, base_map, compared)


def first_guess(reduced: Tensor, prototype: Tensor) -> Tensor:
    """(B, 1, f, f): cosine of every cell with the supports' mean feature, over 0.1; 0 below a cosine of 0.07."""
    score = functional.cosine_similarity(reduced, prototype, dim=1, eps=1e-12)[:, None] / 0.1
    return torch.where(score < 0.7, 0.0, score)


def amnet_losses(found: Mined, label: Tensor) -> dict[str, Tensor]:
    """``total`` = ``main`` (final, and the mean of the predictions) + ``distil``; (B, S, S) labels, 255 ignored."""
    side = label.shape[-1]
    parts = [functional.cross_entropy(aligned(x, side), label, ignore_index=IGNORE) for x in found.logits]
    main = functional.cross_entropy(aligned(found.final, side), label, ignore_index=IGNORE) + sum(parts) / 3
    truth = torch.where(label == 1, 1.0, -1e9)[:, None]
    levels = []
    for weighted in found.maps:  # the label teaches every level
        size = (weighted.shape[1], weighted.shape[2])
        teacher = functional.interpolate(truth, size=size, mode="bilinear", align_corners=False)
        wanted, given = teacher.flatten(1).softmax(1), weighted.flatten(1).softmax(1)
        levels.append((wanted * ((wanted + 1e-12).log() - (given + 1e-12).log())).sum(1).mean())
    distil = torch.stack(levels).mean()
    return {"total": main + distil, "main": main, "distil": distil}


def adversarial_losses(network: AMNetwork, found: Mined, label: Tensor) -> dict[str, Tensor]:
    """``generator``, ``discriminator`` and ``diversity``, means over the three features."""
    size = (found.final.shape[2], found.final.shape[3])
    real = aligned((label == 1).float()[:, None], size)
    fake = found.final[:, 1:]
    sums: dict[str, list[Tensor]] = {"generator": [], "discriminator": [], "diversity": []}
    for feature, mine, judge in zip(found.features, network.part, network.binary_cls, strict=True):
        parts_real, maps_real = mine(feature * real, real)
        parts_fake, maps_fake = mine(feature * fake, fake)
        worst = functional.cosine_similarity(parts_fake, parts_real, dim=2, eps=1e-6).argmin(1)
        row = torch.arange(len(worst), device=worst.device)
        judged_fake, judged_real = judge(parts_fake[row, worst]), judge(parts_real[row, worst])
        sums["generator"].append(_against(judged_fake, 1.0))
        sums["discriminator"].append(0.5 * (_against(judged_fake, 0.0) + _against(judged_real, 0.9)))
        sums["diversity"].append(0.5 * (diversity(maps_fake) + diversity(maps_real)))
    return {name: torch.stack(values).mean() for name, values in sums.items()}


def _against(judged: Tensor, wanted: float) -> Tensor:
    return functional.binary_cross_entropy_with_logits(judged, torch.full_like(judged, wanted))


@in_float32
def diversity(maps: Tensor) -> Tensor:
    """How much nine random parts of (B, 14, N) maps overlap, on the whole."""
    chosen = maps[:, torch.randperm(PARTS, device=maps.device)[:DRAWN]]
    product = chosen @ chosen.transpose(1, 2)
    own = product.diagonal(dim1=1, dim2=2)
    share = product / (own[:, :, None] * own[:, None] + 1e-8).sqrt()
    above = torch.ones(DRAWN, DRAWN, device=maps.device).triu(1)
    return (share * above).sum((1, 2)).abs().sum() / (len(maps) * DRAWN * (DRAWN - 1) / 2)


class AMNetTrainable(HDMNetTrainable):
    """AMNet as it is trained: network and discriminators take turns (`icvos.training.trainable.TakesTurns`)."""

    network: AMNetwork

    iteration = 0

    def turn(self, iteration: int) -> str:
        """Even iterations move the network, odd ones the discriminators."""
        self.iteration = iteration
        return "discriminator" if iteration % 2 else "total"

    def train(self) -> None:
        """Training mode for the dropout of the learned parts alone."""
        super().train()
        self.network.part.train()

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """HDMNet's groups; weights and biases of the parts and of the discriminators. The tokens stay as they began."""
        groups = super().parameter_groups(learning_rate)
        adversary = {"turn": "discriminator", "optimiser": "adam"}
        scale = 1
        for module in (self.network.part, self.network.binary_cls):
            for leaf in ("weight", "bias"):
                chosen = [value for name, value in module.named_parameters() if name.endswith(leaf)]
                groups.append(adversary | {"params": chosen, "lr": scale * learning_rate})
                scale = 10
        return groups

    def losses(self, batch: EpisodeBatch) -> dict[str, Tensor]:
        """``total`` and ``discriminator``, of which the turn's is minimised, and their parts.

        The generator's term weighs 0.1 in every fifth iteration, where it is calm, and next to nothing in the others.
        """
        left_out = self.base_class.to(batch.classes.device)[batch.classes]
        masks = (batch.support_labels == 1).float()
        found: Mined = self.network(batch.query, batch.supports, masks, left_out)
        losses = amnet_losses(found, batch.query_label)
        against = adversarial_losses(self.network, found, batch.query_label)
        weighty = self.iteration % 5 == 4 and float(against["generator"].detach()) <= CALM
        losses["total"] = losses["total"] + (0.1 if weighty else 1e-9) * against["generator"]
        losses["generator"] = against["generator"]
        losses["discriminator"] = against["discriminator"] + 0.01 * against["diversity"]
        return losses


class AMNet(HDMNet):
    """The method ``amnet``: the network's mask of the first frame, which SAM 2 carries on; set like ``hdmnet``."""

    Settings = HDMNetSettings
    make = AMNetwork

    def trainable(self, classes: Sequence[int]) -> AMNetTrainable:
        """The network, as it is trained on these classes."""
        assert isinstance(self.network, AMNetwork)
        return AMNetTrainable(
            self.network, self.base_class_of(classes), self.settings.base_learner, self.starts_from(classes)
        )
