"""PASCAL VOC 2012 and SBD: pictures with PNGs of class numbers 1..20, 255 on the borders of VOC's own objects.

    <voc>/JPEGImages/<picture>.jpg
    <voc>/SegmentationClassAug/<picture>.png     VOC's and SBD's masks in one folder, as few-shot data sets ship them
    <voc>/SegmentationClass/<picture>.png        VOC's own masks
    <voc>/ImageSets/Segmentation/<split>.txt
    <sbd>/dataset/cls/<picture>.mat              SBD's masks, MATLAB files as released, or as PNGs
    <sbd>/dataset/train.txt

A mask is taken from the first of these folders that has it. Training pictures are never among those of ``val``: SBD's
own lists hold many of them.
"""

import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PureWindowsPath

import numpy as np

from curation.sources.layout import find_root
from curation.sources.left_out import LeftOut
from icvos.errors import IcvosError
from icvos.files.listing import visible_entries
from icvos.files.masks import read_ids
from icvos.files.text import read_text

EXPECTED = "JPEGImages/, ImageSets/Segmentation/ and SegmentationClass/ or SegmentationClassAug/"
AUGMENTED = ("trainaug", "train_aug")  # names of one list
WITH_SBD = "train+sbd"
OF_VAL = "of val, not trained on"
LARGEST_MAT = 1 << 21  # bytes; SBD's masks have some thousands


@dataclass(frozen=True, slots=True)
class Pascal:
    """PASCAL VOC 2012, perhaps with SBD; open one with `Pascal.open`.

    Args:
        root: The folder of VOC 2012.
        sbd: The folder of SBD with its lists and ``cls``; None: without it.
        masks: What reads the (H, W) class numbers of a picture, by the picture's stem.
    """

    root: Path
    sbd: Path | None
    masks: dict[str, Callable[[], np.ndarray]] = field(repr=False)

    @classmethod
    def open(cls, voc: Path | str, sbd: Path | str | None = None) -> "Pascal":
        """VOC 2012 in ``voc`` or in a folder below it (``VOCdevkit/VOC2012``); SBD in ``sbd`` or below it.

        Raises `IcvosError` for another data set, two candidates, and no mask at all.
        """
        voc = Path(voc)
        root = find_root(voc / "VOCdevkit" if (voc / "VOCdevkit").is_dir() else voc, "voc", _is_voc, EXPECTED)
        boundaries = None if sbd is None else find_sbd(Path(sbd))
        folders = [root / "SegmentationClassAug", root / "SegmentationClass"]
        if boundaries is not None:
            folders += [boundaries / "cls_png", boundaries / "cls"]
        masks: dict[str, Callable[[], np.ndarray]] = {}
        for folder in folders:
            for path in sorted(folder.iterdir()) if folder.is_dir() else ():
                if path.suffix in _READERS and not path.name.startswith("."):
                    masks.setdefault(path.stem, partial(_READERS[path.suffix], path))
        if not masks:
            raise IcvosError(f"{root}: no mask in SegmentationClass or SegmentationClassAug; fetch VOC 2012 again")
        return cls(root, boundaries, masks)

    def training_split(self) -> str:
        """The largest list to train on that is there.

        ``train+sbd``: VOC's train and SBD's train; ``trainaug``: the list of that name, else every mask of
        SegmentationClassAug; ``train``: VOC's own.
        """
        if self.sbd is not None and (self.sbd / "train.txt").is_file():
            return WITH_SBD
        if any(self._list(name).is_file() for name in AUGMENTED) or (self.root / "SegmentationClassAug").is_dir():
            return "trainaug"
        return "train"

    def stems(self, split: str) -> list[str]:
        """The pictures of a list of ImageSets/Segmentation, or of a split of `training_split`, without VOC's val."""
        named, of_val = self._named(split)
        return sorted(named - of_val)

    def pictures(self, split: str) -> tuple[dict[Path, Callable[[], np.ndarray]], list[LeftOut]]:
        """Every image file of ``split`` that has a mask, with what reads the mask's class numbers; and all others."""
        folder, (named, of_val) = self.root / "JPEGImages", self._named(split)
        stems = sorted(named - of_val)
        on_disk = {path.name for path in folder.iterdir()}
        groups = (
            LeftOut(
                "pictures", f"of {split} without an image", _those(stems, lambda stem: f"{stem}.jpg" not in on_disk)
            ),
            LeftOut("pictures", f"of {split} without a mask", _those(stems, lambda stem: stem not in self.masks)),
            LeftOut("pictures", OF_VAL, tuple(sorted(named & of_val))),
        )
        there = (stem for stem in stems if f"{stem}.jpg" in on_disk and stem in self.masks)
        images = {folder / f"{stem}.jpg": self.masks[stem] for stem in there}
        if not images:
            raise IcvosError(f"{folder}: no picture of {split} has an image and a mask; fetch VOC 2012, or give --sbd")
        return images, [group for group in groups if group.names]

    def _named(self, split: str) -> tuple[set[str], set[str]]:
        """The pictures that a split names, and those of val where they are not to be trained on."""
        if split == WITH_SBD and self.sbd is not None:
            named = [*read_list(self._list("train")), *read_list(self.sbd / "train.txt")]
        elif split in AUGMENTED:
            path = next((path for path in map(self._list, AUGMENTED) if path.is_file()), None)
            folder = self.root / "SegmentationClassAug"
            if path is None and folder.is_dir():
                named = [found.stem for found in visible_entries(folder) if found.suffix == ".png"]
            else:
                named = read_list(path or self._list(split))
        else:
            return set(read_list(self._list(split))), set()
        return set(named), set(read_list(self._list("val")))

    def _list(self, split: str) -> Path:
        return self.root / "ImageSets" / "Segmentation" / f"{split}.txt"


