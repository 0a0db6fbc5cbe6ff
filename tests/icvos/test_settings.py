"""Settings from text."""

from dataclasses import MISSING, dataclass, field
from typing import Literal

import pytest

from icvos.errors import IcvosError
from icvos.method import find_method, method_names
from icvos.settings import Setting, describe, fill, renamed


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


@dataclass(frozen=True)
class Base:
    """What both have.

    Args:
        needed: Has
            no default.
    """

    needed: int


@dataclass(frozen=True)
class Told(Base):
    """What can be set.

    Args:
        model: A name: ``x`` or `y`.
        kind: One of two.

    Text behind it.
        limit: This is no entry.
    """

    model: str = renamed("x", "network", "net")
    kind: Literal["a", "b"] | None = None
    sizes: tuple[int, ...] = field(default_factory=lambda: (1, 2))
    limit: float | None = 0.5


@pytest.mark.parametrize("old", ["network", "net"])
def test_a_setting_that_was_renamed_says_so(old: str) -> None:
    with pytest.raises(IcvosError) as refusal:
        fill(Told, {"needed": 1, old: "y"})
    assert str(refusal.value) == f"unknown setting '{old}'; did you mean model?"
    assert fill(Told, {"needed": 1, "model": "y", "kind": "b"}) == Told(1, "y", "b")


def test_describe() -> None:
    assert describe(Told) == (
        Setting("needed", "int", MISSING, "Has no default.", ()),
        Setting("model", "str", "x", "A name: x or y.", ()),
        Setting("kind", "str or none", None, "One of two.", ("a", "b")),
        Setting("sizes", "int,int,...", (1, 2), "", ()),
        Setting("limit", "float or none", 0.5, "", ()),
    )
    assert all(setting.meaning == "" for setting in describe(Example))


@pytest.mark.parametrize("name", method_names())
def test_every_setting_of_every_method_has_a_meaning(name: str) -> None:
    pytest.importorskip("torch", reason="methods need torch: pip install 'icvos[models]'")
    kind = getattr(find_method(name).load(), "Settings", None)
    described = {setting.name: setting for setting in describe(kind)} if kind else {}
    assert [setting.name for setting in described.values() if not setting.meaning] == []
    assert not {"propagation", "network", "model"} & described.keys()
    if "sam2" in described:
        with pytest.raises(IcvosError, match=r"unknown setting 'propagation'; did you mean sam2\?"):
            fill(kind, {"propagation": "sam2-hiera-t"})
