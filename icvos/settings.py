"""One way in for every setting: a frozen dataclass, filled from text on the command line or from a recipe."""

import dataclasses
import difflib
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from icvos.errors import IcvosError

S = TypeVar("S")


def fill(cls: type[S], values: Mapping[str, Any]) -> S:
    """An instance of the dataclass ``cls`` with ``values`` over its defaults; texts are read as the fields' types.

    Raises `IcvosError` for a name that is no field (with the nearest one) and for a text that is not of the type.
    """
    assert dataclasses.is_dataclass(cls)
    types_of = typing.get_type_hints(cls)
    names = [found.name for found in dataclasses.fields(cls)]
    for name in values:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean {near[0]}?" if near else f"settings are {', '.join(names) or 'none'}"
            raise IcvosError(f"unknown setting {name!r}; {hint}")
    return cls(**{name: _read(name, value, types_of[name]) for name, value in values.items()})


def _read(name: str, value: Any, kind: Any) -> Any:
    if not isinstance(value, str):
        return value
    choices = list(typing.get_args(kind)) if isinstance(kind, types.UnionType) else [kind]
    if type(None) in choices and value.lower() in ("none", ""):
        return None
    target = next(choice for choice in choices if choice is not type(None))
    if typing.get_origin(target) is typing.Literal:
        if value not in typing.get_args(target):
            raise IcvosError(f"setting {name}={value}: choose from {', '.join(map(str, typing.get_args(target)))}")
        return value
    try:
        if target is bool:
            return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}[value.lower()]
        if typing.get_origin(target) is tuple:
            inner = typing.get_args(target)[0]
            return tuple(inner(part) for part in value.split(","))
        return target(value)
    except (ValueError, KeyError):
        raise IcvosError(f"setting {name}={value}: expected {getattr(target, '__name__', target)}") from None
