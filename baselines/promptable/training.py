"""Training of a SAM 2: prompts on every frame of a few clips, and objects carried through each clip by its memory."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from baselines.promptable.prompts import LEAST_PX, choose_points, draw_prompts
from icvos.categories import category
from icvos.models.maps import resized
from icvos.models.sam.tracking import Raw, raw_outputs
from icvos.models.squares import squash
from icvos.models.weights.load import Loaded
from icvos.smallworld import NAMES, World
from icvos.training.remembered import Remembered
from icvos.training.trainable import EpisodeBatch, ParameterGroup

DETAIL = 2  # masks are compared at so many times the side of the decoder's logits
FITTED = 16  # pictures that a new trunk is fitted to
DRAWN = 0.5  # the share of prompts that are given as a mask too: without it a new network ignores its prompts long
CARRIED = 2  # objects of a clip that are carried through it at a time
# What videos alone look at: with nothing but these changed, a SAM 2 finds the same masks on pictures as before.
MEMORY = (
    "mask_downsample.",
    "maskmem_tpos_enc",
    "memory_attention.",
    "memory_encoder.",
    "no_mem_pos_enc",
    "no_obj_",
    "obj_ptr_",
)


class PromptableTrainable:
    """SAM 2: all of it but its trunk, or its memory alone.

    Args:
        network: A model of `icvos.models.sam.sam2.build_sam2`.
        loaded: The weights that it starts from.
        each: Prompts for a picture, or for all frames of a clip together.
        memory: Whether nothing but `MEMORY` learns, from clips, so that masks of pictures stay as they are.
    """

    labels = "objects"
    leaves_unused = True  # which parts a step moves depends on the prompts that are drawn

    def __init__(self, network: Any, loaded: tuple[Loaded, ...] = (), each: int = 8, *, memory: bool = False) -> None:
        self.network = network
        self.loaded = loaded
        self.each = each
        self.memory = memory
        self.least_frames = 2 if memory else 1
        self.frozen: Callable[[Tensor], Sequence[Tensor]] = (
            self._decoded_maps if memory else network.image_encoder.trunk
        )

    def remember(self, pictures: int) -> None:
        """Keep what the frozen parts see of so many pictures, as `icvos.training.trainable.Remembers`."""
        frozen = self.frozen
        self.frozen = Remembered(lambda picture: tuple(frozen(picture)), pictures)

    def train(self) -> None:
        """Training mode for all but the trunk."""
        self.network.train()
        self.network.image_encoder.trunk.eval()

    def parameter_groups(self, learning_rate: float) -> list[ParameterGroup]:
        """What learns, at one rate."""
        learned = [
            parameter
            for name, parameter in self.network.named_parameters()
            if (name.startswith(MEMORY) if self.memory else not name.startswith("image_encoder.trunk."))
        ]
        return [{"params": learned, "lr": learning_rate}]

    def losses(self, batch: EpisodeBatch) -> dict[str, Tensor]:
        """``total`` = ``prompts`` + ``video``: focal, BCE, Dice and the error of predicted IoUs of both.

        Labels hold the numbers of objects, of each clip's frames alike.
        """
        frames, labels = batch.query[:, None], batch.query_label[:, None]
        if batch.later is not None and batch.later_labels is not None:
            frames, labels = torch.cat([frames, batch.later], 1), torch.cat([labels, batch.later_labels], 1)
        random = np.random.default_rng(int(torch.randint(2**62, ())))
        maps = self._maps(frames.flatten(0, 1))
        found = {}
        if not self.memory:
            each = max(1, self.each // frames.shape[1])
            found["prompts"] = self._prompted(maps, labels.flatten(0, 1), each, random)
        if frames.shape[1] > 1:
            found["video"] = self._carried(maps, labels, random)
        return {"total": torch.stack(list(found.values())).sum(), **found}

    def logits(self, batch: EpisodeBatch) -> Tensor:
        """(B, S, S) float32 of one click in the middle of the query's object."""
        random = np.random.default_rng(0)
        clicks = [choose_points(label == 1, label, 1, random)[0] for label in batch.query_label.cpu().numpy()]
        points = torch.tensor([[click[:2]] for click in clicks], device=batch.query.device)
        labels = torch.ones(len(clicks), 1, dtype=torch.int32, device=batch.query.device)
        fine, middle, coarse = self._maps(batch.query)
        heads = self.network._forward_sam_heads(
            coarse + self.network.no_mem_embed[0][..., None, None],
            {"point_coords": points, "point_labels": labels},
            None,
            [fine, middle],
            multimask_output=True,
        )
        best: Tensor = heads[4][:, 0]
        return best

    def _maps(self, pictures: Tensor) -> list[Tensor]:
        """The maps that the decoder takes, the finest first."""
        seen = list(self.frozen(resized(pictures, self.network.image_size)))
        return seen if self.memory else self._refined(seen)

    def _decoded_maps(self, pictures: Tensor) -> list[Tensor]:
        return self._refined(list(self.network.image_encoder.trunk(pictures)))

    def _refined(self, seen: list[Tensor]) -> list[Tensor]:
        encoded, _ = self.network.image_encoder.neck(seen)
        decoder = self.network.sam_mask_decoder
        return [decoder.conv_s0(encoded[0]), decoder.conv_s1(encoded[1]), encoded[2]]

    def _prompted(self, maps: list[Tensor], labels: Tensor, each: int, random: np.random.Generator) -> Tensor:
        network, device = self.network, labels.device
        found = draw_prompts(labels, each, DRAWN, random)
        of = found.pictures.to(device)
        drawn = functional.interpolate(found.drawn, size=network.sam_prompt_encoder.mask_input_size, mode="area")
        prompts = found.points.to(device) * (network.image_size / labels.shape[-1]), found.labels.to(device)
        sparse, dense = network.sam_prompt_encoder(points=prompts, boxes=None, masks=drawn.to(device) * 20 - 10)
        _, plain = network.sam_prompt_encoder(points=prompts, boxes=None, masks=None)
        dense = torch.where(found.has_drawn.to(device)[:, None, None, None], dense, plain)
        logits, ious, _, scores = network.sam_mask_decoder.predict_masks(
            image_embeddings=(maps[2] + network.no_mem_embed[0][..., None, None])[of],
            image_pe=network.sam_prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            repeat_image=False,
            high_res_features=[maps[0][of], maps[1][of]],
        )
        truth = found.targets.to(device)
        loss = loss_of((logits[:, :1], ious[:, :1], scores), truth)
        if found.points.shape[1] == 1:  # one click may mean several things
            loss = loss + loss_of((logits[:, 1:], ious[:, 1:], scores), truth)
        return loss

    def _carried(self, maps: list[Tensor], labels: Tensor, random: np.random.Generator) -> Tensor:
        """The loss of the frames behind the first, given the first one's mask or points."""
        chosen = [(clip, number) for clip, label in enumerate(labels) for number in visible(label[0], CARRIED, random)]
        if not chosen:
            return maps[0].sum() * 0
        clips = torch.tensor([clip for clip, _ in chosen], device=labels.device)
        numbers = torch.tensor([number for _, number in chosen], device=labels.device)
        truth = (labels[clips] == numbers[:, None, None, None]).float()
        ordered = [x.unflatten(0, labels.shape[:2])[clips] for x in maps]
        remembered: dict[str, dict[int, Any]] = {"cond_frame_outputs": {}, "non_cond_frame_outputs": {}}
        by_tokens = random.random() < 0.5  # as a video goes on that tokens prompted: one mask, and no padding
        total = []
        for number in range(labels.shape[1]):
            features, positions, sizes = self._flat([x[:, number] for x in ordered])
            points, mask = None, None
            if number == 0:
                points, mask = self._first(truth[:, 0], random)
            elif by_tokens:
                none = truth.new_zeros(len(truth), 0, self.network.hidden_dim)
                points = {"point_coords": none, "point_labels": none[..., 0].int()}
            with raw_outputs(self.network.sam_mask_decoder) as raw:
                out = self.network.track_step(
                    frame_idx=number,
                    is_init_cond_frame=number == 0,
                    current_vision_feats=features,
                    current_vision_pos_embeds=positions,
                    feat_sizes=sizes,
                    point_inputs=points,
                    mask_inputs=mask,
                    output_dict=remembered,
                    num_frames=labels.shape[1],
                    run_mem_encoder=number + 1 < labels.shape[1],
                )
            remembered["non_cond_frame_outputs" if number else "cond_frame_outputs"][number] = out
            if number or mask is None:
                total.append(loss_of(raw[0], truth[:, number]))
        return torch.stack(total).mean()

    def _first(self, truth: Tensor, random: np.random.Generator) -> tuple[dict[str, Tensor] | None, Tensor | None]:
        """What the first frame is given: mostly its masks, else several clicks or boxes."""
        if random.random() < 0.7:
            side = self.network.image_size
            return None, functional.interpolate(truth[:, None], size=(side, side), mode="nearest")
        found = draw_prompts(truth.long(), 1, 0.0, np.random.default_rng(random.integers(2**62)))
        scale = self.network.image_size / truth.shape[-1]
        return {
            "point_coords": found.points.to(truth) * scale,
            "point_labels": found.labels.to(truth.device),
        }, None

    def _flat(self, maps: list[Tensor]) -> tuple[list[Tensor], list[Tensor], list[tuple[int, int]]]:
        place = self.network.image_encoder.neck.position_encoding
        _, features, positions, sizes = self.network._prepare_backbone_features(
            {"backbone_fpn": maps, "vision_pos_enc": [place(x) for x in maps]}
        )
        return features, positions, sizes


