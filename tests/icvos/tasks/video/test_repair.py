"""Mending harmless faults into a new folder, and leaving the others as they are."""

import json
import shutil
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from icvos.errors import IcvosError
from icvos.files.masks import read_binary, write_binary
from icvos.files.rle import encode_rle
from icvos.protocol import PAPER
from icvos.tasks.video.benchmark import Benchmark
from icvos.tasks.video.check import check
from icvos.tasks.video.predictions import Predictions
from icvos.tasks.video.repair import RepairReport, repair
from tests.conftest import icvos
from tests.icvos.handmade import predicted, write_benchmark, write_predictions


@pytest.fixture(scope="module")
def handmade(tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    return write_benchmark(tmp_path_factory.mktemp("benchmark"))


@pytest.fixture
def folder(handmade: Benchmark, tmp_path: Path) -> Path:
    return write_predictions(handmade, tmp_path / "run")


def assert_whole(benchmark: Benchmark, out: Path) -> None:
    """Every mask of ``write_predictions`` is in ``out``, and no fault."""
    assert check(benchmark, out, PAPER) == []
    predictions = Predictions.open(out)
    for clip in benchmark.clips:
        for frame in clip.video.frames:
            assert np.array_equal(predictions.mask(clip, frame), predicted(clip, frame)), (clip.id, frame)


def rename_all(folder: Path) -> None:
    (folder / "lvos_cats").rename(folder / "cats")
    (folder / "mose_dog/17").rename(folder / "mose_dog/dog")
    for path in sorted((folder / "davis_dog/17").iterdir()):
        path.rename(path.with_name(f"frame_{int(path.stem)}.png"))


def as_0_255(folder: Path) -> None:
    for path in folder.rglob("*.png"):
        Image.fromarray(read_binary(path).astype(np.uint8) * 255).save(path)


def as_colours(folder: Path) -> None:
    for path in folder.rglob("*.png"):
        Image.fromarray(read_binary(path)[..., None] * np.array([0, 200, 17], dtype=np.uint8)).save(path)


def as_opaque_colours(folder: Path) -> None:
    for path in folder.rglob("*.png"):
        Image.fromarray(read_binary(path).astype(np.uint8) * 255).convert("RGBA").save(path)


def with_turned_palettes(folder: Path) -> None:
    for path in folder.rglob("*.png"):
        image = Image.fromarray((~read_binary(path)).astype(np.uint8))
        image.putpalette([255, 255, 255, 0, 0, 0])
        image.save(path)


def with_strangers(folder: Path) -> None:
    (folder / "notes.txt").write_text("hello")
    (folder / "scores.csv").write_text("")
    (folder / "horse/18").mkdir(parents=True)
    (folder / "davis_dog/18").mkdir()
    shutil.copy(folder / "davis_dog/17/00000.png", folder / "davis_dog/17/00005.png")


def nothing(folder: Path) -> None:
    assert folder.is_dir()


@pytest.mark.parametrize(
    ("spoil", "kinds", "done"),
    [
        (nothing, set(), []),
        (
            rename_all,
            {"misnamed-video", "misnamed-class", "misnamed-frame"},
            ["renamed to lvos_cats", "5 masks renamed"],
        ),
        (as_0_255, set(), ["5 masks of 0 and 255 saved as one bit"]),
        (as_colours, {"mode"}, ["masks of colours saved as one bit"]),
        (as_opaque_colours, {"mode"}, ["masks of colours saved as one bit"]),
        (with_turned_palettes, {"palette"}, ["palette turned round"]),
        (with_strangers, {"extra-file", "extra-video", "extra-class", "extra-frame"}, ["no such video", "not part of"]),
    ],
)
def test_harmless_faults_are_mended(
    handmade: Benchmark, folder: Path, spoil: Callable[[Path], None], kinds: set[str], done: list[str]
) -> None:
    spoil(folder)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert {fault.kind for fault in check(handmade, folder, PAPER)} == kinds
    out = folder.parent / "mended"
    report = repair(handmade, folder, out, PAPER)
    assert report.left == ()
    assert_whole(handmade, out)
    text = "\n".join(map(str, report.repairs))
    assert bool(text) == bool(done)
    assert all(part in text for part in done)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_masks_under_wrong_names_are_checked_too(handmade: Benchmark, folder: Path) -> None:
    rename_all(folder)
    other = np.zeros((3, 3), dtype=bool)
    for name in ("cats/16/00000006.png", "mose_dog/dog/00001.png", "davis_dog/17/frame_3.png"):
        write_binary(folder / name, other)
    found = check(handmade, folder, PAPER)
    assert [fault.where for fault in found if fault.kind == "size"] == [
        str(folder / name) for name in ("davis_dog/17/frame_3.png", "cats/16/00000006.png", "mose_dog/dog/00001.png")
    ]
    report = repair(handmade, folder, folder.parent / "mended", PAPER)
    assert [fault.kind for fault in report.left] == ["size"] * 3


def test_masks_that_need_nothing_are_copied(handmade: Benchmark, folder: Path) -> None:
    (folder / "run.json").write_text('{"method": "lite"}')
    out = folder.parent / "mended"
    assert repair(handmade, folder, out, PAPER) == RepairReport((), ())
    files = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(out) for path in out.rglob("*") if path.is_file())
    assert all((folder / name).read_bytes() == (out / name).read_bytes() for name in files)


