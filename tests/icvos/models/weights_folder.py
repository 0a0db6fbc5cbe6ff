"""An empty folder of weights, without what the user has set."""

import os
from pathlib import Path

import pytest

from icvos.models.weights import registry


def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make it the folder of weights."""
    for name in [name for name in os.environ if name.startswith(registry.FOLDER_VARIABLE)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv(registry.FOLDER_VARIABLE, str(tmp_path / "weights"))
    (tmp_path / "weights").mkdir()
    return tmp_path / "weights"
