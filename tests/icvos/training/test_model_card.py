"""The model card that a training run writes beside its checkpoint."""

import json
from pathlib import Path

import pytest

from icvos.files.storage import sha256
from icvos.training.loop import train
from icvos.training.report import Losses, Silent
from tests.icvos.training.toy_training import Discs, Toy, recipe

USAGE = ["icvos eval --method toy --set checkpoint=best.safetensors"]


class StopError(Exception):
    """What ends the first part of a run."""


class Stop(Silent):
    def trained(self, step: int, total: int, losses: Losses) -> None:  # noqa: ARG002
        if step == 11:
            raise StopError


def trained(out: Path, **changes: object) -> str:
    train(recipe(**changes), Toy(), Discs(), out, settings={"width": 3}, usage=USAGE)
    return (out / "README.md").read_text()


def comparable(card: str) -> list[str]:
    """All lines but hours and SHA-256: a file of safetensors has its header in any order."""
    return [line for line in card.splitlines() if not line.startswith(("| hours |", "| checkpoint |"))]


def test_a_card_says_how_its_checkpoint_came_about(tmp_path: Path) -> None:
    card = trained(tmp_path)
    front = card.split("---\n")[1].splitlines()
    assert front[0].startswith("license:  # fill in")
    assert front[-3:] == ["- in-context-segmentation", "- toy", "- coco-20i"]
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    best = max((line for line in log if line["kind"] == "validation"), key=lambda line: line["miou"])
    for line in (
        "# toy, trained on coco-20i, fold 0 held out",
        f"Best validation after step {best['step']}: miou {100 * best['miou']:.2f}, fb_iou {100 * best['fb_iou']:.2f}"
        " (percent).",
        USAGE[0],
        f"| checkpoint | `best.safetensors`, SHA-256 `{sha256(tmp_path / 'best.safetensors')}` |",
        "| seed | 321 |",
        "| data | coco-20i, digest `discs` |",
        "| classes (2) | person, bicycle |",
        "| learning_rate | `0.1` |",
        "| width | `3` |",
    ):
        assert line in card.splitlines(), line
    first = [line["total"] for line in log if line["kind"] == "train"][:2]
    assert f"| steps 1 to 2 | total {sum(first) / 2:.4f} |" in card


def test_the_card_of_a_resumed_run_is_that_of_an_undisturbed_one(tmp_path: Path) -> None:
    whole = trained(tmp_path / "whole")
    with pytest.raises(StopError):
        train(recipe(), Toy(), Discs(), tmp_path / "parts", settings={"width": 3}, usage=USAGE, report=Stop())
    state = tmp_path / "parts" / "last" / "state.json"
    saved = json.loads(state.read_text())
    assert saved["seconds"] > 0
    state.write_text(json.dumps(saved | {"seconds": 7200.0}))
    resumed = trained(tmp_path / "parts")
    assert comparable(resumed) == comparable(whole)
    assert "| hours | 2.00, all of the run so far |" in resumed


@pytest.mark.parametrize("validation_episodes", [0, 6])
def test_a_finished_run_keeps_a_card_that_was_filled_in(tmp_path: Path, validation_episodes: int) -> None:
    card = trained(tmp_path, validation_episodes=validation_episodes)
    assert ("Best validation" in card) == bool(validation_episodes)
    filled = card.replace("license:", "license: mit")
    (tmp_path / "README.md").write_text(filled)
    assert trained(tmp_path, validation_episodes=validation_episodes) == filled


def test_a_run_that_began_before_seconds_were_counted_goes_on(tmp_path: Path) -> None:
    trained(tmp_path, epochs=1)
    state = tmp_path / "last" / "state.json"
    saved = json.loads(state.read_text())
    del saved["seconds"]
    state.write_text(json.dumps(saved))
    trained(tmp_path, epochs=1)
