"""Which room may know which, and what must run without torch."""

import ast
import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
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


# the floors of icvos, from the top: a file imports from its own floor and from those below
FLOORS = (
    ("__main__", "cli"),
    ("commands",),
    ("inspection", "own_exports", "own_masks", "own_supports", "own_video", "schemas"),
    ("training",),
    ("tasks",),
    ("serving",),
    ("drawing", "models"),
    ("vos", "smallworld"),
    ("guard",),
    ("each_frame", "method"),
    ("metrics", "files", "masks", "protocol", "categories", "settings"),
    ("bitmasks", "errors", "suggestions", "workers", "notices", "sharing", "installed"),
)
FLOOR_OF = {name: floor for floor, names in enumerate(FLOORS) for name in names}
SHARED_BY_COMMANDS = {"options", "printing", "progress"}
FACE = ROOT / "icvos" / "__init__.py"  # names the calls of other rooms for type checkers, and imports none of them


def imports(tree: ast.AST) -> Iterator[tuple[ast.stmt, str]]:
    """Every import statement below ``tree`` with the modules that it may name, as ``package.module``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node, alias.name
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield node, f"{node.module or ''}.{alias.name}"


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def modules(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


def inside_functions(tree: ast.AST) -> set[int]:
    return {
        id(node) for function in ast.walk(tree) if isinstance(function, ast.FunctionDef) for node in ast.walk(function)
    }


@pytest.mark.parametrize("path", [p for room in ROOMS for p in modules(room)], ids=lambda p: str(p.relative_to(ROOT)))
def test_rooms_import_icvos_alone(path: Path) -> None:
    """The commands of icvos may import another room inside a function, when a command runs."""
    room, tree = path.relative_to(ROOT).parts[0], parsed(path)
    local = inside_functions(tree)
    for node, name in imports(tree):
        foreign = ({name.partition(".")[0]} & {*ROOMS, "tests"}) - MAY_IMPORT[room]
        by_command = path.parent == ROOT / "icvos" / "commands" and id(node) in local
        assert not foreign or (by_command and "tests" not in foreign) or path == FACE, f"line {node.lineno}: {name}"


@pytest.mark.parametrize("path", modules("icvos"), ids=lambda p: str(p.relative_to(ROOT)))
def test_floors(path: Path) -> None:
    own = path.relative_to(ROOT / "icvos").with_suffix("").parts[0]
    if path == FACE:
        return
    for node, name in imports(parsed(path)):
        room, _, rest = name.partition(".")
        if room == "icvos":
            other = rest.partition(".")[0]
            assert FLOOR_OF[own] <= FLOOR_OF[other], f"line {node.lineno}: {own} imports {other}, a floor above it"


@pytest.mark.parametrize("path", modules("icvos/commands"), ids=lambda p: p.stem)
def test_commands_import_no_other_command(path: Path) -> None:
    for node, name in imports(parsed(path)):
        if name.startswith("icvos.commands."):
            assert name.split(".")[2] in SHARED_BY_COMMANDS, f"line {node.lineno}: {name}"


def test_no_import_circle() -> None:
    """No file imports, at its top, one that imports it, by whatever way."""
    files = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for room in ROOMS
        for path in modules(room)
    }
    edges: dict[str, set[str]] = {}
    for module, path in files.items():
        tree = parsed(path)
        later = inside_functions(tree) | {
            id(node)
            for block in ast.walk(tree)
            if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
            for node in ast.walk(block)
        }
        named = [name for node, name in imports(tree) if id(node) not in later]
        edges[module] = {name if name in files else name.rpartition(".")[0] for name in named} & files.keys()
    assert list(TopologicalSorter(edges).static_order())  # raises CycleError, which names the circle


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
        "heavy = {'torch', 'numpy', 'cv2', 'pandas', 'numba', 'PIL', 'rich', 'jinja2', 'pydantic'} & set(sys.modules)\n"
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


def test_the_study_of_novel_categories_trains_and_runs_what_there_is() -> None:
    from benchmarks.novel_categories import ROWS, TRAININGS
    from icvos.method import settings_for
    from icvos.training.recipe import read_recipe
    from icvos.training.trainable import settings_of

    for training in TRAININGS.values():
        settings_of(read_recipe(training.recipe, training.changes | dict.fromkeys(training.start, "a.safetensors")))
        assert set(training.start.values()) <= TRAININGS.keys()
    for row in ROWS:
        settings_for(row.method, dict.fromkeys(row.weights, "a.safetensors"))
        assert set(row.weights.values()) <= TRAININGS.keys()
