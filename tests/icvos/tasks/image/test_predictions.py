"""Lines of masks from anywhere: only faults come out, soon and in little memory."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from icvos.errors import Fault, IcvosError, PredictionError
from icvos.files.rle import encode_rle
from icvos.files.storage import end_last_line
from icvos.protocol import NATIVE
from icvos.tasks.image.benchmark import ImageBenchmark
from icvos.tasks.image.check import check_images
from icvos.tasks.image.predictions import EPISODES, MAX_LINE_BYTES, Answer, read_answers, right_answers
from icvos.tasks.image.score import score_images
from tests.icvos.tasks.image.tiny_episodes import write_images

BOUNDED = settings(max_examples=80, deadline=10_000, suppress_health_check=[HealthCheck.function_scoped_fixture])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> ImageBenchmark:
    return write_images(tmp_path_factory.mktemp("images") / "tiny")


def write_fold(folder: Path, lines: bytes) -> Path:
    (folder / "fold0").mkdir(parents=True, exist_ok=True)
    (folder / "fold0" / "run.json").write_text('{"shots": 1}')
    (folder / "fold0" / EPISODES).write_bytes(lines)
    return folder


def right_line(benchmark: ImageBenchmark, index: int = 0, **change: Any) -> bytes:
    episode = benchmark.episodes(0)[index]
    value = {
        "episode": index,
        "class": episode.kind,
        "mask": encode_rle(np.zeros(episode.query.size, dtype=bool)),
        "seconds": 0.25,
    }
    return json.dumps(value | change).encode() + b"\n"


def test_lines_are_read_back(tmp_path: Path) -> None:
    mask = np.random.RandomState(0).rand(7, 5) < 0.5
    answer = Answer(3, 17, encode_rle(mask), 0.25, "")
    (tmp_path / EPISODES).write_bytes(answer.line() + b'{"episode": 4, "cla')
    (found,) = read_answers(tmp_path / EPISODES)
    assert isinstance(found, Answer)
    assert (found.episode, found.kind, found.rle, found.seconds) == (3, 17, answer.rle, 0.25)
    assert np.array_equal(found.mask(), mask)
    assert found.where == f"{tmp_path / EPISODES}: line 1"
    assert list(read_answers(tmp_path / "absent")) == []


@pytest.mark.parametrize(
    ("line", "kind", "message"),
    [
        (b"{", "unreadable", "cannot be read as the answer to an episode"),
        (b"\xff\xfe", "unreadable", "cannot be read as the answer to an episode"),
        (b"[" * 100_000, "unreadable", "recursion limit exceeded"),
        (b"[]", "unreadable", "not a JSON object"),
        (b'{"episode": -1, "class": 1, "mask": RIGHT}', "unreadable", "episode is -1"),
        (b'{"episode": 0.0, "class": 1, "mask": RIGHT}', "unreadable", "episode is 0.0"),
        (b'{"episode": true, "class": 1, "mask": RIGHT}', "unreadable", "episode is true"),
        (b'{"episode": 0, "class": 1, "mask": RIGHT, "seconds": "soon"}', "unreadable", 'seconds is "soon"'),
        (b'{"episode": 0, "class": 1, "mask": "all"}', "unreadable", "mask is not a JSON object"),
        (b'{"episode": 0, "class": 1, "mask": {"counts": "0"}}', "unreadable", "mask.size is missing"),
        (b'{"episode": 0, "class": 1, "mask": {"size": [1e999, 2], "counts": "0"}}', "unreadable", "mask.size[0]"),
        (b'{"episode": 0, "class": 1, "mask": {"size": [52], "counts": "0"}}', "unreadable", "no size [height, width]"),
        (b'{"episode": 0, "class": 2, "mask": RIGHT}', "class", "asks for class 1"),
        (b'{"episode": 0, "class": 1, "mask": {"size": [99999, 99999], "counts": "0"}}', "size", "99999x99999"),
        (b'{"episode": 12345678901234567890, "class": 1, "mask": RIGHT}', "extra-episode", "has episodes 0..9"),
        (b'{"episode": 0, "class": 1, "mask": {"size": [52, 80]}}', "unreadable", "mask.counts is missing"),
        (b'{"episode": 0, "class": 1, "mask": {"size": [52, 80], "counts": "11"}}', "unreadable", "not a COCO RLE"),
        (
            b'{"episode": 0, "class": 1, "mask": {"size": [52, 80], "counts": [-1, 4161]}}',
            "unreadable",
            "not a COCO RLE",
        ),
        (b'{"episode": 0, "class": 1, "mask": {"size": [52, 80], "counts": [[1]]}}', "unreadable", "mask.counts"),
    ],
)
def test_every_fault_of_a_line_is_named(
    tiny: ImageBenchmark, tmp_path: Path, line: bytes, kind: str, message: str
) -> None:
    line = line.replace(b"RIGHT", b'{"size": [52, 80], "counts": [4160]}')
    run = write_fold(tmp_path / "run", right_line(tiny, 1) + line + b"\n")
    faults = [fault for fault in check_images(tiny, run) if not fault.kind.startswith("missing-")]
    assert [fault.kind for fault in faults] == [kind]
    assert message in faults[0].what
    assert faults[0].where == f"{run / 'fold0' / EPISODES}: line 2"
    with pytest.raises(IcvosError, match="line 2"):
        score_images(tiny, run, NATIVE)


def test_an_episode_that_is_there_twice_is_a_fault(tiny: ImageBenchmark, tmp_path: Path) -> None:
    run = write_fold(tmp_path / "run", right_line(tiny) + right_line(tiny, seconds=3))
    assert "duplicate" in {fault.kind for fault in check_images(tiny, run)}
    with pytest.raises(PredictionError, match="episode 0 is there already"):
        list(right_answers(run / "fold0" / EPISODES, tiny.episodes(0)))


def test_true_masks_are_a_warning(tiny: ImageBenchmark, tmp_path: Path) -> None:
    answers = [
        Answer(episode.index, episode.kind, encode_rle(episode.query.mask(episode.kind)), None, "").line()
        for episode in tiny.episodes(0)
    ]
    run = write_fold(tmp_path / "run", b"".join(answers))
    assert [(fault.kind, fault.severity) for fault in check_images(tiny, run)] == [
        ("missing-fold", "warning"),
        ("truth", "warning"),
    ]


def test_long_lines_many_lines_and_things_that_are_no_files(
    tiny: ImageBenchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = write_fold(tmp_path / "run", b"x" * (MAX_LINE_BYTES + 10))
    assert [fault.kind for fault in check_images(tiny, run)] == ["missing-fold", "limit"]
    write_fold(run, b"{}\n" * 3000)
    kinds = [fault.kind for fault in check_images(tiny, run)]
    assert len(kinds) < 1100
    assert kinds[-1] == "limit"
    monkeypatch.setattr("icvos.tasks.image.predictions.MAX_LINES", 10)
    write_fold(run, right_line(tiny) + b"{}\n" * 20)
    assert "limit" in [fault.kind for fault in check_images(tiny, run)]
    (run / "fold0" / EPISODES).unlink()
    (run / "fold0" / EPISODES).mkdir()
    assert [fault.kind for fault in check_images(tiny, run)] == ["missing-fold", "unreadable"]


@pytest.mark.parametrize(
    "record", ["{", "[]", '{"shots": 0}', "{}", '{"shots": 1, "benchmark": {"digest": "sha256:0"}}']
)
def test_records_are_checked(tiny: ImageBenchmark, tmp_path: Path, record: str) -> None:
    run = write_fold(tmp_path / "run", right_line(tiny))
    (run / "fold0" / "run.json").write_text(record)
    faults = [fault for fault in check_images(tiny, run) if fault.severity == "error"]
    assert [fault.kind for fault in faults] == ["digest" if "digest" in record else "record"]


@given(lines=st.lists(st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()), max_size=6))
@BOUNDED
def test_any_bytes(tiny: ImageBenchmark, tmp_path: Path, lines: list[bytes]) -> None:
    run = write_fold(tmp_path / "run", b"\n".join(lines) + b"\n")
    assert all(isinstance(fault, Fault) for fault in check_images(tiny, run))
    with pytest.raises(IcvosError):
        score_images(tiny, run, NATIVE)


@given(mask=JSON, seconds=JSON, kind=JSON)
@BOUNDED
def test_any_values(tiny: ImageBenchmark, tmp_path: Path, mask: Any, seconds: Any, kind: Any) -> None:
    run = write_fold(
        tmp_path / "run", right_line(tiny, mask=mask) + right_line(tiny, seconds=seconds, **{"class": kind})
    )
    assert any(fault.severity == "error" for fault in check_images(tiny, run))


@given(
    before=st.integers(0, 3), tail=st.binary(max_size=40).filter(lambda tail: b"\n" not in tail and b"{" not in tail)
)
@BOUNDED
def test_a_line_that_is_cut_off_is_dropped(tmp_path: Path, before: int, tail: bytes) -> None:
    path = tmp_path / EPISODES
    path.write_bytes(b"line\n" * before + tail)
    end_last_line(path)
    assert path.read_bytes() == b"line\n" * before
    end_last_line(tmp_path / "absent")


def test_a_last_line_that_only_lacks_its_end_counts(tiny: ImageBenchmark, tmp_path: Path) -> None:
    first, last = right_line(tiny), right_line(tiny, 1)
    path = tmp_path / EPISODES
    for length in range(len(last)):
        path.write_bytes(first + last[:length])
        whole = length == len(last) - 1
        assert len(list(read_answers(path))) == 1 + whole
        end_last_line(path)
        assert path.read_bytes() == (first + last if whole else first)
    path.write_bytes(first + b'{"episode": 1}')
    assert [type(found) for found in read_answers(path)] == [Answer, Fault]


@pytest.mark.parametrize("repeated", ['"episode": 0', '"class": 2', '"mask": {"size": [52, 80], "counts": [4160]}'])
def test_a_key_that_a_line_has_twice_is_a_fault(tiny: ImageBenchmark, tmp_path: Path, repeated: str) -> None:
    line = right_line(tiny)
    (tmp_path / EPISODES).write_bytes(b"{" + repeated.encode() + b", " + line[1:])
    (fault,) = read_answers(tmp_path / EPISODES)
    assert isinstance(fault, Fault)
    assert "occurs twice in one object" in fault.what
