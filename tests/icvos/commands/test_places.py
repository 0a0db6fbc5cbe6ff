"""Every command looks at the place of its output before the work, and takes a folder with leftovers as an empty one."""

import codecs
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


def written(name: str, world: World, built: Path, bar: Path) -> list[object]:
    """A command that works before it writes to a place below ``bar``, which is a file."""
    gt = world.root / "davis" / "Annotations" / "480p"
    sources, run = world.sources, bar.parent / "run"
    rest: dict[str, list[object]] = {
        "score --json": [gt, gt, "--json", bar / "s.json"],
        "score --frames-csv": [gt, gt, "--frames-csv", bar / "s.csv"],
        "score --benchmark": [run, "--benchmark", built, "--json", bar / "s.json"],
        "score --benchmark --frames-csv": [run, "--benchmark", built, "--frames-csv", bar / "s.csv"],
        "validate --json": [run, "--benchmark", built, "--json", bar / "s.json"],
        "validate --repair": [run, "--benchmark", built, "--repair", bar / "repaired"],
        "report --json": [run, "--json", bar / "s.json"],
        "report --sheet": [run, "--benchmark", built, "--sheet", bar / "worst.png"],
        "diff --json": [run, run, "--json", bar / "s.json"],
        "profile --json": ["--method", "none such", "--json", bar / "s.json"],
        "submit": [run, "--benchmark", built, "--name", "x", "--board", bar / "board"],
        "leaderboard": [run, "--out", bar / "site"],
        "render": [built, "--kind", "sheet", "--out", bar / "sheets"],
        "render sources": [*sources, "--kind", "sheet", "--out", bar / "sheets"],
        "eval": ["--method", "oracle", "--benchmark", built, "--out", bar / "run"],
        "build": ["--davis", bar.parent / "absent", "--out", bar / "benchmark"],
        "episodes": ["all-coco", "--coco", bar.parent / "absent", "--out", bar / "episodes"],
        "curate candidates": [*sources, "--out", bar / "rows.csv"],
        "curate recover": [*sources, "--published", built, "--out", bar / "rows.csv"],
        "smallworld": [bar / "world"],
        "schemas": ["--out", bar / "schemas"],
        "train": ["pfenet-coco-20i", "--data", bar.parent / "absent", "--out", bar / "training"],
    }
    return [*(word for word in name.split() if word[0] != "-" and word != "sources"), *rest[name]]


WRITERS = [
    *("score --json", "score --frames-csv", "score --benchmark", "score --benchmark --frames-csv", "validate --json"),
    *(
        "validate --repair",
        "report --json",
        "report --sheet",
        "diff --json",
        "profile --json",
        "submit",
        "leaderboard",
        "render",
    ),
    *("render sources", "eval", "build", "episodes", "curate candidates", "curate recover", "smallworld", "schemas"),
    "train",
]


@pytest.mark.parametrize("name", WRITERS)
def test_a_place_that_cannot_be_written_is_refused_before_the_work(
    name: str, world: World, built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bar = tmp_path / "file"
    bar.write_text("mine")
    monkeypatch.setattr("icvos.files.storage.write_bytes", None)  # what is not looked at first ends in a traceback
    found = icvos(*written(name, world, built, bar), status=2)
    [line] = found.stderr.splitlines()
    assert line.startswith(f"icvos: {bar}/")
    assert "a file stands where a folder should be, choose another place" in line
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert bar.read_text() == "mine"


@pytest.mark.parametrize(
    "name", ["score --benchmark", "score --benchmark --frames-csv", "score --json", "methods check"]
)
@pytest.mark.parametrize("source", ["icvos.json", "supports.json", "rows.csv", "mine.csv"])
def test_what_others_are_made_from_is_no_output(
    name: str, source: str, world: World, built: Path, tmp_path: Path
) -> None:
    gt = world.root / "davis" / "Annotations" / "480p"
    place = tmp_path / source
    rows = (world.root / "curation.csv").read_bytes()
    kept = {"rows.csv": rows, "mine.csv": codecs.BOM_UTF8 + rows}.get(source, b"{}")
    place.write_bytes(kept)
    words: dict[str, list[object]] = {
        "score --benchmark": ["score", tmp_path, "--benchmark", built, "--json", place],
        "score --benchmark --frames-csv": ["score", tmp_path, "--benchmark", built, "--frames-csv", place],
        "score --json": ["score", gt, gt, "--json", place],
        "methods check": ["methods", "check", "oracle", "--json", place],
    }
    [line] = icvos(*words[name], status=2).stderr.splitlines()
    assert line.startswith(f"icvos: {place}: is ")
    assert line.endswith("which would be lost; give the output another name")
    assert place.read_bytes() == kept


def test_a_folder_is_no_picture(built: Path, tmp_path: Path) -> None:
    folder = built / "supports"
    words = ["predict", "--support", folder, "--mask", folder, "--video", built, "--out", tmp_path / "out"]
    assert icvos(*words, status=2).stderr == f"icvos: {folder}: is a folder; give one picture\n"
