"""Inventions: the same for ever, each unlike the others, and drawn like any category."""

import numpy as np
import pytest

from icvos.errors import IcvosError
from icvos.smallworld import World, invention
from icvos.smallworld.catalogue import sample_look
from icvos.smallworld.inventions import FIRST_INDEX, kind_of


@pytest.mark.parametrize("number", range(0, 400, 7))
def test_an_invention_is_one_unit_tall_and_stands_on_the_ground(number: int) -> None:
    kind, random = invention(number), np.random.default_rng(number)
    assert kind.category.index == FIRST_INDEX + number
    for phase in (0.0, 1.7):
        points = kind.draw(sample_look(kind, random), phase).points
        assert np.isfinite(points).all()
        assert points[:, 1].min() == pytest.approx(0, abs=1e-9)
        assert points[:, 1].max() == pytest.approx(1)


def test_inventions_differ_and_come_again() -> None:
    look = sample_look(invention(0), np.random.default_rng(0))
    drawn = [invention(number).draw(look, 0.0).points.tobytes() for number in range(60)]
    assert len(set(drawn)) == 60
    invention.cache_clear()
    assert invention(3).draw(look, 0.0).points.tobytes() == drawn[3]


def test_a_picture_shows_inventions_beside_words() -> None:
    world = World(4, categories=("dog", "car"))
    asked = ("invention 12", "dog", "invention 7")
    found = world.picture(1, asked, least_px=200)
    names = {one.id: one.category.name for one in found.instances}
    assert set(names.values()) <= set(asked)
    assert "invention 12" in names.values()
    assert all((found.ids == identity).any() for identity in names)
    assert np.array_equal(world.picture(1, asked, least_px=200).image, found.image)
    assert len(world.clip(2, 3, ("invention 12",)).instances) == 1


@pytest.mark.parametrize("name", ["invention", "invention ", "invention x", "invention -1", "unicorn"])
def test_what_is_neither_a_word_nor_an_invention_is_refused(name: str) -> None:
    with pytest.raises(IcvosError, match="the small world has no"):
        World(0).picture(0, (name,))
    with pytest.raises(KeyError):
        kind_of(name)
