"""DC-SAM as it is trained: on images through a frozen SAM, or on mask tubes together with parts of SAM 2."""

from collections.abc import Callable
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from dcsam.attention import Fidelity
from dcsam.fusion import Taps
from dcsam.prompt_generator import LEARNED, PromptGenerator
from dcsam.prompts import Prompts, prompts_from
from icvos.models.losses import dice
from icvos.models.maps import aligned, resized
from icvos.models.sam.lora import with_adapter
from icvos.models.sam.prompted import Maps, PromptedSam, PromptedSam2, as_maps, as_tuple
from icvos.models.sam.tracking import track
from icvos.models.weights.load import Loaded
from icvos.training.remembered import Remembered
from icvos.training.trainable import EpisodeBatch, ParameterGroup

Tuned = Literal["none", "masks", "decoder", "memory", "both", "lora"]
DECODER, MEMORY = ("sam_mask_decoder.",), ("memory_encoder.", "memory_attention.")
PARTS: dict[str, tuple[str, ...]] = {
    "none": (),
    "masks": DECODER,
    "decoder": DECODER,
    "memory": MEMORY,
    "both": (*DECODER, *MEMORY),
}
SCORES = ("sam_mask_decoder.pred_obj_score_head.", "sam_mask_decoder.iou_prediction_head.")  # never trained
FINER = ("sam_mask_decoder.conv_s0.", "sam_mask_decoder.conv_s1.")


def tuned_parameters(network: nn.Module, tuned: Tuned) -> list[nn.Parameter]:
    """The parameters of SAM 2 that learn beside the prompt generator; ``masks`` leaves out the finer maps' layers."""
    if tuned == "lora":
        return [parameter for name, parameter in network.named_parameters() if ".lora_" in name]
    left = (*SCORES, *FINER) if tuned == "masks" else SCORES
    return [
        parameter
        for name, parameter in network.named_parameters()
        if name.startswith(PARTS[tuned]) and not name.startswith(left)
    ]


def squared_dice(logits: Tensor, truth: Tensor) -> Tensor:
    """Equation (22): the mean over a batch of 1 - 2 sum(p y) / (sum(p^2) + sum(y^2)), p = sigmoid(logits)."""
    shown, wanted = logits.sigmoid().flatten(1), truth.flatten(1)
    overlap = 2 * (shown * wanted).sum(1)
    return (1 - overlap / (shown.square().sum(1) + wanted.square().sum(1)).clamp_min(1e-6)).mean()


class WithSam2(nn.Module):
    """Prompt generator and SAM 2 in one checkpoint; published names."""

    def __init__(self, prompt_encoder: PromptGenerator, sam2: nn.Module) -> None:
        super().__init__()
        self.prompt_encoder = prompt_encoder
        self.sam2 = sam2


