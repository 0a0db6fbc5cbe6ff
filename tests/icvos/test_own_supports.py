"""A box or clicks in the place of a support's mask, for `icvos predict`."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from icvos.errors import IcvosError
from icvos.files.images import read_image
from icvos.files.masks import read_binary, write_binary
from icvos.method import Prompt
from icvos.models.weights.registry import OWN
from icvos.own_supports import files_of, support_of_files
from icvos.tasks.task import SILENT
from icvos.tasks.video.benchmark import Benchmark
from tests.conftest import icvos

pytest.importorskip("torch", reason="the segmenter needs torch: pip install 'icvos[models]'")
pytest.importorskip("sam2", reason="the segmenter needs SAM 2: pip install 'icvos[models]'")

SMALL = ("--set", "short_side=96", "--set", "device=cpu")
CPU = {"device": "cpu"}


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


def box_around(mask: np.ndarray) -> np.ndarray:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], np.float32)


def click_in(mask: np.ndarray) -> tuple[int, int]:
    """x and y of the pixel that is farthest inside."""
    import cv2

    inner = cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_L2, 3)[1:-1, 1:-1]
    y, x = np.unravel_index(inner.argmax(), inner.shape)
    return int(x), int(y)


class Own:
    """A picture of a drawn dog, the true mask of it, and a video."""

    def __init__(self, benchmark: Benchmark) -> None:
        clip = next(clip for clip in benchmark.clips if clip.category.name == "dog")
        support = benchmark.supports(clip, 0, 1)[0]
        self.picture, self.mask = support.image_path, support.mask()
        self.video = clip.video.folder / "JPEGImages"
        self.box = ",".join(f"{value:g}" for value in box_around(self.mask))

    def arguments(self, out: Path) -> list[object]:
        return ["predict", "--support", self.picture, "--video", self.video, "--out", out, *SMALL]


@pytest.fixture
def own(benchmark: Benchmark) -> Own:
    return Own(benchmark)


def test_a_box_becomes_a_mask_that_can_be_seen_and_given(own: Own, tmp_path: Path) -> None:
    out, made = tmp_path / "m", tmp_path / "m.support.png"
    boxed = (*own.arguments(out), "--box", own.box)
    assert f"{made}: what was understood as the object\n{out}: " in icvos(*boxed).stdout
    mask = read_binary(made)
    x0, y0, x1, y1 = box_around(own.mask).astype(int)
    assert mask[y0:y1, x0:x1].sum() == mask.sum()
    assert iou(mask, own.mask) > 0.6
    assert "holds these" in icvos(*boxed).stderr
    assert "holds these" in icvos(*own.arguments(out), "--mask", made).stderr
    said = icvos(*own.arguments(out), "--box", f"0,0,{mask.shape[1]},{mask.shape[0]}", status=2).stderr
    assert said.startswith(f"icvos: {made}: is there already, and is not the mask of this box or click")
    assert (read_binary(made) == mask).all()


def test_clicks_say_what_the_object_is_and_what_it_is_not(own: Own, tmp_path: Path) -> None:
    x, y = click_in(own.mask)
    click = Prompt(points=np.array([[x, y]], np.float32), labels=np.ones(1, int))
    ((_, path),) = files_of({"": [(own.picture, click)]}, tmp_path / "one", "lite", CPU, None, SILENT)[""]
    one = read_binary(path)
    assert one[y, x]
    assert iou(one, own.mask) > 0.5
    away_x, away_y = click_in(one & ~own.mask)
    icvos(*own.arguments(tmp_path / "two"), "--click", f"{x},{y}", "--click-outside", f"{away_x},{away_y}")
    two = read_binary(tmp_path / "two.support.png")
    assert two[y, x]
    assert not two[away_y, away_x]


def test_every_support_of_every_class_has_its_box(own: Own, benchmark: Benchmark, tmp_path: Path) -> None:
    clip = next(clip for clip in benchmark.clips if clip.category.name == "person")
    person = benchmark.supports(clip, 0, 1)[0]
    supports: Any = {
        "dog": [(own.picture, tmp_path / "given.png"), (own.picture, Prompt(box=box_around(own.mask)))],
        "person": [(person.image_path, Prompt(box=box_around(person.mask())))],
    }
    found = files_of(supports, tmp_path / "m", "lite", CPU, None, SILENT)
    assert [path.name for pairs in found.values() for _, path in pairs] == [
        "given.png", "m.support-2.png", "m.support-3.png",
    ]  # fmt: skip
    assert iou(read_binary(tmp_path / "m.support-2.png"), own.mask) > 0.6
    assert iou(read_binary(tmp_path / "m.support-3.png"), person.mask()) > 0.5


@pytest.mark.parametrize(
    ("method", "settings"), [("vrp-sam", {"condition": "box"}), ("sansa", {"prompt": "box", "sam2": "sam2-nano"})]
)
def test_a_method_whose_supports_are_boxes_is_given_the_box_itself(
    own: Own, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, settings: dict[str, str]
) -> None:
    from baselines.parts.annotation import annotate
    from baselines.sansa.prompts import largest_box

    monkeypatch.setattr("icvos.models.sam.sam2_images.load_sam_on_images", None)
    supports: Any = {"": [(own.picture, Prompt(box=np.array([10, 20, 60, 50], np.float32)))]}
    ((_, path),) = files_of(supports, tmp_path / "m", method, settings, None, SILENT)[""]
    mask = support_of_files(own.picture, path).mask()
    assert largest_box(mask) == (10, 20, 60, 50)
    assert (annotate(mask, "box") == mask).all()


def test_a_box_is_of_the_picture_upright(tmp_path: Path) -> None:
    """Its EXIF data turn the picture by a quarter."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (80, 40), (9, 90, 9)).save(tmp_path / "turned.jpg", exif=exif)
    supports: Any = {"": [(tmp_path / "turned.jpg", Prompt(box=np.array([5, 50, 30, 79.5], np.float32)))]}
    ((image, path),) = files_of(supports, tmp_path / "m", "vrp-sam", {"condition": "box"}, None, SILENT)[""]
    support = support_of_files(image, path)
    assert support.image().shape[:2] == support.mask().shape == (80, 40)
    assert box_around(support.mask()).tolist() == [5, 50, 30, 80]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "where is the object in the support? give its --mask, a --box around it, or a --click on it"),
        (("--mask", "MASK", "--box", "1,2,30,40"), "--mask beside --box: show all supports in one way"),
        (("--mask", "MASK", "--click", "1,2"), "--mask beside --click: show all supports in one way"),
        (("--mask", "MASK", "--segmenter", "sam2-nano"), "segmenter sam2-nano: makes masks of boxes and clicks, and"),
        (("--box", "1,2,3"), "--box 1,2,3: write it as X0,Y0,X1,Y1, in pixels of the picture"),
        (("--click", "1,nan"), "--click 1,nan: write it as X,Y, in pixels of the picture"),
        (("--box", "1,2,3,4", "--box", "1,2,3,4"), "1 --support and 2 --box; give one box for every picture"),
        (("--box", "1,2,9000,40"), "box 1,2,9000,40 is not in the picture, which is"),
        (("--box", "30,2,10,40"), "box 30,2,10,40 has no pixel"),
        (("--box", "10,40,30,40"), "box 10,40,30,40 has no pixel"),
        (("--click", "1,9000"), "click 1,9000 is not in the picture, which is"),
        (("--click-outside", "1,2"), "clicks say only what is not the object; give a box, or a click on it"),
        (("--support", "PICTURE", "--click", "1,2"), "2 --support and clicks, which are for one; give each a --box"),
        (("--click", "9,9", "--segmenter", "sam2-hiera-t"), "sam2-hiera-t: the checkpoint is not on this machine"),
        (
            ("--click", "9,9", "--segmenter", "sam2-hiera-t", "--allow-random-weights"),
            "sam2-hiera-t: the checkpoint is not on this machine",
        ),
        (("--click", "9,9", "--segmenter", "sam-9"), "sam-9: neither a file nor a checkpoint's name"),
        (("--click", "9,9", "--segmenter", "pfenet-nano"), "is not a SAM checkpoint; give one of"),
    ],
)
def test_what_shows_no_object_is_one_line(
    own: Own, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], message: str
) -> None:
    from tests.icvos.models.weights_folder import empty_folder

    empty_folder(tmp_path, monkeypatch)
    write_binary(tmp_path / "mask.png", own.mask)
    places = {"MASK": tmp_path / "mask.png", "PICTURE": own.picture}
    there = sorted(tmp_path.rglob("*"))
    found = icvos(*own.arguments(tmp_path / "m"), *(places.get(one, one) for one in options), status=2)
    assert message in found.stderr
    assert len(found.stderr.splitlines()) == 1
    assert sorted(tmp_path.rglob("*")) == there


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        (Prompt(mask=np.ones((4, 4), bool)), "by a box, by points, or by the file of a mask; give one of them"),
        (Prompt(), "neither a box nor points with labels; give one of them"),
        (Prompt(points=np.ones((1, 2), np.float32)), "neither a box nor points with labels; give one of them"),
    ],
)
def test_a_prompt_that_is_no_box_and_no_click_is_refused(
    own: Own, tmp_path: Path, prompt: Prompt, message: str
) -> None:
    with pytest.raises(IcvosError, match=message):
        files_of({"": [(own.picture, prompt)]}, tmp_path / "m", "lite", CPU, None, SILENT)


