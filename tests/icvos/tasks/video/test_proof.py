"""A result proves itself: whatever is changed in its figures, or in what they are made of, is named."""

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from icvos.errors import IcvosError
from icvos.protocol import NATIVE, PAPER
from icvos.tasks.task import parse_result
from icvos.tasks.video import result
from icvos.tasks.video.means import summarise
from icvos.tasks.video.result import VideoResult
from icvos.tasks.video.score import score
from tests import Json
from tests.icvos.handmade import write_benchmark, write_predictions

FIGURES = ("overall", "categories", "sources", "analysis")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Json:
    """A result of two draws, as it is written."""
    benchmark, run = write_benchmark(tmp_path_factory.mktemp("benchmark")), tmp_path_factory.mktemp("run")
    for draw in (0, 1):
        write_predictions(benchmark, run / f"draw{draw}", draw)
    return score(benchmark, run, PAPER).to_result().to_json()


@pytest.fixture(scope="module")
def sound(small: Json) -> Json:
    """The same over more videos, so that there is an interval."""
    found = VideoResult.model_validate_json(json.dumps(small))
    clips = {key.replace("/", f"-{n}/"): clip for key, clip in found.clips.items() for n in range(3)}
    sources = {key: key.partition("_")[0] for key in clips}
    whole = result.BenchmarkCounts(clips=len(clips), draws=2)
    more = summarise(clips, sources, protocol=NATIVE.id, digest=found.digest, run=found.run, benchmark=whole)
    return json.loads(json.dumps(more.to_json()))  # type: ignore[no-any-return]


def leaves(value: object, *way: str | int) -> Iterator[tuple[str | int, ...]]:
    """The ways to all numbers in a JSON value."""
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(inner, *way, key)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield way


def changed(value: Json, way: tuple[str | int, ...], new: object) -> Json:
    found: Json = copy.deepcopy(value)
    part = found
    for key in way[:-1]:
        part = part[key]  # type: ignore[index]
    if new is None:
        del part[way[-1]]  # type: ignore[arg-type]
    else:
        part[way[-1]] = new  # type: ignore[index]
    return found


def test_a_sound_result_is_read_as_it_is(sound: Json, small: Json) -> None:
    for value in (sound, small):
        assert parse_result(value, "x").to_json() == value


def test_every_changed_figure_is_refused_by_its_key(sound: Json) -> None:
    seen = set()
    for part in FIGURES:
        for way in leaves(sound[part], part):
            old = json.loads(json.dumps(sound))
            for key in way:
                old = old[key]
            new = old + 1 if isinstance(old, int) else old - 1e-6 if old > 0.5 else old + 1e-6
            with pytest.raises(IcvosError) as caught:
                parse_result(changed(sound, way, new), "x.json")
            words = str(caught.value)
            assert words.startswith("x.json: ")
            assert words.endswith("; score the predictions again with icvos score")
            assert str(way[0]) in words or "partial" in words, words
            seen.add(tuple(key for key in way if isinstance(key, str))[-1])
    assert seen > {"j", "jf", "j_recall", "f_decay", "clips", "videos", "frames", "draw", "class", "level", "samples"}


@pytest.mark.parametrize("field", ["j", "f", "j_recall", "f_recall", "j_decay", "f_decay", "frames"])
def test_a_changed_clip_is_noticed(sound: Json, field: str) -> None:
    for clip, found in sound["clips"].items():
        new = found[field] + (1 if field == "frames" else 0.01)
        with pytest.raises(IcvosError, match=r"^x: (clips\.|overall\.)"):
            parse_result(changed(sound, ("clips", clip, field), new), "x")


