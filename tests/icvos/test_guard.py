"""Methods that break their promises: one line names the method and the clip, and what was made so far is kept."""

import json
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from icvos.errors import IcvosError
from icvos.guard import Asked, guarded, masks_of, no_json, require_timeout
from icvos.inspection import check
from icvos.inspection.check import check_method
from icvos.inspection.promises import PROMISES
from icvos.method import Image, Mask, Support
from icvos.tasks.image.benchmark import ImageBenchmark
from icvos.tasks.video.benchmark import Benchmark
from tests.conftest import icvos
from tests.icvos.tasks.image.tiny_episodes import write_images

needs_timer = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs signal.setitimer")


class Bright:
    """Keeps all promises."""

    def segment(self, supports: Sequence[Support], frames: Iterable[Image]) -> Iterator[Mask]:  # noqa: ARG002
        for frame in frames:
            yield frame.mean(axis=2) > 100

    def describe(self) -> Any:
        return {"settings": {}, "weights": []}


class Broken(Bright):
    """Right the first time, and wrong from then on."""

    calls = 0

    def segment(self, supports: Sequence[Support], frames: Iterable[Image]) -> Iterator[Mask]:
        self.calls += 1
        yield from super().segment(supports, frames) if self.calls == 1 else self.wrong(iter(frames))

    def wrong(self, frames: Iterator[Image]) -> Iterator[Any]:
        raise NotImplementedError


class TooMany(Broken):
    def wrong(self, frames: Iterator[Image]) -> Iterator[Any]:
        frame = None
        for frame in frames:
            yield frame.mean(axis=2) > 100
        assert frame is not None
        yield frame.mean(axis=2) > 100


class TooFew(Broken):
    def wrong(self, frames: Iterator[Image]) -> Iterator[Any]:
        for frame in list(frames)[:-1]:
            yield frame.mean(axis=2) > 100


class NoMasks(Broken):
    def wrong(self, frames: Iterator[Image]) -> Iterator[Any]:  # noqa: ARG002
        yield from ()


class Early(Broken):
    def wrong(self, frames: Iterator[Image]) -> Iterator[Any]:
        yield np.zeros((4, 4), dtype=bool)
        yield from super().segment((), frames)


class GivesNone(Broken):
    def wrong(self, frames: Iterator[Image]) -> Iterator[Any]:
        for _ in frames:
            yield None


class Floats(Broken):
    def wrong(self, frames: Iterator[Image]) -> Iterator[Any]:
        for frame in frames:
            yield frame.mean(axis=2) / 255


class Bytes(Broken):
    def wrong(self, frames: Iterator[Image]) -> Iterator[Any]:
        for frame in frames:
            yield (frame.mean(axis=2) > 100).astype(np.uint8)


class Half(Broken):
    def wrong(self, frames: Iterator[Image]) -> Iterator[Any]:
        for frame in frames:
            yield frame[::2, ::2].mean(axis=2) > 100


class Channels(Broken):
    def wrong(self, frames: Iterator[Image]) -> Iterator[Any]:
        for frame in frames:
            yield frame > 100


class Raises(Broken):
    def wrong(self, frames: Iterator[Image]) -> Iterator[Any]:
        yield next(frames).mean(axis=2) > 100 if False else self.fail()

    def fail(self) -> Any:
        raise ValueError("a cat\nis no dog")


class Refuses(Broken):
    def wrong(self, frames: Iterator[Image]) -> Iterator[Any]:
        raise IcvosError("too small for me")
        yield frames


class Exits(Broken):
    def wrong(self, frames: Iterator[Image]) -> Iterator[Any]:
        sys.exit(0)
        yield frames


class NoIterator(Broken):
    def segment(self, supports: Sequence[Support], frames: Iterable[Image]) -> Any:
        self.calls += 1
        return super(Broken, self).segment(supports, frames) if self.calls == 1 else None


class Hangs(Broken):
    def wrong(self, frames: Iterator[Image]) -> Iterator[Any]:
        while True:
            try:
                time.sleep(0.01)
            except Exception:
                continue
        yield frames


MASKS: dict[type[Broken], str] = {
    TooMany: "gave one mask too many for {what}",
    TooFew: "masks for {what}, which has more frames; give one for every frame",
    NoMasks: "gave 0 masks for {what}",
    Early: "gave mask 0 before it took frame 0 for {what}",
    GivesNone: "gave a NoneType for frame 0 of {what}",
    Floats: "float64 for frame 0 of {what}; a mask must be bool",
    Bytes: "uint8 for frame 0 of {what}; a mask must be bool",
    Half: "bool for frame 0 of {what}; a mask must be bool and of the size",
    Channels: "3) bool for frame 0 of {what}; a mask must be bool and of the size",
    Raises: "failed on {what}: ValueError: a cat (test_guard.py, line ",
    Refuses: "too small for me (method refuses on {what})",
    Exits: "called sys.exit(0) on {what}",
    NoIterator: "failed on {what}: TypeError",
}


