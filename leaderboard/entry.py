"""One result as the leaderboard knows it, and the check that a result file must pass before a table believes it.

A result file is JSON::

    {"format": 1, "name": "my method", "revision": "1", "notes": "", "added": "2026-01-31T12:00:00+00:00",
     "benchmark": {"clips": 437}, "scores": {...}}

``scores`` is what `icvos score` writes, and has the record of how the predictions were made.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from icvos.errors import IcvosError
from icvos.files.storage import read_json
from icvos.tasks.runs import made_with_random_weights
from leaderboard.checks import as_count, as_finite, broken
from leaderboard.image_scores import check_image_scores
from leaderboard.video_scores import check_video_scores

Task = Literal["video", "image"]

FORMAT = 1  # of result files
SCORES_FORMAT = 1  # of scores.json
MAX_BYTES = 64 * 2**20  # a result of all 437 clips over five draws takes less than one
MAX_NAME = 80
MAX_DEPTH = 32


@dataclass(frozen=True, slots=True)
class Entry:
    """One scored run with a name.

    Args:
        name: What the tables call it.
        revision: Which state of the method; "" for a run that is on no board.
        scores: A checked scores dictionary.
        path: The file it came from.
        notes: Free text of whoever submitted it.
        added: When it was put on a board, ISO 8601; "" for a run that is on no board.
        declared_clips: How many clips the whole benchmark has, where the file says so.
    """

    name: str
    revision: str
    scores: dict[str, Any]
    path: Path
    notes: str = ""
    added: str = ""
    declared_clips: int | None = None

    @property
    def protocol(self) -> str:
        """The protocol's id, such as ``paper@1``."""
        return str(self.scores["protocol"])

    @property
    def digest(self) -> str | None:
        """The benchmark's digest, ``sha256:...``; None for a benchmark in the published layout."""
        digest = self.scores["digest"]
        return None if digest is None else str(digest)

    @property
    def task(self) -> Task:
        """``video``, or ``image`` for the episodes of an image benchmark."""
        return "image" if self.scores.get("task") == "image" else "video"

    @property
    def benchmark(self) -> str:
        """The benchmark's name: IC-VOS for videos."""
        return str(self.scores["benchmark"]["name"]) if self.task == "image" else "IC-VOS"

    @property
    def key(self) -> tuple[str, ...]:
        """What may be on a board only once."""
        key = (self.name, self.revision, self.protocol, self.digest or "")
        return (*key, self.benchmark, str(self.shots)) if self.task == "image" else key

    @property
    def runs(self) -> dict[str, dict[str, Any]]:
        """The records of the run, on images by fold; none where the submission brought none."""
        return run_records(self.scores)

    @property
    def run(self) -> dict[str, Any]:
        """The first record of the run; {} where there is none."""
        return next(iter(self.runs.values()), {})

    @property
    def shots(self) -> int | None:
        """Supports per clip or episode, where the result says."""
        return as_count((self.scores if self.task == "image" else self.run).get("shots"))

    @property
    def draws(self) -> int:
        """Of videos: support draws that were averaged."""
        return max(1, len(self.scores["overall"].get("draws") or ()))

    @property
    def clips(self) -> int:
        """Of videos: scored clips."""
        return int(self.scores["overall"]["clips"])

    @property
    def benchmark_clips(self) -> int | None:
        """Of videos: how many clips the whole benchmark has, as far as this result says."""
        benchmark = self.run.get("benchmark")
        stated = as_count(benchmark.get("clips")) if isinstance(benchmark, dict) else None
        return self.declared_clips or stated

    @property
    def seconds(self) -> float | None:
        """Mean prediction time of a frame or an image, where the result says."""
        if self.task == "image":
            return as_finite(self.scores["overall"].get("seconds_per_image"))
        return as_finite(self.run.get("seconds_per_frame"))

    @property
    def sees_truth(self) -> bool:
        """Whether the method was given true masks of what it was asked about."""
        return any(run.get("sees_truth") is True for run in self.runs.values())

    @property
    def device(self) -> str:
        """What the run was computed on, as it says itself."""
        return ", ".join(dict.fromkeys(str(run.get("device") or "") for run in self.runs.values()))

    @property
    def date(self) -> str:
        """The day the run ended, else the day it was added; "" where neither is known."""
        return max((str(run.get("finished") or "") for run in self.runs.values()), default="")[:10] or self.added[:10]


