"""Fetch a checkpoint: resumed after a dropped connection, checked against what is published, there whole or not at all.

`icvos.files.downloads` says how; a mirror may go on where another address stopped.
"""

from functools import partial
from pathlib import Path

from icvos.errors import IcvosError
from icvos.files.downloads import PAUSE_SECONDS, Offer, Progress, download
from icvos.files.hub import HubFile, look_up
from icvos.files.storage import sha256, take_in
from icvos.models.weights.integrity import damage, published_fault, require_checkpoint, what_else, write_note
from icvos.models.weights.registry import Checkpoint, how_to_get, locate, places


def fetch(known: Checkpoint, *, pause: float = PAUSE_SECONDS, progress: Progress = lambda done, total: None) -> Path:
    """The file of a checkpoint in the folder of weights, fetched where it is not there.

    Args:
        known: What to fetch.
        pause: Seconds before the second attempt of an address.
        progress: Told the bytes that are there and those in all, or None.

    Raises `IcvosError` where the checkpoint has no address, no address gives the right file, or it cannot be written.
    """
    if known.inside and (own := locate(known)):
        return own
    if known.hub:
        return _fetch_from_hub(known, pause, progress)
    if not known.urls:
        raise IcvosError(f"{known.name}: cannot be fetched; {how_to_get(known)}")
    target = places(known)[0]
    offer = Offer(known.name, known.urls, partial(_fault, known), how_to_get(known), known.size)
    if not download(offer, target, noted=partial(write_note, target), pause=pause, progress=progress):
        _refuse_damaged(target, known)
    return target


def _fetch_from_hub(known: Checkpoint, pause: float, progress: Progress) -> Path:
    """A file of the Hugging Face Hub, from its cache on this machine where that has it."""
    target = places(known)[0]
    if target.is_file():
        _refuse_damaged(target, known)
        return target
    owner, repository, path = known.hub.split("/", 2)
    file = look_up(f"{owner}/{repository}", "model", path)
    if file.cached:
        require_checkpoint(file.cached)
        take_in(file.cached, target)
        write_note(target, sha256(target))
        return target
    offer = Offer(known.name, (file.url,), partial(_hub_fault, file), how_to_get(known), file.size, file.headers)
    if not download(offer, target, noted=partial(write_note, target), pause=pause, progress=progress):
        _refuse_damaged(target, known)
    return target


def _refuse_damaged(target: Path, known: Checkpoint) -> None:
    if fault := damage(target, known):
        raise IcvosError(f"{target}: {fault}; remove it and fetch it again")


def _fault(known: Checkpoint, path: Path, digest: str) -> str:
    other = what_else(path)
    return f"is {other}" if other else published_fault(path, known, digest)


def _hub_fault(file: HubFile, path: Path, digest: str) -> str:
    other = what_else(path)
    return f"is {other}" if other else file.fault(path, digest)
