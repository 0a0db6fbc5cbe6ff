"""One result as the leaderboard knows it, and the check that a result file must pass before a table believes it.

A result file is JSON::

    {"format": 1, "name": "my method", "revision": "1", "notes": "", "added": "2026-01-31T12:00:00+00:00",
     "benchmark": {"clips": 437}, "scores": {...}}

``scores`` is what `icvos.score` writes: ``protocol``, ``digest``, ``overall``, ``categories``, ``sources``, ``clips``,
each figure with ``j``, ``f`` and ``jf`` as fractions, and ``run``, the record of how the predictions were made. What an
analysis is made of, and the analysis itself, may be absent.
"""

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from icvos.errors import IcvosError
from icvos.record import made_with_random_weights
from icvos.storage import read_json

FORMAT = 1  # of result files
SCORES_FORMAT = 1  # of scores.json
MAX_BYTES = 64 * 2**20  # a result of all 437 clips over five draws takes less than one
MAX_NAME = 80
MAX_KEY = 200  # of a category, source or clip
MAX_DEPTH = 32
MEAN_TOLERANCE = 1e-4  # between jf and the mean of j and f, both fractions
ROUND_OFF = 1e-9  # a mean of fractions may leave 0..1 by the last digit


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
    def key(self) -> tuple[str, str, str, str]:
        """What may be on a board only once."""
        return (self.name, self.revision, self.protocol, self.digest or "")

    @property
    def run(self) -> dict[str, Any]:
        """The record of the run; {} where the submission brought none."""
        run = self.scores.get("run")
        return run if isinstance(run, dict) else {}

    @property
    def shots(self) -> int | None:
        """Supports per clip, where the run says."""
        return _count(self.run.get("shots"))

    @property
    def draws(self) -> int:
        """Support draws that were averaged."""
        return max(1, len(self.scores["overall"].get("draws") or ()))

    @property
    def clips(self) -> int:
        """Scored clips."""
        return int(self.scores["overall"]["clips"])

    @property
    def sees_truth(self) -> bool:
        """Whether the method was given true masks of the query video."""
        return self.run.get("sees_truth") is True

    @property
    def seconds_per_frame(self) -> float | None:
        """Mean prediction time, where the run says."""
        return _finite(self.run.get("seconds_per_frame"))

    @property
    def device(self) -> str:
        """What the run was computed on, as it says itself."""
        return str(self.run.get("device") or "")

    @property
    def date(self) -> str:
        """The day the run ended, else the day it was added; "" where neither is known."""
        return str(self.run.get("finished") or self.added or "")[:10]

    @property
    def benchmark_clips(self) -> int | None:
        """How many clips the whole benchmark has, as far as this result says."""
        benchmark = self.run.get("benchmark")
        stated = _count(benchmark.get("clips")) if isinstance(benchmark, dict) else None
        return self.declared_clips or stated


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _finite(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not -ROUND_OFF <= value < math.inf:
        return None
    return float(value)


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
        run = value.get("run")
        method = run.get("method") if isinstance(run, dict) else None
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
        declared_clips=_count(benchmark.get("clips")) if isinstance(benchmark, dict) else None,
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
    protocol = scores.get("protocol")
    if not isinstance(protocol, str) or not re.fullmatch(r"[A-Za-z0-9_-]{1,40}@\d{1,4}", protocol):
        raise _broken(path, "protocol is not name@version")
    digest = scores.get("digest", "")
    if not (digest is None or (isinstance(digest, str) and re.fullmatch(r"sha256:[0-9a-f]{8,64}", digest))):
        raise _broken(path, "digest is neither sha256:... nor null")
    overall = _check_figures(scores.get("overall"), "overall", path)
    for key in ("clips", "videos", "frames"):
        if _count(overall.get(key)) is None:
            raise _broken(path, f"overall.{key} is not a count")
    _check_interval(overall.get("interval"), path)
    draws = overall.get("draws") or []
    if not isinstance(draws, list):
        raise _broken(path, "overall.draws is not a list")
    for position, draw in enumerate(draws):
        _check_figures(draw, f"overall.draws[{position}]", path)
    for group in ("categories", "sources", "clips"):
        members = scores.get(group, {})
        if not isinstance(members, dict):
            raise _broken(path, f"{group} is not an object")
        for name, member in members.items():
            if not name.isprintable() or len(name) > MAX_KEY:
                raise _broken(path, f"{group} has a name that is not printable or longer than {MAX_KEY} characters")
            _check_figures(member, f"{group}.{name}", path)
            if group == "clips":
                _check_facts(member, f"{group}.{name}", path)
            elif _count(member.get("clips")) is None:
                raise _broken(path, f"{group}.{name}.clips is not a count")
    _check_analysis(scores.get("analysis", {}), path)


def refuse_random(scores: dict[str, Any], path: Path) -> None:
    """Raise `IcvosError` for figures of random weights, which no table shows."""
    run = scores.get("run")
    if isinstance(run, dict) and made_with_random_weights(run):
        raise IcvosError(
            f"{path}: made with random weights, so its figures mean nothing and no leaderboard takes them; "
            "run it again without --allow-random-weights"
        )


def _check_analysis(analysis: Any, path: Path) -> None:
    """The groups of `icvos.analysis`, any of which may be absent."""
    if not isinstance(analysis, dict):
        raise _broken(path, "analysis is not an object")
    groups = {f"analysis.{key}": analysis.get(key) for key in ("disappearance", "reappearance")}
    for key in ("length", "area", "instances"):
        bins = analysis.get(key, {})
        if not isinstance(bins, dict):
            raise _broken(path, f"analysis.{key} is not an object")
        groups |= {f"analysis.{key}.{name}": group for name, group in bins.items()}
    propagation = analysis.get("propagation")
    if propagation is not None:
        if not isinstance(propagation, dict):
            raise _broken(path, "analysis.propagation is not an object")
        for key in ("first", "after"):
            figures = _check_figures(propagation.get(key), f"analysis.propagation.{key}", path)
            groups[f"analysis.propagation.{key}"] = {**figures, "clips": propagation.get("clips")}
    for where, group in groups.items():
        if group is not None and _count(_check_figures(group, where, path).get("clips")) is None:
            raise _broken(path, f"{where}.clips is not a count")


def _check_facts(clip: dict[str, Any], where: str, path: Path) -> None:
    """What `icvos.analysis` is made of; null where a clip has no such thing, absent in results without it."""
    for key in ("frames", "instances"):
        if clip.get(key) is not None and _count(clip[key]) is None:
            raise _broken(path, f"{where}.{key} is not a count")
    area = clip.get("area")
    if area is not None and not 0 < (_finite(area) or 0) <= 1:
        raise _broken(path, f"{where}.area is not a share of the frame")
    for key in ("first", "after", "disappearance", "reappearance"):
        if clip.get(key) is None:
            continue
        found = _check_figures(clip[key], f"{where}.{key}", path)
        for name in ("runs", "frames") if key.endswith("appearance") else ():
            if _count(found.get(name)) is None:
                raise _broken(path, f"{where}.{key}.{name} is not a count")


def _check_figures(figures: Any, where: str, path: Path) -> dict[str, Any]:
    if not isinstance(figures, dict):
        raise _broken(path, f"{where} is missing")
    values = []
    for key in ("j", "f", "jf"):
        value = _finite(figures.get(key))
        if value is None or value > 1 + ROUND_OFF:
            raise _broken(path, f"{where}.{key} is not a fraction in 0..1")
        values.append(value)
    if abs(values[2] - (values[0] + values[1]) / 2) > MEAN_TOLERANCE:
        raise _broken(path, f"{where}.jf is not the mean of its j and f")
    for key in ("j_recall", "f_recall", "j_decay", "f_decay"):
        share = figures.get(key, 0)
        if isinstance(share, bool) or not isinstance(share, int | float) or not -1 <= share <= 1:
            raise _broken(path, f"{where}.{key} is not a share in -1..1")
    return figures


def _check_interval(interval: Any, path: Path) -> None:
    if interval is None:
        return
    if not isinstance(interval, dict) or not 0 < (_finite(interval.get("level")) or 0) < 1:
        raise _broken(path, "overall.interval has no level in 0..1")
    for key in ("j", "f", "jf"):
        bounds = interval.get(key)
        if not isinstance(bounds, list) or len(bounds) != 2 or any(_finite(bound) is None for bound in bounds):
            raise _broken(path, f"overall.interval.{key} is not [low, high]")
        if not bounds[0] <= bounds[1] <= 1 + ROUND_OFF:
            raise _broken(path, f"overall.interval.{key} is not an interval in 0..1")


def _broken(path: Path, what: str) -> IcvosError:
    return IcvosError(f"{path}: {_plain(what)}; score the predictions again with icvos score")


def _plain(text: str) -> str:
    """One printable line of at most 200 characters, whatever a file held."""
    return "".join(character if character.isprintable() else "?" for character in text)[:200]
