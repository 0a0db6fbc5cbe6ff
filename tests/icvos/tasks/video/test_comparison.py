"""Two results side by side, on figures small enough to compute by hand, and by its properties."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from icvos.errors import IcvosError
from icvos.metrics.summary import bootstrap_interval, paired_bootstrap
from icvos.tasks.video import comparison
from icvos.tasks.video.result import VideoResult
from tests import Json


def result(clips: dict[str, float], *, protocol: str = "paper@1", digest: str | None = "sha256:0a0a0a0a") -> Json:
    """A result whose clips have these J, an F that is a tenth higher, and ten frames."""
    entries = {clip: {"j": j, "f": j + 0.1, "jf": j + 0.05, "frames": 10} for clip, j in clips.items()}
    overall = {"j": 0, "f": 0, "jf": 0, "clips": 1, "videos": 1, "frames": 1}
    return {"format": 1, "protocol": protocol, "digest": digest, "overall": overall, "clips": entries}


def compare(a: Json, b: Json, a_name: str, b_name: str) -> Json:
    """The comparison of two results given as JSON, as JSON."""
    first, second = (VideoResult.model_validate(one) for one in (a, b))
    return comparison.compare(first, second, a_name, b_name).to_json()


A = {"davis_cows/20": 0.8, "davis_dog/1": 0.3, "davis_dog/17": 0.5, "mose_x/1": 0.6}
B = {"davis_cows/20": 0.7, "davis_dog/1": 0.6, "davis_dog/17": 0.4, "mose_x/1": 0.5}
MORE = {"davis_owl/15": 0.5, "lvos_a/9": 0.5, "lvos_b/9": 0.5}  # with these there are six videos


def test_figures_by_hand() -> None:
    found = compare(result(A | MORE), result(B | MORE), "A", "B")
    assert (found["protocol"], found["digest"]) == ("paper@1", "sha256:0a0a0a0a")
    assert (found["clips"], found["videos"], found["only_a"], found["only_b"]) == (7, 6, [], [])
    for key, more in (("j", 0), ("f", 0.1), ("jf", 0.05)):
        pair = found["overall"][key]
        assert [pair["a"], pair["b"]] == pytest.approx([3.7 / 7 + more, 3.7 / 7 + more])
        assert pair["difference"] == pytest.approx(0, abs=1e-12)
        # a video weighs as much as it has clips: of cows, dog and mose_x the sums are 0.1, -0.2 and 0.1
        assert pair["interval"][0] == pytest.approx(-0.5 / 9)  # three dogs and one of the others
        assert pair["interval"][1] == pytest.approx(0.4 / 6)
        assert pair["verdict"] == "tied"
    assert list(found["categories"]) == ["person", "boat", "bird", "dog", "cow"]
    person = found["categories"]["person"]
    assert (person["class"], person["clips"]) == (1, 2)
    assert [person[key] for key in ("a", "b", "difference")] == pytest.approx([0.5, 0.6, -0.1])
    assert next(iter(found["by_clip"])) == "davis_dog/1"
    assert found["by_clip"]["davis_dog/1"] == pytest.approx({"a": 0.35, "b": 0.65, "difference": -0.3})
    apart = [abs(pair["difference"]) for pair in found["by_clip"].values()]
    assert apart == sorted(apart, reverse=True)


def test_probability_of_three_videos_by_hand() -> None:
    """Differences of 2, -1 and -1: the sign of each of the 27 ways to draw three, those that sum to 0 counted half."""
    values = np.array([[2.0], [-1.0], [-1.0]])
    sums = [sum(values[[i, j, k], 0]) for i in range(3) for j in range(3) for k in range(3)]
    wanted = np.mean([1.0 if total > 0 else 0.5 if total == 0 else 0.0 for total in sums])
    low, high, probability = paired_bootstrap(values, ["a", "b", "c"])
    assert probability[0] == pytest.approx(wanted, abs=0.02)
    assert (low[0], high[0]) == (-1, 2)


def test_a_clear_difference_is_no_tie() -> None:
    clips = {f"davis_{k}/17": 0.2 + 0.02 * k for k in range(30)}
    better = {clip: j + 0.05 + 0.002 * k for k, (clip, j) in enumerate(clips.items())}
    found = compare(result(better), result(clips), "A", "B")["overall"]["jf"]
    assert (found["verdict"], found["probability"]) == ("a is better", 1)
    assert 0.05 < found["interval"][0] < found["difference"] < found["interval"][1] < 0.11
    # unpaired, the two overlap: what is hard for both does not cancel out
    intervals = [bootstrap_interval(np.array(list(one.values()))[:, None], list(one)) for one in (clips, better)]
    assert intervals[0][1][0] > intervals[1][0][0]


@pytest.mark.parametrize("videos", [1, 5, 6])
def test_fewer_than_six_videos_say_nothing(videos: int) -> None:
    a, b = ({f"davis_{k}/{kind}": j for k in range(videos) for kind in (1, 17)} for j in (0.6, 0.4))
    for pair in compare(result(a), result(b), "A", "B")["overall"].values():
        found = pair["interval"], pair["probability"], pair["verdict"]
        if videos < 6:
            assert found == (None, None, "unknown")
        else:
            assert found == (pytest.approx([0.2, 0.2]), 1, "a is better")


FRACTIONS = st.floats(0, 0.9)
PAIRS = st.dictionaries(
    st.tuples(st.sampled_from("abcdefghi"), st.integers(1, 80)),
    st.tuples(FRACTIONS, FRACTIONS),
    min_size=1,
    max_size=15,
)


@given(PAIRS)
def test_identical_runs_are_tied(pairs: dict[tuple[str, int], tuple[float, float]]) -> None:
    one = result({f"{video}/{kind}": j for (video, kind), (j, _) in pairs.items()})
    found = compare(one, one, "A", "B")
    alone = found["videos"] < 6
    for pair in found["overall"].values():
        assert pair["a"] == pair["b"]
        assert pair["difference"] == 0
        assert pair["interval"] == (None if alone else [0, 0])
        assert pair["probability"] == (None if alone else 0.5)
        assert pair["verdict"] == ("unknown" if alone else "tied")
    assert all(pair["difference"] == 0 for pair in found["categories"].values())
    assert all(pair["difference"] == 0 for pair in found["by_clip"].values())


@given(PAIRS)
def test_swapping_the_runs_negates(pairs: dict[tuple[str, int], tuple[float, float]]) -> None:
    a, b = (result({f"{v}/{kind}": js[side] for (v, kind), js in pairs.items()}) for side in (0, 1))
    there, back = compare(a, b, "A", "B"), compare(b, a, "B", "A")
    swapped = {"a is better": "b is better", "b is better": "a is better"}
    for key, pair in there["overall"].items():
        other = back["overall"][key]
        assert (pair["a"], pair["b"], pair["difference"]) == (other["b"], other["a"], -other["difference"])
        assert other["verdict"] == swapped.get(pair["verdict"], pair["verdict"])
        if pair["interval"]:
            assert pair["interval"] == pytest.approx([-bound for bound in reversed(other["interval"])], abs=1e-12)
            assert pair["probability"] == pytest.approx(1 - other["probability"], abs=1e-12)
    assert list(there["by_clip"]) == list(back["by_clip"])
    assert [p["difference"] for p in there["categories"].values()] == [
        -p["difference"] for p in back["categories"].values()
    ]


@given(PAIRS, st.randoms())
def test_the_order_of_clips_does_not_matter(pairs: dict[tuple[str, int], tuple[float, float]], random: Any) -> None:
    a, b = (result({f"{v}/{kind}": js[side] for (v, kind), js in pairs.items()}) for side in (0, 1))
    shuffled = list(b["clips"].items())
    random.shuffle(shuffled)
    assert compare(a, b, "A", "B") == compare(a, {**b, "clips": dict(shuffled)}, "A", "B")


def test_only_common_clips_are_compared() -> None:
    a, b = result({**A, "davis_only/2": 0.9, "davis_only/10": 0.9}), result({**B, "z/1": 0.1})
    found = compare(a, b, "A", "B")
    assert found["only_a"] == ["davis_only/2", "davis_only/10"]
    assert found["only_b"] == ["z/1"]
    assert found["overall"] == compare(result(A), result(B), "A", "B")["overall"]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (result(B, protocol="native@1"), r"^b\.json: scored under native@1, a\.json under paper@1; score both"),
        (
            result(B, digest="sha256:0b0b0b0b"),
            r"^b\.json: scored against another build .*sha256:0b0b0b0b.*sha256:0a0a0a0a.*; score both",
        ),
        (result(B, digest=None), r"^b\.json: scored against another build .*without a digest"),
        (result({"z/1": 0.5}), r"^b\.json: has no clip in common with a\.json; score both on the same clips$"),
        ({**result(B), "clips": {}}, "no clip in common"),
        (
            {**result(B), "clips": {"mose_x/1": {"j": 1, "f": 1, "jf": 1, "frames": 9}}},
            r"^b\.json: 9 frames of mose_x/1, a\.json has 10; score both",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(other: Json, message: str) -> None:
    with pytest.raises(IcvosError, match=message) as caught:
        compare(result(A), other, "a.json", "b.json")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("clip", ["davis_dog/99", "davis_dog"])
def test_a_clip_without_a_class_is_refused(clip: str) -> None:
    with pytest.raises(IcvosError, match=rf"^a\.json: clip {clip}: .*; score the predictions again$"):
        compare(result({clip: 0.5}), result({clip: 0.5}), "a.json", "b.json")
