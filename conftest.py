"""Examples in docstrings run in a folder that has what they name; the rest of the tests is in ``tests``."""

import gc
import importlib.util
import os
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from icvos.cli import main

# before anything imports torch: sums are the same in every run, and test processes do not fight for the cores
os.environ.setdefault("OMP_NUM_THREADS", "1")

collect_ignore = ["leaderboard/server/migrations/env.py"]  # which Alembic alone can run
if importlib.util.find_spec("fastapi") is None:
    collect_ignore.append("leaderboard/server")  # has no examples to run without the extra


def pytest_collection_finish() -> None:
    """Spare the garbage collector what is imported and collected by now: about a million objects that all stay.

    A full collection, which accelerate and the checks of a method ask for, takes milliseconds then and not a second.
    """
    gc.collect()
    gc.freeze()


def _icvos(*arguments: object) -> None:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output


@pytest.fixture(scope="session")
def _prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Source data sets, a benchmark made from them, predictions for it, and a picture and a video of one's own."""
    root = tmp_path_factory.mktemp("examples")
    _icvos("smallworld", root / "world", "--scale", "tiny")
    for path in (root / "world").iterdir():
        path.rename(root / path.name)
    sources = [part for name in ("davis", "mose", "lvos", "coco") for part in (f"--{name}", root / name)]
    _icvos("build", *sources, "--curation", root / "curation.csv", "--only-decided", "--out", root / "IC-VOS")
    _icvos("episodes", "all-coco", "--coco", root / "coco", "--episodes", 8, "--out", root / "episodes")
    for video in sorted((root / "IC-VOS" / "videos").iterdir()):
        shutil.copytree(video, root / "published" / video.name.partition("_")[2])
    for folder in sorted((root / "IC-VOS" / "videos").glob("*/Annotations/*")):
        shutil.copytree(folder, root / "masks" / folder.parent.parent.name / folder.name)
    video = sorted((root / "IC-VOS" / "videos").iterdir())[0]
    shutil.copytree(video / "JPEGImages", root / "walk")
    support = sorted((root / "IC-VOS" / "supports").glob("*/*.jpg"))[0]
    shutil.copy(support, root / "dog.jpg")
    shutil.copy(support.with_suffix(".png"), root / "dog.png")
    return root


@pytest.fixture(autouse=True)
def _folder_of_examples(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    example = getattr(request.node, "dtest", None)
    if example is None:
        return
    if "lite" in example.docstring and not importlib.util.find_spec("torch"):
        pytest.skip("the method of the example needs torch: pip install 'icvos[models]'")
    prepared: Path = request.getfixturevalue("_prepared")
    for path in prepared.iterdir():
        (tmp_path / path.name).symlink_to(path)
    shutil.copytree(prepared / "IC-VOS", tmp_path / "benchmark")  # built again by an example
    monkeypatch.chdir(tmp_path)
