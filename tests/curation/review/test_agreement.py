"""Agreement of two reviewers: kappas as scikit-learn computes them, and what counts as an answer."""

import json
from pathlib import Path

import numpy as np
import pytest

from curation.review.agreement import Agreement, Answers, agreement, compare
from curation.review.events import of_video
from curation.video.rows import CurationRow, write_rows
from tests.conftest import icvos
from tests.curation.review.test_ledger import row

INCOMPLETE = "not every instance is annotated in the first frame"


def two_reviewers(videos: int, seed: int) -> tuple[list[CurationRow], list[CurationRow]]:
    """Two simulated reviewers: the second takes another class, rejects or does not see one is missing, at random."""
    draw = np.random.default_rng(seed)
    kinds = ["person", "dog", "car", "bird"]
    first, second = [], []
    for number in range(videos):
        kind = kinds[draw.integers(4)]
        reason = INCOMPLETE if draw.random() < 0.3 else ""
        mine = row(kind, [1, 2], "rejected" if reason else "accepted", video=f"v{number}", reason=reason, who="anna")
        other = kinds[draw.integers(4)] if draw.random() < 0.2 else kind
        changed = draw.random() < 0.15
        theirs = row(
            other,
            [1, 2],
            "accepted" if bool(reason) == changed else "rejected",
            video=f"v{number}",
            reason="" if bool(reason) == changed else INCOMPLETE,
            who="ben",
        )
        first.append(mine)
        second.append(theirs)
    return first, second


@pytest.mark.parametrize("seed", range(3))
def test_kappas_are_those_of_scikit_learn(seed: int) -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed: pip install scikit-learn")
    first, second = two_reviewers(150, seed)
    found = compare(of_video(first), of_video(second))
    names = [[each.category.name for each in rows if each.category for _ in each.objects] for rows in (first, second)]
    right = metrics.cohen_kappa_score(*names)
    assert found.questions["category"].kappa == pytest.approx(right)
    assert found.questions["category"].items == 300
    agreed = [(one, other) for one, other in zip(first, second, strict=True) if one.category == other.category]
    for question in ("kept", "complete"):
        right = metrics.cohen_kappa_score(*([each.decision for each in rows] for rows in zip(*agreed, strict=True)))
        assert found.questions[question].kappa == pytest.approx(right)
        assert found.questions[question].items == len(agreed)
    for kind, one in found.categories.items():
        yes = [[name == kind for name in said] for said in names]
        assert one.kappa == pytest.approx(metrics.cohen_kappa_score(*yes))
    assert len(found.disputes) == sum(
        (one.category, one.decision) != (other.category, other.decision)
        for one, other in zip(first, second, strict=True)
    )


def test_a_kappa_by_hand() -> None:
    # 35 of 50 agree; by chance 0.5: the example of 25 and 30 yes in 50 proposals
    answers = [("yes", "yes")] * 20 + [("yes", "no")] * 5 + [("no", "yes")] * 10 + [("no", "no")] * 15
    found = agreement(Answers(tuple(range(50)), *(tuple(said) for said in zip(*answers, strict=True))))
    assert found.kappa == pytest.approx(0.4)
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0.4 < found.high


def test_the_interval_counts_videos_and_not_objects() -> None:
    answers = [("dog", "dog")] * 8 + [("dog", "cat")] * 4 + [("cat", "cat")] * 8
    one, other = (tuple(said) for said in zip(*answers, strict=True))
    alone = agreement(Answers(tuple(range(20)), one, other))
    four_each = agreement(
        Answers(
            tuple(number // 4 for number in range(80)),
            sum(((a,) * 4 for a in one), ()),
            sum(((b,) * 4 for b in other), ()),
        )
    )
    assert (four_each.kappa, four_each.low, four_each.high) == pytest.approx((alone.kappa, alone.low, alone.high))


def test_few_videos_have_no_interval() -> None:
    def of(videos: int) -> Agreement:
        one = ("dog", "cat", *["dog"] * (videos - 2))
        return agreement(Answers(tuple(range(videos)), one, one))

    assert (of(5).kappa, of(5).low, of(5).high) == (1, None, None)
    assert of(6).low is not None


def test_one_answer_throughout_has_no_kappa() -> None:
    found = agreement(Answers((0, 1), ("dog", "dog"), ("dog", "dog")))
    assert (found.same, found.kappa, found.low) == (2, None, None)
    assert agreement(Answers((), (), ())).items == 0


def test_only_what_both_decided_is_compared() -> None:
    first = [row("dog", [1], video="a", who="anna"), row("cat", [1], video="b", who="anna")]
    open_row = row("", [1], "undecided", video="b")
    unsure = row("dog", [1], "undecided", video="a", who="ben")
    found = compare(of_video(first), of_video([unsure, open_row, row("cat", [2], video="c", who="ben")]))
    assert (found.videos, found.alone) == (1, (1, 1))
    assert (found.questions["category"].items, found.questions["kept"].items) == (1, 0)
    assert [(one.key, one.second) for one in found.disputes] == [(("mose", "a"), "dog 1 undecided")]


def test_another_reason_is_no_answer_to_whether_it_is_complete() -> None:
    first = {("mose", "a"): [row("dog", [1], "rejected", reason="blurred"), row("cat", [2], who="anna")]}
    second = {
        ("mose", "a"): [row("dog", [1], who="ben"), row("cat", [2], "rejected", reason=f"{INCOMPLETE}: one more")]
    }
    found = compare(first, second)
    assert (found.questions["complete"].items, found.questions["complete"].same) == (1, 0)
    assert found.questions["kept"].items == 2


def test_the_command_compares_two_files(tmp_path: Path) -> None:
    first, second = two_reviewers(40, 0)
    write_rows(tmp_path / "a.csv", first)
    write_rows(tmp_path / "b.csv", second)
    text = icvos("curate", "agree", tmp_path / "a.csv", tmp_path / "b.csv", "--json", tmp_path / "out.json").output
    found = json.loads((tmp_path / "out.json").read_text())
    assert found["reviewers"] == ["a.csv", "b.csv"]
    assert (
        found["questions"]["category"]["kappa"]
        == compare(of_video(first), of_video(second)).questions["category"].kappa
    )
    assert f"{found['questions']['category']['kappa']:.3f}" in text
    assert "mose/v" in text
    printed = icvos("curate", "agree", tmp_path / "a.csv", tmp_path / "b.csv", "--json", "-").stdout
    assert json.loads(printed) == found


def test_the_command_compares_the_reviewers_in_the_log_of_one_file(tmp_path: Path) -> None:
    from curation.review.ledger import Ledger

    ledger = Ledger(tmp_path / "rows.csv")
    ledger.decide("decide", "anna", [row("dog", [1])])
    lines = icvos("curate", "agree", tmp_path / "rows.csv", status=2).output
    assert "only anna has decided" in lines
    ledger.decide("decide", "ben", [row("cat", [1])])
    ledger.decide("again", "ben", [row("cat", [1])])
    text = icvos("curate", "agree", tmp_path / "rows.csv").output
    assert "dog 1 accepted" in text
    assert "ben decided 1 of 1" in text