def run_records(scores: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The records of a run: one on videos, one of every fold on images; none where the submission brought none."""
    folds = scores.get("folds")
    parts = {"": scores, **({f"fold {key}": part for key, part in folds.items()} if isinstance(folds, dict) else {})}
    runs = {label: part.get("run") for label, part in parts.items() if isinstance(part, dict)}
    return {label: run for label, run in runs.items() if isinstance(run, dict) and run}


def check_name(text: str, what: str, *, where: str = "") -> str:
    """``text`` if it can be a name or a revision; else `IcvosError`. ``where`` names the file it came from."""
    place = f"{where}: " if where else ""
    if not isinstance(text, str) or not text.strip() or text != text.strip():
        raise IcvosError(f"{place}the {what} is empty or begins or ends with a space; give a short text")
    if len(text) > MAX_NAME or not text.isprintable():
        raise IcvosError(f"{place}the {what} is longer than {MAX_NAME} characters or not printable; shorten it")
    return text


def read_entry(path: Path) -> Entry:
    """The result in ``path``: a board's result file or a run's scores; raises `IcvosError` for anything else."""
    value = read_result(path)
    if "scores" not in value:
        check_scores(value, path)
        method = next(iter(run_records(value).values()), {}).get("method")
        name = method if isinstance(method, str) and method.strip() else path.resolve().parent.name
        return Entry(check_name(name.strip(), "method's name", where=str(path)), "", value, path)
    if value.get("format") != FORMAT:
        raise IcvosError(f"{path}: not a result of format {FORMAT}; submit the predictions again with this icvos")
    check_scores(value["scores"], path)
    for key in ("notes", "added"):
        if not isinstance(value.get(key, ""), str):
            raise IcvosError(f"{path}: {key} is not a text; submit the predictions again")
    benchmark = value.get("benchmark")
    return Entry(
        check_name(value.get("name", ""), "name", where=str(path)),
        check_name(value.get("revision", ""), "revision", where=str(path)),
        value["scores"],
        path,
        notes=value.get("notes", ""),
        added=value.get("added", ""),
        declared_clips=as_count(benchmark.get("clips")) if isinstance(benchmark, dict) else None,
    )


def read_result(path: Path) -> dict[str, Any]:
    """The JSON object in ``path``, which may come from anybody: size and kind are checked first."""
    try:
        if path.is_file() and path.stat().st_size > MAX_BYTES:
            raise IcvosError(f"{path}: larger than {MAX_BYTES // 2**20} MiB, so not a result; remove it")
        value = read_json(path, "a result of icvos score or icvos submit")
    except RecursionError:
        raise IcvosError(f"{path}: nested too deeply to be a result; remove it") from None
    check_plain(value, path)
    if not isinstance(value, dict) or not ("scores" in value or "overall" in value):
        raise IcvosError(f"{path}: not a result; results are written by icvos score and icvos submit")
    return value


def check_plain(value: Any, path: Path) -> None:
    """Raise `IcvosError` for JSON that could not be written again: nested without end, or with broken Unicode."""
    layer = [value]
    for _ in range(MAX_DEPTH):
        layer = [
            child
            for item in layer
            if isinstance(item, dict | list)
            for child in (item.values() if isinstance(item, dict) else item)
        ]
    if layer:
        raise IcvosError(f"{path}: nested too deeply to be a result; remove it")
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise IcvosError(f"{path}: holds text that is not Unicode; score the predictions again") from None


def check_scores(scores: Any, path: Path) -> None:
    """Raise `IcvosError` naming the first thing in ``scores`` that a table could not show or should not believe."""
    if not isinstance(scores, dict) or scores.get("format", SCORES_FORMAT) != SCORES_FORMAT:
        raise IcvosError(f"{path}: not scores of format {SCORES_FORMAT}; score the predictions again with this icvos")
    task = scores.get("task", "video")
    if task not in ("video", "image"):
        raise broken(path, "task is neither video nor image")
    protocol = scores.get("protocol")
    if not isinstance(protocol, str) or not re.fullmatch(r"[A-Za-z0-9_-]{1,40}@\d{1,4}", protocol):
        raise broken(path, "protocol is not name@version")
    digest = scores.get("digest", "")
    if not (digest is None or (isinstance(digest, str) and re.fullmatch(r"sha256:[0-9a-f]{8,64}", digest))):
        raise broken(path, "digest is neither sha256:... nor null")
    (check_image_scores if task == "image" else check_video_scores)(scores, path)


def refuse_random(scores: dict[str, Any], path: Path) -> None:
    """Raise `IcvosError` for figures of random weights, which no table shows."""
    if any(made_with_random_weights(run) for run in run_records(scores).values()):
        raise IcvosError(
            f"{path}: made with random weights, so its figures mean nothing and no leaderboard takes them; "
            "run it again without --allow-random-weights"
        )
