"""Entry points of installed packages, read again only after something was installed."""

import importlib.metadata
from pathlib import Path

import pytest

from icvos.installed import entry_points


def install(folder: Path, package: str, line: str) -> None:
    about = folder / f"{package}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[icvos.methods]\n{line}\n")


def test_they_are_those_of_the_standard_library() -> None:
    for group in ("icvos.methods", "icvos.recipes", "console_scripts", "none"):
        assert tuple(entry_points(group)) == tuple(importlib.metadata.entry_points(group=group))


def test_a_package_that_is_installed_later_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    before = entry_points("icvos.methods").names
    install(tmp_path, "first", "first = first:First")
    assert entry_points("icvos.methods").names - before == {"first"}
    other = tmp_path / "other"
    other.mkdir()
    install(other, "second", "second = second:Second")
    monkeypatch.syspath_prepend(other)
    assert entry_points("icvos.methods").names - before == {"first", "second"}


def test_metadata_is_not_read_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    found = entry_points("icvos.methods")
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: pytest.fail("read again"))
    assert entry_points("icvos.methods") is found
