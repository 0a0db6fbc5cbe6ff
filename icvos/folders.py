"""J and F of two bare folders of masks, object by object: the measure of DAVIS, MOSE, LVOS and YouTube-VOS.

    <folder>/<video>/<frame>.png    palette indices or grey values are object ids, 0 = background; or one video's PNGs

What each setting means, with examples, is in ``docs/scoring.md``. A frame is read, compared and let go, so memory does
not grow with a video's length. Names, sizes and kinds of image are checked before the first mask is decoded.

The result, ``to_json``::

    format    1
    settings  skip_ends, objects: as given
    overall   j, f, jf: plain means over objects; j_recall, j_decay, f_recall, f_decay likewise;
              objects, videos, frames: how many were scored
    videos    per video: frames: how many were scored, and objects: per id j, f, jf, j_recall, j_decay, f_recall,
              f_decay, frames: those in which the object counts
    warnings  one line each
"""

import csv
import io
import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import cv2
import numpy as np

from icvos.benchmark import frames_by_number, visible_folders
from icvos.errors import IcvosError
from icvos.masks import read_ids
from icvos.metrics import count
from icvos.metrics.summary import decay, mean, recall
from icvos.predictions import png_header
from icvos.storage import write_text

FORMAT = 1
SUFFIXES = (".png", ".PNG")
VOID = 255
MAX_OBJECTS = 1000  # ids of one video: more are grey levels or colours, not objects
ID_MODES = ("1", "L", "P", "I;16")
FIGURES = ("j", "f", "jf", "j_recall", "j_decay", "f_recall", "f_decay")

Objects = Literal["all", "first-frame", "binary"]


@dataclass(frozen=True, slots=True)
class ObjectScores:
    """One object's J and F, (T,) float64 each, for the last T of the video's scored frames."""

    id: int
    j: np.ndarray
    f: np.ndarray

    @property
    def figures(self) -> dict[str, float]:
        """The means, recalls and decays, by the names in `FIGURES`."""
        j, f = mean(self.j), mean(self.f)
        values = (j, f, (j + f) / 2, recall(self.j), decay(self.j), recall(self.f), decay(self.f))
        return dict(zip(FIGURES, values, strict=True))


@dataclass(frozen=True, slots=True)
class VideoScores:
    """The objects of one video in order of their ids, the names of its scored frames, and what was odd about it."""

    video: str
    frames: tuple[str, ...]
    objects: tuple[ObjectScores, ...]
    equal: bool = False
    warnings: tuple[tuple[Path, str], ...] = ()


@dataclass(frozen=True, slots=True)
class FolderScores:
    """What two folders scored, and the settings that give the figures their meaning."""

    skip_ends: bool
    objects: Objects
    videos: tuple[VideoScores, ...]
    warnings: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The result as the module's docstring lays it out."""
        return {
            "format": FORMAT,
            "settings": {"skip_ends": self.skip_ends, "objects": self.objects},
            "overall": self.overall,
            "videos": {
                one.video: {
                    "frames": len(one.frames),
                    "objects": {str(found.id): {**found.figures, "frames": len(found.j)} for found in one.objects},
                }
                for one in self.videos
            },
            "warnings": list(self.warnings),
        }

    @property
    def overall(self) -> dict[str, Any]:
        """Plain means over the objects of all videos; every object counts the same however long its video."""
        found = [one.figures for video in self.videos for one in video.objects]
        means = {key: float(np.mean([figures[key] for figures in found])) for key in FIGURES}
        means["jf"] = (means["j"] + means["f"]) / 2
        return {
            **means,
            "objects": len(found),
            "videos": len(self.videos),
            "frames": sum(len(video.frames) for video in self.videos),
        }


@dataclass(frozen=True, slots=True)
class _Pair:
    """The files of one video that are compared, frame by frame, and the truth of its first frame."""

    video: str
    first: Path
    truth: tuple[Path, ...]
    prediction: tuple[Path, ...]


