"""From results to tables: who may stand beside whom, in which order, and what must be said about it.

One table holds the results of one protocol on one benchmark digest. In it only complete results of methods that do not
see the truth are ranked; partial results, upper bounds and the paper's own figures stand beneath, each under a heading.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from icvos.errors import IcvosError
from icvos.protocol import PROTOCOLS
from leaderboard import paper
from leaderboard.entry import Entry

Kind = Literal["ranked", "partial", "upper bound", "reported"]
KINDS: dict[Kind, str] = {
    "ranked": "Measured",
    "partial": "Partial results: not ranked",
    "upper bound": "Upper bound: sees true masks of the video, not ranked",
    "reported": "Reported in the DC-SAM paper, not run here",
}
FORMATS = ("terminal", "markdown", "csv", "latex")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table. Figures are fractions, None where unknown; ``best`` names the columns it leads.

    ``notes`` are the marks of the table's footnotes that concern it, ``entry`` the result that it shows.
    """

    label: str
    kind: Kind
    j: float | None
    f: float | None
    jf: float | None
    rank: int | None = None
    shots: int | None = None
    draws: int | None = None
    interval: tuple[float, float] | None = None
    clips: int | None = None
    seconds_per_frame: float | None = None
    notes: tuple[str, ...] = ()
    best: frozenset[str] = frozenset()
    entry: Entry | None = None


@dataclass(frozen=True, slots=True)
class Breakdown:
    """J&F by category, source or condition: ``figures[key][i]`` belongs to ``labels[i]``, None without such a clip.

    Conditions are those of `icvos.analysis`; results that are older than it have none.
    """

    kind: Literal["category", "source", "condition"]
    labels: tuple[str, ...]
    clips: dict[str, int]
    figures: dict[str, tuple[float | None, ...]]
    best: dict[str, frozenset[int]]


@dataclass(frozen=True, slots=True)
class Table:
    """The results of one protocol on one benchmark.

    ``clips`` are the benchmark's, as far as its results tell; ``scored``, ``videos`` and ``frames`` are those of its
    most complete result. ``footnotes`` maps a mark to its text, in order of appearance.
    """

    protocol: str
    digest: str | None
    clips: int
    scored: int
    videos: int
    frames: int
    rows: tuple[Row, ...]
    categories: Breakdown
    sources: Breakdown
    conditions: Breakdown
    footnotes: dict[str, str]
    level: float | None

    @property
    def title(self) -> str:
        """Protocol and digest, which say what the figures may be compared with."""
        digest = self.digest[:19] if self.digest else "without a digest (published layout)"
        return f"IC-VOS, protocol {self.protocol}, benchmark {digest}"

    @property
    def about(self) -> str:
        """What the protocol does; "" for one that this icvos does not know."""
        return PROTOCOLS[self.protocol].about if self.protocol in PROTOCOLS else ""

    @property
    def coverage(self) -> str:
        """How much was scored, in words."""
        parts = ((self.clips, "clip"), (self.videos, "video"), (self.frames, "frame"))
        words = ", ".join(f"{count:,} {noun}{'' if count == 1 else 's'}" for count, noun in parts)
        return words if self.scored == self.clips else f"{self.scored:,} of {words}"

    @property
    def measured(self) -> tuple[Row, ...]:
        """The rows that come from results, in the order of the table."""
        return tuple(row for row in self.rows if row.entry)


def build_tables(entries: Iterable[Entry], *, reported: bool = True) -> list[Table]:
    """One table for each (protocol, digest); ``reported`` puts the paper's own beneath those of its protocol."""
    groups: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        groups.setdefault((entry.protocol, entry.digest or ""), []).append(entry)
    order = sorted(groups, key=lambda key: (key[0].partition("@")[0] != paper.PROTOCOL, key))
    return [_table(groups[key], reported) for key in order]


def _table(entries: Sequence[Entry], reported: bool) -> Table:
    first = entries[0]
    total = max(_total_clips(entries), *(entry.clips for entry in entries))
    labels = _labels(entries)
    rows = _order([_measured_row(entry, labels[position], total) for position, entry in enumerate(entries)])
    widest = max(entries, key=lambda entry: (entry.clips, entry.scores["overall"]["frames"]))
    footnotes: dict[str, str] = {}
    rows = [_with_partial_note(row, total, footnotes) for row in rows]
    if reported and first.protocol.partition("@")[0] == paper.PROTOCOL:
        rows += _reported_rows(footnotes, widest)
    rows = _mark_best(rows)
    measured = [row for row in rows if row.entry]
    levels = {entry.scores["overall"]["interval"]["level"] for entry in entries if _interval(entry)}
    return Table(
        protocol=first.protocol,
        digest=first.digest,
        clips=total,
        scored=widest.clips,
        videos=widest.scores["overall"]["videos"],
        frames=widest.scores["overall"]["frames"],
        rows=tuple(rows),
        categories=_breakdown("category", measured),
        sources=_breakdown("source", measured),
        conditions=_conditions(measured),
        footnotes=footnotes,
        level=levels.pop() if len(levels) == 1 else None,
    )


