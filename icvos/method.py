"""The one abstraction: a method says where the category is in a first frame, and a propagator carries that on.

A `Method` turns support images with masks and a frame into a `Prompt`; a `Propagator` turns the prompt into the mask of
that frame and then follows it, one frame at a time. A method that does not work like this is a `Segmenter` and segments
the frames itself. What either may offer besides is optional: `SharesFrames`, `ImageSegmenter`, `Explains`, `Described`,
`Remarks`, `Needs`. Methods are found by the entry point group ``icvos.methods``.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np

from icvos.errors import IcvosError
from icvos.files.images import read_image
from icvos.files.masks import read_binary
from icvos.installed import entry_points
from icvos.settings import fill
from icvos.sharing import SharedFrames
from icvos.suggestions import METHOD_SYNONYMS, nearest

Image = np.ndarray  # (H, W, 3) uint8 RGB in [0, 255]
Mask = np.ndarray  # (H, W) bool


@dataclass(frozen=True, slots=True)
class Support:
    """One support: a picture, and the mask of every instance of the category in it. Files are read when asked for."""

    name: str
    image_path: Path
    mask_path: Path

    def image(self) -> Image:
        """(H, W, 3) uint8 RGB."""
        return read_image(self.image_path)

    def mask(self) -> Mask:
        """(H, W) bool, of the image's size."""
        return read_binary(self.mask_path)


@dataclass(frozen=True, slots=True)
class Prompt:
    """Where the category is in one frame: any of a mask, points, a box, or prompt embeddings.

    Args:
        mask: (H, W) bool or float32 in [0, 1], at the frame's size; beside ``embeddings`` only a rough one.
        points: (N, 2) float32, each (x, y) in pixels of the frame.
        labels: (N,) int, 1 = foreground, 0 = background; goes with ``points``.
        box: (4,) float32, (x0, y0, x1, y1) in pixels of the frame.
        embeddings: (N, C) float32 sparse prompt embeddings of SAM's prompt encoder.
    """

    mask: np.ndarray | None = None
    points: np.ndarray | None = None
    labels: np.ndarray | None = None
    box: np.ndarray | None = None
    embeddings: np.ndarray | None = None


class Propagator(Protocol):
    """Carries a prompt through a video, one frame at a time, in memory that does not grow with the video."""

    def start(self, frame: Image, prompt: Prompt) -> Mask:
        """The (H, W) bool mask of the (H, W, 3) uint8 frame that was prompted; any earlier video is forgotten."""
        ...

    def step(self, frame: Image) -> Mask:
        """The (H, W) bool mask of the next frame, which is of the first frame's size."""
        ...


@runtime_checkable
class Resumable(Propagator, Protocol):
    """A propagator whose memory can be put aside, so that a video that was stopped goes on with the same masks."""

    def remembered(self) -> dict[str, np.ndarray]:
        """All that it needs for the frames to come; arrays that `step` leaves as they are."""
        ...

    def recall(self, memory: Mapping[str, np.ndarray]) -> None:
        """Be as after the frame at which `remembered` gave ``memory``; raises ValueError or KeyError for another's."""
        ...


class Method(Protocol):
    """A method that prompts a propagator. Any object with these two functions is one."""

    def prompt(self, supports: Sequence[Support], frame: Image) -> Prompt:
        """Where the category that ``supports`` show is in an (H, W, 3) uint8 frame."""
        ...

    def propagator(self) -> Propagator:
        """What carries this method's prompts through a video."""
        ...


@runtime_checkable
class Segmenter(Protocol):
    """A method that segments whole videos in its own way."""

    def segment(self, supports: Sequence[Support], frames: Iterable[Image]) -> Iterator[Mask]:
        """One (H, W) bool mask for every (H, W, 3) uint8 frame, in order, each given before the next frame is taken."""
        ...


AnyMethod = Method | Segmenter


@runtime_checkable
class SharesFrames(Protocol):
    """A method that can follow several clips of a video in step: all categories, and all draws of supports for each.

    `icvos eval` then reads every frame once, and the method computes what it sees of it once (`icvos.sharing`). Another
    method's clips are run one after the other. The masks are the same in either way.
    """

    def siblings(self, count: int) -> "Sequence[AnyMethod]":
        """As many methods like this one, over the same networks, each for one clip of the same video.

        Each has its own memory and remarks. All are given the same arrays as frames, which nobody changes: every one
        its turn at a frame before any is given the next. The memory of this one is left alone.
        """
        ...


@runtime_checkable
class ImageSegmenter(Protocol):
    """A method whose mask of a single image is not the first mask of a video: its own, without SAM 2's part."""

    def segment_image(self, supports: Sequence[Support], image: Image) -> Mask:
        """(H, W) bool: where the category that ``supports`` show is in the (H, W, 3) uint8 ``image``."""
        ...


