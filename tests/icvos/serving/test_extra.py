"""What is said where the packages of an extra are not installed, and where a port cannot be had."""

import contextlib
import sys

import pytest

from icvos.errors import IcvosError
from icvos.serving.extra import load_extra
from icvos.serving.listening import listen


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "curation.review.app", raising=False)
    monkeypatch.setitem(sys.modules, "fastapi", None)
    with pytest.raises(IcvosError, match=r"the app needs the package FastAPI; run: pip install 'icvos\[review\]'"):
        load_extra("curation.review.app", {"fastapi": "FastAPI"}, "review", "the app")


def test_a_missing_module_of_our_own_is_no_matter_of_extras() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"icvos\.absent"):
        load_extra("icvos.absent", {"fastapi": "fastapi"}, "review", "the app")


def test_a_port_that_is_taken_is_said() -> None:
    with contextlib.closing(listen("127.0.0.1", 0)) as first:
        port = first.getsockname()[1]
        with pytest.raises(IcvosError, match=f"127.0.0.1:{port}: cannot be listened on .*give another --port"):
            listen("127.0.0.1", port)
