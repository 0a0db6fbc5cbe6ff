"""SAM 2 and 2.1, built in Python from the classes of the `sam2` package: no configuration files, no Hydra.

`SAM2_MODELS` names the eight published configurations; all of them take the official checkpoints as they are. `NANO` is
a small one for a CPU, which icvos trains itself.
"""

import functools
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from icvos.errors import IcvosError
from icvos.files.storage import sha256
from icvos.models.sam.lite0_trunk import Lite0Trunk
from icvos.models.weights.load import (
    BESIDE,
    Loaded,
    State,
    find_weights,
    fit_state,
    fresh_layers,
    lacks,
    load_weights,
    read_state,
)
from icvos.models.weights.registry import find, locate


@dataclass(frozen=True, slots=True)
class Architecture:
    """What differs among the published SAM 2 models.

    Args:
        width: Channels of the first stage of the Hiera trunk; each stage doubles them.
        heads: Attention heads of the first stage.
        stages: Blocks of the four stages.
        global_blocks: Blocks that attend to the whole image.
        background: Side of the trunk's learned position embedding.
        windows: Window sides of the four stages.
        points_in_time: SAM 2.1: object pointers carry their distance in time, and memories of frames without the
            object are marked.
        image_size: Side of the square that every frame is resized to, in pixels.
        channels: Of the features that memory and decoder work on, and of prompt tokens.
        memory_channels: Of a frame's spatial memory.
        memory_layers: Of the memory attention.
        feedforward: Hidden units of each of them.
        lite0: EfficientNet-Lite0 is the trunk in the place of Hiera, and what is said of the latter has no meaning.
    """

    width: int
    heads: int
    stages: tuple[int, int, int, int]
    global_blocks: tuple[int, ...]
    background: int
    windows: tuple[int, int, int, int]
    points_in_time: bool = False
    image_size: int = 1024
    channels: int = 256
    memory_channels: int = 64
    memory_layers: int = 4
    feedforward: int = 2048
    lite0: bool = False


TINY = Architecture(96, 1, (1, 2, 7, 2), (5, 7, 9), 7, (8, 4, 14, 7))
SMALL = Architecture(96, 1, (1, 2, 11, 2), (7, 10, 13), 7, (8, 4, 14, 7))
BASE_PLUS = Architecture(112, 2, (2, 3, 16, 3), (12, 16, 20), 14, (8, 4, 14, 7))
LARGE = Architecture(144, 2, (2, 6, 36, 4), (23, 33, 43), 7, (8, 4, 16, 8))
SAM2_MODELS = {"t": TINY, "s": SMALL, "b+": BASE_PLUS, "l": LARGE}
SAM2_MODELS = {f"sam2-hiera-{size}": model for size, model in SAM2_MODELS.items()} | {
    f"sam2.1-hiera-{size}": replace(model, points_in_time=True) for size, model in SAM2_MODELS.items()
}
OWN = "sam2-nano"  # what comes with icvos, see `NANO`
NAMES = (*SAM2_MODELS, OWN)
UNTRAINED = "nano"  # names `NANO` before it is trained: the trunk's ImageNet weights, and all else as it is initialised
NANO = Architecture(
    *(0, 0, (0, 0, 0, 0), (), 0, (0, 0, 0, 0)),
    points_in_time=True,
    image_size=256,
    channels=128,
    memory_layers=2,
    feedforward=512,
    lite0=True,
)

TRUNK = "image_encoder.trunk."  # which SAM 1 has not

SCORES = ("no_obj_ptr", "sam_mask_decoder.obj_score_token.", "sam_mask_decoder.pred_obj_score_head.")

STABILITY = {  # of the official builders: fall back to the best of three masks where the single one is not stable
    "dynamic_multimask_via_stability": True,
    "dynamic_multimask_stability_delta": 0.05,
    "dynamic_multimask_stability_thresh": 0.98,
}


