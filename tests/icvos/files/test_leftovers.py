"""Temporaries: what killed processes left goes, what live ones write stays."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from icvos.files import leftovers
from icvos.files.leftovers import MACHINE, is_ours, remove_leftovers, temporary_file, temporary_folder
from icvos.files.storage import atomic_file, atomic_folder, write_bytes

DEAD = subprocess.Popen([sys.executable, "-c", ""])
DEAD.wait()
OTHER = "0" * 6 if MACHINE != "0" * 6 else "1" * 6


def left(name: str, pid: int = DEAD.pid, machine: str = MACHINE, suffix: str = "") -> str:
    return f".{name}.{machine}-{pid}-abcd_123{suffix}"


@pytest.mark.parametrize(
    ("name", "stays"),
    [
        (left("a.json"), False),
        (left("a.json", os.getpid()), False),  # a killed process had our number, as in containers
        (left("a.json", os.getppid()), True),
        (left("a.json", 1), True),  # of another user
        (left("a.json", machine=OTHER), True),
        (left("b.json"), True),
        (".a.json.swp", True),
        ("a.json", True),
    ],
    # names hold numbers of processes, which differ among those that share the tests
    ids=["dead", "our-number", "alive", "of-another-user", "other-machine", "other-name", "of-an-editor", "the-file"],
)
def test_whose_leftovers_go(tmp_path: Path, name: str, stays: bool) -> None:
    (tmp_path / name).write_text("half")
    remove_leftovers(tmp_path, "a.json")
    assert (tmp_path / name).exists() == stays


def test_all_of_a_folder_and_another_machines_after_a_day(tmp_path: Path) -> None:
    (tmp_path / left("clip")).mkdir()
    (tmp_path / left("clip") / "0.png").write_text("half")
    for name in (left("a.json"), left("b", machine=OTHER), left("c", machine=OTHER), "mine"):
        (tmp_path / name).write_text("half")
    os.utime(tmp_path / left("b", machine=OTHER), (0, 0))
    remove_leftovers(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([left("c", machine=OTHER), "mine"])
    remove_leftovers(tmp_path / "nowhere")


def test_ones_own_stays_while_it_is_written(tmp_path: Path) -> None:
    with temporary_file(tmp_path, "a.json", ".json") as file, temporary_folder(tmp_path, "clip") as folder:
        assert is_ours(file.name)
        assert is_ours(folder.name)
        remove_leftovers(tmp_path)
        assert file.is_file()
        assert folder.is_dir()
    assert not list(tmp_path.iterdir())
    assert not leftovers._own


def test_the_next_write_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    for name in (left("a.json"), left("film", suffix=".gif"), left("clip")):
        (tmp_path / name).write_text("half")
    write_bytes(tmp_path / "a.json", b"{}")
    with atomic_file(tmp_path / "film.gif") as file:
        file.write_bytes(b"GIF")
    with atomic_folder(tmp_path / "clip", tmp_path):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "clip", "film.gif"]


def test_the_longest_name_has_a_temporary(tmp_path: Path) -> None:
    write_bytes(tmp_path / ("é" * 120), b"text")
    assert len(list(tmp_path.iterdir())) == 1
