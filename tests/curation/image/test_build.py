"""Image benchmarks as they are built: folds, listed classes, frozen draws, digests, and bad input."""

import hashlib
import json
import random
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.image.build import build_plan, draw
from curation.image.check import check_benchmark
from curation.image.plan import EpisodeOptions, Plan, Splits, plan_coco, plan_pascal
from icvos.categories import COCO, PASCAL
from icvos.errors import IcvosError
from icvos.files.masks import write_binary
from icvos.tasks.image.benchmark import ImageBenchmark
from icvos.tasks.image.folds import fold_classes
from icvos.tasks.image.summary import fold_counts
from tests.conftest import icvos
from tests.curation.image.few_shot_folders import (
    LEFT,
    RIGHT,
    SMALL,
    WHOLE,
    Objects,
    numbers_of,
    write_few_shot_coco,
    write_lists,
    write_sbd,
    write_voc,
)
from tests.curation.notes import Notes
from tests.curation.sources.source_folders import write_frame, write_mask, write_text

VAL2014, EVALUATION = Splits("val2014"), Splits(train="none")
FEW = EpisodeOptions(episodes=40, max_shots=5)
# persons (fold 0) in six pictures, bicycles (fold 1) in three, one car (fold 2), cats (fold 3) of too few pixels
PICTURES: dict[int, Objects] = {
    1: [(1, LEFT), (2, RIGHT)],
    2: [(1, WHOLE)],
    3: [(1, LEFT), (16, SMALL)],
    4: [(1, RIGHT), (16, SMALL)],
    5: [(1, WHOLE), (2, LEFT)],
    6: [(2, RIGHT), (1, LEFT)],
    7: [(3, WHOLE)],
    8: [(16, SMALL)],
}


def built(plan: Plan, out: Path, workers: int = 1) -> tuple[ImageBenchmark, list[str]]:
    watch = Notes()
    manifest = build_plan(plan, out, workers=workers, watch=watch)
    benchmark = ImageBenchmark.open(out)
    assert benchmark.manifest == manifest
    return benchmark, watch.notes


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    return write_few_shot_coco(tmp_path / "COCO", PICTURES)


# Folds


def test_every_class_is_tested_in_one_fold_and_trained_on_in_the_others() -> None:
    for name, folds, classes in (
        ("coco-20i", "interleaved", 80),
        ("coco-20i", "contiguous", 80),
        ("pascal-5i", "interleaved", 20),
    ):
        found = fold_classes(name, folds)  # type: ignore[arg-type]
        assert sorted(kind for test, _ in found for kind in test) == list(range(1, classes + 1))
        assert all(sorted(test + train) == list(range(1, classes + 1)) for test, train in found)
    assert fold_classes("coco-20i")[1][0][:3] == [2, 6, 10]
    assert fold_classes("coco-20i", "contiguous")[1][0] == list(range(21, 41))
    assert fold_classes("all-coco") == [([*range(1, 81)], [*range(1, 81)])]
    assert [test for test, _ in fold_classes("coco-to-pascal")] == [
        [1, 4, 9, 11, 12, 15],
        [2, 6, 13, 18],
        [3, 7, 16, 17, 19, 20],
        [5, 8, 10, 14],
    ]


def test_no_class_of_the_domain_shift_was_trained_on() -> None:
    for (test, train), (_, of_coco) in zip(fold_classes("coco-to-pascal"), fold_classes("coco-20i"), strict=True):
        assert not {PASCAL[kind - 1].coco_index for kind in test} & set(of_coco)
        assert train == []


# Pictures and classes