@pytest.mark.parametrize(
    ("way", "new", "words"),
    [
        (("clips",), {}, "clips is empty, and without clips no figure can be made anew"),
        (("clips", "davis_dog-0/17"), None, "overall.j does not follow from the clips"),
        (("clips", "davis_dog-0/17", "draws", 0, "j"), 0.9, "clips.davis_dog-0/17.j is not the mean of its draws"),
        (("clips", "davis_dog-0/17", "draws", 0, "draw"), 4, "clips.davis_dog-1/17.draws are others than those"),
        (("clips", "davis_dog-0/17", "draws", 1, "draw"), 0, "clips.davis_dog-1/17.draws are others than those"),
        (("clips", "davis_dog-0/17", "draws", 1), None, "clips.davis_dog-0/17.j is not the mean of its draws"),
        (("clips", "davis_dog-0/17", "shown"), 6, "clips.davis_dog-0/17.shown is more than its frames"),
        (("clips", "davis_dog-0/17", "shown"), 0, "clips.davis_dog-0/17.area does not agree with shown"),
        (("clips", "davis_dog-0/17", "draws", 0, "equal"), 5, "clips.davis_dog-0/17.draws[0].equal contradicts"),
        (("clips", "davis_dog-0/17", "draws", 0, "equal"), None, "clips.davis_dog-0/17.draws[0].equal is missing"),
        (("categories", "dog"), None, "categories.dog is missing"),
        (("sources", "mose"), None, "sources.mose is missing"),
        (("analysis", "length", "under 50 frames"), None, ""),
        (("analysis", "instances", "unknown"), None, ""),
        (("categories", "zebra"), {"j": 1, "f": 1, "jf": 1, "clips": 1}, "categories.zebra does not follow"),
        (("sources", "ytvos"), {"j": 1, "f": 1, "jf": 1, "clips": 1}, "sources.ytvos does not follow"),
        (("analysis", "ceiling"), {"clips": 1, "j": 1, "f": 1, "jf": 1, "share": {"j": 1, "f": 1, "jf": 1}}, "ceiling"),
        (("partial",), True, "partial does not agree with overall.clips and benchmark.clips"),
        (("benchmark", "clips"), 40, "partial does not agree with overall.clips and benchmark.clips"),
        (("benchmark", "clips"), 3, "overall.clips is more than benchmark.clips"),
        (("benchmark", "draws"), 1, "overall.draws has draw 1, the benchmark has 1"),
        (("overall", "interval", "samples"), 2000, "overall.interval.samples does not follow"),
        (("overall", "draws"), [], "overall.draws does not follow from the clips"),
    ],
)
def test_what_contradicts_itself_is_refused(sound: Json, way: tuple[str | int, ...], new: object, words: str) -> None:
    broken = changed(sound, way, new)
    if not words:  # left out as a whole, as older programs did
        parse_result(broken, "x")
        return
    with pytest.raises(IcvosError) as caught:
        parse_result(broken, "x")
    assert words in str(caught.value)


@pytest.mark.parametrize("clip", ["davis_dog/99", "davis_dog/dog", "davis_dog/017", "/17", "dog"])
def test_clips_are_videos_and_classes(sound: Json, clip: str) -> None:
    broken = changed(sound, ("clips", clip), sound["clips"]["davis_dog-0/17"])
    with pytest.raises(IcvosError):
        parse_result(broken, "x")


def test_older_results_without_single_draws_are_proved_by_their_clips(sound: Json) -> None:
    old = copy.deepcopy(sound)
    for clip in old["clips"].values():
        del clip["draws"], clip["shown"]
    with pytest.raises(IcvosError, match=r"overall\.draws does not follow from the clips"):
        parse_result(old, "x")
    for key in ("draws", "interval"):
        del old["overall"][key]
    parse_result(old, "x")
    with pytest.raises(IcvosError, match=r"x: overall\.j_recall does not follow"):
        parse_result(changed(old, ("overall", "j_recall"), 0.123), "x")


def test_the_sources_of_a_published_copy_are_guessed_from_names() -> None:
    clip = result.Clip(j=0.5, f=0.5, jf=0.5, frames=3, draws=(result.ClipDraw(draw=0, j=0.5, f=0.5),))
    clips = {"dog/17": clip, "0a43a414/1": clip, "0tCWPOrc/9": clip}
    sources = {"dog/17": "davis", "0a43a414/1": "mose", "0tCWPOrc/9": "lvos"}
    found = summarise(clips, sources, protocol=PAPER.id, digest=None, run=result.RunRecord())
    parse_result(found.to_json(), "x")


def test_files_are_proved_when_they_are_read(sound: Json, tmp_path: Path) -> None:
    from icvos.tasks.task import read_result
    from leaderboard.entry import read_entry

    (tmp_path / "scores.json").write_text(json.dumps(changed(sound, ("overall", "j"), sound["overall"]["j"])))
    read_result(tmp_path / "scores.json")
    broken = changed(sound, ("sources", "lvos", "clips"), 1)
    (tmp_path / "scores.json").write_text(json.dumps(broken))
    on_board = {"format": 1, "name": "x", "revision": "1", "scores": broken}
    (tmp_path / "x.json").write_text(json.dumps(on_board))
    for read, name in ((read_result, "scores.json"), (read_entry, "scores.json"), (read_entry, "x.json")):
        with pytest.raises(IcvosError, match=r"sources\.lvos\.clips does not follow from the clips"):
            read(tmp_path / name)  # type: ignore[operator]


def test_clips_without_counted_frames_are_refused_by_name(sound: Json) -> None:
    name = next(iter(sound["clips"]))
    with pytest.raises(IcvosError, match=re.escape(f"clips.{name}.frames is missing")):
        parse_result(changed(sound, ("clips", name, "frames"), None), "scores.json")
