"""Texts from strangers where they are shown: nothing in them steers a terminal, a page, a spreadsheet or LaTeX."""

import ast
import io
import json
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from rich.console import Console

from icvos.commands import printing, progress
from icvos.errors import Fault, IcvosError, printable, printable_lines
from icvos.files.cells import cell, from_cell
from icvos.tasks.listing import Listing
from icvos.tasks.result import Report
from tests import ROOT
from tests.conftest import icvos
from tests.icvos.tasks.image.tiny_episodes import write_images

BIDI = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c"
HIDDEN = "\u200b\u200c\u200d\u2060\ufeff\u00ad\u115f\u3164\uffa0\u2800\ufe0f\u180e\u034f\U000e0041"
CONTROL = "\x00\x07\x08\x0b\x0c\r\x1b\x7f\x80\x9b\u2028\u2029\udc80"
EVIL = f"[/bold][red]x\x1b[2J\x9b31m{BIDI}{HIDDEN}<script>"
UNSHOWN = set(BIDI + HIDDEN + CONTROL)


@pytest.mark.parametrize("character", sorted(UNSHOWN), ids=ascii)
def test_what_hides_or_steers_is_not_printable(character: str) -> None:
    assert printable(f"a{character}b") == "a?b" == printable_lines(f"a{character}b")


@pytest.mark.parametrize("text", ["dog", "chien méchant", "犬", "собака", "a\u0301", "J&F 72.7 – 59.6", "[/bold]"])
def test_honest_text_is_shown_as_it_is(text: str) -> None:
    assert printable(text) == text == printable_lines(text)


def test_a_heap_of_accents_is_cut() -> None:
    assert len(printable("a" + "\u0301" * 100)) < 10


def test_long_text_is_cut_in_its_middle() -> None:
    assert printable("a" * 600 + "b" * 600) == f"{'a' * 500}...{'b' * 500}"
    assert printable("abcdefgh", 4) == "ab...gh"


def _fail() -> None:
    raise IcvosError(EVIL)


def _listed() -> None:
    table = printing.listing("name")
    table.add_row(EVIL)
    printing.show(table)


def _noted() -> None:
    with progress.watched() as watch:
        watch.stage(EVIL)
        watch.note(EVIL)


SHOWS: dict[str, Callable[[], object]] = {
    "say": lambda: printing.say(EVIL),
    "a line": lambda: printing.show_listings([EVIL]),
    "a table": lambda: printing.show_listings([Listing(title=EVIL, columns=(EVIL,), rows=((EVIL,),))]),
    "a listing": _listed,
    "a fault": lambda: printing.show_faults([Fault("kind", EVIL, EVIL)]),
    "a report": lambda: printing.show_report(Report((), (EVIL,), (EVIL,))),
    "a note": _noted,
}


@pytest.mark.parametrize("show", SHOWS.values(), ids=SHOWS)
def test_what_the_commands_print_is_escaped(show: Callable[[], object], capsys: pytest.CaptureFixture[str]) -> None:
    show()
    found = capsys.readouterr()
    text = found.out + found.err
    assert "[/bold][red]x?[2J" in text
    assert not UNSHOWN & set(text)


def test_a_plain_line_has_no_codes_of_a_terminal() -> None:
    @click.command()
    def both() -> None:
        printing.say("plain")
        printing.say("loud", bold=True)

    assert CliRunner().invoke(both, color=True).output == "plain\n\x1b[1mloud\x1b[0m\n"


def test_bars_on_a_terminal_are_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()

    def console(**_: object) -> Console:
        return Console(file=screen, force_terminal=True, width=300, color_system=None)

    monkeypatch.setattr("rich.console.Console", console)
    with progress.watched() as watch:
        watch.stage(EVIL)
        watch.total(2)
        watch.advance(1, EVIL)
    with progress.bar(EVIL, 3) as update:
        update(description=EVIL)
    assert "[/bold][red]x?[2J" in screen.getvalue()
    assert "\x1b[2J" not in screen.getvalue()
    assert not set(BIDI + HIDDEN) & set(screen.getvalue())


def test_error_messages_are_escaped(tmp_path: Path) -> None:
    place = tmp_path / "b\x1b[2J\u202e"
    place.mkdir()
    (place / "icvos.json").write_text(json.dumps({"format": 1, EVIL.replace("\udc80", ""): 1}))
    line = icvos("info", place, status=2).stderr
    assert not UNSHOWN & set(line.strip())
    assert len(line.splitlines()) == 1


def test_json_on_standard_output_is_ascii(capsys: pytest.CaptureFixture[str]) -> None:
    name = EVIL.replace("\udc80", "") + "é"
    printing.put_json(Path("-"), {"name": name})
    text = capsys.readouterr().out
    assert text.isascii()
    assert json.loads(text) == {"name": name}


def test_a_rule_and_a_split_like_markup_do_not_end_info(tmp_path: Path) -> None:
    write_images(tmp_path)
    path = tmp_path / "episodes.json"
    value = json.loads(path.read_text())
    value |= {"rule": "[/bold]", "splits": {"val": "[/red]\x1b[2J"}, "classes": dict.fromkeys(value["classes"], "[/i]")}
    path.write_text(json.dumps(value))
    text = icvos("info", tmp_path).output
    assert "[/bold]" in text
    assert "[/red]?[2J" in text


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM", "\t=1", "\r=1", " =1", "＝1", "＠x"])
def test_a_formula_is_no_formula_in_a_cell(text: str) -> None:
    assert cell(text) == f"'{text}"
    assert from_cell(cell(text)) == text


@pytest.mark.parametrize("text", ["dog", "'dog", "", "1+1", "a=b", "犬", "'"])
def test_other_text_is_itself_in_a_cell(text: str) -> None:
    assert cell(text) == text == from_cell(text)


def test_only_two_files_print() -> None:
    """Whoever prints otherwise goes around what keeps a terminal from being steered."""
    for path in (ROOT / "icvos" / "commands").glob("*.py"):
        calls = [
            node.func.attr
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        ]
        assert path.name in ("printing.py", "endings.py") or not {"echo", "secho"} & set(calls), path
