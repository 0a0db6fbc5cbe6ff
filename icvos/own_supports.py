"""The supports of `icvos predict`: pictures of your own, each with a mask, or with a box or clicks to make one of.

A mask that was made of a box or of clicks lies beside the folder of predictions, as ``<out>.support.png``, of several
supports as ``<out>.support-1.png`` and so on, to be looked at, and to be given as a mask after it was mended.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from icvos.errors import IcvosError, extent
from icvos.files.images import opened_image, read_image, read_orientation, refuse_animation, turned
from icvos.files.masks import encode_binary, read_binary
from icvos.files.storage import require_writable, write_bytes
from icvos.method import Image, Mask, Prompt, Support, method_class, settings_for
from icvos.models.weights import registry
from icvos.notices import notice
from icvos.tasks.task import Watch

QUARTER_TURNS = 5  # EXIF's orientations from here on exchange height and width
SEGMENTER = "sam2-nano"  # what makes a mask of a box or clicks, where no other is asked for
Pairs = Sequence[tuple[Path | str, "Path | str | Prompt"]]
Files = dict[str, list[tuple[Path, Path]]]


@runtime_checkable
class ShowsSupports(Protocol):
    """A method's class (not an object of it) that may be set to see less of a support than its mask."""

    @staticmethod
    def shown(settings: Any) -> str:
        """What it makes of the mask: ``mask``, the mask itself; ``box``, its box; or something else."""
        ...


def mask_places(supports: Mapping[str, Pairs], out: Path) -> list[Path]:
    """Where the masks lie, or will lie, that are made of boxes and clicks, in the order of the supports."""
    pairs = [pair for own in supports.values() for pair in own]
    numbers = [f"-{number}" for number in range(1, len(pairs) + 1)] if len(pairs) > 1 else [""]
    return [
        out.with_name(f"{out.resolve().name}.support{number}.png")
        for number, (_, shown) in zip(numbers, pairs, strict=True)
        if isinstance(shown, Prompt)
    ]


@contextlib.contextmanager
def removed_on_failure(places: Sequence[Path]) -> Iterator[None]:
    """What was not at ``places`` before is removed again where the inside raises: nothing refused leaves masks."""
    with contextlib.ExitStack() as stack:
        for place in places:
            if not place.exists():
                stack.callback(place.unlink, missing_ok=True)
        yield
        stack.pop_all()


def files_of(
    supports: Mapping[str, Pairs],
    out: Path,
    method: str,
    settings: Mapping[str, Any],
    segmenter: str | None,
    watch: Watch,
) -> Files:
    """Every support as a picture and a mask, both files; masks are made of boxes and clicks here.

    Args:
        supports: By class.
        out: The folder of predictions.
        method: Which is to see them: of one whose supports are boxes, a box stays what it is, filled.
        settings: The method's.
        segmenter: A SAM 2 by name, or a SAM by name or path; None: `SEGMENTER`.
        watch: Is told that masks are made.

    Raises `IcvosError` where a box or click is not in its picture, nothing is found there, or the segmenter is absent.
    """
    places = mask_places(supports, out)
    if not places:
        if segmenter is not None:
            raise IcvosError(f"segmenter {segmenter}: makes masks of boxes and clicks, and none is given; leave it out")
        return {name: [(Path(image), Path(str(mask))) for image, mask in own] for name, own in supports.items()}
    maker = _Maker(_kind_shown(method, settings), segmenter or SEGMENTER, str(settings.get("device", "auto")))
    for place in places:
        require_writable(place)
    waiting, found = iter(places), {name: list[tuple[Path, Path]]() for name in supports}
    watch.stage("supports")
    watch.total(len(places))
    for name, own in supports.items():
        for image, shown in own:
            path = Path(shown) if not isinstance(shown, Prompt) else next(waiting)
            if isinstance(shown, Prompt):
                _keep(path, maker.mask(Path(image), shown))
                watch.advance()
            found[name].append((Path(image), path))
    return found


def _kind_shown(method: str, settings: Mapping[str, Any]) -> str:
    factory = method_class(method)
    return factory.shown(settings_for(method, settings)) if isinstance(factory, ShowsSupports) else "mask"


