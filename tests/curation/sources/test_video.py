"""The reading rules that DAVIS, MOSE and LVOS share: names, masks, sizes, what is missing, meta files."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from curation.sources.left_out import Findings
from curation.sources.video import (
    STRICT,
    ReadOptions,
    SourceDataset,
    SourceVideo,
    VideoMeta,
    check_meta,
    list_video,
    read_meta,
)
from icvos.errors import IcvosError
from icvos.files.masks import DAVIS_PALETTE, resize_nearest
from tests.curation.sources.source_folders import ONE, SIZE, ids_of, write_davis, write_frame, write_mask, write_video

EMPTY = np.zeros(SIZE, dtype=np.uint8)
TWO = ids_of((1, slice(0, 2), slice(0, 8)), (2, slice(4, 6), slice(1, 3)))
BINARY = ONE * 255


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Where the frames and the masks of a video called ``clip`` go."""
    return tmp_path / "JPEGImages" / "clip", tmp_path / "Annotations" / "clip"


def read(folders: tuple[Path, Path], options: ReadOptions = STRICT) -> SourceVideo:
    """The video in ``folders``, where there must be one and nothing to remark on."""
    findings = Findings()
    video = list_video("davis", *folders, options, findings)
    assert video is not None
    assert findings.warnings == [] or options.missing_masks == "empty"
    return video


def stems(video: SourceVideo) -> list[str]:
    return [path.stem for path in video.frames]


# Names


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".JPG", ".JPEG", ".png"])
def test_frames_of_every_suffix_are_read(folders: tuple[Path, Path], suffix: str) -> None:
    for number in range(2):
        write_frame(folders[0] / f"{number:05d}{suffix}")
        write_mask(folders[1] / f"{number:05d}.png", ONE)
    video = read(folders)
    assert [path.suffix for path in video.frames] == [suffix] * 2
    assert video.size() == SIZE
    assert [ids.sum() for ids in video.iter_ids()] == [9, 9]


@pytest.mark.parametrize(
    "names",
    [
        ["00000", "00001", "00002"],
        ["00000001", "00000006", "00000011"],
        ["00017", "00018", "00020"],
        ["00526", "01156", "01666"],
        ["8", "9", "10"],
    ],
    ids=["five digits", "eight digits, step 5", "late start, gap", "uneven step", "no leading zeros"],
)
def test_frames_are_in_order_of_their_numbers_and_keep_their_names(
    folders: tuple[Path, Path], names: list[str]
) -> None:
    masks = [ids_of((value, slice(0, 3), slice(0, 3))) for value in (1, 2, 3)]
    write_video(*folders, masks, names)
    video = read(folders)
    assert stems(video) == names
    assert [int(ids.max()) for ids in video.iter_ids()] == [1, 2, 3]


def test_two_frames_of_one_number_are_refused(folders: tuple[Path, Path]) -> None:
    write_video(*folders, [ONE] * 2)
    write_frame(folders[0] / "1.jpg")
    with pytest.raises(IcvosError, match=r"1\.jpg: same frame number as 00001\.jpg"):
        read(folders)


def test_one_frame_in_two_formats_is_refused(folders: tuple[Path, Path]) -> None:
    write_video(*folders, [ONE] * 2)
    write_frame(folders[0] / "00001.png")
    with pytest.raises(IcvosError, match=r"00001\.png: same frame number as 00001\.jpg"):
        read(folders)


def test_names_that_are_no_numbers_need_natural_sort(folders: tuple[Path, Path]) -> None:
    names = ["frame10", "frame9", "frame100"]
    write_video(*folders, [ids_of((value, slice(0, 3), slice(0, 3))) for value in (2, 1, 3)], names)
    with pytest.raises(IcvosError, match=r"frame10\.jpg: frame names must be numbers"):
        read(folders)
    video = read(folders, ReadOptions(natural_sort=True))
    assert stems(video) == ["frame9", "frame10", "frame100"]
    assert [int(ids.max()) for ids in video.iter_ids()] == [1, 2, 3]


