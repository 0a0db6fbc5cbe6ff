"""The shape of a table: its columns, its rows, and what is broken down beneath them; the same for every benchmark.

In a table only complete results of methods that do not see the truth are ranked; partial results, upper bounds and the
figures that papers report stand beneath, each under a heading.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from icvos.errors import plural
from icvos.protocol import Protocol
from icvos.tasks.result import Bootstrap, equal_note, equal_to_truth
from icvos.tasks.video.manifest import IC_VOS
from leaderboard.entry import Entry

Kind = Literal["ranked", "partial", "equal to the truth", "upper bound", "reported"]
KINDS: dict[Kind, str] = {
    "ranked": "Measured",
    "partial": "Partial results: not ranked",
    "equal to the truth": "Equal to the truth: not ranked",
    "upper bound": "Upper bound: sees true masks, not ranked",
    "reported": "Reported in papers, not run here",
}
Figures = Mapping[str, float | int | None]


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Args:
        key: The figure in `Row.figures`; ``interval`` stands for `Row.interval`.
        heading: Its name.
        kind: How its figures are written.
        about: What it is, in words.
        latex: Its name in LaTeX, where that differs.
        better: Which end of it leads; "" where neither does.
        wide: Left out where there is little room.
        shown: Whether it is more than a column of CSV files.
    """

    key: str
    heading: str
    kind: Literal["percent", "count", "seconds", "interval"]
    about: str = ""
    latex: str = ""
    better: Literal["highest", "lowest", ""] = ""
    wide: bool = False
    shown: bool = True


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table.

    Args:
        label: What it is called.
        kind: Where it stands.
        figures: By column; fractions, counts or seconds, None where unknown.
        rank: One more than there are ranked rows that are surely better.
        ties: The ranked rows that nothing separates it from.
        interval: Low and high of the figure that rows are ranked by.
        unsure: Why there is none, in a few words; "" where nothing is known of it.
        notes: Marks of the table's footnotes that concern it.
        best: The columns that it leads.
        entry: The result that it shows; None for a reported row.
        groups: By breakdown and group: the figures of that group, with the count that `Breakdown.noun` names.
        classes_seen: Of a reported row, whether training showed masks of the tested classes; None: unknown.
        provenance: What only this kind of benchmark knows about the run, as names and texts; empty ones are left out.
    """

    label: str
    kind: Kind
    figures: Figures
    rank: int | None = None
    ties: tuple[str, ...] = ()
    interval: tuple[float, float] | None = None
    unsure: str = ""
    notes: tuple[str, ...] = ()
    best: frozenset[str] = frozenset()
    entry: Entry | None = None
    groups: Mapping[str, Mapping[str, Figures]] = field(default_factory=dict)
    classes_seen: bool | None = None
    provenance: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Breakdown:
    """One figure of every measured row in every group.

    Args:
        kind: What a group is: category, source, condition, class.
        measure: The name of the figure.
        noun: What is counted in each group: clips, episodes.
        labels: What the rows are called.
        counts: How many each group has, in the result that has most of them.
        figures: ``figures[group][i]`` belongs to ``labels[i]``; None where it has no such group.
        best: The positions that lead a group.
        page_only: Whether it is too long for text.
    """

    kind: str
    measure: str
    noun: str
    labels: tuple[str, ...]
    counts: dict[str, int]
    figures: dict[str, tuple[float | None, ...]]
    best: dict[str, frozenset[int]]
    page_only: bool = False


@dataclass(frozen=True, slots=True)
class Explanation:
    """What the page says of a kind of benchmark beside IC-VOS, which it always explains.

    Args:
        measures: Terms, and what each means in HTML.
        about: What a protocol does on it, in a sentence.
        apart: What else never shares a table, as the end of a sentence.
        resampled: What else intervals are over, as a part of a sentence.
    """

    measures: tuple[tuple[str, str], ...]
    about: Callable[[Protocol], str]
    apart: str
    resampled: str


@dataclass(frozen=True, slots=True)
class Table:
    """The results of one protocol on one benchmark.

    Args:
        task: The kind of benchmark, a key of `icvos.tasks.task.WINGS`.
        benchmark: Its name.
        protocol: The protocol's id.
        digest: The benchmark's digest; None in the published layout.
        shots: Supports, where a table is restricted to one number of them.
        columns: From left to right, after rank and name.
        measure: The column that rows are ranked by.
        rows: From top to bottom.
        breakdowns: The measured rows by group.
        footnotes: Mark to text, in order of appearance.
        level: The level of the intervals, where they have one in common.
        about: What the protocol does; "" where this icvos does not know it.
        coverage: How much was scored, in words.
        counts: The same for programs.
        facts: The same for the top of a page: term, value, detail.
        explanation: What the page says of a benchmark of images; None for one of videos.
        drawn: Whether the benchmark is drawn, so that nothing reported stands beneath.
    """

    task: str
    benchmark: str
    protocol: str
    digest: str | None
    shots: int | None
    columns: tuple[Column, ...]
    measure: str
    rows: tuple[Row, ...]
    breakdowns: tuple[Breakdown, ...]
    footnotes: dict[str, str]
    level: float | None
    about: str
    coverage: str
    counts: dict[str, int]
    facts: tuple[tuple[str, str, str], ...]
    explanation: Explanation | None = None
    drawn: bool = False

    @property
    def is_papers(self) -> bool:
        """Whether it is of IC-VOS itself, which the page is about, so that headings do not name it."""
        return self.benchmark == IC_VOS

    @property
    def name(self) -> str:
        """The benchmark, and the number of shots where the table is restricted to one."""
        return self.benchmark if self.shots is None else f"{self.benchmark}, {plural(self.shots, 'shot')}"

    @property
    def title(self) -> str:
        """Benchmark, protocol and digest, which say what the figures may be compared with."""
        digest = self.digest[:19] if self.digest else "without a digest (published layout)"
        return f"{self.name}, protocol {self.protocol}, benchmark {digest}"

    @property
    def measured(self) -> tuple[Row, ...]:
        """The rows that come from results, in the order of the table."""
        return tuple(row for row in self.rows if row.entry)

    @property
    def shown(self) -> tuple[Column, ...]:
        """The columns that are not for CSV files alone."""
        return tuple(column for column in self.columns if column.shown)


def row_labels(entries: Sequence[Entry]) -> list[str]:
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
    shots = entry.result.shots
    return "" if shots is None else plural(shots, "shot")


def _revision_detail(entry: Entry) -> str:
    return f"revision {entry.revision}" if entry.revision else ""


def _folder_detail(entry: Entry) -> str:
    return "" if entry.revision else entry.path.resolve().parent.name


def in_order(rows: Iterable[Row], measure: str) -> list[Row]:
    """By kind, then by ``measure``."""
    kinds = list(KINDS)
    return sorted(rows, key=lambda row: (kinds.index(row.kind), -_shown(row.figures[measure] or 0), row.label))


def kind_of(entry: Entry, partial: bool) -> Kind:
    """Where the row of a result stands, ``partial`` or not."""
    if entry.sees_truth:
        return "upper bound"
    if equal_to_truth(entry.result):
        return "equal to the truth"
    return "partial" if partial or entry.withheld else "ranked"


def with_notes(row: Row, partial: str, unsure: str, footnotes: dict[str, str]) -> Row:
    """The row with marks of what must be said beside its figures, which goes into ``footnotes``.

    ``partial`` is what it lacks of the benchmark, in words, and ``unsure`` why it has no interval; "" for neither.
    """
    if row.entry is None:
        return row
    result = row.entry.result
    notes = filter(None, (equal_note(result), partial, row.entry.withheld or result.draws_note, unsure))
    return replace(row, notes=tuple(add_note(footnotes, note) for note in notes))


def add_note(footnotes: dict[str, str], text: str) -> str:
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


def mark_best(rows: Sequence[Row], columns: Sequence[Column]) -> list[Row]:
    """Name in each ranked row the columns that it leads; speed only where all were run on the same device."""
    ranked = [row for row in rows if row.kind == "ranked"]
    if len(ranked) < 2:
        return list(rows)
    one_device = len({row.entry.device for row in ranked if row.entry}) == 1
    best: dict[str, set[str]] = {row.label: set() for row in ranked}
    for column in columns:
        if not column.better or (column.kind == "seconds" and not one_device):
            continue
        known = {row.label: value for row in ranked if (value := row.figures[column.key]) is not None}
        printed = {label: _shown(value) if column.kind == "percent" else value for label, value in known.items()}
        leader = (max if column.better == "highest" else min)(printed.values(), default=None)
        for label, value in printed.items():
            if value == leader:
                best[label].add(column.key)
    return [replace(row, best=frozenset(best[row.label])) if row.kind == "ranked" else row for row in rows]


def _shown(value: float) -> float:
    """A fraction as the tables print it, so that equal prints are equally good."""
    return round(value * 100, 2)


def break_down(
    kind: str,
    rows: Sequence[Row],
    measure: tuple[str, str],
    noun: str,
    order: Sequence[str] | None = None,
    *,
    page_only: bool = False,
) -> Breakdown:
    """The groups called ``kind`` of measured ``rows``.

    Args:
        kind: The key in `Row.groups`.
        rows: Those that have results.
        measure: Key and name of the figure.
        noun: What is counted in each group, as ``clips``; also the key of that count.
        order: All groups that there may be; None: the one with most comes first.
        page_only: Whether it is too long for text.
    """
    key, name = measure
    parts = [row.groups.get(kind, {}) for row in rows]
    counts: dict[str, int] = {}
    for part in parts:
        for group, found in part.items():
            counts[group] = max(counts.get(group, 0), int(found[noun] or 0))
    places = sorted(counts, key=lambda group: (-counts[group], group)) if order is None else order
    groups = [group for group in places if group in counts]
    figures = {group: tuple(part[group][key] if part.get(group) else None for part in parts) for group in groups}
    ranked = [position for position, row in enumerate(rows) if row.kind == "ranked"]
    best = {}
    for group in groups:
        shown = {i: _shown(value) for i in ranked if (value := figures[group][i]) is not None}
        leaders = {i for i, value in shown.items() if value == max(shown.values())} if len(ranked) > 1 else set()
        best[group] = frozenset(leaders)
    labels = tuple(row.label for row in rows)
    return Breakdown(kind, name, noun, labels, {group: counts[group] for group in groups}, figures, best, page_only)


def common_level(intervals: Iterable[Bootstrap | None]) -> float | None:
    """The level of the intervals, where they have one in common."""
    levels = {interval.level for interval in intervals if interval is not None}
    return levels.pop() if len(levels) == 1 else None
