"""`icvos episodes`: an image benchmark of few-shot segmentation, with frozen evaluation episodes.

What is drawn comes from SHA-256 of names, as supports do: each candidate has a rank of its own in each draw, and the
first ones win. A draw is therefore uniform, and the same on any machine and for COCO 2014 and 2017, whose image ids
agree. A picture of COCO that is added or taken away changes only the episodes that it comes into or was in.
"""

import hashlib
import heapq
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from curation.image.lists import picture_key
from curation.image.pictures import Source
from curation.image.plan import OF_COCO, EpisodeOptions, Name, Plan, class_names, fold_classes
from icvos.errors import IcvosError
from icvos.files.storage import write_text
from icvos.tasks.image.benchmark import FORMAT, MANIFEST, Picture, manifest_text, picture_json, pictures_text

Drawn = tuple[int, str, list[str]]  # class, query, supports
Progress = Callable[[str, int, int], None]  # (split, batches done, batches in all)
FILES = (MANIFEST, "val.json", "train.json")


def build(plan: Plan, out: Path, *, workers: int = 1, progress: Progress = lambda *_: None) -> list[str]:
    """Build the benchmark in ``out``; gives warnings, one line each.

    Raises `IcvosError` for bad input, for an ``out`` that holds something else, and where no fold can be asked.
    """
    _claim(out)
    warnings = [*plan.notes, *plan.val.warnings]
    val = plan.val.pictures(workers, lambda done, total: progress("val", done, total))
    warnings += _unseen(plan.val, val)
    folds = _folds(plan, pictures_by_class(val), warnings)
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "name": plan.name,
        "rule": plan.rule,
        "digest": {},
        "splits": {"val": plan.val.split},
        "images": {"val": str(plan.val.images.resolve())},
        "classes": {str(kind): name for kind, name in class_names(plan.name).items()},
        "folds": folds,
    }
    for name in FILES:  # no half-changed benchmark can be opened
        (out / name).unlink(missing_ok=True)
    manifest["digest"]["val"] = val_digest(manifest, val)
    write_text(out / "val.json", pictures_text(val))
    if plan.train is not None:
        train = plan.train.pictures(workers, lambda done, total: progress("train", done, total))
        manifest["splits"]["train"] = plan.train.split
        manifest["images"]["train"] = str(plan.train.images.resolve())
        manifest["digest"]["train"] = train_digest(manifest, train)
        write_text(out / "train.json", pictures_text(train))
        warnings += [found for found in plan.train.warnings if found not in warnings]
        warnings += _unseen(plan.train, train)
        both = len({picture_key(found.name) for found in val} & {picture_key(found.name) for found in train})
        if both:
            warnings.append(f"{both} pictures are both evaluated and trained on: fit for a trial, not for a result")
    write_text(out / MANIFEST, manifest_text(manifest))
    return warnings


def _unseen(source: Source, pictures: Sequence[Picture]) -> list[str]:
    number = source.unseen(pictures)
    return [f"{source.split}: {number} classes that the lists name are in no mask, not asked"] if number else []


def _folds(plan: Plan, by_class: Mapping[int, Sequence[str]], warnings: list[str]) -> list[dict[str, Any]]:
    """The folds as the manifest has them; adds to ``warnings`` which classes cannot be asked."""
    names, folds = class_names(plan.name), []
    for number, (test, train) in enumerate(fold_classes(plan.name, plan.folds)):
        asked = [kind for kind in test if len(by_class.get(kind, ())) >= 2]
        if len(asked) < len(test):
            few = ", ".join(names[kind] for kind in test if kind not in asked)
            warnings.append(f"fold {number}: never asked, having fewer than 2 pictures in {plan.val.split}: {few}")
        folds.append({"test": test, "train": train, "episodes": draw(plan.name, number, asked, by_class, plan.options)})
    if not any(fold["episodes"] for fold in folds):
        raise IcvosError(f"{plan.val.images}: no class has 2 pictures, so nothing can be asked; give more pictures")
    return folds


