"""The examples of the calls that do all that a command does, run one after another in a folder of small data sets."""

import doctest
import importlib
import shutil
from pathlib import Path

import pytest

from icvos.tasks.video.benchmark import Benchmark
from tests.conftest import World

MODULES = (
    "video.plan",
    "video.build",
    "video.check",
    "video.candidates",
    "video.recover",
    "image.plan",
    "image.build",
    "image.check",
    "image.lists",
)


def test_examples(world: World, benchmark: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in world.root.iterdir():
        (tmp_path / path.name).symlink_to(path)
    for video in benchmark.videos:
        shutil.copytree(video.folder, tmp_path / "published" / video.name.partition("_")[2])
    monkeypatch.chdir(tmp_path)
    for name in MODULES:
        found = doctest.testmod(importlib.import_module(f"curation.{name}"))
        assert found.attempted, name
        assert not found.failed, name
