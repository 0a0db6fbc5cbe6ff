"""What of a data set is in a folder, by the number of files: what was said before, or noted when it was unpacked."""

import os
from collections.abc import Mapping
from pathlib import Path

from curation.acquisition.catalogue import Archive
from icvos.files.listing import is_passed_over
from icvos.files.schema import PlainPath, Schema, read_schema
from icvos.files.storage import write_json

STORE = ".icvos-data"  # in the folder that is fetched to: what is under way, and notes of what was unpacked
REMEDY = "remove it and fetch the data set again"


class Note(Schema):
    """What came of a file whose content nobody states: the number of files by folder."""

    holds: dict[PlainPath, int]


def count_files(path: Path) -> int:
    """How many visible files are in a folder and below; 1 for a file, 0 for what is not there."""
    if path.is_file():
        return 1
    found = 0
    for _, folders, names in os.walk(path):
        folders[:] = [name for name in folders if not is_passed_over(name)]
        found += sum(not is_passed_over(name) for name in names)
    return found


def lacking(holds: Mapping[str, int], root: Path) -> list[str]:
    """What a folder has too little of, one line each."""
    counted = {place: count_files(root / place) for place in holds}
    return [
        f"{root / place}: {f'{counted[place]:,} of {wanted:,} files' if wanted > 1 else 'is not there'}"
        for place, wanted in holds.items()
        if counted[place] < wanted
    ]


def stem(archive: Archive) -> str:
    """A name for the files of ``archive`` in the store."""
    return "--".join(part.replace("/", "--") for part in (archive.hub, archive.file) if part)


def write_note(root: Path, name: str, holds: Mapping[str, int]) -> None:
    """Note what came of the file that is called ``name`` in the store."""
    write_json(_note_path(root, name), Note(holds=dict(holds)).to_json())


def read_note(root: Path, name: str) -> dict[str, int]:
    """What was noted and still is there; {} where nothing was noted, or some of it is gone."""
    path = _note_path(root, name)
    holds = read_schema(path, Note, "a note of what was unpacked", REMEDY).holds if path.is_file() else {}
    return {} if lacking(holds, root) else holds


def _note_path(root: Path, name: str) -> Path:
    return root / STORE / f"{name}.json"


def is_complete(archive: Archive, root: Path) -> bool:
    """Whether all that ``archive`` holds is in ``root``, however it came there."""
    if archive.holds:
        return not lacking(archive.holds, root)
    return bool(read_note(root, stem(archive)))