def _total_clips(entries: Sequence[Entry]) -> int:
    """How many clips the benchmark has, as far as all its results together tell."""
    seen = {clip for entry in entries for clip in entry.scores.get("clips", {})}
    return max([len(seen), *(entry.benchmark_clips or 0 for entry in entries)])


def _labels(entries: Sequence[Entry]) -> list[str]:
    """The entries' names, with as much added as it takes to tell them apart."""
    labels = [entry.name for entry in entries]
    for detail in (_shots_detail, _revision_detail, _folder_detail):
        repeated = {label for label, count in Counter(labels).items() if count > 1}
        groups = {
            label: {detail(e) for e, own in zip(entries, labels, strict=True) if own == label} for label in repeated
        }
        labels = [
            f"{label}, {detail(entry)}" if len(groups.get(label, ())) > 1 and detail(entry) else label
            for entry, label in zip(entries, labels, strict=True)
        ]
    seen: Counter[str] = Counter()
    for position, label in enumerate(labels):
        seen[label] += 1
        if seen[label] > 1:
            labels[position] = f"{label} #{seen[label]}"
    return labels


def _shots_detail(entry: Entry) -> str:
    return "" if entry.shots is None else f"{entry.shots} shot{'' if entry.shots == 1 else 's'}"


def _revision_detail(entry: Entry) -> str:
    return f"revision {entry.revision}" if entry.revision else ""


def _folder_detail(entry: Entry) -> str:
    return "" if entry.revision else entry.path.resolve().parent.name


def _interval(entry: Entry) -> tuple[float, float] | None:
    interval = entry.scores["overall"].get("interval")
    return None if interval is None else (interval["jf"][0], interval["jf"][1])


def _measured_row(entry: Entry, label: str, total: int) -> Row:
    overall = entry.scores["overall"]
    kind: Kind = "upper bound" if entry.sees_truth else "partial" if entry.clips < total else "ranked"
    return Row(
        label,
        kind,
        overall["j"],
        overall["f"],
        overall["jf"],
        shots=entry.shots,
        draws=entry.draws,
        interval=_interval(entry),
        clips=entry.clips,
        seconds_per_frame=entry.seconds_per_frame,
        entry=entry,
    )


def _order(rows: Iterable[Row]) -> list[Row]:
    """By kind, then by J&F; figures that print alike share a rank."""
    kinds = list(KINDS)
    ordered = sorted(rows, key=lambda row: (kinds.index(row.kind), -_shown(row.jf or 0), row.label))
    scores = [_shown(row.jf or 0) for row in ordered if row.kind == "ranked"]
    return [
        replace(row, rank=scores.index(_shown(row.jf or 0)) + 1) if row.kind == "ranked" else row for row in ordered
    ]


def _note(footnotes: dict[str, str], text: str) -> str:
    """The mark of ``text``, which is added to the footnotes if it is new."""
    for mark, known in footnotes.items():
        if known == text:
            return mark
    mark = _mark(len(footnotes))
    footnotes[mark] = text
    return mark


