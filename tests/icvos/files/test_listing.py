"""What counts in a folder, and what file managers leave there."""

from pathlib import Path

import pytest

from icvos.files.listing import frames_by_number, is_empty, visible_folders

LEFT = (".DS_Store", "Thumbs.db", "Desktop.ini", "__MACOSX", ".directory", "@eaDir", "._walk.png", "lost+found")


@pytest.mark.parametrize("name", LEFT)
def test_a_folder_with_leftovers_alone_is_empty(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    assert is_empty(tmp_path)
    (tmp_path / "walk.png").touch()
    assert not is_empty(tmp_path)


@pytest.mark.parametrize("name", ["walk.png", ".git", ".partial", "thumbs", "DS_Store"])
def test_anything_else_is_content(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    assert not is_empty(tmp_path)


def test_an_absent_folder_is_empty_and_a_file_is_not(tmp_path: Path) -> None:
    assert is_empty(tmp_path / "absent")
    (tmp_path / "file").touch()
    assert not is_empty(tmp_path / "file")


@pytest.mark.parametrize("name", LEFT)
def test_every_reader_passes_over_leftovers(tmp_path: Path, name: str) -> None:
    (tmp_path / "walk").mkdir()
    (tmp_path / name).mkdir()
    assert [folder.name for folder in visible_folders(tmp_path)] == ["walk"]
    (tmp_path / "walk" / "0.png").touch()
    (tmp_path / "walk" / "._0.png").touch()
    assert list(frames_by_number(tmp_path / "walk", (".png",))) == [0]
