"""Every key of a file that a model describes, for tests of files that do not fit."""

import copy
from collections.abc import Iterator
from typing import Any

from icvos.files.schema import Schema

Place = tuple[str | int, ...]


def keys(value: object, place: Place = ()) -> Iterator[tuple[Place, bool]]:
    """The place of every key in an object that was read, and whether it is required; of equal things, the first."""
    if isinstance(value, Schema):
        for name, field in type(value).model_fields.items():
            if name in value.model_fields_set:
                inner = (*place, str(field.serialization_alias or name))
                yield inner, field.is_required()
                yield from keys(getattr(value, name), inner)
    elif isinstance(value, dict):
        for key in list(value)[:1]:
            yield from keys(value[key], (*place, key))
    elif isinstance(value, tuple):
        for found in value[:1]:
            yield from keys(found, (*place, 0))


def shown(place: Place) -> str:
    """A place as messages name it."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).removeprefix(".")


def with_wrong(value: Any, place: Place) -> Any:
    """A copy of a JSON value that has at ``place`` what no file may have there."""
    found = value
    for part in place:
        found = found[part]
    return with_value(value, place, 2 if place == ("format",) or isinstance(found, bool) else True)


def without(value: Any, place: Place) -> Any:
    """A copy of a JSON value that lacks the key at ``place``."""
    changed = copy.deepcopy(value)
    del _parent(changed, place)[place[-1]]
    return changed


def with_value(value: Any, place: Place, other: object) -> Any:
    """A copy of a JSON value that has ``other`` at ``place``."""
    changed = copy.deepcopy(value)
    _parent(changed, place)[place[-1]] = other
    return changed


def _parent(value: Any, place: Place) -> Any:
    for part in place[:-1]:
        value = value[part]
    return value
