"""The leaderboard's tables as text: for the terminal, Markdown, CSV and LaTeX, names in results escaped for each."""

import csv
import io
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from icvos.errors import printable
from icvos.files.cells import cell as spreadsheet_cell
from leaderboard.tables.shape import KINDS, Breakdown, Column, Figures, Kind, Row, Table

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

DASH = "–"
MAX_CELL = 300  # characters of a text in a table
FIGURE_WIDTH, INTERVAL_WIDTH, MAX_LABEL_WIDTH, PADDING = 5, 11, 24, 3  # characters of columns of a terminal


def percent(value: float | None) -> str:
    """A fraction as per cent with two decimals."""
    return DASH if value is None else f"{value * 100:.2f}"


def seconds(value: float | None) -> str:
    """Seconds with two decimals, three below a tenth."""
    return DASH if value is None else f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def count(value: float | None) -> str:
    """A count with separators."""
    return DASH if value is None else f"{value:,}"


def level(table: Table) -> str:
    """The heading of the interval column."""
    return "interval" if table.level is None else f"{table.level * 100:g} % interval"


def cell(row: Row, column: Column) -> str:
    """A figure of a row as text."""
    if column.kind == "interval":
        return f"{percent(row.interval[0])}–{percent(row.interval[1])}" if row.interval else row.unsure or DASH
    return {"percent": percent, "seconds": seconds, "count": count}[column.kind](row.figures[column.key])


def groups(table: Table) -> list[tuple[Kind, list[Row]]]:
    """The rows under their headings, without empty ones."""
    found: list[tuple[Kind, list[Row]]] = [(kind, [row for row in table.rows if row.kind == kind]) for kind in KINDS]
    return [(kind, rows) for kind, rows in found if rows]


def _cells(table: Table, row: Row, bold: Callable[[str], str]) -> list[str]:
    """The figures of a row, without its name; ``bold`` is put around those that lead their column."""
    texts = [(column.key, cell(row, column)) for column in table.shown]
    return [bold(text) if key in row.best else text for key, text in texts]


def _headings(table: Table) -> list[str]:
    return [level(table) if column.kind == "interval" else column.heading for column in table.shown]


def _in_text(table: Table) -> list[Breakdown]:
    return [part for part in table.breakdowns if part.figures and not part.page_only]


def _shown(text: str) -> str:
    """A text from a result, for any table: nothing that hides or steers, and of bounded width."""
    return printable(text, MAX_CELL)


# Terminal


def terminal(tables: Sequence[Table], *, breakdowns: bool = True) -> "RenderableType":
    """The tables for a rich console."""
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = []
    for table in tables:
        parts.append(_terminal_table(table))
        parts += [Text(f"[{mark}] {_shown(text)}", style="dim") for mark, text in table.footnotes.items()]
        if breakdowns:
            parts += [_TerminalBreakdown(part) for part in _in_text(table)]
        parts.append(Text(""))
    return Group(*parts)


def _terminal_table(table: Table) -> "RenderableType":
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    title = Text(f"{_shown(table.title)}\n{_shown(table.coverage)}", style="bold")
    padding = (0, 1 if len(table.shown) <= 8 else 0, 0, 0)  # many columns get closer, to fit a terminal of 80
    grid = RichTable(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=padding, pad_edge=False)
    grid.add_column(Text("#"), justify="right", no_wrap=True)
    grid.add_column(Text("Method"), min_width=14, overflow="fold")  # wraps, but is never squeezed out
    for column, heading in zip(table.shown, _headings(table), strict=True):
        two_lines = heading
        for end in ("% ", "s/", "Fold ", "FB-"):
            two_lines = two_lines.replace(end, f"{end.rstrip()}\n")
        # why there is no interval takes two lines, lest figures beside it be cut off
        widest = INTERVAL_WIDTH if column.kind == "interval" else None
        grid.add_column(Text(two_lines), justify="right", no_wrap=not widest, max_width=widest, overflow="fold")
    for kind, rows in groups(table):
        if kind != "ranked":
            grid.add_row(Text(""), Text(KINDS[kind], style="italic dim"))
        for row in rows:
            marks = f" [{','.join(row.notes)}]" if row.notes else ""
            name = Text.assemble(Text(_shown(row.label), style="" if kind == "ranked" else "dim"), (marks, "dim"))
            figures = [Text.from_ansi(text) for text in _cells(table, row, _ansi_bold)]
            grid.add_row(Text(str(row.rank or "")), name, *figures)
        grid.add_section()
    return grid


def _ansi_bold(text: str) -> str:
    return f"\x1b[1m{text}\x1b[0m"


