"""One way in for every setting: a frozen dataclass, filled from text on the command line or from a recipe.

The docstring of such a class says what each setting means, in a section ``Args:``; `describe` reads it. Which numbers a
setting may be is part of its type, ``Annotated[int, Range(1)]``, and so is a function that looks at a value and raises
`IcvosError` for one that cannot be: ``Annotated[str, function]``.
"""

import dataclasses
import functools
import inspect
import math
import re
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from icvos.errors import IcvosError
from icvos.suggestions import SETTING_SYNONYMS, nearest

S = TypeVar("S")
Fields = tuple["dataclasses.Field[Any]", ...]


@dataclass(frozen=True, slots=True)
class Range:
    """Which numbers a setting may be, or each of its numbers; it stands in the setting's type. NaN is in no range.

    Args:
        least: It is this or more.
        most: It is this or less.
        above: It is more than this.
        below: It is less than this.

    >>> str(Range(1)), str(Range(0, below=1)), str(Range(above=0))
    ('1 or more', 'from 0 to below 1', 'above 0')
    """

    least: float | None = None
    most: float | None = None
    above: float | None = None
    below: float | None = None

    def __contains__(self, value: float) -> bool:
        low = -math.inf if self.least is None else self.least
        high = math.inf if self.most is None else self.most
        inside = math.isfinite(value) and low <= value <= high
        return inside and (self.above is None or value > self.above) and (self.below is None or value < self.below)

    def __str__(self) -> str:
        low = f"above {self.above}" if self.above is not None else None
        high = f"below {self.below}" if self.below is not None else None
        if self.least is not None:
            low = f"{self.least} or more" if self.most is None and self.below is None else f"from {self.least}"
        if self.most is not None:
            high = f"to {self.most}" if self.least is not None else f"at most {self.most}"
        elif self.below is not None and self.least is not None:
            high = f"to below {self.below}"
        return (", " if self.least is None else " ").join(part for part in (low, high) if part)


ANY = Range()
Count = Annotated[int, Range(1)]
Whole = Annotated[int, Range(0)]
Side = Annotated[int, Range(32, 4096)]  # of a picture, in pixels: less shows a network nothing, more fits no memory
Share = Annotated[float, Range(0, 1)]
Positive = Annotated[float, Range(above=0)]


class Checked:
    """The base of a dataclass whose values are checked however it is made; `fill` checks any."""

    __slots__ = ()

    def __post_init__(self) -> None:
        """Raise `IcvosError` for the first value that is not of its setting's range or choices."""
        check(self)


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting, for whoever lists them.

    Args:
        name: The name that it is set by.
        type_text: How its text is read, such as ``int``, ``float or none`` or ``int,int,...``.
        default: Its value unless it is set; `dataclasses.MISSING` where it has to be.
        meaning: What it does, as plain text; "" where the docstring of its class does not say.
        choices: The texts that it may be; () where it takes others.
        range: The numbers that it may be, such as ``1 or more``; "" where all are taken, or it is no number.
    """

    name: str
    type_text: str
    default: Any
    meaning: str
    choices: tuple[str, ...]
    range: str = ""


def renamed(default: S, *once: str) -> S:
    """The default of a setting that was called ``once`` before; who still gives such a name is told the new one."""
    field: S = dataclasses.field(default=default, metadata={"once": once})
    return field


def describe(cls: type) -> tuple[Setting, ...]:
    """The settings of the dataclass ``cls``, in their order.

    >>> describe(Setting)[0].meaning
    'The name that it is set by.'
    """
    types_of, ranges, meanings = typing.get_type_hints(cls), _ranges(cls), _meanings(cls)
    return tuple(
        Setting(
            found.name,
            _type_text(types_of[found.name]),
            found.default if found.default_factory is dataclasses.MISSING else found.default_factory(),
            meanings.get(found.name, ""),
            _choices(types_of[found.name]),
            str(ranges.get(found.name, "")),
        )
        for found in _fields(cls)
    )


def fill(cls: type[S], values: Mapping[str, Any], prefix: str = "") -> S:
    """An instance of the dataclass ``cls`` with ``values`` over its defaults; texts are read as the fields' types.

    Raises `IcvosError` for a name that is no field (with the nearest one), for a value that is missing or not of the
    type, and for a number out of its range.

    Args:
        cls: The dataclass.
        values: By the names of its fields.
        prefix: What stands before a name where it is set, for errors.
    """
    types_of, fields = typing.get_type_hints(cls), _fields(cls)
    for name in values:
        if all(name != found.name for found in fields):
            raise IcvosError(f"unknown setting {prefix + str(name)!r}; {_hint(name, fields, prefix)}")
    missing = [name for name in without_default(cls) if name not in values]
    if missing:
        raise IcvosError(f"no {prefix}{missing[0]} is given; add --set {prefix}{missing[0]}=VALUE")
    read = {name: _read(prefix + name, value, types_of[name]) for name, value in values.items()}
    _check_values(cls, {**_defaults(cls), **read}, prefix)
    return cls(**read)


def check(settings: object) -> None:
    """Raise `IcvosError` for the first value of a dataclass that is not of its setting's range or choices."""
    kind = type(settings)
    _check_values(kind, {found.name: getattr(settings, found.name) for found in _fields(kind)}, "")


