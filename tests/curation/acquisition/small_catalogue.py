"""A catalogue of small data sets on a server of this machine."""

import hashlib
import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from icvos.files.storage import json_text


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A zip file of these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def tarred(files: Mapping[str, bytes]) -> bytes:
    """A tar.gz file of these files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def files_below(folder: Path, start: str) -> dict[str, bytes]:
    """All files of a folder, their paths beginning with ``start``."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {f"{start}/{path.relative_to(folder).as_posix()}": path.read_bytes() for path in paths}


def facts(content: bytes) -> dict[str, Any]:
    """Size and SHA-256, as a catalogue states them."""
    return {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def write_catalogue(path: Path, **sources: Mapping[str, Any]) -> Path:
    """A catalogue of these data sets; what every entry needs is filled in."""
    usual = {"title": "Small", "what": "little", "used_by": "icvos build --davis", "terms": "http://example.org/terms"}
    lines = []
    for name, source in sources.items():
        archives = source.get("archives", ())
        lines.append(f"[{name}]")
        lines += [f"{key} = {_toml(value)}" for key, value in {**usual, **source}.items() if key != "archives"]
        for archive in archives:
            lines.append(f"[[{name}.archives]]")
            lines += [f"{key} = {_toml(value)}" for key, value in archive.items()]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f'"{key}" = {_toml(inner)}' for key, inner in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json_text(value).strip()
