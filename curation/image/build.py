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
from typing import TypeVar

from curation.image.lists import picture_key
from curation.image.pictures import Source
from curation.image.plan import EpisodeOptions, MaskRule, Name, Plan, Splits, make_plan
from icvos.errors import IcvosError, printable
from icvos.files.leftovers import is_ours
from icvos.files.listing import is_empty
from icvos.files.locks import lock_folder
from icvos.files.storage import require_writable, write_text
from icvos.tasks.image.benchmark import Picture
from icvos.tasks.image.folds import OF_COCO, Folds, class_names, fold_classes
from icvos.tasks.image.manifest import (
    FORMAT,
    MANIFEST,
    Digests,
    FoldEntry,
    LeftOutGroup,
    Manifest,
    OfSplits,
    manifest_text,
    pictures_text,
)
from icvos.tasks.task import SILENT, Watch

Drawn = tuple[int, str, tuple[str, ...]]  # class, query, supports
FILES = (MANIFEST, "val.json", "train.json")
C = TypeVar("C")


def build_episodes(
    name: Name,
    out: Path | str,
    *,
    coco: Path | str | None = None,
    voc: Path | str | None = None,
    sbd: Path | str | None = None,
    lists: Path | str | None = None,
    rule: MaskRule = "painted",
    folds: Folds = "interleaved",
    splits: Splits | None = None,
    options: EpisodeOptions | None = None,
    workers: int = 1,
    watch: Watch = SILENT,
) -> Manifest:
    """Build a benchmark of images: annotated pictures, folds of classes, and frozen evaluation episodes.

    Args:
        name: ``coco-20i`` or ``all-coco``, built from COCO; ``pascal-5i`` or ``coco-to-pascal``, from PASCAL VOC 2012.
        out: The benchmark's folder.
        coco: The folder of COCO 2014 or 2017.
        voc: The folder of PASCAL VOC 2012 (``VOCdevkit`` or ``VOC2012``).
        sbd: The folder of SBD, whose pictures PASCAL-5i trains on too.
        lists: The folder of published lists (``fss_list``), which say which picture shows which class; None: every
            class of which a picture's mask has 2048 pixels.
        rule: COCO's masks: ``painted``, one class a pixel, later over earlier, as published; ``union``, all of a
            class; or ``png``, the published PNGs.
        folds: ``coco-20i`` only: a fold tests every fourth class, or 20 in a row.
        splits: Which splits are evaluated and trained on, where they are not the usual ones.
        options: How many episodes, and supports of each.
        workers: Processes; the result is the same for any number.
        watch: Is told of every batch of pictures, and what the caller should know.

    Returns:
        The manifest: classes, folds with their episodes, and digests.

    Raises:
        IcvosError: Bad input, an ``out`` that holds something else, or no class that can be asked.

    >>> manifest = build_episodes("all-coco", "episodes", coco="coco", options=EpisodeOptions(episodes=8))
    >>> [len(fold.episodes) for fold in manifest.folds]
    [8]
    """
    _require_place(Path(out))
    plan = make_plan(
        name, coco=coco, voc=voc, sbd=sbd, lists=lists, rule=rule, folds=folds, splits=splits, options=options
    )
    return build_plan(plan, Path(out), workers=workers, watch=watch)


def build_plan(plan: Plan, out: Path, *, workers: int = 1, watch: Watch = SILENT) -> Manifest:
    """Build in ``out`` what was planned; the rest as `build_episodes`."""
    _claim(out)
    with lock_folder(out):
        for path in _unfinished(out):
            path.unlink(missing_ok=True)
        return _build(plan, out, workers, watch)


def _build(plan: Plan, out: Path, workers: int, watch: Watch) -> Manifest:
    said = {**dict.fromkeys(plan.notes), **dict.fromkeys(plan.val.warnings)}
    for note in said:
        watch.note(note)
    val = plan.val.pictures(workers, watch)
    _note_unseen(plan.val, val, watch)
    folds = _folds(plan, pictures_by_class(val), watch)
    classes = class_names(plan.name)
    for name in FILES:  # no half-changed benchmark can be opened
        (out / name).unlink(missing_ok=True)
    left_out = [*_groups(plan.val, val), *_never_asked(plan, folds)]
    _write_pictures(out / "val.json", val)
    digests = {"val": val_digest(plan.name, plan.rule, classes, folds, val)}
    sources = {"val": plan.val}
    if plan.train is not None:
        for note in plan.train.warnings:
            if note not in said:
                watch.note(note)
        train = plan.train.pictures(workers, watch)
        _note_unseen(plan.train, train, watch)
        _note_in_both(val, train, watch)
        _write_pictures(out / "train.json", train)
        left_out += _groups(plan.train, train)
        digests["train"] = train_digest(plan.name, plan.rule, classes, folds, train)
        sources["train"] = plan.train
    manifest = Manifest(
        format=FORMAT,
        name=plan.name,
        rule=plan.rule,
        digest=Digests(**digests),
        splits=OfSplits(**{key: source.split for key, source in sources.items()}),
        images=OfSplits(**{key: str(source.images.resolve()) for key, source in sources.items()}),
        classes={str(kind): found for kind, found in classes.items()},
        folds=folds,
        left_out=tuple(left_out),
    )
    if any(source.drawn for source in sources.values()):
        manifest = manifest.model_copy(update={"drawn": True})
    write_text(out / MANIFEST, manifest_text(manifest))
    return manifest


