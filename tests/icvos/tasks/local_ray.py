"""A real Ray on this machine, for tests."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import ROOT


@contextlib.contextmanager
def local_ray(processors: int, *packages: Path, **variables: str) -> Iterator[Any]:
    """A Ray of so many processors, whose workers find this checkout and ``packages``, and have these variables."""
    found = pytest.importorskip("ray", reason="ray is not installed: pip install 'icvos[cluster]'")
    places = [str(ROOT), *map(str, packages), *filter(None, [os.environ.get("PYTHONPATH")])]
    given = {"PYTHONPATH": os.pathsep.join(places), "RAY_USAGE_STATS_ENABLED": "0", **variables}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in given.items():
            patch.setenv(name, value)
        found.init(
            "local",
            num_cpus=processors,
            include_dashboard=False,
            object_store_memory=80 << 20,
            log_to_driver=False,
            logging_level="ERROR",
        )
    yield found
    found.shutdown()
