"""Where a run is good and where it fails, on values small enough to compute by hand."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from icvos.files.masks import read_binary, resize_nearest
from icvos.protocol import NATIVE, PAPER, Protocol
from icvos.tasks.video import analysis
from icvos.tasks.video.analysis import AREA_NAMES, INSTANCE_NAMES, LENGTH_NAMES, absences
from icvos.tasks.video.benchmark import Benchmark
from icvos.tasks.video.result import Clip
from icvos.tasks.video.score import score
from tests import Json
from tests.icvos.handmade import write_benchmark, write_predictions


def analyse(clips: Json, ceiling: Json | None = None) -> Json:
    """The analysis of clips given as the JSON of a result has them, as JSON."""
    read, highest = (
        None if given is None else {key: Clip.model_validate(clip) for key, clip in given.items()}
        for given in (clips, ceiling)
    )
    assert read is not None
    return analysis.analyse(read, highest).to_json()


def clip_facts(areas: np.ndarray, values: np.ndarray) -> Json:
    """The facts of a clip as JSON."""
    found = analysis.clip_facts(areas, values)
    return {key: value.to_json() if hasattr(value, "to_json") else value for key, value in found.items()}


def near(j: float, f: float) -> Any:
    return pytest.approx({"j": j, "f": f, "jf": (j + f) / 2}, rel=0, abs=1e-12)


def figures_of(group: Json) -> dict[str, float]:
    return {key: group[key] for key in ("j", "f", "jf")}


# seen, seen, gone, gone, back, gone, back, back
AREAS = np.array([0.02, 0.03, 0, 0, 0.01, 0, 0.05, 0.05])
J = np.array([0.9, 0.7, 1.0, 0.0, 0.2, 1.0, 0.6, 0.8])
F = np.array([0.8, 0.6, 1.0, 0.0, 0.4, 1.0, 0.5, 0.7])


def test_facts_of_a_clip_by_hand() -> None:
    facts = clip_facts(AREAS, np.array([[J], [F]]))
    assert facts["area"] == 0.02
    assert facts["first"] == near(0.9, 0.8)
    assert facts["after"] == near(4.3 / 7, 4.2 / 7)
    gone, back = facts["disappearance"], facts["reappearance"]
    assert figures_of(gone) == near((0.5 + 1) / 2, (0.5 + 1) / 2)  # two runs of the same weight, of 2 frames and of 1
    assert (gone["runs"], gone["frames"]) == (2, 3)
    assert figures_of(back) == near((0.2 + 0.7) / 2, (0.4 + 0.6) / 2)
    assert (back["runs"], back["frames"]) == (2, 3)


def test_facts_are_means_over_draws() -> None:
    facts = clip_facts(AREAS, np.array([[J, np.zeros(8)], [F, np.ones(8)]]))
    assert facts["first"] == near(0.45, 0.9)
    assert facts["after"] == near(2.15 / 7, 5.6 / 7)
    assert figures_of(facts["reappearance"]) == near(0.225, 0.75)


def test_a_late_category_is_neither_gone_nor_back_before_it_was_seen() -> None:
    facts = clip_facts(np.array([0, 0, 0.5, 0.4]), np.array([[[1, 0, 0.5, 0.3]], [[1, 0, 0.7, 0.1]]]))
    assert (facts["area"], facts["disappearance"], facts["reappearance"]) == (0.5, None, None)
    assert (facts["first"], facts["after"]) == (near(0.5, 0.7), near(0.3, 0.1))


@pytest.mark.parametrize(
    ("areas", "missing"),
    [
        ([0.1], {"after", "disappearance", "reappearance"}),
        ([0, 0, 0], {"area", "first", "after", "disappearance", "reappearance"}),
        ([0.1, 0], {"reappearance"}),
        ([0.1, 0.1], {"disappearance", "reappearance"}),
    ],
)
def test_what_a_clip_does_not_have_is_none(areas: list[float], missing: set[str]) -> None:
    facts = clip_facts(np.array(areas), np.full((2, 1, len(areas)), 0.5))
    assert {key for key, value in facts.items() if value is None} == missing


@given(st.lists(st.booleans(), min_size=1, max_size=40))
def test_absences_against_one_frame_at_a_time(visible: list[bool]) -> None:
    gone, back = absences(np.array(visible))
    seen = absent_before = False
    wanted_gone, wanted_back = [], []
    for frame, shown in enumerate(visible):
        if shown:
            seen = True
            if absent_before:
                wanted_back.append(frame)
        elif seen:
            absent_before = True
            wanted_gone.append(frame)
    assert [frame for run in gone for frame in range(run.start, run.stop)] == wanted_gone
    assert [frame for run in back for frame in range(run.start, run.stop)] == wanted_back
    for runs in (gone, back):
        assert all(one.stop < other.start for one, other in pairwise(runs))


def pair(j: float, f: float) -> dict[str, float]:
    return {"j": j, "f": f, "jf": (j + f) / 2}


def entry(j: float, f: float, **given: Any) -> Json:
    """A clip of a result in which nothing is missing for an analysis."""
    facts = {"frames": 10, "area": 0.02, "instances": 1, "disappearance": None, "reappearance": None}
    figures = pair(j, f)
    return {**figures, **facts, "first": figures, "after": figures, **given}


@pytest.mark.parametrize(
    ("frames", "name"),
    [(1, 0), (49, 0), (50, 1), (99, 1), (100, 2), (199, 2), (200, 3), (399, 3), (400, 4), (9000, 4)],
)
def test_length_bins(frames: int, name: int) -> None:
    assert list(analyse({"a/1": entry(0.5, 0.5, frames=frames)})["length"]) == [LENGTH_NAMES[name]]


@pytest.mark.parametrize(
    ("area", "name"),
    [(1e-6, 0), (0.0024, 0), (0.0025, 1), (0.0099, 1), (0.01, 2), (0.04, 3), (0.1599, 3), (0.16, 4), (1, 4), (None, 5)],
)
def test_area_bins(area: float | None, name: int) -> None:
    assert list(analyse({"a/1": entry(0.5, 0.5, area=area)})["area"]) == [AREA_NAMES[name]]


@pytest.mark.parametrize(("instances", "name"), [(1, 0), (2, 1), (3, 2), (12, 2), (None, 3)])
def test_instance_bins(instances: int | None, name: int) -> None:
    assert list(analyse({"a/1": entry(0.5, 0.5, instances=instances)})["instances"]) == [INSTANCE_NAMES[name]]


def test_names_say_their_edges() -> None:
    assert " | ".join(LENGTH_NAMES) == (
        "under 50 frames | 50-99 frames | 100-199 frames | 200-399 frames | 400 frames and more"
    )
    assert " | ".join(AREA_NAMES) == "under 0.25 % | 0.25-1 % | 1-4 % | 4-16 % | 16 % and more | never shown"
    assert " | ".join(INSTANCE_NAMES) == "1 | 2 | 3 and more | unknown"


def test_groups_are_plain_means_over_clips() -> None:
    gone = {"j": 0.2, "f": 0.4, "jf": 0.3, "runs": 3, "frames": 7}
    clips = {
        "a/1": entry(0.2, 0.4, frames=300, first=pair(0.8, 0.9), after=pair(0.1, 0.3), disappearance=gone),
        "b/1": entry(0.6, 0.8, frames=20, after=None),
        "c/1": entry(0.4, 0.6, frames=30, disappearance={**gone, **pair(1.0, 1.0), "runs": 1, "frames": 2}),
    }
    found = analyse(clips)
    assert list(found["length"]) == ["under 50 frames", "200-399 frames"]
    short = found["length"]["under 50 frames"]
    assert (figures_of(short), short["clips"], short["frames"]) == (near(0.5, 0.7), 2, 50)
    assert figures_of(found["disappearance"]) == near(0.6, 0.7)
    assert [found["disappearance"][key] for key in ("clips", "runs", "frames")] == [2, 4, 9]
    assert found["reappearance"] is None
    propagation = found["propagation"]
    assert propagation["clips"] == 2  # not b, which has no frame after the first
    assert propagation["first"] == near(0.6, 0.75)
    assert propagation["after"] == near(0.25, 0.45)
    assert propagation["drop"] == near(0.35, 0.3)
    assert "ceiling" not in found


def test_share_of_the_ceiling_is_over_the_clips_of_both() -> None:
    clips = {"a/1": entry(0.2, 0.4), "b/1": entry(0.6, 0.6, frames=80), "c/1": entry(0.9, 0.9, frames=500)}
    found = analyse(clips, {"a/1": entry(0.5, 0.5), "b/1": entry(1, 1), "d/1": entry(0, 0)})
    assert found["ceiling"]["clips"] == 2
    assert figures_of(found["ceiling"]) == near(0.75, 0.75)
    assert found["ceiling"]["share"] == pytest.approx({"j": 0.8 / 1.5, "f": 1 / 1.5, "jf": 0.9 / 1.5})
    shares = [group["of_ceiling"] for group in found["length"].values()]
    assert shares == [pytest.approx(0.6), pytest.approx(0.6), None]


def test_a_run_has_all_of_its_own_ceiling() -> None:
    clips = {"a/1": entry(0.2, 0.4), "b/1": entry(0, 0, instances=2)}
    found = analyse(clips, clips)
    assert found["ceiling"]["share"] == {"j": 1, "f": 1, "jf": 1}
    assert [group["of_ceiling"] for group in found["instances"].values()] == [1, None]  # nothing is a share of 0


@pytest.fixture(scope="module")
def handmade(tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    return write_benchmark(tmp_path_factory.mktemp("benchmark"))


@pytest.mark.parametrize("protocol", [PAPER, NATIVE], ids=lambda protocol: protocol.name)
def test_scores_carry_the_analysis(handmade: Benchmark, tmp_path: Path, protocol: Protocol) -> None:
    for draw in (0, 1):
        write_predictions(handmade, tmp_path / f"draw{draw}", draw)
    scores = score(handmade, tmp_path, protocol)
    found = scores.to_result().to_json()
    assert found["analysis"] == analyse(found["clips"])
    for clip, per_draw in zip(scores.clips, scores.values, strict=True):
        masks = [read_binary(clip.mask_path(frame)) for frame in clip.video.frames]
        if protocol.size:
            masks = [resize_nearest(mask, protocol.size) for mask in masks]
        entry = found["clips"][clip.id]
        for one in per_draw:
            assert one.areas.tolist() == [mask.sum() / mask.size for mask in masks]
        assert (entry["area"], entry["instances"]) == (per_draw[0].areas[0], None)
        assert entry["first"] == near(*(np.mean([getattr(one, key)[0] for one in per_draw]) for key in "jf"))
        assert entry["after"] == near(*(np.mean([getattr(one, key)[1:] for one in per_draw]) for key in "jf"))


def test_recall_and_decay_are_means_of_the_clips(handmade: Benchmark, tmp_path: Path) -> None:
    found = score(handmade, write_predictions(handmade, tmp_path), PAPER).to_result().to_json()
    groups = [
        (found["overall"], list(found["clips"])),
        (found["categories"]["dog"], ["davis_dog/17", "mose_dog/17"]),
        (found["sources"]["lvos"], ["lvos_cats/1", "lvos_cats/16"]),
    ]
    for group, clips in groups:
        for key in ("j_recall", "f_recall", "j_decay", "f_decay"):
            wanted = np.mean([found["clips"][clip][key] for clip in clips])
            assert group[key] == pytest.approx(wanted, rel=0, abs=1e-12)


def test_instances_come_from_the_manifest(benchmark: Benchmark) -> None:
    assert benchmark.manifest is not None
    for clip in benchmark.clips:
        entry = benchmark.manifest.videos[clip.video.name].clips[str(clip.category.index)]
        assert clip.instances == entry.instances
