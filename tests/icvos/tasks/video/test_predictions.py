"""Reading prediction folders, and finding every fault in them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from icvos.errors import Fault, IcvosError, PredictionError
from icvos.files.masks import read_binary, write_binary
from icvos.files.rle import decode_rle, encode_rle
from icvos.protocol import NATIVE, PAPER, Protocol
from icvos.tasks.runs import draw_folders
from icvos.tasks.video.benchmark import Benchmark
from icvos.tasks.video.check import check
from icvos.tasks.video.predictions import Predictions
from tests.icvos.handmade import DIGEST, predicted, write_benchmark, write_predictions


@pytest.fixture(scope="module")
def handmade(tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    return write_benchmark(tmp_path_factory.mktemp("benchmark"))


@pytest.fixture
def folder(handmade: Benchmark, tmp_path: Path) -> Path:
    return write_predictions(handmade, tmp_path / "run")


def as_rle(benchmark: Benchmark, folder: Path, clip_id: str) -> Path:
    """Replace a clip's folder of PNGs by its JSON of RLEs."""
    clip = benchmark.clip(clip_id)
    path = folder / f"{clip_id}.json"
    path.write_text(json.dumps({frame: encode_rle(predicted(clip, frame)) for frame in clip.video.frames}))
    shutil.rmtree(folder / clip_id)
    return path


def test_masks_of_both_kinds_are_read(handmade: Benchmark, folder: Path) -> None:
    as_rle(handmade, folder, "lvos_cats/16")
    predictions = Predictions.open(folder)
    assert predictions.clip_ids == ("davis_dog/17", "lvos_cats/1", "lvos_cats/16", "mose_dog/17")
    assert not predictions.run.given
    for clip in handmade.clips:
        assert predictions.frames(clip) == set(clip.video.frames)
        for frame in clip.video.frames:
            mask = predictions.mask(clip, frame)
            assert mask.dtype == np.bool_
            assert np.array_equal(mask, predicted(clip, frame))


def test_any_value_is_foreground(handmade: Benchmark, folder: Path) -> None:
    clip = handmade.clip("davis_dog/17")
    mask = predicted(clip, "00002")
    for value in (1, 2, 255):
        for mode in ("L", "P"):
            image = Image.frombytes(mode, (40, 30), (mask * np.uint8(value)).tobytes())
            image.save(folder / clip.id / "00002.png")
            assert np.array_equal(Predictions.open(folder).mask(clip, "00002"), mask)
    Image.fromarray(mask.astype(np.uint16) * 300).save(folder / clip.id / "00002.png")
    assert np.array_equal(Predictions.open(folder).mask(clip, "00002"), mask)
    assert check(handmade, folder, PAPER) == []


def test_draws_come_in_order_of_their_numbers(tmp_path: Path) -> None:
    assert draw_folders(tmp_path) == (tmp_path,)
    for name in ("draw10", "draw2", "draw0", "drawn", "draw01", "scores.json"):
        (tmp_path / name).mkdir()
    assert [folder.name for folder in draw_folders(tmp_path)] == ["draw0", "draw2", "draw10"]
    with pytest.raises(IcvosError, match="no such folder"):
        draw_folders(tmp_path / "absent")


def test_a_good_folder_has_no_fault(handmade: Benchmark, folder: Path) -> None:
    as_rle(handmade, folder, "mose_dog/17")
    (folder / "run.json").write_text(json.dumps({"method": "lite", "benchmark": {"digest": DIGEST}}))
    (folder / "scores.json").write_text("{}")
    (folder / ".DS_Store").write_bytes(b"\0")
    (folder / "__MACOSX").mkdir()
    assert check(handmade, folder, PAPER) == []


def drop_video(folder: Path) -> None:
    shutil.rmtree(folder / "davis_dog")


def drop_class(folder: Path) -> None:
    shutil.rmtree(folder / "lvos_cats/16")


def drop_frame(folder: Path) -> None:
    (folder / "davis_dog/17/00003.png").unlink()


def add_video(folder: Path) -> None:
    (folder / "horse/18").mkdir(parents=True)


def add_class(folder: Path) -> None:
    (folder / "davis_dog/18").mkdir()