def refusal(name: str, value: object, wanted: str) -> IcvosError:
    """The error for a setting that cannot be ``value``."""
    return IcvosError(f"setting {name}={as_text(value)}: it must be {wanted}; change it with --set {name}=VALUE")


def without_default(cls: type) -> list[str]:
    """The settings of the dataclass ``cls`` that have to be given."""
    missing = dataclasses.MISSING
    return [found.name for found in _fields(cls) if found.default is missing and found.default_factory is missing]


def _defaults(cls: type) -> dict[str, Any]:
    return {found.name: found.default for found in _fields(cls) if found.default is not dataclasses.MISSING}


def _check_values(cls: type, values: Mapping[str, Any], prefix: str) -> None:
    """Check numbers against ranges, choices, and texts that may not be empty; `_read` has seen to the types."""
    types_of, ranges, defaults = typing.get_type_hints(cls), _ranges(cls), _defaults(cls)
    for name, value in values.items():
        choices = _literals(types_of[name])
        if choices and value is not None and value not in choices:
            raise refusal(prefix + name, value, f"one of {', '.join(map(str, choices))}")
        parts = value if isinstance(value, tuple | list) else (value,)
        wanted = ranges.get(name, ANY)
        numbers = [part for part in parts if isinstance(part, int | float) and not isinstance(part, bool)]
        if any(number not in wanted for number in numbers):
            finite = all(math.isfinite(number) for number in numbers)
            what = ", ".join(filter(None, ("" if finite else "a finite number", str(wanted))))
            raise refusal(prefix + name, value, f"{what} in every place" if parts is value else what)
        if parts is value and not parts:
            raise refusal(prefix + name, "", "one value or more, with commas between")
        if value == "" and defaults.get(name) != "":
            raise refusal(prefix + name, "", "a text")
        for looks in _marks(cls)[name]:
            if not isinstance(looks, Range):
                looks(value)


@functools.cache
def _marks(cls: type) -> dict[str, tuple[Range | Callable[[Any], object], ...]]:
    """What the types of a dataclass ask of values, by name."""

    def inside(kind: Any) -> Iterator[Any]:
        yield from getattr(kind, "__metadata__", ())
        for part in () if typing.get_origin(kind) is typing.Literal else typing.get_args(kind):
            yield from inside(part)

    kinds = typing.get_type_hints(cls, include_extras=True)
    return {name: tuple(dict.fromkeys(mark for mark in inside(kind))) for name, kind in kinds.items()}


def _ranges(cls: type) -> dict[str, Range]:
    """The ranges that stand in the types of a dataclass, by name."""
    return {name: mark for name, marks in _marks(cls).items() for mark in marks if isinstance(mark, Range)}


def as_text(value: object) -> str:
    """A setting as the command line takes it, to the last digit.

    >>> as_text((1.0, 0.5)), as_text(1e-3), as_text(True)
    ('1,0.5', '0.001', 'True')
    """
    if isinstance(value, list | tuple):
        return ",".join(as_text(part) for part in value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


def _fields(cls: type) -> Fields:
    assert dataclasses.is_dataclass(cls)
    return dataclasses.fields(cls)


def _hint(name: str, fields: Fields, prefix: str) -> str:
    """What to try in place of an unknown name."""
    names = [found.name for found in fields]
    renamed = [found.name for found in fields if name in found.metadata.get("once", ())]
    near = renamed[0] if renamed else nearest(name, names, SETTING_SYNONYMS)
    return f"did you mean {prefix}{near}?" if near else f"settings are {', '.join(names) or 'none'}"


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
    return tuple(map(str, _literals(kind)))


def _literals(kind: Any) -> tuple[Any, ...]:
    literals = [choice for choice in _alternatives(kind) if typing.get_origin(choice) is typing.Literal]
    return tuple(value for literal in literals for value in typing.get_args(literal))


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
            raise refusal(name, value, f"one of {', '.join(map(str, typing.get_args(target)))}")
        return value
    try:
        if typing.get_origin(target) is tuple:
            inner = typing.get_args(target)[0]
            parts = value.strip("[]() ").split(",") if isinstance(value, str) else list(value)
            return tuple(_one(part, inner) for part in parts)
        return _one(value, target)
    except (ValueError, KeyError, TypeError):
        raise refusal(name, value, _wanted(target)) from None


def _called(kind: Any) -> str:
    """A type by its name."""
    return str(getattr(kind, "__name__", kind))


WORDS = {
    int: ("a whole number", "whole numbers with commas between, like 1,2"),
    float: ("a number", "numbers with commas between, like 0.5,2"),
    str: ("a text", "texts with commas between, like a,b"),
    bool: ("true or false", "true or false, with commas between"),
    dict: ("a table of names and values", "tables"),
}


def _wanted(kind: Any) -> str:
    """A type as an error tells it, with an example where its text has more than one part."""
    several = typing.get_origin(kind) is tuple
    inner = typing.get_args(kind)[0] if several else typing.get_origin(kind) or kind
    return WORDS.get(inner, (f"of type {_called(inner)}",) * 2)[several]


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
