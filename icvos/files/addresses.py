"""Addresses in place of paths, which nothing here reads or writes."""

import re
from pathlib import Path

from icvos.errors import IcvosError, printable

COPIES = {  # by scheme, what copies from and to it
    "s3": "aws s3 sync {place} FOLDER",
    "gs": "gcloud storage rsync -r {place} FOLDER",
    "az": "azcopy sync",
    "http": "curl -O {place}",
    "https": "curl -O {place}",
}
HUB = re.compile(r"hf://(?:(dataset|model|space)s/)?([^/@]+/[^/@]+)(?:@([^/]+))?(?:/(.*))?")  # of Hugging Face


def require_local(place: Path | str) -> None:
    """Raise `IcvosError` for an address as ``s3://bucket/IC-VOS``, which would else become a folder called ``s3:``.

    >>> require_local("hf://datasets/lab/IC-VOS")
    Traceback (most recent call last):
    icvos.errors.IcvosError: hf://datasets/lab/IC-VOS: icvos reads and writes folders of this machine alone; copy it \
by: hf download lab/IC-VOS --repo-type dataset --local-dir FOLDER
    """
    # a Path has one of the two slashes left; a single letter is a drive
    found = re.fullmatch(r"([A-Za-z][A-Za-z0-9+.-]+):/(/?)(.*)", str(place), re.DOTALL)
    if found is None or not (found[2] or isinstance(place, Path)):
        return
    scheme, address = found[1].lower(), f"{found[1]}://{found[3]}"
    way = _from_hub(address) if scheme == "hf" else COPIES.get(scheme, "").format(place=address)
    raise IcvosError(
        printable(
            f"{address}: icvos reads and writes folders of this machine alone; copy it"
            f"{f' by: {way}' if way else ' from or to there'}"
        )
    )


def _from_hub(address: str) -> str:
    found = HUB.fullmatch(address)
    if found is None:
        return "hf download REPOSITORY --local-dir FOLDER"
    kind, repository, revision, folder = found.groups()
    words = ["hf download", repository]
    words += [f"--repo-type {kind}"] if kind in ("dataset", "space") else []
    words += [f"--revision {revision}"] if revision else []
    words += [f"--include '{folder.rstrip('/')}/*'"] if folder else []
    return " ".join([*words, "--local-dir FOLDER"])
