"""The leaderboard as one static page: no server, no fonts or scripts from elsewhere, nothing but the folder it is in.

Results are written by strangers, so every text goes through the template's escaping, and the page's policy allows only
the one script that is in it, and on the page of comparisons what that script loads: the clips of the two results.
"""

import base64
import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from icvos.errors import IcvosError, plural, printable_lines
from icvos.files.listing import is_empty
from icvos.files.names import require_inside
from icvos.files.storage import read_json, write_bytes, write_json, write_text
from icvos.protocol import PROTOCOLS
from leaderboard.entry import Entry
from leaderboard.paper.tables import PAPER_URL
from leaderboard.site.charts import Charting, ChartsFile, charts_place, find_charts, remove_other_charts
from leaderboard.site.compare_pages import COMPARE, compare_places, comparison, side
from leaderboard.site.downloads import (
    OVERLAYS,
    Places,
    entry_places,
    remove_others,
    table_json,
    table_places,
    write_downloads,
)
from leaderboard.site.plots import plots
from leaderboard.site.provenance import provenance
from leaderboard.site.run_pages import RUNS, anchor, figures_of, run_parts, run_places, script_place
from leaderboard.site.view import (
    ANSWERS,
    ORIGINS,
    TRAININGS,
    TRAITS,
    build_name,
    parts,
    row_facts,
    scale_of,
    slugs,
    trait,
)
from leaderboard.tables.build import build_tables
from leaderboard.tables.formats import cell, count, groups, level, percent
from leaderboard.tables.shape import KINDS, Breakdown, Column, Explanation, Row, Table

if TYPE_CHECKING:
    from jinja2 import Environment

    from leaderboard.site.overlays import Shows

FORMAT = 2  # of results.json
DATA = "results.json"
STILLS = (".png", ".jpg", ".jpeg", ".gif", ".webp")
MOVIES = (".mp4", ".webm")
TITLE, DRAWN_TITLE = "IC-VOS leaderboard", "A drawn world, not IC-VOS: leaderboard"
CAPTIONS = {
    "source": "J&F by source data set, per cent",
    "category": "J&F by category, per cent",
    "condition": "J&F by what makes clips hard, per cent",
    "class": "IoU by class, per cent",
}
SCRIPTS = {
    "index": ("sorting.js", "board.js"),
    "run": ("sorting.js",),
    "compare": ("sorting.js", "bootstrap.js", "compare.js"),
}
FEW = 12  # results whose figures by category and so on the page shows whole; of more they are columns to choose


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of the gallery: its place relative to the page, its caption, and whether it is a movie."""

    place: str
    caption: str
    movie: bool


@dataclass(frozen=True, slots=True)
class Script:
    """The one script of a page, and its hash, by which the page's policy knows it."""

    text: str
    digest: str


def build_site(
    results: Sequence[Table] | Sequence[Entry],
    out: Path | str,
    *,
    pictures: Sequence[tuple[Path, str]] = (),
    title: str | None = None,
    painter: "Shows | None" = None,
    home: str = "",
    charting: Charting | None = None,
) -> Path:
    """Write the page, its data and its pictures into ``out`` and return the page's path, ``index.html``.

    ``results.json`` has all tables, ``tables/`` has each in every form, and ``entries/`` every result,
    ``runs/`` a page for each and a script with its clips, ``compare/`` a page for each table on which two of its
    results are compared, and ``benchmarks/`` a page of charts for each benchmark that was charted.

    ``results`` are tables, or entries that are put into tables; ``pictures`` are (file, caption) pairs, copied;
    ``painter`` draws the overlays of runs, none without it. ``home`` is where results are submitted, as the page links
    to it, or "". ``charting`` draws what benchmarks contain; charts that are there stay without it. An ``out`` that
    holds something other than an earlier page is refused with `IcvosError`.
    """
    out = Path(out)
    tables = _as_tables(results)
    _check_out(out)
    require_inside(out / "pictures", out)
    shown = [_picture(number, path, caption) for number, (path, caption) in enumerate(pictures, start=1)]
    names = slugs(tables)
    places = entry_places(tables, names)
    title = title or _title(tables)
    environment = _environment(tables, names, places)
    data = [table_json(table, names[id(table)], places) for table in tables]
    # first: by it a later run knows the folder as its own
    write_json(out / DATA, {"format": FORMAT, "generator": "icvos", "tables": data})
    write_downloads(tables, out, names, places)
    charts = _write_charts(environment, tables, title, out, charting)
    scripts = _write_runs(environment, tables, names, places, title, out, painter)
    _write_comparisons(environment, tables, names, title, out, scripts)
    for picture, (path, _) in zip(shown, pictures, strict=True):
        write_bytes(out / picture.place, path.read_bytes())
    write_text(out / "index.html", _page(environment, tables, shown, title, home, charts))
    return out / "index.html"