def test_leftovers_of_systems_and_archives_are_ignored(folders: tuple[Path, Path]) -> None:
    write_video(*folders, [ONE] * 2)
    for folder in folders:
        (folder / ".DS_Store").write_bytes(b"x")
        (folder / "._00000.jpg").write_bytes(b"x")
        (folder / "._00000.png").write_bytes(b"x")
        (folder / "Thumbs.db").write_bytes(b"x")
        (folder / "__MACOSX").mkdir()
    assert stems(read(folders)) == ["00000", "00001"]


def test_a_folder_without_frames_is_no_video(folders: tuple[Path, Path]) -> None:
    folders[0].mkdir(parents=True)
    (folders[0] / "readme.txt").write_text("nothing")
    findings = Findings()
    assert list_video("davis", *folders, STRICT, findings) is None
    assert findings.warnings == [
        f"{folders[0]}: 1 file beside the frames, not read: readme.txt",
        f"{folders[0]}: left out: no frame (.jpg, .jpeg, .JPG, .JPEG, .png) in it",
    ]
    assert findings.left_out == {"clip": "no frame (.jpg, .jpeg, .JPG, .JPEG, .png) in it"}


# Masks


def test_palette_masks_give_indices_whatever_the_palette(folders: tuple[Path, Path]) -> None:
    write_video(*folders, [TWO] * 2)
    write_mask(folders[1] / "00001.png", TWO, palette=DAVIS_PALETTE[::-1].copy())
    assert all(np.array_equal(ids, TWO) for ids in read(folders).iter_ids())


@pytest.mark.parametrize("mode", ["P", "L", "I;16", "RGB", "RGBA"])
def test_ids_are_read_from_every_mode(folders: tuple[Path, Path], mode: str) -> None:
    write_video(*folders, [TWO, EMPTY], mode=mode)
    video = read(folders)
    first, second = video.iter_ids()
    assert np.array_equal(first, TWO)
    assert not second.any()
    assert video.object_ids() == (1, 2)
    assert not video.is_binary()


def test_ids_above_255_are_kept(folders: tuple[Path, Path]) -> None:
    write_video(*folders, [ONE] * 2)
    for number in range(2):
        write_mask(folders[1] / f"{number:05d}.png", ONE.astype(np.uint16) * 300, "I;16")
    video = read(folders)
    assert video.object_ids() == (300,)
    assert next(video.iter_ids()).dtype == np.uint16


@pytest.mark.parametrize(("mode", "masks"), [("L", [BINARY, EMPTY, BINARY]), ("1", [ONE, EMPTY, ONE])])
def test_masks_of_0_and_255_are_one_object(folders: tuple[Path, Path], mode: str, masks: list[np.ndarray]) -> None:
    write_video(*folders, masks, mode=mode)
    video = read(folders)
    assert video.is_binary()
    assert video.object_ids() == (1,)
    expected = [ONE, EMPTY, ONE]
    assert all(np.array_equal(ids, other) for ids, other in zip(video.iter_ids(), expected, strict=True))


def write_white(path: Path, mode: str) -> None:
    """Object 1 in white on black, as a picture of ``mode``."""
    Image.fromarray(BINARY).convert(mode).save(path)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "1", "LA", "I;16", "two colours", "web colours"])
@pytest.mark.parametrize("position", [0, 2])
def test_one_frame_of_another_kind_leaves_0_255_masks_one_object(
    folders: tuple[Path, Path], mode: str, position: int
) -> None:
    write_video(*folders, [BINARY, EMPTY, BINARY, BINARY], mode="L")
    path = folders[1] / f"{position:05d}.png"
    if mode == "I;16":
        write_mask(path, BINARY.astype(np.uint16) * 257, "I;16")
    elif mode == "two colours":
        write_mask(path, ONE, palette=np.array([[0] * 3, [255] * 3], dtype=np.uint8))
    elif mode == "web colours":
        Image.fromarray(BINARY).convert("RGB").convert("P").save(path)
    else:
        write_white(path, mode)
    video = read(folders)
    assert video.is_binary()
    assert all(np.array_equal(ids, other) for ids, other in zip(video.iter_ids(), [ONE, EMPTY, ONE, ONE], strict=True))


