"""The leaderboard's tables as text: for the terminal, Markdown, CSV and LaTeX, names in results escaped for each."""

import csv
import io
import re
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from leaderboard.tables import KINDS, Breakdown, Kind, Row, Table

if TYPE_CHECKING:
    from rich.console import RenderableType

HEADINGS = ("#", "Method", "Shots", "Draws", "J", "F", "J&F", "Interval", "Clips", "s/frame")
DASH = "–"


def percent(value: float | None) -> str:
    """A fraction as per cent with two decimals."""
    return DASH if value is None else f"{value * 100:.2f}"


def seconds(value: float | None) -> str:
    """Seconds with two decimals, three below a tenth."""
    return DASH if value is None else f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def count(value: int | None) -> str:
    """A count with separators."""
    return DASH if value is None else f"{value:,}"


def level(table: Table) -> str:
    """The heading of the interval column."""
    return "interval" if table.level is None else f"{table.level * 100:g} % interval"


def groups(table: Table) -> list[tuple[Kind, list[Row]]]:
    """The rows under their headings, without empty ones."""
    found: list[tuple[Kind, list[Row]]] = [(kind, [row for row in table.rows if row.kind == kind]) for kind in KINDS]
    return [(kind, rows) for kind, rows in found if rows]


def _cells(row: Row, bold: Callable[[str], str]) -> list[str]:
    """The figures of a row, without its name; ``bold`` is put around those that lead their column."""

    def figure(key: str, text: str) -> str:
        return bold(text) if key in row.best else text

    interval = DASH if row.interval is None else f"{percent(row.interval[0])}–{percent(row.interval[1])}"
    return [
        DASH if row.shots is None else str(row.shots),
        DASH if row.draws is None else str(row.draws),
        figure("j", percent(row.j)),
        figure("f", percent(row.f)),
        figure("jf", percent(row.jf)),
        interval,
        count(row.clips),
        figure("seconds_per_frame", seconds(row.seconds_per_frame)),
    ]


def _headings(table: Table) -> list[str]:
    return [level(table) if heading == "Interval" else heading for heading in HEADINGS]


# Terminal


def terminal(tables: Sequence[Table], *, breakdowns: bool = True) -> "RenderableType":
    """The tables for a rich console."""
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = []
    for table in tables:
        parts.append(_terminal_table(table))
        parts += [Text(f"[{mark}] {text}", style="dim") for mark, text in table.footnotes.items()]
        if breakdowns:
            parts += [_terminal_breakdown(part) for part in (table.sources, table.categories) if part.figures]
        parts.append(Text(""))
    return Group(*parts)


