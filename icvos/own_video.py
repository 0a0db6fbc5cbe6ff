"""A video and support pictures of your own, without a benchmark."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from icvos.errors import IcvosError
from icvos.files.images import image_size, open_image
from icvos.files.masks import encode_binary
from icvos.files.storage import atomic_folder
from icvos.method import AnyMethod, Support, segment

EXIF_ORIENTATION = 0x0112


def predict_video(
    method: AnyMethod,
    supports: Sequence[Support],
    frames: Iterable[tuple[str, np.ndarray]],
    out: Path,
    advance: Callable[[int], None] = lambda frames: None,
) -> int:
    """Segment somebody's own video: one-bit ``<frame>.png`` masks in ``out``, whole or not; the number of frames.

    ``frames`` gives (name, (H, W, 3) uint8 RGB) in order.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise IcvosError(f"{out}: is not an empty folder; choose another --out")
    names: list[str] = []

    def images() -> Iterator[np.ndarray]:
        for name, image in frames:
            names.append(name)
            yield image

    count = 0
    with atomic_folder(out, out.parent) as folder:
        for count, mask in enumerate(segment(method, supports, images()), start=1):
            (folder / f"{names[count - 1]}.png").write_bytes(encode_binary(mask))
            advance(1)
    return count


def support_of_files(image: Path, mask: Path) -> Support:
    """A support of somebody's own picture and mask; raises `IcvosError` if they do not fit or the mask is empty."""
    if open_image(image).getexif().get(EXIF_ORIENTATION, 1) != 1:
        raise IcvosError(
            f"{image}: is stored turned, with a note (EXIF) to turn it back; save it upright, as its mask is"
        )
    support = Support(image.stem, image, mask)
    found = support.mask()
    if found.shape != image_size(image):
        raise IcvosError(
            f"{mask}: mask is {found.shape}, {image.name} is {image_size(image)} (height, width); use one size"
        )
    if not found.any():
        raise IcvosError(f"{mask}: no pixel is set; mark the object with any non-zero value")
    return support