class DCTrainable:
    """The prompt generator, alone or with parts of SAM 2.

    Args:
        generator: The prompt generator.
        sam: What decodes its prompts.
        tuned: Which parts of SAM 2 learn too; ``none`` for any SAM that stays frozen.
        fidelity: Which Dice loss, and whether the backbone's batch norms move beside a tuned SAM 2, as published.
        loaded: The weights that it starts from.
    """

    def __init__(
        self,
        generator: PromptGenerator,
        sam: PromptedSam,
        tuned: Tuned = "none",
        fidelity: Fidelity = "published",
        loaded: tuple[Loaded, ...] = (),
    ) -> None:
        self.generator = generator
        self.sam = sam
        self.tuned = tuned
        self.fidelity = fidelity
        self.loaded = loaded
        self.sam_maps: Callable[[Tensor], Maps] = sam.maps
        self.early: Callable[[Tensor], Taps] | None = None
        self.network: nn.Module = generator
        if isinstance(sam, PromptedSam2) and tuned != "none":
            self.network = WithSam2(generator, with_adapter(sam.network) if tuned == "lora" else sam.network)

    def remember(self, pictures: int) -> None:
        """Keep what frozen networks see of so many pictures, as `icvos.training.trainable.Remembers`."""
        if self.tuned in ("none", "masks"):  # else the layers of SAM 2's finer maps may learn
            by_sam = Remembered(lambda picture: as_tuple(self.sam.maps(picture)), pictures)
            self.sam_maps = lambda shown: as_maps(by_sam(shown))
        moves = isinstance(self.network, WithSam2) and self.fidelity == "published"  # the backbone's batch norms
        if not moves and not hasattr(self.generator, "dinov2"):
            self.early = cast(Callable[[Tensor], Taps], Remembered(self.generator.early, pictures))

    @property
    def leaves_unused(self) -> bool:
        """As published no gradient goes through a resizing of SAM's features, to what folds them."""
        return self.fidelity == "published"

    def train(self) -> None:
        """Training mode for what learns; as published for all of it where SAM 2 learns too, frozen parts as well."""
        self.network.eval()
        if isinstance(self.network, WithSam2) and self.fidelity == "published":
            self.network.train()
            return
        for part in LEARNED:
            if hasattr(self.generator, part):
                getattr(self.generator, part).train()
        if isinstance(self.network, WithSam2):
            self.network.sam2.train()  # its dropout in the memory attention; it has no batch norm

    def parameter_groups(self, learning_rate: float) -> list[ParameterGroup]:
        """All that learns, at one rate."""
        parts = [getattr(self.generator, part) for part in LEARNED if hasattr(self.generator, part)]
        learned = [parameter for part in parts for parameter in part.parameters()]
        if isinstance(self.network, WithSam2):
            learned += tuned_parameters(self.network.sam2, self.tuned)
        return [{"params": learned, "lr": learning_rate}]

    def losses(self, batch: EpisodeBatch) -> dict[str, Tensor]:
        """``total`` = ``bce`` (mean over all pixels of all frames) + ``dice`` (over a whole tube).

        Borders count as background; the coarse mask has no loss. A rough mask has one of the same kind, which is added
        as ``rough``.
        """
        logits, found = self._logits(batch)
        truth = (batch.query_label == 1).float()[:, None]
        if batch.later_labels is not None:
            truth = torch.cat([truth, (batch.later_labels == 1).float()], 1)
        bce, overlap = self._apart(logits, truth)
        losses = {"total": bce + overlap, "bce": bce, "dice": overlap}
        if found.rough is not None:
            losses["rough"] = torch.stack(self._apart(resized(found.rough, truth.shape[-1]), truth[:, :1])).sum()
            losses["total"] = losses["total"] + losses["rough"]
        return losses

    def logits(self, batch: EpisodeBatch) -> Tensor:
        """(B, S, S) float32 of the queries."""
        return self._logits(batch)[0][:, 0]

    def _logits(self, batch: EpisodeBatch) -> tuple[Tensor, Prompts]:
        """(B, T, S, S) float32: of the queries, and of the frames that follow them in a tube; and their prompts."""
        masks = (batch.support_labels == 1).float()
        side = batch.query.shape[-1]
        seen = self.generator.backdrop(batch.query, batch.supports, masks, self.early)
        asked, shown = self.sam_maps(batch.query), self.sam_maps(batch.supports.flatten(0, 1))
        found = prompts_from(self.generator, self.sam, seen, asked, shown, side)
        if not isinstance(self.network, WithSam2):
            return aligned(self.sam.logits(found.query, found.tokens, found.rough), side), found
        if batch.later is None and self.tuned == "masks":  # what the maps come from does not learn
            return resized(self.sam.logits(found.query, found.tokens, found.rough), side), found
        return torch.stack([self._tube(batch, found, sample, side) for sample in range(len(batch.query))]), found

    def _apart(self, logits: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
        overlap = (dice if self.fidelity == "published" else squared_dice)(logits, truth)
        return functional.binary_cross_entropy_with_logits(logits, truth), overlap

    def _tube(self, batch: EpisodeBatch, found: Prompts, sample: int, side: int) -> Tensor:
        frames = batch.query[sample, None]
        if batch.later is not None:
            frames = torch.cat([frames, batch.later[sample]])
        gated = self.fidelity == "published"
        rough = None if found.rough is None else found.rough[sample, None]
        low = track(self.network.sam2, frames, found.tokens[sample, None], rough, gated=gated)
        return resized(low, side)[:, 0]
