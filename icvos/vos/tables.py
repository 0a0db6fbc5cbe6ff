"""Figures of two bare folders as CSV files."""

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path

from icvos.files.cells import cell
from icvos.files.storage import write_text
from icvos.vos.folders import FolderScores
from icvos.vos.result import Figures

GLOBAL, PER_SEQUENCE = "global_results.csv", "per-sequence_results.csv"
COLUMNS = {  # of the DAVIS scripts
    "J&F-Mean": "jf",
    "J-Mean": "j",
    "J-Recall": "j_recall",
    "J-Decay": "j_decay",
    "F-Mean": "f",
    "F-Recall": "f_recall",
    "F-Decay": "f_decay",
}


def frame_rows(scores: FolderScores) -> Iterator[tuple[str, ...]]:
    """``video,object,frame,J,F``, header first; scores are texts that read back exactly."""
    yield ("video", "object", "frame", "J", "F")
    for video in scores.videos:
        for one in video.objects:
            frames = video.frames[len(video.frames) - len(one.j) :]
            for frame, j, f in zip(frames, one.j.tolist(), one.f.tolist(), strict=True):
                yield (cell(video.video), str(one.id), cell(frame), repr(j), repr(f))


def global_rows(scores: FolderScores) -> Iterator[tuple[str, ...]]:
    """The means over all objects, under the DAVIS scripts' names; fractions that read back exactly."""
    yield tuple(COLUMNS)
    yield _figures(scores.to_result().overall)


def sequence_rows(scores: FolderScores) -> Iterator[tuple[str, ...]]:
    """A row for each object, named ``<video>_<id>`` as by the DAVIS scripts, which write less of it."""
    yield ("Sequence", *COLUMNS)
    for video, figures in scores.to_result().videos.items():
        for key, one in figures.objects.items():
            yield (cell(f"{video}_{key}"), *_figures(one))


def _figures(found: Figures) -> tuple[str, ...]:
    return tuple(repr(getattr(found, key)) for key in COLUMNS.values())


def write_frames_csv(path: Path, scores: FolderScores) -> None:
    """Write `frame_rows` to ``path``, whole or not at all."""
    _write(path, frame_rows(scores))


def write_sequences_csv(folder: Path, scores: FolderScores) -> None:
    """Write `global_rows` and `sequence_rows` into ``folder``, to files named as those of the DAVIS scripts."""
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / GLOBAL, global_rows(scores))
    _write(folder / PER_SEQUENCE, sequence_rows(scores))


def _write(path: Path, rows: Iterable[tuple[str, ...]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    write_text(path, text.getvalue())