def test_what_is_not_harmless_stays(handmade: Benchmark, folder: Path) -> None:
    clip = folder / "davis_dog/17"
    (clip / "00000.png").unlink()
    write_binary(clip / "00001.png", np.zeros((40, 30), dtype=bool))
    (clip / "00002.png").write_bytes(b"no image")
    Image.fromarray(np.arange(30 * 40, dtype=np.uint8).reshape(30, 40)).save(clip / "00003.png")
    noise = np.random.RandomState(0).randint(0, 255, (30, 40, 3), dtype=np.uint8)
    Image.fromarray(noise).save(clip / "00004.png")
    (folder / "lvos_cats/1.json").write_text("no JSON")
    shutil.rmtree(folder / "lvos_cats/1")
    (folder / "run.json").write_text("no JSON")
    report = repair(handmade, folder, folder.parent / "mended", PAPER)
    assert [(fault.kind, fault.severity) for fault in report.left] == [
        ("missing-frame", "error"),
        ("size", "error"),
        ("unreadable", "error"),
        ("values", "warning"),
        ("mode", "error"),
        ("unreadable", "error"),
    ]
    assert [done.what for done in report.repairs] == ["left out: not the record of a run"]


def test_numbers_of_another_counting_are_renamed_only_all_together(handmade: Benchmark, folder: Path) -> None:
    """0..8 for a video whose frames are 1, 6, 11, ...: 1 and 6 look like frames but are the second and the seventh."""
    for position, path in enumerate(sorted((folder / "lvos_cats/1").iterdir())):
        path.rename(path.with_name(f"{position}.png"))
    assert [fault.kind for fault in check(handmade, folder, PAPER)] == ["renumbered-frames"]
    assert repair(handmade, folder, folder.parent / "mended", PAPER).left == ()
    assert_whole(handmade, folder.parent / "mended")
    (folder / "lvos_cats/1/3.png").unlink()
    assert {fault.kind for fault in check(handmade, folder, PAPER)} == {"missing-frame", "extra-frame"}
    report = repair(handmade, folder, folder.parent / "again", PAPER)
    assert {fault.kind for fault in report.left} == {"missing-class"}


def test_two_names_for_one_frame_are_not_guessed(handmade: Benchmark, folder: Path) -> None:
    clip = folder / "davis_dog/17"
    (clip / "00003.png").rename(clip / "3.png")
    shutil.copy(clip / "00001.png", clip / "frame_3.png")
    kinds = sorted(fault.kind for fault in check(handmade, folder, PAPER))
    assert kinds == ["extra-frame", "extra-frame", "missing-frame"]


