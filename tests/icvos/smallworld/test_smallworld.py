"""The small world: the same bytes for the same index, exact masks, and source layouts to the letter."""

import csv
import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from icvos.categories import BY_CATEGORY_ID, COCO, category
from icvos.errors import IcvosError
from icvos.files.images import read_image
from icvos.files.masks import DAVIS_PALETTE, read_ids
from icvos.files.rle import decode_rle
from icvos.smallworld import NAMES, Traits, World, held_out, write_coco, write_mose, write_world
from icvos.smallworld.catalogue import KINDS, sample_look
from icvos.smallworld.decisions import CURATION_HEADER, curation_rows, of_fold
from icvos.smallworld.layouts import SUPPORT_PX, annotation, polygons
from icvos.smallworld.paint import Placement, paint
from icvos.smallworld.shapes import Drawing


def digest(*arrays: np.ndarray) -> str:
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("world")
    folders = write_world(root, seed=3, scale="tiny")
    assert folders == {name: root / name for name in ("davis", "mose", "lvos", "coco")}
    return root


def frames_and_masks(root: Path, frames: Path) -> list[tuple[Path, Path]]:
    """Each frame with its mask, in order; the two folders hold the same stems."""
    masks = Path(str(frames.relative_to(root)).replace("JPEGImages", "Annotations"))
    images = sorted(frames.iterdir())
    assert [path.stem for path in images] == [path.stem for path in sorted((root / masks).iterdir())]
    return [(path, root / masks / f"{path.stem}.png") for path in images]


# ---- by index


def test_the_same_index_gives_the_same_bytes_in_any_order() -> None:
    forward = World(5, (96, 128))
    backward = World(5, (96, 128))
    first = [digest(forward.picture(index).image, forward.picture(index).ids) for index in range(4)]
    second = [digest(backward.picture(index).image, backward.picture(index).ids) for index in reversed(range(4))]
    assert first == second[::-1]
    assert len(set(first)) == 4
    assert digest(World(6, (96, 128)).picture(0).image) != digest(forward.picture(0).image)


def test_frames_do_not_depend_on_the_frames_before_them() -> None:
    clip = World(2, (96, 128)).clip(7, frames=10)
    again = World(2, (96, 128)).clip(7, frames=10)
    assert len(clip) == 10
    assert digest(*clip.frame(9)) == digest(*again.frame(9)) == digest(*clip.frame(9))
    assert [digest(*clip.frame(i)) for i in (3, 1)] == [digest(*again.frame(i)) for i in (1, 3)][::-1]
    assert digest(*clip.frame(0)) != digest(*clip.frame(5))
    with pytest.raises(IndexError):
        clip.frame(10)


@pytest.mark.parametrize("index", range(8))
def test_a_picture_shows_what_it_lists(index: int) -> None:
    picture = World(1, (120, 160)).picture(index)
    assert picture.image.shape == (120, 160, 3)
    assert picture.image.dtype == picture.ids.dtype == np.uint8
    assert set(np.unique(picture.ids)) - {0} == {found.id for found in picture.instances}
    assert 1 <= len(picture.instances) <= 4
    assert picture.image.std() > 10


def test_pictures_of_named_categories() -> None:
    world = World(0, (128, 160))
    picture = world.picture(3, ("dog", "cat"), least_px=800)
    assert [found.category.name for found in picture.instances] == ["dog", "cat"]
    assert all(np.count_nonzero(picture.ids == found.id) >= 800 for found in picture.instances)
    with pytest.raises(IcvosError, match="no dragon"):
        world.picture(0, ("dragon",))


def test_only_allowed_categories_occur_with_a_mask() -> None:
    world = World(4, (96, 128), categories=("cow", "sheep"))
    seen = {found.category.name for index in range(6) for found in world.clip(index, 4).instances}
    assert seen == {"cow", "sheep"}


# ---- what happens in a clip


def present(clip_ids: list[np.ndarray], identity: int) -> list[bool]:
    return [bool((ids == identity).any()) for ids in clip_ids]


@pytest.mark.parametrize("index", range(5))
@pytest.mark.parametrize("name", ["dog", "car", "airplane"])
def test_an_object_leaves_and_comes_back(index: int, name: str) -> None:
    clip = World(9, (96, 128)).clip(index, 20, (name,), traits=Traits(leaving=1))
    seen = present([clip.frame(i)[1] for i in range(20)], 1)
    assert seen[0]
    assert seen[-1]
    assert not all(seen)


