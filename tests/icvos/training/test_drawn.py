"""Episodes of the small world: the same for the same index, and never of a held-out category in training."""

import numpy as np
import pytest
import torch

from icvos.errors import IcvosError
from icvos.smallworld import NAMES, held_out
from icvos.training.drawn import DrawnEpisodes
from icvos.training.recipe import Recipe

SMALL = {"method": "dcsam", "benchmark": "smallworld", "episodes": 8, "size": 64, "validation_episodes": 7}


def test_every_category_is_held_out_by_one_fold() -> None:
    assert sorted(name for fold in range(4) for name in held_out(fold)) == sorted(NAMES)


@pytest.mark.parametrize("fold", range(4))
def test_what_is_held_out_is_never_drawn_in_training(fold: int) -> None:
    episodes = DrawnEpisodes(Recipe(**SMALL, fold=fold))
    assert not set(episodes.world.categories) & set(episodes.held_out)
    assert not set(episodes.learned) & set(episodes.classes)
    asked = {int(episodes.training(0, index).classes) for index in range(6)}
    assert asked <= set(episodes.learned)
    assert {int(episodes.validation(index).classes) for index in range(8)} <= set(episodes.classes)
    everything = {
        actor.kind.category.name for index in range(40) for actor in episodes.world.clip(index, 2).scene.actors
    }
    assert everything <= set(episodes.world.categories)  # unannotated ones among them


@pytest.mark.parametrize(
    ("changes", "shots", "later"),
    [
        ({}, 1, None),
        ({"shots": 3}, 3, None),
        ({"tubes": True}, 1, 4),
        ({"frames": 3}, 1, 2),
        ({"labels": "objects"}, 0, None),
        ({"labels": "objects", "frames": 4}, 0, 3),
    ],
)
def test_episodes_have_their_shape_and_come_again(changes: dict[str, object], shots: int, later: int | None) -> None:
    episodes = DrawnEpisodes(Recipe(**SMALL).changed(changes))
    one, same, other = episodes.training(1, 2), episodes.training(1, 2), episodes.training(1, 3)
    assert one.query.shape == (1, 3, 64, 64)
    assert one.supports.shape == (1, shots, 3, 64, 64)
    assert (one.later is None) == (later is None)
    if one.later is not None and one.later_labels is not None:
        assert one.later.shape == (1, later, 3, 64, 64)
        assert one.later_labels.shape == (1, later, 64, 64)
    assert all(torch.equal(a, b) for a, b in zip(one.parts(), same.parts(), strict=True))
    assert not torch.equal(one.query, other.query)
    if shots:
        assert all(bool((label == 1).any()) for label in (*one.query_label, *one.support_labels[0]))


def test_episodes_that_choose_among_pictures_show_other_classes_beside_their_own() -> None:
    episodes = DrawnEpisodes(Recipe(**SMALL).changed({"pictures": 60, "shots": 2}))
    pictures: set[bytes] = set()
    for index in range(40):
        found, same = episodes.training(0, index), episodes.training(0, index)
        assert all(torch.equal(a, b) for a, b in zip(found.parts(), same.parts(), strict=True))
        assert int(found.classes) in episodes.learned
        assert not any(torch.equal(found.query[0], support) for support in found.supports[0])
        assert all(set(np.unique(label.numpy())) <= {0, 1} for label in (*found.query_label, *found.support_labels[0]))
        shown = [bool((label == 1).any()) for label in (*found.query_label, *found.support_labels[0])]
        assert sum(shown) >= 2
        pictures |= {picture.numpy().tobytes() for picture in (*found.query, *found.supports[0])}
    assert len(pictures) <= 60
    assert len(pictures) < 40 * 3  # they come again
    assert all(len(set(episodes._casts[number])) > 1 for _, several in episodes._rows.values() for number in several)
    assert {kind for cast in episodes._casts for kind in cast} <= set(episodes.learned)


@pytest.mark.parametrize("pictures", [0, 200])
def test_inventions_are_asked_for_half_of_the_time(pictures: int) -> None:
    episodes = DrawnEpisodes(Recipe(**SMALL).changed({"pictures": pictures, "inventions": 30}))
    assert len(episodes.learned) == 20  # and what is held out stays so
    asked = [int(episodes.training(0, index).classes) for index in range(40)]
    assert set(asked) <= set(episodes.kinds)
    invented = [kind for kind in asked if kind not in episodes.learned]
    assert 10 <= len(invented) <= 30
    assert len(set(invented)) > 6
    assert {int(episodes.validation(index).classes) for index in range(8)} <= set(episodes.classes)
    assert "30 inventions" in episodes.digest


def test_inventions_are_for_episodes_of_the_small_world() -> None:
    with pytest.raises(IcvosError, match="inventions=5: it must be 0"):
        Recipe(**SMALL).changed({"inventions": 5, "benchmark": "coco-20i"})


def test_a_handful_of_pictures_is_too_few_to_choose_from() -> None:
    with pytest.raises(IcvosError, match="pictures=1: too few"):
        DrawnEpisodes(Recipe(**SMALL).changed({"pictures": 1}))  # before a run touches its folder


def test_a_clip_is_asked_for_one_class_throughout() -> None:
    episodes = DrawnEpisodes(Recipe(**SMALL).changed({"frames": 4}))
    for index in range(4):
        found = episodes.training(0, index)
        assert found.later_labels is not None
        assert set(np.unique(found.later_labels.numpy())) <= {0, 1}


@pytest.mark.parametrize("pictures", [0, 40])
def test_a_base_learner_sees_every_class_that_it_learns_and_no_invention(pictures: int) -> None:
    recipe = Recipe(**SMALL).changed({"labels": "classes", "pictures": pictures, "inventions": 30})
    episodes = DrawnEpisodes(recipe)
    assert episodes.classes == episodes.learned  # of other pictures
    labels = [episodes.training(0, index).query_label for index in range(30)]
    counts = [len(np.unique(label)) for label in labels]
    assert max(counts) > 2
    assert set(np.unique(torch.cat(labels))) <= set(range(21))
    batch = episodes.training(0, 0)
    assert batch.supports.shape[1] == 0
    assert batch.classes.tolist() == [-1]
    validated = episodes.validation(3)
    assert validated.classes.tolist() == [episodes.learned[3]]
    assert set(np.unique(validated.query_label)) == {0, 1}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"benchmark": "smallworld"}, "episodes"),
        ({"benchmark": "smallworld", "episodes": 4, "labels": "classes", "frames": 2}, "single pictures"),
        ({"labels": "objects"}, "small world alone"),
        ({"frames": 2}, "small world alone"),
        ({"pictures": 100}, "single pictures of the small world"),
        ({"benchmark": "smallworld", "episodes": 4, "pictures": 100, "tubes": True}, "single pictures"),
    ],
)
def test_recipes_that_do_not_fit_the_world_are_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(IcvosError, match=words):
        Recipe(method="dcsam").changed(changes)


@pytest.mark.parametrize("changes", [{"frames": 3}, {"inventions": 20}])
def test_clips_that_come_again_are_few(changes: dict[str, object]) -> None:
    episodes = DrawnEpisodes(Recipe(**SMALL).changed({"labels": "objects", "pictures": 3, **changes}))
    found = [episodes.training(0, index) for index in range(20)]
    kinds = {clip.query.numpy().tobytes() for clip in found}
    assert len(kinds) == 3
    assert all(bool((clip.query_label > 0).any()) for clip in found)
    again = DrawnEpisodes(episodes.recipe).training(0, 7)
    assert all(torch.equal(a, b) for a, b in zip(found[7].parts(), again.parts(), strict=True))
