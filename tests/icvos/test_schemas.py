"""The published JSON Schemas are those of the models, and real files fit them."""

import json
from pathlib import Path

import pydantic
import pytest

from icvos.schemas import SCHEMAS, schema_texts
from tests import ROOT, Json
from tests.conftest import icvos

jsonschema = pytest.importorskip("jsonschema", reason="checking files against schemas needs jsonschema")
PUBLISHED = ROOT / "docs" / "schemas"


@pytest.mark.skipif(
    tuple(map(int, pydantic.VERSION.split(".")[:2])) < (2, 14),
    reason="older releases of pydantic word schemas otherwise",
)
def test_published_schemas_are_those_of_the_models(tmp_path: Path) -> None:
    icvos("schemas", "--out", tmp_path)
    found = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
    published = {path.name: path.read_text(encoding="utf-8") for path in PUBLISHED.iterdir()}
    assert found == published, "the models have changed; run: icvos schemas --out docs/schemas"


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_every_key_is_explained(name: str) -> None:
    schema = json.loads(schema_texts()[name.replace(".json", ".schema.json")])
    jsonschema.Draft202012Validator.check_schema(schema)
    for where, part in {"": schema, **schema.get("$defs", {})}.items():
        properties = {} if where == "Rle" else part.get("properties", {})  # its docstring explains its two keys
        unexplained = [key for key, value in properties.items() if not value.keys() & {"description", "$ref"}]
        assert not unexplained, f"{where}: {unexplained}"


def fits(path: Path, name: str) -> None:
    schema = json.loads((PUBLISHED / f"{name}.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(json.loads(path.read_text(encoding="utf-8")), schema)


def test_built_files_fit(built: Path) -> None:
    fits(built / "icvos.json", "icvos")
    fits(built / "supports.json", "supports")


def test_a_changed_file_does_not_fit(built: Path, tmp_path: Path) -> None:
    content: Json = json.loads((built / "icvos.json").read_text(encoding="utf-8"))
    del next(iter(content["videos"].values()))["source"]
    (tmp_path / "icvos.json").write_text(json.dumps(content))
    with pytest.raises(jsonschema.ValidationError, match="'source' is a required property"):
        fits(tmp_path / "icvos.json", "icvos")
