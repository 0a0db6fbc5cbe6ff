"""Docstrings as Markdown: examples of doctest and literal blocks become code."""

import re
import textwrap
from typing import Any

from griffe import Extension, Object

EXAMPLE = re.compile(r"^( *)(>>> .*(?:\n(?!\s*$).*)*)", re.MULTILINE)  # up to the next empty line
LITERAL = re.compile(r"::\n\n((?:^ {4}.*\n?|^\s*\n)+)", re.MULTILINE)


def as_markdown(text: str) -> str:
    """A docstring whose code mkdocstrings shows as code.

    >>> print(as_markdown("Adds::\\n\\n    1 + 1\\n\\nDone."))
    Adds:
    <BLANKLINE>
    ```python
    1 + 1
    ```
    <BLANKLINE>
    Done.
    """
    text = LITERAL.sub(lambda found: f":\n\n```python\n{textwrap.dedent(found[1]).strip()}\n```\n\n", text)
    return EXAMPLE.sub(r"\1```pycon\n\1\2\n\1```\n", text).strip()


class Examples(Extension):
    """Changes every docstring that is read."""

    def on_instance(self, *, obj: Object, **_: Any) -> None:
        if obj.docstring:
            obj.docstring.value = as_markdown(obj.docstring.value)