def _title(tables: Sequence[Table]) -> str:
    if tables and all(table.drawn for table in tables):
        return DRAWN_TITLE
    names = {table.benchmark for table in tables if table.task == "video" and not table.drawn}
    return f"{names.pop()} leaderboard" if len(names) == 1 else TITLE


def _as_tables(results: Sequence[Table] | Sequence[Entry]) -> list[Table]:
    tables = [item for item in results if isinstance(item, Table)]
    return tables or build_tables(item for item in results if isinstance(item, Entry))


def _check_out(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise IcvosError(f"{out}: is a file; the page needs a folder, give another name")
    if is_empty(out):
        return
    data = out / DATA
    earlier = read_json(data, "an earlier leaderboard page") if data.is_file() else None
    if not isinstance(earlier, dict) or earlier.get("generator") != "icvos":
        raise IcvosError(f"{out}: holds something other than a leaderboard page; choose an empty folder")


def _picture(number: int, path: Path, caption: str) -> Picture:
    suffix = path.suffix.lower()
    if suffix not in STILLS + MOVIES:
        raise IcvosError(f"{path}: not a picture for a page; use one of {' '.join(STILLS + MOVIES)}")
    if not path.is_file():
        raise IcvosError(f"{path}: no such picture; render it first with: icvos render")
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", path.stem).strip("-")[:60] or "picture"
    return Picture(f"pictures/{number:02d}-{stem}{suffix}", caption, suffix in MOVIES)


def _environment(tables: Sequence[Table], names: Mapping[int, str], places: Places) -> "Environment":
    """What turns templates into pages, with all that they ask for."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined
    from markupsafe import Markup

    comparisons = compare_places(tables, names)
    pages = run_places(places)
    environment = Environment(
        loader=FunctionLoader(_resource),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    environment.filters |= {"percent": percent, "count": count}
    environment.globals |= {
        "groups": groups,
        "cell": cell,
        "sort_key": sort_key,
        "measure_name": measure_name,
        "captions": CAPTIONS,
        "details": details,
        "level": level,
        "kinds": KINDS,
        "provenance": provenance,
        "heat": heat,
        "slug": lambda table: names[id(table)],
        "places": places,
        "parts": lambda table: Markup(parts(table)),
        "downloads": lambda table: table_places(names[id(table)]),
        "build_name": build_name,
        "row_facts": row_facts,
        "trait": trait,
        "plots": plots,
        "traits": TRAITS,
        "origins": ORIGINS,
        "trainings": TRAININGS,
        "answers": ANSWERS,
        "few": FEW,
        "scale_of": scale_of,
        "pages": pages,
        "comparisons": {name: comparisons.get(name, "") for name in names.values()},
        "comparison": lambda table, scripts: Markup(comparison(table, names[id(table)], pages, scripts)),
        "side": side,
        "run_parts": run_parts,
        "figures_of": figures_of,
        "anchor": anchor,
        "style": Markup(_resource("style.css")),
        "scripts": {page: _script(parts) for page, parts in SCRIPTS.items()},
        "version": _version(),
    }
    return environment


def _write_charts(
    environment: "Environment", tables: Sequence[Table], title: str, out: Path, charting: Charting | None
) -> dict[str, ChartsFile]:
    """Write a page of charts for each benchmark that has them, and remove those of others; the charts by digest."""
    if charting:
        charting.write(out)
    charts = find_charts(tables, out)
    remove_other_charts(charts, out)
    template = environment.get_template("benchmark.html.jinja")
    for digest, found in charts.items():
        name = next(table.benchmark for table in tables if table.digest == digest)
        page = out / charts_place(digest) / "index.html"
        require_inside(page, out)
        write_text(page, template.render(title=title, name=name, charts=found))
    return charts


def _write_runs(
    environment: "Environment",
    tables: Sequence[Table],
    names: Mapping[int, str],
    places: Places,
    title: str,
    out: Path,
    painter: "Shows | None",
) -> Collection[str]:
    """Write the page of each result and a file of its clips, and remove those of an earlier board.

    Returns the places of the files of clips.
    """
    from leaderboard.site.clips import drawn_clips

    pages, scripts = run_places(places), set()
    template = environment.get_template("run.html.jinja")
    for table in tables:
        for row in table.measured:
            page = pages[row.label, names[id(table)]]
            require_inside(out / page, out)
            drawn = drawn_clips(row.entry, painter, out)
            text = template.render(
                title=title, table=table, row=row, place=places[row.label, names[id(table)]], drawn=drawn
            )
            write_text(out / page, text, lasting=False)  # one of many; a page is soon made again
            if drawn:
                scripts.add(script_place(page))
                write_text(out / script_place(page), drawn.script(page), lasting=False)
    remove_others(out / RUNS, {out / page for page in (*pages.values(), *scripts)}, out)
    remove_others(out / OVERLAYS, painter.kept if painter else (), out)
    return scripts


def _write_comparisons(
    environment: "Environment",
    tables: Sequence[Table],
    names: Mapping[int, str],
    title: str,
    out: Path,
    scripts: Collection[str],
) -> None:
    """Write the page of each table on which its results are compared, and remove those of an earlier board."""
    places = compare_places(tables, names)
    template = environment.get_template("compare.html.jinja")
    for table in tables:
        if place := places.get(names[id(table)]):
            require_inside(out / place, out)
            write_text(out / place, template.render(title=title, table=table, scripts_of_clips=scripts))
    remove_others(out / COMPARE, {out / place for place in places.values()}, out)


def _page(
    environment: "Environment",
    tables: Sequence[Table],
    pictures: Sequence[Picture],
    title: str,
    home: str,
    charts: Collection[str],
) -> str:
    return environment.get_template("index.html.jinja").render(
        title=title,
        home=home,
        tables=tables,
        explanations=_explanations(tables),
        pictures=pictures,
        charted={digest: f"{charts_place(digest)}/index.html" for digest in charts},
        protocols=[PROTOCOLS[name] for name in sorted(PROTOCOLS, reverse=True)],
        paper_url=PAPER_URL,
        top=headline(tables[0]) if tables else None,
        newest=max((row.entry.date for table in tables for row in table.measured if row.entry), default=""),
    )


def _finalize(value: object) -> object:
    """Every value on its way into the page: texts from results without what hides or turns the reading direction."""
    return printable_lines(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _explanations(tables: Sequence[Table]) -> list[Explanation]:
    """What the page adds for the kinds of benchmarks in ``tables``, each once."""
    found: list[Explanation] = []
    for table in tables:
        if table.explanation and table.explanation not in found:
            found.append(table.explanation)
    return found


def _script(names: Sequence[str]) -> Script:
    from markupsafe import Markup

    text = "\n".join(map(_resource, names))
    return Script(Markup(text), base64.b64encode(hashlib.sha256(text.encode()).digest()).decode())


def _resource(name: str) -> str:
    return (files("leaderboard") / "site" / name).read_text(encoding="utf-8")


def _version() -> str:
    try:
        return version("icvos")
    except PackageNotFoundError:  # run from a source tree that is not installed
        return ""


def headline(table: Table) -> Row | None:
    """The best ranked row of a table, for the top of the page; None where nothing is ranked."""
    return next((row for row in table.rows if row.kind == "ranked"), None)


def measure_name(table: Table) -> str:
    """What rows are ranked by."""
    return next(column.heading for column in table.columns if column.key == table.measure)


def details(table: Table, row: Row) -> str:
    """What the wide columns count, for where there is no room for them."""
    wide = [column for column in table.shown if column.wide and column.kind == "count"]
    counts = ((row.figures[column.key], column.heading.lower()) for column in wide)
    return " · ".join(plural(int(value), heading.removesuffix("s")) for value, heading in counts if value)


def sort_key(row: Row, column: Column) -> str:
    """By what the page sorts a column; "" where a row has nothing there, which comes last."""
    value = row.figures.get(column.key)
    return "" if value is None else str(value)


def heat(value: float | None, part: Breakdown) -> int | None:
    """A figure as 0..100 between the lowest and the highest of its matrix, for the colour of its cell."""
    if value is None:
        return None
    every = [figure for figures in part.figures.values() for figure in figures if figure is not None]
    low, high = min(every), max(every)
    return 50 if high == low else round(100 * (value - low) / (high - low))
