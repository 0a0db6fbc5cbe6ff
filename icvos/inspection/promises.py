"""The promises of a method, each a function that puts it to the test and says what it saw.

A broken promise raises `BrokenError`, one that the method does not make `SkippedError`, and whatever else the method
raises is a finding, too. `PROMISES` holds them in the order in which `icvos.inspection.check` tries them.
"""

import gc
import json
import random
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from itertools import islice

import numpy as np

from icvos.errors import IcvosError
from icvos.guard import no_json
from icvos.inspection.memory import held_bytes, live_tensor_bytes, resident_bytes
from icvos.inspection.subject import (
    ODD_SIZE,
    SHOTS,
    SIZE,
    BrokenError,
    SkippedError,
    Subject,
    require,
    require_equal,
    require_masks,
)
from icvos.inspection.trial import make_trial, write_support
from icvos.method import (
    Described,
    Image,
    ImageSegmenter,
    Prompt,
    Segmenter,
    SharesFrames,
    sees_truth,
    segment,
    segment_in_step,
)

STEADY = 20  # frames after which a method holds all that it will ever hold
HELD_MARGIN = 64 << 10  # bytes
RESIDENT_MARGIN = 256 << 20
MARGINS = {
    "held by the method": HELD_MARGIN,
    "traced by Python": HELD_MARGIN,
    "tensors in the process": HELD_MARGIN,
    "resident": RESIDENT_MARGIN,  # loose: the allocator keeps some of what was freed
}


def loads(subject: Subject) -> str:
    """The method can be built, and has the functions of a method."""
    method = subject.built()
    whole = isinstance(method, Segmenter)
    for name in () if whole else ("prompt", "propagator"):
        present = callable(getattr(method, name, None))
        require(present, f"has no {name}(); a method has prompt and propagator, or segment (icvos/method.py)")
    return "a method that segments in its own way" if whole else "a method of prompt and propagator"


def prompts(subject: Subject) -> str:
    """`Method.prompt` gives a `Prompt` whose parts are right."""
    method = subject.built()
    if isinstance(method, Segmenter):
        raise SkippedError("segments in its own way")
    said = []
    for trial in (subject.first, subject.second):
        frame = next(trial.frames())
        prompt = method.prompt(subject.supports(trial), frame)
        said = require_prompt(prompt, (frame.shape[0], frame.shape[1]))
    return " and ".join(said)


def require_prompt(prompt: object, size: tuple[int, int]) -> list[str]:
    """The names of a prompt's parts; raises `BrokenError` where it is none, or a part is not finite or misshapen.

    Args:
        prompt: What a method gave.
        size: (height, width) of the frame that it is for.
    """
    if not isinstance(prompt, Prompt):
        raise BrokenError(f"prompt() gave a {type(prompt).__name__}, not an icvos.method.Prompt")
    parts = {name: getattr(prompt, name) for name in Prompt.__slots__ if getattr(prompt, name) is not None}
    require(bool(parts), "the prompt is empty; give a mask, points, a box or embeddings")
    for name, value in parts.items():
        require(isinstance(value, np.ndarray), f"prompt.{name} is a {type(value).__name__}, not a numpy array")
        require(bool(np.isfinite(value).all()), f"prompt.{name} holds values that are not finite")
    if prompt.mask is not None:
        _require_mask(prompt.mask, size)
    require((prompt.points is None) == (prompt.labels is None), "points and labels of a prompt go together")
    if prompt.points is not None and prompt.labels is not None:
        _require_points(prompt.points, prompt.labels, size)
    if prompt.box is not None:
        _require_box(prompt.box, size)
    if prompt.embeddings is not None:
        require(prompt.embeddings.ndim == 2, f"prompt.embeddings is {prompt.embeddings.shape}; it must be (N, C)")
    return [name for name in parts if name != "labels"]


def _require_mask(mask: np.ndarray, size: tuple[int, int]) -> None:
    right = mask.shape == size and mask.dtype in (np.bool_, np.float32)
    require(right, f"prompt.mask is {mask.shape} {mask.dtype}; it must be {size} bool or float32")
    require(mask.dtype == np.bool_ or 0 <= mask.min() <= mask.max() <= 1, "prompt.mask is not in [0, 1]")


def _require_points(points: np.ndarray, labels: np.ndarray, size: tuple[int, int]) -> None:
    height, width = size
    shapes = points.shape, labels.shape
    right = shapes == ((len(labels), 2), (len(labels),))
    require(right, f"points and labels are {shapes}, not (N, 2), (N,)")
    inside = bool((points >= 0).all() and (points <= (width, height)).all())
    require(inside, f"prompt.points leave the frame of {width}x{height}; a point is (x, y) in pixels of the frame")
    require(set(np.unique(labels)) <= {0, 1}, "prompt.labels must be 1 (foreground) or 0")


