"""The texts of a bundle: YAML, Markdown pages, and the HTML that a submitter sees."""

import json
from importlib.resources import files
from typing import Any

from icvos.errors import printable_lines


def fill(template: str, **values: Any) -> str:
    """The ``template`` with ``values``; in HTML every text is escaped.

    In YAML, write a value as ``{{ value | quoted }}``.
    """
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        loader=FunctionLoader(lambda place: (files("leaderboard") / "codabench" / place).read_text(encoding="utf-8")),
        autoescape=".html." in template,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=lambda value: printable_lines(value) if type(value) is str else value,
    )
    environment.filters["quoted"] = lambda value: json.dumps(value, ensure_ascii=False)  # is YAML too
    return environment.get_template(template).render(values)
