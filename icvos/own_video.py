"""A video and support pictures of your own, without a benchmark."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from icvos.errors import IcvosError
from icvos.files.frames import open_frames
from icvos.files.images import opened_image, read_image, read_orientation, refuse_animation, turned
from icvos.files.listing import is_empty
from icvos.files.masks import encode_binary, read_binary
from icvos.files.storage import atomic_folder, require_writable
from icvos.guard import Asked, description_of, masks_of, require_timeout
from icvos.method import AnyMethod, Image, Mask, Support, load_method, method_class, sees_truth, settings_for
from icvos.notices import notice
from icvos.tasks.record import record_of
from icvos.tasks.task import SILENT, Watch

QUARTER_TURNS = 5  # EXIF's orientations from here on exchange height and width


def predict(
    supports: Sequence[tuple[Path | str, Path | str]],
    video: Path | str,
    out: Path | str,
    *,
    method: str = "lite",
    settings: Mapping[str, Any] | None = None,
    overlay: Path | str | None = None,
    random_weights: bool = False,
    timeout: float | None = None,
    watch: Watch = SILENT,
) -> int:
    """Segment your own video from your own pictures and masks.

    Args:
        supports: (picture, mask) files; any non-zero value of a mask is the object.
        video: A folder of frames, a picture, or a video file (extra ``[video]``).
        out: A new folder for one one-bit mask PNG per frame; it is there whole or not at all.
        method: The method's name.
        settings: Its settings, over its defaults.
        overlay: Also write the video with the masks, as .gif, .webp or .mp4.
        random_weights: Put random weights in the place of missing checkpoints, to try the machinery.
        timeout: Seconds that the method may take for the video; None: as long as it wants.
        watch: Is told of every frame.

    Returns:
        The number of frames.

    Raises:
        IcvosError: A file is missing or does not fit, or ``out`` holds something.

    >>> count = predict([("dog.jpg", "dog.png")], "walk", "found", settings={"short_side": 96})
    >>> count == len(list(Path("found").iterdir()))
    True
    """
    from icvos.drawing.animation import write_animation
    from icvos.drawing.overlays import overlay as drawn
    from icvos.models.weights.registry import random_weights_allowed

    out = Path(out)
    _require_places(out, overlay)
    require_timeout(timeout)
    settings_for(method, settings or {})
    if sees_truth(method_class(method)):
        raise IcvosError(
            f"method {method} is given the truth, which a video of your own lacks; choose another --method"
        )
    if not supports:
        raise IcvosError("no support is given; show the object with --support PICTURE --mask MASK")
    pairs = [support_of_files(Path(image), Path(mask)) for image, mask in supports]
    frames = open_frames(video)
    watch.stage(method)
    watch.total(frames.count or 0)
    with random_weights_allowed(random_weights):
        built = load_method(method, settings or {})
        record_of(description_of(built, method), method)  # refused before the work, not after
        asked = Asked(method, str(video), timeout)
        count = predict_video(built, pairs, frames, out, asked, watch.advance)
    if record_of(description_of(built, method), method).made_with_random_weights:
        watch.note("RANDOM WEIGHTS: these masks mean nothing")
    if overlay is not None:
        images = (drawn(image, read_binary(out / f"{name}.png")) for name, image in open_frames(video))
        write_animation(Path(overlay), images)
    return count


def predict_video(
    method: AnyMethod,
    supports: Sequence[Support],
    frames: Iterable[tuple[str, np.ndarray]],
    out: Path,
    asked: Asked,
    advance: Callable[[int], None] = lambda frames: None,
) -> int:
    """Segment a video of your own: one-bit ``<frame>.png`` masks in ``out``, whole or not; the number of frames.

    ``frames`` gives (name, (H, W, 3) uint8 RGB) in order, ``asked`` names the method and the video in errors.
    """
    _require_places(out, None)
    names: list[str] = []

    def images() -> Iterator[np.ndarray]:
        for name, image in frames:
            names.append(name)
            yield image

    count = 0
    with atomic_folder(out, out.parent) as folder:
        for count, mask in enumerate(masks_of(method, supports, images(), asked), start=1):
            (folder / f"{names[count - 1]}.png").write_bytes(encode_binary(mask))
            advance(1)
    return count


def _require_places(out: Path, overlay: Path | str | None) -> None:
    """Refuse, before any work, what could not be written after it."""
    if not is_empty(out):
        raise IcvosError(f"{out}: is not an empty folder; choose another --out")
    require_writable(out, folder=True)
    if overlay is not None:
        from icvos.drawing.animation import require_animation

        require_animation(Path(overlay))


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
        raise IcvosError(f"{mask}: mask is {found.shape}, {image.name} is {upright} (height, width); use one size")
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
