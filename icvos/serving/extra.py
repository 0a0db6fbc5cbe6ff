"""Modules that need packages of an extra, which may not be there."""

import importlib
from collections.abc import Mapping
from typing import Any

from icvos.errors import IcvosError


def load_extra(module: str, packages: Mapping[str, str], extra: str, what: str) -> Any:
    """Import a module; `IcvosError` where a package of an extra is not installed.

    Args:
        module: Its full name.
        packages: The packages of the extra: the name that is imported -> the name that is installed.
        extra: The extra of icvos that brings them.
        what: What needs them, for the error.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in packages:
            raise
        raise IcvosError(f"{what} needs the package {packages[missing]}; run: pip install 'icvos[{extra}]'") from error