@pytest.mark.parametrize("mode", ["L", "RGB", "1", "P"])
def test_white_among_masks_of_ids_is_refused(folders: tuple[Path, Path], mode: str) -> None:
    write_video(*folders, [TWO, TWO, TWO])
    write_white(folders[1] / "00001.png", mode)
    with pytest.raises(IcvosError, match=r"00001\.png: shows white on black.* but 00000\.png .* in one way"):
        list(read(folders).iter_ids())


def test_one_bit_among_masks_of_object_1_is_object_1(folders: tuple[Path, Path]) -> None:
    write_video(*folders, [ONE, EMPTY, ONE])
    write_white(folders[1] / "00002.png", "1")
    assert all(
        np.array_equal(ids, other) for ids, other in zip(read(folders).iter_ids(), [ONE, EMPTY, ONE], strict=True)
    )


def test_soft_edges_and_turned_palettes_are_refused(folders: tuple[Path, Path]) -> None:
    write_video(*folders, [ONE, ONE])
    Image.fromarray(BINARY).resize((80, 60), Image.Resampling.BILINEAR).save(folders[1] / "00001.png")
    with pytest.raises(IcvosError, match=r"00001\.png: shades of grey"):
        list(read(folders, ReadOptions(resize=True)).iter_ids())
    write_mask(folders[1] / "00001.png", 1 - ONE, palette=np.array([[255] * 3, [0] * 3], dtype=np.uint8))
    with pytest.raises(IcvosError, match=r"00001\.png: index 0 is shown in a colour"):
        list(read(folders).iter_ids())


def test_16_bit_masks_of_0_and_255_are_one_object(folders: tuple[Path, Path]) -> None:
    write_video(*folders, [BINARY, EMPTY], mode="I;16")
    assert read(folders).is_binary()
    assert [int(ids.max()) for ids in read(folders).iter_ids()] == [1, 0]


def test_binary_is_decided_over_the_whole_video(folders: tuple[Path, Path]) -> None:
    write_video(*folders, [BINARY, BINARY, ids_of((255, slice(0, 2), slice(0, 8)), (3, slice(4, 6), slice(0, 2)))])
    for number, mask in enumerate(
        [BINARY, BINARY, ids_of((255, slice(0, 2), slice(0, 8)), (3, slice(4, 6), slice(0, 2)))]
    ):
        write_mask(folders[1] / f"{number:05d}.png", mask, "L")
    video = read(folders)
    assert not video.is_binary()
    assert [int(ids.max()) for ids in video.iter_ids()] == [0, 0, 3]
    assert video.object_ids() == (3,)


@pytest.mark.parametrize("mode", ["P", "L", "RGB"])
def test_255_beside_ids_is_void(folders: tuple[Path, Path], mode: str) -> None:
    mask = ids_of((1, slice(1, 4), slice(2, 5)), (255, slice(4, 5), slice(0, 8)))
    write_video(*folders, [mask, mask], mode=mode)
    video = read(folders)
    assert all(np.array_equal(ids, ONE) for ids in video.iter_ids())
    assert video.object_ids() == (1,)


def test_a_palette_mask_of_nothing_but_255_is_void(folders: tuple[Path, Path]) -> None:
    write_video(*folders, [BINARY, EMPTY], mode="P")
    video = read(folders)
    assert not video.is_binary()
    assert video.object_ids() == ()


def test_grey_masks_of_0_and_1_are_ids_and_empty_videos_are_not_binary(folders: tuple[Path, Path]) -> None:
    write_video(*folders, [ONE, EMPTY], mode="L")
    assert not read(folders).is_binary()
    assert read(folders).object_ids() == (1,)
    write_video(*folders, [EMPTY, EMPTY], mode="L")
    assert not read(folders).is_binary()
    assert read(folders).object_ids() == ()


def test_a_colour_outside_the_palette_is_refused(folders: tuple[Path, Path]) -> None:
    write_video(*folders, [ONE, ONE], mode="RGB")
    colours = DAVIS_PALETTE[ONE].copy()
    colours[2, 3] = (127, 0, 0)
    Image.fromarray(colours).save(folders[1] / "00001.png")
    with pytest.raises(
        IcvosError, match=r"00001\.png: colour \[127, 0, 0\] at row 2, column 3 is not in the DAVIS pal"
    ):
        list(read(folders).iter_ids())