class _Maker:
    """Makes masks of boxes and clicks; the segmenter is loaded for the first that needs it."""

    def __init__(self, kind: str, segmenter: str, device: str) -> None:
        self.kind = kind
        self.segmenter = segmenter
        self.device = device
        self._sam: Any = None

    def mask(self, path: Path, prompt: Prompt) -> Mask:
        from icvos.models.sam.clicked import filled, segment_prompt

        with opened_image(path) as opened:
            refuse_animation(path, opened)
        image = read_image(path, upright=True)
        size = image.shape[0], image.shape[1]
        _require_inside(prompt, path, size)
        if self.kind == "box" and prompt.box is not None and prompt.points is None:
            return filled(prompt.box, size)
        mask = segment_prompt(self._loaded(), image, prompt)
        if not mask.any():
            raise IcvosError(
                f"{path}: {self.segmenter} finds nothing there; give another box or click, or the object's mask"
            )
        return mask

    def _loaded(self) -> Any:
        from icvos.models.device import pick_device
        from icvos.models.sam.sam2_images import load_sam_on_images

        if self._sam is None:
            with registry.random_weights_allowed(False):  # noise would show nothing
                self._sam = load_sam_on_images(self.segmenter, pick_device(self.device))
        return self._sam


def _require_inside(prompt: Prompt, path: Path, size: tuple[int, int]) -> None:
    height, width = size
    if prompt.mask is not None or prompt.embeddings is not None:
        raise IcvosError(f"{path}: a support is shown by a box, by points, or by the file of a mask; give one of them")
    if prompt.box is None and (prompt.points is None or prompt.labels is None):
        raise IcvosError(f"{path}: neither a box nor points with labels; give one of them")
    if prompt.box is not None:
        x0, y0, x1, y1 = (float(value) for value in np.asarray(prompt.box).reshape(4))
        box, how = f"{x0:g},{y0:g},{x1:g},{y1:g}", "give its left, top, right and bottom in pixels"
        if not (x0 < x1 and y0 < y1):
            raise IcvosError(
                f"{path}: box {box} has no pixel in it: its right is not beyond its left, or its bottom "
                f"not below its top; {how}"
            )
        if not (x0 >= 0 and x1 <= width and y0 >= 0 and y1 <= height):
            raise IcvosError(f"{path}: box {box} is not in the picture, which is {extent(size)}; {how}")
    for x, y in [] if prompt.points is None else np.asarray(prompt.points).tolist():
        if not (0 <= x <= width and 0 <= y <= height):
            raise IcvosError(
                f"{path}: click {x:g},{y:g} is not in the picture, which is {extent(size)}; give x and y in pixels"
            )
    if prompt.box is None and prompt.labels is not None and not np.asarray(prompt.labels).any():
        raise IcvosError(f"{path}: clicks say only what is not the object; give a box, or a click on it")


def _keep(path: Path, mask: Mask) -> None:
    """Write a mask that is not there yet; `IcvosError` where something else is."""
    data = encode_binary(mask)
    if path.exists() and path.read_bytes() != data:
        raise IcvosError(f"{path}: is there already, and is not the mask of this box or click; remove it, or move it")
    write_bytes(path, data)


@dataclass(frozen=True, slots=True)
class OwnSupport(Support):
    """A support of your own, turned upright.

    Args:
        image_orientation: How the picture is stored by its EXIF data: 1 = upright, to 8.
        mask_orientation: How the mask is stored: 1, or as the picture where it was drawn on the picture as stored.
    """

    image_orientation: int
    mask_orientation: int

    def image(self) -> Image:
        """(H, W, 3) uint8 RGB."""
        return turned(read_image(self.image_path), self.image_orientation)

    def mask(self) -> Mask:
        """(H, W) bool, of the image's size."""
        return turned(read_binary(self.mask_path), self.mask_orientation)


def support_of_files(image: Path, mask: Path) -> Support:
    """A support from a picture and a mask of your own; raises `IcvosError` if they do not fit or the mask is empty.

    A picture that is stored turned is turned as its EXIF data say. By its size, the mask of one that is turned by a
    quarter was drawn on it upright or as stored; else the mask is taken to be upright, with a notice.
    """
    for file in (image, mask):
        with opened_image(file) as opened:
            refuse_animation(file, opened)
    upright, orientation = read_image(image, upright=True).shape[:2], read_orientation(image)
    stored = upright[::-1] if orientation >= QUARTER_TURNS else upright
    found = read_binary(mask)
    if found.shape not in (upright, stored):
        raise IcvosError(
            f"{mask}: mask of {extent(found.shape)} pixels, {image.name} is {extent(upright)}; use one size"
        )
    if not found.any():
        raise IcvosError(f"{mask}: no pixel is set; mark the object with any non-zero value")
    if found.all():
        what = "every pixel is set, so the whole picture counts as the object; leave the background 0"
        notice(str(mask), "full", f"{mask}: {what}")
    if orientation > 1 and upright == stored:
        what = f"stored turned, with a note (EXIF) to turn it back; {mask.name} is taken to be of the picture upright"
        notice(str(image), "turned", f"{image}: {what}")
    as_stored = found.shape == stored != upright
    return OwnSupport(image.stem, image, mask, orientation, orientation if as_stored else 1)
