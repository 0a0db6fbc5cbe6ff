"""Hundreds of faults are a line for each kind, and the counts stay right."""

import json
from pathlib import Path

import pytest

from icvos.errors import Fault
from icvos.tasks.kinds import EXAMPLES, as_json, lines
from icvos.tasks.video.benchmark import Benchmark
from tests.conftest import icvos
from tests.icvos.handmade import write_benchmark, write_predictions


@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        ([], []),
        ([Fault("size", "a", "small")], ["error: a: small"]),
        (
            [Fault("missing-frame", f"{number}.png", "predict it") for number in range(381)],
            ["error: missing-frame, 381 times: predict it (0.png, 1.png, 2.png ...)"],
        ),
        (
            [Fault("misnamed-frame", f"{number}", f"rename it to {number}.png") for number in range(2000)],
            [
                "error: misnamed-frame, 2,000 times: 0: rename it to 0.png | 1: rename it to 1.png | "
                "2: rename it to 2.png ..."
            ],
        ),
        (
            [*(Fault("unreadable", f"{number}", "cut off") for number in range(9)), Fault("unreadable", "x", "a JPEG")],
            ["error: unreadable, 10 times: 0: cut off | x: a JPEG | 1: cut off ..."],
        ),
        (
            [Fault("values", "a", "two"), Fault("size", "b", "small"), Fault("values", "c", "two", "warning")],
            ["error: a: two", "error: b: small", "warning: c: two"],
        ),
        (
            [Fault("path", "a\x1b[2J", "bad\nname"), Fault("path", "b\u202e", "bad\nname")],
            ["error: path, 2 times: bad?name (a?[2J, b?)"],
        ),
    ],
)
def test_a_line_for_each_kind(faults: list[Fault], expected: list[str]) -> None:
    assert lines(faults) == expected


def test_lists_in_json_are_bounded_and_counted() -> None:
    faults = [Fault("size", "a", "small")] * 20_005
    assert as_json("faults", faults[:2]) == {"faults": [faults[0].to_json()] * 2}
    written = as_json("faults", faults)
    assert written["more_faults"] == 5
    assert len(json.dumps(written)) < 2_000_000


def test_the_command_counts_all_and_shows_three(tmp_path: Path) -> None:
    benchmark: Benchmark = write_benchmark(tmp_path / "benchmark")
    run = write_predictions(benchmark, tmp_path / "run")
    for path in [*(run / "lvos_cats/1").iterdir()][:6]:
        path.unlink()
    (run / "davis_dog/17/00002.png").write_text("no picture")
    command = ("validate", run, "--benchmark", benchmark.root, "--json", tmp_path / "faults.json")
    printed = icvos(*command, status=1).output.splitlines()
    assert len(printed) == 3
    assert printed[1].startswith("error: missing-frame, 6 times: no such frame among the predictions; predict it (")
    assert printed[1].count(".png") == EXAMPLES
    assert printed[2].endswith("run: 7 errors, 0 warnings under paper@1")
    assert len(json.loads((tmp_path / "faults.json").read_text())["faults"]) == 7
    board = ("--benchmark", benchmark.root, "--name", "x", "--board", tmp_path / "board")
    submitted = icvos("submit", run, *board, status=2).output
    assert "error: missing-frame, 6 times" in submitted
    assert "7 faults, nothing was scored" in submitted