@dataclass(frozen=True, slots=True)
class _TerminalBreakdown:
    """A breakdown for a rich console, in blocks of as many results as the console is wide."""

    part: Breakdown

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "RenderResult":
        part = self.part
        widths = [min(max(len(_shown(label)), FIGURE_WIDTH), MAX_LABEL_WIDTH) for label in part.labels]
        longest = max(len(text) for text in (part.kind, *map(_shown, part.figures)))
        counts = max(len(text) for text in (part.noun, *(count(part.counts[key]) for key in part.figures)))
        room = options.max_width - longest - counts - 2 * PADDING - 1
        block: list[int] = []
        for place, width in enumerate(widths):
            if block and sum(widths[other] + PADDING for other in block) + width + PADDING > room:
                yield self._block(block)
                block = []
            block.append(place)
        yield self._block(block)

    def _block(self, places: Sequence[int]) -> "RenderableType":
        from rich import box
        from rich.table import Table as RichTable
        from rich.text import Text

        part = self.part
        title = f"\n{part.measure} by {part.kind}{', continued' if places[:1] != [0] else ''}"
        grid = RichTable(title=Text(title, style="bold"), title_justify="left", box=box.SIMPLE_HEAD)
        grid.add_column(part.kind, overflow="fold")
        grid.add_column(part.noun, justify="right")
        for place in places:
            grid.add_column(
                Text(_shown(part.labels[place])), justify="right", overflow="fold", max_width=MAX_LABEL_WIDTH
            )
        for key, figures in part.figures.items():
            best = part.best[key]
            cells = [Text(percent(figures[place]), style="bold" if place in best else "") for place in places]
            grid.add_row(Text(_shown(key)), count(part.counts[key]), *cells)
        return grid


def terminal_text(tables: Sequence[Table], *, breakdowns: bool = True) -> str:
    """What `terminal` shows, as plain text without colours, 120 columns wide."""
    from rich.console import Console

    console = Console(file=io.StringIO(), width=120, record=True, color_system=None)
    console.print(terminal(tables, breakdowns=breakdowns))
    return "\n".join(line.rstrip() for line in console.export_text().splitlines()).rstrip() + "\n"


# Markdown


def markdown(tables: Sequence[Table], *, breakdowns: bool = True) -> str:
    """The tables in GitHub's Markdown."""
    return "\n".join(line for table in tables for line in _markdown_table(table, breakdowns))


def _markdown_table(table: Table, breakdowns: bool) -> Iterable[str]:
    yield f"### {_markdown(table.title)}"
    yield ""
    yield f"{_shown(table.coverage)}{'; ' + table.about if table.about else ''}."
    yield ""
    headings = ["#", "Method", *_headings(table)]
    yield from _markdown_grid(headings, "rl" + "r" * len(table.shown), _markdown_rows(table))
    yield ""
    for mark, text in table.footnotes.items():
        yield f"<sup>{mark}</sup> {_markdown(text)}  "
    if table.footnotes:
        yield ""
    for part in _in_text(table) if breakdowns else ():
        yield f"{_markdown(part.measure)} by {part.kind}:"
        yield ""
        yield from _markdown_grid(
            [part.kind, part.noun, *map(_markdown, part.labels)],
            "lr" + "r" * len(part.labels),
            (
                [_markdown(key), count(part.counts[key]), *_breakdown_cells(part, key, _markdown_bold)]
                for key in part.figures
            ),
        )
        yield ""


def _markdown_rows(table: Table) -> Iterable[list[str]]:
    for kind, rows in groups(table):
        if kind != "ranked":
            yield ["", f"*{KINDS[kind]}*", *[""] * len(table.shown)]
        for row in rows:
            marks = f" <sup>{','.join(row.notes)}</sup>" if row.notes else ""
            yield [str(row.rank or ""), _markdown(row.label) + marks, *_cells(table, row, _markdown_bold)]


def _markdown_grid(headings: Sequence[str], align: str, rows: Iterable[Sequence[str]]) -> Iterable[str]:
    yield f"| {' | '.join(headings)} |"
    yield f"|{'|'.join('---:' if side == 'r' else ':---' for side in align)}|"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _markdown_bold(text: str) -> str:
    return f"**{text}**"


def _markdown(text: str) -> str:
    escaped = re.sub(r"([\\`*_{}\[\]#|~$])", r"\\\1", _shown(text))
    escaped = escaped.replace("://", ":\\//").replace("www.", "www\\.")  # which would become links
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _breakdown_cells(part: Breakdown, key: str, bold: Callable[[str], str]) -> list[str]:
    texts = [percent(value) for value in part.figures[key]]
    return [bold(text) if position in part.best[key] else text for position, text in enumerate(texts)]


# CSV


def csv_text(tables: Sequence[Table], *, breakdowns: bool = True) -> str:
    """One tidy table with the columns of all ``tables``; figures in per cent.

    ``group`` is overall, or what the row is a part of: source, category, condition, fold, class; ``key`` says which.
    """
    columns = list(dict.fromkeys(key for table in tables for key in _csv_columns(table)))
    head = ("benchmark", "protocol", "digest", "group", "key", "kind", "rank", "method", "revision")
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, (*head, *columns, "notes"), restval="", lineterminator="\n")
    writer.writeheader()
    for table in tables:
        for row in table.rows:
            base = _csv_base(table, row)
            writer.writerow(base | _csv_overall(table, row))
            for group, members in row.groups.items() if breakdowns else ():
                for key, figures in members.items():
                    writer.writerow(base | {"group": group, "key": _csv(key), **_csv_figures(table, figures)})
    return buffer.getvalue()


