"""Which room may know which, and what must run without torch."""

import ast
import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import ROOT
from tests.icvos.tasks.image.test_score import write_run
from tests.icvos.tasks.image.tiny_episodes import write_images

ROOMS = ("icvos", "curation", "baselines", "dcsam", "leaderboard")
MAY_IMPORT = {
    "icvos": {"icvos"},
    "curation": {"icvos", "curation"},
    "baselines": {"icvos", "baselines"},
    "dcsam": {"icvos", "dcsam"},
    "leaderboard": {"icvos", "leaderboard"},
}


def imported_rooms(node: ast.AST) -> set[str]:
    """The rooms imported by one import statement."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        names = [node.module or ""]
    else:
        return set()
    return {name.partition(".")[0] for name in names} & {*ROOMS, "tests"}


def modules(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


@pytest.mark.parametrize("path", [p for room in ROOMS for p in modules(room)], ids=lambda p: str(p.relative_to(ROOT)))
def test_import_directions(path: Path) -> None:
    """Rooms import icvos alone; the commands of icvos may import a room inside a function, when a command runs."""
    room = path.relative_to(ROOT).parts[0]
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside_functions = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
        if node is not function
    }
    for node in ast.walk(tree):
        foreign = imported_rooms(node) - MAY_IMPORT[room]
        by_command = path.parent == ROOT / "icvos" / "commands" and id(node) in inside_functions
        assert not foreign or (by_command and "tests" not in foreign), f"line {node.lineno} imports {foreign}"


def run_python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ},
    )


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom icvos.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "heavy = {'torch', 'numpy', 'cv2', 'pandas', 'numba', 'PIL', 'rich', 'jinja2'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    result = run_python(code)
    assert result.returncode == 0, result.stderr
    assert "Usage" in result.stdout


BLOCK_TORCH = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in ('torch', 'torchvision'):
            raise ModuleNotFoundError(f'No module named {name!r}', name=name)
sys.meta_path.insert(0, Block())
from icvos.cli import main
main(sys.argv[1:])
"""


def test_build_score_submit_and_leaderboard_run_without_torch(tmp_path: Path) -> None:
    world, built, masks = tmp_path / "world", tmp_path / "benchmark", tmp_path / "predictions"

    def icvos(*arguments: object) -> subprocess.CompletedProcess[str]:
        result = run_python(BLOCK_TORCH, *map(str, arguments))
        assert result.returncode == 0, result.stderr
        return result

    icvos("smallworld", world, "--scale", "tiny")
    sources = [part for name in ("davis", "mose", "lvos", "coco") for part in (f"--{name}", world / name)]
    icvos("build", *sources, "--curation", world / "curation.csv", "--out", built)
    for folder in sorted((built / "videos").glob("*/Annotations/*")):
        target = masks / folder.parent.parent.name / folder.name
        target.mkdir(parents=True)
        for path in folder.iterdir():
            (target / path.name).write_bytes(path.read_bytes())
    icvos("score", masks, "--benchmark", built)
    icvos("submit", masks, "--benchmark", built, "--name", "copy of the truth", "--board", tmp_path / "board")
    table = icvos("leaderboard", tmp_path / "board", "--out", tmp_path / "site").stdout
    assert "copy of the truth" in table
    assert (tmp_path / "site" / "index.html").is_file()


def test_runs_on_images_are_scored_and_ranked_without_torch(tmp_path: Path) -> None:
    run = write_run(write_images(tmp_path / "tiny"), tmp_path / "run")
    for arguments in (
        ("score", run, "--benchmark", tmp_path / "tiny"),
        ("submit", run, "--benchmark", tmp_path / "tiny", "--name", "moved", "--board", tmp_path / "board"),
        ("render", tmp_path / "tiny", "--predictions", run, "--out", tmp_path / "sheets"),
        ("leaderboard", tmp_path / "board", "--out", tmp_path / "site"),
    ):
        result = run_python(BLOCK_TORCH, *map(str, arguments))
        assert result.returncode == 0, result.stderr
    assert "tiny, 1 shot, protocol paper@1" in result.stdout


def test_method_that_needs_torch_says_so() -> None:
    code = BLOCK_TORCH.replace("main(sys.argv[1:])", "from icvos.method import load_method\nload_method('lite')")
    result = run_python(code)
    assert "pip install 'icvos[models]'" in result.stderr


@pytest.mark.parametrize("path", sorted((ROOT / "benchmarks").glob("*.py")), ids=lambda p: p.stem)
def test_benchmarks_are_importable(path: Path) -> None:
    assert callable(importlib.import_module(f"benchmarks.{path.stem}").main)
