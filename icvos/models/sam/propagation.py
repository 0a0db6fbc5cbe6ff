"""SAM 2 through a video, one frame at a time, in memory that does not grow.

What SAM 2 remembers. Every frame that is done leaves two things behind:

* a *spatial memory*, 64 channels on the frame's stride-16 grid: image features and mask, encoded together;
* an *object pointer*, 256 numbers: the mask decoder's output token, which says what the object looks like.

The features of a new frame attend to the spatial memories of the prompted frames and of the last six frames, and to the
object pointers of the prompted frames and of the last fifteen. That is all: nothing older is ever read again. So the
state here is a window of sixteen small entries, whatever the length of the video; SAM 2's own video predictor keeps
every decoded frame (12.6 MB each) and every frame's outputs.

A *prompted* frame does not attend to anything. Points, boxes and tokens go through the mask decoder as in SAM on
images; a mask is taken as it is, and the decoder only makes its pointer.

The masks equal those of SAM 2's own predictor. One thing needs care: SAM 2.1 divides a pointer's age by the number of
pointers that it looks back on, which is the smaller of 16 and *the length of the video*. A stream has no known length,
so for equality on videos of fewer than 16 frames their number must be given to `Sam2Propagator.start`.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

import cv2
import numpy as np
import torch
from PIL import Image as PillowImage
from torch import Tensor
from torch.nn import functional

from icvos.errors import IcvosError, extent
from icvos.method import Image, Mask, Prompt
from icvos.models.device import pick_device
from icvos.models.needs import AFFINITY
from icvos.models.sam.memory import Memory
from icvos.models.sam.prompted import mask_prompt
from icvos.models.sam.sam2 import load_sam2
from icvos.models.squares import IMAGENET_MEAN, IMAGENET_STD
from icvos.models.weights.load import Loaded
from icvos.sharing import FrameCache, in_common, seen_by

UNKNOWN_LENGTH = 1 << 30
BANKS = ("prompted", "recent")  # of `Memory`
ROUGH = 1e-6  # the least probability of a rough mask, and the least of its complement
FILLED = 0.1  # logit that SAM 2 gives to the pixels of a filled hole
Resize = Literal["pillow-bicubic", "512-bilinear"]
DType = Literal["auto", "float32", "bfloat16"]
# Three levels of image features, (h w, 1, C) each, their position encodings, and their (h, w).
Features = tuple[list[Tensor], list[Tensor], list[tuple[int, int]]]
Output = dict[str, Tensor]  # of a frame: pred_masks (1, 1, 4 s, 4 s), obj_ptr (1, 256), object_score_logits (1, 1)


def pillow_bicubic(frame: Image, side: int) -> Tensor:
    """(1, 3, side, side) float32: resized by Pillow (bicubic, on 8 bits), as SAM 2's video predictor does."""
    resized = np.array(PillowImage.fromarray(frame).resize((side, side))) / 255.0
    return _standardise(torch.from_numpy(resized).permute(2, 0, 1)[None].float())


def bilinear_512(frame: Image, side: int) -> Tensor:
    """(1, 3, side, side) float32: antialiased to 512, standardised, then bilinear with aligned corners (DC-SAM)."""
    if frame.shape[:2] != (512, 512):
        frame = np.array(PillowImage.fromarray(frame).resize((512, 512), PillowImage.Resampling.BILINEAR))
    small = _standardise(torch.from_numpy(frame).permute(2, 0, 1)[None].float() / 255)
    return functional.interpolate(small, size=(side, side), mode="bilinear", align_corners=True)


RESIZES: dict[str, Callable[[Image, int], Tensor]] = {"pillow-bicubic": pillow_bicubic, "512-bilinear": bilinear_512}


def _standardise(image: Tensor) -> Tensor:
    image -= torch.tensor(IMAGENET_MEAN)[:, None, None]
    image /= torch.tensor(IMAGENET_STD)[:, None, None]
    return image


