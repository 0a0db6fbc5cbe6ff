"""Files of results and of boards: those of icvos 0.1.0 open, and what no table should show is refused by name."""

import json
from pathlib import Path
from typing import Any

import pytest

from icvos.errors import IcvosError
from icvos.tasks.result import MAX_BYTES
from leaderboard.entry import read_entry
from leaderboard.tables.build import build_tables
from tests import Json
from tests.leaderboard.image_results import make_image_scores

PAIR = {"j": 0.5, "f": 0.25, "jf": 0.375}
SPREAD = {"j_recall": 0.5, "f_recall": 0.0, "j_decay": -0.125, "f_decay": 0.25}
RECORD = {
    "format": 1,
    "method": "lite",
    "settings": {"top_k": 10, "nested": {"radius": [12]}},
    "weights": [{"name": "efficientnet-lite0", "sha256": "ab" * 32}],
    "sees_truth": False,
    "benchmark": {"digest": "sha256:" + "01" * 32, "clips": 2},
    "draw": 0,
    "shots": 1,
    "seed": 0,
    "device": "cpu",
    "dtype": "float32",
    "versions": {"icvos": "0.1.0", "python": "3.11.9"},
    "started": "2026-01-30T10:00:00+00:00",
    "finished": "2026-01-31T11:00:00+00:00",
    "frames": 7,
    "seconds_per_frame": 0.25,
    "clips": {"davis_dog/17": {"frames": 7, "seconds": 1.75, "remarks": ["blinked"]}},
}


def video_scores(facts: bool) -> Json:
    """``scores.json`` of one clip as 0.1.0 wrote it, with or without what an analysis needs."""
    clip: Json = {**PAIR, "frames": 7, **SPREAD}
    more: Json = {}
    if facts:
        absence = {**PAIR, "runs": 2, "frames": 3}
        clip |= {"area": 0.002, "instances": None, "first": {"j": 1.0, "f": 1.0, "jf": 1.0}, "after": PAIR}
        clip |= {"disappearance": absence, "reappearance": None, "draws": [{"draw": 0, "j": 0.5, "f": 0.25}]}
        group = {**PAIR, "clips": 1, "frames": 7}
        more["analysis"] = {
            "length": {"under 50 frames": group},
            "area": {"under 0.25 %": group},
            "instances": {"unknown": group},
            "disappearance": {**PAIR, "clips": 1, "runs": 2, "frames": 3},
            "reappearance": None,
            "propagation": {
                "clips": 1,
                "first": {"j": 1.0, "f": 1.0, "jf": 1.0},
                "after": PAIR,
                "drop": {"j": 0.5, "f": 0.75, "jf": 0.625},
            },
        }
    bounds = {"j": [0.5, 0.5], "f": [0.25, 0.25], "jf": [0.375, 0.375]}
    return {
        "format": 1,
        "protocol": "paper@1",
        "digest": "sha256:" + "01" * 32,
        "overall": {
            **PAIR,
            **SPREAD,
            "clips": 1,
            "videos": 1,
            "frames": 7,
            "draws": [{"draw": 0, **PAIR}],
            "interval": {"level": 0.95, "samples": 1000, **bounds},
        },
        "categories": {"dog": {"class": 17, **PAIR, **SPREAD, "clips": 1, "frames": 7}},
        "sources": {"davis": {**PAIR, **SPREAD, "clips": 1, "frames": 7}},
        "clips": {"davis_dog/17": clip},
        **more,
        "run": RECORD,
    }


def on_board(scores: Json, **more: Any) -> Json:
    """A board's file as 0.1.0 wrote it."""
    head = {"format": 1, "name": "lite", "revision": "2", "notes": "n", "added": "2026-02-01T00:00:00+00:00"}
    return {**head, "benchmark": {"clips": 2}, "scores": scores, **more}


OLD = {
    "videos": (video_scores(facts=False), "2026-01-31"),
    "videos with facts": (video_scores(facts=True), "2026-01-31"),
    "videos without a record": ({**video_scores(facts=False), "run": {}}, "2026-02-01"),
    "images": (make_image_scores(), "2026-01-31"),
    "one fold": (make_image_scores(folds=1, episodes=7, shots=5), "2026-01-30"),
}


@pytest.mark.parametrize(("scores", "date"), OLD.values(), ids=OLD)
def test_files_of_0_1_0_open_and_nothing_of_them_is_lost(tmp_path: Path, scores: Json, date: str) -> None:
    run, board = tmp_path / "run" / "scores.json", tmp_path / "board" / "x.json"
    for path, value in ((run, scores), (board, on_board(scores))):
        path.parent.mkdir()
        path.write_text(json.dumps(value))
    lone, stored = read_entry(run), read_entry(board)
    assert lone.result.to_json() == stored.result.to_json() == scores
    assert (lone.name, lone.revision, lone.added) == ("lite" if lone.records else "run", "", "")
    assert (stored.name, stored.revision, stored.notes, stored.declared_clips) == ("lite", "2", "n", 2)
    assert stored.date == date
    (table,) = build_tables([lone, stored])
    assert len(table.measured) == 2


