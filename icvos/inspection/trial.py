"""Videos of the small world with supports on disk, to try a method on."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image as Picture

from icvos.files.masks import write_binary
from icvos.method import Image, Mask, Support
from icvos.smallworld import Clip, World

CATEGORY = "dog"
SUPPORT_SIZES = ((176, 208), (208, 176))


@dataclass(frozen=True, slots=True)
class Trial:
    """A video of one category and supports for it.

    Args:
        clip: The video.
        supports: Pictures of the category with their masks.
        truth: The video's first frame with its true mask, for a method that sees the truth.
    """

    clip: Clip
    supports: tuple[Support, ...]
    truth: Support

    def frames(self) -> Iterator[Image]:
        """The frames in order, (H, W, 3) uint8 RGB, each drawn when it is asked for."""
        for index in range(len(self.clip)):
            yield self.clip.frame(index)[0]


def make_trial(folder: Path, size: tuple[int, int], frames: int, shots: int, index: int = 0) -> Trial:
    """A drawn video, and supports for it; the same arguments always give the same ones.

    Args:
        folder: Where pictures and masks of the supports are written.
        size: (height, width) of the frames.
        frames: How many frames, 1 or more.
        shots: How many supports.
        index: Another number gives another video and other supports.
    """
    world = World(seed=0)
    clip = world.clip(index, frames, (CATEGORY,), size)
    image, ids = clip.frame(0)
    truth = write_support(folder / f"video{index}", image, ids == 1)
    supports = []
    for shot in range(shots):
        picture = world.picture(10 * index + shot, (CATEGORY,), SUPPORT_SIZES[shot % 2])
        supports.append(write_support(folder / f"support{index}-{shot}", picture.image, picture.ids == 1))
    return Trial(clip, tuple(supports), truth)


def write_support(path: Path, image: Image, mask: Mask) -> Support:
    """Write a support as ``<path>.png`` and ``<path>-mask.png``.

    Args:
        path: What both names begin with; its last part is the support's name.
        image: (H, W, 3) uint8 RGB.
        mask: (H, W) bool.
    """
    files = path.with_name(f"{path.name}.png"), path.with_name(f"{path.name}-mask.png")
    Picture.fromarray(image).save(files[0])
    write_binary(files[1], mask)
    return Support(path.name, *files)
