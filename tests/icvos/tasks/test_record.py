"""``run.json``: odd values are refused by key, the remedy can be followed, and all is bounded: results copy it."""

import json
from pathlib import Path
from typing import Any

import pytest

from icvos.errors import PredictionError
from icvos.tasks.record import MAX_RECORD_BYTES, MAX_RECORD_PARTS, ClipRun, RunBenchmark, RunRecord, read_record
from icvos.tasks.result import MAX_BYTES

SHA = "ab" * 32


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"format": true}', "format is true, this icvos reads 1"),
        ('{"format": 1.0}', "format is 1.0, this icvos reads 1"),
        ('{"draw": -1}', "draw is -1"),
        ('{"draw": 10000}', "draw is 10000"),
        ('{"draw": true}', "draw is true"),
        ('{"fold": 1e30}', "fold is 1e+30"),
        ('{"weights": 3}', "weights is 3"),
        ('{"weights": ""}', 'weights is ""'),
        ('{"weights": [""]}', "weights[0] is"),
        ('{"weights": [{}]}', "weights[0] has neither a name nor a sha256"),
        ('{"weights": [{"name": "x", "sha256": "?"}]}', 'weights[0].sha256 is "?"'),
        ('{"weights": [{"name": ""}]}', 'weights[0].name is ""'),
    ],
)
def test_odd_values_are_refused_by_key(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(PredictionError) as caught:
        read_record(tmp_path / "run.json")
    assert str(caught.value).startswith(f"{tmp_path / 'run.json'}: {words}")
    assert str(caught.value).endswith("; correct that, or make it anew with: icvos eval ... --overwrite always")


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        '{"weights": "sam2.pt"}',
        '{"weights": ["sam2.pt", "fold0.pth"]}',
        f'{{"weights": [{{"name": "x", "sha256": "{SHA}"}}, {{"random": true}}]}}',
        '{"draw": 4, "anything": {"else": 1}}',
    ],
)
def test_what_other_programs_write_is_kept(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text)
    assert read_record(tmp_path / "run.json") == RunRecord.model_validate_json(text)


HUGE: dict[str, tuple[Any, str]] = {
    "16 MiB of zeros": ({"settings": {"x": [0] * (1 << 23)}}, "larger than 1 MiB"),
    "many values": ({"settings": {"x": [0] * 200_000}}, "more than 131,072 values"),
    "many lists": ({"settings": {"x": [[]] * 140_000}}, "more than 131,072 values"),
    "a long text": ({"method": "x" * 500_000}, "more than 4,096 characters"),
    "a long key": ({"settings": {"x" * 5000: 0}}, "more than 4,096 characters"),
    "a long unknown text": ({"other": {"x": ["y" * 5000]}}, "more than 4,096 characters"),
    "a large number": ({"other": 10**30}, "more than 64 bits"),
    "a large number in a setting": ({"settings": {"x": -(10**4000)}}, "more than 64 bits"),
}


@pytest.mark.parametrize("name", HUGE)
def test_what_no_record_has_is_refused(tmp_path: Path, name: str) -> None:
    value, what = HUGE[name]
    path = tmp_path / "run.json"
    path.write_text(json.dumps(value, separators=(",", ":")))
    with pytest.raises(PredictionError) as caught:
        read_record(path)
    fault = caught.value.fault
    assert (fault.kind, fault.where, fault.severity) == ("record", str(path), "error")
    assert what in fault.what
    assert len(fault.what) < 300


@pytest.mark.parametrize("depth", [30, 150, 15_000, 300_000])
@pytest.mark.parametrize("brackets", [("[", "]"), ('{"a":', "}")])
def test_depth_is_bounded(tmp_path: Path, depth: int, brackets: tuple[str, str]) -> None:
    path = tmp_path / "run.json"
    path.write_text('{"settings": {"x": ' + brackets[0] * depth + "1" + brackets[1] * depth + "}}")
    with pytest.raises(PredictionError, match=r"deep|recursion|values|larger"):
        read_record(path)


def test_infinite_numbers_are_never_written(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text('{"settings": {"x": NaN, "y": 1e999}}')
    json.dumps(read_record(path).to_json(), allow_nan=False)


def test_the_largest_record_is_readable_in_a_result_of_many_parts(tmp_path: Path) -> None:
    """Twelve lists deep with an indent of two, five such records in one file."""
    path = tmp_path / "run.json"
    count = MAX_RECORD_PARTS - 200
    text = '{"settings": {"x": ' + "[" * 10 + ",".join(["0"] * count) + "]" * 10 + "}}"
    path.write_text(text)
    assert len(text) < MAX_RECORD_BYTES
    written = json.dumps({"a": {"b": {"c": read_record(path).to_json()}}}, indent=2)
    assert 5 * len(written) < MAX_BYTES


def test_an_honest_record_of_many_clips_is_far_below_the_bounds(tmp_path: Path) -> None:
    made = ClipRun(frames=104, seconds=123.456789, remarks=("frames at half size: out of memory on cuda:0",) * 2)
    record = RunRecord(
        method="lite",
        settings={"short_side": 480},
        benchmark=RunBenchmark(name="IC-VOS", digest=f"sha256:{'0' * 64}", clips=600),
        clips={f"mose_{number:08x}/{number % 80 + 1}": made for number in range(600)},
    )
    path = tmp_path / "run.json"
    path.write_text(json.dumps(record.to_json(), indent=2))
    assert path.stat().st_size < MAX_RECORD_BYTES // 4
    assert read_record(path) == record
