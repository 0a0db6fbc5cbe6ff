"""Which COCO class another data set's name is: sure, perhaps, or none."""

import pytest

from curation.sources.naming import OTHER, PERHAPS, SAME, coco_class
from icvos.categories import category


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("dog", "dog"),
        ("Tennis_Racket", "tennis racket"),
        ("bike", "bicycle"),
        ("motorbike", "motorcycle"),
        ("flying_disc", "frisbee"),
        ("aeroplane", "airplane"),
    ],
)
def test_names_of_the_same_thing(name: str, meant: str) -> None:
    kind, reason = coco_class(name)
    assert kind is not None
    assert (kind.name, reason) == (meant, "")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("sedan", "perhaps a car"),
        ("parrot", "perhaps a bird"),
        ("giant_panda", "perhaps a bear"),
        ("plant", "perhaps a potted plant"),
        ("sign", "perhaps a stop sign"),
        ("mouse", "there it is the animal, in COCO the device"),
        ("shark", "no COCO class"),
        ("others", "no COCO class"),
        ("lion", "no COCO class"),
        ("17", "no COCO class"),
    ],
)
def test_a_person_decides_the_rest(name: str, reason: str) -> None:
    assert coco_class(name) == (None, reason)


def test_the_tables_name_classes_of_coco() -> None:
    assert {category(name).name for name in (*SAME.values(), *PERHAPS.values(), *OTHER)} == {
        *SAME.values(),
        *PERHAPS.values(),
        *OTHER,
    }
