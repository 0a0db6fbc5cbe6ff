"""`icvos build`: from selected source videos and COCO to a benchmark on disk.

Every video and every class of supports is made in a scratch folder and renamed when it is whole; ``.build/`` keeps what
was made from what. A killed build therefore leaves finished videos, and running it again makes the rest. ``icvos.json``
is written last: a folder that has it is complete.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from curation.sources.coco import MIN_PIXELS, Coco
from curation.video.candidates import Tubes
from curation.video.manifest import RECORDS, SCRATCH, make_manifest, update_digest
from curation.video.select import LeftOut
from curation.video.supports import SupportOptions, draw, write_class
from icvos.categories import category
from icvos.errors import IcvosError
from icvos.files.images import open_image
from icvos.files.masks import encode_binary
from icvos.files.storage import atomic_folder, link_or_copy, read_json, write_json
from icvos.tasks.video.benchmark import FORMAT
from icvos.workers import run_jobs

Progress = Callable[[str, int, int], None]  # (stage, done, total)


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a build depends on.

    Args:
        tubes: The videos, in order of name.
        left_out: What is not built, for the manifest.
        versions: Source -> version of its release, for the manifest.
        coco: Where supports come from; None: a benchmark without supports.
        supports: How supports are chosen.
        allow_late: Build categories that are absent from the first frame instead of leaving them out.
    """

    tubes: tuple[Tubes, ...]
    left_out: tuple[LeftOut, ...] = ()
    versions: tuple[tuple[str, str], ...] = ()
    coco: Coco | None = None
    supports: SupportOptions = field(default_factory=SupportOptions)
    allow_late: bool = False


def build(plan: Plan, out: Path, *, workers: int = 1, progress: Progress = lambda *_: None) -> dict[str, Any]:
    """Build the benchmark in ``out`` and return its manifest.

    Raises `IcvosError` for bad input, and for an ``out`` that holds something else, which is left untouched.
    """
    claim(out)
    supports = _supports(plan, out, progress)
    tubes, without = _with_supports(plan, supports)
    made = count(1)
    built = run_jobs(
        partial(_video, out=out, allow_late=plan.allow_late),
        tubes,
        workers,
        cost=lambda video: len(video.frames),
        done=lambda video: progress("videos", next(made), len(tubes)),
    )
    records = {record["name"]: record for record in built}
    kept = {name: record for name, record in records.items() if record["clips"]}
    if not kept:
        raise IcvosError(f"{out}: no category is in its video's first frame; pass --allow-late to build them all")
    classes = {int(index) for record in kept.values() for index in record["clips"]}
    _remove_strangers(out, set(kept), classes & set(supports))
    late = [
        LeftOut(record["source"], record["name"].partition("_")[2], category(index).name, reason)
        for record in records.values()
        for index, reason in record["left_out"]
    ]
    used = {index: supports[index] for index in sorted(classes) if index in supports}
    file = _supports_file(plan.supports, kept, used)
    digests = {index: record["masks"] for index, record in used.items()}
    content = make_manifest(kept, file, digests, dict(plan.versions), (*plan.left_out, *without, *late))
    write_json(out / "supports.json", file)
    write_json(out / "icvos.json", content)
    shutil.rmtree(out / SCRATCH, ignore_errors=True)
    return content


def _supports_file(
    options: SupportOptions, records: dict[str, dict[str, Any]], supports: dict[int, dict[str, Any]]
) -> dict[str, Any]:
    """The content of ``supports.json``: the ranked lists, and the draws of every clip that was built."""
    names = {index: record["names"] for index, record in supports.items()}
    clips = [(f"{name}/{index}", int(index)) for name, record in records.items() for index in record["clips"]]
    return {
        "format": FORMAT,
        "rule": options.rule,
        "shots": options.shots,
        "classes": {str(index): found for index, found in names.items()},
        "draws": draw(clips, names, options) if names else [],
    }


def claim(out: Path) -> None:
    """Refuse a folder that holds something else than a benchmark made here; make ``out`` otherwise."""
    if out.exists() and not out.is_dir():
        raise IcvosError(f"{out}: is a file; choose another --out")
    if out.is_dir() and any(out.iterdir()) and not (out / RECORDS).is_dir():
        raise IcvosError(
            f"{out}: holds something that icvos build did not make; choose an empty or new folder for --out"
        )
    try:
        (out / RECORDS).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise IcvosError(f"{out}: cannot be written ({error.strerror}); choose another --out") from error
    shutil.rmtree(out / SCRATCH, ignore_errors=True)


def _invalidate(out: Path, record: Path) -> None:
    """Take manifest and record away just before what they tell of changes: no half-changed benchmark can be opened."""
    (out / "icvos.json").unlink(missing_ok=True)
    record.unlink(missing_ok=True)


