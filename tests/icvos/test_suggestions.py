"""Names that were probably meant, and names that are near to nothing."""

from collections.abc import Sequence

import pytest

from icvos.categories import COCO, PASCAL, PascalClass, category
from icvos.errors import IcvosError
from icvos.suggestions import CATEGORY_SYNONYMS, METHOD_SYNONYMS, SETTING_SYNONYMS, nearest

CLASSES = [found.name for found in COCO]
VOC = [found.name for found in PASCAL]
METHODS = [
    *("amnet", "base-learner", "dc-sam", "hdmnet", "lite", "matcher", "memory", "oracle"),
    *("persam", "persam-f", "pfenet", "vrp-sam"),
]
BEFORE_DC_SAM = [name for name in METHODS if name != "dc-sam"]
RECIPES = ["amnet-coco-20i", "hdmnet-coco-20i", "hdmnet-ic-vos", "vrp-sam-pascal-5i"]
CHECKPOINTS = ["sam-vit-b", "sam-vit-h", "sam2.1-hiera-b+", "sam2.1-hiera-l", "dinov2-vitb14", "vrp-sam"]
SETTINGS = ["size", "epochs", "batch", "learning_rate", "background", "recent"]


@pytest.mark.parametrize(
    ("typed", "names", "expected"),
    [
        # case, spaces, hyphens, underscores, dots
        ("DCSAM", METHODS, "dc-sam"),
        ("dc_sam", METHODS, "dc-sam"),
        ("DC SAM", METHODS, "dc-sam"),
        ("vrpsam", METHODS, "vrp-sam"),
        ("VRP_SAM", METHODS, "vrp-sam"),
        ("per-sam", METHODS, "persam"),
        ("PerSAMF", METHODS, "persam-f"),
        ("per-sam-f", METHODS, "persam-f"),
        ("base_learner", METHODS, "base-learner"),
        ("hotdog", CLASSES, "hot dog"),
        ("TeddyBear", CLASSES, "teddy bear"),
        ("tv/monitor", VOC, "tvmonitor"),
        ("learning-rate", SETTINGS, "learning_rate"),
        ("sam2-1_hiera_l", CHECKPOINTS, "sam2.1-hiera-l"),
        ("7K7WVZGG", ["7K7WVzGG", "0a43a414"], "7K7WVzGG"),
        # typing errors
        ("dgo", CLASSES, "dog"),
        ("odg", CLASSES, "dog"),
        ("ct", CLASSES, "cat"),
        ("cats", CLASSES, "cat"),
        ("hrose", CLASSES, "horse"),
        ("girafe", CLASSES, "giraffe"),
        ("elefant", CLASSES, "elephant"),
        ("refridgerater", CLASSES, "refrigerator"),
        ("lephants", ["elephants"], "elephants"),
        ("umberlla", CLASSES, "umbrella"),
        ("lit", METHODS, "lite"),
        ("light", METHODS, "lite"),
        ("vpr-sam", METHODS, "vrp-sam"),
        ("mathcer", METHODS, "matcher"),
        ("pfnet", METHODS, "pfenet"),
        ("sise", SETTINGS, "size"),
        ("epoch", SETTINGS, "epochs"),
        ("hdmnet-coco-20j", RECIPES, "hdmnet-coco-20i"),
        ("sam-vit-x", CHECKPOINTS, "sam-vit-b"),
        ("sam2.1-hiera-xl", CHECKPOINTS, "sam2.1-hiera-l"),
        # other words for the same thing
        ("automobile", CLASSES, "car"),
        ("automobil", CLASSES, "car"),
        ("auto", VOC, "car"),
        ("plane", CLASSES, "airplane"),
        ("bike", CLASSES, "bicycle"),
        ("Doughnut", CLASSES, "donut"),
        ("man", CLASSES, "person"),
        ("people", VOC, "person"),
        ("puppy", CLASSES, "dog"),
        ("kitten", VOC, "cat"),
        ("cattle", VOC, "cow"),
        ("television", CLASSES, "tv"),
        ("fridge", CLASSES, "refrigerator"),
        ("plant", CLASSES, "potted plant"),
        ("table", CLASSES, "dining table"),
        ("phone", CLASSES, "cell phone"),
        ("hairdryer", CLASSES, "hair drier"),
        ("ground-truth", METHODS, "oracle"),
        ("batch_size", SETTINGS, "batch"),
        ("lr", SETTINGS, "learning_rate"),
        # the beginning of a longer name
        ("hdmnet", RECIPES, "hdmnet-coco-20i"),
        ("teddy", CLASSES, "teddy bear"),
        ("traffic", CLASSES, "traffic light"),
        ("vrp", METHODS, "vrp-sam"),
        # nothing near
        ("dc-sam", BEFORE_DC_SAM, None),
        ("dcsam", BEFORE_DC_SAM, None),
        ("sam", METHODS, None),
        ("automobile", ["toilet", "boat"], None),
        ("xyz", CLASSES, None),
        ("xyz", METHODS, None),
        ("rat", CLASSES, None),
        ("hat", CLASSES, None),
        ("rain", CLASSES, None),
        ("goat", CLASSES, None),
        ("plate", CLASSES, None),
        ("rocket", CLASSES, None),
        ("tiger", CLASSES, None),
        ("backbone", SETTINGS, None),
        ("net", RECIPES, None),
        ("nowhere/net.pth", CHECKPOINTS, None),
        ("x", ["a", "b"], None),
        ("", CLASSES, None),
        ("--", CLASSES, None),
        ("dog", [], None),
    ],
)
def test_nearest(typed: str, names: Sequence[str], expected: str | None) -> None:
    synonyms = {**CATEGORY_SYNONYMS, **METHOD_SYNONYMS, **SETTING_SYNONYMS}
    assert nearest(typed, names, synonyms) == expected


def test_a_name_of_two_spellings_goes_to_the_first_and_synonyms_are_only_used_where_given() -> None:
    assert nearest("dog 1", ["dog_1", "dog-1"]) == "dog_1"
    assert nearest("automobile", CLASSES) is None


@pytest.mark.parametrize(("word", "name"), CATEGORY_SYNONYMS.items())
def test_a_synonym_of_a_category_is_for_one_that_exists_and_is_suggested_not_taken(word: str, name: str) -> None:
    assert category(name).name == name
    with pytest.raises(IcvosError, match=rf"^unknown category '{word}'; did you mean {name}\?$"):
        category(word)


@pytest.mark.parametrize("found", PASCAL)
def test_classes_of_pascal_are_taken_as_they_are_called_there(found: PascalClass) -> None:
    assert category(found.name).index == found.coco_index


def test_an_unknown_category_near_to_none_lists_them_all() -> None:
    with pytest.raises(IcvosError) as refusal:
        category("xyz")
    assert str(refusal.value).count("\n") == 0
    assert all(name in str(refusal.value) for name in CLASSES)
