"""A table's figure, drawn: against what it costs, at the first frame and after it, and by length; places for SVG."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from icvos.errors import printable
from leaderboard.tables.formats import percent
from leaderboard.tables.shape import Row, Table

WIDTH, HEIGHT = 720, 340
LEFT, RIGHT, TOP, BOTTOM = 56, 700, 14, 296
LETTER_PX, LINE_PX = 7.2, 15  # what a letter of a label takes, and a line
MOST_LABELS = 24
LONGEST_LABEL = 28
LONGEST_BEHIND = 20  # of a name behind a line
MOST_LINES = 6  # as many as there are colours
FIRST, AFTER, LENGTH = "the first frame", "the frames after it", "length: "  # conditions of `leaderboard.tables.video`


@dataclass(frozen=True, slots=True)
class Point:
    """One result: its place, and its name where there is room for it, ``before`` the point or behind it."""

    row: int
    kind: str
    x: float
    y: float
    about: str
    label: str = ""
    before: bool = False

    @property
    def label_x(self) -> float:
        """Where the name begins, or ends."""
        return self.x - 9 if self.before else self.x + 9


@dataclass(frozen=True, slots=True)
class Line:
    """A line through the points of one result, with its name behind it; with ``row`` None one to read a plot by."""

    row: int | None
    path: str
    kind: str
    label: str = ""
    label_x: float = 0
    label_y: float = 0


@dataclass(frozen=True, slots=True)
class Axis:
    """From ``start`` to ``end``, where the first and the last of the ticks lie."""

    ticks: tuple[float, ...]
    start: float
    end: float
    unit: str = ""
    logarithmic: bool = False

    def place(self, value: float) -> float:
        """Where a value lies."""
        value, first, last = (math.log(x) if self.logarithmic else x for x in (value, self.ticks[0], self.ticks[-1]))
        return round(self.start + (value - first) / (last - first) * (self.end - self.start), 1)

    @property
    def marks(self) -> tuple[tuple[float, str], ...]:
        """The ticks as (place, text)."""
        return tuple((self.place(tick), f"{tick:g}{self.unit}") for tick in self.ticks)


@dataclass(frozen=True, slots=True)
class Plot:
    """A figure against something else; ticks are (place, text)."""

    title: str
    about: str
    points: tuple[Point, ...]
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    lines: tuple[Line, ...] = ()
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = RIGHT
    top: int = TOP
    bottom: int = BOTTOM


def plots(table: Table) -> list[Plot]:
    """The plots that at least two results of a table have figures for."""
    measure = next(column.heading for column in table.columns if column.key == table.measure)
    seconds = next((column for column in table.columns if column.kind == "seconds"), None)
    found = []
    if seconds is not None:
        costs = [row.figures[seconds.key] for row in table.rows]
        found.append(_costs(table, measure, costs, seconds.about, "s"))
    parameters = [row.entry.facts.parameters if row.entry else None for row in table.rows]
    in_millions = [count / 1e6 if count else None for count in parameters]
    found.append(_costs(table, measure, in_millions, "millions of parameters", "M"))
    found += [_propagation(table, measure), _lengths(table, measure)]
    return [plot for plot in found if plot is not None]


def _costs(table: Table, measure: str, costs: Sequence[float | None], what: str, unit: str) -> Plot | None:
    """The figure against what it costs."""
    known = [
        (place, cost, 100 * figure)
        for place, (row, cost) in enumerate(zip(table.rows, costs, strict=True))
        if row.entry and cost and (figure := row.figures[table.measure]) is not None
    ]
    if len(known) < 2:
        return None
    powers = _powers(min(cost for _, cost, _ in known), max(cost for _, cost, _ in known))
    x = Axis(tuple(powers), LEFT, RIGHT, f" {unit}", logarithmic=True)
    y = _upwards([figure for *_, figure in known])
    points = [
        _point(table, place, x.place(cost), y.place(figure), f"{percent(figure / 100)} at {cost:.3g} {unit}")
        for place, cost, figure in known
    ]
    title = f"{measure}, per cent, against {what}; hollow: not ranked"
    about = f"{measure} against {what}, {len(points)} results; the table has the figures"
    return Plot(title, about, tuple(_labelled(points, table.rows)), x.marks, y.marks)


def _propagation(table: Table, measure: str) -> Plot | None:
    """The figure of the first frames, where the prompt decides, against that of the frames after them."""
    pairs = [(_condition(table, row, FIRST), _condition(table, row, AFTER)) for row in table.rows]
    known = [
        (place, first, after) for place, (first, after) in enumerate(pairs) if first is not None and after is not None
    ]
    if len(known) < 2:
        return None
    x = Axis(tuple(_steps(min(first for _, first, _ in known), max(first for _, first, _ in known))), LEFT, RIGHT)
    y = _upwards([after for *_, after in known])
    points = [
        _point(table, place, x.place(first), y.place(after), f"{first:.2f} in the first frame, {after:.2f} after it")
        for place, first, after in known
    ]
    low, high = max(x.ticks[0], y.ticks[0]), min(x.ticks[-1], y.ticks[-1])
    same = Line(None, f"M{x.place(low)} {y.place(low)}L{x.place(high)} {y.place(high)}", "diagonal")
    title = (
        f"{measure} of the frames after the first, per cent, against that of the first frame that shows the category; "
        "dashed: as good after it"
    )
    about = f"{measure} after the first frame against that of the first frame, {len(points)} results"
    labelled = tuple(_labelled(points, table.rows))
    return Plot(title, about, labelled, x.marks, y.marks, (same,) if low < high else ())


def _lengths(table: Table, measure: str) -> Plot | None:
    """The figure by length of the clips, a line for each of the first results that have it for several lengths."""
    conditions = next((part.figures for part in table.breakdowns if part.kind == "condition"), {})
    names = [name for name in conditions if name.startswith(LENGTH)]
    figures = {place: [_condition(table, row, name) for name in names] for place, row in enumerate(table.rows)}
    shown = [place for place, own in figures.items() if len(own) - own.count(None) > 1][:MOST_LINES]
    if len(shown) < 2:
        return None
    x = Axis((0, len(names) - 1), LEFT + 40, RIGHT - 160)
    y = _upwards([figure for place in shown for figure in figures[place] if figure is not None])
    points = [
        replace(
            _point(table, place, x.place(k), y.place(figure), f"{figure:.2f} on clips of {name.removeprefix(LENGTH)}"),
            kind=f"ranked line-{shown.index(place)}",
        )
        for place in shown
        for k, (name, figure) in enumerate(zip(names, figures[place], strict=True))
        if figure is not None
    ]
    ticks = tuple((x.place(k), name.removeprefix(LENGTH).replace(" frames", "")) for k, name in enumerate(names))
    title = f"{measure}, per cent, by the number of frames of the clips"
    first = f" of the first {len(shown)} results" if len(shown) == MOST_LINES else f" of {len(shown)} results"
    lines = tuple(_lines(table, points, shown))
    return Plot(f"{title},{first}", f"{measure} by length of the clips", tuple(points), ticks, y.marks, lines)


def _lines(table: Table, points: Sequence[Point], shown: Sequence[int]) -> Iterator[Line]:
    """Through the points of each result, with names that keep clear of one another behind their last points."""
    height = -math.inf
    last = {place: [point for point in points if point.row == place][-1] for place in shown}
    for place in sorted(shown, key=lambda place: last[place].y):
        height = max(last[place].y + 4, height + LINE_PX)
        path = "L".join(f"{point.x} {point.y}" for point in points if point.row == place)
        name = printable(table.rows[place].label, LONGEST_BEHIND)
        yield Line(place, f"M{path}", f"line-{shown.index(place)}", name, RIGHT - 148, height)


def _condition(table: Table, row: Row, name: str) -> float | None:
    """A result's figure under a condition, in per cent."""
    figure = row.groups.get("condition", {}).get(name, {}).get(table.measure)
    return None if figure is None else 100 * figure


