"""`icvos build`, end to end on the tiny small world."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from curation.video.rows import read_rows, write_rows
from icvos.categories import category
from icvos.files.masks import read_binary, read_ids
from icvos.tasks.video.benchmark import Benchmark
from tests.conftest import World, icvos


def tree(root: Path) -> dict[str, bytes]:
    """Every file below ``root`` but the build's own records."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and ".build" not in path.parts
    }


def test_masks_are_the_unions_of_the_rows_objects(benchmark: Benchmark, world: World) -> None:
    rows = {row.key: row for row in read_rows(world.root / "curation.csv")}
    davis = [clip for clip in benchmark.clips if clip.video.source == "davis"]
    assert davis
    for clip in davis:
        name = clip.video.name.removeprefix("davis_")
        row = rows["davis", name, clip.category.index]
        for frame in clip.video.frames:
            ids = read_ids(world.root / "davis" / "Annotations" / "480p" / name / f"{frame}.png")
            assert np.array_equal(read_binary(clip.mask_path(frame)), np.isin(ids, row.objects))
            assert Image.open(clip.mask_path(frame)).mode == "1"


def test_frames_are_hard_links(benchmark: Benchmark, world: World) -> None:
    video = next(video for video in benchmark.videos if video.source == "davis")
    source = world.root / "davis" / "JPEGImages" / "480p" / video.name.removeprefix("davis_")
    assert all(path.stat().st_ino == (source / path.name).stat().st_ino for path in video.frame_paths)


def test_manifest_counts(benchmark: Benchmark) -> None:
    manifest = benchmark.manifest
    assert manifest is not None
    assert manifest.drawn
    counts = manifest.counts
    assert counts.videos == len(benchmark.videos) == sum(source.videos for source in manifest.sources.values())
    assert counts.clips == len(benchmark.clips) == sum(found.clips for found in manifest.categories.values())
    assert counts.frames == sum(len(video.frames) for video in benchmark.videos)
    assert counts.paper.model_dump() == {"videos": 369, "clips": 437, "frames": 99549, "categories": 30}


def test_supports_follow_the_area_rule_and_are_frozen(benchmark: Benchmark) -> None:
    assert benchmark.draws == 5
    for clip in benchmark.clips:
        for draw in range(benchmark.draws):
            supports = benchmark.supports(clip, draw, 5)
            assert len({support.name for support in supports}) == len(supports) >= 1
            assert benchmark.supports(clip, draw, 1) == supports[:1]
            for support in supports:
                assert support.mask().sum() >= 2048
                assert support.mask().shape == support.image().shape[:2]


def test_any_number_of_workers_and_any_subset_order_gives_the_same_benchmark(
    built: Path, world: World, tmp_path: Path
) -> None:
    icvos("build", *reversed_pairs(world.build_arguments), "--workers", 2, "--out", tmp_path / "b")
    assert tree(tmp_path / "b") == tree(built)


def reversed_pairs(arguments: list[str]) -> list[str]:
    pairs = list(zip(arguments[::2], arguments[1::2], strict=True))
    return [part for pair in reversed(pairs) for part in pair]


def test_a_subset_keeps_its_draws(benchmark: Benchmark, world: World, tmp_path: Path) -> None:
    keep = [part for part in world.build_arguments if part not in ("--mose", str(world.root / "mose"))]
    icvos("build", *keep, "--out", tmp_path / "b")
    subset = Benchmark.open(tmp_path / "b")
    assert 0 < len(subset.clips) < len(benchmark.clips)
    for clip in subset.clips:
        names = [support.name for support in subset.supports(clip, 3, 5)]
        assert names == [support.name for support in benchmark.supports(benchmark.clip(clip.id), 3, 5)]


def test_check_finds_a_changed_mask_and_build_restores_it(world: World, tmp_path: Path) -> None:
    out = tmp_path / "b"
    icvos("build", *world.build_arguments, "--out", out)
    before = tree(out)
    assert "matches its digest sha256:" in icvos("build", "--check", "--out", out).output
    clip = Benchmark.open(out).clips[0]
    mask = read_binary(clip.mask_path(clip.video.frames[0]))
    path = clip.mask_path(clip.video.frames[0])
    Image.fromarray(~mask).save(path)
    assert f"{clip.folder}: masks or frame names differ" in icvos("build", "--check", "--out", out, status=2).output
    shutil.rmtree(clip.folder)
    icvos("build", *world.build_arguments, "--out", out)
    assert tree(out) == before