def test_pictures_masks_and_listed_classes(coco: Path, tmp_path: Path) -> None:
    benchmark, warnings = built(plan_coco("coco-20i", coco, VAL2014, options=FEW), tmp_path / "out")
    assert warnings[0] == f"{coco}: no annotations and images of a training split, so this is for evaluation only"
    assert warnings[3].startswith("fold 2: never asked, having fewer than 2 pictures in val2014: car, train, fire hydr")
    listed = {int(Path(name).stem): picture.listed for name, picture in benchmark.validation.items()}
    assert listed == {
        1: (1, 2),
        2: (1,),
        3: (1,),
        4: (1,),
        5: (1, 2),
        6: (1, 2),
        7: (3,),
    }  # 8 shows too little of a cat
    third = benchmark.validation["000000000003.jpg"]
    assert np.array_equal(third.class_map(), numbers_of(PICTURES[3]))
    assert third.outlines.keys() == {1, 16}
    assert third.image().shape == (64, 80, 3)
    assert [len(fold.episodes) for fold in benchmark.folds] == [40, 40, 0, 0]
    assert (benchmark.training_digest, benchmark.manifest.splits.to_json()) == ("", {"val": "val2014"})
    with pytest.raises(IcvosError, match="coco-20i was built without pictures to train on"):
        _ = benchmark.training
    counts = list(fold_counts(benchmark))
    assert (counts[1].asked, counts[1].tested, counts[1].pictures, counts[1].pairs) == (1, 20, 3, 3)
    assert (counts[1].published.pairs, counts[0].published.pairs) == (17_912, None)


def test_the_rule_is_what_makes_masks(coco: Path, tmp_path: Path) -> None:
    def masks(rule: Any) -> tuple[np.ndarray, np.ndarray, str]:
        benchmark, _ = built(plan_coco("coco-20i", coco, VAL2014, rule), tmp_path / rule)
        picture = benchmark.validation["000000000005.jpg"]
        return picture.mask(1), picture.mask(2), benchmark.digest

    painted, union = masks("painted"), masks("union")
    bicycle = numbers_of([(1, LEFT)]).astype(bool)
    assert np.array_equal(painted[0], ~bicycle)
    assert union[0].all()
    assert np.array_equal(painted[1], bicycle)
    assert np.array_equal(union[1], bicycle)
    assert painted[2] != union[2]


def test_published_pngs_of_coco_are_read(coco: Path, tmp_path: Path) -> None:
    for number, objects in PICTURES.items():
        write_mask(coco / "annotations" / "val2014" / f"{number:012d}.png", numbers_of(objects), "L")
    (coco / "annotations" / "instances_val2014.json").rename(coco / "annotations" / "instances_val2017.json")
    (coco / "val2017").mkdir()
    benchmark, warnings = built(plan_coco("coco-20i", coco, Splits(), "png", options=FEW), tmp_path / "out")
    assert warnings[0].endswith("so this is for evaluation only")
    assert len(benchmark.validation) == 7
    assert np.array_equal(benchmark.validation["000000000005.jpg"].class_map(), numbers_of(PICTURES[5]))


def test_training_pictures(coco: Path, tmp_path: Path) -> None:
    write_few_shot_coco(coco, {11: [(1, LEFT), (2, RIGHT)], 12: [(3, WHOLE)], 13: [(16, SMALL)]}, "train2014")
    benchmark, warnings = built(plan_coco("all-coco", coco, Splits(), options=FEW), tmp_path / "out")
    assert [picture.listed for picture in benchmark.training.values()] == [(1, 2), (3,)]
    assert benchmark.training["000000000011.jpg"].path == (coco / "train2014" / "000000000011.jpg").resolve()
    assert len(warnings) == 1
    assert benchmark.fold(0).test == benchmark.fold(0).train == tuple(found.index for found in COCO)
    trial, warnings = built(plan_coco("coco-20i", coco, Splits("val2014", "val2014")), tmp_path / "trial")
    assert "7 pictures are both evaluated and trained on: fit for a trial, not for a result" in warnings
    assert list(trial.training) == list(trial.validation)


# What is passed over


