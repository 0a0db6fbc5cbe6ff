"""``icvos.json`` and ``supports.json``: what does not fit is said in one line that names file, key and remedy."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from icvos.errors import IcvosError
from icvos.files.schema import Schema, read_schema
from icvos.tasks.video.benchmark import Benchmark
from icvos.tasks.video.manifest import MANIFEST, REMEDY, SUPPORTS, Manifest, Supports
from tests.conftest import icvos
from tests.icvos.tasks.keys import keys, shown, with_wrong, without

FILES: list[tuple[str, type[Schema], Callable[[Benchmark], object]]] = [
    (MANIFEST, Manifest, lambda benchmark: benchmark.manifest),
    (SUPPORTS, Supports, lambda benchmark: benchmark.draws),
]


@pytest.fixture
def copied(built: Path, tmp_path: Path) -> Path:
    """The files of a built benchmark, with empty folders for its videos."""
    for name in (MANIFEST, SUPPORTS):
        shutil.copy(built / name, tmp_path / name)
    for folder in (built / "videos").iterdir():
        (tmp_path / "videos" / folder.name).mkdir(parents=True)
    return tmp_path


@pytest.mark.parametrize(("name", "model", "read"), FILES, ids=[name for name, _, _ in FILES])
def test_a_key_that_is_missing_or_wrong_is_named(
    copied: Path, name: str, model: type[Schema], read: Callable[[Benchmark], object]
) -> None:
    path = copied / name
    value = json.loads(path.read_text())
    places = list(keys(read_schema(path, model, "", "")))
    assert len(places) > 4
    for place, required in places:
        wrong = {f"{shown(place)} is ": with_wrong(value, place)}
        if required:
            wrong[f"{shown(place)} is missing"] = without(value, place)
        for words, changed in wrong.items():
            path.write_text(json.dumps(changed))
            with pytest.raises(IcvosError) as caught:
                read(Benchmark.open(copied))
            message = str(caught.value)
            assert message.startswith(f"{path}: {words}"), message
            assert message.endswith(f"; {REMEDY}")
            assert "\n" not in message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "cannot be read as the manifest of a built benchmark (EOF"),
        ("[]", "the file is not a JSON object"),
        ("{}", "format is missing (and 8 more)"),
        ('{"format": 2}', "format is 2, this icvos reads 1"),
        ("\x80", "cannot be read as the manifest of a built benchmark"),
    ],
)
def test_another_file_is_refused_in_one_line(copied: Path, text: str, words: str) -> None:
    (copied / MANIFEST).write_bytes(text.encode("latin-1"))
    line = icvos("info", copied, status=2).stderr.strip()
    assert line.startswith(f"icvos: {copied / MANIFEST}: {words}")
    assert line.endswith(REMEDY)
    assert "\n" not in line


def test_an_unknown_key_is_named(copied: Path) -> None:
    value = json.loads((copied / MANIFEST).read_text())
    (copied / MANIFEST).write_text(json.dumps({**value, "colour": "red"}))
    with pytest.raises(
        IcvosError, match=r"icvos\.json: colour is not a key of the manifest of a built benchmark; build"
    ):
        Benchmark.open(copied)


@pytest.mark.parametrize("name", [MANIFEST, SUPPORTS])
def test_a_key_that_is_there_twice_is_refused(copied: Path, name: str) -> None:
    path = copied / name
    path.write_text(f'{{"format": 1, {path.read_text()[1:]}')
    with pytest.raises(IcvosError, match=rf"{name}: cannot be read as .*key 'format' occurs twice"):
        _ = Benchmark.open(copied).draws