def _claim(out: Path) -> None:
    """Refuse a folder that holds something else than an image benchmark; make ``out`` otherwise."""
    if out.exists() and not out.is_dir():
        raise IcvosError(f"{out}: is a file; choose another --out")
    found = list(out.iterdir()) if out.is_dir() else []
    unfinished = [path for path in found if path.name.startswith(tuple(f".{name}." for name in FILES))]
    if any(path.name not in FILES and path not in unfinished for path in found):
        raise IcvosError(f"{out}: holds something that icvos episodes did not make; choose an empty or new folder")
    try:
        for path in unfinished:  # of a build that was killed
            path.unlink()
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise IcvosError(f"{out}: cannot be written ({error.strerror}); choose another --out") from error


def pictures_by_class(pictures: Iterable[Picture]) -> dict[int, list[str]]:
    """Class -> the names of the pictures that are listed for it, in order."""
    found: dict[int, list[str]] = {}
    for picture in pictures:
        for kind in picture.listed:
            found.setdefault(kind, []).append(picture.name)
    return found


def draw(
    name: Name, fold: int, asked: Sequence[int], by_class: Mapping[int, Sequence[str]], options: EpisodeOptions
) -> list[Drawn]:
    """The episodes of a fold: of COCO a class, then a query; of PASCAL the queries in turn, then a class of each.

    Args:
        name: Which benchmark.
        fold: Its number, which goes into the draws.
        asked: The classes that may be drawn.
        by_class: The names of the pictures of each class, two or more.
        options: How many episodes, and supports of each.
    """
    classes_of: dict[str, list[int]] = {}
    for kind in asked:
        for picture in by_class[kind]:
            classes_of.setdefault(picture, []).append(kind)
    queries = sorted(classes_of)
    drawn = []
    for index in range(options.episodes if asked else 0):
        seed = f"{name}/{fold}/{index}"
        if name in OF_COCO:
            kind = _first(seed, asked, 1)[0]
            query, *supports = _first(seed, by_class[kind], options.max_shots + 1, picture_key)
        else:
            query = queries[index % len(queries)]
            kind = _first(seed, classes_of[query], 1)[0]
            others = [picture for picture in by_class[kind] if picture != query]
            supports = _first(seed, others, options.max_shots, picture_key)
        drawn.append((kind, query, list(islice(cycle(supports), options.max_shots))))
    return drawn


def _first(seed: str, candidates: Sequence[Any], number: int, key: Callable[[Any], object] = str) -> list[Any]:
    """The first of ``candidates`` in the order of this draw."""

    def rank(candidate: Any) -> bytes:
        return hashlib.sha256(f"{seed}/{key(candidate)}".encode()).digest()

    return heapq.nsmallest(number, candidates, key=rank)


def val_digest(manifest: Mapping[str, Any], pictures: Iterable[Picture]) -> str:
    """``sha256:...`` over the rule, the folds with their episodes, and the pictures of evaluation."""
    return _digest({key: manifest[key] for key in ("format", "name", "rule", "classes", "folds")}, pictures)


def train_digest(manifest: Mapping[str, Any], pictures: Iterable[Picture]) -> str:
    """``sha256:...`` over the rule, the classes of the folds, and the pictures to train on."""
    head = {key: manifest[key] for key in ("format", "name", "rule", "classes")}
    folds = [{key: fold[key] for key in ("test", "train")} for fold in manifest["folds"]]
    return _digest({**head, "folds": folds}, pictures)


def _digest(head: Mapping[str, Any], pictures: Iterable[Picture]) -> str:
    digest = hashlib.sha256(json.dumps(head, sort_keys=True).encode())
    for picture in pictures:
        digest.update(b"\n" + json.dumps(picture_json(picture), sort_keys=True).encode())
    return f"sha256:{digest.hexdigest()}"