def score_folders(
    prediction: Path | str,
    truth: Path | str,
    *,
    skip_ends: bool = False,
    objects: Objects = "all",
    videos: Sequence[str] = (),
    workers: int = 1,
    progress: Callable[[str], None] | None = None,
) -> FolderScores:
    """Score a folder of masks against another.

    Args:
        prediction: ``<video>/<frame>.png``, or the PNGs of one video where ``truth`` is one. Videos and frames that the
            truth does not have are left alone.
        truth: The true masks, in the same layout.
        skip_ends: Leave out the first and the last frame of every video, as DAVIS does.
        objects: ``all``: every id in the truth's scored frames, each from the first frame that has it (vos-benchmark).
            ``first-frame``: the ids 1..N of the truth's first frame (DAVIS 2017 semi-supervised).
            ``binary``: every non-zero value is the one object (DAVIS 2016).
        videos: Only these; empty: all of the truth.
        workers: Processes; the result is the same to the last bit for any number.
        progress: Called in this process with a video's name when it is done, in the order in which they are.
    """
    if objects not in get_args(Objects):
        raise IcvosError(f"unknown choice of objects {objects!r}; choose from {', '.join(get_args(Objects))}")
    prediction, truth = Path(prediction), Path(truth)
    pairs, warnings = _pair(prediction, truth, videos, skip_ends)
    _check_headers(pairs)
    scored = _score_all(pairs, objects, workers, progress)
    warnings += _grouped(scored)
    if not any(one.objects for one in scored):
        raise IcvosError(f"{truth}: no object in any scored frame; give the folder of true masks last")
    if prediction.resolve() == truth.resolve() or all(one.equal for one in scored):
        warnings.append(f"{prediction}: equal to the truth in every scored frame; score predictions, not annotations")
    return FolderScores(skip_ends, objects, scored, tuple(warnings))


def _pair(prediction: Path, truth: Path, chosen: Sequence[str], skip_ends: bool) -> tuple[list[_Pair], list[str]]:
    true_folders, predicted_folders = _video_folders(truth), _video_folders(prediction)
    if truth in true_folders.values() and prediction in predicted_folders.values():
        predicted_folders = dict.fromkeys(true_folders, prediction)
    unknown = sorted(set(chosen) - set(true_folders))
    if unknown:
        raise IcvosError(f"{truth}: no video {unknown[0]}{_more(unknown)}; choose among its folders")
    wanted = [name for name in sorted(true_folders) if not chosen or name in set(chosen)]
    absent = [str(prediction / name) for name in wanted if name not in predicted_folders]
    if absent:
        raise IcvosError(f"{absent[0]}: no such video{_more(absent)}; predict it, or choose videos with --videos")
    warnings = []
    extra = sorted(set(predicted_folders) - set(true_folders))
    if extra:
        warnings.append(f"{prediction / extra[0]}: the truth has no such video{_more(extra)}; not scored")
    pairs, missing = [], []
    for name in wanted:
        frames = tuple(frames_by_number(true_folders[name], SUFFIXES, natural_sort=True).values())
        counted = frames[1:-1] if skip_ends else frames
        if not counted:
            warnings.append(f"{true_folders[name]}: {len(frames)} frames, none is left between the ends; not scored")
            continue
        folder = predicted_folders[name]
        present = {path.name for path in folder.iterdir()}
        missing += [str(folder / path.name) for path in counted if path.name not in present]
        pairs.append(_Pair(name, frames[0], counted, tuple(folder / path.name for path in counted)))
    if missing:
        raise IcvosError(f"{missing[0]}: no such mask{_more(missing)}; every frame of the truth must be predicted")
    if not pairs:
        raise IcvosError(f"{truth}: no video has a frame to score; score without --skip-ends")
    return pairs, warnings


def _grouped(videos: Iterable[VideoScores]) -> list[str]:
    """One line for each thing that is odd about one or more videos."""
    where: dict[str, list[str]] = {}
    for video in videos:
        for folder, what in video.warnings:
            where.setdefault(what, []).append(str(folder))
    return [f"{folders[0]}{_more(folders)}: {what}" for what, folders in where.items()]


def _more(found: Sequence[str]) -> str:
    return f", and {len(found) - 1:,} more" if len(found) > 1 else ""


def _video_folders(root: Path) -> dict[str, Path]:
    """Each video's folder of PNGs by name: those in ``root``, or ``root`` itself where the PNGs lie in it."""
    if not root.is_dir():
        raise IcvosError(f"{root}: no such folder; expected masks as <video>/<frame>.png")
    found = {folder.name: folder for folder in visible_folders(root) if _has_masks(folder)}
    if found:
        return found
    if _has_masks(root):
        return {root.resolve().name: root}
    inner = next((path for path in (root / "Annotations" / "480p", root / "Annotations") if path.is_dir()), None)
    hint = f"give {inner}" if inner else "give the folder that holds one folder of PNGs per video"
    raise IcvosError(f"{root}: no masks as <video>/<frame>.png; {hint}")


def _has_masks(folder: Path) -> bool:
    return any(path.suffix in SUFFIXES and not path.name.startswith(".") for path in folder.iterdir())


