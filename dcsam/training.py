"""DC-SAM as it is trained: on images through a frozen SAM, or on mask tubes together with parts of SAM 2."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from dcsam.attention import Fidelity
from dcsam.prompt_generator import LEARNED, PromptGenerator
from dcsam.prompts import Prompts, find_prompts
from icvos.models.losses import dice
from icvos.models.maps import aligned, resized
from icvos.models.sam.lora import with_adapter
from icvos.models.sam.prompted import PromptedSam, PromptedSam2
from icvos.models.sam.tracking import track
from icvos.models.weights.load import Loaded
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
        self.network: nn.Module = generator
        if isinstance(sam, PromptedSam2) and tuned != "none":
            self.network = WithSam2(generator, with_adapter(sam.network) if tuned == "lora" else sam.network)

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

        Borders count as background; the coarse mask has no loss.
        """
        logits = self._logits(batch)
        truth = (batch.query_label == 1).float()[:, None]
        if batch.later_labels is not None:
            truth = torch.cat([truth, (batch.later_labels == 1).float()], 1)
        bce = functional.binary_cross_entropy_with_logits(logits, truth)
        overlap = (dice if self.fidelity == "published" else squared_dice)(logits, truth)
        return {"total": bce + overlap, "bce": bce, "dice": overlap}

    def logits(self, batch: EpisodeBatch) -> Tensor:
        """(B, S, S) float32 of the queries."""
        return self._logits(batch)[:, 0]

    def _logits(self, batch: EpisodeBatch) -> Tensor:
        """(B, T, S, S) float32: of the queries, and of the frames that follow them in a tube."""
        masks = (batch.support_labels == 1).float()
        found = find_prompts(self.generator, self.sam, batch.query, batch.supports, masks)
        side = batch.query.shape[-1]
        if not isinstance(self.network, WithSam2):
            return aligned(self.sam.logits(found.query, found.tokens), side)
        return torch.stack([self._tube(batch, found, sample, side) for sample in range(len(batch.query))])

    def _tube(self, batch: EpisodeBatch, found: Prompts, sample: int, side: int) -> Tensor:
        frames = batch.query[sample, None]
        if batch.later is not None:
            frames = torch.cat([frames, batch.later[sample]])
        low = track(self.network.sam2, frames, found.tokens[sample, None])
        return resized(low, side)[:, 0]
