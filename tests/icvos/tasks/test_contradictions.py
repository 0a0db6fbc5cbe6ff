"""Benchmarks whose files contradict themselves, each other or the disk: refused in one line."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from icvos.errors import IcvosError
from icvos.tasks.image.benchmark import ImageBenchmark
from icvos.tasks.video.benchmark import Benchmark
from tests.conftest import icvos
from tests.icvos.tasks.image.tiny_episodes import write_images

Change = Callable[[Any], object]


def first(value: dict[str, Any]) -> Any:
    return next(iter(value.values()))


MANIFEST_FAULTS: dict[str, Change] = {
    "counts.videos is 1000000, its videos make": lambda value: value["counts"].update(videos=1_000_000),
    "counts.clips is 0": lambda value: value["counts"].update(clips=0),
    "counts.frames is 1": lambda value: value["counts"].update(frames=1),
    "counts.categories is 80": lambda value: value["counts"].update(categories=80),
    "sources and videos differ in mose": lambda value: value["sources"].pop("mose"),
    ".clips is 9, its videos make": lambda value: first(value["sources"]).update(clips=9),
    ".frames is 9, its videos make": lambda value: first(value["categories"]).update(frames=9),
    "categories and videos differ in person": lambda value: value["categories"].update(
        unicorn=value["categories"].pop(next(iter(value["categories"])))
    ),
    ".visible is 900 of": lambda value: first(first(value["videos"])["clips"]).update(visible=900),
    "does not follow": lambda value: value.update(digest="sha256:" + "0" * 64),
    "the digest of icvos.json does not": lambda value: first(first(value["videos"])["clips"]).update(masks="0" * 64),
    "less than or equal to 1000000000": lambda value: first(value["videos"]).update(frames=10**30),
    "less than or equal to 65535": lambda value: first(value["videos"]).update(height=10**9),
}
SUPPORTS_FAULTS: dict[str, Change] = {
    "draws is empty": lambda value: value.update(draws=[]),
    "shots is 1": lambda value: value.update(shots=10**30),
    "images, not shots, 1000": lambda value: value.update(shots=1000),
    "images, not shots, 4": lambda value: value.update(shots=4),
    "one that its class does not list": lambda value: value["draws"][0].update(
        {next(iter(value["draws"][0])): ["999999999999"] * 5}
    ),
    "a clip that icvos.json does not have": lambda value: value["draws"][0].update(
        {f"davis_unicorn/{clip.rpartition('/')[2]}": names for clip, names in [next(iter(value["draws"][0].items()))]}
    ),
    "has an image twice": lambda value: first(value["classes"]).append(first(value["classes"])[0]),
    "has other classes": lambda value: value["classes"].update({"80": []}),
    "or another rule": lambda value: value.update(rule="by hand"),
    "does not follow": lambda value: value["draws"].pop(),
}


@pytest.fixture
def copied(built: Path, tmp_path: Path) -> Path:
    for name in ("icvos.json", "supports.json"):
        shutil.copy(built / name, tmp_path / name)
    (tmp_path / "videos").symlink_to(built / "videos")
    return tmp_path


@pytest.mark.parametrize(
    ("file", "words", "change"),
    [
        *(("icvos.json", words, change) for words, change in MANIFEST_FAULTS.items()),
        *(("supports.json", words, change) for words, change in SUPPORTS_FAULTS.items()),
    ],
    ids=[*MANIFEST_FAULTS, *SUPPORTS_FAULTS],
)
def test_a_benchmark_of_videos_that_contradicts_itself(copied: Path, file: str, words: str, change: Change) -> None:
    icvos("info", copied)
    value = json.loads((copied / file).read_text())
    change(value)
    (copied / file).write_text(json.dumps(value))
    line = icvos("info", copied, status=2).stderr
    assert words in line
    assert len(line.splitlines()) == 1


def test_frames_that_are_not_as_many_or_as_large_as_the_manifest_says(built: Path, tmp_path: Path) -> None:
    out = tmp_path / "benchmark"
    shutil.copytree(built, out)
    folder = sorted((out / "videos").iterdir())[0] / "JPEGImages"
    last = sorted(folder.iterdir())[-1]
    kept = last.read_bytes()
    last.unlink()
    run = ("eval", "--method", "oracle", "--benchmark", out, "--out", tmp_path / "run")
    assert f"frames, but icvos.json says {len(list(folder.iterdir())) + 1}" in icvos(*run, status=2).stderr
    assert "frames, but icvos.json says" in icvos("build", "--check", "--out", out, status=2).output
    last.write_bytes(kept)
    for path in folder.iterdir():
        path.unlink()
        Image.new("RGB", (33, 44)).save(path)
    with pytest.raises(IcvosError, match=r"33x44 pixels, but icvos\.json says"):
        _ = Benchmark.open(out).videos[0].size


IMAGE_FAULTS: dict[str, tuple[str, Change]] = {
    "which the fold does not test": ("episodes.json", lambda value: value["folds"][0]["episodes"][0].__setitem__(0, 4)),
    "that classes does not name": ("episodes.json", lambda value: value["folds"][0]["test"].append(200)),
    "query is a support of itself": (
        "episodes.json",
        lambda value: value["folds"][0]["episodes"][0][2].append(value["folds"][0]["episodes"][0][1]),
    ),
    "or without supports": ("episodes.json", lambda value: value["folds"][0]["episodes"][0].__setitem__(2, [])),
    "folds is []": ("episodes.json", lambda value: value.update(folds=[])),
    "is not in val.json": ("val.json", lambda value: value.update(pictures=value["pictures"][1:])),
    "is there twice": ("val.json", lambda value: value["pictures"].append(value["pictures"][0])),
    "has a class 99 that episodes.json": ("val.json", lambda value: value["pictures"][0].update(listed=[99])),
    "shows no ": ("val.json", lambda value: [picture.update(outlines={}) for picture in value["pictures"]]),
    "less than or equal to 254": ("val.json", lambda value: value["pictures"][0].update(listed=[10**30])),
    "less than or equal to 65535": ("val.json", lambda value: value["pictures"][0].update(size=[10**8, 10**8])),
}


@pytest.mark.parametrize(("words", "fault"), IMAGE_FAULTS.items(), ids=IMAGE_FAULTS)
def test_a_benchmark_of_images_that_contradicts_itself(tmp_path: Path, words: str, fault: tuple[str, Change]) -> None:
    write_images(tmp_path)
    file, change = fault
    value = json.loads((tmp_path / file).read_text())
    change(value)
    (tmp_path / file).write_text(json.dumps(value))

    def read() -> None:
        benchmark = ImageBenchmark.open(tmp_path)
        for fold in range(len(benchmark.folds)):
            benchmark.episodes(fold)

    with pytest.raises(IcvosError) as caught:
        read()
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