def _check_headers(pairs: Iterable[_Pair]) -> None:
    """One error for all masks of another size, and one for all that hold colours, from the files' headers alone."""
    sizes, colours = [], []
    for pair in pairs:
        for true, predicted in zip(pair.truth, pair.prediction, strict=True):
            headers = [(path, *png_header(path)) for path in (true, predicted)]
            colours += [(path, mode) for path, _, _, mode in headers if mode not in ID_MODES]
            if headers[0][1:3] != headers[1][1:3]:
                sizes.append((predicted, headers[1][1:3], headers[0][1:3]))
    if sizes:
        path, found, expected = sizes[0]
        raise IcvosError(
            f"{path}: mask of {found[0]} x {found[1]}, the truth is {expected[0]} x {expected[1]} (height x width)"
            f"{_more([str(size) for size in sizes])}; save masks at the truth's size"
        )
    if colours:
        raise IcvosError(
            f"{colours[0][0]}: colours ({colours[0][1]}), not object ids{_more([str(found) for found in colours])}; "
            "save masks as palette or grey PNGs whose values are the ids"
        )


def _score_all(
    pairs: Sequence[_Pair], objects: Objects, workers: int, progress: Callable[[str], None] | None
) -> tuple[VideoScores, ...]:
    found: dict[int, VideoScores] = {}
    if min(workers, len(pairs)) <= 1:
        for position, pair in enumerate(pairs):
            found[position] = _score_video(pair, objects)
            if progress is not None:
                progress(pair.video)
        return tuple(found.values())
    longest_first = sorted(range(len(pairs)), key=lambda position: -len(pairs[position].truth))
    # spawned, not forked: a caller may hold threads that do not survive a fork
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(pairs)), mp_context=context) as pool:
        futures = {pool.submit(_score_video, pairs[k], objects): k for k in longest_first}
        try:
            for future in as_completed(futures):
                found[futures[future]] = future.result()
                if progress is not None:
                    progress(pairs[futures[future]].video)
        except BrokenProcessPool as error:
            raise IcvosError(f"{pairs[0].truth[0].parent}: a process was killed; score with fewer workers") from error
        finally:
            pool.shutdown(cancel_futures=True)
    return tuple(found[position] for position in range(len(pairs)))


def _score_video(pair: _Pair, objects: Objects) -> VideoScores:
    """Read a video's masks as ids or as one object, whatever they are, and score it."""
    binary_truth = objects != "binary" and _is_0_255(pair.truth)
    binary_prediction = objects != "binary" and not binary_truth and _is_0_255(pair.prediction)
    merge_truth, merge_prediction = _merges(pair, objects, binary_truth, binary_prediction)
    record = _Record(_fixed_ids(pair, objects, binary_truth))
    for true, predicted in zip(pair.truth, pair.prediction, strict=True):
        truth, prediction = read_ids(true), read_ids(predicted)
        record.equal = record.equal and np.array_equal(truth, prediction)
        if merge_truth:
            truth = _merged(truth, merge_truth)
        elif objects == "first-frame":
            truth = _no_void(truth)
        if merge_prediction:
            prediction = _merged(prediction, merge_prediction)
        record.add(truth, prediction, predicted)
    names = tuple(path.stem for path in pair.truth)
    warnings = record.warnings(pair.prediction[0].parent)
    if binary_truth or binary_prediction:
        folder = (pair.truth if binary_truth else pair.prediction)[0].parent
        warnings += ((folder, "masks of 0 and 255 in the whole video; read as one object"),)
    return VideoScores(pair.video, names, record.scores(), record.equal, warnings)


def _merges(pair: _Pair, objects: Objects, binary_truth: bool, binary_prediction: bool) -> tuple[int, int]:
    """The id that everything non-zero becomes in the truth and in the prediction; 0: ids stay as they are."""
    if objects == "binary" or (binary_truth and objects == "first-frame"):
        return 1, 1
    if binary_truth:
        return VOID, VOID
    if not binary_prediction:
        return 0, 0
    ids = _first_ids(pair) if objects == "first-frame" else _ids(pair.truth)
    if len(ids) > 1:
        raise IcvosError(
            f"{pair.prediction[0].parent}: masks of 0 and 255, but the truth has objects "
            f"{', '.join(map(str, ids[:5]))}; save object ids, or score with --objects binary"
        )
    return 0, ids[0] if ids else 1


def _fixed_ids(pair: _Pair, objects: Objects, binary_truth: bool) -> list[int] | None:
    if objects == "all":
        return None
    return [1] if objects == "binary" or binary_truth else _first_ids(pair)


def _is_0_255(paths: Sequence[Path]) -> bool:
    """Whether grey masks hold 0 and 255 and nothing else in the whole sequence, which says that 255 is foreground.

    Stops at the first mask that says otherwise: a palette picture by its header, ids at the first frame with an object.
    """
    foreground = False
    for path in paths:
        if png_header(path)[2] != "L":
            return False
        values = _values(read_ids(path))
        if not set(values) <= {0, VOID}:
            return False
        foreground = foreground or VOID in values
    return foreground


def _values(ids: np.ndarray) -> list[int]:
    """The values that occur in a (H, W) uint8 or uint16 map, sorted; a histogram, since sorting pixels is slow."""
    bins = 1 << (8 * ids.dtype.itemsize)
    histogram = cv2.calcHist([np.ascontiguousarray(ids)], [0], None, [bins], [0, bins])
    return [int(value) for value in np.flatnonzero(histogram)]


