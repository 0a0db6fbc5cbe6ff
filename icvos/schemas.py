"""The JSON Schema of every file that crosses a border, from the pydantic models that read and write them.

The models of other rooms are named by texts, and imported when a schema is asked for.
"""

import importlib
import json
from collections.abc import Mapping
from typing import cast

from pydantic import BaseModel

# file name -> module:model; the curation file is a table, its schema that of one row
SCHEMAS: Mapping[str, str] = {
    "icvos.json": "icvos.tasks.video.manifest:Manifest",
    "supports.json": "icvos.tasks.video.manifest:Supports",
    "episodes.json": "icvos.tasks.image.manifest:Manifest",
    "pictures.json": "icvos.tasks.image.manifest:Pictures",
    "answer.json": "icvos.tasks.image.predictions:AnswerLine",
    "run.json": "icvos.tasks.record:RunRecord",
    "scores-video.json": "icvos.tasks.video.result:VideoResult",
    "frames.json": "icvos.tasks.video.curves:Curves",
    "scores-image.json": "icvos.tasks.image.result:ImageResult",
    "scores-folders.json": "icvos.vos.result:FolderResult",
    "report.json": "icvos.tasks.video.report:ReportContent",
    "comparison.json": "icvos.tasks.video.report:ComparisonContent",
    "entry.json": "leaderboard.entry:BoardFile",
    "review-event.json": "curation.review.events:Event",
    "curation-row.json": "curation.video.rows:CurationRow",
}


def schema_texts() -> dict[str, str]:
    """The text of each schema file, by its name ``<file>.schema.json``."""
    return {name.replace(".json", ".schema.json"): _text(place) for name, place in SCHEMAS.items()}


def _text(place: str) -> str:
    module, _, name = place.partition(":")
    model = cast(type[BaseModel], getattr(importlib.import_module(module), name))
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **model.model_json_schema(by_alias=True)}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
