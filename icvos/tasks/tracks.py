"""The masks of a clip or an episode with what they are of, as other programs' files want them."""

from dataclasses import dataclass

from icvos.files.rle import Rle


@dataclass(frozen=True, slots=True)
class Track:
    """One category in one video, or in one picture.

    Args:
        id: ``<video>/<class>`` of videos, ``<fold>/<episode>`` of images.
        video: The name of the video; "" of a picture.
        kind: The class number.
        category: The class name.
        files: The frames, or the one picture, below the folder of pictures.
        size: (height, width) of them.
        masks: COCO's compressed RLE of each; None for a mask that is absent or empty.
    """

    id: str
    video: str
    kind: int
    category: str
    files: tuple[str, ...]
    size: tuple[int, int]
    masks: tuple[Rle | None, ...]