def test_what_is_passed_over_is_listed_and_counted(coco: Path, tmp_path: Path) -> None:
    path = coco / "annotations" / "instances_val2014.json"
    value = json.loads(path.read_text())
    value["annotations"][1] |= {"id": 11, "iscrowd": 1}  # the bicycle of picture 1
    path.write_text(json.dumps(value))
    write_frame(coco / "val2014" / "000000000099.jpg")
    (coco / "val2014" / "000000000007.jpg").unlink()
    output = icvos("episodes", "coco-20i", "--coco", coco, "--episodes", 5, "--out", tmp_path / "out").output
    benchmark = ImageBenchmark.open(tmp_path / "out")
    assert groups_of(benchmark) == {
        "annotations marked as a crowd (iscrowd 1), so no instance": ("11",),
        "images of instances_val2014.json, not there": ("000000000007.jpg",),
        "files beside the images that instances_val2014.json lists": ("000000000099.jpg",),
        "pictures that show no class with 2048 pixels": ("000000000008.jpg",),
    }
    groups = benchmark.manifest.left_out or ()
    assert sum(len(group.names) for group in groups if group.what == "classes") == 80 - 2
    assert "left out: val2014: 1 pictures that show no class with 2048 pixels: 000000000008.jpg\n" in output
    assert f"82 left out, each with its reason: left_out in {tmp_path / 'out' / 'episodes.json'}\n" in output
    assert "\n82 left out, each with its reason" in icvos("info", tmp_path / "out").output


def test_a_benchmark_of_an_earlier_version_opens(coco: Path, tmp_path: Path) -> None:
    benchmark, _ = built(plan_coco("coco-20i", coco, VAL2014, options=FEW), tmp_path / "out")
    value = json.loads((benchmark.root / "episodes.json").read_text())
    del value["left_out"]
    (benchmark.root / "episodes.json").write_text(json.dumps(value))
    assert ImageBenchmark.open(benchmark.root).digest == benchmark.digest
    assert "left out: " not in icvos("info", benchmark.root).output


def test_pngs_and_images_without_their_other_half_are_listed(coco: Path, tmp_path: Path) -> None:
    for number in (1, 2, 3, 4, 99):
        write_mask(coco / "annotations" / "val2014" / f"{number:012d}.png", numbers_of(PICTURES.get(number, [])), "L")
    (coco / "annotations" / "instances_val2014.json").rename(coco / "annotations" / "instances_val2017.json")
    benchmark, _ = built(plan_coco("coco-20i", coco, Splits(), "png", options=FEW), tmp_path / "out")
    assert groups_of(benchmark) == {
        "files without a PNG of class numbers": tuple(f"{number:012d}.jpg" for number in (5, 6, 7, 8)),
        "masks without an image": ("000000000099.png",),
    }


# Draws


def test_supports_are_ranked_and_repeated_only_for_want_of_pictures(coco: Path, tmp_path: Path) -> None:
    benchmark, _ = built(plan_coco("coco-20i", coco, VAL2014, options=FEW), tmp_path / "out")
    for episode in benchmark.episodes(0, 5):
        names = [picture.name for picture in episode.supports]
        assert episode.kind == 1
        assert episode.query.name not in names
        assert len(set(names)) == 5
    for episode in benchmark.episodes(1, 5):
        names = [picture.name for picture in episode.supports]
        assert names == [names[0], names[1], names[0], names[1], names[0]]
        assert {*names, episode.query.name} == {f"{number:012d}.jpg" for number in (1, 5, 6)}
    first = benchmark.episodes(0)[7]
    assert first.supports == benchmark.episodes(0, 5)[7].supports[:1]
    assert np.array_equal(first.shown()[0].mask(), first.supports[0].mask(1))


