"""`icvos eval` with several methods."""

import json
from pathlib import Path

import pytest

from icvos.tasks.video.benchmark import Benchmark
from tests.conftest import icvos
from tests.icvos.models.weights_folder import empty_folder

FEW = ("--draws", "0", "--limit", "2", "--set", "short_side=96")


def test_several_methods_have_a_run_each_and_are_ranked(benchmark: Benchmark, tmp_path: Path) -> None:
    words = ["eval", "--method", "lite", "--method", "oracle", "--set", "lite.recent=1", *FEW]
    printed = icvos(*words, "--benchmark", benchmark.root, "--out", tmp_path / "runs").stdout
    icvos("eval", "--method", "oracle", *FEW, "--benchmark", benchmark.root, "--out", tmp_path / "alone")
    own = sorted(path.relative_to(tmp_path / "alone") for path in (tmp_path / "alone").rglob("*.png"))
    assert own
    for path in own:
        assert (tmp_path / "alone" / path).read_bytes() == (tmp_path / "runs" / "oracle" / path).read_bytes()
    recent = {
        name: json.loads((tmp_path / "runs" / name / "draw0" / "run.json").read_text())["settings"]["recent"]
        for name in ("lite", "oracle")
    }
    assert recent["lite"] == 1
    assert recent["oracle"] != 1
    table = printed[printed.index("Method") :]
    assert "lite" in table
    assert "oracle" in table


def test_one_that_fails_does_not_stop_the_others(benchmark: Benchmark, tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "lite").write_text("in the way")
    words = ["eval", "--method", "lite", "--method", "oracle", *FEW, "--benchmark", benchmark.root]
    found = icvos(*words, "--out", tmp_path / "runs", status=2)
    assert "lite failed: " in found.stderr
    assert "lite failed, see above; all others are scored; run the same command again" in found.stderr
    assert len([*(tmp_path / "runs" / "oracle").glob("scores*.json")]) == 1
    assert "oracle" in found.stdout[found.stdout.index("Method") :]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("lite", "lite"), "--method lite: is given twice"),
        (("lite", "none"), "none"),
        (("lite", "oracle", "--set", "lite.none=1"), "none"),
        (("lite", "oracle", "--set", "grid=1"), "--set METHOD.NAME=VALUE is for one of the methods"),
        (("lite", "pfenet"), "method pfenet is not trained"),
        (("lite", "persam"), "sam-vit-h: the checkpoint is not on this machine; run: icvos weights fetch sam-vit-h"),
        (("lite", "persam", "--set", "persam.sam=sam2-nano"), "sam2.1-hiera-l: the checkpoint is not on this machine"),
    ],
)
def test_nothing_begins_that_cannot_be_done(
    benchmark: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], message: str
) -> None:
    empty_folder(tmp_path, monkeypatch)
    methods = [word for name in words[:2] for word in ("--method", name)]
    found = icvos("eval", *methods, *words[2:], "--benchmark", benchmark.root, "--out", tmp_path / "runs", status=2)
    assert message in found.stderr
    assert not (tmp_path / "runs").exists()