def add_frame(folder: Path) -> None:
    shutil.copy(folder / "davis_dog/17/00000.png", folder / "davis_dog/17/00005.png")


def add_file(folder: Path) -> None:
    (folder / "notes.txt").write_text("hello")


def rename_video(folder: Path) -> None:
    (folder / "lvos_cats").rename(folder / "cats")


def rename_class(folder: Path) -> None:
    (folder / "lvos_cats/16").rename(folder / "lvos_cats/cat")


def rename_frame(folder: Path) -> None:
    (folder / "davis_dog/17/00003.png").rename(folder / "davis_dog/17/3.png")


def other_suffix(folder: Path) -> None:
    (folder / "davis_dog/17/00003.png").rename(folder / "davis_dog/17/00003.jpg")


def other_size(folder: Path) -> None:
    write_binary(folder / "davis_dog/17/00003.png", np.zeros((40, 30), dtype=bool))


def colours(folder: Path) -> None:
    Image.new("RGB", (40, 30), (128, 0, 0)).save(folder / "davis_dog/17/00003.png")


def truncated(folder: Path) -> None:
    path = folder / "davis_dog/17/00003.png"
    Image.fromarray(np.random.RandomState(0).randint(0, 2, (30, 40), dtype=np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:120])


def not_an_image(folder: Path) -> None:
    (folder / "davis_dog/17/00003.png").write_bytes(b"<html>not found</html>")


def empty_file(folder: Path) -> None:
    (folder / "davis_dog/17/00003.png").write_bytes(b"")


def both_kinds(folder: Path) -> None:
    (folder / "davis_dog/17.json").write_text("{}")


def file_for_folder(folder: Path) -> None:
    shutil.rmtree(folder / "davis_dog/17")
    (folder / "davis_dog/17").write_text("no folder")


def other_digest(folder: Path) -> None:
    (folder / "run.json").write_text('{"benchmark": {"digest": "sha256:other"}}')


FAULTS: list[tuple[Callable[[Path], None], str, str, str, str]] = [
    (drop_video, "missing-video", "error", "davis_dog", "predict it"),
    (drop_class, "missing-class", "error", "lvos_cats/16", "predict it"),
    (drop_frame, "missing-frame", "error", "davis_dog/17/00003.png", "predict it"),
    (add_video, "extra-video", "warning", "horse", "remove it"),
    (add_class, "extra-class", "warning", "davis_dog/18", "remove it"),
    (add_frame, "extra-frame", "warning", "davis_dog/17/00005.png", "remove it"),
    (add_file, "extra-file", "warning", "notes.txt", "remove it"),
    (rename_video, "misnamed-video", "error", "cats", "rename it to lvos_cats"),
    (rename_class, "misnamed-class", "error", "lvos_cats/cat", "rename it to 16"),
    (rename_frame, "misnamed-frame", "error", "davis_dog/17/3.png", "rename it to 00003"),
    (other_suffix, "misnamed-frame", "error", "davis_dog/17/00003.jpg", "rename it to 00003"),
    (other_size, "size", "error", "davis_dog/17/00003.png", "30x40 pixels, the video is 40x30"),
    (colours, "mode", "error", "davis_dog/17/00003.png", "mode RGB"),
    (truncated, "unreadable", "error", "davis_dog/17/00003.png", "write the file again"),
    (not_an_image, "unreadable", "error", "davis_dog/17/00003.png", "write the file again"),
    (empty_file, "unreadable", "error", "davis_dog/17/00003.png", "write the file again"),
    (both_kinds, "ambiguous", "error", "davis_dog/17", "remove one of the two"),
    (file_for_folder, "unreadable", "error", "davis_dog/17", "cannot be listed"),
    (
        other_digest,
        "digest",
        "warning",
        "run.json",
        f"sha256:other, not {DIGEST}",
    ),
]