def _write_pictures(path: Path, pictures: Iterable[Picture]) -> None:
    write_text(path, pictures_text(picture.entry() for picture in pictures))


def _groups(source: Source, pictures: Sequence[Picture]) -> list[LeftOutGroup]:
    """What was passed over of a split, as the manifest has it."""
    return [
        LeftOutGroup(split=source.split, what=one.what, reason=one.reason, names=tuple(map(_name, one.names)))
        for one in source.passed_over(pictures)
    ]


def _name(given: object) -> str:
    return printable(str(given))


def _never_asked(plan: Plan, folds: Iterable[FoldEntry]) -> list[LeftOutGroup]:
    """The classes of every fold that no episode asks for."""
    names, found = class_names(plan.name), []
    for number, fold in enumerate(folds):
        asked = {kind for kind, _, _ in fold.episodes}
        few = tuple(names[kind] for kind in fold.test if kind not in asked)
        reason = f"of fold {number} that no episode asks for"
        found += [LeftOutGroup(split=plan.val.split, what="classes", reason=reason, names=few)] if few else []
    return found


def _note_unseen(source: Source, pictures: Sequence[Picture], watch: Watch) -> None:
    number = len(source.unseen(pictures))
    if number:
        watch.note(f"{source.split}: {number} classes that the lists name are in no mask, not asked")


def _note_in_both(val: Iterable[Picture], train: Iterable[Picture], watch: Watch) -> None:
    both = len({picture_key(found.name) for found in val} & {picture_key(found.name) for found in train})
    if both:
        watch.note(f"{both} pictures are both evaluated and trained on: fit for a trial, not for a result")


def _folds(plan: Plan, by_class: Mapping[int, Sequence[str]], watch: Watch) -> tuple[FoldEntry, ...]:
    """The folds with their episodes; notes which classes cannot be asked."""
    names, folds = class_names(plan.name), []
    for number, (test, train) in enumerate(fold_classes(plan.name, plan.folds)):
        asked = [kind for kind in test if len(by_class.get(kind, ())) >= 2]
        if len(asked) < len(test):
            few = ", ".join(names[kind] for kind in test if kind not in asked)
            watch.note(f"fold {number}: never asked, having fewer than 2 pictures in {plan.val.split}: {few}")
        episodes = tuple(draw(plan.name, number, asked, by_class, plan.options))
        folds.append(FoldEntry(test=tuple(test), train=tuple(train), episodes=episodes))
    if not any(fold.episodes for fold in folds):
        raise IcvosError(f"{plan.val.images}: no class has 2 pictures, so nothing can be asked; give more pictures")
    return tuple(folds)


def _require_place(out: Path) -> None:
    """Refuse a folder that holds something else than an image benchmark, or that cannot be written."""
    if out.exists() and not out.is_dir():
        raise IcvosError(f"{out}: is a file; choose another --out")
    if not is_empty(out, [*(out / name for name in FILES), *_unfinished(out)]):
        raise IcvosError(f"{out}: holds something that icvos episodes did not make; choose an empty or new folder")
    require_writable(out, folder=True)


def _claim(out: Path) -> None:
    """`_require_place`, then make ``out``."""
    _require_place(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise IcvosError(f"{out}: cannot be written ({error.strerror}); choose another --out") from error


def _unfinished(out: Path) -> list[Path]:
    """What builds that were killed left before temporaries said whose they are."""
    found = (path for name in FILES for path in out.glob(f".{name}.*"))
    return [path for path in found if not is_ours(path.name)]


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
        fold: The fold's number, which goes into the draws.
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
        drawn.append((kind, query, tuple(islice(cycle(supports), options.max_shots))))
    return drawn


def _first(seed: str, candidates: Sequence[C], number: int, key: Callable[[C], object] = str) -> list[C]:
    """The first of ``candidates`` in the order of this draw."""

    def rank(candidate: C) -> bytes:
        return hashlib.sha256(f"{seed}/{key(candidate)}".encode()).digest()

    return heapq.nsmallest(number, candidates, key=rank)


def val_digest(
    name: str, rule: str, classes: Mapping[int, str], folds: Iterable[FoldEntry], pictures: Iterable[Picture]
) -> str:
    """``sha256:...`` over the rule, the folds with their episodes, and the pictures of evaluation."""
    return _digest(name, rule, classes, [fold.to_json() for fold in folds], pictures)


def train_digest(
    name: str, rule: str, classes: Mapping[int, str], folds: Iterable[FoldEntry], pictures: Iterable[Picture]
) -> str:
    """``sha256:...`` over the rule, the classes of the folds, and the pictures to train on."""
    return _digest(name, rule, classes, [{"test": fold.test, "train": fold.train} for fold in folds], pictures)


def _digest(
    name: str, rule: str, classes: Mapping[int, str], folds: Sequence[Mapping[str, object]], pictures: Iterable[Picture]
) -> str:
    numbered = {str(kind): found for kind, found in classes.items()}
    head = {"format": FORMAT, "name": name, "rule": rule, "classes": numbered, "folds": folds}
    digest = hashlib.sha256(json.dumps(head, sort_keys=True).encode())
    for picture in pictures:
        digest.update(b"\n" + json.dumps(picture.entry().to_json(), sort_keys=True).encode())
    return f"sha256:{digest.hexdigest()}"