def test_a_file_without_what_may_be_absent_opens(tmp_path: Path) -> None:
    bare = video_scores(facts=False)
    for key in ("categories", "sources", "run"):
        del bare[key]
    for key in ("draws", "interval", *SPREAD):
        del bare["overall"][key]
    (tmp_path / "x.json").write_text(json.dumps({"format": 1, "name": "x", "revision": "1", "scores": bare}))
    entry = read_entry(tmp_path / "x.json")
    assert entry.result.to_json() == bare
    assert (entry.notes, entry.added, entry.date, entry.device, entry.sees_truth) == ("", "", "", "", False)


def changed(value: Json, where: str, new: Any) -> Json:
    """``value`` with the part at ``where`` replaced, or removed where ``new`` is None."""
    *parents, last = where.split(".")
    part = value
    for parent in parents:
        part = part[parent]
    if new is None:
        del part[last]
    else:
        part[last] = new
    return value


@pytest.mark.parametrize(
    ("where", "new", "words"),
    [
        ("format", 2, "format is 2, this icvos reads 1"),
        ("format", True, "format is true, this icvos reads 1"),
        ("format", 1.0, "format is 1.0, this icvos reads 1"),
        ("format", None, "format is missing"),
        ("run.format", True, "run.format is true, this icvos reads 1"),
        ("protocol", "foo@1", "protocol is foo@1, this icvos knows paper@1, native@1"),
        ("protocol", "paper@2", "protocol is paper@2, this icvos knows paper@1, native@1"),
        ("protocol", "../x@1", 'protocol is "../x@1", should match'),
        ("protocol", 3, "protocol is 3, should be a valid string"),
        ("digest", "md5:1", 'digest is "md5:1", should match'),
        ("digest", "sha256:ABCDEF012", "digest is"),
        ("digest", None, "digest is missing"),
        ("surprise", 1, "surprise is not a key of a result"),
        ("overall", [], "overall is not a JSON object"),
        ("overall.j", 61.2, "overall.j is 61.2, should be less than"),
        ("overall.j", "0.5", 'overall.j is "0.5", should be a valid number'),
        ("overall.j", True, "overall.j is true, should be a valid number"),
        ("overall.jf", 0.99, "overall has a jf that is not the mean of its j and f"),
        ("overall.clips", 0, "overall.clips is 0, should be greater than 0"),
        ("overall.clips", 2.5, "overall.clips is 2.5"),
        ("overall.videos", None, "overall.videos is missing"),
        ("overall.draws", {"a": 1}, 'overall.draws is {"a": 1}, should be a valid array'),
        ("overall.draws", [{"j": 2}], "overall.draws[0].j is 2"),
        ("overall.interval.jf", [0.6, 0.5], "overall.interval.jf is not [low, high]"),
        ("overall.interval.jf", [0.6], "overall.interval.jf[1] is missing"),
        ("overall.interval.jf", [0.5, 1.5], "overall.interval.jf[1] is 1.5"),
        ("overall.interval.level", None, "overall.interval.level is missing"),
        ("overall.interval.level", 1, "overall.interval.level is 1, should be less than 1"),
        ("overall.j_recall", "high", "overall.j_recall is"),
        ("categories", [], "categories is not a JSON object"),
        ("categories.dog.f", -0.1, "categories.dog.f is -0.1, should be greater than"),
        ("categories.dog.clips", "many", "categories.dog.clips is"),
        ("sources.a\nb", {**PAIR, "clips": 1}, "sources.a?b is not printable or longer than 200 characters"),
        ("sources." + "x" * 201, {**PAIR, "clips": 1}, "is not printable or longer than 200 characters"),
        ("sources.davis.f_decay", 2, "sources.davis.f_decay is 2"),
        ("clips.davis_dog/17.j", None, "clips.davis_dog/17.j is missing"),
        ("clips.davis_dog/17.frames", "all", "clips.davis_dog/17.frames is"),
        ("clips.davis_dog/17.instances", 0, "clips.davis_dog/17.instances is 0"),
        ("clips.davis_dog/17.area", 1.5, "clips.davis_dog/17.area is 1.5"),
        ("clips.davis_dog/17.area", "large", "clips.davis_dog/17.area is"),
        ("clips.davis_dog/17.first", {"j": 1, "f": 1}, "clips.davis_dog/17.first.jf is missing"),
        ("clips.davis_dog/17.after", [], "clips.davis_dog/17.after is not a JSON object"),
        ("clips.davis_dog/17.reappearance", {**PAIR, "frames": 2}, "17.reappearance.runs is missing"),
        ("analysis", [], "analysis is not a JSON object"),
        ("analysis.length", [], "analysis.length is not a JSON object"),
        ("analysis.length.x\x1b", {**PAIR, "clips": 1}, "analysis.length.x? is not printable"),
        ("analysis.area.1-4 %", PAIR, "analysis.area.1-4 %.clips is missing"),
        ("analysis.instances.1", {**PAIR, "j": 2, "clips": 1}, "analysis.instances.1.j is 2"),
        ("analysis.reappearance", 0.5, "analysis.reappearance is not a JSON object"),
        ("analysis.propagation", [0.5], "analysis.propagation is not a JSON object"),
        ("analysis.propagation", {"clips": 2}, "analysis.propagation.first is missing"),
        ("run", [], "run is not a JSON object"),
        ("run.shots", "many", 'run.shots is "many", should be a valid integer'),
        ("run.seconds_per_frame", -1, "run.seconds_per_frame is -1"),
        ("run.sees_truth", "yes", 'run.sees_truth is "yes", should be a valid boolean'),
        ("run.benchmark", 3, "run.benchmark is not a JSON object"),
        ("task", "images", "task is not one of image, video"),
        ("task", ["image"], "task is not one of image, video"),
    ],
)
def test_scores_that_no_table_should_show_are_refused(tmp_path: Path, where: str, new: Any, words: str) -> None:
    broken = changed(json.loads(json.dumps(video_scores(facts=True))), where, new)
    for name, value, inside in (("scores.json", broken, ""), ("x.json", on_board(broken), "scores: ")):
        path = tmp_path / name
        path.write_text(json.dumps(value))
        with pytest.raises(IcvosError) as caught:
            read_entry(path)
        message = str(caught.value)
        assert message.startswith(f"{path}: {inside}")
        assert words in message
        assert message.endswith("; score the predictions again with icvos score")
        assert message.isprintable()