@pytest.mark.parametrize(
    ("spoil", "kind", "severity", "where", "what"), FAULTS, ids=lambda v: getattr(v, "__name__", "")
)
def test_each_fault_alone(
    handmade: Benchmark, folder: Path, spoil: Callable[[Path], None], kind: str, severity: str, where: str, what: str
) -> None:
    spoil(folder)
    (fault,) = check(handmade, folder, PAPER)
    assert (fault.kind, fault.severity, fault.where) == (kind, severity, str(folder / where))
    assert what in fault.what
    assert "\n" not in str(fault)


def test_all_faults_in_one_pass(handmade: Benchmark, folder: Path) -> None:
    together = (drop_class, drop_frame, add_video, add_frame, add_file, other_digest)
    for spoil in together:
        spoil(folder)
    other_size_frame = folder / "lvos_cats/1/00000006.png"
    write_binary(other_size_frame, np.zeros((3, 3), dtype=bool))
    found = check(handmade, folder, PAPER)
    wanted = {kind for spoil, kind, *_ in FAULTS if spoil in together} | {"size"}
    assert {fault.kind for fault in found} == wanted
    assert len(found) == len(wanted)


def test_names_off_by_one_are_one_fault(handmade: Benchmark, folder: Path) -> None:
    clip = folder / "davis_dog/17"
    for position in reversed(range(5)):
        (clip / f"{position:05d}.png").rename(clip / f"{position + 1:05d}.png")
    (fault,) = check(handmade, folder, PAPER)
    assert (fault.kind, fault.where) == ("renumbered-frames", str(clip))


def test_names_that_could_mean_two_videos_are_not_guessed(handmade: Benchmark, folder: Path) -> None:
    for video in ("davis_dog", "mose_dog"):
        shutil.rmtree(folder / video)
    (folder / "dog").mkdir()
    found = sorted(fault.kind for fault in check(handmade, folder, PAPER))
    assert found == ["extra-video", "missing-video", "missing-video"]


def test_only_what_counts_is_required(handmade: Benchmark, folder: Path) -> None:
    for name in ("00003", "00004"):
        (folder / f"davis_dog/17/{name}.png").unlink()
    shutil.rmtree(folder / "mose_dog")
    first_three = Protocol("first", 1, 3, None)
    clips = [clip for clip in handmade.clips if clip.video.name != "mose_dog"]
    assert check(handmade, folder, first_three, clips) == []
    assert {fault.kind for fault in check(handmade, folder, NATIVE, clips)} == {"missing-frame"}
    assert Predictions.open(folder).missing(handmade.clip("davis_dog/17"), NATIVE) == [
        str(folder / "davis_dog/17/00003.png"),
        str(folder / "davis_dog/17/00004.png"),
    ]


def test_predictions_of_clips_that_are_not_required_are_no_fault(handmade: Benchmark, folder: Path) -> None:
    assert check(handmade, folder, PAPER, [handmade.clip("lvos_cats/16")]) == []


def test_the_truth_itself_is_noticed(handmade: Benchmark, folder: Path) -> None:
    clip = handmade.clip("lvos_cats/1")
    for frame in clip.video.frames:
        write_binary(folder / clip.id / f"{frame}.png", read_binary(clip.mask_path(frame)))
    (fault,) = check(handmade, folder, PAPER)
    assert (fault.kind, fault.severity, fault.where) == ("truth", "warning", str(folder / clip.id))


def test_all_draws_of_a_run_are_checked(handmade: Benchmark, tmp_path: Path) -> None:
    for draw in (0, 1):
        write_predictions(handmade, tmp_path / f"draw{draw}", draw)
        drop_frame(tmp_path / f"draw{draw}")
    seen = []
    found = check(handmade, tmp_path, PAPER, progress=seen.append)
    assert [fault.where for fault in found] == [str(tmp_path / f"draw{k}/davis_dog/17/00003.png") for k in (0, 1)]
    assert seen == [*handmade.clips, *handmade.clips]


