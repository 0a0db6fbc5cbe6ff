"""Where masks lie in what people send: folders around, other spellings, other names of frames."""

import pytest

from icvos.errors import IcvosError
from icvos.vos.layout import Frames, Key, find_masks, is_mask

VIDEOS: dict[str, tuple[Key, ...]] = {"bmx-trees": (0, 1, 2, 3), "dog": (0, 1, 2, 3), "dogs-jump": (0, 1, 2, 3)}


def found_in(*paths: str, name: str = "osvos", alone: bool = False) -> tuple[dict[str, dict[Key, str]], list[str]]:
    """By video, the file of each frame, with the folders that lie beside as ``?``; and the folders of no video."""
    wanted = {video: Frames(frames, frames[1:-1]) for video, frames in VIDEOS.items()}
    if alone:
        wanted = {"dog": wanted["dog"]}
    files = [tuple(path.split("/")) for path in paths]
    found, strange = find_masks(files, name, wanted.keys(), wanted, alone=alone)
    chosen = {
        video: {key: "/".join(one.path(key)) for key in one.files} if len(rivals) == 1 else {"?": str(len(rivals))}
        for video, rivals in found.items()
        for one in rivals[:1]
    }
    return chosen, ["/".join(folder) for folder in strange]


ONE = [
    ("dog/00001.png", 1),
    ("osvos/dog/00001.png", 1),
    ("DAVIS/Results/Segmentations/480p/osvos/dog/00001.png", 1),
    ("Dog/00001.PNG", 1),
    ("DOG/1.png", 1),
    ("dog/masks/0001.Png", 1),
    ("dog/dog/00001.png", 1),
    ("dog/dog_00001.png", 1),
    ("dog/frame-1-mask.png", 1),
    ("dog/480p2_01.png", 1),
]


@pytest.mark.parametrize(("path", "frame"), ONE)
def test_one_mask_is_found(path: str, frame: Key) -> None:
    assert found_in(path) == ({"dog": {frame: path}}, [])


@pytest.mark.parametrize("name", ["bmx-trees", "bmx_trees", "BMX-Trees", "bmx trees"])
def test_a_video_by_another_spelling(name: str) -> None:
    assert found_in(f"x/{name}/00001.png") == ({"bmx-trees": {1: f"x/{name}/00001.png"}}, [])


def test_a_folder_around_that_is_named_like_a_video_is_none() -> None:
    found, strange = found_in("dog/bmx-trees/1.png", "dog/dog/1.png", "dog/bear/1.png")
    assert found == {"bmx-trees": {1: "dog/bmx-trees/1.png"}, "dog": {"?": "2"}}
    assert strange == []


def test_other_videos_are_strange() -> None:
    assert found_in("dog/1.png", "bear/1.png", "x/camel/1.png") == ({"dog": {1: "dog/1.png"}}, ["bear", "x/camel"])


@pytest.mark.parametrize(
    ("paths", "chosen"),
    [
        (("dog/1.png", "overlays/dog/1.png"), "dog/1.png"),  # the documented place
        (("a/dog/1.png", "a/dog/2.png", "b/dog/1.png"), "a/dog/1.png"),  # the most frames
        (("a/dog/1.png", "a/dog/2.png", "b/dog/0.png", "b/dog/1.png", "b/dog/3.png"), "a/dog/1.png"),  # that count
        (("a/dog/1.png", "b/dog/1.png"), "?"),
        (("dog/1/1.png", "dog/2/1.png"), "?"),  # a folder for each object
    ],
)
def test_of_several_folders_the_likeliest(paths: tuple[str, ...], chosen: str) -> None:
    found = found_in(*paths)[0]["dog"]
    assert found.get(1, "?") == chosen


def test_masks_numbered_from_one_are_the_frames_in_order() -> None:
    found, _ = found_in(*(f"dog/{number}.png" for number in range(1, 5)))
    assert found == {"dog": {number: f"dog/{number + 1}.png" for number in range(4)}}
    assert found_in(*(f"dog/{number}.png" for number in range(1, 4)))[0] == {
        "dog": {number: f"dog/{number}.png" for number in range(1, 4)}  # the first is missing
    }
    assert found_in(*(f"dog/{number}.png" for number in (1, 2, 4, 9)))[0]["dog"][1] == "dog/1.png"


def test_masks_in_no_folder_are_those_of_the_video_that_the_whole_is_named_after() -> None:
    assert found_in("1.png", name="dog") == ({"dog": {1: "1.png"}}, [])
    assert found_in("1.png", name="masks") == ({}, [""])
    assert found_in("1.png", name="masks", alone=True) == ({"dog": {1: "1.png"}}, [])
    assert found_in("x/1.png", name="masks", alone=True) == ({"dog": {1: "x/1.png"}}, [])
    assert found_in("x/1.png", "y/1.png", name="masks", alone=True) == ({}, ["x", "y"])


@pytest.mark.parametrize("names", [("00001.png", "1.png"), ("00001.png", "00001.PNG"), ("a_1.png", "a_01.png")])
def test_two_masks_of_a_frame_are_refused(names: tuple[str, str]) -> None:
    with pytest.raises(IcvosError, match=r"x/dog/\S+: same frame number as \S+; remove one of the two"):
        found_in(*(f"x/dog/{name}" for name in names))


@pytest.mark.parametrize(
    ("path", "is_one"),
    [
        ("dog/1.png", True),
        ("dog/1.PNG", True),
        ("dog/1.jpg", False),
        ("__MACOSX/dog/1.png", False),
        ("dog/._1.png", False),
        (".cache/dog/1.png", False),
        ("dog/Thumbs.db", False),
        ("readme.txt", False),
    ],
)
def test_what_may_be_a_mask(path: str, is_one: bool) -> None:
    assert is_mask(path.split("/")) == is_one