def read_list(path: Path) -> list[str]:
    """The stems in a list of pictures: the first word of a line, which may be a path."""
    if not path.is_file():
        there = ", ".join(sorted(found.stem for found in path.parent.glob("*.txt")))
        raise IcvosError(f"{path}: no such list; there is {there or 'none'}")
    try:
        lines = read_text(path).splitlines()
    except (OSError, ValueError) as error:
        raise IcvosError(f"{path}: cannot be read as a list of pictures ({error}); fetch it again") from error
    return [PureWindowsPath(line.split()[0]).stem for line in lines if line.strip()]


def _those(stems: Iterable[str], wanted: Callable[[str], bool]) -> tuple[str, ...]:
    return tuple(filter(wanted, stems))


def _is_voc(place: Path) -> bool:
    return (place / "ImageSets" / "Segmentation").is_dir() and (place / "JPEGImages").is_dir()


def find_sbd(root: Path) -> Path:
    """The folder of SBD with ``cls`` and its lists, in ``root`` or below; raises `IcvosError` for another one."""
    for place in (root, root / "dataset", root / "benchmark_RELEASE" / "dataset"):
        if (place / "cls").is_dir() or (place / "cls_png").is_dir():
            return place
    raise IcvosError(f"{root}: no SBD; expected dataset/cls/ or cls/ in it, with a .mat or .png for every picture")


def read_sbd_mat(path: Path) -> np.ndarray:
    """(H, W) uint8 class numbers from one of SBD's MATLAB files (``GTcls.Segmentation``)."""
    try:
        from scipy.io import loadmat
        from scipy.io.matlab import MatReadError
    except ModuleNotFoundError:
        raise IcvosError(f"{path}: MATLAB files need the package scipy; run: pip install 'icvos[models]'") from None
    broken = (OSError, KeyError, IndexError, TypeError, ValueError, NotImplementedError, MatReadError, zlib.error)
    try:
        if path.stat().st_size > LARGEST_MAT:
            raise ValueError(f"larger than {LARGEST_MAT >> 20} MiB")
        numbers = np.asarray(loadmat(path, variable_names=["GTcls"])["GTcls"][0, 0]["Segmentation"])
        if numbers.ndim != 2 or numbers.dtype != np.uint8:
            raise ValueError(f"{numbers.dtype} of shape {numbers.shape}")
    except broken as error:
        raise IcvosError(f"{path}: no class mask of SBD ({error}); fetch the file again") from error
    return numbers


_READERS: dict[str, Callable[[Path], np.ndarray]] = {".png": read_ids, ".mat": read_sbd_mat}
