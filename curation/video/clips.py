"""One video of a benchmark: its frames, and the masks of its categories."""

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from curation.video.manifest import Digest, update_digest
from curation.video.records import RECORDS, SCRATCH, VideoRecord, invalidate, matching_record, stamp
from curation.video.tubes import Tubes
from icvos.files.images import read_image
from icvos.files.listing import visible_entries
from icvos.files.masks import encode_binary
from icvos.files.names import plain_name
from icvos.files.schema import write_schema
from icvos.files.storage import atomic_folder, link_or_copy
from icvos.notices import notice
from icvos.tasks.video.manifest import FORMAT, ClipEntry


def make_video(tubes: Tubes, out: Path, allow_late: bool) -> VideoRecord:
    """Make one video below ``out``, unless it is there already and made from the same files."""
    for frame in tubes.frames:
        plain_name(frame.name, f"a frame of {tubes.name}")
    folder = out / "videos" / tubes.name
    path = out / RECORDS / "videos" / f"{tubes.name}.json"
    recipe = f"{FORMAT} {tubes.recipe} late={allow_late} {stamp((*tubes.frames, *tubes.inputs))}"
    record = matching_record(path, VideoRecord, recipe)
    if record is not None and (not record.clips or _is_there(folder, record)):
        return record
    with atomic_folder(folder, out / SCRATCH, out) as scratch:
        record = _write_video(tubes, scratch, allow_late, recipe)
        invalidate(out, path)
    if not record.clips:
        shutil.rmtree(folder)
    write_schema(path, record)
    return record


def _is_there(folder: Path, record: VideoRecord) -> bool:
    """Whether no frame and no mask is missing; what is in them is not looked at."""
    places = [folder / "JPEGImages", *(folder / "Annotations" / index for index in record.clips)]
    return all(place.is_dir() and len(list(visible_entries(place))) == record.frames for place in places)


@dataclass(slots=True)
class _Masks:
    """The masks of one category as they are written, a frame at a time.

    Args:
        folder: Their folder.
        first: The position of the first frame that shows the category.
        visible: How many frames show it.
        full: How many frames show nothing else.
        digest: Over frame names, sizes and pixels.
    """

    folder: Path
    first: int | None = None
    visible: int = 0
    full: int = 0
    digest: Digest = field(default_factory=hashlib.sha256)

    def add(self, position: int, frame: str, mask: np.ndarray) -> None:
        """Write the mask of the frame at ``position``."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / f"{frame}.png").write_bytes(encode_binary(mask))
        update_digest(self.digest, frame, mask)
        if mask.any():
            self.first = position if self.first is None else self.first
            self.visible += 1
            self.full += bool(mask.all())


def _write_video(tubes: Tubes, folder: Path, allow_late: bool, recipe: str) -> VideoRecord:
    """Frames and masks of one video into ``folder``, a frame at a time."""
    height, width = tubes.size()
    (folder / "JPEGImages").mkdir()
    written = {index: _Masks(folder / "Annotations" / str(index)) for index in sorted(tubes.instances)}
    for position, (frame, masks) in enumerate(zip(tubes.frames, tubes.iter_masks(), strict=True)):
        _place_frame(frame, folder / "JPEGImages" / f"{frame.stem}.jpg")
        for index, mask in masks.items():
            written[index].add(position, frame.stem, mask)
    clips: dict[str, ClipEntry] = {}
    left_out = []
    unseen = tubes.unseen
    for index, found in written.items():
        reason = _refusal(found.first, tubes.frames, allow_late)
        if found.first is None or reason:
            shutil.rmtree(found.folder)
            left_out.append((str(index), reason))
            continue
        if found.full == len(tubes.frames):
            what = f"every pixel of every mask is class {index}; look at the source's masks"
            notice(tubes.name, f"full {index}", f"{tubes.name}: {what}")
        united = tubes.instances[index]
        if index in unseen and united is not None:
            united -= len(unseen[index])
            names = ", ".join(map(str, unseen[index]))
            left_out.append((str(index), f"object {names} is in no mask of the video; the clip has the others"))
        clips[str(index)] = ClipEntry(
            first_frame=tubes.frames[found.first].stem,
            visible=found.visible,
            instances=united,
            masks=found.digest.hexdigest(),
        )
    return VideoRecord(
        name=tubes.name,
        source=tubes.source,
        recipe=recipe,
        frames=len(tubes.frames),
        height=height,
        width=width,
        clips=clips,
        left_out=tuple(left_out),
    )


def _refusal(first: int | None, frames: Sequence[Path], allow_late: bool) -> str:
    """Why a category cannot be built, given the position of the first frame that shows it; empty if it can."""
    if first is None:
        return "its object ids are in no mask of the video"
    if first > 0 and not allow_late:
        return f"not in the first frame, appears at {frames[first].stem}; --allow-late builds it all the same"
    return ""


def _place_frame(source: Path, target: Path) -> None:
    """Link a JPEG frame, or encode another kind as JPEG of quality 95."""
    if source.suffix.lower() in (".jpg", ".jpeg"):
        link_or_copy(source, target)
    else:
        Image.fromarray(read_image(source)).save(target, format="JPEG", quality=95, subsampling=0)