@dataclass(frozen=True, slots=True)
class Panel:
    """One thing that a method saw, to be drawn over a picture that it was given.

    Args:
        label: What is shown, in a few words.
        values: (h, w) over the whole picture, of any resolution and stretched to it: bool, or float32 of a ``heat``.
        kind: ``mask`` tints where it is, ``kept`` darkens where it is not, ``heat`` goes from its least to its greatest
            value.
        shot: The support that it lies over, 0, 1, ...; None: the frame.
    """

    label: str
    values: np.ndarray
    kind: Literal["mask", "kept", "heat"]
    shot: int | None = None

    def __post_init__(self) -> None:
        """Raise ValueError for values that cannot be drawn."""
        if self.values.ndim != 2 or not self.values.size or not np.isfinite(self.values).all():
            raise ValueError(f"panel {self.label!r} has values of {self.values.shape}; give (h, w), all finite")
        if (self.values.dtype == np.bool_) is (self.kind == "heat"):
            raise ValueError(f"panel {self.label!r} has {self.values.dtype} values; a {self.kind} has others")


@dataclass(frozen=True, slots=True)
class Step:
    """One step on a method's way to its mask.

    Args:
        title: What is done, in a few words.
        meaning: How its panels are read, for a reader who does not know the method.
        panels: What is seen of it.
    """

    title: str
    meaning: str
    panels: Sequence[Panel]


@runtime_checkable
class Explains(Protocol):
    """A method that shows how it comes to the mask of a picture or of a video's first frame."""

    def explain(self, supports: Sequence[Support], frame: Image, *, moving: bool) -> Sequence[Step]:
        """Its steps, in order, up to what decodes the mask.

        Args:
            supports: As for the mask.
            frame: (H, W, 3) uint8, the picture, or the first frame of a video.
            moving: Whether it is one of a video.
        """
        ...


@runtime_checkable
class Described(Protocol):
    """A method that names its settings and weights for the record of a run."""

    def describe(self) -> dict[str, Any]:
        """JSON values: ``settings`` by name, ``weights`` (a ``name`` and ``sha256`` each), ``device`` and ``dtype``."""
        ...


@runtime_checkable
class Remarks(Protocol):
    """A method that tells, for the record of a run, where it had to leave its usual way."""

    def remarks(self) -> list[str]:
        """What was unusual since the last call, a line each."""
        ...


@runtime_checkable
class Needs(Protocol):
    """A method's class (not an object of it) that names the checkpoints it would load, without loading them.

    Its ``packages``, where it has such a tuple, names modules of the extra ``models`` that it imports when it runs.
    """

    @staticmethod
    def needs(settings: Any) -> tuple[str, ...]:
        """Names of `icvos.models.weights.registry`, or paths, for an object of the class's ``Settings``."""
        ...


@runtime_checkable
class NeedsLess(Protocol):
    """A method's class (not an object of it) that loads less for videos, or for pictures, than `Needs.needs` names."""

    @classmethod
    def needed(cls, settings: Any, *, moving: bool) -> tuple[str, ...]:
        """What it loads for videos, where they are ``moving``, or for single pictures."""
        ...


@runtime_checkable
class KnowsTrained(Protocol):
    """A method's class (not an object of it) whose trained files say what they were trained with."""

    @classmethod
    def trained(cls, name: str, settings: Mapping[str, Any]) -> Mapping[str, Any]:
        """What the files that ``settings`` name were trained with, for settings of the method called ``name``."""
        ...


def segment(method: AnyMethod, supports: Sequence[Support], frames: Iterable[Image]) -> Iterator[Mask]:
    """One (H, W) bool mask for every (H, W, 3) uint8 frame, in order, each made before the next frame is taken.

    >>> dog = Support("dog", Path("dog.jpg"), Path("dog.png"))
    >>> frames = (read_image(path) for path in sorted(Path("walk").iterdir()))
    >>> masks = segment(load_method("lite", {"short_side": 96}), [dog], frames)
    >>> next(masks).dtype  # of the first frame; the second has not been read yet
    dtype('bool')
    """
    if isinstance(method, Segmenter):
        yield from method.segment(supports, frames)
        return
    stream = iter(frames)
    first = next(stream, None)
    if first is None:
        return
    propagator = method.propagator()
    yield propagator.start(first, method.prompt(supports, first))
    for frame in stream:
        yield propagator.step(frame)


def segment_in_step(
    method: SharesFrames, supports: Sequence[Sequence[Support]], frames: Iterable[Image]
) -> Iterator[tuple[Mask, ...]]:
    """For every frame the (H, W) bool masks of several sets of supports, each as `segment` gives it for that set alone.

    >>> dog = Support("dog", Path("dog.jpg"), Path("dog.png"))
    >>> frames = (read_image(path) for path in sorted(Path("walk").iterdir()))
    >>> masks = segment_in_step(load_method("lite", {"short_side": 96}), [[dog], [dog, dog]], frames)
    >>> len(next(masks))
    2
    """
    shared = SharedFrames(frames)
    methods = method.siblings(len(supports))
    streams = [segment(one, shown, shared.reader()) for one, shown in zip(methods, supports, strict=True)]
    while shared.advance():
        yield tuple(next(stream) for stream in streams)


