"""The DAVIS reader: layouts, set files, resolutions, annotations, semantics."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from curation.sources import davis
from curation.sources.video import ReadOptions
from icvos.errors import IcvosError
from tests.curation.sources.source_folders import (
    ONE,
    ids_of,
    write_davis,
    write_lvos,
    write_mask,
    write_mose,
    write_text,
    write_video,
)

SAMPLES = os.environ.get("ICVOS_SAMPLES")
needs_samples = pytest.mark.skipif(SAMPLES is None, reason="ICVOS_SAMPLES does not name a folder of sample data")


def names(dataset: davis.SourceDataset) -> list[str]:
    return [video.name for video in dataset.videos]


def test_root_and_parent_are_accepted(tmp_path: Path) -> None:
    root = write_davis(tmp_path / "DAVIS", ["dog", "blackswan"])
    for given in (root, tmp_path):
        found = davis.read(given)
        assert (found.source, found.root, found.version, found.splits) == ("davis", root, "2017", ("val",))
        assert names(found) == ["blackswan", "dog"]
        assert found.warnings == ()


@pytest.mark.parametrize("below", ["2017/trainval", "DAVIS/2017/trainval"])
def test_the_layout_with_a_folder_for_year_and_split_is_accepted(tmp_path: Path, below: str) -> None:
    root = write_davis(tmp_path / below)
    assert davis.read(tmp_path).root == root


def test_two_copies_are_named(tmp_path: Path) -> None:
    write_davis(tmp_path / "DAVIS")
    write_davis(tmp_path / "DAVIS-full", resolution="Full-Resolution")
    with pytest.raises(IcvosError, match=r"/DAVIS and .*/DAVIS-full: two copies of DAVIS; give one of them to --davis"):
        davis.read(tmp_path)


@pytest.mark.parametrize(
    ("on_disk", "asked"),
    [
        ("480p", None),
        ("Full-Resolution", None),
        ("1080p", None),
        ("1080p", "1080p"),
        ("1080p", "Full-Resolution"),
        ("Full-Resolution", "1080p"),
    ],
)
def test_every_resolution_is_read_under_either_name(tmp_path: Path, on_disk: str, asked: str | None) -> None:
    write_davis(tmp_path, resolution=on_disk)
    found = davis.read(tmp_path, resolution=asked)
    assert found.videos[0].frames[0] == tmp_path / "JPEGImages" / on_disk / "dog" / "00000.jpg"
    assert found.videos[0].object_ids() == (1,)


def test_two_resolutions_are_named_unless_one_is_chosen(tmp_path: Path) -> None:
    write_davis(tmp_path)
    write_davis(tmp_path, resolution="Full-Resolution")
    with pytest.raises(IcvosError, match=r"JPEGImages/480p and .*JPEGImages/Full-Resolution: DAVIS in two resolutions"):
        davis.read(tmp_path)
    assert davis.read(tmp_path, resolution="480p").videos[0].masks[0] == tmp_path / "Annotations/480p/dog/00000.png"
    shutil.rmtree(tmp_path / "Annotations" / "480p")
    assert davis.read(tmp_path).videos[0].frames[0].parts[-3] == "Full-Resolution"


def test_a_resolution_that_is_not_there_is_refused(tmp_path: Path) -> None:
    write_davis(tmp_path)
    with pytest.raises(
        IcvosError, match=r"Annotations/1080p: no such folder, or no frames for it; there are frames at 480p"
    ):
        davis.read(tmp_path, resolution="1080p")
    with pytest.raises(IcvosError, match="unknown DAVIS resolution '720p'; choose from 480p"):
        davis.read(tmp_path, resolution="720p")


def test_set_files_of_2017_have_a_name_a_line(tmp_path: Path) -> None:
    write_davis(tmp_path, ["bear", "dog", "walking"])
    write_text(tmp_path / "ImageSets/2017/train.txt", "  bear \r\n\n")
    write_text(tmp_path / "ImageSets/2017/val.txt", "dog")
    write_text(tmp_path / "ImageSets/2017/test-dev.txt", "walking\n")
    assert names(davis.read(tmp_path)) == ["bear", "dog"]
    assert davis.read(tmp_path).splits == ("train", "val")
    assert davis.read(tmp_path).warnings == ()
    assert names(davis.read(tmp_path, splits=["test-dev"])) == ["walking"]


@pytest.mark.parametrize("folder", ["2016", "480p", "1080p"])
def test_set_files_of_2016_have_paths(tmp_path: Path, folder: str) -> None:
    write_davis(tmp_path, ["bear", "dog"])
    shutil.rmtree(tmp_path / "ImageSets")
    lines = [f"/JPEGImages/480p/dog/{n:05d}.jpg /Annotations/480p/dog/{n:05d}.png\n" for n in range(3)]
    write_text(tmp_path / "ImageSets" / folder / "val.txt", "".join(lines))
    found = davis.read(tmp_path)
    assert (found.version, names(found)) == ("2016", ["dog"])


def test_the_year_chooses_between_set_files(tmp_path: Path) -> None:
    write_davis(tmp_path, ["dog", "judo"])
    write_text(tmp_path / "ImageSets/2016/val.txt", "/JPEGImages/480p/dog/00000.jpg /Annotations/480p/dog/00000.png\n")
    assert names(davis.read(tmp_path)) == ["dog", "judo"]
    found = davis.read(tmp_path, year="2016")
    assert (found.version, names(found)) == ("2016", ["dog"])
    shutil.rmtree(tmp_path / "ImageSets/2016")
    with pytest.raises(IcvosError, match="no train or val set file of 2016"):
        davis.read(tmp_path, year="2016")


def test_without_set_files_every_sequence_is_read(tmp_path: Path) -> None:
    write_davis(tmp_path, ["dog", "bear"])
    shutil.rmtree(tmp_path / "ImageSets")
    for leftover in ("empty", ".cache", "__MACOSX"):
        (tmp_path / "JPEGImages/480p" / leftover).mkdir()
    (tmp_path / "JPEGImages/480p/.DS_Store").write_bytes(b"x")
    found = davis.read(tmp_path)
    assert (found.version, found.splits, names(found)) == ("", ("all",), ["bear", "dog"])


def test_an_unknown_set_is_refused(tmp_path: Path) -> None:
    write_davis(tmp_path)
    with pytest.raises(IcvosError, match=r"ImageSets/2017/valid\.txt: no such set file"):
        davis.read(tmp_path, splits=["valid"])


def test_sets_and_disk_are_compared_with_both_lists(tmp_path: Path) -> None:
    write_davis(tmp_path, ["dog"])
    write_video(tmp_path / "JPEGImages/480p/mine", tmp_path / "Annotations/480p/mine", [ONE] * 2)
    write_video(tmp_path / "JPEGImages/480p/swan", tmp_path / "Annotations/480p/swan", [ONE] * 2)
    write_text(tmp_path / "ImageSets/2017/val.txt", "dog\nbmx-trees\ncows\n")
    write_text(tmp_path / "ImageSets/2017/test-dev.txt", "swan\n")
    write_mask(tmp_path / "Annotations/480p/hen/00000.png", ONE)
    found = davis.read(tmp_path)
    assert names(found) == ["dog"]
    assert found.warnings == (
        f"{tmp_path / 'ImageSets'}: 2 in val but not on disk: bmx-trees, cows; 1 on disk but in no set: mine",
        f"{tmp_path / 'Annotations/480p'}: 1 folder of masks without frames, left out: hen",
    )
    assert found.left_out == {
        "bmx-trees": "in val but not on disk",
        "cows": "in val but not on disk",
        "mine": "on disk, but in no set of ImageSets",
        "hen": "masks without frames",
    }
    assert found.elsewhere == {"swan": "in a set that is not read, not in val"}


def test_no_sequence_on_disk_is_an_error(tmp_path: Path) -> None:
    write_davis(tmp_path)
    write_text(tmp_path / "ImageSets/2017/val.txt", "cows\n")
    with pytest.raises(IcvosError, match="no sequence of val is there; fetch the frames of DAVIS"):
        davis.read(tmp_path)


def test_unsupervised_annotations_are_another_folder(tmp_path: Path) -> None:
    write_davis(tmp_path)
    with pytest.raises(IcvosError, match=r"Annotations_unsupervised/480p: no such folder.*semi-supervised annotations"):
        davis.read(tmp_path, annotations="unsupervised")
    two = ids_of((2, slice(0, 2), slice(0, 2)))
    write_video(tmp_path / "JPEGImages/480p/dog", tmp_path / "Annotations_unsupervised/480p/dog", [two] * 3)
    assert davis.read(tmp_path, annotations="unsupervised").videos[0].object_ids() == (2,)
    assert davis.read(tmp_path).videos[0].object_ids() == (1,)
    write_text(tmp_path / "ImageSets/2019/test-dev.txt", "dog\n")
    write_text(tmp_path / "ImageSets/2017/test-dev.txt", "cows\n")
    assert names(davis.read(tmp_path, annotations="unsupervised", splits=["test-dev"])) == ["dog"]


def test_test_sequences_have_a_first_mask_only(tmp_path: Path) -> None:
    write_video(tmp_path / "JPEGImages/480p/walking", tmp_path / "Annotations/480p/walking", [ONE, None, None])
    write_text(tmp_path / "ImageSets/2017/test-dev.txt", "walking\n")
    with pytest.raises(IcvosError, match=r"walking: no mask for frame 00001\.jpg \(2 of 3"):
        davis.read(tmp_path, splits=["test-dev"])
    found = davis.read(tmp_path, splits=["test-dev"], options=ReadOptions(missing_masks="empty"))
    assert [int(ids.max()) for ids in found.videos[0].iter_ids()] == [1, 0, 0]


def test_semantics_are_sorted_by_number(tmp_path: Path) -> None:
    write_davis(tmp_path / "DAVIS")
    assert davis.semantics(tmp_path) == {}
    value = {"salsa": {"1": "person", "10": "person", "2": "ball"}, "dog": {"1": "dog"}}
    write_text(tmp_path / "DAVIS" / "davis_semantics.json", json.dumps(value))
    found = davis.semantics(tmp_path)
    assert found == {"dog": {1: "dog"}, "salsa": {1: "person", 2: "ball", 10: "person"}}
    assert list(found["salsa"]) == [1, 2, 10]


@pytest.mark.parametrize("text", ['{"a": {"1": "dog"}, "a": {"2": "cat"}}', '{"a": {"1": "dog", "1": "cat"}}'])
def test_semantics_that_name_a_sequence_or_an_object_twice_are_refused(tmp_path: Path, text: str) -> None:
    write_davis(tmp_path)
    write_text(tmp_path / "davis_semantics.json", text)
    with pytest.raises(IcvosError, match=r"davis_semantics\.json: cannot be read as .* \(key '(a|1)' occurs twice"):
        davis.semantics(tmp_path)


@pytest.mark.parametrize(
    "value", [{"airplane": {"id": 1}}, {"dog": {"1": 17}}, [], {"dog": ["dog"]}, {"a": {"1": "dog", "01": "cat"}}]
)
def test_semantics_of_another_schema_are_refused(tmp_path: Path, value: object) -> None:
    write_davis(tmp_path)
    write_text(tmp_path / "davis_semantics.json", json.dumps(value))
    with pytest.raises(IcvosError, match=r"davis_semantics\.json: expected"):
        davis.semantics(tmp_path)


def test_another_data_set_is_named(tmp_path: Path) -> None:
    write_mose(tmp_path / "a")
    write_lvos(tmp_path / "b")
    with pytest.raises(IcvosError, match="/a: looks like MOSE, not DAVIS; pass it to --mose"):
        davis.read(tmp_path / "a")
    with pytest.raises(IcvosError, match="/b: looks like LVOS, not DAVIS; pass it to --lvos"):
        davis.read(tmp_path / "b")
    with pytest.raises(IcvosError, match="/c: no such folder; --davis takes the folder of DAVIS"):
        davis.read(tmp_path / "c")
    (tmp_path / "d").mkdir()
    with pytest.raises(IcvosError, match="/d: no DAVIS data set; expected JPEGImages/480p"):
        davis.read(tmp_path / "d")
    write_text(tmp_path / "e" / "icvos.json", "{}")
    with pytest.raises(
        IcvosError, match="/e: looks like a built IC-VOS benchmark, not DAVIS; give the folder of DAVIS"
    ):
        davis.read(tmp_path / "e")


@needs_samples
def test_real_sequences_with_masks_of_2016() -> None:
    found = davis.read(Path(str(SAMPLES)) / "DAVIS")
    lengths = {video.name: len(video.frames) for video in found.videos}
    assert lengths == {
        "blackswan": 50,
        "car-shadow": 40,
        "cows": 104,
        "dance-twirl": 90,
        "dog": 60,
        "goat": 90,
        "kite-surf": 50,
        "libby": 49,
    }
    assert found.warnings == ()
    for name in ("kite-surf", "libby"):
        video = found.video(name)
        assert video.is_binary()
        assert video.object_ids() == (1,)
        assert video.size() == (480, 854)
    first = next(found.video("libby").iter_ids())
    assert (first.dtype, first.shape, np.unique(first).tolist()) == (np.uint8, (480, 854), [0, 1])


@needs_samples
def test_a_real_palette_mask_of_the_first_frame_only() -> None:
    root = Path(str(SAMPLES)) / "DAVIS_palette"
    with pytest.raises(IcvosError, match=r"bmx-trees: no mask for frame 00001\.jpg \(3 of 4 frames have none\)"):
        davis.read(root)
    video = davis.read(root, options=ReadOptions(missing_masks="empty")).video("bmx-trees")
    assert not video.is_binary()
    assert video.object_ids() == (1, 2)
    assert [bool(ids.any()) for ids in video.iter_ids()] == [True, False, False, False]


@needs_samples
def test_real_palette_masks_of_several_objects(tmp_path: Path) -> None:
    samples = Path(str(SAMPLES))
    for part, source in (
        ("JPEGImages", samples / "DAVIS/JPEGImages/480p/kite-surf"),
        ("Annotations", samples / "DAVIS_palette/predictions/480p/kite-surf"),
    ):
        (tmp_path / part / "480p").mkdir(parents=True)
        (tmp_path / part / "480p" / "kite-surf").symlink_to(source)
    video = davis.read(tmp_path).video("kite-surf")
    assert not video.is_binary()
    assert video.object_ids() == (1, 2, 3)
