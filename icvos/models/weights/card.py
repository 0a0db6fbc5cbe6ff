"""The model card of a checkpoint of `icvos train`, filled from the header of its file. Nothing here imports torch."""

import json
from pathlib import Path
from typing import Any

from icvos.errors import IcvosError, printable
from icvos.files.hub import PREFIX, require_repository
from icvos.files.storage import sha256
from icvos.models.weights.header import OF_THE_MACHINE, Training, read_header, read_training
from icvos.settings import as_text

TAGS = ("icvos", "in-context-segmentation", "few-shot-segmentation")
LEFT_OUT = ("method", "settings", "benchmark", "fold")  # of the recipe: told elsewhere in the card
TERMS = (
    "The licences of the checkpoints that it was trained from, and the terms of the pictures that it learned from, "
    "hold beside its own."
)


def model_card(path: Path, repository: str, name: str, licence: str = "") -> str:
    """The text of README.md beside a checkpoint on the Hub.

    Args:
        path: The checkpoint, as `icvos train` or `icvos weights pack` wrote it.
        repository: Where it goes, ``OWNER/REPO``.
        name: What the file is called there.
        licence: What the Hub calls its licence, as ``apache-2.0``; "" where none is stated.

    Raises `IcvosError` where `icvos train` did not make it, or on top of random weights.
    """
    require_repository(repository)
    training, header = read_training(path), read_header(path)
    if training is None:
        raise IcvosError(f"{path}: was not made by icvos train, and says nothing to fill a model card from")
    if header.get("random_weights") == "true":
        raise IcvosError(f"{path}: was trained on top of random weights, so that it means nothing; train it again")
    place = f"{PREFIX}{repository}/{name}"
    method = printable(training.method)
    parts = [
        _front(method, licence),
        f"# {repository.partition('/')[2]}\n\nA checkpoint of the method `{method}` for in-context segmentation, "
        f"made by `icvos train`{_version(header)}.",
        f"## Use\n\n```\nicvos weights fetch {place}\n"
        f"icvos eval --method {method} --set checkpoint={place} --benchmark IC-VOS --out runs/{method}\n```\n\n"
        "Its settings come with the file.",
        f"## Training\n\n{_table(_facts(training, header))}",
        f"The recipe:\n\n```toml\n{_recipe(header)}\n```",
        f"## The file\n\n{_table({'name': name, 'bytes': str(path.stat().st_size), 'SHA-256': sha256(path)})}",
        f"## Licence\n\n{f'{licence}. ' if licence else 'None is stated. '}{TERMS}",
    ]
    return "\n\n".join(parts) + "\n"


def _front(method: str, licence: str) -> str:
    lines = ["---", "library_name: icvos", "pipeline_tag: image-segmentation"]
    lines += [f"license: {json.dumps(licence)}"] if licence else []
    return "\n".join([*lines, "tags:", *(f"- {json.dumps(tag)}" for tag in (*TAGS, method)), "---"])


def _version(header: dict[str, str]) -> str:
    version = _value(header, "versions", {}).get("icvos")
    return f" of icvos {printable(str(version))}" if version else ""


def _facts(training: Training, header: dict[str, str]) -> dict[str, str]:
    validation = _value(header, "validation", {})
    scores = [f"{name} {100 * float(score):.1f}" for name, score in validation.items() if score is not None]
    machine = {name for name, value in training.settings.items() if isinstance(value, str) and "/" in value}
    settings = [
        f"{name}={as_text(value)}"
        for name, value in training.settings.items()
        if name not in OF_THE_MACHINE and name not in machine and value != ""
    ]
    began = [f"{name} (SHA-256 {digest or 'none'})" for name, digest in training.weights.items()]
    return {
        "benchmark": f"{training.benchmark}, fold {training.fold} held out",
        "episodes": str(_value(header, "episodes", "")),
        "classes that it learned": ", ".join(map(str, sorted(training.classes))),
        "steps": str(_value(header, "step", "")),
        "validation, in percent": ", ".join(scores) or "none",
        "trained from": "; ".join(began) or "nothing",
        "settings": " ".join(settings),
    }


def _recipe(header: dict[str, str]) -> str:
    recipe = _value(header, "recipe", {})
    return "\n".join(f"{name} = {json.dumps(value)}" for name, value in recipe.items() if name not in LEFT_OUT)


def _value(header: dict[str, str], name: str, default: Any) -> Any:
    return json.loads(header[name]) if name in header else default


def _table(facts: dict[str, str]) -> str:
    rows = [f"| {name} | {printable(text, len(text)).replace('|', '/')} |" for name, text in facts.items()]
    return "\n".join(["| | |", "|---|---|", *rows])
