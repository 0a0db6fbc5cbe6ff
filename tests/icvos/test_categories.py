"""The class tables: numbers, spellings, folds."""

import pytest

from icvos.categories import BY_CATEGORY_ID, COCO, PASCAL, category
from icvos.errors import IcvosError


def test_coco_has_80_classes_in_order() -> None:
    assert [found.index for found in COCO] == list(range(1, 81))
    assert [found.category_id for found in COCO] == sorted(BY_CATEGORY_ID)
    assert BY_CATEGORY_ID.keys().isdisjoint({12, 26, 29, 30, 45, 66, 68, 69, 71, 83})


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("dog", "dog"),
        (17, "dog"),
        ("17", "dog"),
        (" Aeroplane ", "airplane"),
        ("tvmonitor", "tv"),
        ("cell_phone", "cell phone"),
    ],
)
def test_category_by_name_number_and_other_spelling(key: str | int, name: str) -> None:
    assert category(key).name == name


@pytest.mark.parametrize(("key", "hint"), [("dgo", "dog"), ("0", "1..80"), (81, "1..80"), ("zzzz", "COCO class names")])
def test_unknown_category_says_what_to_do(key: str | int, hint: str) -> None:
    with pytest.raises(IcvosError, match=hint):
        category(key)


def test_folds() -> None:
    assert [found.index for found in COCO if found.fold_interleaved == 1][:3] == [2, 6, 10]
    assert [found.index for found in COCO if found.fold_contiguous == 3] == list(range(61, 81))
    assert [found.index for found in PASCAL if found.fold == 2] == [11, 12, 13, 14, 15]


def test_domain_shift_fold_is_the_interleaved_coco_fold() -> None:
    assert all(COCO[found.coco_index - 1].fold_interleaved == found.fold_domain_shift for found in PASCAL)