def test_masks_of_boxes_and_clicks_on_real_first_frames(samples: Path) -> None:
    """The figures of docs/nano.md, for DAVIS."""
    from icvos.models.sam.clicked import segment_prompt
    from icvos.models.sam.sam2_images import load_sam_on_images

    sam, boxed, clicked = load_sam_on_images("sam2-nano"), [], []
    for folder in sorted((samples / "DAVIS/Annotations/480p").iterdir()):
        mask = read_binary(folder / "00000.png")
        image = read_image(samples / "DAVIS/JPEGImages/480p" / folder.name / "00000.jpg")
        x, y = click_in(mask)
        click = Prompt(points=np.array([[x + 0.5, y + 0.5]], np.float32), labels=np.ones(1, int))
        boxed.append(iou(segment_prompt(sam, image, Prompt(box=box_around(mask))), mask))
        clicked.append(iou(segment_prompt(sam, image, click), mask))
    assert np.mean(boxed) == pytest.approx(0.655, abs=0.01)
    assert np.mean(clicked) == pytest.approx(0.609, abs=0.01)


def test_a_refusal_leaves_no_mask_behind(own: Own, tmp_path: Path) -> None:
    whole = [*own.arguments(tmp_path / "m"), "--box", own.box]
    whole[whole.index(own.video)] = tmp_path / "nothing"
    assert "no such file or folder" in icvos(*whole, status=2).stderr
    assert list(tmp_path.iterdir()) == []


def test_a_segmenter_of_a_file_is_told_by_what_the_file_holds(own: Own, tmp_path: Path) -> None:
    copy = tmp_path / "mine.safetensors"
    shutil.copyfile(OWN / "sam2-nano.safetensors", copy)
    supports: Any = {"": [(own.picture, Prompt(box=box_around(own.mask)))]}
    made = {}
    for name, segmenter in {"named": None, "file": str(copy)}.items():
        ((_, made[name]),) = files_of(supports, tmp_path / name, "lite", CPU, segmenter, SILENT)[""]
    assert (read_binary(made["named"]) == read_binary(made["file"])).all()
