"""J and F of the objects of one video: which ids count from which frame on, and what a mask's values mean.

The rules and their examples are in ``docs/scoring.md``.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from icvos.bitmasks.values import occurring
from icvos.errors import IcvosError
from icvos.files.masks import read_foreground, read_ids, white_value
from icvos.metrics import count
from icvos.metrics.summary import decay, mean, recall

VOID = 255
MAX_OBJECTS = 1000  # ids of one video: more are grey levels or colours, not objects
SOFT = "shades of grey, as soft edges leave them; all that is not 0 counts as the object, as in DAVIS"
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
class VideoPair:
    """The files of one video that are compared, frame by frame, and the truth of its first frame."""

    video: str
    first: Path
    truth: tuple[Path, ...]
    prediction: tuple[Path, ...]


def score_video(pair: VideoPair, objects: Objects) -> VideoScores:
    """Read a video's masks as ids or as one object, whatever they are, and score it."""
    binary_truth = objects != "binary" and white_value(pair.truth) == VOID
    binary_prediction = objects != "binary" and not binary_truth and white_value(pair.prediction) == VOID
    merge_truth, merge_prediction = _merges(pair, objects, binary_truth, binary_prediction)
    record = _Record(_fixed_ids(pair, objects, binary_truth))
    soft: set[Path] = set()
    for true, predicted in zip(pair.truth, pair.prediction, strict=True):
        truth = _read(true, objects == "binary", soft)
        prediction = _read(predicted, objects == "binary" or binary_truth, soft)
        if truth.shape != prediction.shape:
            raise IcvosError(f"{predicted}: mask of another size than its header says; write the file again")
        equal = np.array_equal(truth, prediction)
        if merge_truth:
            truth = _merged(truth, merge_truth)
        elif objects == "first-frame":
            truth = _no_void(truth)
        if merge_prediction:
            prediction = _merged(prediction, merge_prediction)
        record.equal = record.equal and (equal or np.array_equal(truth, prediction))
        record.add(truth, prediction, predicted)
    names = tuple(path.stem for path in pair.truth)
    warnings = record.warnings(pair.prediction[0].parent)
    if binary_truth or binary_prediction:
        folder = (pair.truth if binary_truth else pair.prediction)[0].parent
        warnings += ((folder, "masks of 0 and 255 in the whole video; read as one object"),)
    warnings += tuple((folder, SOFT) for folder in sorted(soft))
    return VideoScores(pair.video, names, record.scores(), record.equal, warnings)


def _read(path: Path, is_one: bool, soft: set[Path]) -> np.ndarray:
    """A mask's ids; of one object, 1 for what is not 0; folders of masks with shades go to ``soft``."""
    if not is_one:
        return read_ids(path)
    found = read_foreground(path)
    if found.shades():
        soft.add(path.parent)
    return (found.values != 0).astype(np.uint8)


def _merges(pair: VideoPair, objects: Objects, binary_truth: bool, binary_prediction: bool) -> tuple[int, int]:
    """The id that everything non-zero becomes in the truth and in the prediction; 0: ids stay as they are."""
    if objects == "binary":
        return 0, 0
    if binary_truth and objects == "first-frame":
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


def _fixed_ids(pair: VideoPair, objects: Objects, binary_truth: bool) -> list[int] | None:
    if objects == "all":
        return None
    return [1] if objects == "binary" or binary_truth else _first_ids(pair)


def _no_void(ids: np.ndarray) -> np.ndarray:
    return np.where(ids == VOID, np.zeros((), ids.dtype), ids)


def _merged(ids: np.ndarray, key: int) -> np.ndarray:
    return (ids != 0).astype(np.uint8) * np.array(key, dtype=ids.dtype)


def _ids(paths: Iterable[Path]) -> list[int]:
    """The first ids that a sequence has, two at most."""
    found: set[int] = set()
    for path in paths:
        found |= set(occurring(read_ids(path)).tolist()) - {0}
        if len(found) > 1:
            break
    return sorted(found)


def _first_ids(pair: VideoPair) -> list[int]:
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
        true, predicted = set(occurring(truth).tolist()), set(occurring(prediction).tolist())
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
