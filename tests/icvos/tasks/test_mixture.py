"""A run is one method: what parts of a run may differ in, and what not."""

from pathlib import Path
from typing import Any

import pytest

from icvos.errors import PredictionError
from icvos.tasks.mixture import mixture, refuse_mixture
from icvos.tasks.record import Part, RunRecord
from tests import Json

FIRST: Json = {
    "method": "vrp-sam",
    "settings": {"size": 512, "checkpoint": "run/fold0/last.safetensors", "deep": {"a": [1]}},
    "weights": [{"name": "resnet50", "sha256": "aa" * 32}, {"name": "last.safetensors", "sha256": "bb" * 32}],
    "sees_truth": False,
    "benchmark": {"name": "b", "digest": "sha256:" + "1" * 64},
    "shots": 1,
    "dtype": "float32",
    "device": "cpu",
    "seed": 0,
}


def words(first: Json, other: Json, part: Part, numbers: tuple[int, int] = (0, 1)) -> str:
    """The faults of a run of two parts, in one text."""
    parts = zip(numbers, (first, other), strict=True)
    records = {n: (Path(f"run/{part}{n}"), RunRecord.model_validate(value)) for n, value in parts}
    return "\n".join(map(str, mixture(records, part)))


@pytest.mark.parametrize("part", ["draw", "fold"])
@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"method": "persam"}, "method 'persam', {first} with 'vrp-sam'"),
        ({"settings": {**FIRST["settings"], "size": 480}}, "settings.size 480, {first} with 512"),
        ({"settings": {**FIRST["settings"], "size": True}}, "settings.size True"),
        ({"settings": {**FIRST["settings"], "more": 1}}, "settings.more 1, {first} with None"),
        ({"settings": {**FIRST["settings"], "deep": {"a": [2]}}}, "settings.deep {{'a': [2]}}"),
        ({"settings": {**FIRST["settings"], "checkpoint": "other/fold1/last.safetensors"}}, "settings.checkpoint"),
        ({"settings": {}}, "settings.size None"),
        ({"weights": []}, "weights []"),
        ({"weights": [{"name": "vgg16", "sha256": "cc" * 32}, FIRST["weights"][1]]}, "weights ["),
        ({"weights": [{"name": "resnet50", "sha256": "cc" * 32}, FIRST["weights"][1]]}, "weights ["),
        ({"random_weights": True}, "random_weights True, {first} with False"),
        ({"sees_truth": True}, "sees_truth True"),
        ({"benchmark": {"name": "b", "digest": "sha256:" + "2" * 64}}, "benchmark 'sha256:2222"),
        ({"shots": 5}, "shots 5, {first} with 1"),
        ({"dtype": "float16"}, "dtype 'float16', {first} with 'float32'"),
        ({"seed": 1}, "seed {{'seed': 1}}"),
        ({"random_seed": 1}, "seed {{'seed': 0, 'random_seed': 1}}"),
    ],
)
def test_parts_of_other_methods_are_refused(part: Part, change: Json, key: str) -> None:
    found = words(FIRST, {**FIRST, **change}, part)
    assert found.startswith(f"run/{part}1/run.json: was made with {key.format(first=f'{part}0')}")
    assert found.endswith("; a run is one method; score each in a folder of its own")


@pytest.mark.parametrize("part", ["draw", "fold"])
@pytest.mark.parametrize(
    "change",
    [
        {},
        {"device": "cuda", "versions": {"icvos": "2"}, "finished": "2026"},
        {"benchmark": {"digest": "sha256:" + "1" * 64}},
        {"host": "another", "frames": 9},
    ],
)
def test_what_does_not_make_another_method(part: Part, change: Json) -> None:
    assert words(FIRST, {**FIRST, part: 1, **change}, part) == ""


def fold(number: int, **more: Any) -> Json:
    """What `icvos eval --set checkpoint=run/fold{fold}/last.safetensors` records of a fold."""
    settings = {**FIRST["settings"], "checkpoint": f"run/fold{number}/last.safetensors"}
    own = {"name": "last.safetensors", "sha256": f"{number:064}"}
    return {**FIRST, "settings": settings, "weights": [FIRST["weights"][0], own], **more}


@pytest.mark.parametrize("numbers", [(0, 1), (3, 0), (2, 10), (5, 51)])
def test_folds_have_checkpoints_of_their_own_and_draws_have_not(numbers: tuple[int, int]) -> None:
    first, other = map(fold, numbers)
    assert words(first, other, "fold", numbers) == ""
    assert "settings.checkpoint" in words(first, other, "draw", numbers)
    by_name = [{**FIRST, "settings": {}, "weights": [f"m{number}.pth"]} for number in numbers]
    assert words(by_name[0], by_name[1], "fold", numbers) == ""
    assert "weights" in words(by_name[0], by_name[1], "draw", numbers)


def test_a_fold_number_elsewhere_in_a_text_is_no_licence() -> None:
    assert "settings.size" in words(fold(0), {**fold(1), "settings": {**fold(1)["settings"], "size": 511}}, "fold")
    texts = [{"settings": {"list": text}} for text in ("v0-0.txt", "v1-1.txt", "v0-1.txt", "w1-1.txt", "v12-1.txt")]
    assert [words(texts[0], text, "fold") == "" for text in texts] == [True, True, True, False, False]


@pytest.mark.parametrize("part", ["draw", "fold"])
def test_all_parts_have_a_record_or_none(part: Part) -> None:
    assert words({}, {}, part) == ""
    assert words(FIRST, {}, part).startswith(f"run/{part}1/run.json: has no record, {part}0 has one")
    assert words({}, FIRST, part).startswith(f"run/{part}1/run.json: has a record, {part}0 has none")


@pytest.mark.parametrize("part", ["draw", "fold"])
def test_a_copy_of_a_part_is_no_part_more(part: Part) -> None:
    found = words({**FIRST, part: 0}, {**FIRST, part: 0}, part)
    assert found.startswith(f"run/{part}1/run.json: says that it is {part} 0, and is in the place of {part} 1")
    assert words({**FIRST, part: 0}, {**FIRST, part: 1}, part) == ""


def test_the_first_fault_is_raised() -> None:
    records = {n: (Path(f"draw{n}"), RunRecord(method=method)) for n, method in enumerate("ab")}
    with pytest.raises(PredictionError, match="method 'b', draw0 with 'a'"):
        refuse_mixture(records, "draw")


@pytest.mark.parametrize("key", ["{x}", "{first.__class__}", "{", "}"])
def test_braces_in_a_record_are_text(key: str) -> None:
    found = words(FIRST, {**FIRST, "settings": {**FIRST["settings"], key: "{y}"}}, "fold")
    assert f"settings.{key} '{{y}}', fold0 with None" in found


def test_a_text_of_fold_numbers_is_compared_at_once() -> None:
    first, other = ({**FIRST, "settings": {"checkpoint": text}} for text in ("1" * 400, "1" * 700 + "x"))
    assert "settings.checkpoint" in words(first, other, "fold", (1, 11))  # a pattern of both would try all ways