def _stamp(paths: Iterable[Path]) -> str:
    """SHA-256 over names, sizes and times of files: enough to see that an input has changed since the last build."""
    digest = hashlib.sha256()
    for path in paths:
        status = path.stat()
        digest.update(f"{path.resolve()} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _video(tubes: Tubes, out: Path, allow_late: bool) -> dict[str, Any]:
    """Make one video, unless it is there already and made from the same files; its record."""
    folder = out / "videos" / tubes.name
    record_path = out / RECORDS / "videos" / f"{tubes.name}.json"
    recipe = f"{FORMAT} {tubes.recipe} late={allow_late} {_stamp((*tubes.frames, *tubes.inputs))}"
    if record_path.is_file():
        record: dict[str, Any] = read_json(record_path, "the record of a built video")
        if record["recipe"] == recipe and (folder.is_dir() or not record["clips"]):
            return record
    with atomic_folder(folder, out / SCRATCH) as scratch:
        record = {
            "name": tubes.name,
            "source": tubes.source,
            "recipe": recipe,
            **_write_video(tubes, scratch, allow_late),
        }
        _invalidate(out, record_path)
    if not record["clips"]:
        shutil.rmtree(folder)
    write_json(record_path, record)
    return record


def _write_video(tubes: Tubes, folder: Path, allow_late: bool) -> dict[str, Any]:
    """Frames and masks of one video into ``folder``, a frame at a time; size, counts and digests."""
    height, width = tubes.size()
    (folder / "JPEGImages").mkdir()
    digests: dict[int, Any] = {}
    first: dict[int, int] = {}
    visible: dict[int, int] = {}
    for position, (frame, masks) in enumerate(zip(tubes.frames, tubes.iter_masks(), strict=True)):
        _place_frame(frame, folder / "JPEGImages" / f"{frame.stem}.jpg")
        for index, mask in masks.items():
            target = folder / "Annotations" / str(index)
            if index not in digests:
                target.mkdir(parents=True)
                digests[index] = hashlib.sha256()
                visible[index] = 0
            (target / f"{frame.stem}.png").write_bytes(encode_binary(mask))
            update_digest(digests[index], frame.stem, mask)
            if mask.any():
                first.setdefault(index, position)
                visible[index] += 1
    clips, left_out = {}, []
    for index in sorted(digests):
        reason = _refusal(first.get(index), tubes.frames, allow_late)
        if reason:
            shutil.rmtree(folder / "Annotations" / str(index))
            left_out.append((str(index), reason))
        else:
            clips[str(index)] = {
                "first_frame": tubes.frames[first[index]].stem,
                "visible": visible[index],
                "instances": tubes.instances[index],
                "masks": digests[index].hexdigest(),
            }
    return {"frames": len(tubes.frames), "height": height, "width": width, "clips": clips, "left_out": left_out}


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
        open_image(source).convert("RGB").save(target, format="JPEG", quality=95, subsampling=0)


def _supports(plan: Plan, out: Path, progress: Progress) -> dict[int, dict[str, Any]]:
    """Make the supports of every class of the plan; class index -> its record."""
    classes = sorted({index for tubes in plan.tubes for index in tubes.instances}) if plan.coco else []
    made = {}
    for number, index in enumerate(classes, start=1):
        assert plan.coco is not None
        made[index] = _support_class(plan.coco, index, plan.supports, out)
        progress("supports", number, len(classes))
    return made


def _with_supports(plan: Plan, supports: dict[int, dict[str, Any]]) -> tuple[list[Tubes], list[LeftOut]]:
    """The videos with the classes that have a support image; every clip can then be asked of every method."""
    if plan.coco is None:
        return list(plan.tubes), []
    reason = f"no image of {plan.coco.split} has {MIN_PIXELS} pixels of it; give a larger COCO split for supports"
    indices = {index for index, record in supports.items() if record["names"]}
    tubes = [video.only(indices) for video in plan.tubes]
    left_out = [
        LeftOut(video.source, video.name.partition("_")[2], category(index).name, reason)
        for video in plan.tubes
        for index in sorted(set(video.instances) - indices)
    ]
    found = [video for video in tubes if video.instances]
    if not found:
        raise IcvosError(f"{plan.coco.annotation_file}: {reason}")
    return found, left_out


def _support_class(coco: Coco, index: int, options: SupportOptions, out: Path) -> dict[str, Any]:
    """Make the supports of one class, unless they are there already and made by the same rule; their record."""
    folder = out / "supports" / str(index)
    record_path = out / RECORDS / "supports" / f"{index}.json"
    recipe = f"{FORMAT} {json.dumps(asdict(options), sort_keys=True)} {_stamp([coco.annotation_file])}"
    if record_path.is_file():
        record: dict[str, Any] = read_json(record_path, "the record of built supports")
        if record["recipe"] == recipe and folder.is_dir():
            return record
    with atomic_folder(folder, out / SCRATCH) as scratch:
        names, digest = write_class(coco, index, options, scratch)
        _invalidate(out, record_path)
    record = {"class": index, "recipe": recipe, "names": names, "masks": digest}
    write_json(record_path, record)
    return record


def _remove_strangers(out: Path, videos: set[str], classes: set[int]) -> None:
    """Remove what an earlier build with another choice left behind: only folders that have a record of ours."""
    for kind, wanted in (("videos", videos), ("supports", {str(index) for index in classes})):
        for record in sorted((out / RECORDS / kind).glob("*.json")):
            if record.stem not in wanted and (out / kind / record.stem).is_dir():
                _invalidate(out, record)
                shutil.rmtree(out / kind / record.stem)
