"""A small image benchmark of coloured rectangles, for the tests of training."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from icvos.files.rle import encode_rle
from icvos.tasks.image.benchmark import ImageBenchmark, Picture
from icvos.tasks.image.manifest import FORMAT, MANIFEST, Manifest, manifest_text, pictures_text

SIZE = (60, 80)  # height, width
LEFT, RIGHT, SMALL = (np.s_[10:50, 5:35], np.s_[15:45, 45:75], np.s_[2:6, 2:6])
COLOURS = np.random.default_rng(0).integers(40, 255, (9, 3))
Objects = Sequence[tuple[int, tuple[slice, slice]]]
FOLDS = [((kind, kind + 4), tuple(other for other in range(1, 9) if other % 4 != kind % 4)) for kind in range(1, 5)]
EVERY = tuple(range(1, 9))


def write_picture(folder: Path, name: str, objects: Objects, border: bool = False) -> Picture:
    """A PNG of rectangles in their classes' colours on grain; of SMALL ones the class is not listed."""
    image = np.random.default_rng(len(name) + sum(map(ord, name))).integers(0, 40, (*SIZE, 3)).astype(np.uint8)
    outlines, listed = {}, []
    for kind, where in objects:
        image[where] = COLOURS[kind]
        mask = np.zeros(SIZE, dtype=bool)
        mask[where] = True
        outlines[kind] = encode_rle(mask)["counts"]
        listed += [] if where == SMALL else [kind]
    ignored = np.zeros(SIZE, dtype=bool)
    ignored[:2] = border
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(folder / name)
    counts = encode_rle(ignored)["counts"] if border else ""
    return Picture(name, folder / name, SIZE, outlines, tuple(listed), counts)


def write_image_benchmark(
    root: Path,
    name: str = "coco-20i",
    train: Sequence[Picture] | None = None,
    folds: Sequence[tuple[Sequence[int], Sequence[int]]] = tuple(FOLDS),
    episodes: int = 8,
) -> ImageBenchmark:
    """Eight classes with three pictures each to train on and to ask about; fold f tests classes f + 1 and f + 5."""
    images = root / "images"
    train = train or [
        write_picture(images, f"train-{kind}-{number}.png", [(kind, LEFT), (kind % 8 + 1, RIGHT)][: 1 + number % 2])
        for kind in EVERY
        for number in range(3)
    ]
    val = {
        kind: [
            write_picture(images, f"val-{kind}-{number}.png", [(kind, (LEFT, RIGHT)[number % 2])])
            for number in range(3)
        ]
        for kind in EVERY
    }
    manifest = {
        "format": FORMAT,
        "name": name,
        "rule": "drawn",
        "digest": {"val": f"sha256:{1:064}", "train": f"sha256:{2:064}"},
        "splits": {"val": "val", "train": "train"},
        "images": {"val": "images", "train": "images"},
        "classes": {str(kind): f"class {kind}" for kind in EVERY},
        "folds": [
            {
                "test": list(test),
                "train": list(learned),
                "episodes": [
                    (kind, f"val-{kind}-{index % 3}.png", [f"val-{kind}-{(index + shift) % 3}.png" for shift in (1, 2)])
                    for index, kind in enumerate(test[index % len(test)] for index in range(episodes))
                ],
            }
            for test, learned in folds
        ],
    }
    (root / MANIFEST).write_text(manifest_text(Manifest.model_validate(manifest)))
    (root / "train.json").write_text(pictures_text(picture.entry() for picture in train))
    (root / "val.json").write_text(pictures_text(picture.entry() for row in val.values() for picture in row))
    return ImageBenchmark.open(root)


if __name__ == "__main__":
    import sys

    write_image_benchmark(Path(sys.argv[1]))
