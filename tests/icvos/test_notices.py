"""Notices: once for each place, and on standard error where a command shows them, in its processes too."""

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from icvos.notices import notice
from tests import ROOT

TWO_PROCESSES = """
from icvos.notices import notice, show_notices
from icvos.workers import run_jobs

def tell(name):
    notice(name, "kind", f"{name} is odd")
    return name

if __name__ == "__main__":
    show_notices()
    show_notices()
    tell("own")
    assert run_jobs(tell, ["a", "b"], 2) == ["a", "b"]
"""


def test_a_notice_is_given_once_for_each_place_and_kind(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    place = str(tmp_path)
    for kind, text in (("x", "1"), ("x", "2"), ("y", "3")):
        notice(place, kind, text)
    notice(f"{place}/other", "x", "4")
    assert [(record.getMessage(), record.levelno) for record in caplog.records] == [
        (text, logging.WARNING) for text in "134"
    ]


def test_notices_of_all_processes_are_shown_once(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(TWO_PROCESSES)
    command = [sys.executable, str(tmp_path / "program.py")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, check=True)
    assert sorted(done.stderr.splitlines()) == [f"warning: {name} is odd" for name in ("a", "b", "own")]
