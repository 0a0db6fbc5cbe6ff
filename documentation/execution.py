"""The notebooks of ``examples/``, run from their first cell to their last: what they print and draw is on the site.

`executed` keeps what came out, beside the digest of everything that it comes from, so that it is made anew when the
notebook, the packages or what is installed has changed, and only then.
"""

import hashlib
import json
import os
import shlex
import sys
import tempfile
from importlib.metadata import distributions
from pathlib import Path

from documentation.places import ROOT
from icvos.files.storage import write_text

KEPT = ROOT / "build" / "notebooks"
PACKAGES = ("icvos", "curation", "baselines", "dcsam", "leaderboard")
SECONDS = 600  # for a cell
NEEDED = ("nbclient", "nbformat", "ipykernel", "matplotlib", "torch")  # icvos[models,plots,docs]


def executed(notebook: Path, kept: Path = KEPT) -> Path:
    """The copy of ``notebook`` with its outputs, in ``kept``; a cell that fails raises ``CellExecutionError``."""
    copy = kept / notebook.name
    made_of = _digest(notebook)
    if copy.is_file() and json.loads(copy.read_text(encoding="utf-8"))["metadata"].get("made_of") == made_of:
        return copy
    import nbformat
    from nbclient import NotebookClient

    book = nbformat.read(notebook, as_version=4)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "work")
        folder.mkdir()
        resources = {"metadata": {"path": str(folder)}}
        NotebookClient(book, timeout=SECONDS, resources=resources).execute(env=_environment(Path(scratch)))
    book.metadata["made_of"] = made_of
    kept.mkdir(parents=True, exist_ok=True)
    write_text(copy, nbformat.writes(book))
    return copy


def _environment(scratch: Path) -> dict[str, str]:
    """That of a kernel which has this checkout and its ``icvos`` command."""
    command = scratch / "bin" / "icvos"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m icvos "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    before = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if os.environ.get(name)}
    paths = {"PATH": command.parent, "PYTHONPATH": ROOT}
    joined = {name: os.pathsep.join([str(path), *filter(None, [before.get(name)])]) for name, path in paths.items()}
    return {**os.environ, **joined, "IPYTHONDIR": str(scratch / "ipython")}


def _digest(notebook: Path) -> str:
    """Of the notebook, the packages, Python and what is installed."""
    found = hashlib.sha256(notebook.read_bytes())
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                found.update(f"{path.relative_to(ROOT)} {path.stat().st_size}\n".encode())
                found.update(path.read_bytes())
    found.update(sys.version.encode())
    for line in sorted({f"{one.metadata['Name']} {one.version}\n" for one in distributions()}):
        found.update(line.encode())
    return found.hexdigest()
