"""J and F of two bare folders of masks, object by object: the measure of DAVIS, MOSE, LVOS and YouTube-VOS.

    <folder>/<video>/<frame>.png    palette indices or grey values are object ids, 0 = background; or one video's PNGs

What each setting means, with examples, is in ``docs/scoring.md``. A frame is read, compared and let go, so memory does
not grow with a video's length. `icvos.vos.pairs` finds the masks, `icvos.vos.result` says what the scores file holds.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import get_args

import numpy as np

from icvos.errors import IcvosError
from icvos.metrics import warm
from icvos.vos.objects import FIGURES, Objects, VideoScores, score_video
from icvos.vos.pairs import check_headers, more, pair_videos
from icvos.vos.result import FolderResult, ObjectFigures, OverallFigures, Settings, VideoFigures
from icvos.vos.source import opened_source
from icvos.workers import Workers, run_jobs


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
    workers: Workers = 1,
    progress: Callable[[str], None] | None = None,
) -> FolderScores:
    """Score a folder of masks against another.

    Args:
        prediction: A folder, zip or tar.gz file of ``<video>/<frame>.png``, or the PNGs of one video where ``truth`` is
            one. Folders around the videos, and videos and frames that the truth does not have, are left alone.
        truth: The true masks, a folder of the same layout.
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
    with opened_source(prediction) as source:
        pairs, warnings = pair_videos(source, truth, videos, skip_ends)
        check_headers(pairs, objects)
        if workers != 1:
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
        warnings += map(source.shown, _grouped(scored))
    if not any(one.objects for one in scored):
        raise IcvosError(f"{truth}: no object in any scored frame; give the folder of true masks last")
    if prediction.resolve() == truth.resolve() or all(one.equal for one in scored):
        warnings.append(f"{prediction}: equal to the truth in every scored frame; score predictions, not annotations")
    return FolderScores(skip_ends, objects, scored, tuple(warnings))


def _grouped(videos: Iterable[VideoScores]) -> list[str]:
    """One line for each thing that is odd about one or more videos."""
    where: dict[str, list[str]] = {}
    for video in videos:
        for folder, what in video.warnings:
            where.setdefault(what, []).append(str(folder))
    return [f"{folders[0]}{more(folders)}: {what}" for what, folders in where.items()]
