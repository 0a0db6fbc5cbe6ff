"""The notebooks of examples/ run from their first cell to their last, and are kept without what they printed."""

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import ROOT

NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))
PNG = "image/png"
named = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def cells(path: Path) -> list[dict[str, Any]]:
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def test_there_are_notebooks() -> None:
    assert [path.stem for path in NOTEBOOKS] == ["results", "ten_minutes"]


@named
def test_a_notebook_is_kept_without_outputs(path: Path) -> None:
    for cell in cells(path):
        assert cell["cell_type"] == "markdown" or (cell["outputs"] == [] and cell["execution_count"] is None)


@named
def test_links_of_a_notebook_lead_somewhere(path: Path) -> None:
    text = "\n".join("".join(cell["source"]) for cell in cells(path) if cell["cell_type"] == "markdown")
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text)]
    assert links
    assert [link for link in links if not (path.parent / link).is_file()] == []


@named
def test_a_notebook_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each in a folder of its own and a kernel of its own; a cell that fails fails the test."""
    client = pytest.importorskip("nbclient", reason="notebooks are run by: pip install 'icvos[dev]'")
    nbformat = pytest.importorskip("nbformat")
    for package in ("ipykernel", "matplotlib", "torch"):
        pytest.importorskip(package, reason="the notebooks need: pip install 'icvos[models,plots,dev]'")
    command = tmp_path / "bin" / "icvos"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m icvos "$@"\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{command.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    folder = tmp_path / "work"
    folder.mkdir()
    book = nbformat.read(path, as_version=4)
    client.NotebookClient(book, timeout=600, resources={"metadata": {"path": str(folder)}}).execute()
    pictures = [output for cell in book.cells for output in cell.get("outputs", ()) if PNG in output.get("data", {})]
    assert len(pictures) == 3
    assert all(output.output_type != "error" for cell in book.cells for output in cell.get("outputs", ()))
