"""The tables of the paper as data: every figure that it prints, and the training and the run that give it.

Each table is a file beside this one, whose keys are those of `PaperTable`. None of the figures was computed by icvos.
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, model_validator

from icvos.errors import IcvosError
from icvos.suggestions import nearest

PAPER = "Qi et al., DC-SAM: In-Context Segment Anything in Images and Videos via Dual Consistency, arXiv 2504.12080"
PAPER_URL = "https://arxiv.org/abs/2504.12080"
PACKAGE = "leaderboard.paper"


class Data(BaseModel):
    """An entry of a table's file; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Training(Data):
    """One step of training: a recipe with changes.

    Args:
        recipe: Its name.
        changes: What ``--set`` changes of it.
        start: The setting that takes the checkpoint of the step before; "" for the first step.
    """

    recipe: str
    changes: dict[str, Any] = {}
    start: str = ""


class Counted(Data):
    """What is counted on networks without weights, in the place of running them.

    Args:
        method: The method whose networks they are.
        settings: What it is built with.
        network: Which of them; its name in `icvos.inspection.networks.find_networks`.
    """

    method: str
    settings: dict[str, Any] = {}
    network: str


class PaperRow(Data):
    """One row of a table.

    Args:
        name: What the paper calls it.
        printed: Its figures in the table's columns; none where the paper prints none.
        benchmark: What it was evaluated on; "": the table's.
        shots: Supports that were shown.
        protocol: The protocol of icvos that is nearest to how the figures were computed.
        quoted: Whether the paper quotes them from the method's own paper.
        classes_seen: Whether it was trained on masks of the tested classes; None where that is not looked up.
        remark: What there is to know of this row alone.
        training: The steps of training, each from the checkpoint of the one before.
        method: The method that is evaluated; "": it is not in this project.
        settings: Its settings beside those that the training gave it.
        checkpoint: The setting that takes the checkpoint of the last step.
        counted: What is counted, for the columns that are no scores.
    """

    name: str
    printed: tuple[float, ...] = ()
    benchmark: str = ""
    shots: int = 1
    protocol: str = "paper"
    quoted: bool = False
    classes_seen: bool | None = None
    remark: str = ""
    training: tuple[Training, ...] = ()
    method: str = ""
    settings: dict[str, Any] = {}
    checkpoint: str = "checkpoint"
    counted: Counted | None = None


class PaperTable(Data):
    """One table of the paper.

    Args:
        title: What it shows.
        number: How the paper numbers it.
        benchmark: What most of its rows were evaluated on; "" where nothing is.
        columns: Keys of the figures: j, f, jf, miou and fold_0 to fold_3 in per cent, parameters in millions, gmacs in
            10^9 multiply-accumulates.
        rows: Its rows, in the paper's order.
        notes: Where the paper contradicts itself, or leaves something open.
    """

    title: str
    number: str
    benchmark: str = ""
    columns: tuple[str, ...]
    rows: tuple[PaperRow, ...]
    notes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _complete(self) -> Self:
        for row in self.rows:
            if row.printed and len(row.printed) != len(self.columns):
                raise ValueError(f"{row.name} has {len(row.printed)} figures for {len(self.columns)} columns")
        return self

    def benchmark_of(self, row: PaperRow) -> str:
        """What a row of it was evaluated on."""
        return row.benchmark or self.benchmark

    def printed(self, row: PaperRow) -> Mapping[str, float]:
        """The figures of a row by column; none where the paper prints none."""
        return dict(zip(self.columns, row.printed, strict=False))


def table_names() -> list[str]:
    """The names of all tables, in the paper's order."""
    names = [item.name.removesuffix(".toml") for item in files(PACKAGE).iterdir() if item.name.endswith(".toml")]
    return sorted(names, key=lambda name: (name.rpartition("-")[0] != "table", int(name.rpartition("-")[2])))


@cache
def paper_table(name: str) -> PaperTable:
    """The table called ``table-4`` and so on; raises `IcvosError` for one that there is not."""
    names = table_names()
    if name not in names:
        near = nearest(name, names)
        hint = f"did you mean {near}?" if near else f"choose from {', '.join(names)}"
        raise IcvosError(f"{name}: no such table of the paper; {hint}")
    return PaperTable.model_validate(tomllib.loads(files(PACKAGE).joinpath(f"{name}.toml").read_text(encoding="utf-8")))
