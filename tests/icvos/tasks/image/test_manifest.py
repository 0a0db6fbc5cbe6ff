"""``episodes.json`` and ``val.json``: what does not fit is said in one line that names file, key and remedy."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from icvos.errors import IcvosError
from icvos.files.schema import Schema, read_schema
from icvos.tasks.image.benchmark import ImageBenchmark
from icvos.tasks.image.manifest import MANIFEST, REMEDY, Manifest, PictureEntry, Pictures, pictures_text, read_pictures
from tests.icvos.tasks.image.tiny_episodes import write_images
from tests.icvos.tasks.keys import keys, shown, with_wrong, without

FILES: list[tuple[str, type[Schema], Callable[[ImageBenchmark], object]]] = [
    (MANIFEST, Manifest, lambda benchmark: benchmark.folds),
    ("val.json", Pictures, lambda benchmark: benchmark.validation),
]
ENTRY = PictureEntry(name="a.jpg", size=(2, 3), outlines={"1": "06"}, listed=(1,))


@pytest.mark.parametrize(("name", "model", "read"), FILES, ids=[name for name, _, _ in FILES])
def test_a_key_that_is_missing_or_wrong_is_named(
    tmp_path: Path, name: str, model: type[Schema], read: Callable[[ImageBenchmark], object]
) -> None:
    write_images(tmp_path / "tiny")
    path = tmp_path / "tiny" / name
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
                read(ImageBenchmark.open(tmp_path / "tiny"))
            message = str(caught.value)
            assert message.startswith(f"{path}: {words}"), message
            assert message.endswith(f"; {REMEDY}")
            assert "\n" not in message


@pytest.mark.parametrize("number", [0, 1, 3])
def test_pictures_are_read_in_any_layout(tmp_path: Path, number: int) -> None:
    entries = [ENTRY.model_copy(update={"name": f"{index}.jpg"}) for index in range(number)]
    text = pictures_text(entries)
    for layout in (
        text,
        json.dumps(json.loads(text)),
        json.dumps(json.loads(text), indent=4),
        text.replace("\n", "\r\n"),
    ):
        (tmp_path / "val.json").write_bytes(layout.encode())
        assert read_pictures(tmp_path / "val.json", lambda entry: entry) == entries


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (pictures_text([ENTRY] * 3)[:-4], "cannot be read as the pictures of a benchmark \\(EOF"),
        (pictures_text([ENTRY]) + "{}", "cannot be read as the pictures of a benchmark \\(trailing"),
        (pictures_text([ENTRY]).replace('"format": 1', '"format": 2'), "format is 2, this icvos reads 1"),
        (pictures_text([ENTRY, ENTRY]).replace("[2, 3]", "[2, 0]", 1), r"pictures\[0\]\.size\[1\] is 0"),
        (
            pictures_text([ENTRY]).replace("a.jpg", "\\u001b[2J"),
            r"pictures\[0\]\.name is not a relative path of plain names",
        ),
    ],
)
def test_broken_pictures_are_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "val.json").write_text(text)
    with pytest.raises(IcvosError, match=rf"val\.json: {words}.*; {REMEDY}$"):
        read_pictures(tmp_path / "val.json", lambda entry: entry)


def test_an_absent_file_of_pictures_is_named(tmp_path: Path) -> None:
    with pytest.raises(IcvosError, match=r"val\.json: no such file; expected the pictures of a benchmark"):
        read_pictures(tmp_path / "val.json", lambda entry: entry)


@pytest.mark.parametrize("name", [MANIFEST, "val.json"])
def test_a_key_that_is_there_twice_is_refused(tmp_path: Path, name: str) -> None:
    write_images(tmp_path / "tiny")
    path = tmp_path / "tiny" / name
    text = path.read_text()
    key = '"outlines": {' if name == "val.json" else '"classes": {'
    path.write_text(text.replace(key, f'{key}"1": "x", ' if '"1": ' in text else key, 1))
    assert path.read_text() != text
    with pytest.raises(IcvosError, match=rf"{name}: cannot be read as .*key '1' occurs twice"):
        _ = ImageBenchmark.open(tmp_path / "tiny").validation


@pytest.mark.parametrize("name", ["é", "a b", "x" * 41, ".."])
def test_a_name_that_no_result_could_repeat_is_refused(tmp_path: Path, name: str) -> None:
    write_images(tmp_path / "tiny")
    path = tmp_path / "tiny" / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | {"name": name}))
    with pytest.raises(IcvosError, match="name"):
        _ = ImageBenchmark.open(tmp_path / "tiny").name
