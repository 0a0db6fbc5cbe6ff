"""A third kind of benchmark is a wing, a task and a result: here masks of flat squares, answered by PNG files."""

from collections.abc import Iterator, Sequence
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pytest

from icvos.errors import Fault
from icvos.files.images import read_image
from icvos.files.masks import read_binary, write_binary
from icvos.files.schema import Schema
from icvos.method import load_method, segment_image
from icvos.tasks.task import WINGS, Drawing, Sheet, Wing, read_result
from tests import Json
from tests.conftest import icvos
from tests.icvos.inspection.test_promises import Bright


class SquaresResult(Schema):
    task: Literal["squares"]
    protocol: str
    overall: float
    digest: None = None
    partial: bool = False
    parts: ClassVar[tuple[int, ...]] = (0,)
    records: ClassVar[Json] = {}

    def prove(self, where: str) -> None:
        pass

    def lines(self, where: str) -> Sequence[str]:
        return (f"{self.overall:.3f} of the pixels -> {where}",)


class SquaresTask:
    kind, part, parts, name, folders, clips = "squares", "fold", (0,), "squares", frozenset({"fold0"}), None

    def __init__(self, root: Path) -> None:
        self.root, self.names = root, sorted(path.name for path in (root / "truth").iterdir())

    @staticmethod
    def recognises(root: Path) -> bool:
        return (root / "truth").is_dir()

    open = classmethod(lambda cls, root: cls(root))

    def there(self, folder: Path, protocol: Any) -> "SquaresTask":  # noqa: ARG002
        return self

    def predict(self, out: Path, options: Any, watch: Any) -> tuple[int, ...]:  # noqa: ARG002
        method = load_method(options.method, options.settings)
        for name in self.names:
            write_binary(out / "fold0" / name, segment_image(method, (), read_image(self.root / "images" / name)))
        return (0,)

    def check(self, folder: Path, protocol: Any, watch: Any) -> list[Fault]:  # noqa: ARG002
        absent = [name for name in self.names if not (folder / "fold0" / name).is_file()]
        return [Fault("missing-mask", name, "no mask; predict it") for name in absent]

    def score(self, folder: Path, protocol: Any, watch: Any, **given: Any) -> SquaresResult:  # noqa: ARG002
        masks = [
            [read_binary(place / name) for name in self.names] for place in (self.root / "truth", folder / "fold0")
        ]
        return SquaresResult(task="squares", protocol=protocol.id, overall=float(np.mean(np.equal(*masks))))

    def sheets(self, predictions: Path | None, drawing: Drawing) -> Iterator[Sheet]:  # noqa: ARG002
        return (Sheet(n[:-4], "sheet", iter([read_image(self.root / "images" / n)]), rows=True) for n in self.names)

    def summary(self) -> list[str]:
        return [f"{len(self.names)} squares"]


def test_a_third_kind_goes_through_every_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(WINGS, "squares", Wing(f"{__name__}:SquaresTask", f"{__name__}:SquaresResult"))
    point = EntryPoint("bright", f"{Bright.__module__}:Bright", "icvos.methods")
    monkeypatch.setattr("icvos.method.entry_points", lambda group: [point])
    benchmark, run = tmp_path / "squares", tmp_path / "run"
    for path in (benchmark / place / f"{name}.png" for place in ("truth", "images") for name in "ab"):
        write_binary(path, np.arange(60) * np.ones((40, 1)) < 30)
    assert icvos("info", benchmark).output == "2 squares\n"
    assert "1.000 of the pixels" in icvos("eval", "--method", "bright", "--benchmark", benchmark, "--out", run).output
    assert read_result(run / "scores.json").to_json()["overall"] == 1
    assert "1.000 of the pixels" in icvos("score", run, "--benchmark", benchmark).output
    assert "2 files" in icvos("render", benchmark, "--out", tmp_path / "sheets").output
    (run / "fold0" / "b.png").unlink()
    assert "error: b.png: no mask; predict it" in icvos("validate", run, "--benchmark", benchmark, status=1).output
