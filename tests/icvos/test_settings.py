"""Settings from text."""

from dataclasses import dataclass

import pytest

from icvos.errors import IcvosError
from icvos.settings import fill


@dataclass(frozen=True)
class Example:
    size: int = 3
    rate: float = 0.5
    name: str = "a"
    on: bool = False
    limit: int | None = None
    blocks: tuple[int, ...] = (1,)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, Example()),
        ({"size": "4", "rate": "1e-3"}, Example(size=4, rate=1e-3)),
        ({"on": "true", "name": "x"}, Example(on=True, name="x")),
        ({"limit": "7"}, Example(limit=7)),
        ({"limit": "none"}, Example()),
        ({"blocks": "1,2,3"}, Example(blocks=(1, 2, 3))),
        ({"blocks": "[1, 2]"}, Example(blocks=(1, 2))),
        ({"size": 9}, Example(size=9)),
        ({"rate": 1, "blocks": [1, 2], "limit": None}, Example(rate=1.0, blocks=(1, 2), limit=None)),
    ],
)
def test_fill(values: dict[str, object], expected: Example) -> None:
    assert fill(Example, values) == expected


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"sise": "1"}, "did you mean size"),
        ({"size": "big"}, "size=big: expected int"),
        ({"on": "perhaps"}, "expected bool"),
        ({"size": 2.5}, "size=2.5: expected int"),
        ({"size": True}, "expected int"),
        ({"name": 3}, "expected str"),
        ({"blocks": [1, 2.5]}, "expected values of type int with commas between, like 1,2"),
        ({"blocks": 1}, "expected values of type int"),
    ],
)
def test_bad_settings_say_what_is_wrong(values: dict[str, object], message: str) -> None:
    with pytest.raises(IcvosError, match=message):
        fill(Example, values)
