"""A short video through SAM 2 with gradients: what training on mask tubes needs and `Sam2Propagator` must not have."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from icvos.models.maps import aligned
from icvos.models.sam.prompted import mask_prompt

Outputs = dict[str, dict[int, dict[str, Any]]]
Raw = tuple[Tensor, Tensor, Tensor]  # (M, C, h, w) logits, (M, C) predicted IoUs, (M, 1) object scores


@contextmanager
def raw_outputs(decoder: Any) -> Iterator[list[Raw]]:
    """What the mask decoder gives inside, in order: SAM 2 cuts the gradient of masks that it takes for absent."""
    found: list[Raw] = []

    def keep(_module: Any, _inputs: Any, outputs: Any) -> None:
        found.append((outputs[0], outputs[1], outputs[3]))

    handle = decoder.register_forward_hook(keep)
    try:
        yield found
    finally:
        handle.remove()


def track(network: Any, frames: Tensor, tokens: Tensor, rough: Tensor | None = None, *, gated: bool = True) -> Tensor:
    """(T, 1, 4 g, 4 g) logits of a tube whose first frame is prompted by tokens.

    Gradients go through mask decoder, memory encoder and memory attention, not through the image encoder. What a frame
    computes is computed again for its gradient, so that memory holds the activations of one frame at a time. They grow
    with the frames that its memory attention looks back on, of which SAM 2 has seven at most.

    Args:
        network: A model of `icvos.models.sam.sam2.build_sam2`.
        frames: (T, 3, S, S), standardised.
        tokens: (1, 2 N, 256), marked with SAM's labels.
        rough: (1, 1, h, w) logits of a rough mask of the first frame, which is a prompt too.
        gated: Whether the logits of a frame whose object SAM 2 takes for absent are a constant, without gradient, as on
            a video. What is remembered of the frame is SAM 2's decision either way.
    """
    none = tokens.new_zeros(1, 0, tokens.shape[2])
    remembered: Outputs = {"cond_frame_outputs": {}, "non_cond_frame_outputs": {}}
    found = []
    positions: list[Tensor] = []
    for number, frame in enumerate(frames):
        with torch.no_grad():
            encoded = network.image_encoder(aligned(frame[None], network.image_size))
        positions = positions or encoded["vision_pos_enc"]
        encoded["vision_pos_enc"] = positions  # the same for all frames, and large
        given = (none, None) if number else (tokens, rough)
        out: dict[str, Any] = checkpoint(
            _step, network, encoded, number, *given, _copied(remembered), len(frames), use_reentrant=False
        )
        remembered["non_cond_frame_outputs" if number else "cond_frame_outputs"][number] = out
        found.append(out["pred_masks"] if gated else out["raw_masks"])
    return torch.cat(found)


def _step(
    network: Any,
    encoded: dict[str, Any],
    number: int,
    tokens: Tensor,
    rough: Tensor | None,
    remembered: Outputs,
    frames: int,
) -> dict[str, Any]:
    """One frame, with its memory; the decoder's own convolutions of finer maps are part of what learns."""
    fine, middle, coarse = encoded["backbone_fpn"]
    decoder = network.sam_mask_decoder
    maps = [decoder.conv_s0(fine), decoder.conv_s1(middle), coarse]
    _, features, positions, sizes = network._prepare_backbone_features({**encoded, "backbone_fpn": maps})
    labels = torch.ones(tokens.shape[:2], dtype=torch.int32, device=tokens.device)
    with raw_outputs(decoder) as raw:
        out: dict[str, Any] = network.track_step(
            frame_idx=number,
            is_init_cond_frame=number == 0,
            current_vision_feats=features,
            current_vision_pos_embeds=positions,
            feat_sizes=sizes,
            point_inputs={"point_coords": tokens, "point_labels": labels},
            mask_inputs=None,
            prev_sam_mask_logits=(
                None if rough is None else mask_prompt(rough, network.sam_prompt_encoder.mask_input_size)
            ),
            output_dict=remembered,
            num_frames=frames,
            run_mem_encoder=number + 1 < frames,
        )
    return out | {"raw_masks": raw[0][0]}


def _copied(remembered: Outputs) -> Outputs:
    """The dictionaries as they are now: the step is computed again when more frames are in them."""
    return {name: dict(bank) for name, bank in remembered.items()}
