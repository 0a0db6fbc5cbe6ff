"""Which table a result goes into, by its kind."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from icvos.errors import IcvosError
from icvos.tasks.task import WINGS
from leaderboard.entry import Entry
from leaderboard.tables.build import BUILDERS, build_tables


@dataclass(frozen=True)
class Sound:
    """As much of a result of another kind as tables are sorted by."""

    kind: str = "sound"
    benchmark_name: str = "IC-SOS"
    protocol: str = "paper@1"
    digest: str | None = None
    shots: int | None = None
    identity: tuple[str, ...] = ("paper@1", "")


def test_every_kind_of_benchmark_has_tables() -> None:
    assert set(BUILDERS) == set(WINGS)


def test_a_kind_without_a_table_is_refused_by_name() -> None:
    result: Any = Sound()
    with pytest.raises(
        IcvosError, match=r"x\.json: a result of the kind 'sound', and there are tables for video, image"
    ):
        build_tables([Entry("x", "1", result, Path("x.json"))])