def _require_box(box: np.ndarray, size: tuple[int, int]) -> None:
    height, width = size
    require(box.shape == (4,), f"prompt.box is {box.shape}; it must be (4,): x0, y0, x1, y1")
    x0, y0, x1, y1 = box.tolist()
    right = 0 <= x0 <= x1 <= width and 0 <= y0 <= y1 <= height
    require(right, f"prompt.box {box.tolist()} is no box of the frame")


def right_masks(subject: Subject) -> str:
    """Masks are bool, one for each frame, of the frame's size, which may be odd."""
    subject.first_masks()
    subject.run(subject.second)
    return " and ".join(f"{width}x{height}" for height, width in (SIZE, ODD_SIZE))


def deterministic(subject: Subject) -> str:
    """A second method, built anew, gives the same masks, whatever the global random generators hold."""
    seed_everything(1)
    expected = subject.run(subject.first, method=subject.build())
    seed_everything(12345)
    require_equal(subject.run(subject.first, method=subject.build()), expected, "two fresh runs differ")
    return "two fresh runs are equal, with other global seeds"


def seed_everything(seed: int) -> None:
    """Seed the global generators of Python, numpy and, where they are imported, torch and OpenCV."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  # the very generator that a method must not depend on
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)
    if "cv2" in sys.modules:
        sys.modules["cv2"].setRNGSeed(seed)


def keeps_no_state(subject: Subject) -> str:
    """A clip's masks are the same before and after another clip."""
    expected = subject.first_masks()
    subject.run(subject.second)
    require_equal(subject.run(subject.first), expected, "a clip comes out differently after another clip")
    return "clips A, B, A: both A are equal"


def takes_shots(subject: Subject) -> str:
    """One support is enough, and five are taken, too, or refused in a line for the user."""
    if sees_truth(subject.built()):
        raise SkippedError("is given the video's own first mask, not supports")
    subject.first_masks()
    try:
        subject.run(subject.first, SHOTS)
    except IcvosError as error:
        raise SkippedError(f"1 support; {SHOTS} are refused: {error}") from error
    return f"1 and {SHOTS} supports"


def streams(subject: Subject) -> str:
    """Frame t's mask comes out before frame t + 1 is taken, and streaming changes nothing."""
    taken = 0

    def frames() -> Iterator[Image]:
        nonlocal taken
        for frame in subject.first.frames():
            taken += 1
            yield frame

    masks = []
    for index, mask in enumerate(segment(subject.built(), subject.supports(subject.first), frames())):
        require(taken == index + 1, f"took {taken} frames before it gave the mask of frame {index}")
        masks.append(mask)
    require_masks(masks, list(subject.first.frames()))
    require_equal(masks, subject.first_masks(), "frames one by one and frames in a list differ")
    return "each mask before the next frame; equal to the whole"


