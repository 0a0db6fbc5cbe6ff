"""Training of the adapters: supports and targets as one sequence, through a frozen SAM 2."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from baselines.parts.episodes import support_masks
from baselines.sansa.adapters import Adapters
from baselines.sansa.prompts import Kind, clicks_of, prompt_of
from baselines.sansa.stream import square_masks, square_pictures
from icvos.errors import IcvosError
from icvos.models.losses import dice
from icvos.models.maps import resized
from icvos.models.sam.lite0_trunk import Lite0Trunk
from icvos.models.sam.propagation import Features
from icvos.models.sam.tracking import raw_outputs
from icvos.models.weights.load import Loaded
from icvos.training.remembered import Remembered
from icvos.training.trainable import EpisodeBatch, ParameterGroup

POSITIVE = 0.25  # weight of the object's pixels in the focal loss, and what is left of 1 that of the others
Banks = dict[str, dict[int, dict[str, Any]]]
Points = dict[str, Tensor]


def focal(logits: Tensor, truth: Tensor) -> Tensor:
    """(B,): the mean of alpha (1 - p)^2 cross entropy over the pixels of (B, ...) logits and truth of 0 and 1."""
    entropy = functional.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    missed = 1 - (logits.sigmoid() * truth + (1 - logits.sigmoid()) * (1 - truth))
    weight = POSITIVE * truth + (1 - POSITIVE) * (1 - truth)
    return (weight * missed.square() * entropy).flatten(1).mean(1)


def losses_of(logits: Tensor, truth: Tensor) -> dict[str, Tensor]:
    """``total`` = ``focal`` + ``dice`` over (B, T, S, S), all pictures of a sequence together.

    Sequences whose logits are not numbers are left out.
    """
    whole = ~logits.flatten(1).isnan().any(1)
    logits, truth = logits[whole], truth[whole]
    by_pixel, overlap = focal(logits, truth).mean(), dice(logits.flatten(1), truth.flatten(1))
    return {"total": by_pixel + overlap, "focal": by_pixel, "dice": overlap}


class SansaTrainable:
    """The adapters as they are trained, through a frozen SAM 2.

    Args:
        network: The adapters.
        sam: SAM 2, with these attached.
        kind: What is shown of a support.
        targets: Pictures of an episode to be found, one after the other.
        loaded: The weights that it starts from.
    """

    def __init__(
        self, network: Adapters, sam: Any, kind: Kind = "mask", targets: int = 1, loaded: tuple[Loaded, ...] = ()
    ) -> None:
        self.network = network
        self.sam = sam
        self.kind = kind
        self.targets = targets
        self.loaded = loaded
        self.trunk: Callable[[Tensor], Sequence[Tensor]] = sam.image_encoder.trunk

    def remember(self, pictures: int) -> None:
        """Keep what the trunk sees of so many pictures where adapters come behind all of it, and nothing elsewhere."""
        trunk = self.sam.image_encoder.trunk
        if isinstance(trunk, Lite0Trunk):
            self.trunk = Remembered(lambda picture: tuple(trunk(picture)), pictures)

    def train(self) -> None:
        """Training mode, as published for SAM 2 too: there is dropout in its memory attention."""
        self.network.train()
        self.sam.train()

    def parameter_groups(self, learning_rate: float) -> list[ParameterGroup]:
        """All adapters at one rate."""
        return [{"params": list(self.network.parameters()), "lr": learning_rate}]

    def losses(self, batch: EpisodeBatch) -> dict[str, Tensor]:
        """As `losses_of`, of all pictures but the first; of that too where its mask is not what was shown.

        Points and strokes are drawn freely, from torch's own random numbers.
        """
        shown = batch.supports.shape[1] - self.targets + 1
        if shown < 1:
            raise IcvosError(
                f"settings.targets = {self.targets}, but shots = {batch.supports.shape[1]}; the targets beside the "
                f"query are among the supports: set shots to {self.targets} or more"
            )
        pictures = torch.cat([batch.supports, batch.query[:, None]], 1)
        truth = torch.cat([support_masks(batch), (batch.query_label == 1)[:, None].float()], 1)
        generator = np.random.default_rng(int(torch.randint(2**62, ())))
        first = 1 if self.kind == "mask" else 0
        return losses_of(self._answers(pictures, truth[:, :shown], generator)[:, first:], truth[:, first:])

    def logits(self, batch: EpisodeBatch) -> Tensor:
        """(B, S, S) float32 in evaluation, where all supports are shown."""
        self.sam.eval()
        pictures = torch.cat([batch.supports, batch.query[:, None]], 1)
        return self._answers(pictures, support_masks(batch), None)[:, -1]

    def _answers(self, pictures: Tensor, masks: Tensor, generator: np.random.Generator | None) -> Tensor:
        """(B, T, S, S) logits of (B, T, 3, S, S) pictures, of the first of which (B, K, S, S) masks are shown."""
        banks: Banks = {"cond_frame_outputs": {}, "non_cond_frame_outputs": {}}
        found, side = [], self.sam.image_size
        for number in range(pictures.shape[1]):
            features = self._features(square_pictures(pictures[:, number], side))
            given = self._given(masks[:, number], generator) if number < masks.shape[1] else (None, None)
            answer, remembered = self._step(features, number, given, banks, last=number + 1 == pictures.shape[1])
            banks["non_cond_frame_outputs" if number else "cond_frame_outputs"][number] = remembered
            found.append(resized(answer, pictures.shape[-1]))
        return torch.cat(found, 1)

    def _features(self, squares: Tensor) -> Features:
        """Three levels of features of (B, 3, L, L)."""
        network = self.sam
        maps, places = network.image_encoder.neck(list(self.trunk(squares)))
        fine, middle, coarse = maps[:3]
        decoder = network.sam_mask_decoder
        levels = {
            "backbone_fpn": [decoder.conv_s0(fine), decoder.conv_s1(middle), coarse],
            "vision_pos_enc": places[:3],
        }
        _, features, positions, sizes = network._prepare_backbone_features(levels)
        return features, positions, sizes

    def _given(self, masks: Tensor, generator: np.random.Generator | None) -> tuple[Points | None, Tensor | None]:
        """What SAM 2 is shown of supports with (B, S, S) masks: points, or (B, 1, L, L) masks."""
        side = self.sam.image_size
        if self.kind == "mask":
            return None, square_masks(masks[:, None], side)
        clicks = [clicks_of(prompt_of(mask > 0, self.kind, generator)) for mask in masks.cpu().numpy()]
        longest = max(len(marks) for _, marks in clicks)
        points, labels = np.zeros((len(masks), longest, 2)), np.full((len(masks), longest), -1)  # -1: no point
        for row, (places, marks) in enumerate(clicks):
            points[row, : len(marks)], labels[row, : len(marks)] = places, marks
        scaled = torch.from_numpy(points / masks.shape[-1] * side).to(masks)
        return {"point_coords": scaled, "point_labels": torch.from_numpy(labels).to(masks.device).int()}, None

    def _step(
        self,
        features: Features,
        number: int,
        given: tuple[Points | None, Tensor | None],
        banks: Banks,
        *,
        last: bool,
    ) -> tuple[Tensor, dict[str, Any]]:
        """(B, 1, 4 s, 4 s) logits of one picture, and what is remembered of it; nothing of the last."""
        network, (points, masks) = self.sam, given
        vision, positions, sizes = features
        with raw_outputs(network.sam_mask_decoder) as raw:
            _, outputs, _, _ = network._track_step(
                frame_idx=number,
                is_init_cond_frame=points is not None or masks is not None,
                current_vision_feats=vision,
                current_vision_pos_embeds=positions,
                feat_sizes=sizes,
                point_inputs=points,
                mask_inputs=masks,
                output_dict=banks,
                num_frames=1 << 30,
                track_in_reverse=False,
                prev_sam_mask_logits=None,
            )
        low, pointer, score = outputs[3], outputs[5], outputs[6]
        answer = low if masks is None else raw[0][0]  # what its decoder says of a mask that it is given
        if last:
            return answer, {}
        memory, position = network._encode_new_memory(
            current_vision_feats=vision,
            feat_sizes=sizes,
            pred_masks_high_res=resized(low, network.image_size),
            object_score_logits=score,
            is_mask_from_pts=points is not None,
        )
        return answer, {"maskmem_features": memory, "maskmem_pos_enc": position, "obj_ptr": pointer}
