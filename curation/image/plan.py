"""What an image benchmark is built from: its folds of classes, and the pictures of COCO or PASCAL that it takes."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

from curation.image.lists import Listing, read_listing
from curation.image.pictures import Source, from_annotations, from_class_pngs
from curation.sources.coco import Coco, Rule, class_pngs, find_coco, has_split
from curation.sources.pascal import OF_VAL, Pascal
from icvos.categories import COCO, PASCAL
from icvos.errors import IcvosError
from icvos.tasks.image.folds import OF_COCO, Folds, class_names

Name = Literal["coco-20i", "pascal-5i", "coco-to-pascal", "all-coco"]
MaskRule = Rule | Literal["png"]
RULES: dict[MaskRule, str] = {
    "painted": "one class a pixel, later instances over earlier ones, crowds left out",
    "union": "every instance of a class, crowds left out",
    "png": "PNGs of class numbers",
}
NO_TRAINING = "none"  # as a split to train on


@dataclass(frozen=True, slots=True)
class EpisodeOptions:
    """How many episodes are drawn.

    Args:
        episodes: How many each fold has.
        max_shots: Ranked supports of an episode; K shots take the first K.
    """

    episodes: int = 1000
    max_shots: int = 10

    def __post_init__(self) -> None:
        if min(self.episodes, self.max_shots) < 1:
            raise IcvosError(f"{self.episodes} episodes of {self.max_shots} supports; both must be 1 or more")


@dataclass(frozen=True, slots=True)
class Splits:
    """Which splits are read.

    Args:
        val: ``val2014`` and the like; None: the usual one, or the only one.
        train: The split to train on; None: the usual one; ``none``: the benchmark is for evaluation only.
        year: 2014 or 2017, where the folder of COCO has both.
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


def make_plan(
    name: Name,
    *,
    coco: Path | str | None = None,
    voc: Path | str | None = None,
    sbd: Path | str | None = None,
    lists: Path | str | None = None,
    rule: MaskRule = "painted",
    folds: Folds = "interleaved",
    splits: Splits | None = None,
    options: EpisodeOptions | None = None,
) -> Plan:
    """What `curation.image.build.build_episodes` would build; writes nothing. The arguments are the same.

    >>> make_plan("all-coco", coco="coco", splits=Splits(train="none")).rule
    'masks: one class a pixel, later instances over earlier ones, crowds left out; classes: of 2048 pixels and more'
    """
    splits = splits or Splits()
    if name not in get_args(Name):
        raise IcvosError(f"{name}: no such image benchmark; there is {', '.join(get_args(Name))}")
    unused = {"voc": voc, "sbd": sbd} if name in OF_COCO else {"coco": coco, "year": splits.year}
    for option, value in unused.items():
        if value is not None:
            raise IcvosError(f"{name} does not use --{option}; leave it out")
    published = None if lists is None else Path(lists)
    if name in OF_COCO:
        if coco is None:
            raise IcvosError(f"{name} is built from COCO; give --coco")
        return plan_coco(name, Path(coco), splits, rule, published, folds, options)
    if voc is None:
        raise IcvosError(f"{name} is built from PASCAL VOC 2012; give --voc")
    if name == "coco-to-pascal" and splits.train not in (None, NO_TRAINING):
        raise IcvosError("coco-to-pascal is for evaluation only; leave out --train-split")
    return plan_pascal(name, Path(voc), splits, None if sbd is None else Path(sbd), published, options)


def plan_coco(
    name: Name,
    root: Path,
    splits: Splits,
    rule: MaskRule = "painted",
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
        folds: How the classes of ``coco-20i`` are shared out.
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
        train = NO_TRAINING
    source = None
    if train != NO_TRAINING:
        source = _coco_source(place, train, rule, _listing(lists, "train", name))
    return Plan(name, _rule(RULES[rule], lists), val, source, folds, options or EpisodeOptions(), tuple(notes))


def _coco_source(place: Path, split: str | None, rule: MaskRule, listing: Listing | None) -> Source:
    if rule == "png":
        assert split is not None
        images, left_out = class_pngs(place, split)
        return from_class_pngs(split, images, len(COCO), listing, left_out)
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
    train = NO_TRAINING if name == "coco-to-pascal" else splits.train or pascal.training_split()
    source = None if train == NO_TRAINING else _pascal_source(pascal, train, _listing(lists, "train", name))
    rule = _rule(f"{RULES['png']}, borders ignored", lists)
    return Plan(name, rule, val, source, options=options or EpisodeOptions())


def _pascal_source(pascal: Pascal, split: str, listing: Listing | None) -> Source:
    images, left_out = pascal.pictures(split)
    source = from_class_pngs(split, images, len(PASCAL), listing, left_out)
    warnings = [f"{pascal.root}: left out: {group}" for group in left_out if group.reason != OF_VAL]
    return replace(source, warnings=(*warnings, *source.warnings))


def _listing(lists: Path | None, split: str, name: Name) -> Listing | None:
    return None if lists is None else read_listing(lists, split, len(class_names(name)))


def _rule(masks: str, lists: Path | None) -> str:
    return f"masks: {masks}; classes: {'of 2048 pixels and more' if lists is None else 'as published lists name them'}"
