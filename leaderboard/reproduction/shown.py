"""What `icvos reproduce` shows: the rows with figures and costs, what came out, what is lacking, and the commands."""

from collections.abc import Iterator

from icvos.tasks.listing import Listing
from leaderboard.paper.tables import PAPER, PaperTable
from leaderboard.reproduction.costs import ASSUMPTION
from leaderboard.reproduction.rows import Line

UNITS = {"parameters": "M parameters", "gmacs": "G MACs", "j": "J", "f": "F", "jf": "J&F", "miou": "mIoU"}


def shown(table: PaperTable, lines: list[Line], *, with_commands: bool) -> Iterator[Listing | str]:
    """Tables and lines to print, in their order."""
    yield f"{table.number} of {PAPER}"
    lacks = list(dict.fromkeys(lack for line in lines for lack in line.needs.lacks))
    yield plan(table, lines, lacks)
    if any(line.outcome for line in lines):
        yield outcomes(table, lines)
    for number, lack in enumerate(lacks, start=1):
        yield f"lacking {number}: {lack}"
    if any(line.gpu_hours for line in lines):
        yield f"memory and hours: {ASSUMPTION}"
    for note in (*table.notes, *(f"{line.row.name}: {text}" for line in lines for text in line.remarks)):
        yield f"note: {note}"
    for line in lines if with_commands else ():
        if line.commands:
            needs = ", ".join(line.needs.weights)
            yield f"\n# {line.row.name}, on {table.benchmark_of(line.row)}: needs {needs}"
            yield "\n".join(map(str, line.commands))


def plan(table: PaperTable, lines: list[Line], lacks: list[str]) -> Listing:
    """The printed figures, what they cost and whether they can be made here."""
    several = len({table.benchmark_of(row) for row in table.rows}) > 1
    rows = []
    for line in lines:
        printed = table.printed(line.row)
        missing = ", ".join(map(str, sorted(lacks.index(lack) + 1 for lack in line.needs.lacks)))
        state = f"lacks {missing}" if line.state == "lacking" else line.state
        cost = (_figure(line.gpu_gib, "over {:.0f} GiB"), _figure(line.gpu_hours, "{:,.0f}"))
        where = (table.benchmark_of(line.row),) if several else ()
        name = line.row.name + (f", {line.row.shots} shots" if line.row.shots > 1 else "")
        rows.append((name, *where, *(figure(key, printed.get(key)) for key in table.columns), *cost, state))
    heads = ("row", *(("benchmark",) if several else ()), *map(heading, table.columns))
    return Listing(f"{table.title}: as printed", (*heads, "GPU memory", "GPU hours", "here"), tuple(rows))


def outcomes(table: PaperTable, lines: list[Line]) -> Listing:
    """What came out / what is printed, the differences, and the interval of the last score."""
    rows = []
    for line in lines:
        if line.outcome is None:
            continue
        printed, found = table.printed(line.row), line.outcome.figures
        apart = line.outcome.differences(table, line.row)
        cells = []
        for key in table.columns:
            own = figure(key, found.get(key)) or "not run here"
            cells += [
                f"{own} / {figure(key, printed[key])}" if key in printed else own,
                _figure(apart.get(key), "{:+.2f}"),
            ]
        interval = line.outcome.interval
        rows.append((line.row.name, *cells, f"{interval[0]:.2f} to {interval[1]:.2f}" if interval else ""))
    heads = [text for key in table.columns for text in (heading(key), "+-")]
    return Listing("made here / printed", ("row", *heads, "95 % interval"), tuple(rows))


def heading(key: str) -> str:
    """What a column is called."""
    return UNITS.get(key) or key.replace("_", " ")


def figure(key: str, value: float | None) -> str:
    """A figure as its column shows it; "" for none."""
    return _figure(value, "{:.3f}" if key in ("parameters", "gmacs") else "{:.2f}")


def _figure(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)
