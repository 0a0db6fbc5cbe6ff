"""One way in for every setting: a frozen dataclass, filled from text on the command line or from a recipe."""

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from icvos.errors import IcvosError
from icvos.suggestions import SETTING_SYNONYMS, nearest

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
            near = nearest(name, names, SETTING_SYNONYMS)
            hint = f"did you mean {near}?" if near else f"settings are {', '.join(names) or 'none'}"
            raise IcvosError(f"unknown setting {name!r}; {hint}")
    return cls(**{name: _read(name, value, types_of[name]) for name, value in values.items()})


def _read(name: str, value: Any, kind: Any) -> Any:
    choices = list(typing.get_args(kind)) if isinstance(kind, types.UnionType) else [kind]
    if type(None) in choices and (value is None or str(value).lower() in ("none", "")):
        return None
    target = next(choice for choice in choices if choice is not type(None))
    if typing.get_origin(target) is typing.Literal:
        if value not in typing.get_args(target):
            raise IcvosError(f"setting {name}={value}: choose from {', '.join(map(str, typing.get_args(target)))}")
        return value
    try:
        if typing.get_origin(target) is tuple:
            inner = typing.get_args(target)[0]
            parts = value.strip("[]() ").split(",") if isinstance(value, str) else list(value)
            return tuple(_one(part, inner) for part in parts)
        return _one(value, target)
    except (ValueError, KeyError, TypeError):
        raise IcvosError(f"setting {name}={value}: expected {_called(target)}") from None


def _called(kind: Any) -> str:
    """A type as an error names it, with an example where its text has more than one part."""
    if typing.get_origin(kind) is not tuple:
        return str(getattr(kind, "__name__", kind))
    inner = typing.get_args(kind)[0]
    return f"values of type {_called(inner)} with commas between, like {'1,2' if inner is int else '0.5,2'}"


def _one(value: Any, target: Any) -> Any:
    """A single value of the type ``target``, read where it is text; raises ValueError, KeyError or TypeError."""
    plain = typing.get_origin(target) or target
    if isinstance(value, str) and plain is bool:
        return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}[value.lower()]
    if plain in (int, float) and (isinstance(value, str) or (plain is float and type(value) is int)):
        return plain(value)
    if plain is not Any and (not isinstance(value, plain) or (isinstance(value, bool) and plain is not bool)):
        raise TypeError
    return value