def test_ids_may_have_gaps_come_late_vanish_and_return(folders: tuple[Path, Path]) -> None:
    five, nine = ids_of((5, slice(0, 2), slice(0, 2))), ids_of((9, slice(3, 5), slice(0, 2)))
    write_video(*folders, [five, EMPTY, nine, five | nine])
    video = read(folders)
    assert video.object_ids() == (5, 9)
    assert [sorted(set(np.unique(ids).tolist()) - {0}) for ids in video.iter_ids()] == [[5], [], [9], [5, 9]]


def test_masks_are_read_one_at_a_time(folders: tuple[Path, Path]) -> None:
    write_video(*folders, [ONE, ONE, ONE])
    last = folders[1] / "00002.png"
    last.write_bytes(last.read_bytes()[:-30])
    stream = read(folders).iter_ids()
    assert np.array_equal(next(stream), ONE)
    assert np.array_equal(next(stream), ONE)
    with pytest.raises(IcvosError, match=r"00002\.png: cannot be decoded"):
        next(stream)


# Sizes


def test_a_mask_of_another_size_is_refused_or_resized(folders: tuple[Path, Path]) -> None:
    write_video(*folders, [ONE, ONE])
    narrow = ids_of((1, slice(0, 6), slice(0, 4)), size=(6, 7))
    write_mask(folders[1] / "00001.png", narrow)
    message = r"Annotations/clip/00001\.png: mask of 7x6 pixels, but its frame 00001\.jpg has 8x6"
    with pytest.raises(IcvosError, match=message):
        list(read(folders).iter_ids())
    _, second = read(folders, ReadOptions(resize=True)).iter_ids()
    assert second.shape == SIZE
    assert np.array_equal(second, resize_nearest(narrow, SIZE))


def test_frames_of_one_video_must_agree_in_size(folders: tuple[Path, Path]) -> None:
    write_video(*folders, [ONE, ONE, ONE])
    write_frame(folders[0] / "00001.jpg", (6, 9))
    with pytest.raises(IcvosError, match=r"00001\.jpg: 9x6 pixels, but 00000\.jpg of the same video has 8x6"):
        read(folders).size()
    with pytest.raises(IcvosError, match=r"00001\.jpg: 9x6 pixels"):
        next(read(folders).iter_ids())


def test_videos_may_differ_in_size(tmp_path: Path) -> None:
    for name, size in (("wide", (4, 9)), ("tall", (7, 3))):
        ids = np.ones(size, dtype=np.uint8)
        write_video(tmp_path / "J" / name, tmp_path / "A" / name, [ids, ids])
        assert read((tmp_path / "J" / name, tmp_path / "A" / name)).size() == size


# Missing or surplus


def test_a_frame_without_mask_is_an_error_empty_or_left_out(folders: tuple[Path, Path]) -> None:
    write_video(*folders, [ONE, None, TWO, None])
    with pytest.raises(IcvosError, match=r"Annotations/clip: no mask for frame 00001\.jpg \(2 of 4 frames have none\)"):
        read(folders)
    empty = read(folders, ReadOptions(missing_masks="empty"))
    assert [path is None for path in empty.masks] == [False, True, False, True]
    assert [int(ids.max()) for ids in empty.iter_ids()] == [1, 0, 2, 0]
    assert not empty.is_binary()
    findings = Findings()
    skipped = list_video("davis", *folders, ReadOptions(missing_masks="skip"), findings)
    assert skipped is not None
    assert stems(skipped) == ["00000", "00002"]
    assert [int(ids.max()) for ids in skipped.iter_ids()] == [1, 2]
    assert findings.warnings == [f"{folders[1]}: 2 frames without a mask, left out: 00001.jpg, 00003.jpg"]