def _csv_columns(table: Table) -> list[str]:
    """The keys of a table's columns, the interval's as two."""
    bounds = [f"{table.measure}_low", f"{table.measure}_high"]
    return [key for column in table.columns for key in (bounds if column.kind == "interval" else [column.key])]


def _csv_base(table: Table, row: Row) -> dict[str, object]:
    repeated = ("shots", "draws")  # of the whole row, whatever the group
    return {
        "benchmark": _csv(table.benchmark),
        "protocol": table.protocol,
        "digest": table.digest or "",
        "kind": row.kind,
        "method": _csv(row.label),
        "revision": _csv(row.entry.revision) if row.entry else "",
        **{key: value for key in repeated if (value := row.figures.get(key)) is not None},
    }


def _csv_figures(table: Table, figures: Figures) -> dict[str, object]:
    """The figures of a row or of a part of it that the table has columns for."""
    texts: dict[str, object] = {}
    for column in table.columns:
        value = figures.get(column.key)
        if value is not None and column.kind != "interval":
            texts[column.key] = {"percent": percent(value), "seconds": f"{value:.4f}"}.get(column.kind, value)
    return texts


def _csv_overall(table: Table, row: Row) -> dict[str, object]:
    low, high = row.interval or (None, None)
    bounds = {f"{table.measure}_low": low, f"{table.measure}_high": high}
    return {
        "group": "overall",
        "rank": row.rank or "",
        **_csv_figures(table, row.figures),
        **{key: percent(value) for key, value in bounds.items() if value is not None},
        "notes": _csv("; ".join(table.footnotes[mark] for mark in row.notes)),
    }


def _csv(text: str) -> str:
    return spreadsheet_cell(_shown(text))


# LaTeX


def latex(tables: Sequence[Table], *, breakdowns: bool = True) -> str:
    r"""The tables for LaTeX with ``\usepackage{booktabs}``."""
    lines = ["% needs \\usepackage{booktabs}"]
    for table in tables:
        lines += ["", *_latex_table(table)]
        for part in _in_text(table) if breakdowns else ():
            lines += ["", *_latex_breakdown(table, part)]
    return "\n".join(lines) + "\n"


def _latex_table(table: Table) -> Iterable[str]:
    headings = zip(table.shown, _headings(table), strict=True)
    columns = ["Method", *(column.latex or _latex(heading) for column, heading in headings)]
    sides = "".join("c" if column.kind == "interval" else "r" for column in table.shown)
    yield from (r"\begin{table}", r"\centering", rf"\caption{{{_latex(table.title)}. {_latex(table.coverage)}.}}")
    yield from (rf"\begin{{tabular}}{{l{sides}}}", r"\toprule", " & ".join(columns) + r" \\")
    for kind, rows in groups(table):
        yield r"\midrule"
        if kind != "ranked":
            yield rf"\multicolumn{{{len(columns)}}}{{l}}{{\emph{{{_latex(KINDS[kind])}}}}} \\"
        for row in rows:
            marks = f"$^{{{','.join(row.notes)}}}$" if row.notes else ""
            cells = [text.replace("–", "--") for text in _cells(table, row, _latex_bold)]
            yield " & ".join([_latex(row.label) + marks, *cells]) + r" \\"
    yield from (r"\bottomrule", r"\end{tabular}")
    if table.footnotes:
        yield r"\par\smallskip\footnotesize"
        notes = [f"$^{{{mark}}}$ {_latex(text)}." for mark, text in table.footnotes.items()]
        yield " ".join(notes)
    yield r"\end{table}"


def _latex_breakdown(table: Table, part: Breakdown) -> Iterable[str]:
    yield from (r"\begin{table}", r"\centering")
    measure = next((column.latex for column in table.columns if column.heading == part.measure), "")
    yield rf"\caption{{{measure or _latex(part.measure)} by {part.kind}. {_latex(table.title)}.}}"
    yield rf"\begin{{tabular}}{{lr{'r' * len(part.labels)}}}"
    yield from (r"\toprule", " & ".join([part.kind, part.noun, *map(_latex, part.labels)]) + r" \\", r"\midrule")
    for key in part.figures:
        cells = [text.replace("–", "--") for text in _breakdown_cells(part, key, _latex_bold)]
        yield " & ".join([_latex(key), str(part.counts[key]), *cells]) + r" \\"
    yield from (r"\bottomrule", r"\end{tabular}", r"\end{table}")


def _latex_bold(text: str) -> str:
    return rf"\textbf{{{text}}}"


_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "[": "{[}",  # behind a row's end, a bracket or a star would be taken for its option
    "*": "{*}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}


def _latex(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in _shown(text))
