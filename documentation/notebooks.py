"""The notebooks of ``examples/`` as Markdown: their texts, their code, and what a copy that was run says and shows."""

import base64
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from documentation.places import ROOT

EXAMPLES = "examples"
PNG, HTML, PLAIN = "image/png", "text/html", "text/plain"
STEERING = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[^\n]*\r(?!\n)")  # colours, and lines that were written over
STYLE = re.compile(r"<style.*?</style>\s*", re.DOTALL)


def notebooks() -> list[str]:
    """Their paths in the repository."""
    return [path.relative_to(ROOT).as_posix() for path in sorted((ROOT / EXAMPLES).glob("*.ipynb"))]


def text_of(notebook: Path) -> str:
    """The cells of a notebook as Markdown, and where its file is, behind the title."""
    cells = _cells(notebook)
    numbers = iter(range(1, 1 + len(list(pictures(notebook)))))
    title, *others = [_shown(cell, notebook.stem, numbers) for cell in cells]
    heading, _, rest = title.partition("\n")
    where = f"A notebook: `{EXAMPLES}/{notebook.name}` of the repository, for Jupyter."
    return "\n\n".join([heading, where, rest.strip(), *others]) + "\n"


def pictures(notebook: Path) -> Iterator[tuple[str, bytes]]:
    """What the cells of a notebook drew, in the order of `text_of`, as PNG files of the names that it refers to."""
    drawn = (output["data"][PNG] for cell in _cells(notebook) for output in _drawn(cell))
    for number, data in enumerate(drawn, 1):
        yield _picture(notebook.stem, number), base64.b64decode("".join(data))


def _cells(notebook: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return found


def _drawn(cell: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [output for output in cell.get("outputs", ()) if PNG in output.get("data", {})]


def _picture(stem: str, number: int) -> str:
    return f"{stem}-{number}.png"


def _shown(cell: Mapping[str, Any], stem: str, numbers: Iterator[int]) -> str:
    """A cell: its text, or its code in a fence and what came out of it below."""
    source = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        return source
    code = f"```console\n{source.removeprefix('!')}\n```" if source.startswith("!") else f"```python\n{source}\n```"
    return "\n\n".join([code, *(_output(output, stem, numbers) for output in cell["outputs"])])


def _output(output: Mapping[str, Any], stem: str, numbers: Iterator[int]) -> str:
    """What a cell printed or drew; a picture leads to itself, as large as it is."""
    data = output.get("data", {})
    if PNG in data:
        name = _picture(stem, next(numbers))
        return f"[![What the cell above draws]({name})]({name})"
    if HTML in data:  # a table of pandas
        return STYLE.sub("", "".join(data[HTML])).strip()
    text = "".join(output.get("text", data.get(PLAIN, "")))
    return f"```text\n{STEERING.sub('', text.replace(chr(13) + chr(10), chr(10))).rstrip()}\n```"