def test_a_video_without_mask_folder_follows_the_same_option(folders: tuple[Path, Path]) -> None:
    write_video(*folders, [None, None])
    with pytest.raises(IcvosError, match=r"no mask for frame 00000\.jpg \(2 of 2 frames have none\)"):
        read(folders)
    assert read(folders, ReadOptions(missing_masks="empty")).object_ids() == ()
    findings = Findings()
    assert list_video("davis", *folders, ReadOptions(missing_masks="skip"), findings) is None
    assert findings.left_out == {"clip": "no frame with a mask"}
    write_mask(folders[1] / "00000.png", ONE)
    counted = Findings()
    assert list_video("davis", *folders, ReadOptions(missing_masks="empty"), counted) is not None
    assert counted.warnings == [f"{folders[1]}: 1 frame without a mask, read as empty: 00001.jpg"]


@pytest.mark.parametrize("name", ["00002.webp", "00002.Jpg", "00002.bmp", "notes.txt", "00002"])
def test_files_that_are_no_frames_or_masks_are_counted(folders: tuple[Path, Path], name: str) -> None:
    write_video(*folders, [ONE] * 2)
    for folder in folders:
        (folder / name).touch()
    findings = Findings()
    assert list_video("davis", *folders, STRICT, findings) is not None
    assert findings.warnings == [
        f"{folders[0]}: 1 file beside the frames, not read: {name}",
        f"{folders[1]}: 1 file beside the masks, not read: {name}",
    ]


def test_a_mask_without_frame_is_a_warning(folders: tuple[Path, Path]) -> None:
    write_video(*folders, [ONE, ONE])
    write_mask(folders[1] / "00007.png", TWO)
    findings = Findings()
    video = list_video("davis", *folders, STRICT, findings)
    assert video is not None
    assert video.object_ids() == (1,)
    assert findings.warnings == [f"{folders[1]}: 1 mask without a frame, not read: 00007.png"]


