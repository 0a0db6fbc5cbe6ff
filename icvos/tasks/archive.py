"""Submissions, folders and archives: looked through before anything is read, and before an archive is unpacked.

`icvos.files.archives` says which archives are taken. What comes out of one is a folder that is removed at the end.
Nothing in a submission is a link: in a folder as in an archive, what a link points to is not the submitter's.
"""

import contextlib
import tempfile
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from icvos.errors import Fault, plural
from icvos.files.addresses import require_local
from icvos.files.archives.entries import LIMITS, ArchiveError, Limits
from icvos.files.archives.unpacking import require_archive, unpack
from icvos.files.submitted import find_links
from icvos.tasks.wrapping import deeper, further_up, shortened


@contextlib.contextmanager
def submission_folder(path: Path | str, videos: Collection[str], limits: Limits = LIMITS) -> Iterator[Path]:
    """``path`` itself where it is a folder; of an archive a temporary folder with its content, removed at the end.

    Folders around the predictions in an archive are passed over; a folder must be the right one. ``videos`` are names
    of videos, or of folds, by which predictions are known. Raises `ArchiveError` for an archive with faults, for a
    folder with links and for one above or below the predictions, `IcvosError` for what is neither.
    """
    require_local(path)
    path = Path(path)
    if path.is_dir():
        refuse_links(path)
        _refuse_other_place(path, videos)
        yield path
        return
    require_archive(path, "predictions as <video>/<class>/<frame>.png")
    with tempfile.TemporaryDirectory(prefix="icvos-") as temporary:
        folder = Path(temporary).resolve() / "submission"
        folder.mkdir()
        unpack(path, folder, limits)
        inside = deeper(folder, videos)
        if len(inside) > 1:
            what = f"holds several folders of predictions ({shortened(inside, folder)}); pack one of them"
            raise _unread(path, [Fault("layout", str(path), what)])
        yield inside[0] if inside else folder


def refuse_links(folder: Path) -> None:
    """Raise `ArchiveError` where something that may be read in a submitted folder is a link or a special file."""
    faults = find_links(folder)
    if faults:
        raise _unread(folder, faults)


def _refuse_other_place(path: Path, names: Collection[str]) -> None:
    """Raise `ArchiveError` for a folder around the predictions, or within them."""
    inside, above = deeper(path, names), further_up(path, names)
    if above is not None:
        what = f"is a part of the predictions in {above}: give that folder instead"
    elif len(inside) == 1:
        what = f"the predictions lie deeper, in {inside[0]}: give that folder instead"
    elif inside:
        what = f"holds several folders of predictions ({shortened(inside, path)}): give one of them"
    else:
        return
    raise _unread(path, [Fault("layout", str(path), what)])


def _unread(path: Path, faults: Sequence[Fault]) -> ArchiveError:
    if len(faults) == 1:
        return ArchiveError(str(faults[0]), tuple(faults))
    return ArchiveError(f"{path}: {plural(len(faults), 'fault')}, not read; {faults[0]}", tuple(faults))


def relocate(fault: Fault, folder: Path, path: Path) -> Fault:
    """``fault`` as it concerns the archive ``path`` and not the temporary ``folder`` that it was unpacked into."""
    if folder == path:
        return fault
    old, new = str(folder), str(path)
    return replace(fault, where=fault.where.replace(old, new), what=fault.what.replace(old, new))
