"""A competition on a benchmark as the zip file that Codabench takes: settings, pages, truth, and a scoring program.

    competition.yaml        title, pages, one phase, one task, the leaderboard
    logo.png, pages/*.md
    reference_data.zip      the true masks, and nothing that scoring does not read
    scoring_program.zip     metadata.yaml, scoring.py, settings.json, wheels/

The layout is that of https://docs.codabench.org, Competition Bundle Structure and Yaml Structure, version 2.
"""

import json
import re
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import numpy as np

from icvos.errors import IcvosError
from icvos.files.storage import atomic_file, require_writable
from icvos.protocol import PAPER, Protocol
from icvos.protocol import protocol as find_protocol
from icvos.tasks.calls import as_task
from icvos.tasks.task import SILENT, Task, Watch
from leaderboard.codabench.scoring import leaderboard_columns
from leaderboard.codabench.templates import fill
from leaderboard.codabench.wheels import DATE, gather, own_wheel
from leaderboard.entry import check_name

PAGES = ("overview", "data", "evaluation", "terms")
PROGRAM = "python3 /app/program/scoring.py /app/input /app/output"
SECONDS = 3600
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
PACKED = frozenset({".zip", ".whl", ".png"})  # is stored as it is
PAPER_WHITE, INK, MASK = (253, 253, 251), (11, 110, 105), (224, 99, 47)
Content = Path | bytes


@dataclass(frozen=True, slots=True)
class Competition:
    """What an organiser says of a competition.

    Args:
        title: Its title.
        start: When submissions begin, ``YYYY-MM-DD HH:MM:SS`` in UTC.
        end: When they end; "" for never.
        image: The docker image that the scoring program runs in.
        seconds: What it may take for a submission.
    """

    title: str
    start: str
    end: str
    image: str
    seconds: int


def codabench(
    benchmark: Task | Path | str,
    out: Path | str,
    *,
    title: str = "",
    protocol_name: str = PAPER.id,
    start: str = "",
    end: str = "",
    wheels: Path | str | None = None,
    download: bool = False,
    python: str = HERE,
    image: str = "",
    seconds: int = SECONDS,
    watch: Watch = SILENT,
) -> Path:
    """Write the bundle of a competition for Codabench, and return its path.

    The scoring program needs icvos, which it finds in ``wheels``, in what pip downloads, or in an ``image`` of yours.

    Args:
        benchmark: What is predicted; its true masks go into the bundle, its pictures do not.
        out: The zip file.
        title: Of the competition; "": the name of the benchmark.
        protocol_name: Which frames count, and at which size masks are compared.
        start: When submissions begin, ``YYYY-MM-DD`` or with ``HH:MM:SS``, in UTC; "": today.
        end: When they end; "": never.
        wheels: A folder with wheels of all that icvos depends on.
        download: Fetch them with pip.
        python: The version of Python that the wheels are for.
        image: The docker image; "": ``python:<version>-slim``.
        seconds: What scoring a submission may take.
        watch: Is told of the steps.

    Raises:
        IcvosError: The wheels are not all there, a date is none, or the benchmark cannot be packed.

    >>> codabench("IC-VOS", "bundle.zip", title="Find the dog", image="ours/icvos:0.1.0").name
    'bundle.zip'
    """
    task, out, protocol = as_task(benchmark), Path(out), find_protocol(protocol_name)
    require_writable(out)
    _require_one_source(wheels, download, image)
    if not re.fullmatch(r"3\.\d{1,2}", python):
        raise IcvosError(f"--python {python}: write a version like 3.12")
    competition = Competition(
        check_name(title or task.name, "title"),
        _date(start, "--start") or f"{datetime.now(UTC):%Y-%m-%d} 00:00:00",
        _date(end, "--end"),
        check_name(image or f"python:{python}-slim", "image"),
        seconds,
    )
    if competition.end and competition.end <= competition.start:
        raise IcvosError(f"--end {competition.end}: is not after the start, {competition.start}; give a later one")
    texts = _texts(task, protocol, competition)
    with tempfile.TemporaryDirectory(prefix="icvos-") as temporary:
        folder = Path(temporary)
        watch.stage("truth")
        _pack(folder / "reference_data.zip", task.truth_files())
        watch.stage("wheels")
        gathered = folder / "wheels"
        if wheels or download:
            gathered.mkdir()
            gather(own_wheel(folder), gathered, python, Path(wheels) if wheels else None)
        _pack(folder / "scoring_program.zip", _program(protocol, python, sorted(gathered.glob("*.whl"))))
        parts = [(name, folder / name) for name in ("reference_data.zip", "scoring_program.zip")]
        with atomic_file(out) as path:
            _pack(path, [*texts, *parts])
    return out