@pytest.mark.parametrize("lost", ["videos/*/JPEGImages/*.jpg", "videos/*/Annotations/*/*.png", "supports/*/*.png"])
def test_a_file_that_was_lost_is_made_by_building_again(built: Path, world: World, tmp_path: Path, lost: str) -> None:
    out = tmp_path / "b"
    shutil.copytree(built, out)
    path = min(out.glob(lost))
    path.unlink()
    refused = icvos("build", "--check", "--out", out, status=2)
    assert str(path.parent if path.suffix == ".png" else path.parents[1]) in refused.stdout
    assert "1 fault; remove" in refused.stderr
    assert len(refused.stdout.splitlines()) == 1
    assert "build again: what is missing is made" in refused.stderr
    icvos("build", *world.build_arguments, "--out", out)
    assert tree(out) == tree(built)


def test_building_again_changes_nothing_and_another_choice_removes_what_it_replaces(
    world: World, tmp_path: Path
) -> None:
    out = tmp_path / "b"
    icvos("build", *world.build_arguments, "--out", out)
    times = {path: path.stat().st_mtime_ns for path in out.rglob("*.png")}
    icvos("build", *world.build_arguments, "--out", out)
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.png")} == times
    keep = [part for part in world.build_arguments if part not in ("--mose", str(world.root / "mose"))]
    assert "1 of them would be removed (mose_0d06c4fe)" in icvos("build", *keep, "--out", out, status=2).output
    assert list((out / "videos").glob("mose_*"))
    icvos("build", *keep, "--overwrite", "--out", out)
    assert not list((out / "videos").glob("mose_*"))
    assert "matches its digest" in icvos("build", "--check", "--out", out).output


def test_a_killed_build_goes_on_to_the_same_benchmark(built: Path, world: World, tmp_path: Path) -> None:
    out = tmp_path / "b"
    command = [
        sys.executable,
        "-c",
        "from icvos.cli import main; main()",
        "build",
        *world.build_arguments,
        "--out",
        str(out),
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not (out / "videos").is_dir() and process.poll() is None:
        time.sleep(0.001)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (out / "icvos.json").exists()
    icvos("score", tmp_path, "--benchmark", out, status=2)
    icvos("build", *world.build_arguments, "--out", out)
    assert tree(out) == tree(built)
    assert not (out / ".partial").exists()


def test_two_builds_at_once_in_one_folder(built: Path, world: World, tmp_path: Path) -> None:
    """One makes the benchmark, as if alone; the other is told in one line which folder, and who works on it."""
    out = tmp_path / "b"
    arguments = ["build", *world.build_arguments, "--out", str(out)]
    command = [sys.executable, "-c", "from icvos.cli import main; main()", *arguments]
    started = [
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) for _ in range(2)
    ]
    said = [process.communicate()[1] for process in started]
    codes = [process.returncode for process in started]
    for code, text, other in zip(codes, said, reversed(started), strict=True):
        if code:
            line = text.splitlines()[-1]
            assert line.startswith(f"icvos: {out}: another process ({other.pid}) is working on it; wait"), text
    assert 0 in codes
    assert tree(out) == tree(built)


@pytest.mark.parametrize("stopped", ["rename", "unlink"])
def test_a_build_that_was_stopped_removing_leaves_no_half(
    built: Path, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stopped: str
) -> None:
    """What another choice of videos leaves behind goes whole, whichever choice comes next."""
    out = tmp_path / "b"
    shutil.copytree(built, out)
    fewer = [part for part in world.build_arguments if part not in ("--mose", str(world.root / "mose"))]

    def stop(path: Path, *arguments: object, **more: object) -> None:
        if "mose_" in str(path) and not more:
            raise KeyboardInterrupt
        usual(path, *arguments, **more)

    usual = getattr(Path, stopped)
    with monkeypatch.context() as patch:
        patch.setattr(Path, stopped, stop)
        icvos("build", *fewer, "--overwrite", "--out", out, status=130)
    assert not (out / "icvos.json").exists()
    icvos("build", *world.build_arguments, "--out", out)
    assert tree(out) == tree(built)


def test_dry_run_writes_nothing(world: World, tmp_path: Path) -> None:
    output = icvos("build", *world.build_arguments, "--dry-run", "--out", tmp_path / "b").output
    assert "would build" in output
    assert not (tmp_path / "b").exists()