@functools.cache
def _video_model_class() -> type[nn.Module]:
    """SAM 2's tracking model, which also takes prompt tokens that are embedded already; made when it is first needed.

    A point prompt whose "coordinates" are as wide as an embedding (B, N, C) is taken as the sparse tokens themselves:
    nothing is added to them, not even padding, and one mask is asked for.
    """
    try:
        # Late: importing it initialises Hydra's global state, unless the program has done so itself.
        from sam2.modeling.sam.prompt_encoder import PromptEncoder
        from sam2.modeling.sam2_base import SAM2Base
    except ModuleNotFoundError as error:
        raise IcvosError(f"SAM 2 needs the package {error.name}; run: pip install 'icvos[models]'") from error

    class TokenPromptEncoder(PromptEncoder):
        def forward(self, points: Any, boxes: Any, masks: Any) -> tuple[Tensor, Tensor]:
            if points is None or points[0].shape[-1] == 2:
                return super().forward(points, boxes, masks)
            tokens = points[0]
            _, dense = super().forward(None, None, masks)
            return tokens, dense.expand(len(tokens), -1, -1, -1)

    class Sam2(SAM2Base):
        def _build_sam_heads(self) -> None:
            super()._build_sam_heads()
            side = self.sam_image_embedding_size
            self.sam_prompt_encoder = TokenPromptEncoder(
                self.hidden_dim, (side, side), (self.image_size, self.image_size), 16
            )

        def _use_multimask(self, is_init_cond_frame: bool, point_inputs: dict[str, Tensor] | None) -> bool:
            if point_inputs is not None and point_inputs["point_coords"].shape[-1] != 2:
                return False
            return super()._use_multimask(is_init_cond_frame, point_inputs)

    return Sam2


def build_sam2(model: str | Architecture, *, postprocess: bool = True, scores: bool = True) -> nn.Module:
    """A SAM 2 tracking model without its weights, in evaluation mode.

    Args:
        model: A name of `SAM2_MODELS`, or an architecture.
        postprocess: As the official builders do by default: the single mask gives way to the best of three where it is
            not stable, and the memory of a prompted frame is made from its mask cut at 0.
        scores: Whether it says of each frame if the object is there; without, its decoder has a token less, and no mask
            is emptied.
    """
    network = _video_model_class()
    from sam2.modeling.backbones.image_encoder import FpnNeck, ImageEncoder
    from sam2.modeling.memory_attention import MemoryAttention, MemoryAttentionLayer
    from sam2.modeling.memory_encoder import CXBlock, Fuser, MaskDownSampler, MemoryEncoder
    from sam2.modeling.position_encoding import PositionEmbeddingSine
    from sam2.modeling.sam.transformer import RoPEAttention

    shape = SAM2_MODELS[model] if isinstance(model, str) else model
    channels, grid = shape.channels, shape.image_size // 16
    trunk = _trunk(shape)
    image_encoder = ImageEncoder(
        scalp=1,
        trunk=trunk,
        neck=FpnNeck(
            position_encoding=PositionEmbeddingSine(channels),
            d_model=channels,
            backbone_channel_list=trunk.channel_list,
            fpn_top_down_levels=[2, 3],
            fpn_interp_model="nearest",
        ),
    )
    attention: dict[str, Any] = {
        "embedding_dim": channels,
        "num_heads": 1,
        "downsample_rate": 1,
        "dropout": 0.1,
        "rope_theta": 10000.0,
        "feat_sizes": [grid, grid],
    }
    memory_attention = MemoryAttention(
        d_model=channels,
        pos_enc_at_input=True,
        layer=MemoryAttentionLayer(
            activation="relu",
            dim_feedforward=shape.feedforward,
            dropout=0.1,
            pos_enc_at_attn=False,
            self_attention=RoPEAttention(**attention),
            d_model=channels,
            pos_enc_at_cross_attn_keys=True,
            pos_enc_at_cross_attn_queries=False,
            cross_attention=RoPEAttention(**attention, rope_k_repeat=True, kv_in_dim=shape.memory_channels),
        ),
        num_layers=shape.memory_layers,
    )
    memory_encoder = MemoryEncoder(
        in_dim=channels,
        out_dim=shape.memory_channels,
        position_encoding=PositionEmbeddingSine(shape.memory_channels),
        mask_downsampler=MaskDownSampler(embed_dim=channels, kernel_size=3, stride=2, padding=1),
        fuser=Fuser(
            CXBlock(channels, kernel_size=7, padding=3, layer_scale_init_value=1e-6, use_dwconv=True), num_layers=2
        ),
    )
    built = network(
        image_encoder=image_encoder,
        memory_attention=memory_attention,
        memory_encoder=memory_encoder,
        num_maskmem=7,
        image_size=shape.image_size,
        sigmoid_scale_for_mem_enc=20.0,
        sigmoid_bias_for_mem_enc=-10.0,
        use_mask_input_as_output_without_sam=True,
        directly_add_no_mem_embed=True,
        no_obj_embed_spatial=shape.points_in_time,
        use_high_res_features_in_sam=True,
        multimask_output_in_sam=True,
        iou_prediction_use_sigmoid=True,
        use_obj_ptrs_in_encoder=True,
        add_tpos_enc_to_obj_ptrs=shape.points_in_time,
        proj_tpos_enc_in_obj_ptrs=shape.points_in_time,
        use_signed_tpos_enc_to_obj_ptrs=shape.points_in_time,
        only_obj_ptrs_in_the_past_for_eval=True,
        pred_obj_scores=scores,
        pred_obj_scores_mlp=scores,
        fixed_no_obj_ptr=scores,
        multimask_output_for_tracking=True,
        use_multimask_token_for_obj_ptr=True,
        multimask_min_pt_num=0,
        multimask_max_pt_num=1,
        use_mlp_for_obj_ptr_proj=True,
        binarize_mask_from_pts_for_mem_enc=postprocess,
        sam_mask_decoder_extra_args=STABILITY if postprocess else None,
    )
    return built.eval().requires_grad_(False)


