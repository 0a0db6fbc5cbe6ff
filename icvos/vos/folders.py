"""J and F of two bare folders of masks, object by object: the measure of DAVIS, MOSE, LVOS and YouTube-VOS.

    <folder>/<video>/<frame>.png    palette indices or grey values are object ids, 0 = background; or one video's PNGs

What each setting means, with examples, is in ``docs/scoring.md``. A frame is read, compared and let go, so memory does
not grow with a video's length. Names, sizes and kinds of image are checked before the first mask is decoded.
`icvos.vos.result` says what the scores file holds.
"""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import get_args

import numpy as np

from icvos.errors import IcvosError
from icvos.files.cells import cell
from icvos.files.listing import frames_by_number, visible_folders
from icvos.files.storage import storable, write_text
from icvos.files.untrusted import png_header
from icvos.metrics import warm
from icvos.vos.objects import FIGURES, Objects, VideoPair, VideoScores, score_video
from icvos.vos.result import FolderResult, ObjectFigures, OverallFigures, Settings, VideoFigures
from icvos.workers import run_jobs

SUFFIXES = (".png", ".PNG")
ID_MODES = ("1", "L", "P", "I;16")


@dataclass(frozen=True, slots=True)
class FolderScores:
    """What two folders scored, and the settings that give the figures their meaning."""

    skip_ends: bool
    objects: Objects
    videos: tuple[VideoScores, ...]
    warnings: tuple[str, ...]

    def to_result(self) -> FolderResult:
        """Every figure that is reported."""
        objects = [found for video in self.videos for found in video.objects]
        means = {key: float(np.mean([found.figures[key] for found in objects])) for key in FIGURES}
        means["jf"] = (means["j"] + means["f"]) / 2
        return FolderResult(
            format=1,
            settings=Settings(skip_ends=self.skip_ends, objects=self.objects),
            overall=OverallFigures(
                **means,
                objects=len(objects),
                videos=len(self.videos),
                frames=sum(len(video.frames) for video in self.videos),
            ),
            videos={
                video.video: VideoFigures(
                    frames=len(video.frames),
                    objects={
                        str(found.id): ObjectFigures(**found.figures, frames=len(found.j)) for found in video.objects
                    },
                )
                for video in self.videos
            },
            warnings=self.warnings,
        )


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

    >>> annotations = "davis/Annotations/480p"
    >>> score_folders(annotations, annotations, skip_ends=True).to_result().overall.jf
    1.0
    """
    if objects not in get_args(Objects):
        raise IcvosError(f"unknown choice of objects {objects!r}; choose from {', '.join(get_args(Objects))}")
    prediction, truth = Path(prediction), Path(truth)
    pairs, warnings = _pair(prediction, truth, videos, skip_ends)
    _check_headers(pairs)
    if workers > 1:
        warm()  # compiled at most once, not by every worker at the same time
    scored = tuple(
        run_jobs(
            partial(score_video, objects=objects),
            pairs,
            workers,
            cost=lambda pair: len(pair.truth),
            done=lambda pair: progress(pair.video) if progress else None,
        )
    )
    warnings += _grouped(scored)
    if not any(one.objects for one in scored):
        raise IcvosError(f"{truth}: no object in any scored frame; give the folder of true masks last")
    if prediction.resolve() == truth.resolve() or all(one.equal for one in scored):
        warnings.append(f"{prediction}: equal to the truth in every scored frame; score predictions, not annotations")
    return FolderScores(skip_ends, objects, scored, tuple(warnings))


def _pair(prediction: Path, truth: Path, chosen: Sequence[str], skip_ends: bool) -> tuple[list[VideoPair], list[str]]:
    true_folders, predicted_folders = _video_folders(truth), _video_folders(prediction)
    if truth in true_folders.values() and prediction in predicted_folders.values():
        predicted_folders = dict.fromkeys(true_folders, prediction)
    chosen = [storable(name) for name in chosen]
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
        pairs.append(VideoPair(name, frames[0], counted, tuple(folder / path.name for path in counted)))
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
    found = {storable(folder.name): folder for folder in visible_folders(root) if _has_masks(folder)}
    if found:
        return found
    if _has_masks(root):
        return {storable(root.resolve().name): root}
    inner = next((path for path in (root / "Annotations" / "480p", root / "Annotations") if path.is_dir()), None)
    hint = f"give {inner}" if inner else "give the folder that holds one folder of PNGs per video"
    raise IcvosError(f"{root}: no masks as <video>/<frame>.png; {hint}")


def _has_masks(folder: Path) -> bool:
    return any(path.suffix in SUFFIXES and not path.name.startswith(".") for path in folder.iterdir())


def _check_headers(pairs: Iterable[VideoPair]) -> None:
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


def frame_rows(scores: FolderScores) -> Iterator[tuple[str, ...]]:
    """``video,object,frame,J,F``, header first; scores are texts that read back exactly."""
    yield ("video", "object", "frame", "J", "F")
    for video in scores.videos:
        for one in video.objects:
            frames = video.frames[len(video.frames) - len(one.j) :]
            for frame, j, f in zip(frames, one.j.tolist(), one.f.tolist(), strict=True):
                yield (cell(video.video), str(one.id), cell(frame), repr(j), repr(f))


def write_frames_csv(path: Path, scores: FolderScores) -> None:
    """Write `frame_rows` to ``path``, whole or not at all."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(frame_rows(scores))
    write_text(path, text.getvalue())