RLE = {"size": [30, 40], "counts": [0, 1200]}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", "unreadable"),
        ("[]", "unreadable"),
        ("[" * 100_000, "unreadable"),
        ('{"00003": 5}', "unreadable"),
        ('{"00003": {"size": [30, 40]}}', "unreadable"),
        ('{"00003": {"size": [30], "counts": ""}}', "unreadable"),
        ('{"00003": {"size": [30, 40], "counts": 7}}', "unreadable"),
        ('{"00003": {"size": [30, 40], "counts": [5, -5, 1200]}}', "unreadable"),
        ('{"00003": {"size": [30, 40], "counts": [0, 1199]}}', "unreadable"),
        ('{"00003": {"size": [30, 40], "counts": [[0], [1200]]}}', "unreadable"),
        ('{"00003": {"size": [30, 40], "counts": "zzzzzz"}}', "unreadable"),
        ('{"00003": {"size": [30, 40], "counts": "oooooooooooooo0"}}', "unreadable"),
        ('{"00003": {"size": [30, 40], "counts": "\\u00e9"}}', "unreadable"),
        ('{"00003": {"size": [1e999, 40], "counts": ""}}', "unreadable"),
        ('{"00003": {"size": [40, 30], "counts": [0, 1200]}}', "size"),
        ('{"00003": {"size": [1000000, 1000000], "counts": [0, 1000000000000]}}', "size"),
    ],
)
def test_hostile_rle_is_a_fault(handmade: Benchmark, folder: Path, text: str, kind: str) -> None:
    path = as_rle(handmade, folder, "davis_dog/17")
    if text.startswith("{"):
        text = json.dumps(json.loads(path.read_text()) | json.loads(text))
    path.write_text(text)
    (fault,) = check(handmade, folder, PAPER)
    assert (fault.kind, fault.severity) == (kind, "error")
    assert fault.where.startswith(str(path))


def test_a_frame_that_a_json_has_twice_is_a_fault(handmade: Benchmark, folder: Path) -> None:
    path = as_rle(handmade, folder, "davis_dog/17")
    text = path.read_text()
    path.write_text(f'{{"00003": {json.dumps(RLE)}, {text[1:]}')
    (fault,) = check(handmade, folder, PAPER)
    assert (fault.kind, fault.severity) == ("unreadable", "error")
    assert "key '00003' occurs twice" in fault.what


def test_missing_extra_and_misnamed_frames_of_rle(handmade: Benchmark, folder: Path) -> None:
    path = as_rle(handmade, folder, "davis_dog/17")
    found = json.loads(path.read_text())
    del found["00000"]
    found["2"] = found.pop("00002")
    found["x" * 5000] = RLE
    path.write_text(json.dumps(found))
    faults = {fault.kind: fault for fault in check(handmade, folder, PAPER)}
    assert faults.keys() == {"missing-frame", "misnamed-frame", "extra-frame"}
    assert faults["missing-frame"].where == f"{path}: 00000"
    assert faults["misnamed-frame"].where == f"{path}: 2"


def test_a_short_rle_is_never_filled_with_what_is_in_memory() -> None:
    for counts in ("", "0", "111", [3, 2], [3, 2, 1000]):
        with pytest.raises(ValueError, match=r"runs|RLE"):
            decode_rle({"size": [4, 5], "counts": counts})


def test_reading_says_what_is_wrong(handmade: Benchmark, folder: Path) -> None:
    clip = handmade.clip("davis_dog/17")
    for spoil in (colours, other_size, truncated, drop_frame):
        spoil(folder)
        with pytest.raises(PredictionError) as caught:
            Predictions.open(folder).mask(clip, "00003")
        assert str(caught.value) == str(caught.value.fault)
        assert str(caught.value).startswith(str(folder / "davis_dog/17/00003.png"))
        assert "\n" not in str(caught.value)


def test_a_broken_record_is_an_error(handmade: Benchmark, folder: Path) -> None:
    for text in ("", "[]", "{", '{"shots": 1, "shots": 5}', '{"benchmark": {"digest": "a", "digest": "b"}}'):
        (folder / "run.json").write_text(text)
        (fault,) = check(handmade, folder, PAPER)
        assert (fault.kind, fault.severity, fault.where) == ("record", "error", str(folder / "run.json"))
        with pytest.raises(IcvosError, match=r"run\.json"):
            Predictions.open(folder)


def test_names_cannot_write_to_the_terminal() -> None:
    assert str(Fault("extra-file", "a\n\x1b[31mb", "remove it")) == "a??[31mb: remove it"