def entry(kind: type) -> EntryPoint:
    return EntryPoint(kind.__name__.lower(), f"{__name__}:{kind.__name__}", "icvos.methods")


@pytest.fixture(autouse=True)
def methods(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = [*MASKS, Bright, Hangs, *DESCRIBED, Unbuilt, ExitsWhenBuilt, Nothing]
    monkeypatch.setattr("icvos.method.entry_points", lambda group: [entry(kind) for kind in kinds])


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> ImageBenchmark:
    return write_images(tmp_path_factory.mktemp("images") / "tiny")


def one_line(*arguments: object) -> str:
    said = icvos(*arguments, status=2).stderr
    assert said.startswith("icvos: ")
    assert len(said.splitlines()) == 1, said
    return said


@pytest.mark.parametrize("kind", MASKS)
def test_on_videos_the_clips_made_so_far_are_kept(
    kind: type[Broken], built: Path, benchmark: Benchmark, tmp_path: Path
) -> None:
    name, out = kind.__name__.lower(), tmp_path / "run"
    said = one_line("eval", "--method", name, "--benchmark", built, "--out", out, "--draws", 0)
    first, second = benchmark.clips[:2]
    assert f"method {name}" in said
    assert MASKS[kind].format(what=second.id) in said
    assert len(list((out / "draw0" / first.id).iterdir())) == len(first.video.frames)
    assert not (out / "draw0" / second.id).exists()
    assert list(json.loads((out / "draw0" / "run.json").read_text())["clips"]) == [first.id]


@pytest.mark.parametrize("kind", MASKS)
def test_on_images_the_episodes_made_so_far_are_kept(kind: type[Broken], tiny: ImageBenchmark, tmp_path: Path) -> None:
    name, out = kind.__name__.lower(), tmp_path / "run"
    said = one_line("eval", "--method", name, "--benchmark", tiny.root, "--out", out, "--folds", 0)
    episode = tiny.episodes(0)[1]
    what = MASKS[kind] if kind is not TooFew else "gave 0 masks for {what}"  # of the one frame
    assert f"method {name}" in said
    assert what.format(what=f"episode 0/1 ({episode.query.name})") in said
    assert len((out / "fold0" / "episodes.jsonl").read_text().splitlines()) == 1


@pytest.mark.parametrize("kind", MASKS)
def test_predict_names_the_video(
    kind: type[Broken], benchmark: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kind, "calls", 1)
    clip = benchmark.clips[0]
    support = benchmark.supports(clip, 0, 1)[0]
    video = clip.video.folder / "JPEGImages"
    arguments = ("--support", support.image_path, "--mask", support.mask_path, "--video", video)
    said = one_line("predict", "--method", kind.__name__.lower(), *arguments, "--out", tmp_path / "masks")
    assert MASKS[kind].format(what=video) in said


@pytest.mark.parametrize("kind", [kind for kind in MASKS if kind is not Refuses])
def test_check_finds_them(kind: type[Broken], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kind, "calls", 1)
    found = check_method(kind, frames=22)
    assert "FAILED" in {one.status for one in found.checks if one.name == "masks"}
    assert all(len(one.reason.splitlines()) == 1 for one in found.checks)


@needs_timer
def test_a_hang_ends(built: Path, benchmark: Benchmark, tiny: ImageBenchmark, tmp_path: Path) -> None:
    run = ("eval", "--method", "hangs", "--timeout", 0.5)
    said = one_line(*run, "--benchmark", built, "--out", tmp_path / "a", "--draws", 0)
    assert f"method hangs gave no answer within 0.5 s for {benchmark.clips[1].id} (--timeout)" in said
    assert (tmp_path / "a" / "draw0" / benchmark.clips[0].id).is_dir()
    said = one_line(*run, "--benchmark", tiny.root, "--out", tmp_path / "b", "--folds", 0)
    assert "within 0.5 s for episode 0/1 (" in said
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


@needs_timer
def test_predict_ends_a_hang(benchmark: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Hangs, "calls", 1)
    support, video = benchmark.supports(benchmark.clips[0], 0, 1)[0], benchmark.clips[0].video.folder / "JPEGImages"
    arguments = ("--support", support.image_path, "--mask", support.mask_path, "--video", video)
    said = one_line("predict", "--method", "hangs", *arguments, "--out", tmp_path / "masks", "--timeout", 0.3)
    assert f"method hangs gave no answer within 0.3 s for {video}" in said


@needs_timer
def test_time_is_that_of_all_frames_of_a_clip_together() -> None:
    class Slow(Bright):
        def segment(self, supports: Sequence[Support], frames: Iterable[Image]) -> Iterator[Mask]:
            for mask in super().segment(supports, frames):
                time.sleep(0.1)
                yield mask

    frames = [np.zeros((4, 4, 3), np.uint8)] * 20
    assert len(list(masks_of(Slow(), (), frames[:2], Asked("slow", "clip", 60)))) == 2
    with pytest.raises(IcvosError, match=r"gave no answer within 0\.5 s for clip"):
        list(masks_of(Slow(), (), frames, Asked("slow", "clip", 0.5)))


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
def test_a_limit_that_is_none(seconds: float, built: Path, tmp_path: Path) -> None:
    with pytest.raises(IcvosError, match="--timeout"):
        require_timeout(seconds)
    run = ("eval", "--method", "bright", "--benchmark", built, "--out", tmp_path / "run")
    assert "--timeout" in one_line(*run, "--timeout", seconds)


def test_ctrl_c_is_no_fault_of_the_method() -> None:
    with pytest.raises(KeyboardInterrupt), guarded(Asked("lite", "clip")):
        raise KeyboardInterrupt


def describes(value: Any) -> Callable[[Any], Any]:
    return lambda self: value() if callable(value) else value


def circle() -> Any:
    found: dict[str, Any] = {}
    found["settings"] = found
    return found


def kind_that_describes(name: str, value: Any) -> type:
    made = type(name, (Bright,), {"describe": describes(value), "__module__": __name__})
    globals()[name] = made
    return made


DESCRIBED: dict[type, str] = {
    kind_that_describes(name, value): message
    for name, value, message in (
        ("SaysNone", None, "is a NoneType, not a dictionary"),
        ("SaysPath", {"settings": {"at": Path("a")}}, "it['settings']['at'] is a Posix"),
        ("SaysNan", {"settings": {"rate": float("nan")}}, "it['settings']['rate'] is nan"),
        ("SaysInteger", {"settings": {"size": np.int64(3)}}, "it['settings']['size'] is a int64"),
        ("SaysFloat", {"settings": {"sizes": [1, np.float32(3)]}}, "it['settings']['sizes'][1] is a float32"),
        ("SaysArray", {"settings": {"size": np.zeros(2)}}, "it['settings']['size'] is a ndarray"),
        ("SaysNumberedKey", {"settings": {3: "a"}}, "it['settings'] has the key 3, which is no text"),
        ("SaysSet", {"weights": {"a"}}, "it['weights'] is a set"),
        ("SaysItself", circle, "holds itself"),
    )
}


class Unbuilt(Bright):
    def __init__(self) -> None:
        raise RuntimeError("no such file\nat all")


class ExitsWhenBuilt(Bright):
    def __init__(self) -> None:
        sys.exit("bye")


class Nothing:
    """No method at all."""


@pytest.mark.parametrize("kind", DESCRIBED)
def test_a_description_that_is_no_json(
    kind: type,
    built: Path,
    tiny: ImageBenchmark,
    benchmark: Benchmark,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = kind.__name__.lower()
    support, video = benchmark.supports(benchmark.clips[0], 0, 1)[0], benchmark.clips[0].video.folder / "JPEGImages"
    own = ("--support", support.image_path, "--mask", support.mask_path, "--video", video)
    for number, arguments in enumerate(
        (("eval", "--benchmark", built), ("eval", "--benchmark", tiny.root), ("predict", *own))
    ):
        said = one_line(*arguments, "--method", name, "--out", tmp_path / str(number))
        assert f"method {name}: describe() gives what JSON cannot hold: " in said
        assert DESCRIBED[kind] in said
    monkeypatch.setattr(check, "PROMISES", {one: PROMISES[one] for one in ("loads", "describe")})
    assert [found.status for found in check_method(kind, frames=22).checks] == ["ok", "FAILED"]


def test_what_json_holds() -> None:
    assert no_json({"a": [1, 2.5, None, True, ("x", {"b": []})]}) == ""


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("unbuilt", "method unbuilt cannot be built: RuntimeError: no such file"),
        ("exitswhenbuilt", "method exitswhenbuilt cannot be built: SystemExit: bye"),
        ("nothing", "method nothing failed: AttributeError: "),
    ],
)
def test_a_method_that_cannot_be_built(name: str, message: str, built: Path, tmp_path: Path) -> None:
    assert message in one_line("eval", "--method", name, "--benchmark", built, "--out", tmp_path / "run")
    assert icvos("methods", "check", name, status=1).output.startswith("FAILED  loads")


def test_a_method_that_sees_the_truth_is_not_for_an_own_video(
    benchmark: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Bright, "sees_truth", True, raising=False)
    arguments = ("--support", "no.jpg", "--mask", "no.png", "--video", benchmark.root, "--out", tmp_path / "masks")
    assert "given the truth, which a video of your own lacks" in one_line("predict", "--method", "bright", *arguments)
