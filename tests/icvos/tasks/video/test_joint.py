"""Several methods in one pass over each video: the masks of each by itself, each frame read and seen once."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from icvos.errors import IcvosError
from icvos.models.affinity import AffinityPropagator
from icvos.models.sam.propagation import Sam2Propagator
from icvos.protocol import NATIVE
from icvos.tasks.runs import RunOptions
from icvos.tasks.video import together
from icvos.tasks.video.benchmark import Benchmark
from icvos.tasks.video.predict import run, run_all
from tests.conftest import World, icvos

pytest.importorskip("torch", reason="the methods need torch: pip install 'icvos[models]'")

VIDEOS = ("davis_dog-walk", "davis_car-park")
SMALL = {"device": "cpu", "short_side": 96}
METHODS: dict[str, dict[str, Any]] = {
    "lite": SMALL,
    "oracle": SMALL,
    "memory": {"device": "cpu", "sam2": "sam2-nano"},
    "pfenet": {"device": "cpu", "checkpoint": "pfenet-nano", "sam2": "sam2-nano"},
    "persam": SMALL | {"sam": "sam2-nano", "sam2": "affinity"},
}

FEW = ("lite", "oracle")


def asked(method: str, **others: Any) -> RunOptions:
    return RunOptions(method, METHODS[method], protocols=(NATIVE,), parts=(0,), **others)


def masks(run: Path) -> dict[str, bytes]:
    return {str(path.relative_to(run)): path.read_bytes() for path in sorted(run.rglob("*.png"))}


def together_in(benchmark: Benchmark, out: Path, methods: Sequence[str] = FEW, **others: Any) -> dict[str, Any]:
    runs = {out / method: asked(method, **others) for method in methods}
    found = run_all(benchmark, benchmark.select(VIDEOS), runs, None)
    return {path.name: outcome for path, outcome in found.items()}


@pytest.fixture(scope="module")
def alone(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    benchmark, out = Benchmark.open(built), tmp_path_factory.mktemp("alone")
    for method in METHODS:
        run(benchmark, benchmark.select(VIDEOS), out / method, asked(method))
    return out


def test_masks_and_records_are_those_of_every_run_by_itself(
    benchmark: Benchmark, alone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: Counter[str] = Counter()

    def counted(kind: type[AffinityPropagator | Sam2Propagator]) -> None:
        real = kind._features_of
        monkeypatch.setattr(kind, "_features_of", lambda self, frame: seen.update([kind.__name__]) or real(self, frame))

    counted(AffinityPropagator)
    counted(Sam2Propagator)
    assert together_in(benchmark, tmp_path, tuple(METHODS)) == dict.fromkeys(METHODS, (0,))
    videos = {clip.video.name: len(clip.video.frames) for clip in benchmark.select(VIDEOS)}
    assert seen["AffinityPropagator"] == sum(videos.values())  # by three methods
    clips = len(benchmark.select(VIDEOS))
    assert seen["Sam2Propagator"] == sum(videos.values()) + clips  # by two, one of which sees supports as frames
    for method in METHODS:
        assert masks(tmp_path / method) == masks(alone / method)
        one, other = (json.loads((out / method / "draw0" / "run.json").read_text()) for out in (tmp_path, alone))
        assert one["clips"].keys() == other["clips"].keys()
        assert {clip["seconds"] for clip in one["clips"].values()} == {None}
        same = ("method", "settings", "weights", "benchmark", "frames", "versions")
        assert [one[key] for key in same] == [other[key] for key in same]
        assert one.get("seconds_per_frame") is None
        assert not (tmp_path / method / ".claims").exists()


def test_a_run_that_was_stopped_goes_on_beside_others(benchmark: Benchmark, alone: Path, tmp_path: Path) -> None:
    first = benchmark.select(VIDEOS)[:1]
    run(benchmark, first, tmp_path / "lite", asked("lite"))
    kept = {name: (tmp_path / "lite" / name).stat().st_mtime_ns for name in masks(tmp_path / "lite")}
    together_in(benchmark, tmp_path)
    assert {name: (tmp_path / "lite" / name).stat().st_mtime_ns for name in kept} == kept
    for method in FEW:
        assert masks(tmp_path / method) == masks(alone / method)


def test_what_ends_one_run_ends_no_other(
    benchmark: Benchmark, alone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(benchmark, benchmark.select(VIDEOS)[:1], tmp_path / "oracle", asked("lite"))
    real = together.masks_of

    def failing(method: Any, supports: Any, frames: Any, asked: Any) -> Any:
        if asked.method == "persam" and asked.what == "davis_car-park/3":
            raise asked.error("gave up")
        return real(method, supports, frames, asked)

    monkeypatch.setattr(together, "masks_of", failing)
    found = together_in(benchmark, tmp_path, ("lite", "oracle", "persam"))
    assert isinstance(found["oracle"], IcvosError)
    assert "holds a run with method 'lite', not 'oracle'" in str(found["oracle"])
    assert isinstance(found["persam"], IcvosError)
    assert "gave up" in str(found["persam"])
    assert found["lite"] == (0,)
    assert masks(tmp_path / "lite") == masks(alone / "lite")
    assert masks(tmp_path / "persam").items() < masks(alone / "persam").items()


def test_shards_make_the_runs_side_by_side(benchmark: Benchmark, alone: Path, tmp_path: Path) -> None:
    from icvos.tasks.shards import read_shard

    for number in (1, 2):
        together_in(benchmark, tmp_path, shard=read_shard(f"{number}/2"))
    for method in FEW:
        assert masks(tmp_path / method) == masks(alone / method)


def test_the_command_ranks_them(built: Path, tmp_path: Path) -> None:
    pairs = [
        f"--set={method}.{name}={value}"
        for method in ("lite", "oracle")
        for name, value in SMALL.items()
        if name != "device" or method == "oracle"
    ]
    words = ("eval", "--method", "lite", "--method", "oracle", "--together", *pairs, "--benchmark", built)
    said = icvos(*words, "--draws", 0, "--limit", 2, "--out", tmp_path / "runs").stdout
    assert said.index("lite:") < said.index("oracle:")
    assert said.count("paper@1: J") == 2
    assert np.all([(tmp_path / "runs" / method / "scores-partial.json").is_file() for method in ("lite", "oracle")])


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ((), "--together: is for several methods; give another --method, or leave it out"),
        (("--method", "oracle", "--ray", "local"), "--together: one process makes all methods, and not --ray local"),
        (("--method", "oracle", "--slurm", 2), "--together: one process makes all methods, and not --slurm 2"),
    ],
)
def test_where_there_is_nothing_to_share_it_is_refused(
    more: tuple[object, ...], message: str, built: Path, tmp_path: Path
) -> None:
    words = ("eval", "--method", "lite", *more, "--together", "--benchmark", built, "--out", tmp_path / "runs")
    assert message in icvos(*words, status=2).stderr
    assert not (tmp_path / "runs").exists()


def test_on_images_there_is_nothing_to_share(world: World, tmp_path: Path) -> None:
    images = tmp_path / "images"
    icvos("episodes", "all-coco", "--coco", world.root / "coco", "--episodes", 8, "--out", images)
    words = ("eval", "--method", "lite", "--method", "insid3", "--set", "insid3.backbone=efficientnet-lite0")
    small = ("--set", "insid3.directions=100", "--set", "insid3.sam2=affinity")
    said = icvos(*words, *small, "--together", "--benchmark", images, "--out", tmp_path / "runs", status=2).stderr
    assert "--together: is for videos, whose frames methods share; leave it out" in said
    assert not list(tmp_path.glob("runs/*"))
