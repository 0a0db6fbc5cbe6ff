"""PFENet: prior-guided feature enrichment (Tian et al., TPAMI 2020), and its join with SAM 2.

A prior mask from high-level features and the support's mean middle-level feature meet the query's features on a pyramid
of four sizes, where every level hears from the finer one before it. With k shots, priors and means are averaged.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from baselines.parts.convolutions import classifier, merge, pair, reduction
from baselines.parts.episodes import support_masks
from icvos.errors import IcvosError
from icvos.method import Image, Mask, Support
from icvos.models.backbones.build import FewShotBackbone, build_backbone
from icvos.models.backbones.stages import Staged
from icvos.models.device import Device
from icvos.models.losses import cross_entropy
from icvos.models.maps import aligned, masked_average
from icvos.models.network_prompter import NetworkPrompter
from icvos.models.prior import contrast, prior, stretched
from icvos.models.sam.propagation import DType
from icvos.models.squares import fit_mask, fit_picture, fitted_back
from icvos.models.weights.load import Loaded
from icvos.settings import Checked, Count, Positive, Side, check, refusal, renamed
from icvos.training.trainable import EpisodeBatch

COCO_BINS = (1.0, 0.5, 0.25, 0.125)
PASCAL_BINS = (60.0, 30.0, 15.0, 8.0)


@dataclass(frozen=True, slots=True)
class Enriched:
    """What the network computes, f the side of its feature map, S of its input.

    Args:
        logits: (B, 2, S, S); channel 1 is foreground.
        inner: Logits of every pyramid level, (B, 2, bin, bin), for the auxiliary loss.
        low: (B, 2, f, f), the logits before they are enlarged.
        prior_each: (B, K, f, f) prior masks of the shots, in [0, 1].
        prior: (B, 1, f, f), their mean.
        prototype: (B, C, 1, 1), the supports' mean feature.
        query: (B, C, f, f), the reduced query features.
        pyramid: (B, C L, f, f), all levels.
        taps: The query's layer2, layer3 and layer4.
        support_last: (B K, D, f, f), layer4 of the masked supports.
    """

    logits: Tensor
    inner: list[Tensor]
    low: Tensor
    prior_each: Tensor
    prior: Tensor
    prototype: Tensor
    query: Tensor
    pyramid: Tensor
    taps: tuple[Tensor, Tensor, Tensor]
    support_last: Tensor


class PFENetwork(Staged):
    """The network; published parameter names.

    Args:
        body: The backbone, whose stages become the network's own.
        bins: Sizes of the pyramid's levels; up to 1 they are shares of f.
        width: C, the channels of reduced features.
    """

    def __init__(self, body: Staged, bins: Sequence[float] = COCO_BINS, width: int = 256) -> None:
        super().__init__()
        self.take_stages(body)
        self.bins = tuple(bins)
        levels = len(self.bins)
        taps = body.channels[2] + body.channels[3]
        self.down_query = reduction(taps, width)
        self.down_supp = reduction(taps, width)
        self.init_merge = nn.ModuleList(merge(2 * width + 1, width) for _ in range(levels))
        self.alpha_conv = nn.ModuleList(merge(2 * width, width) for _ in range(levels - 1))
        self.beta_conv = nn.ModuleList(pair(width) for _ in range(levels))
        self.inner_cls = nn.ModuleList(classifier(width) for _ in range(levels))
        self.res1 = merge(width * levels, width)
        self.res2 = pair(width)
        self.cls = classifier(width)

    def forward(self, query: Tensor, supports: Tensor, masks: Tensor) -> Enriched:
        """Segment (B, 3, S, S) queries by (B, K, 3, S, S) supports and their (B, K, S, S) float masks of 0 and 1."""
        batch, shots = supports.shape[:2]
        side = query.shape[-1]
        with torch.no_grad():
            q2, q3, q4 = self.features(query, (2, 3, 4))
            f = q3.shape[-1]
            s2, s3 = self.features(supports.flatten(0, 1), (2, 3))
            mask = masks.flatten(0, 1)[:, None].float()
            soft = aligned(mask, f)
            s4 = self.layer4(s3 * soft)
            by_episode = (batch, shots)
            if self.contrasts:
                prior_each = contrast([q3, q4], [s3, self.layer4(s3)], masks, f)
            else:
                prior_each = stretched(prior(q4, s4.unflatten(0, by_episode), soft.unflatten(0, by_episode)))
        mean_prior = prior_each.mean(1, keepdim=True)
        reduced = self.down_query(torch.cat([q3, aligned(q2, f)], 1))
        vectors = masked_average(self.down_supp(torch.cat([s3, aligned(s2, f)], 1)), soft)
        prototype = vectors.unflatten(0, by_episode).mean(1)

        levels: list[Tensor] = []
        inner = []
        for index, share in enumerate(self.bins):
            size = int(share) if share > 1 else max(1, int(f * share))
            pooled = functional.adaptive_avg_pool2d(reduced, size)
            spread = prototype.expand(-1, -1, size, size)
            x = self.init_merge[index](torch.cat([pooled, spread, aligned(mean_prior, size)], 1))
            if levels:
                x = self.alpha_conv[index - 1](torch.cat([x, aligned(levels[-1], size)], 1)) + x
            x = self.beta_conv[index](x) + x
            inner.append(self.inner_cls[index](x))
            levels.append(aligned(x, f))
        pyramid = torch.cat(levels, 1)
        y = self.res1(pyramid)
        y = self.res2(y) + y
        low = self.cls(y)
        return Enriched(
            aligned(low, side), inner, low, prior_each, mean_prior, prototype, reduced, pyramid, (q2, q3, q4), s4
        )


def pfenet_losses(found: Enriched, label: Tensor) -> dict[str, Tensor]:
    """Cross entropy of the logits, of the pyramid's levels enlarged, and their sum; (B, S, S) labels, 255 ignored."""
    main = cross_entropy(found.logits, label)
    auxiliary = torch.stack([cross_entropy(level, label) for level in found.inner]).mean()
    return {"total": main + auxiliary, "main": main, "auxiliary": auxiliary}


