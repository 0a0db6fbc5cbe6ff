"""All clips of a video in one pass: the masks that each has alone, and what becomes of the others where one fails."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from icvos.errors import IcvosError
from icvos.files.images import read_image
from icvos.files.masks import read_binary
from icvos.guard import Asked
from icvos.method import Image, Mask, Prompt, Support, load_method, segment
from icvos.protocol import NATIVE
from icvos.tasks.runs import RunOptions
from icvos.tasks.video import together
from icvos.tasks.video.benchmark import Benchmark
from icvos.tasks.video.predict import run
from icvos.tasks.video.together import Followed, Made, Maker, Work, follow, groups

torch = pytest.importorskip("torch", reason="the methods need torch: pip install 'icvos[models]'")

VIDEO, OTHER = "davis_dog-walk", "davis_car-park"  # of two categories each
SMALL = {"device": "cpu", "short_side": 96}
NANO = {"device": "cpu", "sam2": "sam2-nano"}
METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    "lite": ("lite", SMALL),
    "oracle by affinity": ("oracle", SMALL),
    "oracle by SAM 2": ("oracle", NANO),
    "memory": ("memory", NANO),
    "dcsam by affinity": ("dcsam", SMALL | {"checkpoint": "dcsam-nano", "sam2": "affinity"}),
    "persam by affinity": ("persam", SMALL | {"sam": "sam2-nano", "sam2": "affinity"}),
    "persam by SAM 2": ("persam", NANO | {"sam": "sam2-nano"}),
    "vrp-sam by affinity": ("vrp-sam", SMALL | {"checkpoint": "vrp-sam-nano", "sam": "sam2-nano", "sam2": "affinity"}),
}


def predicted(benchmark: Benchmark, out: Path, options: RunOptions, *videos: str) -> tuple[int, ...]:
    return run(benchmark, benchmark.select(videos or (VIDEO,)), out, options)


def options(name: str = "oracle by affinity", **others: Any) -> RunOptions:
    method, settings = METHODS[name]
    return RunOptions(method, settings, protocols=(NATIVE,), **others)


def masks(run: Path) -> dict[str, bytes]:
    return {str(path.relative_to(run)): path.read_bytes() for path in sorted(run.rglob("*.png"))}


def record(out: Path, draw: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / f"draw{draw}" / "run.json").read_text())
    return found


@pytest.mark.parametrize("name", METHODS)
def test_masks_are_those_of_every_clip_alone(name: str, benchmark: Benchmark, tmp_path: Path) -> None:
    method, settings = METHODS[name]
    shots = 2 if method == "lite" else 1
    draws = predicted(benchmark, tmp_path, options(name, shots=shots, parts=None if method == "oracle" else (0, 3)))
    clips = benchmark.select((VIDEO,))
    assert len(clips) == 2
    different, other = set(), load_method(method, settings)
    for draw in draws:
        for clip in clips:
            supports = benchmark.supports(clip, draw, shots)
            if method == "oracle":
                supports = (Support("truth", clip.video.frame_paths[0], clip.mask_path(clip.video.frames[0])),)
            alone = segment(other, supports, map(read_image, clip.video.frame_paths))
            for frame, mask in zip(clip.video.frames, alone, strict=True):
                found = read_binary(tmp_path / f"draw{draw}" / clip.id / f"{frame}.png")
                assert np.array_equal(found, mask), (draw, clip.id, frame)
            different.add(found.tobytes())
    assert len(different) > 1


def counted(monkeypatch: pytest.MonkeyPatch, owner: object, name: str, key: Callable[..., object]) -> Counter[object]:
    """How often a function is called, by what ``key`` makes of its arguments."""
    real, calls = getattr(owner, name), Counter[object]()

    def counting(*arguments: Any, **named: Any) -> Any:
        calls[key(*arguments)] += 1
        return real(*arguments, **named)

    monkeypatch.setattr(owner, name, counting)
    return calls


def test_a_frame_is_read_and_encoded_once_and_a_support_too(
    benchmark: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from baselines.lite import Lite
    from icvos.models.affinity import AffinityPropagator, Votes

    read = counted(monkeypatch, together, "read_ahead", lambda paths: tuple(paths))
    encoded = counted(monkeypatch, AffinityPropagator, "_features_of", lambda _, frame: frame.tobytes())
    seen = counted(monkeypatch, Lite, "_support_of", lambda _, support: support.mask_path)
    voted = counted(monkeypatch, Votes, "_similarity", lambda votes, *place: (votes.features.numpy().tobytes(), place))
    predicted(benchmark, tmp_path, options("lite", parts=(0, 1, 2)), VIDEO, OTHER)
    clips = benchmark.select((VIDEO, OTHER))
    assert sorted(read.values()) == [1, 1]
    assert set(encoded.values()) == {1}
    assert len(encoded) == sum({clip.video.name: len(clip.video.frames) for clip in clips}.values())
    wanted = {benchmark.supports(clip, draw, 1)[0].mask_path for clip in clips for draw in range(3)}
    assert set(seen) == wanted
    assert set(seen.values()) == {1}
    assert set(voted.values()) == {1}


@pytest.mark.parametrize("name", ["oracle by SAM 2", "memory"])
def test_sam2_encodes_a_frame_once(
    name: str, benchmark: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from icvos.models.sam.propagation import Sam2Propagator

    encoded = counted(monkeypatch, Sam2Propagator, "_features_of", lambda _, frame: frame.shape[:2])
    predicted(benchmark, tmp_path, options(name))
    (clip, _) = benchmark.select((VIDEO,))
    supports = 2 * benchmark.draws if name == "memory" else 0
    assert encoded[clip.video.size] + supports == len(clip.video.frames) + supports
    assert encoded.total() == len(clip.video.frames) + supports


def test_only_what_is_missing_of_a_video_is_run_again(
    benchmark: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = options("lite", parts=(0, 1))
    predicted(benchmark, tmp_path, chosen)
    before, clips = masks(tmp_path), benchmark.select((VIDEO,))
    lost, kept = tmp_path / "draw1" / clips[0].id / f"{clips[0].video.frames[2]}.png", record(tmp_path)["clips"]
    lost.unlink()
    ran = list[str]()
    real = together._write

    def noted(item: Work, *arguments: Any) -> Any:
        ran.append(f"draw{item.draw}/{item.clip.id}")
        return real(item, *arguments)

    monkeypatch.setattr(together, "_write", noted)
    predicted(benchmark, tmp_path, chosen)
    assert ran == [f"draw1/{clips[0].id}"]
    assert masks(tmp_path) == before
    assert record(tmp_path)["clips"] == kept


def failing(monkeypatch: pytest.MonkeyPatch, wrong: Callable[[], object], category: int = 17) -> None:
    """Let the oracle's prompt of one category go wrong."""
    from baselines.oracle import Oracle

    real = Oracle.prompt

    def prompt(self: Oracle, supports: Sequence[Support], frame: Image) -> Prompt:
        if supports[0].mask_path.parent.name == str(category):
            wrong()
        return real(self, supports, frame)

    monkeypatch.setattr(Oracle, "prompt", prompt)


