"""The notebooks of examples/ run from their first cell to their last, and are kept without what they printed."""

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from documentation.execution import NEEDED, executed
from documentation.notebooks import pictures, text_of
from tests import ROOT

NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))
WIDTHS = {"results": (450, 450, 950, 950), "ten_minutes": (400, 800, 800)}  # pixels; three panels must be read in 950
PRINTED = {"results": "<th", "ten_minutes": "5 videos, 7 clips; the paper has 437"}
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
def test_a_notebook_runs_and_its_page_shows_what_it_printed_and_drew(path: Path) -> None:
    """Each in a folder of its own and a kernel of its own; a cell that fails fails the test."""
    for package in NEEDED:
        pytest.importorskip(package, reason="the notebooks need: pip install 'icvos[models,plots,docs]'")
    copy, widths = executed(path), WIDTHS[path.stem]
    drawn = dict(pictures(copy))
    assert list(drawn) == [f"{path.stem}-{number}.png" for number in range(1, 1 + len(widths))]
    assert all(Image.open(io.BytesIO(data)).width >= width for data, width in zip(drawn.values(), widths, strict=True))
    assert all(output["output_type"] != "error" for cell in cells(copy) for output in cell.get("outputs", ()))
    page = text_of(copy)
    assert all(f"]({name})]({name})" in page for name in drawn)
    assert PRINTED[path.stem] in page
