"""How far two people who curated the same videos agree: which category, kept or not, complete or not."""

import importlib.metadata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from curation.review.events import Key, judgement
from curation.review.standing import in_words
from curation.video.rows import CurationRow
from icvos.tasks.result import FEWEST

INCOMPLETE = "not every instance is annotated"  # how the reason of a row begins that is rejected for that
NO_CLASS = "no class"
ROUNDS, SEED = 2000, 0  # of the bootstrap
LEVEL = 0.95
Videos = Mapping[Key, Sequence[CurationRow]]


@dataclass(frozen=True, slots=True)
class Answers:
    """What two people answered to one question, item by item.

    Args:
        videos: The video of each item, as a number.
        first: The answer of one.
        second: The answer of the other.
    """

    videos: tuple[int, ...]
    first: tuple[str, ...]
    second: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two people agree on one question.

    Args:
        items: How many answers are compared.
        same: How many of them are the same.
        kappa: Cohen's kappa, -1 to 1; None where both gave one and the same answer throughout, or there is no item.
        low, high: The ends of its 95% interval, by a bootstrap over videos; None where kappa is, or with fewer than
            `icvos.tasks.result.FEWEST` videos.
    """

    items: int
    same: int
    kappa: float | None
    low: float | None
    high: float | None

    def to_json(self) -> dict[str, Any]:
        """Its figures by name."""
        return {"items": self.items, "same": self.same, "kappa": self.kappa, "interval": [self.low, self.high]}


@dataclass(frozen=True, slots=True)
class Dispute:
    """A video of which two people say different things."""

    key: Key
    first: str
    second: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two people's decisions, compared.

    Args:
        names: Who they are.
        videos: How many videos both decided.
        alone: How many videos only the first, and only the second decided.
        questions: The agreement on each question.
        categories: Of each category, whether objects are of it: the agreement of yes and no over all objects.
        disputes: The videos on which they differ, in order.
    """

    names: tuple[str, str]
    videos: int
    alone: tuple[int, int]
    questions: dict[str, Agreement]
    categories: dict[str, Agreement]
    disputes: tuple[Dispute, ...]

    def to_json(self) -> dict[str, Any]:
        """Everything, for a file."""
        return {
            "icvos": importlib.metadata.version("icvos"),
            "reviewers": list(self.names),
            "videos": self.videos,
            "only_first": self.alone[0],
            "only_second": self.alone[1],
            "questions": {name: found.to_json() for name, found in self.questions.items()},
            "categories": {name: found.to_json() for name, found in self.categories.items()},
            "disputes": [
                {"source": one.key[0], "video": one.key[1], "first": one.first, "second": one.second}
                for one in self.disputes
            ],
        }


def compare(first: Videos, second: Videos, names: tuple[str, str] = ("first", "second")) -> Comparison:
    """Compare two people's rows of the videos that both decided.

    Three questions are asked. *category*: which class is each object of, or none; an item is an object that is in the
    rows of both. *kept*: is a class of a video accepted or not; an item is a class that both name, undecided rows left
    out. *complete*: is every instance of it annotated; an item is a class that both answered this of: a row that is
    accepted says yes, one that is rejected for it says no, and other rows say nothing.

    Args:
        first: The rows of one, by video; videos with nothing but open rows count as not decided.
        second: The rows of the other.
        names: Who they are.

    >>> from curation.video.rows import CurationRow
    >>> from icvos.categories import category
    >>> dog = CurationRow(source="mose", video="a", category=category("dog"), objects=(1, 2), decision="accepted")
    >>> found = compare({("mose", "a"): [dog]}, {("mose", "a"): [dog.model_copy(update={"decision": "rejected"})]})
    >>> found.questions["category"].same, found.questions["kept"].same, len(found.disputes)
    (2, 0, 1)
    """
    one, other = decided(first), decided(second)
    both = sorted(one.keys() & other.keys())
    category = _answers([_objects(one[key]) for key in both], [_objects(other[key]) for key in both])
    kept = _answers([_kept(one[key]) for key in both], [_kept(other[key]) for key in both])
    complete = _answers([_complete(one[key]) for key in both], [_complete(other[key]) for key in both])
    kinds = sorted({*category.first, *category.second} - {NO_CLASS})
    disputes = [
        Dispute(key, in_words(one[key]), in_words(other[key]))
        for key in both
        if judgement(one[key]) != judgement(other[key])
    ]
    return Comparison(
        names,
        len(both),
        (len(one.keys() - other.keys()), len(other.keys() - one.keys())),
        {"category": agreement(category), "kept": agreement(kept), "complete": agreement(complete)},
        {kind: agreement(_yes_or_no(category, kind)) for kind in kinds},
        tuple(disputes),
    )