def visible(label: Tensor, most: int, random: np.random.Generator) -> list[int]:
    """The numbers of some objects that a frame shows well."""
    areas = torch.bincount(label.flatten(), minlength=256).tolist()
    shown = [number for number in range(1, 255) if areas[number] >= LEAST_PX]
    return [int(number) for number in random.permutation(shown)[:most]]


def fit_trunk(network: Any, classes: Sequence[int]) -> None:
    """Fix the statistics of a new trunk by drawn pictures of some classes, which are the same in every process.

    Args:
        network: A new `icvos.models.sam.sam2.NANO`.
        classes: Numbers of COCO from 0; those that the small world does not have are passed over.
    """
    known = tuple(name for name in NAMES if category(name).index - 1 in classes) or NAMES
    world = World(0, categories=known)
    pictures = [squash(world.picture(number).image, network.image_size) for number in range(FITTED)]
    network.image_encoder.trunk.fit(torch.stack(pictures).to(network.device))


def loss_of(raw: Raw, truth: Tensor) -> Tensor:
    """The mean loss of the best of C masks of each of M objects, (M, S, S) float32 of 0 and 1; one absent counts too.

    Focal x 10 + BCE + Dice of the mask with the least of that, + 0.5 |predicted - true IoU| of all,
    + 0.2 BCE of the score that says whether the object is there.
    """
    logits, ious, scores = raw
    side = logits.shape[-1] * DETAIL
    wanted = functional.interpolate(truth[:, None], size=(side, side), mode="area").expand(-1, logits.shape[1], -1, -1)
    shown = resized(logits, side)
    bce = functional.binary_cross_entropy_with_logits(shown, wanted, reduction="none")
    probability = shown.sigmoid()
    missed = probability * (1 - wanted) + (1 - probability) * wanted
    focal = (missed.square() * bce).mean((2, 3))
    overlap = 2 * (probability * wanted).sum((2, 3)) + 1
    overlap = 1 - overlap / (probability.sum((2, 3)) + wanted.sum((2, 3)) + 1)
    there = wanted[:, 0].amax((1, 2)) > 0.5
    each = 10 * focal + bce.mean((2, 3)) + overlap
    best = each.min(1).values
    with torch.no_grad():
        both = ((shown > 0) & (wanted > 0.5)).sum((2, 3))
        either = ((shown > 0) | (wanted > 0.5)).sum((2, 3))
        true = both / either.clamp_min(1)
    error = (ious - true).abs().mean(1)
    score = functional.binary_cross_entropy_with_logits(scores[:, 0], there.float(), reduction="none")
    return (torch.where(there, best + 0.5 * error, 0) + 0.2 * score).mean()