def _terminal_table(table: Table) -> "RenderableType":
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    title = Text(f"{table.title}\n{table.coverage}", style="bold")
    grid = RichTable(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for position, heading in enumerate(_headings(table)):
        if position == 1:  # the names wrap, but are never squeezed out of a narrow terminal
            grid.add_column(Text(heading), min_width=14, overflow="fold")
        else:
            two_lines = heading.replace("% ", "%\n").replace("s/", "s/\n")
            grid.add_column(Text(two_lines), justify="right", no_wrap=True)
    for kind, rows in groups(table):
        if kind != "ranked":
            grid.add_row(Text(""), Text(KINDS[kind], style="italic dim"))
        for row in rows:
            marks = f" [{','.join(row.notes)}]" if row.notes else ""
            name = Text.assemble(Text(row.label, style="" if kind == "ranked" else "dim"), (marks, "dim"))
            figures = [Text.from_ansi(cell) for cell in _cells(row, _ansi_bold)]
            grid.add_row(Text(str(row.rank or "")), name, *figures)
        grid.add_section()
    return grid


def _ansi_bold(text: str) -> str:
    return f"\x1b[1m{text}\x1b[0m"


def _terminal_breakdown(part: Breakdown) -> "RenderableType":
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    grid = RichTable(title=Text(f"\nJ&F by {part.kind}", style="bold"), title_justify="left", box=box.SIMPLE_HEAD)
    grid.add_column(part.kind)
    grid.add_column("clips", justify="right")
    for label in part.labels:
        grid.add_column(Text(label), justify="right", overflow="fold")
    for key, figures in part.figures.items():
        cells = [Text(percent(value), style="bold" if i in part.best[key] else "") for i, value in enumerate(figures)]
        grid.add_row(Text(key), count(part.clips[key]), *cells)
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
    yield f"{table.coverage}{'; ' + table.about if table.about else ''}."
    yield ""
    yield from _markdown_grid(_headings(table), "rl" + "r" * 8, _markdown_rows(table))
    yield ""
    for mark, text in table.footnotes.items():
        yield f"<sup>{mark}</sup> {_markdown(text)}  "
    if table.footnotes:
        yield ""
    for part in (table.sources, table.categories) if breakdowns else ():
        if part.figures:
            yield f"J&amp;F by {part.kind}:"
            yield ""
            yield from _markdown_grid(
                [part.kind, "clips", *map(_markdown, part.labels)],
                "lr" + "r" * len(part.labels),
                (
                    [_markdown(key), count(part.clips[key]), *_breakdown_cells(part, key, _markdown_bold)]
                    for key in part.figures
                ),
            )
            yield ""


def _markdown_rows(table: Table) -> Iterable[list[str]]:
    for kind, rows in groups(table):
        if kind != "ranked":
            yield ["", f"*{KINDS[kind]}*", *[""] * 8]
        for row in rows:
            marks = f" <sup>{','.join(row.notes)}</sup>" if row.notes else ""
            yield [str(row.rank or ""), _markdown(row.label) + marks, *_cells(row, _markdown_bold)]


def _markdown_grid(headings: Sequence[str], align: str, rows: Iterable[Sequence[str]]) -> Iterable[str]:
    yield f"| {' | '.join(headings)} |"
    yield f"|{'|'.join('---:' if side == 'r' else ':---' for side in align)}|"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _markdown_bold(text: str) -> str:
    return f"**{text}**"


def _markdown(text: str) -> str:
    escaped = re.sub(r"([\\`*_{}\[\]#|~])", r"\\\1", text)
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _breakdown_cells(part: Breakdown, key: str, bold: Callable[[str], str]) -> list[str]:
    texts = [percent(value) for value in part.figures[key]]
    return [bold(text) if position in part.best[key] else text for position, text in enumerate(texts)]


# CSV

CSV_COLUMNS = (
    *("protocol", "digest", "group", "key", "kind", "rank", "method", "revision", "shots", "draws"),
    *("j", "f", "jf", "jf_low", "jf_high", "clips", "clips_total", "seconds_per_frame", "notes"),
)


def csv_text(tables: Sequence[Table], *, breakdowns: bool = True) -> str:
    """One tidy table: ``group`` is overall, source or category, ``key`` the source or category; figures in per cent."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, CSV_COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for table in tables:
        for row in table.rows:
            base = _csv_base(table, row)
            writer.writerow(base | _csv_overall(table, row))
            for group in ("sources", "categories") if breakdowns and row.entry else ():
                members = row.entry.scores.get(group, {}) if row.entry else {}
                for key in sorted(members):
                    figures = {name: percent(members[key][name]) for name in ("j", "f", "jf")}
                    name = {"sources": "source", "categories": "category"}[group]
                    extra = {"group": name, "key": _csv(key), "clips": members[key]["clips"]}
                    writer.writerow(base | figures | extra)
    return buffer.getvalue()


def _csv_base(table: Table, row: Row) -> dict[str, object]:
    return {
        "protocol": table.protocol,
        "digest": table.digest or "",
        "kind": row.kind,
        "method": _csv(row.label),
        "revision": _csv(row.entry.revision) if row.entry else "",
        "shots": "" if row.shots is None else row.shots,
        "draws": "" if row.draws is None else row.draws,
    }


def _csv_overall(table: Table, row: Row) -> dict[str, object]:
    low, high = row.interval or (None, None)
    figures = {"j": row.j, "f": row.f, "jf": row.jf, "jf_low": low, "jf_high": high}
    return {
        "group": "overall",
        "rank": row.rank or "",
        **{key: "" if value is None else percent(value) for key, value in figures.items()},
        "clips": "" if row.clips is None else row.clips,
        "clips_total": table.clips if row.entry else "",
        "seconds_per_frame": "" if row.seconds_per_frame is None else f"{row.seconds_per_frame:.4f}",
        "notes": "; ".join(table.footnotes[mark] for mark in row.notes),
    }


def _csv(text: str) -> str:
    return f"'{text}" if text[:1] in "=+-@" else text  # a spreadsheet would run such a cell as a formula


# LaTeX


def latex(tables: Sequence[Table], *, breakdowns: bool = True) -> str:
    r"""The tables for LaTeX with ``\usepackage{booktabs}``."""
    lines = ["% needs \\usepackage{booktabs}"]
    for table in tables:
        lines += ["", *_latex_table(table)]
        for part in (table.sources, table.categories) if breakdowns else ():
            if part.figures:
                lines += ["", *_latex_breakdown(table, part)]
    return "\n".join(lines) + "\n"


def _latex_table(table: Table) -> Iterable[str]:
    headings = [r"$\mathcal{J}$", r"$\mathcal{F}$", r"$\mathcal{J}\&\mathcal{F}$"]
    columns = ["Method", "Shots", "Draws", *headings, _latex(level(table)), "Clips", "s/frame"]
    yield from (r"\begin{table}", r"\centering", rf"\caption{{{_latex(table.title)}. {_latex(table.coverage)}.}}")
    yield from (r"\begin{tabular}{lrrrrrcrr}", r"\toprule", " & ".join(columns) + r" \\")
    for kind, rows in groups(table):
        yield r"\midrule"
        if kind != "ranked":
            yield rf"\multicolumn{{9}}{{l}}{{\emph{{{_latex(KINDS[kind])}}}}} \\"
        for row in rows:
            marks = f"$^{{{','.join(row.notes)}}}$" if row.notes else ""
            cells = [cell.replace("–", "--") for cell in _cells(row, _latex_bold)]
            yield " & ".join([_latex(row.label) + marks, *cells]) + r" \\"
    yield from (r"\bottomrule", r"\end{tabular}")
    if table.footnotes:
        yield r"\par\smallskip\footnotesize"
        notes = [f"$^{{{mark}}}$ {_latex(text)}." for mark, text in table.footnotes.items()]
        yield " ".join(notes)
    yield r"\end{table}"


def _latex_breakdown(table: Table, part: Breakdown) -> Iterable[str]:
    yield from (r"\begin{table}", r"\centering")
    yield rf"\caption{{$\mathcal{{J}}\&\mathcal{{F}}$ by {part.kind}. {_latex(table.title)}.}}"
    yield rf"\begin{{tabular}}{{lr{'r' * len(part.labels)}}}"
    yield from (r"\toprule", " & ".join([part.kind, "clips", *map(_latex, part.labels)]) + r" \\", r"\midrule")
    for key in part.figures:
        cells = [cell.replace("–", "--") for cell in _breakdown_cells(part, key, _latex_bold)]
        yield " & ".join([_latex(key), str(part.clips[key]), *cells]) + r" \\"
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
    **{character: f"\\{character}" for character in "&%$#_{}"},
}


def _latex(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)
