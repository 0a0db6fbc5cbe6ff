"""The wheels that a scoring program brings: icvos's own, made from what runs here, and those that it depends on."""

import base64
import hashlib
import importlib.util
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from icvos.errors import IcvosError
from icvos.files.listing import is_passed_over

PACKAGES = ("icvos", "curation", "baselines", "dcsam", "leaderboard")  # as pyproject.toml names them
# what a Debian image of the last years runs; a wheel names the oldest system that it is for
SYSTEMS = (
    *(f"manylinux_2_{minor}_x86_64" for minor in range(35, 4, -1)),
    *(f"manylinux{year}_x86_64" for year in (2014, 2010, 1)),
)
DATE = (1980, 1, 1, 0, 0, 0)  # of every file in an archive: the same input makes the same bytes
WHEEL = "Wheel-Version: 1.0\nGenerator: icvos\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def own_wheel(folder: Path) -> Path:
    """Write the wheel of the icvos that runs here into ``folder``; `IcvosError` where icvos is not installed."""
    try:
        about = distribution("icvos")
    except PackageNotFoundError:
        raise IcvosError("icvos is not installed, so it has no wheel; in its checkout, run: pip install .") from None
    stem = f"icvos-{about.version}"
    info = {"METADATA": about.read_text("METADATA"), "entry_points.txt": about.read_text("entry_points.txt")}
    path = folder / f"{stem}-py3-none-any.whl"
    rows = []
    with zipfile.ZipFile(path, "w") as archive:
        named = ((f"{stem}.dist-info/{name}", (text or "").encode()) for name, text in info.items())
        for name, data in (*_sources(), *named, (f"{stem}.dist-info/WHEEL", WHEEL.encode())):
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            rows.append(f"{name},sha256={digest},{len(data)}")
            archive.writestr(zipfile.ZipInfo(name, DATE), data, zipfile.ZIP_DEFLATED)
        record = f"{stem}.dist-info/RECORD"
        archive.writestr(zipfile.ZipInfo(record, DATE), "\n".join([*rows, f"{record},,\n"]), zipfile.ZIP_DEFLATED)
    return path


def _sources() -> Iterator[tuple[str, bytes]]:
    """The files of the packages by their names in a wheel."""
    for package in PACKAGES:
        spec = importlib.util.find_spec(package)
        for place in spec.submodule_search_locations or () if spec else ():
            root = Path(place)
            for path in sorted(root.rglob("*")):
                parts = path.relative_to(root).parts
                if path.is_file() and "__pycache__" not in parts and not any(map(is_passed_over, parts)):
                    yield "/".join((package, *parts)), path.read_bytes()


def gather(own: Path, folder: Path, python: str, source: Path | None) -> None:
    """Put ``own`` and all that it depends on into ``folder``, as wheels for Linux on x86-64.

    Args:
        own: The wheel of icvos.
        folder: Where they go.
        python: The version of Python that they are for, as 3.12.
        source: A folder of wheels to choose from; None: pip's index.

    Raises:
        IcvosError: pip is not there, or finds no fitting wheel of something.
    """
    if importlib.util.find_spec("pip") is None:
        raise IcvosError("pip is not installed, which gathers the wheels; install it with: python -m ensurepip")
    if source is not None and not source.is_dir():
        raise IcvosError(f"{source}: no such folder of wheels; give --download in its place to fetch them with pip")
    where = [] if source is None else ["--no-index", "--find-links", str(source)]
    systems = [part for system in SYSTEMS for part in ("--platform", system)]
    choice = ["--only-binary=:all:", "--implementation", "cp", "--python-version", python, *systems]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", *where, *choice]
    done = subprocess.run([*command, "--dest", str(folder), str(own)], capture_output=True, text=True, check=False)
    if done.returncode:
        faults = re.findall(r"^ERROR: (.*)$", done.stderr, re.MULTILINE) or [done.stderr.strip() or "pip failed"]
        remedy = "see that pip reaches its index" if source is None else "give --download in its place to fetch all"
        raise IcvosError(f"{source or 'pip'}: no full set of wheels for Python {python} ({faults[-1]}); {remedy}")