@given(
    members=st.dictionaries(st.integers(1, 9), st.sets(st.integers(1, 30), min_size=2, max_size=12), min_size=1),
    fold=st.integers(0, 3),
    shots=st.integers(1, 12),
    name=st.sampled_from(["coco-20i", "pascal-5i"]),
)
@settings(max_examples=60, deadline=None)
def test_supports_never_contain_the_query(members: Mapping[int, set[int]], fold: int, shots: int, name: Any) -> None:
    by_class = {kind: sorted(f"{number:012d}.jpg" for number in numbers) for kind, numbers in members.items()}
    for kind, query, supports in draw(name, fold, sorted(by_class), by_class, EpisodeOptions(25, shots)):
        assert query in by_class[kind]
        assert query not in supports
        assert set(supports) <= set(by_class[kind])
        assert len(supports) == shots
        assert len(set(supports)) == min(shots, len(by_class[kind]) - 1)


def test_draws_are_frozen() -> None:
    """A change of these figures is a change of every result on every image benchmark."""
    by_class = {kind: [f"{kind * number:012d}.jpg" for number in range(1, 30)] for kind in (3, 7, 11)}
    options = EpisodeOptions(200, 10)
    found = {name: draw(name, 2, (3, 7, 11), by_class, options) for name in ("coco-20i", "pascal-5i")}  # type: ignore[arg-type]
    digests = {name: hashlib.sha256(json.dumps(drawn).encode()).hexdigest()[:16] for name, drawn in found.items()}
    assert digests == {"coco-20i": "2ce8f011165bf215", "pascal-5i": "91e2a6c8aee4f6c9"}


def test_draws_are_uniform() -> None:
    by_class = {kind: [f"{100 * kind + number:012d}.jpg" for number in range(20)] for kind in range(1, 6)}
    drawn = draw("coco-20i", 0, tuple(by_class), by_class, EpisodeOptions(2000, 3))
    kinds = Counter(kind for kind, _, _ in drawn)
    assert all(abs(kinds[kind] - 400) < 90 for kind in by_class)  # 5 standard deviations
    queries = Counter(query for _, query, _ in drawn)
    supports = Counter(name for _, _, names in drawn for name in names)
    assert all(
        abs(queries[name] - 20) < 25 and abs(supports[name] - 60) < 45 for names in by_class.values() for name in names
    )


def test_a_picture_that_goes_changes_only_the_episodes_that_it_was_in() -> None:
    by_class = {kind: [f"{100 * kind + number:012d}.jpg" for number in range(12)] for kind in (1, 5)}
    gone = by_class[1][3]
    before = draw("coco-20i", 0, (1, 5), by_class, EpisodeOptions(100, 4))
    after = draw(
        "coco-20i",
        0,
        (1, 5),
        {1: [name for name in by_class[1] if name != gone], 5: by_class[5]},
        EpisodeOptions(100, 4),
    )
    changed = [old for old, new in zip(before, after, strict=True) if old != new]
    assert changed == [old for old in before if gone in (old[1], *old[2])]
    assert 0 < len(changed) < 60


def test_both_years_have_the_same_episodes(tmp_path: Path) -> None:
    found = []
    for split, prefix in (("val2014", "COCO_val2014_"), ("val2017", "")):
        root = write_few_shot_coco(tmp_path / split, PICTURES, split, prefix)
        benchmark, _ = built(plan_coco("coco-20i", root, Splits(), options=FEW), tmp_path / f"{split}-out")
        assert all(name.startswith(prefix) for name in benchmark.validation)
        found.append(
            [(e.kind, e.query.name[-16:], [s.name[-16:] for s in e.supports]) for e in benchmark.episodes(0, 5)]
        )
    assert found[0] == found[1]


# Digests


def test_the_digest_depends_on_no_order_and_no_worker(tmp_path: Path) -> None:
    digests = []
    for number, workers in ((0, 1), (1, 1), (2, 2)):
        order = list(PICTURES)
        random.Random(number).shuffle(order)
        root = write_few_shot_coco(tmp_path / f"coco{number}", {key: PICTURES[key] for key in order})
        write_few_shot_coco(root, {20 + key: PICTURES[key] for key in order}, "train2014")
        benchmark, _ = built(plan_coco("coco-20i", root, Splits(), options=FEW), tmp_path / f"out{number}", workers)
        digests.append((benchmark.digest, benchmark.training_digest))
        texts = [(tmp_path / f"out{number}" / name).read_text() for name in ("val.json", "train.json")]
        assert texts == [(tmp_path / "out0" / name).read_text() for name in ("val.json", "train.json")]
    assert len(set(digests)) == 1


