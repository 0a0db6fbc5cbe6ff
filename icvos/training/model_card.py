"""The model card of a trained checkpoint, README.md in the form that Hugging Face reads.

All but hours, hardware and losses comes from the checkpoint's own header, so it fits the file beside it.
"""

import json
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from icvos.categories import COCO, PASCAL
from icvos.errors import IcvosError
from icvos.files.hub import PREFIX, require_repository
from icvos.files.storage import sha256, write_text
from icvos.files.text import read_text
from icvos.models.weights.header import read_header, read_training
from icvos.settings import as_text

CARD = "README.md"
LICENCE = "license:  # fill in; the licences of data and weights that it was trained on may bind you\n"


def write_card(checkpoint: Path, log: Path, hours: float, hardware: str, usage: Sequence[str]) -> None:
    """Write the card of a checkpoint of `icvos train` beside it, whole or not at all.

    Args:
        checkpoint: ``best.safetensors``.
        log: ``log.jsonl`` of the run.
        hours: Spent on training so far, all its parts together.
        hardware: What it ran on, see `describe_hardware`.
        usage: Lines of commands that run it.
    """
    run = {"hardware": hardware, "hours": f"{hours:.2f}, all of the run so far"}
    write_text(checkpoint.parent / CARD, card(checkpoint, usage, run, _losses(log)))


def published_card(checkpoint: Path, repository: str, name: str, licence: str = "") -> str:
    """The card of a checkpoint that is published on the Hugging Face Hub, from its header alone.

    Args:
        checkpoint: As `icvos train` or `icvos weights pack` wrote it.
        repository: Where it goes, ``OWNER/REPO``.
        name: What the file is called there.
        licence: What the Hub calls its licence, as ``apache-2.0``; "" leaves the line to be filled in.

    Raises `IcvosError` where `icvos train` did not make it, or on top of random weights.
    """
    place = f"{PREFIX}{require_repository(repository)}/{name}"
    training = read_training(checkpoint)
    if training is None:
        raise IcvosError(f"{checkpoint}: was not made by icvos train, and says nothing to fill a model card from")
    if read_header(checkpoint).get("random_weights") == "true":
        raise IcvosError(f"{checkpoint}: was trained on top of random weights and means nothing; train it again")
    method = training.method
    usage = (
        f"icvos weights fetch {place}",
        f"icvos eval --method {method} --set checkpoint={place} --benchmark IC-VOS --out runs/{method}",
    )
    return card(checkpoint, usage, {"published as": f"`{name}`"}, licence=licence)


def card(
    checkpoint: Path,
    usage: Sequence[str],
    run: Mapping[str, str],
    losses: Mapping[str, str] | None = None,
    licence: str = "",
) -> str:
    """The text of a card: what the header of ``checkpoint`` says, and of its ``run`` what no header does."""
    facts = {name: _value(text) for name, text in read_header(checkpoint).items()}
    sections = [
        "".join(_front_matter(facts["recipe"], licence)),
        "".join(_introduction(facts)),
        "## How to run it\n\n```\n" + "\n".join(usage) + "\n```\n" if usage else "",
        "".join(_table("Training", {**_training(facts, checkpoint), **run})),
        "".join(_table("Losses, mean of the steps of each tenth of the run", losses or {})),
        "".join(_table("Recipe", _fields(facts["recipe"]))),
        "".join(_table("Settings of the method", _fields(facts["settings"]))),
        "".join(_table("Versions", facts["versions"])),
    ]
    return "\n".join(filter(None, sections))


def describe_hardware(kind: str, processes: int) -> str:
    """The devices of a run: ``kind`` is the type of torch's device."""
    if kind == "cuda":
        import torch

        return f"{processes} x {torch.cuda.get_device_name()}"
    return f"{kind}, {os.cpu_count()} {platform.machine()} cores, {processes} process{'es' * (processes > 1)}"


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text  # made_by


def _front_matter(recipe: Mapping[str, Any], licence: str) -> Iterator[str]:
    yield "---\n"
    yield f"license: {licence}\n" if licence else LICENCE
    yield "library_name: icvos\npipeline_tag: image-segmentation\ntags:\n"
    for tag in ("in-context-segmentation", recipe["method"], recipe["benchmark"]):
        yield f"- {tag}\n"
    yield "---\n"


def _introduction(facts: Mapping[str, Any]) -> Iterator[str]:
    recipe, validation = facts["recipe"], facts["validation"]
    fold = "" if recipe["benchmark"] == "all-coco" else f", fold {recipe['fold']} held out"
    yield f"# {recipe['method']}, trained on {recipe['benchmark']}{fold}\n"
    if facts["random_weights"]:
        yield "\n**Random weights:** training started from random weights in the place of pretrained ones.\n"
    if validation:
        scores = ", ".join(f"{name} {100 * value:.2f}" for name, value in validation.items())
        yield f"\nBest validation after step {facts['step']:,}: {scores} (percent).\n"
        yield "These chose the checkpoint, on square pictures; they are no results of `icvos eval`.\n"


def _training(facts: Mapping[str, Any], checkpoint: Path) -> dict[str, str]:
    recipe = facts["recipe"]
    names = [found.name for found in (PASCAL if recipe["benchmark"] == "pascal-5i" else COCO)]
    return {
        "checkpoint": f"`{checkpoint.name}`, SHA-256 `{sha256(checkpoint)}`",
        "after step": f"{facts['step']:,}",
        "seed": str(recipe["seed"]),
        "data": f"{recipe['benchmark']}, digest `{facts['episodes']}`",
        f"classes ({len(facts['classes'])})": ", ".join(names[kind] for kind in facts["classes"]),
        "started from": ", ".join(_source(loaded) for loaded in facts["weights"]) or "no weights",
    }


def _source(loaded: Mapping[str, Any]) -> str:
    digest = f"SHA-256 `{loaded['sha256']}`" if loaded["sha256"] else "random weights"
    return f"{loaded['name']} ({digest})"


def _losses(log: Path) -> dict[str, str]:
    """The mean of each loss in each tenth of the run so far."""
    lines = [json.loads(line) for line in read_text(log).splitlines()]
    steps = [line for line in lines if line["kind"] == "train"]
    size = max(1, -(-len(steps) // 10))
    found = {}
    for start in range(0, len(steps), size):
        part = steps[start : start + size]
        names = [name for name in part[0] if name not in ("kind", "step", "learning_rate")]
        means = {name: sum(line.get(name, 0.0) for line in part) / len(part) for name in names}
        last = f"steps {part[0]['step']:,} to {part[-1]['step']:,}"
        found[last] = ", ".join(f"{name} {value:.4f}" for name, value in means.items())
    return found


def _fields(values: Mapping[str, Any]) -> dict[str, str]:
    """Values by name; of a file, whose folder is of the machine, its name alone."""
    shown = {name: as_text(value) for name, value in values.items() if not isinstance(value, Mapping)}
    bare = {name: Path(text).name if Path(text).is_absolute() else text for name, text in shown.items()}
    return {name: "`" + (text or '""') + "`" for name, text in bare.items()}


def _table(title: str, rows: Mapping[str, str]) -> Iterator[str]:
    if rows:
        yield f"## {title}\n\n| | |\n| --- | --- |\n"
        for name, value in rows.items():
            yield f"| {name} | {value} |\n"
