"""Writes that are whole or not there."""

import errno
import os
import re
from pathlib import Path

import pytest

from icvos.errors import IcvosError
from icvos.files.storage import (
    atomic_folder,
    link_or_copy,
    read_json,
    require_writable,
    write_bytes,
    write_json,
    write_text,
)


def test_write_and_read_json(tmp_path: Path) -> None:
    write_json(tmp_path / "deep" / "a.json", {"b": [1, 2]})
    assert read_json(tmp_path / "deep" / "a.json", "an example") == {"b": [1, 2]}
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["a.json"]


def test_bad_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(IcvosError, match=r"a\.json: cannot be read as an example"):
        read_json(tmp_path / "a.json", "an example")


@pytest.mark.parametrize(
    "text", ['{"a": 1, "b": 2, "a": 1}', '{"videos": {"a": {}, "b": {"a": 1}, "a": {}}}', '[{"a": 1, "a": 2}]']
)
def test_a_key_that_an_object_has_twice_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    for compact in (None, lambda found: found):
        with pytest.raises(IcvosError, match=r"a\.json: cannot be read as an example \(key 'a' occurs twice"):
            read_json(tmp_path / "a.json", "an example", compact)


def test_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_bytes(tmp_path / "a", b"old")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(IcvosError, match=r"a: cannot be written \(No space left on device\)"):
        write_bytes(tmp_path / "a", b"new")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a", b"old")]


def test_atomic_folder_replaces_whole_folders(tmp_path: Path) -> None:
    target = tmp_path / "out" / "clip"
    for text in ("one", "two"):
        with atomic_folder(target, tmp_path / "scratch") as folder:
            (folder / "file").write_text(text)
            assert not target.exists() or (target / "file").read_text() == "one"
        assert (target / "file").read_text() == text
    assert list((tmp_path / "scratch").iterdir()) == []


def test_atomic_folder_leaves_nothing_after_an_error(tmp_path: Path) -> None:
    def fail() -> None:
        with atomic_folder(tmp_path / "clip", tmp_path / "scratch") as folder:
            (folder / "file").write_text("half")
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        fail()
    assert not (tmp_path / "clip").exists()
    assert list((tmp_path / "scratch").iterdir()) == []


def test_link_falls_back_to_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_text("x")
    link_or_copy(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "a").stat().st_ino == (tmp_path / "b").stat().st_ino

    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr("os.link", refuse)
    link_or_copy(tmp_path / "a", tmp_path / "c")
    assert (tmp_path / "c").read_text() == "x"
    assert (tmp_path / "a").stat().st_ino != (tmp_path / "c").stat().st_ino


@pytest.mark.parametrize(
    ("place", "words"),
    [("afile/x.json", "a file stands where a folder should be"), ("folder", "give the name of a file")],
)
def test_places_that_cannot_be_written_are_one_line(tmp_path: Path, place: str, words: str) -> None:
    (tmp_path / "afile").write_text("mine")
    (tmp_path / "folder").mkdir()
    with pytest.raises(IcvosError, match=words) as caught:
        write_text(tmp_path / place, "text")
    assert str(caught.value).startswith(f"{tmp_path / place}: cannot be written (")
    assert (tmp_path / "afile").read_text() == "mine"


def test_a_folder_below_a_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "afile").write_text("mine")
    with (
        pytest.raises(IcvosError, match="a file stands where a folder should be"),
        atomic_folder(tmp_path / "afile" / "x", tmp_path / "afile"),
    ):
        raise AssertionError("nothing is to be done in a folder that cannot be made")


def folder_of(path: Path) -> list[str]:
    return sorted(str(entry.relative_to(path)) for entry in path.rglob("*"))


@pytest.mark.parametrize(
    ("place", "folder", "words"),
    [
        ("folder", False, "it is a folder, give the name of a file"),
        ("file/a.json", False, "a file stands where a folder should be"),
        ("file/deep/er/a.json", False, "a file stands where a folder should be"),
        ("file", True, "a file stands where a folder should be"),
        ("link/a.json", False, "a file stands where a folder should be"),
        ("/proc/a.json", False, "choose another folder|that you may write to"),
        ("/proc/deep/out", True, "choose another folder|that you may write to"),
        ("a" * 300, False, "choose a shorter name"),
    ],
)
def test_a_place_that_cannot_be_written_is_told_before_the_work(
    tmp_path: Path, place: str, folder: bool, words: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("nowhere")
    there = folder_of(tmp_path)
    with pytest.raises(IcvosError, match=words) as caught:
        require_writable(tmp_path / place, folder=folder)
    assert str(tmp_path / place) in str(caught.value)
    assert folder_of(tmp_path) == there


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC, errno.EIO])
def test_a_folder_that_takes_no_file_is_told_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(**_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    for folder in (False, True):
        with pytest.raises(IcvosError, match=rf"out: cannot be written \({os.strerror(number)}\); "):
            require_writable(tmp_path / "deep" / "out", folder=folder)


def test_a_place_that_can_be_written_is_left_as_it_is(tmp_path: Path) -> None:
    write_text(tmp_path / "a.json", "old")
    for place, folder in (("a.json", False), ("new/b.json", False), ("new/out", True), ("", True)):
        require_writable(tmp_path / place, folder=folder)
    require_writable(Path("/dev/full"))
    assert folder_of(tmp_path) == ["a.json"]
    assert (tmp_path / "a.json").read_text() == "old"


def test_a_device_or_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    require_writable(pipe)
    write_json(pipe, {"j": 1})
    assert os.read(reader, 100) == b'{\n  "j": 1\n}\n'
    os.close(reader)
    assert pipe.is_fifo()
    with pytest.raises(IcvosError, match=r"/dev/full: cannot be written \(No space left on device\)"):
        write_json(Path("/dev/full"), {})
    assert not Path("/dev/full").is_file()


@pytest.mark.parametrize("number", [errno.ENOENT, errno.EACCES, errno.EIO])
def test_a_source_that_fails_while_a_folder_is_filled_is_named(tmp_path: Path, number: int) -> None:
    source = str(tmp_path / "source" / "frame.jpg")
    with (
        pytest.raises(IcvosError, match=rf"^{re.escape(source)}: {os.strerror(number)}; ") as caught,
        atomic_folder(tmp_path / "out" / "clip", tmp_path / "out" / "scratch"),
    ):
        raise OSError(number, os.strerror(number), source)
    assert "choose another folder" not in str(caught.value)


def test_a_place_that_fails_while_a_folder_is_filled_is_named(tmp_path: Path) -> None:
    for named in (None, str(tmp_path / "out" / "clip" / "0.png"), str(tmp_path)):
        with (
            pytest.raises(IcvosError, match="out/clip: cannot be written"),
            atomic_folder(tmp_path / "out" / "clip", tmp_path / "out" / "scratch"),
        ):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), named)
