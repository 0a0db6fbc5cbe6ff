"""A benchmark and a run on it as files of COCO and YouTube-VIS, which other programs open.

Both have one file of the true masks and one of results for each draw or fold. Class numbers are icvos's own, 1 to 80 in
COCO's order, and names of pictures are relative to one folder.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from icvos.errors import IcvosError
from icvos.files.rle import Rle, rle_extent, rle_runs
from icvos.files.storage import require_writable, write_text
from icvos.tasks.calls import as_task
from icvos.tasks.result import Selection
from icvos.tasks.task import SILENT, Task, Watch
from icvos.tasks.tracks import Track

Form = Literal["coco", "youtube-vis"]
TRUTH = "annotations.json"


def convert(
    predictions: Path | str,
    benchmark: Task | Path | str,
    out: Path | str,
    form: Form = "coco",
    *,
    selection: Selection | None = None,
    watch: Watch = SILENT,
) -> tuple[Path, ...]:
    """Write the true masks and the masks of predictions as files for other programs; their paths, the truth first.

    Args:
        predictions: A run, a prediction folder or a zip file of either.
        benchmark: What was predicted.
        out: The folder of ``annotations.json`` and of a file for each draw or fold, as ``draw0.json``.
        form: ``coco``: every frame is a picture by itself; ``youtube-vis``: every clip is a track, on videos alone.
        selection: Only a part of the benchmark.
        watch: Is told of every clip or episode that is written.

    Raises:
        IcvosError: A mask is broken, or the form does not suit the benchmark.

    >>> [path.name for path in convert("masks", "IC-VOS", "as-coco")]
    ['annotations.json', 'predictions.json']
    """
    from icvos.tasks.archive import submission_folder

    task, out = as_task(benchmark), Path(out)
    part = task.select(selection) if selection else task
    require_writable(out, folder=True)
    with submission_folder(predictions, task.folders) as folder:
        watch.stage("truth")
        truth = {name: _watched(found, watch) for name, found in part.tracks(None).items()}
        every = [track for found in truth.values() for track in found]
        if form == "youtube-vis" and not all(track.video for track in every):
            raise IcvosError(
                f"{task.root}: is a benchmark of images, and YouTube-VIS is for videos; write --format coco"
            )
        dataset, results = _FORMS[form]
        content, ids = dataset(every, task.name)
        written = [_write(out / TRUTH, content)]
        for name, found in part.tracks(folder).items():
            watch.stage(name or "predictions")
            answered = _watched(found, watch)
            wanted = truth.get(name, every)
            if len(answered) < len(wanted):
                watch.note(f"{name or predictions} has masks of {len(answered)} of {len(wanted)} clips or episodes")
            written.append(_write(out / f"{name or 'predictions'}.json", results(answered, ids)))
    return tuple(written)


def _watched(tracks: Iterable[Track], watch: Watch) -> list[Track]:
    found = []
    for track in tracks:
        found.append(track)
        watch.advance(1, track.id)
    return found


def _write(path: Path, content: Any) -> Path:
    write_text(path, json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n")
    return path


Ids = Mapping[str, int]  # of pictures or of videos, by name


def _head(tracks: Sequence[Track], name: str) -> dict[str, Any]:
    kinds = sorted({(track.kind, track.category) for track in tracks})
    return {
        "info": {"description": name, "contributor": "icvos"},
        "categories": [{"id": kind, "name": category} for kind, category in kinds],
    }


def _coco_dataset(tracks: Sequence[Track], name: str) -> tuple[dict[str, Any], Ids]:
    """``annotations.json`` with a picture for every frame, and the pictures' ids."""
    ids: dict[str, int] = {}
    images: list[dict[str, Any]] = []
    annotations: dict[tuple[int, int], dict[str, Any]] = {}
    for track in tracks:
        height, width = track.size
        for position, (file, mask) in enumerate(zip(track.files, track.masks, strict=True)):
            if file not in ids:
                ids[file] = len(ids) + 1
                of_video = {"video": track.video, "frame": position} if track.video else {}
                images.append({"id": ids[file], "file_name": file, "width": width, "height": height, **of_video})
            if mask and (ids[file], track.kind) not in annotations:  # several episodes may ask the same
                area, box = rle_extent(mask)
                annotations[ids[file], track.kind] = {
                    "id": len(annotations) + 1,
                    "image_id": ids[file],
                    "category_id": track.kind,
                    "segmentation": mask,
                    "area": area,
                    "bbox": box,
                    "iscrowd": 0,
                }
    return {**_head(tracks, name), "images": images, "annotations": list(annotations.values())}, ids


def _coco_results(tracks: Sequence[Track], ids: Ids) -> list[dict[str, Any]]:
    """COCO's list of results; methods say no confidence, so every score is 1."""
    return [
        {
            "image_id": ids[file],
            "category_id": track.kind,
            "segmentation": mask,
            "bbox": rle_extent(mask)[1],
            "score": 1.0,
            "clip": track.id,
        }
        for track in tracks
        for file, mask in zip(track.files, track.masks, strict=True)
        if mask
    ]


def _vis_dataset(tracks: Sequence[Track], name: str) -> tuple[dict[str, Any], Ids]:
    """``annotations.json`` with a track for every clip, and the videos' ids; RLE is plain, as YouTube-VIS has it."""
    ids: dict[str, int] = {}
    videos: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for track in tracks:
        (height, width), length = track.size, len(track.files)
        size = {"width": width, "height": height, "length": length}
        if track.video not in ids:
            ids[track.video] = len(ids) + 1
            videos.append({"id": ids[track.video], "file_names": track.files, **size})
        extents = [rle_extent(mask) if mask else (None, None) for mask in track.masks]
        annotations.append(
            {
                "id": len(annotations) + 1,
                "video_id": ids[track.video],
                "category_id": track.kind,
                "segmentations": [_plain(mask) if mask else None for mask in track.masks],
                "areas": [area for area, _ in extents],
                "bboxes": [box for _, box in extents],
                "iscrowd": 0,
                **size,
            }
        )
    return {**_head(tracks, name), "videos": videos, "annotations": annotations}, ids


def _plain(mask: Rle) -> Rle:
    height, width, runs = rle_runs(mask)
    return {"size": [height, width], "counts": runs.tolist()}


def _vis_results(tracks: Sequence[Track], ids: Ids) -> list[dict[str, Any]]:
    return [
        {
            "video_id": ids[track.video],
            "category_id": track.kind,
            "segmentations": track.masks,
            "score": 1.0,
        }
        for track in tracks
    ]


_Dataset = Callable[[Sequence[Track], str], tuple[dict[str, Any], Ids]]
_Results = Callable[[Sequence[Track], Ids], list[dict[str, Any]]]
_FORMS: dict[Form, tuple[_Dataset, _Results]] = {
    "coco": (_coco_dataset, _coco_results),
    "youtube-vis": (_vis_dataset, _vis_results),
}
