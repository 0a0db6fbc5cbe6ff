"""`import icvos` offers the calls behind the commands, each with an example, and loads none of them."""

import inspect
import subprocess
import sys

import pytest

import icvos
from icvos.cli import main

CALLS = sorted(name for name in icvos.__all__ if name[0].islower())
BEHIND = {  # command -> the call that does all that it does, where it is called otherwise
    "diff": "compare",
    "episodes": "build_episodes",
    "eval": "evaluate",
    "info": "open_task",
    "leaderboard": "rank",
    "methods": "check_method",
}
# write files of icvos's own or of others', by calls of their modules; demo runs other commands, doctor tells of the
# machine
OF_FILES = {"curate", "data", "demo", "doctor", "schemas", "smallworld", "weights"}
PROCESSES = {"serve", "worker"}  # go on until they are told to end


@pytest.mark.parametrize("name", CALLS)
def test_every_call_has_an_example(name: str) -> None:
    documentation = inspect.getdoc(getattr(icvos, name)) or ""
    assert ">>> " in documentation or "Example" in documentation


def test_every_command_has_a_call() -> None:
    for command in set(main.commands) - OF_FILES - PROCESSES:
        assert BEHIND.get(command, command) in icvos.__all__


def test_unknown_names_say_what_there_is() -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'evalute'.*evaluate"):
        icvos.evalute  # noqa: B018


def test_importing_icvos_loads_nothing() -> None:
    code = (
        "import sys, icvos; print(sorted({'numpy', 'torch', 'pydantic', 'click'} & set(sys.modules)), len(dir(icvos)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("[] ")
