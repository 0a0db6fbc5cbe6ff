"""Run as a program of its own by `icvos.inspection.installation`: imports what is named, and says what came of it.

A package that is broken may end its process, so this is not done in that of the user. Standard input is a JSON object:
``path`` is put in the place of `sys.path`, and ``packages`` has the distribution of every module to import. Standard
output has a line with the name of a module before it is imported, and a line with a JSON object after it.
"""

import importlib
import importlib.metadata
import json
import os
import sys
from typing import Any, TextIO

METHODS = "the methods"  # asked for like a module: the state of each
MAX_TEXT = 300


def attempt(module: str, package: str) -> dict[str, Any]:
    """Import a module: its ``version``, or its ``fault``; neither where it is not installed."""
    try:
        if module == METHODS:
            from icvos.inspection.requirements import list_methods

            return {"methods": {found.method: found.state for found in list_methods()}}
        imported = importlib.import_module(module)
        devices = {"devices": _devices(imported)} if module == "torch" else {}
    except ModuleNotFoundError as error:
        return {} if error.name == module else {"fault": f"lacks the package {error.name}"}
    except (Exception, SystemExit) as error:  # somebody else's code, whatever is wrong with it
        first = str(error).strip().partition("\n")[0][:MAX_TEXT]
        return {"fault": f"{type(error).__name__}: {first}" if first else type(error).__name__}
    try:
        return {"version": importlib.metadata.version(package), **devices}
    except importlib.metadata.PackageNotFoundError:
        return {"version": str(getattr(imported, "__version__", "of unknown version")), **devices}


def _devices(torch: Any) -> list[str]:
    """What a network can run on, as ``device=`` takes it, with its name."""
    found = [f"cuda:{number} ({torch.cuda.get_device_name(number)})" for number in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        found.append("mps")
    return [*found, f"cpu ({torch.get_num_threads()} threads)"]


def _run(out: TextIO) -> None:
    asked = json.load(sys.stdin)
    sys.path[:] = asked["path"]
    for module, package in asked["packages"].items():
        out.write(f"{module}\n")
        out.flush()
        out.write(json.dumps(attempt(module, package)) + "\n")
        out.flush()


if __name__ == "__main__":
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what packages print
    _run(answers)
