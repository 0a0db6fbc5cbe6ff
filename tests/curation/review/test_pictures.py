"""Outlines, numbers and the course of a video; what is typed; what is kept on a shelf."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from curation.review.pictures import Shelf, comings, course, draw, first_frame, jumps_of
from curation.review.spelling import NONE_CODE, codes, spellings
from icvos.categories import COCO
from tests.conftest import World


def test_the_number_of_an_object_lies_in_its_thickest_part() -> None:
    mask = np.zeros((60, 90), dtype=bool)
    mask[10:12, 5:80] = True  # a thin line
    mask[30:50, 20:40] = True
    drawn = draw(mask)
    assert 30 <= drawn.y < 50
    assert 20 <= drawn.x < 40
    assert drawn.depth == pytest.approx(10, abs=1)
    assert drawn.path.count("M") == 2


def test_a_hole_is_outlined_too() -> None:
    mask = np.zeros((40, 40), dtype=bool)
    mask[5:35, 5:35] = True
    mask[15:25, 15:25] = False
    assert draw(mask).path.count("M") == 2


def test_an_object_of_one_pixel_is_drawn() -> None:
    mask = np.zeros((5, 5), dtype=bool)
    mask[4, 0] = True
    drawn = draw(mask)
    assert (drawn.x, drawn.y) == (0.5, 4.5)
    assert drawn.path == "M0.5 4.5Z"


def test_small_areas_do_not_jump() -> None:
    assert jumps_of([3, 30, 9]) == []
    assert jumps_of([100, 201]) == [1]
    assert comings([0, 0, 1]) == [2]


def test_the_course_of_the_small_world(world: World) -> None:
    from curation.sources.mose import read

    video = read(world.root / "mose").videos[0]
    found, first = course(video), first_frame(video)
    assert sorted(found.areas) == list(video.object_ids())
    assert set(first.objects) == {number for number, areas in found.areas.items() if areas[0]}
    for number, changes in found.changes.items():
        assert set(changes) >= set(found.jumps[number])


def test_every_category_has_two_letters_of_its_own() -> None:
    found = codes()
    assert set(found) == {one.name for one in COCO}
    assert len({*found.values(), NONE_CODE}) == 81
    assert {len(code) for code in found.values()} == {2}
    assert all(set(code) <= set(name) for name, code in found.items())


@pytest.mark.parametrize(
    ("word", "name"), [("plane", "airplane"), ("motorbike", "motorcycle"), ("sofa", "couch"), ("bike", "bicycle")]
)
def test_other_words_for_a_category_are_typed_too(word: str, name: str) -> None:
    assert [one["name"] for one in spellings() if word in one["words"]] == [name]


def test_a_shelf_makes_a_thing_once_and_keeps_the_last() -> None:
    shelf: Shelf[int] = Shelf(2)
    made, both = [], threading.Barrier(2)

    def make() -> int:
        made.append(1)
        return len(made)

    def ask(_: int) -> int:
        both.wait()
        return shelf.get("a", make)

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(ask, range(2))) == [1, 1]
    assert shelf.get("b", make) == 2
    assert shelf.get("c", make) == 3
    assert shelf.get("a", make) == 4


def test_an_error_is_not_kept_on_a_shelf() -> None:
    shelf: Shelf[int] = Shelf(2)

    def fail() -> int:
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        shelf.get("a", fail)
    assert shelf.get("a", lambda: 5) == 5