def _no_void(ids: np.ndarray) -> np.ndarray:
    return np.where(ids == VOID, np.zeros((), ids.dtype), ids)


def _merged(ids: np.ndarray, key: int) -> np.ndarray:
    return (ids != 0).astype(np.uint8) * np.array(key, dtype=ids.dtype)


def _ids(paths: Iterable[Path]) -> list[int]:
    """The first ids that a sequence has, two at most."""
    found: set[int] = set()
    for path in paths:
        found |= set(_values(read_ids(path))) - {0}
        if len(found) > 1:
            break
    return sorted(found)


def _first_ids(pair: _Pair) -> list[int]:
    """1..N where N is the largest id of the first true frame, void aside; those between that it lacks count."""
    largest = int(_no_void(read_ids(pair.first)).max(initial=0))
    if not largest:
        raise IcvosError(f"{pair.first}: no object in the first frame; score with --objects all")
    if largest > MAX_OBJECTS:
        raise IcvosError(f"{pair.first}: largest id {largest}, and every id below it counts; score with --objects all")
    return list(range(1, largest + 1))


class _Record:
    """The values of a video's objects while its frames go by.

    Args:
        fixed: The ids that count in every frame; None: ids count from the first frame that has them.
    """

    def __init__(self, fixed: Sequence[int] | None) -> None:
        self.fixed = fixed is not None
        self.found: dict[int, tuple[list[float], list[float]]] = {key: ([], []) for key in fixed or ()}
        self.in_truth: set[int] = set(self.found)
        self.equal = True

    def add(self, truth: np.ndarray, prediction: np.ndarray, path: Path) -> None:
        """Compare one frame; ``path`` is the predicted mask, for the message."""
        true, predicted = set(_values(truth)), set(_values(prediction))
        if self.fixed and max(predicted) > len(self.found):
            raise IcvosError(
                f"{path}: object {max(predicted)}, but the first frame of the truth has objects 1..{len(self.found)}, "
                "and DAVIS takes no more; remove it, or score with --objects all"
            )
        if not self.fixed:
            self.in_truth |= true - {0}
            self.found.update({key: ([], []) for key in (true | predicted) - {0} - self.found.keys()})
            if len(self.found) > MAX_OBJECTS:
                raise IcvosError(
                    f"{path}: more than {MAX_OBJECTS} different values so far in the video; save object ids, not grey "
                    "levels or colours"
                )
        for key, (j, f) in self.found.items():
            if key in true and key in predicted:
                counts = count(truth == key, prediction == key)
                values = counts.j, counts.f
            else:
                values = _one_sided(key, true, predicted)
            j.append(values[0])
            f.append(values[1])

    def scores(self) -> tuple[ObjectScores, ...]:
        return tuple(
            ObjectScores(key, np.array(self.found[key][0]), np.array(self.found[key][1]))
            for key in sorted(self.in_truth)
        )

    def warnings(self, folder: Path) -> tuple[tuple[Path, str], ...]:
        """What was odd about the ids of a video whose predicted masks are in ``folder``."""
        lines = []
        if not self.fixed and VOID in self.in_truth and len(self.in_truth) > 1:
            what = "255 beside other ids in the truth counts as an object, as in vos-benchmark; "
            lines.append((folder, what + "--objects first-frame reads it as background, as DAVIS does"))
        extra = sorted(set(self.found) - self.in_truth)
        if extra:
            ids = ", ".join(map(str, extra[:5]))
            lines.append((folder, f"{len(extra)} predicted ids that the truth never has ({ids}); not scored"))
        return tuple(lines)


def _one_sided(key: int, true: set[int], predicted: set[int]) -> tuple[float, float]:
    """J and F of an object that at most one of the masks has; the sets are the values of both.

    Nothing overlaps and no boundary is matched, unless the object fills the frame: then it has no boundary, like the
    empty mask, and F is 1.
    """
    if key in true or key in predicted:
        return 0.0, float({key} in (true, predicted))
    return 1.0, 1.0


def frame_rows(scores: FolderScores) -> Iterator[tuple[str, ...]]:
    """``video,object,frame,J,F``, header first; scores are texts that read back exactly."""
    yield ("video", "object", "frame", "J", "F")
    for video in scores.videos:
        for one in video.objects:
            frames = video.frames[len(video.frames) - len(one.j) :]
            for frame, j, f in zip(frames, one.j.tolist(), one.f.tolist(), strict=True):
                yield (video.video, str(one.id), frame, repr(j), repr(f))


def write_frames_csv(path: Path, scores: FolderScores) -> None:
    """Write `frame_rows` to ``path``, whole or not at all."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(frame_rows(scores))
    write_text(path, text.getvalue())