class PFENetTrainable:
    """PFENet as it is trained. The whole model is in training mode, so the frozen backbone's statistics drift, as
    published; ``frozen_statistics`` keeps them."""

    def __init__(
        self, network: PFENetwork, loaded: tuple[Loaded, ...] = (), *, frozen_statistics: bool = False
    ) -> None:
        self.network = network
        self.loaded = loaded
        self.frozen_statistics = frozen_statistics

    def train(self) -> None:
        """Training mode for all, batch norms of the frozen backbone included."""
        self.network.train()
        if self.frozen_statistics:
            for name in ("layer0", "layer1", "layer2", "layer3", "layer4"):
                getattr(self.network, name).eval()

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """All that is not the backbone, at one rate (the applied one: ten times the configured one)."""
        parts = ["down_query", "down_supp", "init_merge", "alpha_conv", "beta_conv", "inner_cls", "res1", "res2", "cls"]
        return [{"params": list(getattr(self.network, part).parameters()), "lr": learning_rate} for part in parts]

    def losses(self, batch: EpisodeBatch) -> dict[str, Tensor]:
        """``total``, ``main`` and ``auxiliary``."""
        return pfenet_losses(self._run(batch), batch.query_label)

    def logits(self, batch: EpisodeBatch) -> Tensor:
        """(B, S, S) foreground less background."""
        found = self._run(batch).logits
        return found[:, 1] - found[:, 0]

    def _run(self, batch: EpisodeBatch) -> Enriched:
        found: Enriched = self.network(batch.query, batch.supports, support_masks(batch))
        return found


@dataclass(frozen=True, slots=True)
class PFENetSettings(Checked):
    """What can be set of `pfenet`.

    Args:
        checkpoint: Path of a trained network; "" starts from the ImageNet backbone, to train.
        backbone: resnet50-v2, resnet101-v2, vgg16-bn or efficientnet-lite0.
        size: Side of the network's square input, of the form 8 n + 1: 473 for PASCAL, 641 for COCO.
        bins: Sizes of the pyramid's levels; up to 1 they are shares of the feature map.
        width: Channels of reduced features; 256 as published.
        frozen_statistics: In training, keep the backbone's batch norm statistics; the published code lets them drift.
        sam2: SAM 2 for the video, by name or path; or ``affinity``, which carries the mask on as in ``lite``.
        short_side: Short side, in pixels, of the frames that affinity carries it through.
        device: Where the networks run: auto, cpu, cuda or mps.
        dtype: The precision of SAM 2: auto, float32 or bfloat16.
    """

    checkpoint: str = ""
    backbone: FewShotBackbone = "resnet50-v2"
    size: Side = 473
    bins: tuple[Positive, ...] = COCO_BINS
    width: Count = 256
    frozen_statistics: bool = False
    sam2: str = renamed("sam2.1-hiera-l", "propagation")
    short_side: Side = 480
    device: Device = "auto"
    dtype: DType = "auto"

    def __post_init__(self) -> None:
        """Raise `IcvosError` for a value that is not of its range, or makes no pyramid."""
        check(self)
        if self.size % 8 != 1:
            raise refusal("size", self.size, "of the form 8 n + 1, like 473 or 641")
        if any(size > 1 and size != int(size) for size in self.bins):
            raise refusal("bins", self.bins, "whole numbers, or shares up to 1")


class PFENet(NetworkPrompter[PFENetSettings, Staged, PFENetwork]):
    """The method ``pfenet``: the network's mask of the first frame, which SAM 2 carries on."""

    Settings = PFENetSettings
    name = "pfenet"
    shaping = ("backbone", "bins", "width")
    small = MappingProxyType({"checkpoint": "pfenet-nano", "sam2": "affinity"})

    def body(self) -> Staged:
        """The backbone, without its weights."""
        return build_backbone(self.settings.backbone)

    def make(self, body: Staged) -> PFENetwork:
        """The network on a backbone, its own layers fresh."""
        return PFENetwork(body, self.settings.bins, self.settings.width)

    def segment_image(self, supports: Sequence[Support], image: Image) -> Mask:
        """(H, W) bool: arg-max of the logits, enlarged to the square of the longer side and cut to the picture."""
        if not supports:
            raise IcvosError("pfenet needs a support; give an image with its mask")
        side = self.settings.size
        pictures = [fit_picture(support.image(), side) for support in supports]
        masks = [fit_mask(support.mask(), side) for support in supports]
        with torch.inference_mode():
            found = self.network(
                fit_picture(image, side)[None].to(self.device),
                torch.stack(pictures)[None].to(self.device),
                torch.stack(masks)[None].to(self.device),
            )
            height, width = image.shape[:2]
            full = fitted_back(found.logits, height, width)[0]
        return (full[1] > full[0]).cpu().numpy()

    def trainable(self, classes: Sequence[int]) -> PFENetTrainable:  # noqa: ARG002
        """The network, as it is trained on whatever classes."""
        return PFENetTrainable(self.network, (self.loaded,), frozen_statistics=self.settings.frozen_statistics)
