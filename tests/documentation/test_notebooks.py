"""A notebook that was run, as Markdown: what it printed and drew stands below its cells."""

import base64
import json
from pathlib import Path
from typing import Any

from documentation.notebooks import pictures, text_of
from documentation.places import relinked


def code(source: str, *outputs: dict[str, Any]) -> dict[str, Any]:
    return {"cell_type": "code", "source": [source], "outputs": list(outputs)}


def test_outputs_are_below_their_cells(tmp_path: Path) -> None:
    table = '<style type="text/css">\n</style>\n<table><tr><td>1</td></tr></table>\n'
    drawn = base64.b64encode(b"drawn").decode()
    cells = [
        {"cell_type": "markdown", "source": ["# Title\n", "\n", "Words."]},
        code("!icvos", {"output_type": "stream", "text": ["10 %\r20 %\r\x1b[1mdone\x1b[0m\r\n", "more\n"]}),
        code("value", {"output_type": "execute_result", "data": {"text/plain": ["7"]}}),
        code("table", {"output_type": "execute_result", "data": {"text/plain": ["<Styler>"], "text/html": [table]}}),
        code("draw()", {"output_type": "display_data", "data": {"text/plain": ["<Figure>"], "image/png": drawn}}),
        code("quiet()"),
    ]
    notebook = tmp_path / "book.ipynb"
    notebook.write_text(json.dumps({"cells": cells}), encoding="utf-8")
    text = text_of(notebook)
    assert "```console\nicvos\n```\n\n```text\ndone\nmore\n```" in text
    assert "value\n```\n\n```text\n7\n```" in text
    assert "\n\n<table><tr><td>1</td></tr></table>\n\n" in text
    assert "style" not in text.lower()
    assert "draw()\n```\n\n[![What the cell above draws](book-1.png)](book-1.png)" in text
    assert text.endswith("quiet()\n```\n")
    assert list(pictures(notebook)) == [("book-1.png", b"drawn")]
    assert relinked(text, "examples/book.ipynb", "examples/book.md") == text
