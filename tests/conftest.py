"""Shared by all tests: the tiny small world, a benchmark built from it, and the folder of real samples."""

import os
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from icvos.cli import main
from icvos.tasks.video.benchmark import Benchmark


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