@pytest.mark.parametrize(
    ("where", "new", "words"),
    [
        ("format", 9, "format is 9, this icvos reads 1"),
        ("format", True, "format is true, this icvos reads 1"),
        ("format", None, "format is missing"),
        ("name", 3, "name is 3, should be a valid string"),
        ("name", "", "name is empty or begins or ends with a space"),
        ("name", "x" * 81, "name is longer than 80 characters or not printable"),
        ("name", "a\x1b[31m", "name is longer than 80 characters or not printable"),
        ("revision", None, "revision is missing"),
        ("revision", " 1", "revision is empty or begins or ends with a space"),
        ("notes", [], "notes is [], should be a valid string"),
        ("added", 2026, "added is 2026, should be a valid string"),
        ("benchmark", 2, "benchmark is not a JSON object"),
        ("benchmark.clips", 0, "benchmark.clips is 0, should be greater than 0"),
        ("scores", [], "scores is not a JSON object"),
        ("surprise", 1, "surprise is not a key of a result on a board"),
    ],
)
def test_files_of_a_board_are_checked_whole(tmp_path: Path, where: str, new: Any, words: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps(changed(on_board(video_scores(facts=False)), where, new)))
    with pytest.raises(IcvosError) as caught:
        read_entry(path)
    assert str(caught.value).startswith(f"{path}: {words}")
    assert str(caught.value).isprintable()


DEEP = "[" * 200_000 + "]" * 200_000
SCORES = json.dumps(video_scores(facts=False))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "cannot be read"),
        ("[]", "not a result"),
        ('{"a": 1}', "not a result"),
        (DEEP, "recursion limit exceeded"),
        (SCORES.replace('"top_k": 10', f'"top_k": {DEEP}'), "recursion limit exceeded"),
        (SCORES.replace("efficientnet-lite0", "\\ud800"), "cannot be read"),
        (SCORES.replace("efficientnet-lite0", "\udcff"), "cannot be read"),
        (SCORES.replace('"top_k": 10', '"top_k": NaN'), "cannot be read"),
        (SCORES.replace('"top_k": 10', '"top_k": -Infinity'), "cannot be read"),
        (SCORES.replace('"top_k": 10', f'"top_k": {"9" * 5000}'), "cannot be read"),
        (SCORES.replace('"j": 0.5', '"j": NaN'), "cannot be read"),
    ],
    ids=[
        "cut",
        "list",
        "other",
        "deep",
        "deep inside",
        "surrogate",
        "no UTF-8",
        "NaN",
        "infinite",
        "huge",
        "NaN figure",
    ],
)
def test_files_that_are_no_results_are_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "scores.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(IcvosError, match=words) as caught:
        read_entry(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert len(str(caught.value)) < 1000


def test_a_file_far_too_large_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(IcvosError, match="larger than 64 MiB"):
        read_entry(path)


@pytest.mark.parametrize(("method", "words"), [("x" * 81, "longer than 80 characters"), ("a\x7f", "not printable")])
def test_a_run_is_named_by_its_method_if_that_can_be_shown(tmp_path: Path, method: str, words: str) -> None:
    scores = video_scores(facts=False)
    (tmp_path / "scores.json").write_text(json.dumps(scores | {"run": RECORD | {"method": method}}))
    with pytest.raises(IcvosError, match=words) as caught:
        read_entry(tmp_path / "scores.json")
    assert str(caught.value).startswith(f"{tmp_path / 'scores.json'}: the method's name is")
