"""Shared by all tests: the tiny small world, a benchmark built from it, the folder of real samples, and a browser."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from icvos.cli import main
from icvos.tasks.video.benchmark import Benchmark

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
CHROMIUM_ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic"),
    *("--no-first-run", "--disable-background-networking"),
)


@dataclass(frozen=True)
class World:
    """Miniature source datasets on disk, and the arguments that name them on the command line."""

    root: Path

    @property
    def sources(self) -> list[str]:
        pairs = [(f"--{name}", str(self.root / name)) for name in ("davis", "mose", "lvos")]
        return [part for pair in pairs for part in pair]

    @property
    def build_arguments(self) -> list[str]:
        return [*self.sources, "--coco", str(self.root / "coco"), "--curation", str(self.root / "curation.csv")]


def icvos(*arguments: object, status: int = 0) -> Result:
    """Run a command in this process and check its exit status."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == status, result.output
    return result


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """The tiny small world. Tests must not change it."""
    root = tmp_path_factory.mktemp("world") / "world"
    icvos("smallworld", root, "--scale", "tiny")
    return World(root)


@pytest.fixture(scope="session")
def built(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A benchmark built from the tiny small world. Tests must not change it."""
    out = tmp_path_factory.mktemp("built") / "benchmark"
    icvos("build", *world.build_arguments, "--out", out)
    return out


@pytest.fixture
def benchmark(built: Path) -> Benchmark:
    return Benchmark.open(built)


@pytest.fixture(scope="session")
def samples() -> Path:
    """The folder of real DAVIS and COCO samples, named by ``ICVOS_SAMPLES``."""
    found = os.environ.get("ICVOS_SAMPLES")
    if not found:
        pytest.skip("ICVOS_SAMPLES does not name a folder of real samples")
    return Path(found)


@pytest.fixture(scope="session")
def browser() -> "Iterator[Browser]":
    """Chromium, steered by Playwright, which can be started once in a process; skips where either is missing."""
    player = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install 'icvos[dev]'")
    if CHROMIUM is None:
        pytest.skip("no Chromium; on Debian: apt-get install chromium")
    with player.sync_playwright() as started:
        found = started.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS)
        yield found
        found.close()


@contextmanager
def watched_page(browser: "Browser", width: int, height: int, harmless: str | None = None) -> "Iterator[Page]":
    """A page of a new profile; the test fails where its console has an error without ``harmless`` in it."""
    context = browser.new_context(viewport={"width": width, "height": height})
    made = context.new_page()
    errors: list[str] = []
    made.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    made.on("pageerror", lambda error: errors.append(str(error)))
    yield made
    context.close()
    assert [error for error in errors if harmless is None or harmless not in error] == []
