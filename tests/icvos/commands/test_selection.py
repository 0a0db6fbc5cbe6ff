"""Selections on the command line: what is given and names nothing is an error, not everything."""

from pathlib import Path

import pytest

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