def segment_image(method: AnyMethod, supports: Sequence[Support], image: Image) -> Mask:
    """(H, W) bool: the method's own mask of one image where it has one, else the mask of a video of one frame."""
    if isinstance(method, ImageSegmenter):
        return method.segment_image(supports, image)
    (mask,) = segment(method, supports, [image])
    return mask


def sees_truth(method: object) -> bool:
    """Whether the method is given the video's first true mask, or the image's, as its support: an upper bound."""
    return bool(getattr(method, "sees_truth", False))


def method_names() -> list[str]:
    """The names of all installed methods."""
    return sorted({point.name for point in entry_points("icvos.methods")})


def find_method(name: str) -> EntryPoint:
    """Where the method called ``name`` is; nothing is imported. Raises `IcvosError` with the nearest name."""
    found = [point for point in entry_points("icvos.methods") if point.name == name]
    if not found:
        near = nearest(name, method_names(), METHOD_SYNONYMS)
        hint = f"did you mean {near}?" if near else f"installed: {', '.join(method_names())}"
        raise IcvosError(f"unknown method {name!r}; {hint}")
    return found[0]


def load_method(name: str, settings: Mapping[str, Any] | None = None) -> AnyMethod:
    """Build the method called ``name``; ``settings`` go over the defaults of its ``Settings`` dataclass.

    Every method also takes ``handover=each-frame``, see `icvos.each_frame`.

    >>> lite = load_method("lite", {"short_side": 96})
    >>> lite.describe()["settings"]["short_side"]
    96
    """
    from icvos.each_frame import by_itself, is_asked

    factory = method_class(name)
    chosen = settings_for(name, settings or {})
    try:
        built: AnyMethod = factory() if chosen is None else factory(chosen)
    except IcvosError:
        raise
    except (Exception, SystemExit) as error:  # anybody's code, see `icvos.guard`
        raise IcvosError(f"method {name} cannot be built: {type(error).__name__}: {first_line(error)}") from error
    return by_itself(built) if is_asked(name, settings or {}) else built


def method_class(name: str) -> Any:
    """What makes the method called ``name``: its module is imported, nothing is built.

    Raises `IcvosError` where there is no such method, a package is missing, or its module cannot be imported.
    """
    found = find_method(name)
    try:
        return found.load()
    except ModuleNotFoundError as error:
        raise IcvosError(
            f"method {name} needs the package {error.name}; run: {how_to_install(found, error)}"
        ) from error
    except (Exception, SystemExit) as error:  # its module is anybody's code: whatever it raises is what is wrong
        reason = f"{type(error).__name__}: {first_line(error)}"
        raise IcvosError(
            f"method {name} cannot be loaded from {found.value} ({reason}); correct or remove it"
        ) from error


def methods_with(name: str) -> list[str]:
    """The methods whose class has a function of that name; one that cannot be imported is none of them."""
    found = []
    for method in method_names():
        with contextlib.suppress(IcvosError):  # it is not whole, or lacks a package
            if callable(getattr(method_class(method), name, None)):
                found.append(method)
    return found


def how_to_install(point: EntryPoint, error: ModuleNotFoundError) -> str:
    """The command that installs the package whose lack keeps a method's module from being imported."""
    own = point.value.startswith(("baselines", "dcsam"))
    package = "icvos[models]" if own else (error.name or str(error)).partition(".")[0]
    return f"pip install '{package}'"


def first_line(error: BaseException) -> str:
    """What an error says, in one line."""
    return str(error).strip().partition("\n")[0] or "no reason is given"


def settings_for(name: str, settings: Mapping[str, Any], prefix: str = "") -> Any:
    """The settings that the method called ``name`` is built with; None where it has none. Nothing is built.

    Args:
        name: The method's name.
        settings: Over what a trained file that they name says, and over its defaults.
        prefix: What stands before a name where it is set, for errors.

    Raises `IcvosError` for a method that cannot be imported, and for a setting that it does not take.
    """
    from icvos.each_frame import is_asked, without

    factory = method_class(name)
    if is_asked(name, settings):
        settings = without(settings)
    kind = getattr(factory, "Settings", None)
    if kind is None and settings:
        raise IcvosError(f"method {name} has no settings; leave out --set {prefix}{next(iter(settings))}")
    if kind is None:
        return None
    trained = factory.trained(name, settings) if isinstance(factory, KnowsTrained) else {}
    return fill(kind, {**trained, **settings}, prefix)
