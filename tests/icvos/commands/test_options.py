"""Wrong options, and options without effect, are one line of icvos's own form, before any work."""

from pathlib import Path

import pytest

from icvos.commands.options import read_settings
from icvos.errors import IcvosError
from icvos.models.weights.registry import stray_variables
from icvos.training.recipe import read_recipe
from tests.conftest import icvos

EVAL = ("eval", "--method", "lite", "--benchmark", "BUILT", "--out", "OUT")
ORACLE = ("eval", "--method", "oracle", "--benchmark", "BUILT", "--out", "OUT")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--nope",), "no such option '--nope'; icvos --help shows what there is"),
        (("evaluate",), "no such command 'evaluate'"),
        (("methods", "shw"), "no such command 'shw'"),
        (("methods", "show"), "missing argument 'NAME'; icvos methods show --help shows what there is"),
        (("eval", "--method", "lite"), "missing option '--benchmark'; icvos eval --help shows what there is"),
        (("predict", "--mask", "a", "--video", "b", "--out", "c"), "missing option '--support'"),
        (
            ("predict", "--support", "a", "--mask", "a", "--mask", "b", "--video", "b", "--out", "c"),
            "one mask for every",
        ),
        ((*EVAL, "--shots", "-1"), "invalid value for '--shots'"),
        ((*EVAL, "--shots", 10**30), "invalid value for '--shots'"),
        ((*EVAL, "--workers", 0), "invalid value for '--workers'"),
        ((*EVAL, "--workers", "-2"), "invalid value for '--workers'"),
        ((*EVAL, "--limit", 0), "invalid value for '--limit'"),
        ((*EVAL, "--limit", 1.5), "invalid value for '--limit'"),
        ((*EVAL, "--draws", "-1"), "--draws -1: write numbers like 0"),
        ((*EVAL, "--draws", ""), "--draws : write numbers like 0"),
        ((*EVAL, "--draws", 99), "no draw 99; draws are 0..4"),
        ((*EVAL, "--folds", ""), "--folds: "),
        ((*EVAL, "--timeout", 0), "--timeout 0.0: give seconds above 0"),
        ((*EVAL, "--timeout", "soon"), "invalid value for '--timeout'"),
        ((*EVAL, "--set", "short_side=96", "--set", "short_side=128"), "is given as 96 and as 128; give it once"),
        ((*EVAL, "--set", "=3"), "unknown setting ''"),
        ((*ORACLE, "--shots", 3), "--shots 3: method oracle is given the truth, not supports"),
        ((*ORACLE, "--draws", 2), "--draws: method oracle is given the truth, and has draw 0 alone"),
        (("profile", "--method", "lite", "--frames", 0), "give --frames 2 or more"),
        (("profile", "--method", "lite", "--frames", "-1"), "give --frames 2 or more"),
        (("profile", "--method", "lite", "--size", "0x0"), "write WIDTHxHEIGHT"),
        (("profile", "--method", "lite", "--size", "99999x99999"), "write WIDTHxHEIGHT"),
        (("profile", "--method", "lite", "--size", "9000x100"), "each side must be from 32 to 8192 pixels"),
        (("methods", "check", "lite", "--frames", 0), "give --frames 22 or more"),
        (("smallworld", "OUT", "--seed", "-1"), "invalid value for '--seed'"),
        (("render", "BUILT", "--out", "OUT", "--every", 0), "invalid value for '--every'"),
        (("render", "BUILT", "--out", "OUT", "--height", 0), "invalid value for '--height'"),
        (("render", "BUILT", "--out", "OUT", "--height", 10**7), "invalid value for '--height'"),
        (("episodes", "all-coco", "--out", "OUT", "--episodes", 0), "invalid value for '--episodes'"),
        (("episodes", "all-coco", "--out", "OUT", "--max-shots", 0), "invalid value for '--max-shots'"),
        (("score", "a", "--benchmark", "BUILT", "--workers", 0), "invalid value for '--workers'"),
        (("train", "pfenet-coco-20i", "--workers", "-1"), "invalid value for '--workers'"),
    ],
)
def test_wrong_options_are_one_line(arguments: tuple[object, ...], message: str, built: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="methods need torch: pip install 'icvos[models]'")
    places = {"BUILT": built, "OUT": tmp_path / "out"}
    said = icvos(*(places.get(str(argument), argument) for argument in arguments), status=2).stderr
    assert said.startswith("icvos: ")
    assert message in said
    assert len(said.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_help_is_no_error() -> None:
    assert "Usage" in icvos("--help").output
    assert "Usage" in icvos("methods", "show", "--help").output


def test_settings_on_the_command_line() -> None:
    assert read_settings(("a=1", " b = x=y ", "a=1")) == {"a": "1", "b": "x=y"}
    with pytest.raises(IcvosError, match="--set a is given as 1 and as 2; give it once"):
        read_settings(("a=1", "a=2"))


@pytest.mark.parametrize(
    ("recipe", "changes", "message"),
    [
        ("vrp-sam-coco-20i", {"momentum": "0.5"}, "momentum has no effect with optimiser=adamw"),
        ("vrp-sam-coco-20i", {"scale": "0.5,1"}, "scale has no effect with preparation=squash"),
        ("pfenet-coco-20i", {"validation_episodes": "0", "validate_every": "2"}, "validate_every has no effect"),
        ("pfenet-coco-20i", {"fold": "4"}, "setting fold=4: it must be from 0 to 3"),
    ],
)
def test_changes_of_a_recipe_that_do_nothing_are_refused(recipe: str, changes: dict[str, str], message: str) -> None:
    with pytest.raises(IcvosError, match=f"{recipe}: {message}"):
        read_recipe(recipe, changes)


def test_changes_of_a_recipe_that_do_something() -> None:
    assert read_recipe("vrp-sam-coco-20i", {"optimiser": "sgd", "momentum": "0.5"}).momentum == 0.5


def test_a_variable_of_no_checkpoint_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ICVOS_WEIGHTS_SAM_VIT_HH", "/x")
    monkeypatch.setenv("ICVOS_WEIGHTS_SAM_VIT_H", "/x")
    assert stray_variables() == {"ICVOS_WEIGHTS_SAM_VIT_HH": "ICVOS_WEIGHTS_SAM_VIT_H"}
    for command in (("weights", "list"), ("methods",)):
        said = icvos(*command).stderr
        assert "note: ICVOS_WEIGHTS_SAM_VIT_HH is set, and is the variable of no checkpoint; did you mean" in said


@pytest.mark.parametrize(("command", "head", "least"), [("train --list", "recipe", 30), ("data list", "dataset", 8)])
def test_a_list_in_a_pipe_has_a_line_for_each_row_and_tabs_between_its_cells(
    command: str, head: str, least: int
) -> None:
    table = [line.split("\t") for line in icvos(*command.split()).stdout.splitlines() if "\t" in line]
    assert table[0][0] == head
    assert len(table) > least
    assert {len(row) for row in table} == {len(table[0])}
    assert all(cell == cell.strip() for row in table for cell in row)
