"""``handover=each-frame``: a method that begins anew with every frame."""

import json
from pathlib import Path

import numpy as np
import pytest

from icvos.each_frame import EachFrame
from icvos.errors import IcvosError
from icvos.files.images import read_image
from icvos.files.masks import read_binary
from icvos.method import load_method, method_names, segment, segment_image, segment_in_step, settings_for
from icvos.tasks.video.benchmark import Benchmark
from tests.conftest import icvos

EACH = ("--set", "handover=each-frame")
SMALL = {"short_side": "96"}


def test_every_mask_is_that_of_a_video_of_one_frame(benchmark: Benchmark) -> None:
    clip = benchmark.clips[0]
    supports = [benchmark.supports(clip, draw, 1) for draw in (0, 1)]
    frames = [read_image(path) for path in clip.video.frame_paths[:3]]
    lite, each = load_method("lite", SMALL), load_method("lite", {**SMALL, "handover": "each-frame"})
    alone = [[next(segment(lite, shown, [frame])) for frame in frames] for shown in supports]
    for shown, expected in zip(supports, alone, strict=True):
        assert np.array_equal([*segment(each, shown, iter(frames))], expected)
    together = [*segment_in_step(each, supports, frames)]  # type: ignore[arg-type]
    assert np.array_equal(np.swapaxes(together, 0, 1), alone)
    followed = [*segment(lite, supports[0], frames)]
    assert np.array_equal(followed[0], alone[0][0])
    assert not np.array_equal(followed, alone[0])
    assert np.array_equal(segment_image(each, supports[0], frames[1]), segment_image(lite, supports[0], frames[1]))


def test_a_run_says_it_and_is_another_run(benchmark: Benchmark, tmp_path: Path) -> None:
    words = ["eval", "--method", "lite", "--set", "short_side=96", "--draws", "0", "--limit", "1", "--benchmark"]
    words += [str(benchmark.root), "--out", str(tmp_path / "run")]
    icvos(*words, *EACH)
    record = json.loads((tmp_path / "run" / "draw0" / "run.json").read_text())
    assert record["settings"]["handover"] == "each-frame"
    assert record["settings"]["short_side"] == 96
    clip = benchmark.clips[0]
    last = clip.video.frames[-1]
    method, supports = load_method("lite", SMALL), benchmark.supports(clip, 0, 1)
    mask = next(segment(method, supports, [read_image(clip.video.frame_paths[-1])]))
    assert (read_binary(tmp_path / "run" / "draw0" / clip.id / f"{last}.png") == mask).all()
    assert "handover" in icvos(*words, status=2).stderr  # with propagation, its masks are others


def test_methods_that_have_it_themselves_keep_their_own() -> None:
    pytest.importorskip("sam2", reason="needs the extra models")
    assert settings_for("seggpt", {"handover": "each-frame"}).handover == "each-frame"
    assert not hasattr(settings_for("lite", {"handover": "each-frame"}), "handover")
    for name in set(method_names()) - {"oracle"}:
        settings_for(name, {"handover": "each-frame"})  # every method takes it


def test_it_is_refused_where_it_means_nothing() -> None:
    with pytest.raises(IcvosError, match="handover=each-frame: method oracle is given the truth of one frame"):
        settings_for("oracle", {"handover": "each-frame"})
    with pytest.raises(IcvosError, match="unknown setting 'handover'"):
        settings_for("lite", {"handover": "mask"})


def test_what_a_method_cannot_say_is_left_out() -> None:
    class Silent:
        def segment(self, supports: object, frames: object) -> object:
            raise NotImplementedError

    each = EachFrame(Silent())  # type: ignore[arg-type]
    assert each.describe() == {"settings": {"handover": "each-frame"}}
    assert each.remarks() == []
    assert not hasattr(each, "siblings")
