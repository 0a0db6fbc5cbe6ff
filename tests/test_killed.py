"""Every command, stopped before each of its file operations and run again, ends as if it had never been stopped.

In between nothing half-written is taken for whole. `tests.killing` does the work, in a process of its own.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from tests import ROOT
from tests.killed_commands import CASES


@pytest.mark.slow
@pytest.mark.parametrize("case", sorted(CASES))
def test_killed_before_every_file_operation(case: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.killing", case, str(tmp_path / case)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout.split()[0]) > 10  # operations


@pytest.mark.slow
@pytest.mark.parametrize("case", ["build", "data-fetch", "submit", "train"])
def test_ctrl_c_before_every_file_operation(case: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.killing", case, str(tmp_path / case), "interrupt"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
