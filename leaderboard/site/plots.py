"""What a figure costs, drawn: plots of a table's figure against seconds and against parameters, as places for SVG."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from icvos.errors import printable
from leaderboard.tables.formats import percent
from leaderboard.tables.shape import Row, Table

WIDTH, HEIGHT = 720, 340
LEFT, RIGHT, TOP, BOTTOM = 56, 700, 14, 296
LETTER_PX, LINE_PX = 7.2, 15  # what a letter of a label takes, and a line
MOST_LABELS = 24
LONGEST_LABEL = 28


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
class Plot:
    """A figure against what it costs, which has a logarithmic scale; ticks are (place, text)."""

    title: str
    about: str
    points: tuple[Point, ...]
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
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
        found.append(_plot(table, measure, costs, seconds.about, "s"))
    parameters = [row.entry.facts.parameters if row.entry else None for row in table.rows]
    in_millions = [count / 1e6 if count else None for count in parameters]
    found.append(_plot(table, measure, in_millions, "millions of parameters", "M"))
    return [plot for plot in found if plot is not None]


def _plot(table: Table, measure: str, costs: Sequence[float | None], what: str, unit: str) -> Plot | None:
    known = [
        (place, row, cost, 100 * figure)
        for place, (row, cost) in enumerate(zip(table.rows, costs, strict=True))
        if row.entry and cost and (figure := row.figures[table.measure]) is not None
    ]
    if len(known) < 2:
        return None
    x_ticks = _powers(min(cost for _, _, cost, _ in known), max(cost for _, _, cost, _ in known))
    y_ticks = _steps(min(figure for *_, figure in known), max(figure for *_, figure in known))
    low, high = math.log(x_ticks[0]), math.log(x_ticks[-1])
    points = [
        Point(
            place,
            row.kind.replace(" ", "-"),
            round(LEFT + (math.log(cost) - low) / (high - low) * (RIGHT - LEFT), 1),
            round(_height(figure, y_ticks), 1),
            f"{printable(row.label, 80)}: {percent(figure / 100)} at {cost:.3g} {unit}",
        )
        for place, row, cost, figure in known
    ]
    names = {place: _name(row) for place, row, _, _ in known}
    return Plot(
        f"{measure}, per cent, against {what}; hollow: not ranked",
        f"{measure} against {what}, {len(points)} results; the table has the figures",
        tuple(_labelled(points, names)),
        tuple(
            (round(LEFT + (math.log(tick) - low) / (high - low) * (RIGHT - LEFT), 1), f"{tick:g} {unit}")
            for tick in x_ticks
        ),
        tuple((round(_height(tick, y_ticks), 1), f"{tick:g}") for tick in y_ticks),
    )


def _height(figure: float, ticks: Sequence[float]) -> float:
    return BOTTOM - (figure - ticks[0]) / (ticks[-1] - ticks[0]) * (BOTTOM - TOP)


def _name(row: Row) -> str:
    return printable(row.label, LONGEST_LABEL)


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


def _labelled(points: Sequence[Point], names: dict[int, str]) -> Iterator[Point]:
    """The points, the best ones with their names as long as there is room: no name lies over another, or a point."""
    taken = [(point.x - 6, point.x + 6, point.y) for point in points]
    named: dict[int, Point] = {}
    for point in sorted(points, key=lambda point: point.y)[:MOST_LABELS]:
        width = LETTER_PX * len(names[point.row])
        for before in (False, True):
            start = point.x - 9 - width if before else point.x + 9
            box = (start, start + width, point.y)
            if start > LEFT and start + width < RIGHT + 12 and not any(_meet(box, other) for other in taken):
                named[point.row] = Point(point.row, point.kind, point.x, point.y, point.about, names[point.row], before)
                taken.append(box)
                break
    return (named.get(point.row, point) for point in points)


def _meet(one: tuple[float, float, float], other: tuple[float, float, float]) -> bool:
    return one[0] < other[1] and other[0] < one[1] and abs(one[2] - other[2]) < LINE_PX
