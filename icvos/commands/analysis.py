"""`icvos report` and `icvos diff`: what stands behind a figure, and what lies between two."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from icvos.commands.evaluate import PAPER, scores_name
from icvos.commands.options import FOLDER

if TYPE_CHECKING:
    from rich.table import Table

DASH = "–"
PROTOCOL = click.option(
    "--protocol",
    "name",
    default=None,
    help=f"Which scores of a run folder to take.  [default: {PAPER}, or the only ones there]",
)


@click.command()
@click.argument("scores", type=FOLDER)
@click.option("--ceiling", type=FOLDER, default=None, help="The oracle's scores file or run folder.")
@PROTOCOL
@click.option("--json", "out", type=FOLDER, default=None, help="Also write the analysis into this file.")
def report(scores: Path, ceiling: Path | None, name: str | None, out: Path | None) -> None:
    """Show where a run is good and where it fails.

    SCORES is a scores file or a run folder. By length, size and number of the objects, while the category is absent
    and when it is back, and in the first frame (the prompt) against the frames after it (the propagation). Of a run on
    images, every fold and class.
    """
    from icvos.errors import IcvosError
    from icvos.files.storage import write_json
    from icvos.tasks.video.analysis import analyse
    from icvos.tasks.video.comparison import require_comparable

    own = _result(scores, name)
    if own.task == "image":
        if ceiling or out:
            raise IcvosError(f"{own.path}: on images; its report has no --ceiling and no --json, its scores are in it")
        _print(_image_table(own))
        return
    highest = _result(ceiling, name) if ceiling else None
    if highest:
        require_comparable(own.scores, highest.scores, str(own.path), str(highest.path))
    found = analyse(_analysable_clips(own), highest.scores["clips"] if highest else None)
    if out:
        write_json(out, {"name": own.name, "protocol": own.protocol, "digest": own.digest, "analysis": found})
    if highest and not highest.sees_truth:
        click.echo(f"note: {highest.name} does not say that it sees the truth; is it a ceiling?", err=True)
    if highest and found["ceiling"]["clips"] < own.clips:
        click.echo(f"note: {highest.name} has {found['ceiling']['clips']} of the {own.clips} clips", err=True)
    _print(_report_table(own, found, highest))


@click.command()
@click.argument("a", type=FOLDER)
@click.argument("b", type=FOLDER)
@PROTOCOL
@click.option("--most", default=10, show_default=True, help="How many clips to list, those that part most.")
@click.option("--json", "out", type=FOLDER, default=None, help="Also write the whole comparison into this file.")
def diff(a: Path, b: Path, name: str | None, most: int, out: Path | None) -> None:
    """Compare two runs, clip by clip, and say how sure the difference is.

    A and B are scores files or run folders of one protocol and one build of the benchmark.
    """
    from icvos.errors import IcvosError
    from icvos.files.storage import write_json
    from icvos.tasks.video.comparison import compare

    entries = _result(a, name), _result(b, name)
    for entry in entries:
        if entry.task == "image":
            raise IcvosError(
                f"{entry.path}: on images, and only runs on videos are compared clip by clip; show both with: "
                f"icvos leaderboard {a} {b}"
            )
    found = compare(entries[0].scores, entries[1].scores, str(entries[0].path), str(entries[1].path))
    sides = {
        side: {"name": entry.name, "path": str(entry.path), "draws": _draws(entry)}
        for side, entry in zip("ab", entries, strict=True)
    }
    if out:
        write_json(out, {**sides, **found})
    for note in _notes(found, *entries):
        click.echo(f"note: {note}", err=True)
    for side, entry in zip("AB", entries, strict=True):
        click.echo(f"{side}: {entry.name}, {entry.path}")
    _print(_overall_table(found), _pairs_table("J&F by category", "category", found["categories"]))
    parting = [(clip, pair) for clip, pair in found["by_clip"].items() if pair["difference"]]
    apart = {_clip_label(clip): pair for clip, pair in parting[: max(0, most)]}
    if apart:
        _print(_pairs_table("J&F where they part most", "clip", apart))
    click.echo(_verdict(found))


def _result(path: Path, name: str | None) -> Any:
    """The `leaderboard.entry.Entry` in a file, or in a run folder for the protocol called ``name``."""
    from icvos.errors import IcvosError
    from icvos.protocol import protocol
    from leaderboard.entry import read_entry

    if not path.is_dir():
        return read_entry(path)
    chosen = protocol(name or PAPER).id
    file = path / scores_name(chosen)
    others = sorted(path.glob("scores-*.json"))
    if name is None and not file.is_file() and len(others) == 1:
        file = others[0]
    if not file.is_file():
        there = f"there is {', '.join(other.name for other in others)}; " if others else ""
        raise IcvosError(
            f"{file}: no such file; {there}score the run first with: "
            f"icvos score {path} --protocol {chosen} --benchmark ..."
        )
    return read_entry(file)


def _analysable_clips(entry: Any) -> Mapping[str, Any]:
    """The clips of a result, each with all that an analysis needs."""
    from icvos.errors import IcvosError
    from icvos.tasks.video.analysis import FACTS

    clips: Mapping[str, Any] = entry.scores.get("clips", {})
    if not clips or not all(clip.get("frames") and clip.keys() >= set(FACTS) for clip in clips.values()):
        raise IcvosError(
            f"{entry.path}: written before results held what an analysis needs; score the predictions again with: "
            "icvos score"
        )
    return clips


def _draws(entry: Any) -> list[Any]:
    return [draw.get("draw") for draw in entry.scores["overall"].get("draws") or ()]


def _notes(found: dict[str, Any], a: Any, b: Any) -> Iterable[str]:
    """What a reader of the comparison must know about its two sides."""
    for side, key in (("A", "only_a"), ("B", "only_b")):
        if found[key]:
            some = ", ".join(found[key][:5]) + (", ..." if len(found[key]) > 5 else "")
            yield f"{len(found[key])} clips are in {side} alone and left out: {some}"
    if found["digest"] is None:
        yield "neither result names the benchmark's digest; make sure that both were scored against the same one"
    if _draws(a) != _draws(b):
        yield f"means over different support draws: {_draws(a)} of A, {_draws(b)} of B"


def _percent(value: float | None) -> str:
    return DASH if value is None else f"{100 * value:.2f}"


def _signed(value: float) -> str:
    return f"{round(100 * value, 2) + 0.0:+.2f}"  # + 0.0: no -0.00


def _probability(value: float | None) -> str:
    """With as many digits as the samples of the bootstrap give."""
    if value is None:
        return DASH
    return ">0.9999" if value > 0.9999 else "<0.0001" if value < 0.0001 else f"{value:.4f}"


def _clip_label(clip: str) -> str:
    """A clip with its category's name."""
    from icvos.categories import category

    return f"{clip} {category(clip.rpartition('/')[2]).name}"


