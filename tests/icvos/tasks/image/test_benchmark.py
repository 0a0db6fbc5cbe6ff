"""Image benchmarks as they are read, and the commands that build and show them."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from icvos.errors import IcvosError
from icvos.files.rle import encode_rle
from icvos.tasks.image.benchmark import ImageBenchmark, Picture, is_image_benchmark
from icvos.tasks.image.manifest import Manifest, manifest_text, pictures_text
from tests.conftest import World, icvos
from tests.curation.image.few_shot_folders import LEFT, WHOLE, write_voc

SIZE = (5, 8)


def boxes(*columns: tuple[int, int]) -> np.ndarray:
    mask = np.zeros(SIZE, dtype=bool)
    for first, last in columns:
        mask[1:4, first:last] = True
    return mask


def outline(mask: np.ndarray) -> str:
    return str(encode_rle(mask)["counts"])


def picture(folder: Path, name: str, listed: tuple[int, ...] = (2,), ignored: str = "") -> Picture:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((*SIZE, 3), 80, dtype=np.uint8)).save(path)
    return Picture(name, path, SIZE, {2: outline(boxes((0, 4))), 7: outline(boxes((3, 6)))}, listed, ignored)


def written(root: Path) -> ImageBenchmark:
    """Four pictures, one fold of two episodes; nothing trains."""
    pictures = [picture(root / "images", f"{name}.png") for name in "abcd"]
    (root / "val.json").write_text(pictures_text(found.entry() for found in pictures))
    episodes = [[2, "a.png", ["b.png", "c.png"]], [2, "d.png", ["a.png", "b.png"]]]
    manifest = {
        "format": 1,
        "name": "coco-20i",
        "rule": "by hand",
        "digest": {"val": f"sha256:{0:064}"},
        "splits": {"val": "val2014"},
        "images": {"val": "images"},
        "classes": {"2": "bicycle", "7": "train"},
        "folds": [{"test": [2], "train": [7], "episodes": episodes}],
    }
    text = manifest_text(Manifest.model_validate(manifest))
    assert json.loads(text) == manifest
    assert sum(line.startswith("[2, ") for line in text.splitlines()) == 2
    (root / "episodes.json").write_text(text)
    return ImageBenchmark.open(root)


# Pictures


def test_labels_of_a_picture(tmp_path: Path) -> None:
    found = picture(tmp_path, "a.png", ignored=outline(boxes((0, 1))))
    assert np.array_equal(found.mask(2), boxes((0, 4)))
    assert not found.mask(3).any()
    expected = np.where(boxes((0, 1)), 255, boxes((0, 4)))
    assert np.array_equal(found.label(2), expected)
    classes = np.where(boxes((3, 6)), 7, np.where(boxes((0, 4)), 2, 0))
    assert np.array_equal(found.class_map(), np.where(boxes((0, 1)), 255, classes))
    assert found.label(2).dtype == found.class_map().dtype == np.uint8


def test_an_image_of_another_size_is_refused(tmp_path: Path) -> None:
    found = picture(tmp_path, "a.png")
    assert found.image().shape == (*SIZE, 3)
    Image.fromarray(np.zeros((8, 5), dtype=np.uint8)).save(found.path)
    with pytest.raises(IcvosError, match=r"a\.png: 5x8 pixels, annotated as 8x5; fetch the original image"):
        found.image()


def test_a_damaged_mask_is_named() -> None:
    found = Picture("a.png", Path("a.png"), SIZE, {2: "zz"}, (2,))
    with pytest.raises(IcvosError, match=r"a\.png: its mask cannot be read .*; build the episodes again"):
        found.mask(2)


def test_pictures_survive_their_file(tmp_path: Path) -> None:
    benchmark = written(tmp_path)
    again = {name: found.entry() for name, found in benchmark.validation.items()}
    assert again == {f"{name}.png": picture(tmp_path / "images", f"{name}.png").entry() for name in "abcd"}
    assert benchmark.validation["a.png"].path == tmp_path / "images" / "a.png"


# Benchmarks


def test_episodes_take_the_first_supports(tmp_path: Path) -> None:
    benchmark = written(tmp_path)
    assert is_image_benchmark(tmp_path)
    one, two = benchmark.episodes(0), benchmark.episodes(0, 2)
    assert [[found.name for found in episode.supports] for episode in one] == [["b.png"], ["a.png"]]
    assert [[found.name for found in episode.supports] for episode in two] == [["b.png", "c.png"], ["a.png", "b.png"]]
    support = two[1].shown()[1]
    assert (two[1].index, two[1].query.name, support.name) == (1, "d.png", "b.png")
    assert np.array_equal(support.mask(), boxes((0, 4)))
    assert support.image().shape == (*SIZE, 3)
    for shots in (0, 3):
        with pytest.raises(IcvosError, match=rf"episodes hold 2 supports, not {shots}; build them again"):
            benchmark.episodes(0, shots)
    for fold in (-1, 1):
        with pytest.raises(IcvosError, match=rf"coco-20i has no fold {fold}; folds are 0\.\.0"):
            benchmark.episodes(fold)


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    benchmark = written(tmp_path)
    with pytest.raises(IcvosError, match="was built without pictures to train on"):
        _ = benchmark.training
    (tmp_path / "val.json").write_text(pictures_text([picture(tmp_path / "images", "a.png").entry()]))
    with pytest.raises(IcvosError, match=r"picture 'b\.png' of fold 0 is not in val\.json; build the episodes again"):
        benchmark.episodes(0)
    (tmp_path / "images").rename(tmp_path / "pictures")
    with pytest.raises(IcvosError, match="images: no such folder; put the images there, or write where they are into"):
        ImageBenchmark.open(tmp_path).episodes(0)
    (tmp_path / "episodes.json").write_text('{"format": 2}')
    with pytest.raises(IcvosError, match=r"format is 2, this icvos reads 1 \(and \d more\); build the ep"):
        ImageBenchmark.open(tmp_path)
    with pytest.raises(IcvosError, match="expected the manifest of an image benchmark, which icvos episodes writes"):
        ImageBenchmark.open(tmp_path / "pictures")


# Commands


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small world's COCO with a split to train on."""
    root = tmp_path_factory.mktemp("drawn") / "world"
    icvos("smallworld", root, "--scale", "tiny", "--train-pictures", 30, "--val-pictures", 54)
    return root / "coco"


