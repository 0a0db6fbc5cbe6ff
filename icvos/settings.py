"""One way in for every setting: a frozen dataclass, filled from text on the command line or from a recipe.

The docstring of such a class says what each setting means, in a section ``Args:``; `describe` reads it.
"""

import dataclasses
import inspect
import re
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from icvos.errors import IcvosError
from icvos.suggestions import SETTING_SYNONYMS, nearest

S = TypeVar("S")
Fields = tuple["dataclasses.Field[Any]", ...]


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting, for whoever lists them.

    Args:
        name: The name that it is set by.
        type_text: How its text is read, such as ``int``, ``float or none`` or ``int,int,...``.
        default: Its value unless it is set; `dataclasses.MISSING` where it has to be.
        meaning: What it does, as plain text; "" where the docstring of its class does not say.
        choices: The texts that it may be; () where it takes others.
    """

    name: str
    type_text: str
    default: Any
    meaning: str
    choices: tuple[str, ...]


def renamed(default: S, *once: str) -> S:
    """The default of a setting that was called ``once`` before; who still gives such a name is told the new one."""
    field: S = dataclasses.field(default=default, metadata={"once": once})
    return field


def describe(cls: type) -> tuple[Setting, ...]:
    """The settings of the dataclass ``cls``, in their order.

    >>> describe(Setting)[0].meaning
    'The name that it is set by.'
    """
    types_of, meanings = typing.get_type_hints(cls), _meanings(cls)
    return tuple(
        Setting(
            found.name,
            _type_text(types_of[found.name]),
            found.default if found.default_factory is dataclasses.MISSING else found.default_factory(),
            meanings.get(found.name, ""),
            _choices(types_of[found.name]),
        )
        for found in _fields(cls)
    )


def fill(cls: type[S], values: Mapping[str, Any]) -> S:
    """An instance of the dataclass ``cls`` with ``values`` over its defaults; texts are read as the fields' types.

    Raises `IcvosError` for a name that is no field (with the nearest one) and for a text that is not of the type.
    """
    types_of, fields = typing.get_type_hints(cls), _fields(cls)
    for name in values:
        if all(name != found.name for found in fields):
            raise IcvosError(f"unknown setting {name!r}; {_hint(name, fields)}")
    return cls(**{name: _read(name, value, types_of[name]) for name, value in values.items()})


def _fields(cls: type) -> Fields:
    assert dataclasses.is_dataclass(cls)
    return dataclasses.fields(cls)


def _hint(name: str, fields: Fields) -> str:
    """What to try in place of an unknown name."""
    names = [found.name for found in fields]
    renamed = [found.name for found in fields if name in found.metadata.get("once", ())]
    near = renamed[0] if renamed else nearest(name, names, SETTING_SYNONYMS)
    return f"did you mean {near}?" if near else f"settings are {', '.join(names) or 'none'}"


def _meanings(cls: type) -> dict[str, str]:
    """What the sections ``Args:`` of a class and its bases say, as plain text by name."""
    found = {}
    for kind in reversed(cls.__mro__):
        section = inspect.cleandoc(kind.__doc__ or "").partition("\nArgs:\n")[2]
        section = re.split(r"\n(?=\S)", section)[0]  # to where text begins at the margin again
        for name, text in re.findall(r"^ {4}(\w+):((?:.|\n(?! {4}\w))*)", section, re.MULTILINE):
            found[name] = " ".join(text.replace("`", "").split())
    return found


def _type_text(kind: Any) -> str:
    inner = next(choice for choice in _alternatives(kind) if choice is not type(None))
    arguments = typing.get_args(inner)
    plain = str(getattr(inner, "__name__", inner))
    if typing.get_origin(inner) is typing.Literal:
        plain = type(arguments[0]).__name__
    elif typing.get_origin(inner) is tuple:
        plain = f"{_called(arguments[0])},{_called(arguments[0])},..."
    return f"{plain} or none" if type(None) in _alternatives(kind) else plain


def _choices(kind: Any) -> tuple[str, ...]:
    literals = [choice for choice in _alternatives(kind) if typing.get_origin(choice) is typing.Literal]
    return tuple(str(value) for literal in literals for value in typing.get_args(literal))


def _alternatives(kind: Any) -> list[Any]:
    """The members of a union, or the one type."""
    union = typing.get_origin(kind) in (types.UnionType, typing.Union)
    return list(typing.get_args(kind)) if union else [kind]


def _read(name: str, value: Any, kind: Any) -> Any:
    choices = _alternatives(kind)
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
