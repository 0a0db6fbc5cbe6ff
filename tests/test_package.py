"""What is published: both archives, and the wheel in an environment of its own, outside the checkout."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

from icvos.files.masks import write_binary
from leaderboard.codabench.wheels import PACKAGES, own_wheel
from tests import ROOT

pytestmark = pytest.mark.slow
for package in ("build", "hatchling", "twine"):
    pytest.importorskip(package, reason=f"{package} is not installed: pip install 'icvos[dev]'")


def run(*command: str | Path, where: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(command, cwd=where, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the source archive and of the wheel that is built from it."""
    out = tmp_path_factory.mktemp("package")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, ROOT, where=out)
    return out


def files(package: str) -> set[str]:
    return {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_all_name_the_same_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^version: (.*)$", citation, re.MULTILINE) == [project]
    assert re.findall(r"^## (\S+)", changes, re.MULTILINE)[0] == project == version("icvos")
    for page in ("README.md", "docs/package.md"):
        assert set(re.findall(r"icvos-(\S+?)-py3", (ROOT / page).read_text(encoding="utf-8"))) == {project}, page


def test_the_wheel_holds_the_packages_and_nothing_else(archives: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(next(archives.glob("*.whl"))) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert names == {name for package in PACKAGES for name in files(package)}
    with zipfile.ZipFile(own_wheel(tmp_path)) as archive:  # which a bundle for Codabench brings
        assert names == {name for name in archive.namelist() if ".dist-info/" not in name}


def test_the_source_archive_holds_what_the_wheel_is_built_from(archives: Path) -> None:
    with tarfile.open(next(archives.glob("*.tar.gz"))) as archive:
        found = {name.split("/", 1)[1] for name in archive.getnames()}
    about = {"CHANGELOG.md", "CITATION.cff", "LICENSE", "PKG-INFO", "README.md", "pyproject.toml", ".gitignore"}
    assert found == about | {name for package in PACKAGES for name in files(package)}


def test_an_index_would_take_both(archives: Path) -> None:
    said = run(sys.executable, "-m", "twine", "--no-color", "check", "--strict", *archives.iterdir(), where=archives)
    assert said.count("PASSED") == 2


def test_the_wheel_scores_where_nothing_of_the_checkout_is(archives: Path, tmp_path: Path) -> None:
    environment = tmp_path / "environment"
    run(sys.executable, "-m", "venv", environment, where=tmp_path)
    own = next(environment.glob("lib/python*/site-packages"))
    with zipfile.ZipFile(next(archives.glob("*.whl"))) as archive:
        archive.extractall(own)
    # what icvos depends on is that of this environment, without its own icvos
    shared = tmp_path / "shared"
    shared.mkdir()
    for place in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        for path in Path(place).iterdir():
            if "icvos" not in path.name and path.suffix != ".pth":
                (shared / path.name).symlink_to(path)
    (own / "shared.pth").write_text(f"{shared}\n")
    python = environment / "bin" / "python"
    place = run(python, "-c", "import icvos, leaderboard; print(icvos.__file__, leaderboard.__file__)", where=tmp_path)
    assert place.split() == [str(own / name / "__init__.py") for name in ("icvos", "leaderboard")]
    for kind in ("truth", "masks"):
        for frame in range(3):
            (tmp_path / kind / "one").mkdir(parents=True, exist_ok=True)
            mask = np.zeros((40, 60), bool)
            mask[10:30, 20 : 40 + 10 * (kind == "masks" and frame == 2)] = True
            write_binary(tmp_path / kind / "one" / f"{frame:05d}.png", mask)
    run(python, "-m", "icvos", "score", "masks", "truth", "--out", "scores.json", where=tmp_path)
    assert (tmp_path / "scores.json").is_file()
    assert version("icvos") in run(python, "-m", "icvos", "--version", where=tmp_path)
    assert "lite" in run(python, "-m", "icvos", "methods", where=tmp_path)
    shutil.rmtree(environment)