def test_coco_is_built_shown_and_checked(drawn: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = icvos("episodes", "coco-20i", "--coco", drawn, "--episodes", 20, "--max-shots", 2, "--out", out)
    shown = result.stdout
    assert shown == icvos("info", out).stdout
    assert "coco-20i, val2017 and train2017; masks: one class a pixel" in shown
    assert "17,912" in shown
    assert "fold 0: never asked, having fewer than 2 pictures in val2017: parking meter" in result.stderr
    benchmark = ImageBenchmark.open(out)
    assert benchmark.digest in shown
    assert benchmark.training_digest in shown
    assert len(benchmark.training) == 30
    assert {len(benchmark.episodes(fold, 2)) for fold in range(4)} == {20}
    episode = benchmark.episodes(0, 2)[0]
    assert episode.query.label(episode.kind).sum() >= 2048
    icvos("episodes", "coco-20i", "--out", out, "--check")
    first = benchmark.digest, benchmark.training_digest
    icvos("episodes", "coco-20i", "--coco", drawn, "--episodes", 20, "--max-shots", 2, "--out", out)
    benchmark = ImageBenchmark.open(out)
    assert (benchmark.digest, benchmark.training_digest) == first
    (out / "val.json").write_text((out / "val.json").read_text().replace('"listed": [1, ', '"listed": [1, 80, '))
    assert "does not match the digest" in icvos("episodes", "coco-20i", "--out", out, "--check", status=2).output


def test_a_split_alone_is_for_evaluation_or_for_a_trial(world: World, tmp_path: Path) -> None:
    coco, out = world.root / "coco", tmp_path / "out"
    result = icvos("episodes", "all-coco", "--coco", coco, "--out", out)
    assert "no annotations and images of a training split, so this is for evaluation only" in result.stderr
    assert "training" not in result.stdout
    result = icvos("episodes", "all-coco", "--coco", coco, "--train-split", "val2017", "--out", out)
    assert "both evaluated and trained on" in result.stderr
    assert ImageBenchmark.open(out).training_digest in result.stdout


def test_pascal_is_built_and_shown(tmp_path: Path) -> None:
    pictures = {f"2007_{number:06d}": [(1 + number % 5, LEFT if number % 2 else WHOLE)] for number in range(12)}
    root = write_voc(tmp_path / "VOC2012", pictures, {"val": sorted(pictures)[:10], "train": sorted(pictures)[10:]})
    shown = icvos("episodes", "pascal-5i", "--voc", root, "--episodes", 20, "--out", tmp_path / "a").stdout
    assert "10 / 364" in shown
    assert "0 / 4,208" in shown
    shown = icvos("episodes", "coco-to-pascal", "--voc", root, "--episodes", 20, "--out", tmp_path / "b").stdout
    assert "4 / 685" in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["coco-20i"], "coco-20i is built from COCO; give --coco"),
        (["pascal-5i", "--coco", "x"], "pascal-5i does not use --coco; leave it out"),
        (["all-coco", "--coco", "x", "--sbd", "y"], "all-coco does not use --sbd; leave it out"),
        (["coco-to-pascal"], "coco-to-pascal is built from PASCAL VOC 2012; give --voc"),
        (["coco-to-pascal", "--voc", "x", "--train-split", "train"], "coco-to-pascal is for evaluation only"),
        (["coco-20i", "--coco", "nowhere"], "nowhere: no such folder; --coco takes the folder of COCO"),
        (["all-coco", "--check"], "no such file; expected the manifest of an image benchmark"),
        (["coco-20i", "--episodes", "0"], "0 is not in the range x>=1"),
        (["coco-30i"], "'coco-30i' is not one of"),
    ],
)
def test_what_cannot_be_built_is_said_in_one_line(tmp_path: Path, arguments: list[str], message: str) -> None:
    result = icvos("episodes", *arguments, "--out", tmp_path / "out", status=2)
    assert message in result.output
    assert not (tmp_path / "out").exists()


def test_real_coco(samples: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    icvos("episodes", "coco-20i", "--coco", samples / "COCO", "--train-split", "val2017", "--out", out)
    benchmark = ImageBenchmark.open(out)
    assert (len(benchmark.validation), len(benchmark.training)) == (109, 109)
    assert [len(fold.episodes) for fold in benchmark.folds] == [1000] * 4
    for fold in range(4):
        for episode in benchmark.episodes(fold, 10)[::50]:
            assert episode.query not in episode.supports
            assert episode.query.mask(episode.kind).sum() >= 2048
            assert episode.query.image().shape == (*episode.query.size, 3)
    icvos("episodes", "coco-20i", "--out", out, "--check")