@pytest.mark.parametrize("index", range(5))
def test_a_late_object_is_not_in_the_first_frame_and_comes(index: int) -> None:
    clip = World(9, (96, 128)).clip(index, 20, ("cow", "person", "cow"), traits=Traits(late=1))
    ids = [clip.frame(i)[1] for i in range(20)]
    assert present(ids, 1)[0]
    assert present(ids, 2)[0]
    assert not present(ids, 3)[0]
    assert any(present(ids, 3))


def test_extras_and_screens_have_no_mask() -> None:
    world = World(0, (96, 128))
    clip = world.clip(1, 6, ("giraffe", "zebra"), traits=Traits(extras=2, screens=2))
    assert sum(actor.identity == 0 for actor in clip.scene.actors) == 2
    assert all(set(np.unique(clip.frame(i)[1])) <= {0, 1, 2} for i in range(6))
    front = clip.scene.backdrop.front[0]
    assert front.cover is not None
    first = front.offset(clip.scene.camera.at(0))
    hidden = front.cover[:, first : first + 128] != 0
    assert hidden.any()
    assert not clip.frame(0)[1][hidden].any()


@pytest.mark.parametrize(
    ("traits", "expected"),
    [
        (Traits(), {"dog": "accepted", "person": "accepted"}),
        (Traits(late=1), {"dog": "rejected", "person": "accepted"}),
        (Traits(unlabelled=True), {"dog": "rejected", "person": "accepted"}),
    ],
)
def test_curation_follows_the_first_frame_rule(traits: Traits, expected: dict[str, str]) -> None:
    clip = World(11, (120, 160)).clip(0, 12, ("dog", "person", "dog"), traits=traits)
    rows = curation_rows("mose", "0123abcd", clip)
    assert {row.category.name: row.decision for row in rows} == expected
    assert [row.objects for row in rows] == [(2,), (1, 3)]
    assert all(bool(row.reason) == (row.decision != "accepted") for row in rows)


def test_a_category_that_comes_late_is_rejected() -> None:
    clip = World(11, (120, 160)).clip(0, 12, ("dog", "person"), traits=Traits(late=1))
    person = curation_rows("lvos", "abcdEFGH", clip)[0]
    assert (person.decision, person.reason) == ("rejected", "the category is not in the first frame")


# ---- drawings and masks


@pytest.mark.parametrize("kind", KINDS, ids=[kind.category.name for kind in KINDS])
def test_every_category_draws_every_build(kind) -> None:
    random = np.random.default_rng(0)
    builds = set()
    for _ in range(24):
        look = sample_look(kind, random)
        builds.add(look.variant)
        points = kind.draw(look, 1.0).points
        assert np.isfinite(points).all()
        assert 0.3 < np.ptp(points[:, 1]) < 3
    assert builds == set(range(kind.variants))
    assert kind.category == category(kind.category.name)


def test_masks_are_the_polygons_and_the_nearer_object_wins() -> None:
    image, ids = np.full((40, 60, 3), 90, dtype=np.uint8), np.zeros((40, 60), dtype=np.uint8)
    look = sample_look(KINDS[0], np.random.default_rng(0))
    square = Drawing()
    square.polygon([(0, 0), (0, 1), (1, 1), (1, 0)], (200, 30, 30))
    paint(image, ids, square, look, Placement(10, 30, 20), 1)
    paint(image, ids, square, look, Placement(20, 35, 20), 2)
    front, behind = np.argwhere(ids == 2), np.count_nonzero(ids == 1)
    assert np.abs(front.min(axis=0) - (15, 20)).max() <= 1
    assert np.abs(front.max(axis=0) - (34, 39)).max() <= 1
    assert len(front) == np.prod(np.ptp(front, axis=0) + 1)
    assert abs(behind - (20 * 20 - 10 * 15)) <= 40
    assert (image[ids == 0][:, 0] < 200).all()


def test_annotations_decode_to_exactly_the_mask() -> None:
    random = np.random.default_rng(1)
    for _ in range(30):
        mask = random.random((9, 11)) < 0.4
        mask[4, 4] = True
        for crowd in (False, True):
            row = annotation(mask, COCO[16], 7, crowd)
            assert np.array_equal(decode(row, mask.shape), mask)
            assert row["area"] == mask.sum()


def test_a_simple_mask_becomes_a_polygon_and_a_hole_does_not() -> None:
    mask = np.zeros((8, 8), dtype=bool)
    mask[2:6, 1:5] = True
    assert polygons(mask) is not None
    mask[3, 3] = False
    assert polygons(mask) is None