def test_rle_frames_are_renamed(handmade: Benchmark, folder: Path) -> None:
    clip = handmade.clip("davis_dog/17")
    shutil.rmtree(folder / clip.id)
    rles = {f"{int(frame)}.png": encode_rle(predicted(clip, frame)) for frame in clip.video.frames}
    (folder / "davis_dog/dog.json").write_text(json.dumps(rles | {"about": {}}))
    report = repair(handmade, folder, folder.parent / "mended", PAPER)
    assert report.left == ()
    assert_whole(handmade, folder.parent / "mended")
    assert list(json.loads((folder.parent / "mended/davis_dog/17.json").read_text())) == list(clip.video.frames)


def test_half_a_surrogate_pair_does_no_harm(handmade: Benchmark, folder: Path) -> None:
    clip = handmade.clip("davis_dog/17")
    shutil.rmtree(folder / clip.id)
    rles = {frame: encode_rle(predicted(clip, frame)) for frame in clip.video.frames}
    (folder / "davis_dog/17.json").write_text(json.dumps(rles | {"00001": {"size": [30, 40], "counts": "\ud83d"}}))
    report = repair(handmade, folder, folder.parent / "mended", PAPER)
    assert [fault.kind for fault in report.left] == ["unreadable"]


def test_draws_and_archives_are_mended_too(handmade: Benchmark, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "run.zip", "w") as archive:
        for draw in (0, 1):
            folder = write_predictions(handmade, tmp_path / f"run/draw{draw}")
            rename_all(folder)
            for file in sorted(folder.rglob("*.png")):
                archive.write(file, f"wrapped/{file.relative_to(tmp_path / 'run')}")
    report = repair(handmade, tmp_path / "run.zip", tmp_path / "mended", PAPER)
    assert report.left == ()
    for draw in (0, 1):
        assert_whole(handmade, tmp_path / f"mended/draw{draw}")
    assert report.repairs[0].where.startswith(str(tmp_path / "run.zip"))


def test_nothing_is_written_over(handmade: Benchmark, folder: Path) -> None:
    with pytest.raises(IcvosError, match="exists"):
        repair(handmade, folder, folder, PAPER)
    with pytest.raises(IcvosError, match="lies in the predictions"):
        repair(handmade, folder, folder / "mended", PAPER)


def test_the_command(handmade: Benchmark, folder: Path, tmp_path: Path) -> None:
    command = ("validate", folder, "--benchmark", handmade.root)
    assert "0 errors, 0 warnings under paper@1" in icvos(*command).output
    rename_all(folder)
    (folder / "notes\x1b[31m.txt").write_text("hello")
    found = icvos(*command, "--json", tmp_path / "faults.json", status=1)
    assert "7 errors, 1 warning under" in found.output
    assert "\x1b[31m" not in found.output
    faults = json.loads((tmp_path / "faults.json").read_text())["faults"]
    assert len(faults) == 8
    assert {fault["severity"] for fault in faults} == {"error", "warning"}
    mended = icvos(*command, "--repair", tmp_path / "mended", "--json", tmp_path / "mended.json")
    assert f"{tmp_path / 'mended'}: 0 errors, 0 warnings" in mended.output
    report = json.loads((tmp_path / "mended.json").read_text())
    assert (len(report["faults"]), report["left"]) == (8, [])
    assert len(report["repairs"]) == 4
    assert_whole(handmade, tmp_path / "mended")
    assert "choose from" in icvos(*command, "--protocol", "other", status=2).output


def test_a_palette_with_more_transparency_than_colours_is_left_as_it_is(
    handmade: Benchmark, folder: Path, tmp_path: Path
) -> None:
    clip = handmade.clips[0]
    path = next((folder / clip.video.name / str(clip.category.index)).iterdir())
    height, width = clip.video.size
    image = Image.frombytes(
        "P", (width, height), bytes(range(2)) * (height * width // 2) + b"\0" * (height * width % 2)
    )
    image.putpalette([255, 255, 255, 0, 0, 0])
    image.save(path)
    data = path.read_bytes()
    place = data.index(b"IDAT") - 4
    chunk = b"tRNS" + bytes(300)
    path.write_bytes(
        data[:place] + struct.pack(">I", 300) + chunk + struct.pack(">I", zlib.crc32(chunk)) + data[place:]
    )
    before = path.read_bytes()
    repair(handmade, folder, tmp_path / "mended", PAPER)
    assert (tmp_path / "mended" / path.relative_to(folder)).read_bytes() == before