def _print(*tables: "Table") -> None:
    """Print tables; names in results are never read as markup."""
    from rich.console import Console

    console = Console(markup=False, highlight=False, emoji=False)
    console.print(*tables)


def _table(title: str, *columns: str) -> "Table":
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left")
    for position, column in enumerate(columns):
        table.add_column(column, justify="right" if position else "left")
    return table


def _report_table(own: Any, found: dict[str, Any], ceiling: Any) -> "Table":
    overall = own.scores["overall"]
    title = f"{own.name}, {own.protocol}" + (f"; ceiling: {ceiling.name}" if ceiling else "")
    table = _table(title, "", "clips", "frames", "J", "F", "J&F", *(["of ceiling"] if ceiling else []))

    def row(label: str, group: Mapping[str, Any] | None, figures: Mapping[str, Any] | None = None) -> None:
        if group is None:
            table.add_row(label, "0")
            return
        figures = figures or group
        share = [_percent(group["of_ceiling"])] if "of_ceiling" in group else []
        counts = (f"{group[key]:,}" if key in group else "" for key in ("clips", "frames"))
        table.add_row(label, *counts, *(_percent(figures[key]) for key in ("j", "f", "jf")), *share)

    def section(heading: str) -> None:
        table.add_section()
        table.add_row(heading)

    row("all clips", {**overall, "of_ceiling": found["ceiling"]["share"]["jf"]} if ceiling else overall)
    for key in ("recall", "decay"):
        if f"j_{key}" in overall:
            table.add_row(f"  {key}", "", "", *(_percent(overall.get(f"{measure}_{key}")) for measure in "jf"))
    if ceiling:
        row("  ceiling", found["ceiling"])
    for key, heading in (("length", "length"), ("area", "first-frame area"), ("instances", "number of instances")):
        section(heading)
        for name, group in found[key].items():
            row(f"  {name}", group)
    section("absence")
    row("  disappearance", found["disappearance"])
    row("  reappearance", found["reappearance"])
    section("propagation")
    for key, heading in (("first", "first frame"), ("after", "frames after it"), ("drop", "drop")):
        row(f"  {heading}", found["propagation"], found["propagation"] and found["propagation"][key])
    return table


