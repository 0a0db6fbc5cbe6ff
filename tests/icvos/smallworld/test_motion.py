"""How things of the small world move: each in the manner of its sort."""

import math

import pytest

from icvos.smallworld import Traits, World
from icvos.smallworld.motion import Actor, Stage, locate
from icvos.smallworld.paint import Placement
from icvos.smallworld.scene import Scene

FRAMES = 40
WORLD = World(3, (90, 120))


def scenes(name: str, place: str | None = None, leaving: int = 0, count: int = 8) -> list[Scene]:
    traits = Traits(leaving=leaving)
    return [WORLD.clip(index, FRAMES, (name,), traits=traits, place=place).scene for index in range(count)]


def placements(scene: Scene, actor: Actor) -> list[Placement]:
    stage = Stage(scene.size, scene.backdrop.horizon, scene.backdrop.terrain.shore, scene.frames, scene.camera)
    return [locate(actor, frame, stage)[1] for frame in range(FRAMES)]


@pytest.mark.parametrize("name", ["car", "bus", "bicycle", "airplane", "boat", "kite", "cup", "sports ball"])
def test_vehicles_and_things_never_turn_round(name: str) -> None:
    for scene in scenes(name, leaving=1):
        (actor,) = scene.actors
        found = {place.across for place in placements(scene, actor)}
        assert len(found) == 1
        assert math.copysign(1, found.pop()) == actor.heading


@pytest.mark.parametrize("name", ["person", "horse", "bird"])
def test_what_leaves_on_its_feet_or_wings_turns_round_to_come_back(name: str) -> None:
    for scene in scenes(name, leaving=1):
        (actor,) = scene.actors
        assert {math.copysign(1, place.across) for place in placements(scene, actor)} == {-1, 1}


def test_what_sits_stays_where_it_is_on_the_ground() -> None:
    sitting = [
        (scene, actor) for scene in scenes("dog", count=24) for actor in scene.actors if actor.look.variant in (2, 3)
    ]
    assert sitting
    for scene, actor in sitting:
        for frame, place in enumerate(placements(scene, actor)):
            travel = scene.camera.at(frame) - scene.camera.at(0)
            assert place.x == pytest.approx(actor.x - travel * actor.depth)
            assert place.scale == actor.scale


@pytest.mark.parametrize(("place", "stands"), [("meadow", True), ("sky", False), ("water", False)])
def test_a_bird_stands_only_where_there_is_ground(place: str, stands: bool) -> None:
    actors = [scene.actors[0] for scene in scenes("bird", place, count=16)]
    assert any(actor.manner.medium == "ground" for actor in actors) == stands
    assert all((actor.look.variant == 1) == (actor.manner.medium == "ground") for actor in actors)


def test_walkers_keep_out_of_the_sea() -> None:
    for scene in scenes("person", "beach"):
        (actor,) = scene.actors
        foot_least = scene.backdrop.horizon + 0.4 * (scene.size[0] - scene.backdrop.horizon)
        assert all(place.y >= foot_least - 1e-9 for place in placements(scene, actor))