def test_a_clip_that_fails_costs_the_others_nothing(
    benchmark: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        failing(patch, lambda: 1 // 0)
        with pytest.raises(IcvosError, match=f"method oracle failed on {VIDEO}/17: ZeroDivisionError"):
            predicted(benchmark, tmp_path / "run", options())
    assert list(record(tmp_path / "run")["clips"]) == [f"{VIDEO}/1"]
    assert not (tmp_path / "run" / "draw0" / VIDEO / "17").exists()
    assert not list((tmp_path / "run" / ".partial").iterdir())
    predicted(benchmark, tmp_path / "run", options())
    predicted(benchmark, tmp_path / "whole", options())
    assert masks(tmp_path / "run") == masks(tmp_path / "whole")


def test_a_clip_that_takes_too_long_costs_the_others_nothing(
    benchmark: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(chosen: RunOptions, what: str = "") -> Asked:
        return Asked(chosen.method, what, 0.3 if what.endswith("/17") else None)  # the other has time on any machine

    failing(monkeypatch, lambda: time.sleep(60))
    monkeypatch.setattr(RunOptions, "asked", asked)
    with pytest.raises(IcvosError, match=rf"gave no answer within 0\.3 s for {VIDEO}/17 \(--timeout\)"):
        predicted(benchmark, tmp_path, options())
    assert list(record(tmp_path)["clips"]) == [f"{VIDEO}/1"]


def test_an_interrupt_loses_the_video_that_is_running_and_no_other(
    benchmark: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt() -> None:
        if record(tmp_path)["clips"]:
            raise KeyboardInterrupt

    failing(monkeypatch, interrupt)
    failing(monkeypatch, interrupt, 16)
    with pytest.raises(KeyboardInterrupt, match="2 of 4 clips are done"):
        predicted(benchmark, tmp_path, options(), VIDEO, OTHER)
    assert list(record(tmp_path)["clips"]) == [f"{OTHER}/3", f"{OTHER}/16"]
    assert not list((tmp_path / ".partial").iterdir())


def test_a_frame_that_cannot_be_read_stops_the_video_in_one_line(
    benchmark: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = together.read_ahead

    def broken(paths: Sequence[Path]) -> Iterator[Image]:
        return real([*paths[:3], tmp_path / "gone.jpg", *paths[4:]])

    monkeypatch.setattr(together, "read_ahead", broken)
    with pytest.raises(IcvosError, match=r"gone\.jpg: no such file"):
        predicted(benchmark, tmp_path / "run", options())
    assert not record(tmp_path / "run")["clips"]
    assert not list((tmp_path / "run" / ".partial").iterdir())


def test_the_seconds_of_a_clip_are_its_share_of_the_pass(benchmark: Benchmark, tmp_path: Path) -> None:
    predicted(benchmark, tmp_path, options("lite", parts=(0, 1)))
    of_each = {one["seconds"] for draw in (0, 1) for one in record(tmp_path, draw)["clips"].values()}
    assert len(of_each) == 1
    assert of_each.pop() > 0


class Bright:
    """A method that shares nothing; it takes a frame ahead, which nobody forbids it where it runs alone."""

    def segment(self, supports: Sequence[Support], frames: Iterable[Image]) -> Iterator[Mask]:  # noqa: ARG002
        held: Image | None = None
        for frame in frames:
            if held is not None:
                yield held.mean(axis=2) > 100
            held = frame
        if held is not None:
            yield held.mean(axis=2) > 100


class Hasty(Bright):
    def siblings(self, count: int) -> Sequence["Hasty"]:
        return [self] * count


class OnlyChild(Bright):
    def siblings(self, count: int) -> Sequence["OnlyChild"]:  # noqa: ARG002
        return [self]


def work(benchmark: Benchmark, out: Path) -> list[Work]:
    return [
        Work(draw, clip, len(clip.video.frames), out / f"draw{draw}" / clip.id, done=False)
        for draw in (0, 1)
        for clip in benchmark.select((VIDEO,))
    ]


def followed(benchmark: Benchmark, method: Bright, items: Sequence[Work], out: Path) -> list[Any]:
    maker = Maker(benchmark, method, RunOptions("m"), out)
    return [news for _, news in follow([Followed(maker, items, lambda: None)])]


def test_a_method_that_shares_nothing_runs_every_clip_by_itself(benchmark: Benchmark, tmp_path: Path) -> None:
    items = work(benchmark, tmp_path)
    assert groups(items, shares=False) == [[item] for item in items]
    assert groups(items, shares=True) == [items]
    *heard, made = followed(benchmark, Bright(), items[:1], tmp_path)
    assert isinstance(made, Made)
    assert made.error is None
    (item, one) = made.clips[0]
    assert (item, one.frames) == (items[0], len(items[0].clip.video.frames))
    assert heard == [items[0].clip] * one.frames
    assert len(list(items[0].folder.glob("*.png"))) == one.frames


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (Hasty(), f"took frame 1 before it gave the mask of frame 0.*method m on {VIDEO}/1"),
        (OnlyChild(), "gave 1 siblings for 4 clips"),
    ],
)
def test_siblings_that_break_a_promise_are_refused(
    method: Bright, message: str, benchmark: Benchmark, tmp_path: Path
) -> None:
    def predict() -> None:
        items = work(benchmark, tmp_path)
        *_, made = followed(benchmark, method, items, tmp_path)
        assert isinstance(made, Made)
        assert not made.clips
        assert made.error is not None
        raise made.error

    with pytest.raises(IcvosError, match=message):
        predict()


def test_what_is_remembered_of_a_long_video_stays_as_large_as_it_was(benchmark: Benchmark) -> None:
    """One set of features for each remembered frame, whatever the number of clips; a clip adds its labels."""
    from baselines.oracle import Oracle, OracleSettings

    (clip, _) = benchmark.select((VIDEO,))
    frames = [read_image(path) for path in clip.video.frame_paths]
    truth = read_binary(clip.mask_path(clip.video.frames[0]))
    counts, propagators = set[int](), []
    methods = Oracle(OracleSettings(device="cpu", short_side=96)).siblings(5)
    for number, method in enumerate(methods):
        propagators.append(method.propagator())
        propagators[-1].start(frames[0], Prompt(mask=np.roll(truth, number, axis=1)))
    for position in range(30):
        frame = frames[position % len(frames)].copy()
        for propagator in propagators:
            propagator.step(frame)
        held = [one for propagator in propagators for one in (propagator.first, *propagator.recent)]  # type: ignore[attr-defined]
        counts.add(len({id(one.features) for one in held}))
        assert len({id(one.labels) for one in held}) == len(held)
        del frame, held
        assert methods[0].frames.held <= 2
    assert max(counts) == 3  # the first frame and the last two
