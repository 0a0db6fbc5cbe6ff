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
    """What an archive held, whose content nobody states: files by folder."""

    archive: str
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


def note_path(archive: Archive, root: Path) -> Path:
    """Where it is noted what ``archive`` held."""
    return root / STORE / f"{stem(archive)}.json"


def stem(archive: Archive) -> str:
    """A name for the files of ``archive`` in the store."""
    parts = [part.replace("/", "--") for part in (archive.hub, archive.file) if part]
    return "--".join(parts)


def write_note(archive: Archive, root: Path, holds: Mapping[str, int]) -> None:
    """Note what ``archive`` held."""
    write_json(note_path(archive, root), Note(archive=archive.name, holds=dict(holds)).to_json())


def is_complete(archive: Archive, root: Path) -> bool:
    """Whether all that ``archive`` holds is in ``root``, however it came there."""
    holds: Mapping[str, int] = archive.holds
    if not holds:
        path = note_path(archive, root)
        if not path.is_file():
            return False
        holds = read_schema(path, Note, "a note of what was unpacked", REMEDY).holds
    return bool(holds) and not lacking(holds, root)