def test_painted_supports_differ_only_in_supports(benchmark: Benchmark, world: World, tmp_path: Path) -> None:
    icvos("build", *world.build_arguments, "--support-masks", "painted", "--out", tmp_path / "b")
    painted = Benchmark.open(tmp_path / "b")
    assert painted.manifest is not None
    assert benchmark.manifest is not None
    assert painted.manifest.supports.rule == "painted"
    assert painted.manifest.videos == benchmark.manifest.videos


def test_undecided_rows_are_built_on_request(world: World, tmp_path: Path) -> None:
    rows = [row for row in read_rows(world.root / "curation.csv") if row.source == "davis"]
    undecided = [row.model_copy(update={"decision": "undecided"}) for row in rows]
    write_rows(tmp_path / "rows.csv", undecided)
    arguments = ["--davis", world.root / "davis", "--curation", tmp_path / "rows.csv", "--out", tmp_path / "b"]
    assert "--accept undecided" in icvos("build", *arguments, status=2).output
    icvos("build", *arguments, "--accept", "undecided")
    assert Benchmark.open(tmp_path / "b").clips


def test_an_object_that_is_nowhere_is_left_out_with_a_reason(world: World, tmp_path: Path) -> None:
    rows = [
        row for row in read_rows(world.root / "curation.csv") if row.source == "davis" and row.decision == "accepted"
    ]
    strange = rows[0].model_copy(update={"category": category("toaster"), "objects": (77,)})
    write_rows(tmp_path / "rows.csv", [*rows, strange])
    arguments = ["--davis", world.root / "davis", "--curation", tmp_path / "rows.csv", "--out", tmp_path / "b"]
    output = icvos("build", *arguments).output
    assert f"left out: davis/{rows[0].video} toaster: its object ids are in no mask" in output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--coco", "{world}/coco"], "no source: give at least one of --davis"),
        (["--davis", "{world}/nowhere"], "nowhere"),
        (["--davis", "{world}/mose"], "mose"),
        (["--davis", "{world}/davis", "--coco", "{world}/davis"], "davis"),
        (["--davis", "{world}/davis", "--curation", "{world}/none.csv"], r"none.csv: no such file"),
        (["--mose", "{world}/mose"], "no video has a curation row; get rows with"),
    ],
)
def test_bad_input_is_one_line_and_touches_nothing(
    world: World, tmp_path: Path, arguments: list[str], message: str
) -> None:
    given = [argument.format(world=world.root) for argument in arguments]
    result = icvos("build", *given, "--out", tmp_path / "b", status=2)
    errors = [line for line in result.stderr.splitlines() if line.startswith("icvos: ")]
    assert len(errors) == 1
    assert message in errors[0]
    assert not (tmp_path / "b" / "icvos.json").exists()


def test_a_folder_that_holds_something_else_is_left_alone(world: World, tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "thesis.tex").write_text("years of work")
    result = icvos("build", *world.build_arguments, "--out", tmp_path / "b", status=2)
    assert "holds something that icvos build did not make" in result.stderr
    assert [path.name for path in (tmp_path / "b").iterdir()] == ["thesis.tex"]


def test_a_truncated_frame_is_named_and_the_old_benchmark_stays(world: World, tmp_path: Path) -> None:
    copy, out = tmp_path / "davis", tmp_path / "b"
    shutil.copytree(world.root / "davis", copy)
    arguments = ["--davis", copy, "--curation", world.root / "curation.csv", "--out", out]
    icvos("build", *arguments)
    before = tree(out)
    frame = sorted(copy.rglob("*.jpg"))[3]
    data = frame.read_bytes()
    frame.unlink()
    frame.write_bytes(data[: len(data) // 2])
    assert frame.name in icvos("build", *arguments, status=2).stderr
    assert tree(out) == before


def test_real_davis_and_coco(samples: Path, tmp_path: Path) -> None:
    out = tmp_path / "b"
    result = icvos("build", "--davis", samples / "DAVIS", "--coco", samples / "COCO", "--out", out)
    opened = Benchmark.open(out)
    assert [clip.id for clip in opened.clips] == [
        "davis_blackswan/15", "davis_car-shadow/3", "davis_dog/17", "davis_libby/17",
    ]  # fmt: skip
    assert "left out: davis/kite-surf person, davis/kite-surf surfboard: its masks are 0/255, all" in result.output
    assert "left out: davis/dance-twirl person: rejected: not every instance" in result.output
    assert json.loads((out / "icvos.json").read_text())["counts"]["frames"] == 199
    assert "left out: davis/cows cow: no image of val2017 has 2048 pixels of it" in result.output
    assert "matches its digest" in icvos("build", "--check", "--out", out).output
