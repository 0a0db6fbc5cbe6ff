"""Every command looks at the place of its output before the work, and takes a folder with leftovers as an empty one."""

from pathlib import Path

import pytest

from tests.conftest import World, icvos


def command(name: str, world: World, built: Path, out: Path) -> list[object]:
    """A command that writes a folder."""
    root = world.root
    rest: dict[str, list[object]] = {
        "build": [*world.build_arguments, "--out", out],
        "episodes": ["all-coco", "--coco", root / "coco", "--episodes", 8, "--out", out],
        "eval": ["--method", "oracle", "--benchmark", built, "--limit", 1, "--out", out],
        "render": [built, "--limit", 1, "--kind", "sheet", "--out", out],
        "smallworld": ["--scale", "tiny", out],
        "schemas": ["--out", out],
    }
    return [name, *rest[name]]


FOLDERS = ["build", "episodes", "eval", "smallworld", "schemas"]


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_with_leftovers_alone_is_an_empty_out(name: str, world: World, built: Path, tmp_path: Path) -> None:
    if name == "eval":
        pytest.importorskip("torch")
    out = tmp_path / "out"
    out.mkdir()
    for leftover in (".DS_Store", "Thumbs.db", "desktop.ini", "._x"):
        (out / leftover).touch()
    icvos(*command(name, world, built, out))
