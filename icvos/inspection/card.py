"""What there is to know of one method before it is built: what it does, its settings, and what it needs."""

import dataclasses
import inspect
from dataclasses import dataclass
from typing import Any

from icvos.errors import IcvosError
from icvos.inspection.requirements import Requirements, requirements_of
from icvos.method import find_method, method_class
from icvos.settings import Setting, describe


@dataclass(frozen=True, slots=True)
class Card:
    """One method.

    Args:
        about: What it does: the docstring of its module, else its own.
        requirements: What it needs, for its default settings.
        settings: Its settings in their order; none where it takes none.
    """

    about: str
    requirements: Requirements
    settings: tuple[Setting, ...]

    def to_json(self) -> dict[str, Any]:
        """The card as JSON values; a setting without a default has none."""
        settings = [
            {
                "name": one.name,
                "type": one.type_text,
                **({} if one.default is dataclasses.MISSING else {"default": one.default}),
                "meaning": one.meaning,
                "choices": list(one.choices),
                "range": one.range,
            }
            for one in self.settings
        ]
        required = self.requirements
        return {**dataclasses.asdict(required), "ready": required.ready, "about": self.about, "settings": settings}


def method_card(name: str) -> Card:
    """The card of the method called ``name``; nothing is built or loaded but its module.

    Raises:
        IcvosError: There is no such method, or a package that it needs is not installed.
    """
    found = find_method(name)
    required = requirements_of(found)
    try:
        factory = method_class(name)
    except IcvosError:
        raise IcvosError(f"method {name}: {required.state}") from None
    kind = getattr(factory, "Settings", None)
    module = inspect.getmodule(factory)
    about = (inspect.getdoc(module) if module else None) or inspect.getdoc(factory) or ""
    return Card(about, required, describe(kind) if kind else ())


def default_text(setting: Setting) -> str:
    """The default of a setting as the command line takes it; "required" where there is none."""
    if setting.default is dataclasses.MISSING:
        return "required"
    if setting.default is None:
        return "none"
    if isinstance(setting.default, tuple | list):
        return ",".join(map(str, setting.default))
    return str(setting.default)