def decode(row: dict, size: tuple[int, int]) -> np.ndarray:
    """(H, W) bool of a COCO annotation."""
    shape = row["segmentation"]
    if isinstance(shape, list):
        from pycocotools import mask as coco_mask

        merged = coco_mask.merge(coco_mask.frPyObjects(shape, *size))
        return np.asarray(coco_mask.decode(merged)).astype(bool)
    return decode_rle(shape)


# ---- layouts


def test_writing_twice_gives_the_same_files(tiny: Path, tmp_path: Path) -> None:
    write_world(tmp_path, seed=3, scale="tiny")
    files = sorted(path.relative_to(tiny) for path in tiny.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    assert all((tiny / name).read_bytes() == (tmp_path / name).read_bytes() for name in files)


def test_davis(tiny: Path) -> None:
    root = tiny / "davis"
    semantics = json.loads((root / "davis_semantics.json").read_text())
    splits = [(root / "ImageSets" / "2017" / f"{split}.txt").read_text().split() for split in ("train", "val")]
    assert sorted(splits[0] + splits[1]) == sorted(semantics)
    assert all(splits)
    for video, objects in semantics.items():
        pairs = frames_and_masks(root, root / "JPEGImages" / "480p" / video)
        assert [path.name for path, _ in pairs] == [f"{index:05d}.jpg" for index in range(len(pairs))]
        seen = set()
        for frame, mask in pairs:
            with Image.open(mask) as opened:
                assert opened.mode == "P"
                assert opened.getpalette()[:24] == DAVIS_PALETTE.reshape(-1)[:24].tolist()
            ids = read_ids(mask)
            assert read_image(frame).shape[:2] == ids.shape
            seen |= set(np.unique(ids).tolist())
        assert {str(identity) for identity in seen - {0}} == set(objects)
    listing = json.loads((root / "categories.json").read_text())
    assert {name for objects in semantics.values() for name in objects.values()} == set(listing)


def test_mose_objects_leave_whole_frames_empty(tiny: Path) -> None:
    root = tiny / "mose"
    videos = sorted(path.name for path in (root / "train" / "JPEGImages").iterdir())
    assert videos
    assert all(re.fullmatch(r"[0-9a-f]{8}", video) for video in videos)
    pairs = frames_and_masks(root, root / "train" / "JPEGImages" / videos[0])
    full = [bool(read_ids(mask).any()) for _, mask in pairs]
    assert full[0]
    assert full[-1]
    assert not all(full)


def test_lvos_names_in_steps_of_five_and_meta(tiny: Path) -> None:
    root = tiny / "lvos"
    for split in ("train", "valid"):
        meta = json.loads((root / split / f"{split}_meta.json").read_text())["videos"]
        assert sorted(meta) == sorted(path.name for path in (root / split / "JPEGImages").iterdir())
        for video, entry in meta.items():
            pairs = frames_and_masks(root, root / split / "JPEGImages" / video)
            numbers = [1 + 5 * index for index in range(len(pairs))]
            assert [path.name for path, _ in pairs] == [f"{number:08d}.jpg" for number in numbers]
            for identity, about in entry["objects"].items():
                inside = [
                    n for n, (_, mask) in zip(numbers, pairs, strict=True) if (read_ids(mask) == int(identity)).any()
                ]
                assert (about["frame_range"]["start"], about["frame_range"]["end"]) == (inside[0], inside[-1])
    starts = [
        about["frame_range"]["start"]
        for entry in json.loads((root / "train" / "train_meta.json").read_text())["videos"].values()
        for about in entry["objects"].values()
    ]
    assert max(starts) > 1


def test_coco_schema_masks_and_supports(tiny: Path) -> None:
    content = json.loads((tiny / "coco" / "annotations" / "instances_val2017.json").read_text())
    assert set(content) == {"info", "licenses", "images", "annotations", "categories"}
    assert [(c["id"], c["name"]) for c in content["categories"]] == [(c.category_id, c.name) for c in COCO]
    assert len({row["id"] for row in content["annotations"]}) == len(content["annotations"])
    sizes = {image["id"]: (image["height"], image["width"]) for image in content["images"]}
    covered: dict[int, np.ndarray] = {key: np.zeros(size, dtype=int) for key, size in sizes.items()}
    class_area: dict[tuple[str, int], int] = {}
    for row in content["annotations"]:
        mask = decode(row, sizes[row["image_id"]])
        assert row["area"] == mask.sum() > 0
        x, y, width, height = row["bbox"]
        assert mask[y : y + height, x : x + width].sum() == row["area"]
        covered[row["image_id"]] += mask
        key = (BY_CATEGORY_ID[row["category_id"]].name, row["image_id"])
        class_area[key] = class_area.get(key, 0) + (0 if row["iscrowd"] else row["area"])
    assert all(counts.max() <= 1 for counts in covered.values())
    assert sum(not counts.any() for counts in covered.values()) == 1
    crowds = [row for row in content["annotations"] if row["iscrowd"]]
    assert len(crowds) == 1
    assert isinstance(crowds[0]["segmentation"]["counts"], list)
    assert any(isinstance(row["segmentation"], list) for row in content["annotations"])
    for name in {name for name, _ in class_area}:
        assert sum(area >= SUPPORT_PX for (found, _), area in class_area.items() if found == name) >= 6


def test_coco_pictures_open_and_one_is_grey(tiny: Path) -> None:
    content = json.loads((tiny / "coco" / "annotations" / "instances_val2017.json").read_text())
    modes = []
    for entry in content["images"]:
        path = tiny / "coco" / "val2017" / entry["file_name"]
        assert entry["file_name"] == f"{entry['id']:012d}.jpg"
        with Image.open(path) as opened:
            assert opened.size == (entry["width"], entry["height"])
            modes.append(opened.mode)
    assert sorted(set(modes)) == ["L", "RGB"]
    assert modes.count("L") == 1
    assert len(list((tiny / "coco" / "val2017").iterdir())) == len(modes)


def test_coco_has_a_split_to_train_on_where_asked(tiny: Path, tmp_path: Path) -> None:
    write_coco(tmp_path, seed=3, scale="tiny", train_pictures=60, val_pictures=3)
    found = {
        (root, split): json.loads((root / "annotations" / f"instances_{split}.json").read_text())
        for root, split in ((tiny / "coco", "val2017"), (tmp_path, "val2017"), (tmp_path, "train2017"))
    }
    usual, val, train = found.values()
    assert val["images"][: len(usual["images"])] == usual["images"]
    assert val["annotations"][: len(usual["annotations"])] == usual["annotations"]
    assert len(val["images"]) == len(usual["images"]) + 3
    assert len(train["images"]) == len(list((tmp_path / "train2017").iterdir())) == 60
    assert not {image["id"] for image in train["images"]} & {image["id"] for image in val["images"]}
    names = {BY_CATEGORY_ID[row["category_id"]].name for row in train["annotations"]}
    assert names == set(NAMES)
    large = sum(row["area"] >= SUPPORT_PX for row in train["annotations"])
    assert large > 0.9 * len(train["annotations"])


def test_mose_has_more_videos_where_asked(tmp_path: Path) -> None:
    rows = write_mose(tmp_path, seed=3, videos=28)
    names = {row.video for row in rows}
    assert names == {path.name for path in (tmp_path / "train" / "JPEGImages").iterdir()}
    assert len(names) == 29
    assert {row.category.name for row in rows} == set(NAMES)


def test_curation_agrees_with_the_masks(tiny: Path) -> None:
    with (tiny / "curation.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == CURATION_HEADER
    folders = {
        "davis": [tiny / "davis" / "JPEGImages" / "480p"],
        "mose": [tiny / "mose" / "train" / "JPEGImages"],
        "lvos": [tiny / "lvos" / split / "JPEGImages" for split in ("train", "valid")],
    }
    videos = {
        (source, path.name): path for source, found in folders.items() for root in found for path in root.iterdir()
    }
    assert {(row["source"], row["video"]) for row in rows} == set(videos)
    for row in rows:
        first = frames_and_masks(tiny, videos[row["source"], row["video"]])[0][1]
        objects = {int(identity) for identity in row["objects"].split(";")}
        assert (row["decision"] == "accepted") == (objects <= set(np.unique(read_ids(first)).tolist()))
        assert category(row["class"]).name in NAMES
    assert {row["decision"] for row in rows} == {"accepted", "rejected"}


def test_an_unknown_scale_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IcvosError, match="choose from tiny, demo"):
        write_world(tmp_path, scale="huge")


def test_videos_of_a_fold_show_its_categories_and_no_other_is_accepted(tmp_path: Path) -> None:
    rows = write_mose(tmp_path, seed=3, videos=14, fold=0)
    own = set(held_out(0))
    shown: dict[str, set[str]] = {}
    for row in rows:
        shown.setdefault(row.video, set()).add(row.category.name)
    assert all(names & own for video, names in shown.items() if video.startswith("e"))
    found = of_fold(rows, 0)
    assert {row.category.name for row in found if row.decision == "accepted"} <= own
    assert [row for row in found if row.category.name in own] == [row for row in rows if row.category.name in own]
    assert {row.reason for row in found if row.category.name not in own} == {"the category is not of fold 0"}
