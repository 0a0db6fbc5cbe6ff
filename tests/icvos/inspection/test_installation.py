"""What `icvos doctor` finds, also of packages that are missing, broken, or end Python."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from icvos.inspection import installation
from icvos.inspection.installation import CORE, EXTRAS
from tests import ROOT

BROKEN = {
    "sound": "__version__ = '2.0'\nprint('hello')",
    "unlinked": "raise OSError('libcudart.so.12: cannot open shared object file')",
    "leaving": "raise SystemExit(2)",
    "aborting": "import os\nos.abort()",
    "quitting": "import os\nos._exit(3)",
    "needing": "import a_package_that_is_not_there",
    "last": "__version__ = '1.0'",
}


def distribution(requirement: str) -> str:
    return re.split(r"[^\w.-]", requirement)[0].lower()


def test_extras_and_packages_are_those_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {distribution(one) for one in project["dependencies"]} == set(CORE)
    extras = {name: needs for name, needs in project["optional-dependencies"].items() if name not in ("dev", "docs")}
    for name, needs in extras.items():
        assert {distribution(one) for one in needs} == {one.lower() for one in EXTRAS[name].modules}, name
    assert extras.keys() == EXTRAS.keys()


def test_every_package_is_judged_whatever_another_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, code in BROKEN.items():
        (tmp_path / f"{name}.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    found = installation._import({name: name for name in [*BROKEN, "absent_module"]})
    assert found["sound"] == {"version": "2.0"}
    assert found["unlinked"] == {"fault": "OSError: libcudart.so.12: cannot open shared object file"}
    assert found["leaving"] == {"fault": "SystemExit: 2"}
    assert found["aborting"] == {"fault": "ends Python when it is imported (signal SIGABRT)"}
    assert found["quitting"] == {"fault": "ends Python when it is imported (exit status 3)"}
    assert found["needing"] == {"fault": "lacks the package a_package_that_is_not_there"}
    assert found["last"] == {"version": "1.0"}
    assert found["absent_module"] == {}


def test_a_package_that_hangs_is_named_and_the_rest_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hanging.py").write_text("import time\ntime.sleep(600)", encoding="utf-8")
    (tmp_path / "after.py").write_text("__version__ = '1'", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(installation, "LONGEST_S", 1)
    found = installation._import({"hanging": "hanging", "after": "after"})
    assert found == {"hanging": {"fault": "was not imported within 1 seconds"}, "after": {"version": "1"}}


@pytest.mark.parametrize("variable", ["NUMBA_CACHE_DIR", "XDG_CACHE_HOME"])
def test_compiled_functions_are_counted_where_numba_keeps_them(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from numba.core import caching

    monkeypatch.setattr(installation, "ROOT", tmp_path / "icvos")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv(variable, str(tmp_path / "cache"))
    code = tmp_path / "icvos" / "metrics" / "kernel.py"
    place = tmp_path / "cache" / ("" if variable == "NUMBA_CACHE_DIR" else "numba")
    kept = place / caching._CacheLocator.get_suitable_cache_subpath(str(code))
    code.parent.mkdir(parents=True)
    kept.mkdir(parents=True)
    assert installation._compiled() == []
    (kept / "kernel.compare-194.py311.nbi").write_bytes(b"")
    assert installation._compiled() == [kept / "kernel.compare-194.py311.nbi"]


def test_free_disk_is_that_of_the_nearest_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = tmp_path / "not" / "yet"
    monkeypatch.setenv("ICVOS_WEIGHTS", str(weights))
    free = installation._free()
    assert free[f"the folder of weights ({weights})"] > 0
    assert not weights.parent.exists()


def test_the_file_that_imports_packages_needs_none() -> None:
    command = [sys.executable, "-I", "-S", str(installation.importing.__file__)]
    ended = subprocess.run(
        command,
        input='{"path": [], "packages": {"torch": "torch"}}',
        capture_output=True,
        text=True,
        check=True,
        env={key: value for key, value in os.environ.items() if not key.startswith("PYTHON")},
    )
    assert ended.stdout == "torch\n{}\n"
