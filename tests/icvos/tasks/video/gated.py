"""A method without networks that waits at a gate, and icvos with it in a process of its own.

python -m tests.icvos.tasks.video.gated ARGUMENTS

``GATE`` names a file: no mask is made while it is not there. ``LEASE_S`` shortens leases. ``FAILS`` is the name of a
support's class that goes wrong. ``SIGNS`` names a folder, for processes whose variables are set once: a file ``wait``
is a closed gate, ``fails-<class>`` goes wrong, ``<signal>-...``, as ``SIGKILL-1``, is sent to the first process that
sees it before a mask, and is gone then.
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import EntryPoint
from pathlib import Path

from icvos import method as registry
from icvos.files import leases
from icvos.method import Image, Mask, Support


def sign(name: str) -> bool:
    return "SIGNS" in os.environ and Path(os.environ["SIGNS"], name).exists()


def heed_signals() -> None:
    for path in sorted(Path(os.environ["SIGNS"]).glob("SIG*")) if "SIGNS" in os.environ else ():
        with contextlib.suppress(FileNotFoundError):  # another has seen it first
            path.unlink()
            os.kill(os.getpid(), getattr(signal, path.name.partition("-")[0]))


class Gated:
    """Whatever is brighter than the support's object; sees a frame once for all of its siblings."""

    def segment(self, supports: Sequence[Support], frames: Iterable[Image]) -> Iterator[Mask]:
        threshold = float(supports[0].image()[supports[0].mask()].mean())
        kind = supports[0].mask_path.parent.name
        if kind == os.environ.get("FAILS") or sign(f"fails-{kind}"):
            raise RuntimeError("this one never works")
        for frame in frames:
            while ("GATE" in os.environ and not Path(os.environ["GATE"]).exists()) or sign("wait"):
                time.sleep(0.01)
            heed_signals()
            yield frame.mean(axis=2) > threshold

    def siblings(self, count: int) -> Sequence["Gated"]:
        return [self] * count


class Dark(Gated):
    """Another method."""


class Broken(Gated):
    """A method that cannot be loaded."""

    def __init__(self) -> None:
        raise RuntimeError("it has no heart")


HERE = "tests.icvos.tasks.video.gated"
POINTS = [EntryPoint(kind.lower(), f"{HERE}:{kind}", "icvos.methods") for kind in ("Gated", "Dark", "Broken")]


def write_package(folder: Path) -> None:
    """A folder that makes the method known to every process that has it on its path."""
    about = folder / "gated-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: gated\nVersion: 1.0\n")
    lines = [f"{point.name} = {point.value}" for point in POINTS]
    (about / "entry_points.txt").write_text("\n".join(["[icvos.methods]", *lines, ""]))


if __name__ == "__main__":
    from icvos.cli import main

    registry.entry_points = lambda group: POINTS  # type: ignore[assignment, misc]
    leases.LEASE_S = float(os.environ.get("LEASE_S", leases.LEASE_S))
    main(sys.argv[1:])
