"""`icvos predict` with several classes, and its masks in other forms."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from icvos.files.frames import open_frames
from icvos.files.masks import read_binary, write_binary
from icvos.own_exports import labelled, write_coco, write_cutouts, write_labels
from icvos.tasks.video.benchmark import Benchmark
from tests.conftest import icvos
from tests.icvos.test_own_video import Own, own_of


def of_class(own: Own, *names: str) -> list[object]:
    """The arguments of `icvos predict` that show the same object under each of these names."""
    _, picture, _, mask, *rest = own.arguments
    return [*(word for name in names for word in ("--support", picture, "--mask", mask, "--class", name)), *rest]


@pytest.fixture
def own(benchmark: Benchmark) -> Own:
    return own_of(benchmark)


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A folder of two frames with masks of two classes that overlap, under ``video`` and ``masks``."""
    for name, column in (("first", 0), ("second", 2)):
        for frame in range(2):
            mask = np.zeros((6, 8), bool)
            mask[1:5, column : column + 4] = frame == 0 or name == "first"
            (tmp_path / "masks" / name).mkdir(parents=True, exist_ok=True)
            write_binary(tmp_path / "masks" / name / f"{frame}.png", mask)
    (tmp_path / "video").mkdir()
    for frame in range(2):
        Image.fromarray(np.full((6, 8, 3), 90 + frame, np.uint8)).save(tmp_path / "video" / f"{frame}.png")
    return tmp_path


def test_classes_are_segmented_as_each_is_alone(own: Own, tmp_path: Path) -> None:
    icvos("predict", *own.arguments, "--out", tmp_path / "alone")
    out = tmp_path / "out"
    words = ["predict", *of_class(own, "toy", "other"), "--out", out]
    found = icvos(*words, "--coco", tmp_path / "m.json", "--cutouts", tmp_path / "cut", "--overlay", tmp_path / "o.gif")
    assert f"{out}: 6 masks of each class, and their labels" in found.stdout
    assert json.loads((out / "classes.json").read_text())["classes"] == ["toy", "other"]
    frames = sorted(path.name for path in (tmp_path / "alone").glob("*.png"))
    for name in ("toy", "other"):
        assert [(out / name / frame).read_bytes() for frame in frames] == [
            (tmp_path / "alone" / frame).read_bytes() for frame in frames
        ]
    for frame in frames:
        labels = np.asarray(Image.open(out / "labels" / frame))
        assert (labels == read_binary(out / "toy" / frame)).all()  # the first lies over the second
    coco = json.loads((tmp_path / "m.json").read_text())
    assert [category["name"] for category in coco["categories"]] == ["toy", "other"]
    assert sorted(path.name for path in (tmp_path / "cut").glob("*.png")) == frames
    again = icvos(*words)
    assert again.stderr.count("holds these 6 masks already") == 2
    icvos("render", "--video", own.video, "--predictions", out, "--out", tmp_path / "drawn")
    assert len([*(tmp_path / "drawn").iterdir()]) == 1
    assert "made, not a benchmark" in icvos("render", out, "--out", tmp_path / "x", status=2).stderr


def test_labels_are_of_the_class_that_comes_first(made: Path) -> None:
    frames = open_frames(made / "video")
    write_labels(frames, made / "masks", ("first", "second"), lambda done: None)
    row = [np.asarray(Image.open(made / "masks" / "labels" / f"{frame}.png"))[2].tolist() for frame in range(2)]
    assert row == [[1, 1, 1, 1, 2, 2, 0, 0], [1, 1, 1, 1, 0, 0, 0, 0]]
    folders = {name: made / "masks" / name for name in ("second", "first")}
    assert next(labelled(frames, folders))[2][2].tolist() == [2, 2, 1, 1, 1, 1, 0, 0]


def test_pycocotools_reads_what_is_written(made: Path) -> None:
    folders = {name: made / "masks" / name for name in ("first", "second")}
    assert write_coco(made / "m.json", open_frames(made / "video"), folders, lambda done: None) == 3
    coco = COCO(made / "m.json")
    assert [image["file_name"] for image in coco.loadImgs([1, 2])] == ["0.png", "1.png"]
    for number, (name, frame) in enumerate((("first", 0), ("second", 0), ("first", 1)), start=1):
        [found] = coco.loadAnns(number)
        mask = read_binary(made / "masks" / name / f"{frame}.png")
        assert (coco.annToMask(found) == mask).all()
        assert found["area"] == mask.sum()
        assert found["bbox"] == [0 if name == "first" else 2, 1, 4, 4]
        assert found["image_id"] == frame + 1


def test_cutouts_are_transparent_and_empty_outside(made: Path) -> None:
    folders = {name: made / "masks" / name for name in ("first", "second")}
    write_cutouts(made / "cut", open_frames(made / "video"), folders, lambda done: None)
    row = np.asarray(Image.open(made / "cut" / "0.png"))[2].tolist()
    assert row == [[90, 90, 90, 255]] * 6 + [[0, 0, 0, 0]] * 2


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("toy",), "1 --class and 2 --support; say of every support what it shows"),
        (("toy", "a/b"), "--class 'a/b': cannot name a folder, as it has a slash or backslash"),
        (("toy", "labels"), "--class labels: is what icvos calls a file of its own; choose another name"),
        (("toy", ""), "--class '': cannot name a folder, as it is empty"),
    ],
)
def test_classes_that_cannot_be_are_refused(own: Own, tmp_path: Path, names: tuple[str, ...], message: str) -> None:
    words = of_class(own, "toy", "other")
    words = [word for word in words if word not in ("--class", "toy", "other")]
    words += [word for name in names for word in ("--class", name)]
    assert message in icvos("predict", *words, "--out", tmp_path / "out", status=2).stderr
    assert not (tmp_path / "out").exists()


def test_nothing_of_somebody_else_is_written_over(own: Own, tmp_path: Path) -> None:
    video = tmp_path / "video"
    shutil.copytree(own.video, video)
    own = Own(own.picture, own.mask, video)
    (tmp_path / "out" / "notes").mkdir(parents=True)
    words = ["predict", *of_class(own, "toy"), "--out"]
    assert "holds notes, which is of something else" in icvos(*words, tmp_path / "out", status=2).stderr
    words.append(tmp_path / "new")
    before = sorted(video.iterdir())
    assert "would be written over or into" in icvos(*words, "--cutouts", video / "cut", status=2).stderr
    assert "is not an empty folder; choose another --cutouts" in icvos(*words, "--cutouts", video, status=2).stderr
    assert "would be written over or into" in icvos(*words, "--coco", before[0], status=2).stderr
    assert sorted(video.iterdir()) == before
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("exports", "message"),
    [
        (("--cutouts", "out"), "out: would be written over or into"),
        (("--cutouts", "out/cut"), "cut: would be written over or into"),
        (("--coco", "out/masks.json"), "masks.json: would be written over or into"),
        (("--overlay", "out/masks.gif"), "masks.gif: would be written over or into"),
        (("--cutouts", "cut", "--coco", "cut/masks.json"), "cut: would be written over"),
        (("--cutouts", "."), "choose another --cutouts"),
    ],
)
def test_nothing_is_written_where_the_masks_or_other_exports_are(
    own: Own, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exports: tuple[str, ...], message: str
) -> None:
    """A folder of cut-outs is replaced as a whole, which once would have been the masks themselves."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".cutouts").touch()  # as if it had been such a folder before
    assert message in icvos("predict", *of_class(own, "toy"), "--out", "out", *exports, status=2).stderr
    assert [path.name for path in tmp_path.iterdir()] == [".cutouts"]