def _trunk(shape: Architecture) -> Any:
    if shape.lite0:
        return Lite0Trunk()
    from sam2.modeling.backbones.hieradet import Hiera

    return Hiera(
        embed_dim=shape.width,
        num_heads=shape.heads,
        stages=shape.stages,
        global_att_blocks=shape.global_blocks,
        window_pos_embed_bkg_spatial_size=(shape.background, shape.background),
        window_spec=shape.windows,
    )


def load_sam2(
    checkpoint: str, device: torch.device | str = "cpu", *, postprocess: bool = True, scores: bool = True
) -> tuple[nn.Module, Loaded]:
    """A SAM 2 model with its weights, and what was loaded.

    Args:
        checkpoint: A name of `SAM2_MODELS`, or the path of an official checkpoint, or of a trained method's that holds
            SAM 2 behind ``sam2.``; the architecture is told from its tensors.
        device: Where the model goes.
        postprocess: As in `build_sam2`.
        scores: As in `build_sam2`; what a file holds for them is left out.
    """

    def used(state: State) -> State:
        return state if scores else {name: tensor for name, tensor in state.items() if not name.startswith(SCORES)}

    if checkpoint in SAM2_MODELS:
        network = build_sam2(checkpoint, postprocess=postprocess, scores=scores)
        loaded = load_weights(network, checkpoint, used)
        if loaded.random and scores:
            see_objects(network)
        return network.to(device), loaded
    if checkpoint == UNTRAINED:
        with fresh_layers():
            network = build_sam2(NANO, postprocess=postprocess, scores=scores)
        trunk: Any = network.get_submodule("image_encoder.trunk")
        loaded = trunk.begin()
        if scores:
            see_objects(network)  # or most masks have no gradient at first
        return network.to(device), loaded
    path = find_weights(checkpoint)
    if path is None:
        raise IcvosError(f"{checkpoint}: no such SAM 2 model; choose from {', '.join(NAMES)}, or give a path")
    state = read_state(path)
    state = beside(state) or state
    network = build_sam2(architecture_of(state, str(path)), postprocess=postprocess, scores=scores)
    fit_sam2(network, used(state), path)
    return network.to(device), Loaded.of(path, sha256(path))


def holds_sam2(checkpoint: str) -> bool:
    """Whether the file that ``checkpoint`` is, or names, has the parameters of a SAM 2; False without a file."""
    path = Path(checkpoint).expanduser()
    known = None if path.is_file() else find(checkpoint)
    found = path if path.is_file() else None if known is None else locate(known)
    return found is not None and any(name.removeprefix(BESIDE).startswith(TRUNK) for name in read_state(found))


