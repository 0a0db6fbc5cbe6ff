"""`icvos reproduce --run`: what can run runs, once, and stands beside the printed figure."""

import json
from pathlib import Path
from typing import Any

import pytest

from leaderboard.paper import tables
from leaderboard.paper.tables import PaperTable
from leaderboard.reproduction import outcome
from leaderboard.reproduction.outcome import count
from leaderboard.reproduction.shown import heading
from tests.conftest import icvos

SMALL = {"sam2": "affinity", "short_side": 64}
TABLE: dict[str, Any] = {
    "title": "IC-VOS",
    "number": "Table 0",
    "benchmark": "IC-VOS",
    "columns": ["j", "f", "jf"],
    "rows": [
        {"name": "oracle", "printed": [40, 50, 45], "method": "oracle", "settings": SMALL},
        {"name": "elsewhere", "printed": [1, 2, 1.5]},
        {
            "name": "untrained",
            "printed": [1, 2, 1.5],
            "method": "dcsam",
            "training": [{"recipe": "dcsam-ic-vos-image"}],
        },
    ],
}


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "paper_table", lambda name: PaperTable.model_validate(TABLE))


@pytest.mark.usefixtures("table")
def test_a_row_runs_and_is_not_run_again(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = ("reproduce", "table-0", "--benchmark", built, "--out", tmp_path / "runs")
    shown = icvos(*options).stdout
    assert [word for word in ("ready", "reported", "lacks") if word in shown] == ["ready", "reported", "lacks"]
    assert (
        f"icvos eval --method oracle --set sam2=affinity --set short_side=64 --benchmark {built} --out {tmp_path}/runs/"
        in shown
    )

    first = icvos(*options, "--run", "--json", tmp_path / "first.json").stdout
    assert "untrained: not run here, it lacks" in first
    oracle, elsewhere, untrained = json.loads((tmp_path / "first.json").read_text())["rows"]
    assert (oracle["state"], elsewhere["state"], untrained["state"]) == ("done", "reported", "lacking")
    figures = oracle["outcome"]["figures"]
    assert figures.keys() == {"j", "f", "jf"}
    assert oracle["outcome"]["differences"]["jf"] == pytest.approx(figures["jf"] - 45)
    assert f"{figures['jf']:.2f} / 45.00" in first
    assert elsewhere["outcome"] is untrained["outcome"] is None

    monkeypatch.setattr(outcome.subprocess, "Popen", None)  # nothing may be started any more
    again = icvos(*options, "--run", "--json", "-")
    assert json.loads(again.stdout)["rows"][0]["outcome"]["figures"] == figures
    assert "done already" in again.stderr
    assert f"{figures['jf']:.2f} / 45.00" in icvos(*options).stdout


@pytest.mark.usefixtures("table")
def test_a_row_that_fails_is_told(built: Path, tmp_path: Path) -> None:
    options = ("reproduce", "table-0", "--benchmark", built, "--row", "oracle", "--run", "--out", tmp_path / "runs")
    (tmp_path / "runs" / "eval-oracle-affinity-64-on-ic-vos").mkdir(parents=True)
    (tmp_path / "runs" / "eval-oracle-affinity-64-on-ic-vos" / "draw0").write_text("no folder")
    assert "ended with status" in icvos(*options, status=1).stdout


def test_tables_and_rows_that_there_are_not() -> None:
    assert "did you mean table-4" in icvos("reproduce", "table4", status=2).stderr
    assert "choose from PerSAM + SAM 2" in icvos("reproduce", "table-4", "--row", "SegGPT", status=2).stderr


def test_headings() -> None:
    assert [heading(key) for key in ("fold_0", "jf", "gmacs")] == ["fold 0", "J&F", "G MACs"]


@pytest.mark.parametrize(
    ("tuned", "millions"), [("decoder", 3.950656), ("memory", 7.306912), ("both", 11.257568), ("lora", 0.11136)]
)
def test_learned_parameters_of_sam2(tuned: str, millions: float) -> None:
    """Table X; they are those of every size."""
    counted = tables.Counted(
        method="dcsam", settings={"tuned": tuned, "sam2": "sam2-hiera-t"}, network="propagator.network"
    )
    assert count(counted, ("parameters",)) == {"parameters": pytest.approx(millions)}


@pytest.mark.slow  # forward passes of full size
@pytest.mark.parametrize(
    ("row", "gmacs", "millions"),
    [(0, 218.949165, 1.592064), (1, 207.581861, 10.817034), (2, 278.996867, 1.944512)],
    ids=["vrp-sam", "pfenet", "dcsam"],
)
def test_costs_of_table_14(row: int, gmacs: float, millions: float) -> None:
    table = tables.paper_table("table-14")
    counted = table.rows[row].counted
    assert counted
    found = count(counted, table.columns)
    assert found == {"gmacs": pytest.approx(gmacs, abs=1e-6), "parameters": pytest.approx(millions)}
