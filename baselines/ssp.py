"""SSP: self-support few-shot segmentation (Fan et al., ECCV 2022), and its join with SAM 2.

Nothing but the backbone is learned. Cells of the query are compared with the supports' mean features; those that are
certain then give mean features of the query itself, which resemble the rest of it more than the supports do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from icvos.errors import IcvosError
from icvos.method import Image, Mask, Support
from icvos.models.backbones.build import build_backbone
from icvos.models.backbones.resnet import Bottleneck
from icvos.models.backbones.stages import STAGES, Staged
from icvos.models.device import Device
from icvos.models.losses import cross_entropy
from icvos.models.maps import aligned, in_float32, masked_average
from icvos.models.network_prompter import NetworkPrompter
from icvos.models.prior import LARGEST, shown_cells
from icvos.models.sam.propagation import DType
from icvos.models.squares import squash, squash_mask, standardise
from icvos.models.weights.load import Loaded, State
from icvos.settings import Checked, Side, Whole, renamed
from icvos.training.remembered import Remembered
from icvos.training.trainable import EpisodeBatch, ParameterGroup

SURE_OF_OBJECT, SURE_OF_BACKGROUND = 0.7, 0.6  # probability above which a cell supports its own picture
BEST = 12  # cells that do where none is sure
AREA_EPSILON = 1e-5
LENGTH_EPSILON = 1e-12  # the least product of two lengths
Learned = Literal["stages", "last"]


@dataclass(frozen=True, slots=True)
class Matched:
    """What the network computes, h x w the size of its feature map; channel 1 of all logits is foreground.

    Args:
        query: (B, C, h, w), the query's feature.
        supports: The same of every shot, of their own sizes.
        foreground: (B, C, 1, 1), mean feature of the object over all shots; ``background`` of what is around it.
        outcomes: (B, 2, h, w) logits: by the supports alone, then with self-support, then refined (if it is).
        passes: What each round of self-support found.
    """

    query: Tensor
    supports: list[Tensor]
    foreground: Tensor
    background: Tensor
    outcomes: list[Tensor]
    passes: list["SelfSupport"]


@dataclass(frozen=True, slots=True)
class SelfSupport:
    """What a query says of itself.

    Args:
        foreground: (B, C, 1, 1), mean of the cells that are certainly object; ``background`` of the others.
        adaptive: (B, C, h, w): for every cell the background cells' mean, weighted by how much they resemble it.
        sure: (B, 2): cells above the thresholds, of foreground and background; 0 where the best 12 were taken.
    """

    foreground: Tensor
    background: Tensor
    adaptive: Tensor
    sure: Tensor


class SSPNetwork(Staged):
    """The network: a backbone without ``layer4``, whose last map keeps its sign.

    Args:
        body: The backbone, whose stages become the network's own.
        refine: Whether self-support is asked for a second time.
        learned: See `SSPSettings`.
    """

    def __init__(self, body: Staged, refine: bool = True, learned: Learned = "stages") -> None:
        super().__init__()
        self.channels, self.strides = body.channels[:4], body.strides[:4]
        for name in STAGES[:4]:
            setattr(self, name, getattr(body, name))
        last = list(self.layer3.children())[-1]
        if isinstance(last, Bottleneck):
            last.rectified = False
        self.refine = refine
        self.learned = learned
        self.remembered: Remembered | None = None

    def frozen(self, x: Tensor) -> tuple[Tensor, ...]:
        """What the blocks that do not learn make of (B, 3, H, W) pictures: layer1, or what enters the last block."""
        with torch.no_grad():
            (first,) = self.features(x, (1,))
            return (self._blocks(learn=False)(first),)

    def feature(self, x: Tensor) -> Tensor:
        """(B, C, h, w) of (B, 3, H, W) pictures: layer3."""
        (first,) = (self.remembered or self.frozen)(x)
        found: Tensor = self._blocks(learn=True)(first)
        return found

    def learning(self) -> list[nn.Parameter]:
        """The convolutions that learn: of layer2 and layer3, those of shortcuts too, or the last of them alone."""
        found = [part for part in (*self.layer2.modules(), *self.layer3.modules()) if isinstance(part, nn.Conv2d)]
        chosen = found if self.learned == "stages" else found[-1:]
        return [weight for part in chosen for weight in part.parameters()]

    def _blocks(self, *, learn: bool) -> nn.Sequential:
        """The blocks of layer2 and layer3 in which something learns, or those before them."""
        blocks = [*self.layer2.children(), *self.layer3.children()]
        weighted = [number for number, block in enumerate(blocks) if list(block.parameters())]
        first = 0 if self.learned == "stages" else weighted[-1]
        return nn.Sequential(*(blocks[first:] if learn else blocks[:first]))

    def forward(self, query: Tensor, supports: Sequence[Tensor], labels: Sequence[Tensor]) -> Matched:
        """Segment (B, 3, H, W) queries by K supports; pictures may be of different sizes.

        Args:
            query: Standardised pictures.
            supports: For every shot (B, 3, H, W) standardised pictures.
            labels: For every shot (B, H, W): 1 = the category, 0 = background, 255 = neither.
        """
        asked = self.feature(query)
        shown = [self.feature(support) for support in supports]
        means = [prototypes(x, label) for x, label in zip(shown, labels, strict=True)]
        foreground = torch.stack([mean[0] for mean in means]).mean(0)
        background = torch.stack([mean[1] for mean in means]).mean(0)

        outcomes = [match(asked, foreground, background)]
        passes = [self_support(asked, outcomes[0])]
        own = passes[0]
        foreground_1 = 0.5 * foreground + 0.5 * own.foreground
        background_1 = 0.3 * own.background + 0.7 * own.adaptive
        outcomes.append(match(asked, foreground_1, background_1))
        if self.refine:
            passes.append(self_support(asked, outcomes[1]))
            own = passes[1]
            again = 0.5 * foreground + 0.5 * own.foreground
            foreground_2 = 0.5 * foreground + 0.2 * foreground_1 + 0.3 * again
            again = 0.3 * own.background + 0.7 * own.adaptive
            background_2 = 0.5 * background + 0.2 * background_1 + 0.3 * again
            outcomes.append(0.7 * match(asked, foreground_2, background_2) + 0.3 * outcomes[1])
        return Matched(asked, shown, foreground, background, outcomes, passes)


def prototypes(feature: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
    """Mean features, (B, C, 1, 1), of object and background of (B, C, h, w) maps by their (B, H, W) labels."""
    size = (feature.shape[2], feature.shape[3])
    first, second = (
        masked_average(feature, aligned((label == kind).float()[:, None], size), AREA_EPSILON) for kind in (1, 0)
    )
    return first, second


@in_float32
def match(feature: Tensor, foreground: Tensor, background: Tensor) -> Tensor:
    """(B, 2, h, w) logits: ten times the cosine with background and foreground, (B, C, 1, 1) or (B, C, h, w) each."""
    length = torch.linalg.vector_norm(feature, dim=1)
    cosines = []
    for kind in (background, foreground):
        if kind.shape[2:] == (1, 1):  # one product, without a map of all channels
            inner = (kind.flatten(2).mT @ feature.flatten(2)).view_as(length)
        else:
            inner = (feature * kind).sum(1)
        cosines.append(inner / (length * torch.linalg.vector_norm(kind, dim=1)).clamp(min=LENGTH_EPSILON))
    return 10 * torch.stack(cosines, 1)


def self_support(feature: Tensor, logits: Tensor) -> SelfSupport:
    """What (B, C, h, w) features say of themselves where (B, 2, h, w) logits are certain."""
    background, foreground = logits.softmax(1).flatten(2).unbind(1)
    cells = feature.flatten(2)  # B C N
    of_object, of_background = certain(foreground, SURE_OF_OBJECT), certain(background, SURE_OF_BACKGROUND)
    shares = torch.stack([chosen / chosen.sum(1, keepdim=True) for chosen in (of_object, of_background)], 1)
    own, around = (shares @ cells.mT)[..., None, None].unbind(1)
    sure = torch.stack([(foreground > SURE_OF_OBJECT).sum(1), (background > SURE_OF_BACKGROUND).sum(1)], 1)
    return SelfSupport(own, around, adaptive(cells, of_background).unflatten(2, feature.shape[2:]), sure)


def certain(probability: Tensor, threshold: float) -> Tensor:
    """(B, N) bool: cells above the threshold; where there are none, the most probable twelve."""
    above = probability > threshold
    best = probability.topk(min(BEST, probability.shape[1]), dim=1).indices
    return torch.where(above.any(1, keepdim=True), above, torch.zeros_like(above).scatter(1, best, True))


def adaptive(cells: Tensor, chosen: Tensor) -> Tensor:
    """(B, C, N): for every cell of (B, C, N) the mean of the (B, N) chosen ones, by softmax over twice their cosine."""
    shown = shown_cells(chosen)
    rows = cells.mT.contiguous()  # B N C: the cells of each product lie together
    units, picked = functional.normalize(rows, dim=2), shown[..., None].expand(-1, -1, rows.shape[2])
    those, others = rows.gather(1, picked), units.gather(1, picked).mT
    filling = torch.zeros_like(shown, dtype=rows.dtype).masked_fill(~chosen.gather(1, shown), -torch.inf)[:, None]
    found = []
    for some in units.split(max(1, LARGEST // shown.numel()), dim=1):
        found.append(torch.baddbmm(filling, some, others, alpha=2).softmax(2) @ those)
    return torch.cat(found, 1).mT


def ssp_losses(found: Matched, label: Tensor, support_labels: Sequence[Tensor]) -> dict[str, Tensor]:
    """``total`` = ``main`` (and ``first``, if that was refined) + ``own`` + 0.2 ``support``: all cross entropies.

    ``own`` matches the query with mean features by its own label, ``support`` every shot with those by its own.

    Args:
        found: What the network gave.
        label: (B, H, W), 255 ignored.
        support_labels: The same for every shot.
    """
    losses = {"main": cross_entropy(found.outcomes[-1], label)}
    if len(found.outcomes) == 3:
        losses["first"] = cross_entropy(found.outcomes[1], label)
    losses["own"] = cross_entropy(match(found.query, *prototypes(found.query, label)), label)
    # one mean over the pixels of all shots, which are of one size in training
    own = [match(x, *prototypes(x, shown)) for x, shown in zip(found.supports, support_labels, strict=True)]
    support = cross_entropy(torch.cat(own), torch.cat(list(support_labels)))
    return {"total": torch.stack(list(losses.values())).sum() + 0.2 * support, **losses, "support": support}


class SSPTrainable:
    """SSP as it is trained: convolutions of layer2 and layer3 learn, every batch norm stays as it is."""

    def __init__(self, network: SSPNetwork, loaded: tuple[Loaded, ...] = ()) -> None:
        self.network = network
        self.loaded = loaded

    def remember(self, pictures: int) -> None:
        """Keep what the frozen blocks see, as `icvos.training.trainable.Remembers`."""
        self.network.remembered = Remembered(self.network.frozen, pictures)

    def train(self) -> None:
        """There is no dropout: evaluation mode for all, so that no batch norm drifts."""
        self.network.eval()

    def parameter_groups(self, learning_rate: float) -> list[ParameterGroup]:
        """What learns, at the rate; see `SSPNetwork.learning`."""
        return [{"params": self.network.learning(), "lr": learning_rate}]

    def losses(self, batch: EpisodeBatch) -> dict[str, Tensor]:
        """Scalars by name; see `ssp_losses`."""
        return ssp_losses(self._run(batch), batch.query_label, batch.support_labels.unbind(1))

    def logits(self, batch: EpisodeBatch) -> Tensor:
        """(B, S, S) foreground less background."""
        found = aligned(self._run(batch).outcomes[-1], batch.query.shape[-1])
        return found[:, 1] - found[:, 0]

    def _run(self, batch: EpisodeBatch) -> Matched:
        found: Matched = self.network(batch.query, batch.supports.unbind(1), batch.support_labels.unbind(1))
        return found


@dataclass(frozen=True, slots=True)
class SSPSettings(Checked):
    """What can be set of `ssp`.

    Args:
        checkpoint: Path of a trained network; "" starts from the ImageNet backbone, to train.
        backbone: resnet50-v2, resnet101-v2 or efficientnet-lite0.
        refine: Whether self-support is asked for a second time, as in the published figures of PASCAL-5i.
        learned: What learns in training: ``stages``, the convolutions of layer2 and layer3, as published; or ``last``,
            the last of them alone.
        side: Side of the square that pictures are stretched to; 0: they keep their own sizes, as published. 400 is
            HSNet's protocol.
        sam2: SAM 2 for the video, by name or path; or ``affinity``, which carries the mask on as in ``lite``.
        short_side: Short side, in pixels, of the frames that affinity carries it through.
        device: Where the networks run: auto, cpu, cuda or mps.
        dtype: The precision of SAM 2: auto, float32 or bfloat16.
    """

    checkpoint: str = ""
    backbone: Literal["resnet50-v2", "resnet101-v2", "efficientnet-lite0"] = "resnet50-v2"
    refine: bool = True
    learned: Learned = "stages"
    side: Whole = 0
    sam2: str = renamed("sam2.1-hiera-l", "propagation")
    short_side: Side = 480
    device: Device = "auto"
    dtype: DType = "auto"


class SSP(NetworkPrompter[SSPSettings, Staged, SSPNetwork]):
    """The method ``ssp``: the network's mask of the first frame, which SAM 2 carries on."""

    Settings = SSPSettings
    name = "ssp"

    def body(self) -> Staged:
        """The backbone, without its weights."""
        return build_backbone(self.settings.backbone, "torchvision")

    def make(self, body: Staged) -> SSPNetwork:
        """The network on a backbone, its own layers fresh."""
        return SSPNetwork(body, self.settings.refine, self.settings.learned)

    def own_state(self, state: State) -> State:
        """The state of a checkpoint by the names here."""
        return own_names(state)

    def segment_image(self, supports: Sequence[Support], image: Image) -> Mask:
        """(H, W) bool: arg-max of the logits at the picture's size."""
        if not supports:
            raise IcvosError("ssp needs a support; give an image with its mask")
        with torch.inference_mode():
            shown = [self._picture(support.image()) for support in supports]
            labels = [self._label(support.mask()) for support in supports]
            asked = self._picture(image)
            found = aligned(self.network(asked, shown, labels).outcomes[-1], (asked.shape[2], asked.shape[3]))
            full = aligned(found, (image.shape[0], image.shape[1]))[0]
        return (full[1] > full[0]).cpu().numpy()

    def _picture(self, image: Image) -> Tensor:
        """(1, 3, H, W)."""
        side = self.settings.side
        return (squash(image, side) if side else standardise(image))[None].to(self.device)

    def _label(self, mask: Mask) -> Tensor:
        """(1, H, W) of 0 and 1."""
        side = self.settings.side
        label = squash_mask(mask, side) if side else torch.from_numpy(mask).float()
        return label[None].to(self.device)

    def trainable(self, classes: Sequence[int]) -> SSPTrainable:  # noqa: ARG002
        """The network, as it is trained on whatever classes."""
        return SSPTrainable(self.network, (self.loaded,))


def own_names(state: State) -> State:
    """Published names as they are here: the stem is nested there, and its last batch norm sits one level up."""
    if "layer0.0.0.weight" not in state:
        return state

    def own(name: str) -> str:
        if name.startswith("layer0.0."):
            return "layer0." + name.removeprefix("layer0.0.")
        return name.replace("layer0.1.", "layer0.7.") if name.startswith("layer0.1.") else name

    return {own(name): value for name, value in state.items()}