def beside(state: State) -> State:
    """SAM 2 by its own names out of the checkpoint of a method that was trained together with it; {} for others."""
    return {name.removeprefix(BESIDE): tensor for name, tensor in state.items() if name.startswith(BESIDE)}


def fit_sam2(network: nn.Module, state: State, path: Path) -> None:
    """Load SAM 2's state dictionary from a file, which may leave its frozen trunk out."""
    if lacks(path):
        trunk: Any = network.get_submodule("image_encoder.trunk")
        trunk.begin()
    fit_state(network, state, path)


def see_objects(network: Any) -> None:
    """Make a model of random weights see an object in most frames; else every mask is empty and hides what follows."""
    with torch.no_grad():
        network.sam_mask_decoder.pred_obj_score_head.layers[2].bias += 3


def architecture_of(state: State, source: str) -> Architecture:
    """The architecture whose names and shapes a state dictionary has."""
    if "image_encoder.trunk.norms.0.mean" in state:
        return NANO
    stem = state.get("image_encoder.trunk.pos_embed")
    blocks = {name.split(".")[3] for name in state if name.startswith("image_encoder.trunk.blocks.")}
    for shape in SAM2_MODELS.values():
        same_trunk = (
            stem is not None and stem.dim() == 4 and stem.shape[1] == shape.width and len(blocks) == sum(shape.stages)
        )
        if same_trunk and shape.points_in_time == ("no_obj_embed_spatial" in state):
            return shape
    raise IcvosError(f"{source}: is not a SAM 2 checkpoint; give one of {', '.join(NAMES)}")


@dataclass(frozen=True, slots=True)
class Embedding:
    """One image as SAM 2 sees it without any memory.

    Args:
        features: (1, 256, s, s) float32, s = image side / 16, with the embedding that says "no memory" added.
        finer: (1, 32, 4 s, 4 s) and (1, 64, 2 s, 2 s), for the mask decoder.
    """

    features: Tensor
    finer: tuple[Tensor, Tensor]


def embed_image(network: Any, image: Tensor) -> Embedding:
    """The embedding of a (1, 3, S, S) float32 image, standardised with ImageNet's mean and deviation."""
    encoded = network.forward_image(image)
    _, features, _, sizes = network._prepare_backbone_features(encoded)
    features[-1] = features[-1] + network.no_mem_embed
    maps = [x.permute(1, 2, 0).view(1, -1, *size) for x, size in zip(features, sizes, strict=True)]
    return Embedding(maps[-1], (maps[0], maps[1]))


def decode(
    network: Any,
    image: Embedding,
    *,
    points: Tensor | None = None,
    labels: Tensor | None = None,
    masks: Tensor | None = None,
    multimask: bool = False,
) -> tuple[Tensor, Tensor]:
    """Masks of one image for B prompts, without memory.

    Args:
        network: A SAM 2 model.
        image: The image.
        points: (B, N, 2) float32, (x, y) in pixels of the S x S input; a box is its two corners.
        labels: (B, N) int32: 1 foreground, 0 background, 2 and 3 the corners of a box.
        masks: (B, 1, 4 s, 4 s) float32 logits of an earlier mask.
        multimask: Ask for three masks instead of one.

    Returns:
        (B, M, 4 s, 4 s) float32 logits and (B, M) predicted IoUs; M is 3 or 1.
    """
    prompts = None if points is None or labels is None else (points, labels)
    sparse, dense = network.sam_prompt_encoder(points=prompts, boxes=None, masks=masks)
    logits, ious, _, _ = network.sam_mask_decoder(
        image_embeddings=image.features,
        image_pe=network.sam_prompt_encoder.get_dense_pe(),
        sparse_prompt_embeddings=sparse,
        dense_prompt_embeddings=dense,
        multimask_output=multimask,
        repeat_image=len(sparse) > 1,
        high_res_features=list(image.finer),
    )
    return logits.float(), ious.float()
