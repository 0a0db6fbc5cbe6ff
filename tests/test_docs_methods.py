"""The example of docs/methods.md is installed and runs."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from icvos.inspection.trial import make_trial
from icvos.method import segment, segment_in_step
from tests import ROOT


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example as its page has it, installed by pip into a folder of its own."""
    text = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("target")
    for name in ("pyproject.toml", "icvos_colour.py"):
        found = re.search(rf"`{re.escape(name)}`:\n\n```\w+\n(.*?)```", text, re.DOTALL)
        assert found, name
        (source / name).write_text(found[1], encoding="utf-8")
        assert found[1].count("\n") < 40
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(target), str(source)]
    subprocess.run(command, check=True)
    return target


def test_the_example_of_one_pass_has_the_masks_that_each_clip_has_alone(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {"__name__": "example"}
    for begins in ("from dataclasses import asdict", "import copy"):
        found = re.search(rf"```python\n({begins}.*?)```", text, re.DOTALL)
        assert found, begins
        exec(compile(found[1], "docs/methods.md", "exec"), names)  # the page's own code
    trial = make_trial(tmp_path, (48, 64), 4, 2)
    method, shown = names["InLab"](names["Settings"]()), [[one] for one in trial.supports]
    together = list(segment_in_step(method, shown, trial.frames()))
    for number, supports in enumerate(shown):
        alone = list(segment(method, supports, trial.frames()))
        assert all(np.array_equal(found[number], mask) for found, mask in zip(together, alone, strict=True))
    assert {len(found) for found in together} == {2}


def icvos(installed: Path, *arguments: object) -> str:
    path = os.pathsep.join([str(installed), str(ROOT)])
    found = subprocess.run(
        [sys.executable, "-c", "from icvos.cli import main; main()", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": path, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout


def test_the_example_is_listed_checked_and_run(installed: Path, built: Path, tmp_path: Path) -> None:
    assert "icvos_colour:Colour" in icvos(installed, "methods")
    assert "colour: all checks passed" in icvos(installed, "methods", "check", "colour", "--frames", "40")
    out = icvos(
        installed,
        *("eval", "--method", "colour", "--set", "distance=40", "--benchmark", built),
        *("--draws", "0", "--limit", "2", "--out", tmp_path / "run"),
    )
    assert "paper@1: J " in out
