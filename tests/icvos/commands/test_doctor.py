"""`icvos doctor`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from icvos.inspection import installation
from icvos.inspection.installation import CORE, EXTRAS, Installation, Package
from tests import ROOT
from tests.conftest import icvos
from tests.test_architecture import BLOCK_TORCH


def machine(**changes: object) -> Installation:
    names = {**CORE, **{name: module for one in EXTRAS.values() for name, module in one.modules.items()}}
    packages = {name: Package(name, "1.0", "") for name in names}
    packages |= {"av": Package("av", "", ""), "scipy": Package("scipy", "", "ImportError: no BLAS")}
    values: dict[str, object] = {
        "version": "0.1.0",
        "folder": "icvos",
        "python": "3.11",
        "system": "Linux",
        "cores": 2,
        "packages": tuple(packages.values()),
        "devices": ("cuda:0 (H100)", "cpu (2 threads)"),
        "compiled": 21,
        "compiled_in": ("cache",),
        "weights_folder": "weights",
        "weights": {"sam-vit-h": "present, verified", "sam-vit-b": "to fetch", "sam-vit-l": "damaged: 12 bytes"},
        "methods": {"lite": "ready", "persam": "missing: sam-vit-h"},
        "free": {"here": 5 * 10**9},
        "notes": (),
    }
    return Installation(**{**values, **changes})  # type: ignore[arg-type]


def shown(monkeypatch: pytest.MonkeyPatch, **changes: object) -> str:
    monkeypatch.setattr(installation, "look", lambda: machine(**changes))
    return icvos("doctor").stdout


def test_it_says_what_is_there_and_what_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [" ".join(line.split()) for line in shown(monkeypatch).splitlines()]
    assert "devices: cuda:0 (H100), cpu (2 threads); torch 1.0" in lines
    assert "video lacking video files, read and written" in lines
    assert "av (missing); run: pip install 'icvos[video]'" in lines
    assert "scipy is broken: ImportError: no BLAS; run: pip install --force-reinstall scipy" in lines
    assert "icvos there building, scoring, ranking" in lines
    assert "weights: weights, and in packages: 1 of 3 there" in lines
    assert "sam-vit-l is damaged: 12 bytes; run: icvos weights fetch sam-vit-l" in lines
    assert "methods: 1 of 2 ready: lite; icvos methods says what others need" in lines
    assert "5.0 GB here" in lines


def test_before_the_first_run_it_says_that_code_will_be_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "compiled code: none yet" in shown(monkeypatch, compiled=0, compiled_in=())


def test_methods_that_cannot_be_listed_are_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(monkeypatch, methods={}, notes=("methods cannot be listed: lacks the package numpy",))
    assert " ready" not in text
    assert "note: methods cannot be listed: lacks the package numpy" in text
    assert "methods: 0 of 1 ready; icvos" in shown(monkeypatch, methods={"persam": "missing: sam-vit-h"})


def test_json_has_everything(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(installation, "look", machine)
    icvos("doctor", "--json", tmp_path / "doctor.json")
    found = json.loads((tmp_path / "doctor.json").read_text(encoding="utf-8"))
    assert json.loads(icvos("doctor", "--json", "-").stdout) == found
    assert found["extras"]["video"] == {"enables": "video files, read and written", "lacking": ["av"]}
    assert found["extras"]["models"]["lacking"] == ["scipy"]
    assert found["devices"] == ["cuda:0 (H100)", "cpu (2 threads)"]


def test_it_starts_without_torch_and_says_what_is_wrong_with_it(tmp_path: Path) -> None:
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("raise OSError('libtorch.so: no such file')", encoding="utf-8")
    ended = subprocess.run(
        [sys.executable, "-c", BLOCK_TORCH, "doctor"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])},
    )
    assert ended.returncode == 0, ended.stderr
    assert "devices: none, as torch cannot be imported" in ended.stdout
    assert "torch is broken: OSError: libtorch.so: no such file" in ended.stdout
    assert "numpy" not in ended.stdout
