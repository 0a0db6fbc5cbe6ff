"""With ``--json -`` a command prints its JSON and nothing else."""

import json
import shutil
from pathlib import Path

import pytest

from icvos.tasks.video.benchmark import Benchmark
from tests.conftest import icvos


@pytest.fixture
def predictions(benchmark: Benchmark, tmp_path: Path) -> Path:
    """The true masks, which is a warning of `icvos validate`."""
    for clip in benchmark.clips:
        shutil.copytree(clip.folder, tmp_path / "predictions" / clip.id)
    return tmp_path / "predictions"


def test_score_validate_report_and_diff(predictions: Path, built: Path) -> None:
    scored = json.loads(icvos("score", predictions, "--benchmark", built, "--json", "-").stdout)
    assert scored["overall"]["jf"] == 1
    assert not (predictions / "scores.json").exists()
    validated = icvos("validate", predictions, "--benchmark", built, "--json", "-")
    assert {fault["kind"] for fault in json.loads(validated.stdout)["faults"]} == {"truth"}
    assert "warnings under paper@1" in validated.stderr
    icvos("score", predictions, "--benchmark", built)
    assert json.loads(icvos("report", predictions, "--json", "-").stdout)["analysis"]
    assert json.loads(icvos("diff", predictions, predictions, "--json", "-").stdout)["clips"]


def test_scores_of_two_folders(benchmark: Benchmark) -> None:
    folder = benchmark.clips[0].folder
    assert json.loads(icvos("score", folder, folder, "--json", "-").stdout)["overall"]["j"] == 1


def test_methods() -> None:
    assert json.loads(icvos("methods", "show", "lite", "--json", "-").stdout)["method"] == "lite"