def _mark(number: int) -> str:
    """a, b, ..., z, aa, ab, ..."""
    return (_mark(number // 26 - 1) if number >= 26 else "") + chr(ord("a") + number % 26)


def _with_partial_note(row: Row, total: int, footnotes: dict[str, str]) -> Row:
    if row.clips is None or row.clips >= total:
        return row
    return replace(row, notes=(_note(footnotes, f"scored on {row.clips:,} of {total:,} clips only"),))


def _reported_rows(footnotes: dict[str, str], widest: Entry) -> list[Row]:
    overall = widest.scores["overall"]
    here = "" if overall["videos"] == paper.VIDEOS else f"; this table has {overall['videos']:,}: not comparable"
    origin = _note(footnotes, f"{paper.PAPER}, {paper.TABLE}; on the authors' build of {paper.VIDEOS} videos{here}")
    rows = []
    for figures in paper.REPORTED:
        notes = [origin]
        wrong = paper.contradiction(figures)
        if wrong:
            notes.append(_note(footnotes, wrong))
        j, f, jf = (None if value is None else value / 100 for value in (figures.j, figures.f, figures.jf))
        rows.append(Row(figures.method, "reported", j, f, jf, shots=paper.SHOTS, notes=tuple(notes)))
    return rows


def _mark_best(rows: Sequence[Row]) -> list[Row]:
    """Name in each ranked row the columns that it leads; speed only where all were run on the same device."""
    ranked = [row for row in rows if row.kind == "ranked"]
    if len(ranked) < 2:
        return list(rows)
    leaders = {key: max(_shown(getattr(row, key)) for row in ranked) for key in ("j", "f", "jf")}
    devices = {row.entry.device for row in ranked if row.entry}
    fastest = min((row.seconds_per_frame for row in ranked if row.seconds_per_frame is not None), default=None)
    marked = []
    for row in rows:
        best = {key for key, value in leaders.items() if row.kind == "ranked" and _shown(getattr(row, key)) == value}
        if row.kind == "ranked" and fastest is not None and row.seconds_per_frame == fastest and len(devices) == 1:
            best.add("seconds_per_frame")
        marked.append(replace(row, best=frozenset(best)))
    return marked


def _shown(value: float) -> float:
    """A fraction as the tables print it, so that equal prints are equally good."""
    return round(value * 100, 2)


def _breakdown(kind: Literal["category", "source"], rows: Sequence[Row]) -> Breakdown:
    """Groups of clips, the one with most clips first."""
    group = {"category": "categories", "source": "sources"}[kind]
    parts: list[dict[str, Any]] = [row.entry.scores.get(group, {}) if row.entry else {} for row in rows]
    clips = _most_clips(parts)
    return _matrix(kind, rows, parts, sorted(clips, key=lambda key: (-clips[key], key)))


def _conditions(rows: Sequence[Row]) -> Breakdown:
    """The groups of the analysis in its own order."""
    parts = [_condition_figures(row.entry.scores.get("analysis", {})) if row.entry else {} for row in rows]
    return _matrix("condition", rows, parts, list(dict.fromkeys(key for part in parts for key in part)))


def _condition_figures(analysis: dict[str, Any]) -> dict[str, Any]:
    """What is J&F under which condition, with the clips that it is of; a condition that no clip meets has nothing."""
    from icvos.analysis import AREA_NAMES, INSTANCE_NAMES, LENGTH_NAMES

    bins = (
        ("length", "length", LENGTH_NAMES),
        ("area", "first-frame area", AREA_NAMES),
        ("instances", "instances", INSTANCE_NAMES),
    )
    found = {f"{heading}: {name}": analysis.get(key, {}).get(name) for key, heading, names in bins for name in names}
    propagation = analysis.get("propagation") or {}
    for key, heading in (("first", "the first frame"), ("after", "the frames after it")):
        found[heading] = propagation and {**propagation[key], "clips": propagation["clips"]}
    for key, heading in (("disappearance", "while it is absent"), ("reappearance", "when it is back")):
        found[heading] = analysis.get(key)
    return found


def _most_clips(parts: Sequence[dict[str, Any]]) -> dict[str, int]:
    """How many clips each group has, in the result that has most of it."""
    clips: dict[str, int] = {}
    for part in parts:
        for key, figures in part.items():
            if figures:
                clips[key] = max(clips.get(key, 0), figures["clips"])
    return clips


def _matrix(
    kind: Literal["category", "source", "condition"],
    rows: Sequence[Row],
    parts: Sequence[dict[str, Any]],
    order: Sequence[str],
) -> Breakdown:
    """J&F of every row in every group that any of them has; ``parts`` are the rows' groups."""
    clips = _most_clips(parts)
    keys = [key for key in order if key in clips]
    figures = {key: tuple(part[key]["jf"] if part.get(key) else None for part in parts) for key in keys}
    ranked = [position for position, row in enumerate(rows) if row.kind == "ranked"]
    best = {}
    for key in keys:
        shown = {i: _shown(value) for i in ranked if (value := figures[key][i]) is not None}
        leaders = {i for i, value in shown.items() if value == max(shown.values())} if len(ranked) > 1 else set()
        best[key] = frozenset(leaders)
    return Breakdown(kind, tuple(row.label for row in rows), {key: clips[key] for key in keys}, figures, best)


def render(tables: Sequence[Table], format: str, *, breakdowns: bool = True) -> str:
    """The tables as text in one of `FORMATS`; ``breakdowns`` adds the tables by category and by source.

    For a terminal with colours, print `leaderboard.formats.terminal` instead.
    """
    from leaderboard import formats

    writers = {
        "terminal": formats.terminal_text,
        "markdown": formats.markdown,
        "csv": formats.csv_text,
        "latex": formats.latex,
    }
    if format not in writers:
        raise IcvosError(f"unknown table format {format!r}; choose from {', '.join(FORMATS)}")
    return writers[format](tables, breakdowns=breakdowns)
