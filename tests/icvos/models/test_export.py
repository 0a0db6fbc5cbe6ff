"""Networks as files that run without icvos."""

import json
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from icvos.errors import IcvosError
from icvos.models import export as exporting
from icvos.models.export import PROGRAMS, Program, export
from tests.conftest import icvos

SIDE = 8


class Tiny:
    """A method of two networks, one of which is larger than what its program uses."""

    used, unused = nn.Conv2d(3, 4, 3), nn.Linear(1000, 1000)

    def programs(self, shots: int, *, moving: bool) -> list[Program]:
        def split(picture: Tensor) -> tuple[Tensor, Tensor]:
            maps = (self.used if shots else self.unused)(picture) * shots
            return maps, maps.argmax(1).float() + moving

        picture = torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
        return [Program("split", split, {"picture": picture}, ["maps", "best"])]


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [EntryPoint("tiny", f"{__name__}:Tiny", "icvos.methods"), *entry_points(group="icvos.methods")]
    monkeypatch.setattr("icvos.method.entry_points", lambda group: points)


@pytest.mark.parametrize("kind", ["pt2", "onnx"])
def test_a_program_gives_what_the_network_gives(kind: exporting.Format, tmp_path: Path) -> None:
    if kind == "onnx":
        pytest.importorskip("onnxruntime", reason="ONNX files need pip install 'icvos[onnx]'")
    (file,) = export("tiny", tmp_path / "out", shots=3, formats=[kind])
    assert file.path == tmp_path / "out" / f"split.{kind}"
    assert file.difference < 1e-6
    assert file.path.stat().st_size < 50_000  # without the network that it does not use
    found = json.loads((tmp_path / "out" / PROGRAMS).read_text())
    assert found["shots"] == 3
    assert found["programs"] == [
        {
            "name": "split",
            "inputs": {"picture": [1, 3, SIDE, SIDE]},
            "outputs": ["maps", "best"],
            "files": {f"split.{kind}": file.difference},
        }
    ]


def test_an_export_takes_the_place_of_an_export_alone(tmp_path: Path) -> None:
    out = tmp_path / "out"
    export("tiny", out)
    export("tiny", out, shots=2)
    assert json.loads((out / PROGRAMS).read_text())["shots"] == 2
    (out / "notes.txt").write_text("mine")
    with pytest.raises(IcvosError, match=r"out: holds notes.txt, which would be lost; give --out a new folder"):
        export("tiny", out)
    (out / "notes.txt").unlink()
    (out / PROGRAMS).unlink()
    with pytest.raises(IcvosError, match=r"out: holds programs without programs.json, which would be lost"):
        export("tiny", out)
    assert [path.name for path in out.iterdir()] == ["split.pt2"]


def test_methods_that_cannot_be_exported_name_those_that_can(tmp_path: Path) -> None:
    with pytest.raises(IcvosError, match="method lite cannot be exported; --method can be dcsam, tiny"):
        export("lite", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_missing_package_is_named_before_anything_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(IcvosError, match=r"package onnx; run: pip install 'icvos\[onnx\]', or leave out --format onnx"):
        export("tiny", tmp_path / "out", formats=["onnx"])


def test_the_command_prints_sizes_and_differences(tmp_path: Path) -> None:
    printed = icvos("export", "--method", "tiny", "--out", str(tmp_path / "out"))
    assert f"{tmp_path}/out/split.pt2  0.0 MiB, differs from the network by at most 0.0e+00" in printed.output