def _image_table(own: Any) -> "Table":
    """Every fold of a run on images with its classes, the best first."""
    scores = own.scores
    table = _table(f"{own.name}, {own.benchmark}, {own.protocol}", "", "episodes", "mIoU", "FB-IoU")
    overall = scores["overall"]
    table.add_row("all folds", f"{overall['episodes']:,}", _percent(overall["miou"]), _percent(overall["fb_iou"]))
    for number, fold in scores["folds"].items():
        table.add_section()
        figures = (_percent(fold["miou"]), _percent(fold["fb_iou"]))
        table.add_row(f"fold {number}", f"{fold['episodes']:,}", *figures)
        classes = [item for item in scores["categories"].items() if item[1]["fold"] == int(number)]
        for name, member in sorted(classes, key=lambda item: (-item[1]["iou"], item[0])):
            table.add_row(f"  {name}", f"{member['episodes']:,}", _percent(member["iou"]))
        for name in fold["without"]:
            table.add_row(f"  {name}", "0")
    return table


def _overall_table(found: dict[str, Any]) -> "Table":
    table = _table(
        f"{found['protocol']}, {found['clips']} clips of {found['videos']} videos",
        *("", "A", "B", "A - B", f"{100 * found['bootstrap']['level']:g} % interval", "P(A better)", ""),
    )
    for key, heading in (("j", "J"), ("f", "F"), ("jf", "J&F")):
        pair = found["overall"][key]
        interval = DASH if pair["interval"] is None else " to ".join(map(_signed, pair["interval"]))
        verdict = pair["verdict"].replace("a is", "A is").replace("b is", "B is")
        figures = _percent(pair["a"]), _percent(pair["b"]), _signed(pair["difference"])
        table.add_row(heading, *figures, interval, _probability(pair["probability"]), verdict)
    return table


def _pairs_table(title: str, kind: str, pairs: Mapping[str, Any]) -> "Table":
    counted = any("clips" in pair for pair in pairs.values())
    table = _table(title, kind, *(["clips"] if counted else []), "A", "B", "A - B")
    for name, pair in pairs.items():
        figures = _percent(pair["a"]), _percent(pair["b"]), _signed(pair["difference"])
        table.add_row(name, *([str(pair["clips"])] if counted else []), *figures)
    return table


def _verdict(found: dict[str, Any]) -> str:
    """The last line: which run is better in J&F, in words."""
    pair, level = found["overall"]["jf"], f"{100 * found['bootstrap']['level']:g} %"
    if pair["verdict"] == "unknown":
        return "unknown: all clips are of one video, which says nothing about others"
    low, high = map(_signed, pair["interval"])
    sure = (
        f"J&F {_signed(pair['difference'])} [{low}, {high}] at {level}, P(A better) {_probability(pair['probability'])}"
    )
    if pair["verdict"] == "tied":
        return f"tied: {sure}; the interval contains 0"
    return f"{pair['verdict'][0].upper()} is better: {sure}"
