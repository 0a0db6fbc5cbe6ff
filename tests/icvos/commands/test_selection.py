"""Selections on the command line: what is given and names nothing is an error, not everything."""

from pathlib import Path

import pytest

from icvos.tasks.video.benchmark import Benchmark
from tests.conftest import icvos


@pytest.mark.parametrize("option", ["--videos", "--categories", "--clips"])
@pytest.mark.parametrize("text", ["", " ", ",", "empty.txt"])
@pytest.mark.parametrize("command", ["report", "score", "eval", "render", "score a folder"])
def test_an_empty_selection_is_an_error(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, text: str, option: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty.txt").write_text("\n")
    arguments = {
        "report": ("report", "run"),
        "score": ("score", "run", "--benchmark", built),
        "eval": ("eval", "--method", "lite", "--benchmark", built, "--out", "run"),
        "render": ("render", built, "--out", "sheets"),
        "score a folder": ("score", "run", "run"),
    }[command]
    (line,) = icvos(*arguments, option, text, status=2).stderr.splitlines()
    if command == "score a folder" and option != "--videos":
        assert "is for scoring against a --benchmark" in line
    else:
        assert f"{option} {text!r}: names nothing; write names" in line
    assert [path.name for path in Path().iterdir()] == ["empty.txt"]


def test_of_an_unfinished_run_what_it_has_is_drawn(built: Path, tmp_path: Path) -> None:
    run, sheets = tmp_path / "run", tmp_path / "sheets"
    icvos("eval", "--method", "oracle", "--benchmark", built, "--out", run, "--limit", 1, "--set", "short_side=96")
    there = {f"{path.parent.name}/{path.name}" for path in run.glob("draw0/*/*") if path.is_dir()}
    (absent, *_) = (clip.id for clip in Benchmark.open(built).clips if clip.id not in there)
    shown = ("render", built, "--predictions", run, "--kind", "sheet", "--out", sheets)
    assert "has 1 of " in icvos(*shown).stderr
    assert len(list(sheets.iterdir())) == len(there) == 1
    (line,) = icvos(*shown, "--clips", absent, status=2).stderr.splitlines()
    assert f"has no mask of {absent}; choose clips that it has, or go on with the run" in line