def test_a_folder_of_one_frame_is_skipped_with_a_warning(folders: tuple[Path, Path]) -> None:
    write_video(*folders, [ONE])
    findings = Findings()
    assert list_video("davis", *folders, STRICT, findings) is None
    assert findings.warnings == [f"{folders[0]}: left out: only one frame, so no video"]


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_a_cut_off_frame_is_named(folders: tuple[Path, Path], suffix: str) -> None:
    for number in range(2):
        write_frame(folders[0] / f"{number:05d}{suffix}", (64, 64))
        write_mask(folders[1] / f"{number:05d}.png", np.ones((64, 64), dtype=np.uint8))
    damaged = folders[0] / f"00001{suffix}"
    damaged.write_bytes(damaged.read_bytes()[: damaged.stat().st_size * 2 // 3])
    with pytest.raises(IcvosError, match=rf"00001\{suffix}: cannot be decoded"):
        read(folders).size()


def test_a_frame_that_is_no_image_is_named(folders: tuple[Path, Path]) -> None:
    write_video(*folders, [ONE, ONE])
    (folders[0] / "00001.jpg").write_bytes(b"")
    with pytest.raises(IcvosError, match=r"00001\.jpg: not a readable image"):
        read(folders).size()


def test_a_whole_jpeg_with_bytes_after_its_end_is_read(folders: tuple[Path, Path]) -> None:
    write_video(*folders, [ONE, ONE])
    path = folders[0] / "00000.jpg"
    path.write_bytes(path.read_bytes() + bytes(500))
    assert read(folders).size() == SIZE


def test_empty_masks_are_valid(folders: tuple[Path, Path]) -> None:
    write_video(*folders, [ONE, EMPTY, EMPTY])
    assert [int(ids.sum()) for ids in read(folders).iter_ids()] == [9, 0, 0]


# Copies differ


def test_reencoded_frames_change_nothing_that_is_read(folders: tuple[Path, Path], tmp_path: Path) -> None:
    other = tmp_path / "again" / "clip"
    write_video(*folders, [ONE, TWO])
    for number in range(2):
        write_frame(other / f"{number:05d}.jpg", quality=30)
    assert (other / "00000.jpg").read_bytes() != (folders[0] / "00000.jpg").read_bytes()
    first, second = read(folders), read((other, folders[1]))
    assert first.size() == second.size()
    assert all(np.array_equal(a, b) for a, b in zip(first.iter_ids(), second.iter_ids(), strict=True))


# Meta files


def test_meta_files_may_hold_texts_lists_and_extra_keys(tmp_path: Path) -> None:
    path = tmp_path / "meta.json"
    late = {"frame_range": {"start": "00001156", "end": 1666, "frame_nums": "102"}, "caption": "a dog"}
    value = {
        "videos": {
            "a": {"objects": {"1": {"frame_range": {"start": 1}}, "10": late}, "image_size": [6, 8]},
            "b": {"objects": ["2", 3], "length": "7", "height": "6"},
            "c": {"objects": {"4": {"category": "dog", "frames": ["00000"]}}, "length": 5},
        },
        "sets": [],
    }
    path.write_text(json.dumps(value))
    assert read_meta(path) == {
        "a": VideoMeta(None, {1: 1, 10: 1156}),
        "b": VideoMeta(7, {2: None, 3: None}),
        "c": VideoMeta(5, {4: 0}, {4: "dog"}),
    }


@pytest.mark.parametrize(
    "text",
    [
        '{"images": []}',
        "[]",
        '{"videos": []}',
        '{"videos": {"a": {}}}',
        '{"videos": {"a": {"objects": {"dog": {}}}}}',
        '{"videos": {"a": {"objects": {"1": {}, "01": {}}}}}',
        '{"videos": {"a": {"objects": {"1": {"category": 17}}}}}',
    ],
)
def test_a_meta_file_of_another_schema_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "train_meta.json"
    path.write_text(text)
    with pytest.raises(IcvosError, match=r'train_meta\.json: expected \{"videos"'):
        read_meta(path)


@pytest.mark.parametrize(
    "text", ['{"videos": {"a": {"objects": {}}, "a": {"objects": {}}}}', '{"videos": {}, "videos": {}}']
)
def test_a_meta_file_with_a_video_twice_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "train_meta.json").write_text(text)
    with pytest.raises(IcvosError, match=r"train_meta\.json: cannot be read as .*key '(a|videos)' occurs twice"):
        read_meta(tmp_path / "train_meta.json")


def test_a_meta_file_that_is_no_json_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "train_meta.json"
    path.write_bytes(b'{"videos": \xff')
    with pytest.raises(IcvosError, match=r"train_meta\.json: cannot be read as a meta file"):
        read_meta(path)


def test_meta_and_disk_are_compared_with_both_lists(folders: tuple[Path, Path], tmp_path: Path) -> None:
    write_video(*folders, [ONE, ONE])
    meta = {"clip": VideoMeta(3, {1: 0, 2: 5}), "gone": VideoMeta(None, {})}
    on_disk = {"clip": folders[0], "new": tmp_path}
    assert check_meta(tmp_path / "m.json", meta, on_disk, {"clip": read(folders)}).warnings == [
        f"{tmp_path / 'm.json'}: in the meta file but not on disk: gone; on disk but not in the meta file: new",
        f"{folders[0]}: 2 frames, but the meta file says 3",
        f"{folders[0]}: no frame 5, where the meta file has object 2 start",
    ]


# The data model


def test_videos_are_found_by_name_with_a_hint(tmp_path: Path) -> None:
    write_davis(tmp_path, ["blackswan", "dog"])
    video = read((tmp_path / "JPEGImages/480p/dog", tmp_path / "Annotations/480p/dog"))
    dataset = SourceDataset("davis", tmp_path, "2017", ("val",), (video,))
    assert dataset.video("dog") is video
    with pytest.raises(IcvosError, match=r"no video dogs in val; did you mean dog\?"):
        dataset.video("dogs")
    with pytest.raises(IcvosError, match="videos are named like dog"):
        dataset.video("Xyz")


def test_videos_compare_hash_and_travel_between_processes(folders: tuple[Path, Path]) -> None:
    write_video(*folders, [ONE, ONE])
    video = read(folders)
    video.size()
    again = pickle.loads(pickle.dumps(video))
    assert again == video == read(folders)
    assert hash(again) == hash(read(folders))