class Sam2Propagator:
    """An `icvos.method.Propagator` by SAM 2.

    Args:
        network: A model of `icvos.models.sam.sam2.build_sam2`.
        loaded: Its weights, for the record of a run.
        dtype: ``auto`` is bfloat16 autocast on CUDA and float32 elsewhere.
        resize: How a frame becomes SAM 2's square; see `RESIZES`.
        hole_area: Background holes of at most this many low-resolution pixels are filled in every mask, on every device
            alike; 0 fills none, which is what SAM 2's own predictor does wherever its CUDA extension is missing.
        frames: Whether frames are shared with others that follow something in the same video: where this is on,
            features are kept for all that do so by the same network.
    """

    seen_as = "sam2 features"  # in ``frames``
    memory_dtype = torch.bfloat16  # of spatial memories, as in SAM 2's own predictor

    def __init__(
        self,
        network: Any,
        loaded: Loaded,
        *,
        dtype: DType = "auto",
        resize: Resize = "pillow-bicubic",
        hole_area: int = 0,
        frames: FrameCache | None = None,
    ) -> None:
        self.network = network
        self.loaded = loaded
        self.device = next(network.parameters()).device
        self.dtype = ("bfloat16" if self.device.type == "cuda" else "float32") if dtype == "auto" else dtype
        self.resize = resize
        self.hole_area = hole_area
        self.frames = seen_by(network) if frames and frames.on else FrameCache(on=False)
        self.memory = Memory()
        self.tokens_only = False
        self.length = UNKNOWN_LENGTH
        self.frame_size: tuple[int, int] | None = None
        self.logits: np.ndarray | None = None  # (H, W) float32 of the last frame
        self.output: Output = {}  # of the last frame
        self.position: list[Tensor] | None = None  # of the spatial memories; the same for all

    def start(self, frame: Image, prompt: Prompt, frames: int | None = None) -> Mask:
        """The mask of the prompted frame, (H, W) bool; forgets any earlier video.

        Args:
            frame: (H, W, 3) uint8 RGB.
            prompt: Embeddings, with a rough mask or without; a mask (an empty one says that the object is not there);
                or points and box.
            frames: The length of the video where it is known and below 16; see the module's text.
        """
        self.reset(frames)
        mask = self.condition(frame, prompt)
        self.frame_size = frame.shape[:2]
        return mask

    def sibling(self, frames: FrameCache) -> "Sam2Propagator":
        """One more over the same network, with a memory of its own; features are kept in ``frames``."""
        return Sam2Propagator(
            self.network, self.loaded, dtype=self.dtype, resize=self.resize, hole_area=self.hole_area, frames=frames
        )

    def reset(self, frames: int | None = None) -> None:
        """Forget everything."""
        self.memory = Memory()
        self.tokens_only = False
        self.length = frames or UNKNOWN_LENGTH
        self.frame_size = None
        self.logits = None
        self.output = {}

    def condition(self, frame: Image, prompt: Prompt) -> Mask:
        """Remember one more prompted frame, which need not be of the video; its mask, (H, W) bool.

        Raises `IcvosError` for a SAM 2 whose memory never learned.
        """
        if self.loaded.pictures_only:
            raise IcvosError(
                f"{self.loaded.name}: was trained on pictures alone, and cannot carry a mask through a video; add "
                f"--set sam2={AFFINITY}, or take another SAM 2"
            )
        size: tuple[int, int] = (frame.shape[0], frame.shape[1])
        points, mask = self._inputs(prompt, size)
        self.tokens_only = prompt.embeddings is not None
        with torch.inference_mode(), self._precision():
            features = self._features(frame)
            output = self._track(features, points, mask, prompted=True)
            low = output["pred_masks"]
            side = self.network.image_size
            high = functional.interpolate(low, size=(side, side), mode="bilinear", align_corners=False)
            self._remember(features, high, output, prompted=True)
            return self._finish(low, size)

    def step(self, frame: Image) -> Mask:
        """The mask of the next frame, (H, W) bool.

        Raises `IcvosError` before any prompt, and for a frame of another size than the last.
        """
        if not self.memory.prompted:
            raise IcvosError("SAM 2 has no prompted frame; call start before step")
        size: tuple[int, int] = (frame.shape[0], frame.shape[1])
        if self.frame_size is not None and self.frame_size != size:
            raise IcvosError(
                f"frame of {extent(size)} pixels after others of {extent(self.frame_size)}; resize to one size"
            )
        self.frame_size = size
        with torch.inference_mode(), self._precision():
            features = self._features(frame)
            tokens = torch.zeros(1, 0, self.network.hidden_dim)
            none = {"point_coords": tokens, "point_labels": torch.zeros(1, 0, dtype=torch.int32)}
            points = {name: value.to(self.device) for name, value in none.items()} if self.tokens_only else None
            output = self._track(features, points, None, prompted=False)
            self._remember(features, output.pop("pred_masks_high_res"), output, prompted=False)
            return self._finish(output["pred_masks"], size)

    def remembered(self) -> dict[str, np.ndarray]:
        """The memory as arrays, bfloat16 as the int16 of the same bits; see `icvos.method.Resumable`."""
        height, width = self.frame_size or (0, 0)
        found = {"numbers": np.array([self.memory.frames, self.tokens_only, self.length, height, width])}
        for number, tensor in enumerate(self.position or ()):
            found[f"position/{number}"] = _as_array(tensor)
        for bank in BANKS:
            for number, output in getattr(self.memory, bank).items():
                for key in ("maskmem_features", "obj_ptr"):
                    if output[key] is not None:
                        found[f"{bank}/{number}/{key}"] = _as_array(output[key])
        return found

    def recall(self, memory: Mapping[str, np.ndarray]) -> None:
        """Be as when `remembered` gave ``memory``."""
        self.reset()
        frames, tokens_only, self.length, height, width = (int(number) for number in memory["numbers"])
        self.memory.frames, self.tokens_only, self.frame_size = frames, bool(tokens_only), (height, width)
        tensors = {name: _as_tensor(array).to(self.device) for name, array in memory.items() if name != "numbers"}
        count = sum(name.startswith("position/") for name in tensors)
        self.position = [tensors[f"position/{number}"] for number in range(count)]
        for name, pointer in tensors.items():
            bank, _, number = name.removesuffix("/obj_ptr").partition("/")
            if bank in BANKS and name.endswith("/obj_ptr"):
                features = tensors.get(f"{bank}/{number}/maskmem_features")
                position = None if features is None else self.position
                output = {"maskmem_features": features, "maskmem_pos_enc": position, "obj_ptr": pointer}
                getattr(self.memory, bank)[int(number)] = output

    def held_bytes(self) -> int:
        """Bytes remembered now; constant once the memory is full."""
        return self.memory.held_bytes()

    def describe(self) -> dict[str, Any]:
        """How frames are carried on, for the record of a run."""
        return {
            "sam2": self.loaded.name,
            "resize": self.resize,
            "hole_area": self.hole_area,
            "stability_fallback": bool(self.network.sam_mask_decoder_extra_args),
            "binarise_prompted_memory": self.network.binarize_mask_from_pts_for_mem_enc,
        }

    def _precision(self) -> AbstractContextManager[Any]:
        return torch.autocast(self.device.type, torch.bfloat16) if self.dtype == "bfloat16" else nullcontext()

    def _inputs(self, prompt: Prompt, size: tuple[int, int]) -> tuple[dict[str, Tensor] | None, Tensor | None]:
        """The prompt as SAM 2 takes it: points or tokens, or a (1, 1, S, S) float32 mask of 0 and 1.

        Beside tokens a mask is a rough one: (1, 1, S / 4, S / 4) logits.
        """
        side = self.network.image_size
        if prompt.mask is not None and prompt.mask.shape != size:
            raise IcvosError(f"prompt mask of {extent(prompt.mask.shape)} pixels for a frame of {extent(size)}")
        if prompt.embeddings is not None:
            tokens = torch.as_tensor(prompt.embeddings, dtype=torch.float32, device=self.device)[None]
            points = {"point_coords": tokens, "point_labels": tokens.new_ones(tokens.shape[:2], dtype=torch.int32)}
            if prompt.mask is None:
                return points, None
            rough = torch.as_tensor(prompt.mask, dtype=torch.float32, device=self.device)[None, None]
            return points, mask_prompt(rough.logit(ROUGH), self.network.sam_prompt_encoder.mask_input_size)
        if prompt.mask is not None:
            return None, self._square_mask(prompt.mask >= 0.5)
        corners = [] if prompt.box is None else [np.asarray(prompt.box, np.float32).reshape(2, 2)]
        marks = [] if prompt.box is None else [np.array([2, 3])]
        if prompt.points is not None and len(prompt.points):
            if prompt.labels is None or len(prompt.labels) != len(prompt.points):
                raise IcvosError("every point of a prompt needs a label, 1 = foreground or 0 = background")
            corners.append(np.asarray(prompt.points, np.float32))
            marks.append(np.asarray(prompt.labels))
        if not corners:
            raise IcvosError("the prompt is empty; give a mask, points, a box or embeddings")
        height, width = size
        points = torch.from_numpy(np.concatenate(corners))[None] / torch.tensor([width, height]) * side
        labels = torch.from_numpy(np.concatenate(marks).astype(np.int32))[None]
        return {"point_coords": points.to(self.device), "point_labels": labels.to(self.device)}, None

    def _square_mask(self, mask: Mask) -> Tensor:
        """(1, 1, S, S) float32 of 0 and 1 of a (H, W) bool mask."""
        side = self.network.image_size
        given = torch.from_numpy(np.ascontiguousarray(mask))[None, None].float().to(self.device)
        if mask.shape == (side, side):
            return given
        resized = functional.interpolate(given, size=(side, side), mode="bilinear", align_corners=False, antialias=True)
        return (resized >= 0.5).float()

    def _features(self, frame: Image) -> Features:
        return self.frames.get(frame, (self.seen_as, self.resize, self.dtype), lambda: self._features_of(frame))

    def _features_of(self, frame: Image) -> Features:
        image = RESIZES[self.resize](frame, self.network.image_size).to(self.device)
        _, features, positions, sizes = self.network._prepare_backbone_features(self.network.forward_image(image))
        return features, positions, sizes

    def _track(
        self, features: Features, points: dict[str, Tensor] | None, mask: Tensor | None, *, prompted: bool
    ) -> Output:
        """One step of SAM 2 without its memory encoder: mask, object pointer and object score of a frame."""
        vision, positions, sizes = features
        output: Output = self.network.track_step(
            frame_idx=self.memory.frames,
            is_init_cond_frame=prompted,
            current_vision_feats=vision,
            current_vision_pos_embeds=positions,
            feat_sizes=sizes,
            point_inputs=points,
            mask_inputs=None if points else mask,
            prev_sam_mask_logits=mask if points else None,
            output_dict={"cond_frame_outputs": self.memory.prompted, "non_cond_frame_outputs": self.memory.recent},
            num_frames=self.length,
            run_mem_encoder=False,
        )
        kept = ("pred_masks", "pred_masks_high_res", "obj_ptr", "object_score_logits")
        output = {name: output[name] for name in kept}
        if prompted:
            del output["pred_masks_high_res"]
        output["pred_masks"] = fill_holes(output["pred_masks"], self.hole_area)
        return output

    def _remember(self, features: Features, high: Tensor, output: Output, *, prompted: bool) -> None:
        """Encode a frame's mask, (1, 1, S, S) logits, into its spatial memory."""
        vision, _, sizes = features
        memory, position = self.network._encode_new_memory(
            current_vision_feats=vision,
            feat_sizes=sizes,
            pred_masks_high_res=high,
            object_score_logits=output["object_score_logits"],
            is_mask_from_pts=prompted,
        )
        self.position = self.position or position
        self.output = output
        memories = {"maskmem_features": memory.to(self.memory_dtype), "maskmem_pos_enc": self.position}
        self._keep(memories | {"obj_ptr": output["obj_ptr"]}, prompted=prompted)

    def _keep(self, remembered: dict[str, Any], *, prompted: bool) -> None:
        """Remember the frame, and forget what is never read again."""
        bank = self.memory.prompted if prompted else self.memory.recent
        bank[self.memory.frames] = remembered
        self.memory.frames += 1
        stride = self.network.memory_temporal_stride_for_eval
        self.memory.forget((self.network.num_maskmem - 1) * stride, self.network.max_obj_ptrs_in_encoder - 1)

    def _finish(self, low: Tensor, size: tuple[int, int]) -> Mask:
        """(H, W) bool of (1, 1, 4 s, 4 s) logits; keeps the logits at the frame's size."""
        logits = functional.interpolate(low, size=size, mode="bilinear", align_corners=False)[0, 0]
        self.logits = logits.float().cpu().numpy()
        return self.logits > 0