def follows_in_step(subject: Subject) -> str:
    """Clips of one video that are followed in step, where the method can, have the masks that each has alone."""
    method = subject.built()
    if not isinstance(method, SharesFrames):
        raise SkippedError("has no siblings(); the clips of a video are run one after the other")
    shown = [(support,) for support in subject.first.supports[:2]]
    if sees_truth(method):
        upper = subject.first.truth.mask()
        upper[len(upper) // 2 :] = False
        other = write_support(subject.folder / "upper", subject.first.truth.image(), upper)
        shown = [(subject.first.truth,), (other,)]
    frames = list(subject.first.frames())
    together = list(segment_in_step(method, shown, iter(frames)))
    for number, supports in enumerate(shown):
        masks = [found[number] for found in together]
        require_masks(masks, frames)
        require_equal(masks, list(segment(method, supports, frames)), "clips in step and a clip alone differ")
    return "two clips in step; each as alone"


def leaves_inputs(subject: Subject) -> str:
    """Frames, and masks that were given out, are not written to later."""
    frames = list(subject.first.frames())
    given = []
    for mask in segment(subject.built(), subject.supports(subject.first), frames):
        given.append((mask, mask.copy()))
    for index, (used, fresh) in enumerate(zip(frames, subject.first.frames(), strict=True)):
        require(np.array_equal(used, fresh), f"frame {index} was written to; copy it before changing it")
    for index, (mask, copy) in enumerate(given):
        require(
            np.array_equal(mask, copy), f"the mask of frame {index} changed after it was given out; give a new array"
        )
    return "frames stay as they were, and so do masks"


def takes_short_videos(subject: Subject) -> str:
    """A video of one frame, and one of none."""
    frames = list(islice(subject.first.frames(), 1))
    masks = list(segment(subject.built(), subject.supports(subject.first), frames))
    require_masks(masks, frames)
    require_equal(masks, subject.first_masks()[:1], "the first mask depends on the frames after it")
    require_masks(list(segment(subject.built(), subject.supports(subject.first), [])), [])
    return "one frame, and none"


def takes_poor_supports(subject: Subject) -> str:
    """A support mask that is empty or has two pixels gives masks, or an `IcvosError` that says what is wrong."""
    size = SIZE if sees_truth(subject.built()) else (176, 208)
    picture = subject.first.truth.image() if sees_truth(subject.built()) else subject.first.supports[0].image()
    frames = list(islice(subject.first.frames(), 2))
    said = []
    for name, pixels in (("empty", 0), ("two pixels", 2)):
        mask = np.zeros(size, dtype=bool)
        mask[size[0] // 2, size[1] // 2 : size[1] // 2 + pixels] = True
        support = write_support(subject.folder / f"poor{pixels}", picture, mask)
        try:
            masks = list(segment(subject.built(), (support,), frames))
        except IcvosError as error:
            said.append(f"{name}: refused ({error})")
            continue
        require_masks(masks, frames)
        said.append(f"{name}: {sum(int(mask.sum()) for mask in masks)} px found")
    return "; ".join(said)


def bounded(subject: Subject) -> str:
    """What the method holds, Python allocates and the system sees stays as large as it was at frame `STEADY`."""
    trial = make_trial(subject.folder, SIZE, subject.frames, 1, index=2)
    method = subject.built()
    masks = segment(method, subject.supports(trial), trial.frames())
    tracing = tracemalloc.is_tracing()
    if not tracing:
        tracemalloc.start()
    try:
        for _ in range(STEADY):
            next(masks)
        before = measure(method, masks)
        count = STEADY + sum(1 for _ in islice(masks, subject.frames - STEADY - 1))  # one is left: the run is not over
        after = measure(method, masks)
        next(masks, None)
    finally:
        if not tracing:
            tracemalloc.stop()
    require(count == subject.frames - 1, f"gave {count} masks for the first {subject.frames - 1} frames of a video")
    grown = {name: after[name] - before[name] for name in after}
    for name, margin in MARGINS.items():
        each = grown[name] / (count - STEADY)
        require(
            grown[name] <= margin,
            f"{name} grew by {grown[name] >> 10} KiB from frame {STEADY} to {count}, {each:.0f} bytes a frame "
            f"(margin {margin >> 10} KiB); keep only what later frames need",
        )
    said = ", ".join(f"{name} {value / 1024:+.0f} KiB" for name, value in grown.items())
    return f"frame {STEADY} to {count}: {said}; margins {HELD_MARGIN >> 10} KiB, resident {RESIDENT_MARGIN >> 20} MiB"


def measure(method: object, masks: object) -> dict[str, int]:
    """Bytes in use, by the names of `MARGINS`.

    Args:
        method: The method that runs.
        masks: The generator of its masks, which holds the propagator.
    """
    gc.collect()
    counts = (held_bytes(method, masks), tracemalloc.get_traced_memory()[0], live_tensor_bytes(), resident_bytes())
    return dict(zip(MARGINS, counts, strict=True))


def describes_itself(subject: Subject) -> str:
    """``describe()``, where there is one, is JSON with settings and weights, and stays the same."""
    method = subject.built()
    if not isinstance(method, Described):
        raise SkippedError("has no describe(); a run then records nothing about its weights")
    found = method.describe()
    require(isinstance(found, dict), f"describe() gave a {type(found).__name__}, not a dictionary")
    fault = no_json(found)
    require(not fault, f"describe() gave what JSON cannot hold: {fault}")
    text = json.dumps(found)
    require(isinstance(found.get("settings", {}), dict), 'describe()["settings"] must be a dictionary')
    weights = found.get("weights", [])
    require(isinstance(weights, list), 'describe()["weights"] must be a list')
    for entry in weights:
        right = isinstance(entry, dict) and isinstance(entry.get("name"), str) and "sha256" in entry
        require(right, f'a weight must be {{"name": ..., "sha256": ...}}, not {entry!r}')
    require(json.dumps(method.describe()) == text, "describe() differs from one call to the next")
    return f"{len(found.get('settings', {}))} settings, {len(weights)} weights"


def segments_images(subject: Subject) -> str:
    """``segment_image(supports, image)``, where there is one, gives a mask of the image's size, the same each time."""
    method = subject.built()
    if not isinstance(method, ImageSegmenter):
        raise SkippedError("has no segment_image(); images are segmented as videos of one frame")
    for trial in (subject.first, subject.second):
        frame = next(trial.frames())
        masks = [method.segment_image(subject.supports(trial), frame) for _ in range(2)]
        require_masks(masks, [frame, frame])
        require_equal(masks[1:], masks[:1], "segment_image called twice")
    return "a mask of the image's size, twice the same"


PROMISES: dict[str, Callable[[Subject], str]] = {
    "loads": loads,
    "prompt": prompts,
    "masks": right_masks,
    "determinism": deterministic,
    "no state": keeps_no_state,
    "shots": takes_shots,
    "streaming": streams,
    "in step": follows_in_step,
    "inputs": leaves_inputs,
    "short videos": takes_short_videos,
    "poor supports": takes_poor_supports,
    "memory": bounded,
    "describe": describes_itself,
    "images": segments_images,
}