def _point(table: Table, place: int, x: float, y: float, about: str) -> Point:
    row = table.rows[place]
    return Point(place, row.kind.replace(" ", "-"), x, y, f"{printable(row.label, 80)}: {about}")


def _upwards(figures: Sequence[float]) -> Axis:
    """The axis of figures in per cent."""
    return Axis(tuple(_steps(min(figures), max(figures))), BOTTOM, TOP)


def _powers(low: float, high: float) -> list[float]:
    """1, 2 and 5 times powers of ten, from the last that is not above ``low`` to the first that is above ``high``.

    >>> _powers(0.3, 4)
    [0.2, 0.5, 1.0, 2.0, 5.0]
    """
    every = [
        float(f"{digit}e{power}")
        for power in range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2)
        for digit in (1, 2, 5)
    ]
    first = max(tick for tick in every if tick <= low)
    last = min(tick for tick in every if tick > high)
    ticks = [tick for tick in every if first <= tick <= last]
    tens = [tick for tick in ticks if f"{tick:e}".startswith("1")]
    return ticks if len(ticks) <= 8 else sorted({first, *tens, last})


def _steps(low: float, high: float) -> list[float]:
    """Round per cents around two figures.

    >>> _steps(43.2, 61.7)
    [40.0, 45.0, 50.0, 55.0, 60.0, 65.0]
    """
    step = next(step for step in (0.5, 1, 2, 5, 10, 20, 50) if (high - low) / step <= 6)
    first, last = math.floor(low / step), max(math.floor(low / step) + 1, math.ceil(high / step))
    return [float(step * number) for number in range(first, last + 1)]


def _labelled(points: Sequence[Point], rows: Sequence[Row]) -> Iterator[Point]:
    """The points, the best ones with their names as long as there is room: no name lies over another, or a point."""
    taken = [(point.x - 6, point.x + 6, point.y) for point in points]
    named: dict[int, Point] = {}
    for point in sorted(points, key=lambda point: point.y)[:MOST_LABELS]:
        name = printable(rows[point.row].label, LONGEST_LABEL)
        width = LETTER_PX * len(name)
        for before in (False, True):
            start = point.x - 9 - width if before else point.x + 9
            box = (start, start + width, point.y)
            if start > LEFT and start + width < RIGHT + 12 and not any(_meet(box, other) for other in taken):
                named[point.row] = replace(point, label=name, before=before)
                taken.append(box)
                break
    return (named.get(point.row, point) for point in points)


def _meet(one: tuple[float, float, float], other: tuple[float, float, float]) -> bool:
    return one[0] < other[1] and other[0] < one[1] and abs(one[2] - other[2]) < LINE_PX