def _as_array(tensor: Tensor) -> np.ndarray:
    plain = tensor.detach().cpu().contiguous()
    array: np.ndarray = (plain.view(torch.int16) if plain.dtype == torch.bfloat16 else plain).numpy()
    return array


def _as_tensor(array: np.ndarray) -> Tensor:
    tensor = torch.from_numpy(array.copy())
    return tensor.view(torch.bfloat16) if tensor.dtype == torch.int16 else tensor


def fill_holes(logits: Tensor, area: int) -> Tensor:
    """(B, 1, h, w) logits whose background parts of at most ``area`` pixels (8-connected) are raised to 0.1."""
    if area <= 0:
        return logits
    filled = logits.clone()
    for index, background in enumerate((logits[:, 0] <= 0).cpu().numpy()):
        count, parts, numbers, _ = cv2.connectedComponentsWithStats(background.astype(np.uint8), connectivity=8)
        small = numbers[:, cv2.CC_STAT_AREA] <= area
        small[0] = False
        if count > 1 and small.any():
            filled[index, 0][torch.from_numpy(small[parts]).to(logits.device)] = FILLED
    return filled


def load_propagator(
    checkpoint: str,
    device: str = "auto",
    dtype: DType = "auto",
    *,
    resize: Resize = "pillow-bicubic",
    hole_area: int = 0,
    postprocess: bool = True,
) -> Sam2Propagator:
    """SAM 2 with the weights of ``checkpoint``, a model's name or a path; see `Sam2Propagator`."""
    where = pick_device(device)
    network, loaded = in_common(
        ("sam2", checkpoint, where, postprocess), lambda: load_sam2(checkpoint, where, postprocess=postprocess)
    )
    return Sam2Propagator(network, loaded, dtype=dtype, resize=resize, hole_area=hole_area)
