"""What says "ready" is ready: packages, trained checkpoints, and files that are what their names say."""

import hashlib
import json
import os
import re
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from icvos.errors import IcvosError
from icvos.inspection.card import method_card
from icvos.inspection.requirements import Requirements, list_methods
from icvos.models.needs import require_usable
from icvos.models.weights import registry
from icvos.models.weights.registry import Checkpoint, random_weights_allowed
from tests import ROOT
from tests.conftest import icvos
from tests.icvos.models.weights_folder import empty_folder

torch = pytest.importorskip("torch", reason="the methods need torch: pip install 'icvos[models]'")

WITH_SMALL = ("dcsam", "amnet", "bam", "base-learner", "hdmnet", "pfenet", "sansa", "vrp-sam")
LEARNERS = (*WITH_SMALL, "cyctr", "ssp", "hsnet", "hsnet-hm", "vat", "vat-hm")
SMALL = {name: f"--set checkpoint={name}-nano --set sam2=affinity" for name in WITH_SMALL} | {
    "sansa": "--set checkpoint=sansa-nano --set sam2=sam2-nano",
    "vrp-sam": "--set checkpoint=vrp-sam-nano --set sam=sam2-nano --set sam2=affinity",
}
BLOCK = """
import sys
blocked = sys.argv[1]
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] == blocked:
            raise ModuleNotFoundError(f'No module named {name!r}', name=name)
sys.meta_path.insert(0, Block())
import dataclasses, json
from icvos.inspection.requirements import list_methods
print(json.dumps([dataclasses.asdict(one) for one in list_methods()]))
"""
ALL_PRESENT = """
from icvos.models.needs import require_usable
from icvos.models.weights import registry
registry.locate = lambda known: None
registry.is_there = lambda known: True
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of weights."""
    return empty_folder(tmp_path, monkeypatch)


def states(code: str, blocked: str) -> dict[str, str]:
    done = subprocess.run(
        [sys.executable, "-c", code, blocked], capture_output=True, text=True, check=False, cwd=ROOT, env={**os.environ}
    )
    assert done.returncode == 0, done.stderr
    return {found["method"]: found["state"] for found in json.loads(done.stdout)}


def test_without_torch_nothing_is_ready() -> None:
    found = states(BLOCK, "torch")
    assert len(found) > 10
    assert set(found.values()) == {"missing package torch: pip install 'icvos[models]'"}


@pytest.mark.parametrize(
    ("package", "methods"),
    [
        ("sam2", {"gf-sam", "insid3", "memory", "painter", "persam", "persam-f", "matcher", *LEARNERS}),
        ("segment_anything", {"gf-sam", "persam", "persam-f", "matcher", "vrp-sam"}),
        ("ot", {"matcher"}),
        ("torchvision", {"matcher"}),
    ],
)
def test_a_missing_package_is_named_even_where_all_checkpoints_are_there(package: str, methods: set[str]) -> None:
    found = states(ALL_PRESENT + BLOCK, package)
    named = {name for name, state in found.items() if f"package {package}" in state}
    assert named == methods
    assert all("pip install 'icvos[models]'" in found[name] for name in named)
    assert found["lite"] == "ready"


def test_a_method_that_learns_needs_a_trained_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "is_there", lambda known: True)
    monkeypatch.setattr(registry, "locate", lambda known: None)
    found = {one.method: one for one in list_methods()}
    assert {name for name, one in found.items() if not one.ready} == set(LEARNERS)
    for name in LEARNERS:
        assert found[name].needs[0] == "a trained checkpoint"
        assert "resnet50-v2" not in found[name].needs  # that is for training alone
        small = f"; or, small and with icvos: {SMALL[name]}" if name in SMALL else ""
        assert found[name].state == f"missing: --set checkpoint=FILE, which icvos train makes{small}"
        assert method_card(name).to_json()["ready"] is False
    assert "needs a trained checkpoint" in icvos("methods", "show", "pfenet").output
    assert json.loads(icvos("methods", "show", "lite", "--json", "-").stdout)["ready"] is True


@pytest.mark.parametrize("name", LEARNERS)
def test_a_method_that_never_learned_is_not_run(name: str, built: Path, tmp_path: Path) -> None:
    """Its network is fresh, and the masks would be plausible noise."""
    for arguments in (
        ("eval", "--benchmark", built),
        ("predict", "--support", "no.jpg", "--mask", "no.png", "--video", "no"),
    ):
        said = icvos(*arguments, "--method", name, "--out", tmp_path / "out", status=2).stderr
        assert f"method {name} is not trained; add --set checkpoint=PATH" in said
    missing = ("--set", "checkpoint=nowhere.safetensors")
    said = icvos("eval", "--benchmark", built, "--method", name, "--out", tmp_path / "out", *missing, status=2).stderr
    assert "nowhere.safetensors: no such file" in said


def state_of(found: list[Requirements]) -> str:
    return found[0].state


class Asks:
    """Needs one checkpoint."""

    @staticmethod
    def needs(settings: object) -> tuple[str, ...]:  # noqa: ARG004
        return ("net",)


def install(monkeypatch: pytest.MonkeyPatch, value: str = f"{__name__}:Asks", **facts: Any) -> None:
    point = EntryPoint("asks", value, "icvos.methods")
    monkeypatch.setattr("icvos.method.entry_points", lambda group: [point])
    known = {"net": Checkpoint("net", file="net.pth", urls=("https://example.org/net.pth",), **facts)}
    monkeypatch.setattr(registry, "checkpoints", lambda: known)


