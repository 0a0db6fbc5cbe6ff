"""`icvos demo`: its methods are evaluated several at once, and the same as one after another."""

from pathlib import Path

import pytest

from icvos.commands import demo
from tests.conftest import icvos

pytest.importorskip("torch", reason="torch is not installed; pip install 'icvos[models]'")


def test_what_is_drawn_is_of_a_method_that_runs() -> None:
    assert demo.SHOWN in demo.METHODS


def test_what_ran_ahead_is_found_done(built: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Two processes evaluate in silence; the printed command then evaluates nothing and scores the same."""
    evaluations = [
        demo.Evaluation("lite", built, tmp_path / "lite", ("short_side=64",), "0"),
        demo.Evaluation("memory", built, tmp_path / "memory", ("sam2=sam2-nano",), "0"),
    ]
    demo._run_ahead(evaluations)
    assert "paper@1" not in capfd.readouterr().out
    for evaluation in evaluations:
        mask = next(evaluation.out.rglob("*.png"))
        written = mask.stat().st_mtime_ns
        assert "paper@1: J" in icvos(*evaluation.words()).stdout
        assert mask.stat().st_mtime_ns == written
