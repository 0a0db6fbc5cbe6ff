"""What an image benchmark is made of: its folds of classes, and the pictures of COCO or PASCAL that it takes."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from curation.image.lists import Listing, read_listing
from curation.image.pictures import Source, from_annotations, from_class_pngs
from curation.sources.coco import Coco, Rule, class_pngs, find_coco, has_split
from curation.sources.pascal import Pascal
from icvos.categories import COCO, PASCAL

Name = Literal["coco-20i", "pascal-5i", "coco-to-pascal", "all-coco"]
Folds = Literal["interleaved", "contiguous"]
OF_COCO: tuple[Name, ...] = ("coco-20i", "all-coco")
RULES = {
    "painted": "one class a pixel, later instances over earlier ones, crowds left out",
    "union": "every instance of a class, crowds left out",
    "png": "PNGs of class numbers",
}
NOT = "none"  # as a split to train on


@dataclass(frozen=True, slots=True)
class EpisodeOptions:
    """How many episodes are drawn.

    Args:
        episodes: Of every fold.
        max_shots: Ranked supports of an episode; K shots take the first K.
    """

    episodes: int = 1000
    max_shots: int = 10


@dataclass(frozen=True, slots=True)
class Splits:
    """Which splits are read.

    Args:
        val: ``val2014`` and the like; None: the usual one, or the only one.
        train: The same; ``none``: the benchmark is for evaluation only.
        year: Of COCO, where it has two: 2014 or 2017.
    """

    val: str | None = None
    train: str | None = None
    year: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """All that an image benchmark depends on.

    Args:
        name: Which benchmark.
        rule: How masks were made and classes were listed, in words.
        val: The pictures of evaluation.
        train: The pictures to train on; None: a benchmark for evaluation only.
        folds: COCO-20i only: a fold tests every fourth class, or 20 in a row.
        options: How many episodes.
        notes: What was decided for want of data, one line each.
    """

    name: Name
    rule: str
    val: Source
    train: Source | None = None
    folds: Folds = "interleaved"
    options: EpisodeOptions = EpisodeOptions()
    notes: tuple[str, ...] = ()


def class_names(name: str) -> dict[int, str]:
    """Class number -> name: COCO's 80, or PASCAL's 20 where the pictures are PASCAL's."""
    return {found.index: found.name for found in (COCO if name in OF_COCO else PASCAL)}


def fold_classes(name: str, folds: Folds = "interleaved") -> list[tuple[list[int], list[int]]]:
    """(classes to test, classes to train on) of every fold.

    >>> fold_classes("pascal-5i")[1][0], fold_classes("coco-to-pascal")[1]
    ([6, 7, 8, 9, 10], ([2, 6, 13, 18], []))
    """
    if name == "all-coco":
        every = [found.index for found in COCO]
        return [(every, every)]
    if name == "coco-20i" and folds == "interleaved":
        fold_of = {found.index: found.fold_interleaved for found in COCO}
    elif name == "coco-20i":
        fold_of = {found.index: found.fold_contiguous for found in COCO}
    elif name == "pascal-5i":
        fold_of = {found.index: found.fold for found in PASCAL}
    else:
        fold_of = {found.index: found.fold_domain_shift for found in PASCAL}
    tests = [[kind for kind in fold_of if fold_of[kind] == fold] for fold in range(4)]
    if name == "coco-to-pascal":
        return [(test, []) for test in tests]
    return [(test, [kind for kind in fold_of if kind not in test]) for test in tests]


def plan_coco(
    name: Name,
    root: Path,
    splits: Splits,
    rule: Rule | Literal["png"] = "painted",
    lists: Path | None = None,
    folds: Folds = "interleaved",
    options: EpisodeOptions | None = None,
) -> Plan:
    """A benchmark of COCO's pictures; without the training split on disk it is for evaluation only, with a note.

    Args:
        name: ``coco-20i`` or ``all-coco``.
        root: The folder of COCO.
        splits: Which ones.
        rule: How overlapping objects become one mask a class; ``png``: take the published PNGs of class numbers.
        lists: The folder of published lists; None: classes of at least 2048 pixels.
        folds: Of ``coco-20i``.
        options: How many episodes.
    """
    place = find_coco(root)
    notes = []
    wanted = splits.val or (f"val{splits.year}" if splits.year else None)
    if rule == "png":
        wanted = wanted or "val2014"
    val = _coco_source(place, wanted, rule, _listing(lists, "val", name))
    train = splits.train or val.split.replace("val", "train")
    if splits.train is None and (train == val.split or not has_split(place, train, png=rule == "png")):
        notes.append(f"{place}: no annotations and images of a training split, so this is for evaluation only")
        train = NOT
    source = None
    if train != NOT:
        source = _coco_source(place, train, rule, _listing(lists, "train", name))
    return Plan(name, _rule(RULES[rule], lists), val, source, folds, options or EpisodeOptions(), tuple(notes))


def _coco_source(place: Path, split: str | None, rule: Rule | Literal["png"], listing: Listing | None) -> Source:
    if rule == "png":
        assert split is not None
        return from_class_pngs(split, class_pngs(place, split), len(COCO), listing)
    return from_annotations(Coco.open(place, split), rule, listing)


def plan_pascal(
    name: Name,
    voc: Path,
    splits: Splits,
    sbd: Path | None = None,
    lists: Path | None = None,
    options: EpisodeOptions | None = None,
) -> Plan:
    """A benchmark of PASCAL's pictures: ``val`` is VOC 2012's, and the training split the largest that is there.

    Args:
        name: ``pascal-5i`` or ``coco-to-pascal``, which nothing trains on.
        voc: The folder of VOC 2012.
        splits: Which ones, in the words of `curation.sources.pascal.Pascal.stems`.
        sbd: The folder of SBD.
        lists: The folder of published lists; None: classes of at least 2048 pixels.
        options: How many episodes.
    """
    pascal = Pascal.open(voc, sbd)
    val = _pascal_source(pascal, splits.val or "val", _listing(lists, "val", name))
    train = NOT if name == "coco-to-pascal" else splits.train or pascal.training_split()
    source = None if train == NOT else _pascal_source(pascal, train, _listing(lists, "train", name))
    rule = _rule(f"{RULES['png']}, borders ignored", lists)
    return Plan(name, rule, val, source, options=options or EpisodeOptions())


def _pascal_source(pascal: Pascal, split: str, listing: Listing | None) -> Source:
    images, warnings = pascal.pictures(split)
    source = from_class_pngs(split, images, len(PASCAL), listing)
    return replace(source, warnings=(*warnings, *source.warnings))


def _listing(lists: Path | None, split: str, name: Name) -> Listing | None:
    return None if lists is None else read_listing(lists, split, len(class_names(name)))


def _rule(masks: str, lists: Path | None) -> str:
    return f"masks: {masks}; classes: {'of 2048 pixels and more' if lists is None else 'as published lists name them'}"
