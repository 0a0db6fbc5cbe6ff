"""Every command of every row of the paper can be given, and each finds what the ones before it have made."""

import re
from pathlib import Path

import pytest

from icvos.errors import IcvosError
from icvos.method import settings_for
from icvos.tasks.runs import in_fold
from leaderboard.paper.tables import PaperRow, PaperTable, paper_table, table_names
from leaderboard.reproduction.commands import Command, Places, commands_of
from leaderboard.reproduction.costs import costs, steps_of
from leaderboard.reproduction.needs import MAKING, needs_of
from tests.test_readme import command_lines, parse

PLACES = Places(Path("runs"))


def row_of(table: str, name: str) -> tuple[PaperTable, PaperRow]:
    found = paper_table(table)
    return found, next(row for row in found.rows if row.name == name)


def lines(table: str, name: str, places: Places = PLACES) -> list[str]:
    return [str(command) for command in commands_of(*row_of(table, name), places)]


def checkpoints(command: Command) -> set[Path]:
    """The checkpoints under ``runs`` that a command is given, of every fold."""
    words = [word for word in command.arguments if "best.safetensors" in word]
    return {
        Path(in_fold({"": word.partition("=")[2]}, fold)[""])
        for word in words
        for fold in (range(4) if "{" in word else (0,))
    }


@pytest.mark.parametrize("gpus", [None, 1])
@pytest.mark.parametrize("name", table_names())
def test_every_command_parses_and_finds_what_it_needs(name: str, gpus: int | None) -> None:
    table = paper_table(name)
    folders: dict[Path, str] = {}
    for row in table.rows:
        made: set[Path] = set()
        commands = commands_of(table, row, Places(Path("runs"), gpus=gpus))
        assert bool(commands) == bool(row.method)
        for command in commands:
            (line,) = command_lines(str(command))
            parse(line)
            assert checkpoints(command) <= made, line
            settings_for(command.method, in_fold(command.settings, 0))
            assert folders.setdefault(command.out, str(command)) == str(command)  # one folder, one command
            made.add(command.out / "best.safetensors")
        assert not commands or bool(row.training) == bool(checkpoints(commands[-1]))
        assert all(MAKING[kind] for kind in needs_of(commands, PLACES).data)


@pytest.mark.parametrize("text", MAKING.values())
def test_commands_that_make_data_parse(text: str) -> None:
    parse(text.format(out="here").removeprefix("icvos "))


def test_the_two_steps_on_videos() -> None:
    assert lines("table-4", "DC-SAM") == [
        "torchrun --nproc-per-node 4 -m icvos train dcsam-ic-vos-image --data all-coco --workers 4 "
        "--out runs/dcsam-ic-vos-image",
        "torchrun --nproc-per-node 4 -m icvos train dcsam-ic-vos-tube "
        "--set settings.checkpoint=runs/dcsam-ic-vos-image/best.safetensors --data all-coco --workers 4 "
        "--out runs/dcsam-ic-vos-tube",
        "icvos eval --method dcsam --set checkpoint=runs/dcsam-ic-vos-tube/best.safetensors --set tuned=both "
        "--benchmark IC-VOS --out runs/eval-dcsam-dcsam-ic-vos-tube-on-ic-vos",
    ]


@pytest.mark.parametrize(
    ("table", "row", "wanted"),
    [
        ("table-5", "positive and negative branch", "settings.fusion=False --set settings.cyclic=False"),
        ("table-5", "VRP-SAM", "train vrp-sam-pascal-5i --set fold=3 "),
        ("figure-9", "50 queries", "settings.queries=50"),
        ("table-6", "prompt generator", "train dcsam-ic-vos-image --set settings.tuned=none"),
        ("table-10", "decoder and memory, LoRA", "--set settings.tuned=lora"),
        ("table-8", "without mask tubes", "train dcsam-ic-vos-tube --set tubes=False"),
        ("table-9", "DC-SAM, VGG-16", "--set backbone=vgg16-bn --benchmark pascal-5i"),
        (
            "table-12",
            "DC-SAM, ResNet-50",
            "dcsam-coco-20i-fold{fold}/best.safetensors' --set encoder=sam --benchmark coco-to",
        ),
        ("table-13", "IC-VOS, SAM 2 fine-tuned", "--method oracle --set sam2=runs/dcsam-ic-vos-tube/best.safetensors"),
        ("table-3", "PFENet, ResNet-50", "--set size=641 --benchmark coco-20i --protocol native@1"),
    ],
)
def test_what_sets_a_row_apart(table: str, row: str, wanted: str) -> None:
    assert any(wanted in line for line in lines(table, row))


def test_five_shots_are_shown_to_the_corrected_reading() -> None:
    table = paper_table("table-9")
    (command,) = (
        commands_of(table, row, PLACES)[-1] for row in table.rows if row.name == "DC-SAM, ResNet-50" and row.shots == 5
    )
    assert "--set fidelity=paper" in str(command)
    assert "--shots 5" in str(command)


def test_fewer_gpus_take_as_many_episodes_a_step() -> None:
    one, two = (lines("table-4", "DC-SAM", Places(Path("runs"), gpus=gpus))[0] for gpus in (1, 2))
    assert one.startswith("icvos train dcsam-ic-vos-image --set accumulate=4 ")
    assert two.startswith("torchrun --nproc-per-node 2 -m icvos train dcsam-ic-vos-image --set accumulate=2 ")
    assert "accumulate" not in lines("table-4", "PFENet + SAM 2", Places(Path("runs"), gpus=4))[0]
    with pytest.raises(IcvosError, match="choose 1 or 2"):
        lines("table-4", "DC-SAM", Places(Path("runs"), gpus=3))


def test_methods_that_are_not_here_are_reported_alone() -> None:
    table = paper_table("table-3")
    names = {row.name.partition(",")[0] for row in table.rows if not commands_of(table, row, PLACES)}
    assert names == {"NTRENet", "DPCN", "ABCB"}


def test_needs_are_what_the_commands_do_not_make() -> None:
    needs = needs_of(commands_of(*row_of("table-4", "HDMNet + SAM 2"), PLACES), PLACES)
    assert needs.data == ("all-coco", "IC-VOS")
    assert set(needs.weights) == {"resnet50-v2", "sam2.1-hiera-l"}
    assert any(re.match("get resnet50-v2 by hand; icvos weights fetch resnet50-v2 says", lack) for lack in needs.lacks)
    images = needs_of(commands_of(*row_of("table-3", "DC-SAM with SAM 2, ResNet-50"), PLACES), PLACES)
    assert set(images.weights) == {"resnet50-v2", "sam2.1-hiera-l"}


def test_steps_of_the_published_recipes() -> None:
    image, tube, *_ = commands_of(*row_of("table-4", "DC-SAM"), PLACES)
    assert [steps_of(one.recipe, one.processes) for one in (image, tube) if one.recipe] == [40_000, 10_000]
    pretrained_less = commands_of(*row_of("table-6", "none"), PLACES)[0]
    assert pretrained_less.recipe
    assert steps_of(pretrained_less.recipe, pretrained_less.processes) == 50_000
    assert all(cost.gmacs > 1 and cost.gib > 0 for cost in costs().values())
