"""`icvos schemas`: the JSON Schema of every file that crosses a border."""

from pathlib import Path

import click

from icvos.commands.options import FOLDER, examples
from icvos.commands.printing import say
from icvos.errors import plural


@click.command(epilog=examples("icvos schemas --out docs/schemas"))
@click.option("--out", type=FOLDER, required=True, help="The folder for the schemas, one file each.")
def schemas(out: Path) -> None:
    """Write the JSON Schemas of all files that icvos exchanges with other programs."""
    from icvos.files.storage import require_writable, write_text
    from icvos.schemas import schema_texts

    require_writable(out, folder=True)
    texts = schema_texts()
    for name, text in texts.items():
        write_text(out / name, text)
    say(f"{out}: {plural(len(texts), 'file')}")
