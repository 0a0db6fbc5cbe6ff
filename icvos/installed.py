"""What installed packages offer to icvos: methods and recipes, as entry points."""

import functools
import importlib.metadata
import sys
from importlib.metadata import EntryPoints
from pathlib import Path


def entry_points(group: str) -> EntryPoints:
    """The entry points of a group, as `importlib.metadata.entry_points` finds them.

    That one reads the metadata of every installed package whenever it is called, which takes tens of milliseconds;
    here they are read again only after a folder of ``sys.path`` has changed, as it does when a package is installed.
    """
    return _read(group, tuple((path, _changed(path)) for path in sys.path))


@functools.cache
def _read(group: str, paths: tuple[tuple[str, int], ...]) -> EntryPoints:  # noqa: ARG001  # what it depends on
    return importlib.metadata.entry_points(group=group)


def _changed(path: str) -> int:
    """When a folder or archive was last changed, in ns; 0 where there is none."""
    try:
        return Path(path).stat().st_mtime_ns
    except OSError:
        return 0