def _require_one_source(wheels: Path | str | None, download: bool, image: str) -> None:
    if wheels and download:
        raise IcvosError("--wheels beside --download; give one or the other")
    if not (wheels or download or image):
        raise IcvosError(
            "the scoring program needs icvos where there is no network: give --download to fetch wheels with pip now, "
            "--wheels DIR for a folder of them, or --image NAME for a docker image that has icvos"
        )


def _date(text: str, option: str) -> str:
    if not text:
        return ""
    try:
        return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M:%S}"
    except ValueError:
        raise IcvosError(f"{option} {text}: write a date like 2027-01-31, or 2027-01-31 12:00:00") from None


def _texts(task: Task, protocol: Protocol, competition: Competition) -> list[tuple[str, Content]]:
    """The settings, the logo and the pages."""
    values = {
        "task": task,
        "digest": task.digest,
        "protocol": protocol,
        "about": protocol.about_images if task.kind == "image" else protocol.about,
        "competition": competition,
        "columns": leaderboard_columns(task),
    }
    pages = [(f"pages/{name}.md", fill(f"pages/{name}.md.jinja", **values).encode()) for name in PAGES]
    settings = fill("competition.yaml.jinja", **values).encode()
    return [("competition.yaml", settings), ("logo.png", _logo()), *pages]


def _program(protocol: Protocol, python: str, wheels: Iterable[Path]) -> Iterable[tuple[str, Content]]:
    given = json.dumps({"protocol": protocol.id, "python": python}) + "\n"
    yield "metadata.yaml", f"command: {PROGRAM}\n".encode()
    yield "scoring.py", (files("leaderboard") / "codabench" / "program" / "scoring.py").read_bytes()
    yield "settings.json", given.encode()
    for wheel in wheels:
        yield f"wheels/{wheel.name}", wheel


def _pack(path: Path, content: Iterable[tuple[str, Content]]) -> None:
    """Write a zip file whose bytes depend on nothing but what is in it; what is packed already is stored."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in content:
            entry = zipfile.ZipInfo(name, DATE)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_STORED if Path(name).suffix in PACKED else zipfile.ZIP_DEFLATED
            if isinstance(data, bytes):
                archive.writestr(entry, data)
                continue
            with data.open("rb") as source, archive.open(entry, "w", force_zip64=data.stat().st_size > 2**31) as target:
                shutil.copyfileobj(source, target, 1 << 20)


def _logo(side: int = 300) -> bytes:
    """Three frames, and something that moves through them and is found in each."""
    from icvos.drawing.panels import encode_png

    picture = np.full((side, side, 3), PAPER_WHITE, dtype=np.uint8)
    rows, columns = np.mgrid[:side, :side]
    for number in range(3):
        middle = 100 + 50 * number
        away = np.maximum(abs(rows - middle), abs(columns - middle))  # of the frame, a square of 2 x 70 pixels
        picture[away <= 70], picture[away <= 64] = INK, PAPER_WHITE
        found = ((rows - middle + 44) / 16) ** 2 + ((columns - middle + 36 - 30 * number) / 20) ** 2 <= 1
        picture[found] = MASK
    return encode_png(picture)
