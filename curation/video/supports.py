"""Support images from COCO: a fixed ranked list per class, and frozen draws for every clip.

Both orders come from SHA-256 of names, not from a random generator, so they are the same on any machine, for any subset
of the sources, and for COCO 2014 and 2017, whose image ids agree.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

from curation.sources.coco import MIN_PIXELS, Coco, CocoImage, Rule
from curation.video.manifest import update_digest
from curation.video.records import RECORDS, SCRATCH, SupportsRecord, invalidate, matching_record, stamp
from icvos.errors import IcvosError
from icvos.files.images import open_image
from icvos.files.masks import write_binary
from icvos.files.schema import write_schema
from icvos.files.storage import atomic_folder, link_or_copy
from icvos.tasks.video.manifest import FORMAT

ENDINGS = (".jpg", ".png")  # an image, and its mask


@dataclass(frozen=True, slots=True)
class SupportOptions:
    """How supports are chosen.

    Args:
        rule: ``union`` of all instances of the class, or ``painted``: one class per pixel, later instances over earlier
            ones, crowds left out, as in the masks of the published benchmark.
        per_class: How many images a class keeps, the first of its ranking.
        draws: How many frozen draws are made.
        shots: How many supports a draw holds for a clip.
    """

    rule: Rule = "union"
    per_class: int = 200
    draws: int = 5
    shots: int = 5

    def __post_init__(self) -> None:
        for name in ("per_class", "draws", "shots"):
            if getattr(self, name) < 1:
                raise IcvosError(f"supports: {name} is {getattr(self, name)}; it must be 1 or more")


def image_name(image: CocoImage) -> str:
    """The support's name: COCO's image id in 12 digits, whatever the release's file name."""
    return f"{image.id:012d}"


def _order(*parts: object) -> str:
    return hashlib.sha256("/".join(map(str, parts)).encode()).hexdigest()


def ranked(coco: Coco, class_index: int, options: SupportOptions) -> list[CocoImage]:
    """The first ``per_class`` images of the class in its ranking whose class mask has at least 2048 pixels."""
    images = sorted(coco.images_of(class_index), key=lambda image: _order("support", class_index, image.id))
    large = (image for image in images if coco.class_area(image, class_index, options.rule) >= MIN_PIXELS)
    return list(islice(large, options.per_class))


def make_class(coco: Coco, class_index: int, options: SupportOptions, out: Path) -> SupportsRecord:
    """Make the supports of one class below ``out``, unless they are there already and made by the same rule."""
    folder = out / "supports" / str(class_index)
    path = out / RECORDS / "supports" / f"{class_index}.json"
    recipe = f"{FORMAT} {json.dumps(asdict(options), sort_keys=True)} {stamp([coco.annotation_file])}"
    record = matching_record(path, SupportsRecord, recipe)
    if record is not None and all((folder / f"{name}{end}").is_file() for name in record.names for end in ENDINGS):
        return record
    with atomic_folder(folder, out / SCRATCH, out) as scratch:
        names, digest = _write_class(coco, class_index, options, scratch)
        invalidate(out, path)
    record = SupportsRecord(index=class_index, recipe=recipe, names=tuple(names), masks=digest)
    write_schema(path, record)
    return record


def _write_class(coco: Coco, class_index: int, options: SupportOptions, folder: Path) -> tuple[list[str], str]:
    """Fill ``folder`` with the images and masks of a class; (names in their ranking, SHA-256 over names and masks)."""
    digest = hashlib.sha256()
    names = []
    for image in ranked(coco, class_index, options):
        name = image_name(image)
        open_image(image.file)
        if image.file.suffix.lower() not in (".jpg", ".jpeg"):
            raise IcvosError(f"{image.file}: COCO images are JPEG files; fetch the original image")
        link_or_copy(image.file, folder / f"{name}.jpg")
        mask = coco.class_mask(image, class_index, options.rule)
        write_binary(folder / f"{name}.png", mask)
        update_digest(digest, name, mask)
        names.append(name)
    return names, digest.hexdigest()


def draw(
    clips: Iterable[tuple[str, int]], names: Mapping[int, Sequence[str]], options: SupportOptions
) -> list[dict[str, tuple[str, ...]]]:
    """For every draw, clip id -> the names of its supports in order; ``clips`` are (clip id, class index)."""
    pairs = sorted(clips)
    return [
        {
            clip: tuple(sorted(names[index], key=lambda name: _order("draw", number, clip, name))[: options.shots])
            for clip, index in pairs
        }
        for number in range(options.draws)
    ]