WHOLE = b"\x80\x02 a pickle, as far as can be seen"


@pytest.mark.parametrize(
    ("content", "facts", "note", "message"),
    [
        (b"", {}, "", "is an empty file, remove it and get net again"),
        (b"<!DOCTYPE html><html>", {}, "", "is a web page, remove it"),
        (WHOLE[:-1], {"size": len(WHOLE)}, "", f"has {len(WHOLE) - 1} bytes, published are {len(WHOLE)}, remove it"),
        (WHOLE, {"sha256": "0" * 64}, "", "published is 000000000000..., remove it and get net again"),
        (WHOLE, {"sha256_prefix": "00000000"}, "", "published is one that begins with 00000000, remove it"),
        (WHOLE, {}, "0" * 64, "net.pth.sha256 says 000000000000..., remove it"),
        (b"PK\x03\x04 half a zip", {}, "", "is a file that was cut off or damaged, remove it"),
        (WHOLE, {"sha256": hashlib.sha256(WHOLE).hexdigest()}, "", ""),
    ],
)
def test_a_damaged_file_is_not_ready(
    content: bytes, facts: dict[str, Any], note: str, message: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, **facts)
    assert state_of(list_methods()) == "missing: icvos weights fetch net"
    (folder / "net.pth").write_bytes(content)
    if note:
        (folder / "net.pth.sha256").write_text(f"{note}  net.pth\n")
    state = state_of(list_methods())
    assert state == "ready" if not message else message in state
    if note:  # the advice to fetch it again tells the same
        assert "remove it and fetch it again" in icvos("weights", "fetch", "net", status=2).stderr


def test_a_safetensors_file_that_was_cut_off_is_not_ready(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file

    install(monkeypatch)
    path = folder / "net.safetensors"
    save_file({"a": torch.zeros(100)}, path)
    assert state_of(list_methods()) == "ready"
    path.write_bytes(path.read_bytes()[:-8])
    assert "cut off" in state_of(list_methods())


BROKEN = {
    "syntax": ("def broken(:\n", "SyntaxError"),
    "raises": ("raise RuntimeError('no GPU\\nhere')\n", "RuntimeError"),
    "exits": ("import sys\nsys.exit(3)\n", "SystemExit"),
    "package": ("import no_such_package_at_all\n", "missing package no_such_package_at_all: pip install"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_module_that_cannot_be_imported_spoils_no_other(
    name: str, tmp_path: Path, built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, message = BROKEN[name]
    (tmp_path / f"broken_{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    points = [
        EntryPoint("broken", f"broken_{name}:Method", "icvos.methods"),
        EntryPoint("lite", "baselines.lite:Lite", "icvos.methods"),
    ]
    monkeypatch.setattr("icvos.method.entry_points", lambda group: points)
    found = {one.method: one for one in list_methods()}
    assert message in found["broken"].state
    assert len(found["broken"].state.splitlines()) == 1
    assert found["lite"].ready
    for arguments in (
        ("methods", "show", "broken"),
        ("eval", "--method", "broken", "--benchmark", built, "--out", tmp_path / "run"),
    ):
        said = icvos(*arguments, status=2).stderr
        assert said.startswith("icvos: method broken")
        assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    ("method", "settings", "videos", "pictures"),
    [
        ("persam", {"sam": "sam2-nano"}, "sam2.1-hiera-l: the checkpoint is not on this machine", ""),
        ("persam", {"sam": "sam2-nano", "sam2": "affinity"}, "", ""),
        ("persam", {"sam2": "sam-vit-h"}, "sam-vit-h: the checkpoint is not", "sam-vit-h: the checkpoint is not"),
        ("dcsam", {"checkpoint": "pfenet-nano"}, "sam2-hiera-l: the checkpoint", "sam2-hiera-l: the checkpoint"),
        ("dcsam", {"checkpoint": "dcsam-nano", "sam2": "affinity"}, "", ""),
        ("pfenet", {"checkpoint": "pfenet-nano"}, "sam2.1-hiera-l: the checkpoint is not on this machine", ""),
        ("vrp-sam", {"checkpoint": "vrp-sam-nano", "sam2": "sam2-nano"}, "", ""),
        ("vrp-sam", {"checkpoint": "vrp-sam-nano", "sam": "sam2-nano", "sam2": "affinity"}, "", ""),
        ("vrp-sam", {"checkpoint": "pfenet-nano", "sam2": "sam2-nano"}, "", "sam-vit-h: the checkpoint is not"),
        ("lite", {}, "", ""),
    ],
)
def test_weights_that_are_not_there_are_refused_where_they_are_needed(
    method: str, settings: dict[str, str], videos: str, pictures: str
) -> None:
    for moving, expected in ((True, videos), (False, pictures)):
        if expected:
            with pytest.raises(IcvosError, match=re.escape(expected)):
                require_usable(method, settings, moving=moving)
            with random_weights_allowed():
                require_usable(method, settings, moving=moving)
        else:
            require_usable(method, settings, moving=moving)


def test_a_published_file_may_hold_its_own_sam2(tmp_path: Path) -> None:
    """Its names say so, which are read where it is loaded."""
    path = tmp_path / "video.pth"
    torch.save({"sam2.maskmem_tpos_enc": torch.zeros(1)}, path)
    for moving in (True, False):
        require_usable("dcsam", {"checkpoint": str(path)}, moving=moving)
