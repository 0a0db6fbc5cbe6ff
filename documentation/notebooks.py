"""The notebooks of ``examples/`` as Markdown: their texts, and their code, which a test runs, without outputs."""

import json
from pathlib import Path

from documentation.places import ROOT

EXAMPLES = "examples"


def notebooks() -> list[str]:
    """Their paths in the repository."""
    return [path.relative_to(ROOT).as_posix() for path in sorted((ROOT / EXAMPLES).glob("*.ipynb"))]


def text_of(notebook: Path) -> str:
    """The cells of a notebook as Markdown, and where its file is, behind the title."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    title, *others = [_shown(cell["cell_type"], "".join(cell["source"])) for cell in cells]
    heading, _, rest = title.partition("\n")
    where = f"A notebook: `{EXAMPLES}/{notebook.name}` of the repository, for Jupyter."
    return "\n\n".join([heading, where, rest.strip(), *others]) + "\n"


def _shown(kind: str, source: str) -> str:
    """A cell: its text, or its code in a fence."""
    if kind == "markdown":
        return source
    if source.startswith("!"):
        return f"```console\n{source.removeprefix('!')}\n```"
    return f"```python\n{source}\n```"