def test_the_digest_is_over_masks_and_episodes_not_over_places(coco: Path, tmp_path: Path) -> None:
    first = built(plan_coco("coco-20i", coco, VAL2014, options=FEW), tmp_path / "a")[0].digest
    assert built(plan_coco("coco-20i", coco, VAL2014, options=FEW), tmp_path / "a")[0].digest == first
    elsewhere = coco.rename(tmp_path / "elsewhere")
    assert built(plan_coco("coco-20i", elsewhere, VAL2014, options=FEW), tmp_path / "b")[0].digest == first
    more = EpisodeOptions(41, 5)
    assert built(plan_coco("coco-20i", elsewhere, VAL2014, options=more), tmp_path / "c")[0].digest != first
    other = write_few_shot_coco(tmp_path / "other", {**PICTURES, 2: [(1, LEFT)]})
    assert built(plan_coco("coco-20i", other, VAL2014, options=FEW), tmp_path / "d")[0].digest != first


def test_check_finds_what_has_changed(coco: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    benchmark, _ = built(plan_coco("coco-20i", coco, VAL2014, options=FEW), out)
    assert check_benchmark(benchmark.root) == []
    (coco / "val2014" / "000000000001.jpg").unlink()
    write_frame(coco / "val2014" / "000000000002.jpg", (64, 70))
    problems = check_benchmark(out)
    assert [problem.rpartition("/")[2] for problem in problems] == [
        "000000000001.jpg: no such file",
        "000000000002.jpg: 70x64 pixels, annotated as 80x64",
    ]
    write_few_shot_coco(coco, PICTURES)
    value = json.loads((out / "episodes.json").read_text())
    value["folds"][0]["episodes"][3][2][1] = "000000000007.jpg"  # a car, and asked is a person
    (out / "episodes.json").write_text(json.dumps(value))
    assert check_benchmark(out) == [
        f"{out / 'val.json'}: does not match the digest of evaluation",
        f"{out}: episode 3 of fold 0 is impossible",
    ]


# Bad input and bad places


def test_nothing_can_be_asked_of_single_pictures(tmp_path: Path) -> None:
    root = write_few_shot_coco(tmp_path / "coco", {1: [(1, WHOLE)], 2: [(2, WHOLE)]})
    with pytest.raises(IcvosError, match="no class has 2 pictures, so nothing can be asked"):
        build_plan(plan_coco("coco-20i", root, VAL2014), tmp_path / "out")


def test_an_image_of_another_size_or_cut_off_is_named(coco: Path, tmp_path: Path) -> None:
    path = coco / "val2014" / "000000000002.jpg"
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(IcvosError, match=r"000000000002\.jpg: cannot be decoded"):
        build_plan(plan_coco("coco-20i", coco, VAL2014), tmp_path / "out")
    write_frame(path, (80, 64))
    with pytest.raises(IcvosError, match=r"000000000002\.jpg: 64x80 pixels, but instances_val2014\.json has 80x64"):
        build_plan(plan_coco("coco-20i", coco, VAL2014), tmp_path / "out")


def test_only_a_new_folder_or_an_image_benchmark_is_written_to(coco: Path, tmp_path: Path) -> None:
    plan = plan_coco("coco-20i", coco, VAL2014, options=FEW)
    (tmp_path / "full").mkdir()
    write_text(tmp_path / "full" / "thesis.txt", "years")
    with pytest.raises(IcvosError, match="full: holds something that icvos episodes did not make"):
        build_plan(plan, tmp_path / "full")
    with pytest.raises(IcvosError, match=r"thesis\.txt: is a file"):
        build_plan(plan, tmp_path / "full" / "thesis.txt")
    out = tmp_path / "out"
    build_plan(plan, out)
    write_text(out / "train.json", "of an earlier build")
    write_text(out / ".val.json.x1y2z3", "of a build that was killed")
    build_plan(plan, out)
    assert sorted(path.name for path in out.iterdir()) == ["episodes.json", "val.json"]


# Published lists


def listed_of(benchmark: ImageBenchmark) -> dict[int, tuple[int, ...]]:
    return {int(Path(name).stem.rpartition("_")[2]): picture.listed for name, picture in benchmark.validation.items()}


def groups_of(benchmark: ImageBenchmark, split: str = "val2014") -> dict[str, tuple[str, ...]]:
    """What was passed over of a split, but for the classes that no episode asks for."""
    groups = [group for group in benchmark.manifest.left_out or () if group.split == split and group.what != "classes"]
    return {f"{group.what} {group.reason}": group.names for group in groups}


def names(*numbers: int) -> list[str]:
    return [f"COCO_val2014_{number:012d}" for number in numbers]


def test_lists_say_what_is_asked_whatever_the_area(coco: Path, tmp_path: Path) -> None:
    lists = write_lists(tmp_path / "fss_list", "val", 0, {1: names(1, 2), 5: []})
    write_lists(lists, "val", 3, {16: names(3, 4, 7, 8, 99)})
    plan = plan_coco("coco-20i", coco, VAL2014, lists=lists, options=FEW)
    benchmark, warnings = built(plan, tmp_path / "out")
    assert listed_of(benchmark) == {1: (1,), 2: (1,), 3: (16,), 4: (16,), 8: (16,)}
    assert "val2014: 1 classes that the lists name are in no mask, not asked" in warnings
    assert f"{coco / 'val2014'}: left out: 1 picture of the lists, not there: 000000000099" in warnings
    assert groups_of(benchmark) == {
        "pictures of the lists, not there": ("000000000099",),
        "pictures that no list names": ("000000000005.jpg", "000000000006.jpg"),
        "pictures that show no class which the lists name": ("000000000007.jpg",),
        "pairs of a picture and a class that the lists name and no mask shows": ("000000000007/16",),
    }
    assert benchmark.manifest.rule.endswith("classes: as published lists name them")
    assert {e.query.name for e in benchmark.episodes(3)} == {f"{number:012d}.jpg" for number in (3, 4, 8)}
    assert plan_coco("coco-20i", coco, VAL2014, lists=tmp_path).val.listing == plan.val.listing


def test_data_lists_alone_leave_the_classes_to_the_area(coco: Path, tmp_path: Path) -> None:
    lists = write_lists(tmp_path / "fss_list", "val", 0, {1: names(1, 2, 4)})
    (lists / "val" / "sub_class_file_list_0.txt").unlink()
    text = (lists / "val" / "data_list_0.txt").read_text()
    assert not text.endswith("\n")
    benchmark, _ = built(plan_coco("coco-20i", coco, VAL2014, lists=lists, options=FEW), tmp_path / "out")
    assert listed_of(benchmark) == {1: (1, 2), 2: (1,), 4: (1,)}


def test_lists_of_other_numbers_are_refused(coco: Path, tmp_path: Path) -> None:
    lists = write_lists(tmp_path / "fss_list", "val", 0, {4: names(1, 2), 1: names(3)})
    with pytest.raises(IcvosError, match="2 classes that the lists name are in no mask, more than half"):
        build_plan(plan_coco("coco-20i", coco, VAL2014, lists=lists), tmp_path / "out")


# PASCAL

VOC: dict[str, Objects] = {
    "2007_000001": [(1, LEFT), (2, RIGHT), (255, SMALL)],
    "2007_000002": [(1, WHOLE)],
    "2007_000003": [(2, WHOLE), (6, SMALL)],
    "2007_000004": [(6, WHOLE)],
    "2007_000005": [(6, LEFT)],
}


def test_pascal_asks_its_pictures_in_turn(tmp_path: Path) -> None:
    stems = sorted(VOC)
    root = write_voc(tmp_path / "VOC2012", VOC, {"val": stems, "train": stems})
    benchmark, _ = built(plan_pascal("pascal-5i", root, EVALUATION, options=EpisodeOptions(9, 2)), tmp_path / "out")
    queries = [Path(episode.query.name).stem for episode in benchmark.episodes(0)]
    assert queries == (stems[:3] * 3)
    assert {e.kind for e in benchmark.episodes(0) if e.query.name == "2007_000001.jpg"} <= {1, 2}
    assert [Path(episode.query.name).stem for episode in benchmark.episodes(1)][:2] == stems[3:]
    first = benchmark.validation["2007_000001.jpg"]
    label = first.label(1)
    assert label[:20, :20].min() == 255
    assert (np.count_nonzero(label == 1), label[0, 79]) == (64 * 40 - 400, 0)
    assert set(np.unique(first.class_map())) == {1, 2, 255}
    shift, _ = built(plan_pascal("coco-to-pascal", root, Splits(), options=EpisodeOptions(9, 2)), tmp_path / "shift")
    assert [len(fold.episodes) for fold in shift.folds] == [9, 9, 0, 0]
    assert shift.training_digest == ""


def test_pascal_trains_on_sbd_without_val(tmp_path: Path) -> None:
    root = write_voc(tmp_path / "VOC2012", VOC, {"val": sorted(VOC)[:4], "train": ["2007_000005"]})
    extra: dict[str, Objects] = {"2008_000001": [(6, WHOLE)], "2007_000001": [(9, WHOLE)]}
    write_frame(root / "JPEGImages" / "2008_000001.jpg", (64, 80))
    sbd = write_sbd(tmp_path / "sbd", extra, sorted(extra))
    plan = plan_pascal("pascal-5i", root, Splits(), sbd, options=FEW)
    benchmark, _ = built(plan, tmp_path / "out")
    assert {name: picture.listed for name, picture in benchmark.training.items()} == {
        "2007_000005.jpg": (6,),
        "2008_000001.jpg": (6,),
    }
    assert benchmark.manifest.splits.to_json() == {"val": "val", "train": "train+sbd"}
    assert benchmark.validation["2007_000001.jpg"].listed == (1, 2)
    counts = list(fold_counts(benchmark))
    assert [(found.training, found.training_apart) for found in counts] == [(2, 2), (0, 0), (2, 2), (2, 2)]


def test_pascal_with_lists(tmp_path: Path) -> None:
    root = write_voc(tmp_path / "VOC2012", VOC, {"val": sorted(VOC), "train": []})
    lists = write_lists(tmp_path / "fss_list", "val", 0, {6: ["2007_000003", "2007_000004"]})
    plan = plan_pascal("pascal-5i", root, EVALUATION, lists=lists, options=FEW)
    benchmark, _ = built(plan, tmp_path / "out")
    assert {name: picture.listed for name, picture in benchmark.validation.items()} == {
        "2007_000003.jpg": (6,),
        "2007_000004.jpg": (6,),
    }


def test_a_mask_of_no_class_or_another_size_is_refused(tmp_path: Path) -> None:
    root = write_voc(tmp_path / "VOC2012", VOC, {"val": sorted(VOC)})
    plan = plan_pascal("pascal-5i", root, EVALUATION)
    write_mask(root / "SegmentationClass" / "2007_000003.png", numbers_of([(21, WHOLE)]))
    with pytest.raises(IcvosError, match=r"2007_000003\.jpg: its mask has the value 21; class numbers are 1\.\.20"):
        build_plan(plan, tmp_path / "out")
    write_binary(root / "SegmentationClass" / "2007_000003.png", np.ones((64, 70), dtype=bool))
    with pytest.raises(IcvosError, match=r"2007_000003\.jpg: 80x64 pixels, its mask has 70x64"):
        build_plan(plan, tmp_path / "out")