def decided(videos: Videos) -> dict[Key, Sequence[CurationRow]]:
    """The videos that somebody looked at: of which a row is decided, or undecided by somebody with a name."""
    return {
        key: rows for key, rows in videos.items() if any(row.decision != "undecided" or row.who for row in rows)
    }  # fmt: skip


def _objects(rows: Sequence[CurationRow]) -> dict[object, str]:
    return {number: row.category.name if row.category else NO_CLASS for row in rows for number in row.objects}


def _kept(rows: Sequence[CurationRow]) -> dict[object, str]:
    return {row.key[2]: row.decision for row in rows if row.category and row.decision != "undecided"}


def _complete(rows: Sequence[CurationRow]) -> dict[object, str]:
    found: dict[object, str] = {}
    for row in rows:
        if row.category and row.decision == "accepted":
            found[row.key[2]] = "complete"
        elif row.category and row.decision == "rejected" and row.reason.startswith(INCOMPLETE):
            found[row.key[2]] = "incomplete"
    return found


def _answers(first: Sequence[Mapping[object, str]], second: Sequence[Mapping[object, str]]) -> Answers:
    """The items that both answered, video by video."""
    items = [
        (number, one[item], other[item])
        for number, (one, other) in enumerate(zip(first, second, strict=True))
        for item in one
        if item in other
    ]
    return Answers(tuple(item[0] for item in items), tuple(item[1] for item in items), tuple(item[2] for item in items))


def _yes_or_no(answers: Answers, kind: str) -> Answers:
    first, second = (tuple(str(one == kind) for one in said) for said in (answers.first, answers.second))
    return Answers(answers.videos, first, second)


def agreement(answers: Answers, rounds: int = ROUNDS, seed: int = SEED) -> Agreement:
    """Cohen's kappa of two people's answers, with its interval by a bootstrap over videos.

    Videos are drawn and not items: what is decided of two objects of a video is not independent.

    >>> agreement(Answers((0, 1, 2, 3), ("dog", "dog", "cat", "cat"), ("dog", "cat", "cat", "cat"))).kappa
    0.5
    """
    labels = sorted({*answers.first, *answers.second})
    place = {label: number for number, label in enumerate(labels)}
    one = np.array([place[label] for label in answers.first], dtype=int)
    other = np.array([place[label] for label in answers.second], dtype=int)
    same = int((one == other).sum())
    kappa = _kappa(one, other, np.ones(len(one)), len(labels))
    videos = np.array(answers.videos, dtype=int)
    names, owner = np.unique(videos, return_inverse=True)
    if kappa is None or len(names) < FEWEST:
        return Agreement(len(one), same, kappa, None, None)
    generator = np.random.default_rng(seed)
    draws = generator.multinomial(len(names), np.full(len(names), 1 / len(names)), size=rounds)
    found = [_kappa(one, other, draw[owner].astype(float), len(labels)) for draw in draws]
    values = np.array([value for value in found if value is not None])
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Agreement(len(one), same, kappa, float(low), float(high))


def _kappa(one: np.ndarray, other: np.ndarray, weights: np.ndarray, labels: int) -> float | None:
    """Cohen's kappa of weighted pairs of label numbers; None where chance alone explains full agreement."""
    total = weights.sum()
    if not total:
        return None
    by_chance = np.bincount(one, weights, labels) @ np.bincount(other, weights, labels) / total**2
    if by_chance >= 1:
        return None
    observed = weights[one == other].sum() / total
    return float((observed - by_chance) / (1 - by_chance))
