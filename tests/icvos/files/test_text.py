"""Byte order marks before texts from outside, and texts that are no UTF-8."""

import codecs
import json
import shutil
from pathlib import Path

import pytest

from icvos.commands.options import names
from icvos.errors import IcvosError
from icvos.files.schema import read_bytes
from icvos.files.storage import read_json
from icvos.files.text import plain_text
from icvos.training.recipe import read_recipe
from tests.conftest import World, icvos

TEXTS = ("*.json", "*.jsonl", "*.csv", "*.txt")


def mark(root: Path) -> int:
    """Put a mark before every text below a folder; how many there are."""
    files = [path for pattern in TEXTS for path in sorted(root.rglob(pattern))]
    for path in files:
        path.write_bytes(codecs.BOM_UTF8 + path.read_bytes())
    return len(files)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"dog\ncat", "dog\ncat"),
        (b"\xef\xbb\xbfdog\r\ncat\r", "dog\ncat\n"),
        (b"", ""),
        ("d\u00f6g".encode(), "d\u00f6g"),
    ],
)
def test_text_is_utf8_with_a_mark_or_without(data: bytes, expected: str) -> None:
    assert plain_text(data) == expected


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("dog".encode("utf-16"), "it is UTF-16; save it as UTF-8"),
        ("dog".encode("utf-16-be"), "it is UTF-16"),
        (codecs.BOM_UTF16_BE + "dog".encode("utf-16-be"), "it is UTF-16"),
        ("dog".encode("utf-32"), "it is UTF-32"),
        (b"d\xf6g", "can't decode byte 0xf6"),
    ],
)
def test_other_encodings_are_refused(data: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plain_text(data)


def test_every_source_may_begin_with_a_mark(world: World, tmp_path: Path) -> None:
    root = tmp_path / "world"
    shutil.copytree(world.root, root)
    assert mark(root) > 5
    marked = World(root)
    icvos("build", *marked.build_arguments, "--out", tmp_path / "marked")
    icvos("build", *world.build_arguments, "--out", tmp_path / "plain")
    manifests = [json.loads((tmp_path / name / "icvos.json").read_text()) for name in ("marked", "plain")]
    assert manifests[0]["digest"] == manifests[1]["digest"]
    icvos("episodes", "all-coco", "--coco", root / "coco", "--episodes", 8, "--out", tmp_path / "episodes")


def test_benchmarks_runs_and_scores_may_begin_with_a_mark(world: World, built: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    oracle = ("--method", "oracle", "--set", "short_side=96")
    shutil.copytree(built, tmp_path / "benchmark")
    icvos("eval", *oracle, "--benchmark", built, "--limit", 1, "--out", tmp_path / "run")
    assert mark(tmp_path / "run") == 2
    assert mark(tmp_path / "benchmark") >= 2
    icvos("report", tmp_path / "run")
    icvos("eval", *oracle, "--benchmark", tmp_path / "benchmark", "--limit", 1, "--out", tmp_path / "run")
    icvos("episodes", "all-coco", "--coco", world.root / "coco", "--episodes", 8, "--out", tmp_path / "images")
    icvos("eval", *oracle, "--benchmark", tmp_path / "images", "--out", tmp_path / "answers")
    assert mark(tmp_path / "answers") == 3
    assert mark(tmp_path / "images") >= 2
    icvos("validate", tmp_path / "answers", "--benchmark", tmp_path / "images")
    icvos("score", tmp_path / "answers", "--benchmark", tmp_path / "images")


def test_lists_and_recipes_may_begin_with_a_mark(tmp_path: Path) -> None:
    listed, recipe = tmp_path / "videos.txt", tmp_path / "own.toml"
    listed.write_bytes(codecs.BOM_UTF8 + b"dog\r\ncat\r\n")
    assert names(str(listed)) == ("dog", "cat")
    recipe.write_bytes(codecs.BOM_UTF8 + b'method = "pfenet"\r\nbenchmark = "coco-20i"\r\n')
    assert read_recipe(str(recipe)).method == "pfenet"


@pytest.mark.parametrize(
    "read",
    [
        lambda path: names(str(path)),
        lambda path: read_recipe(str(path)),
        lambda path: read_json(path, "an example"),
        lambda path: read_bytes(path, "an example", "write it again"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
def test_other_encodings_are_one_line(tmp_path: Path, read: object, encoding: str) -> None:
    path = tmp_path / "file"
    path.write_bytes("{}\n".encode(encoding))
    with pytest.raises(IcvosError, match=r"file: .*it is UTF-(16|32); save it as UTF-8") as caught:
        read(path)  # type: ignore[operator]
    assert "\n" not in str(caught.value)
