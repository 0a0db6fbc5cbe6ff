"""What a scene shows: chance and the wishes for a clip choose the place, the cast, and where everyone starts."""

from dataclasses import dataclass, replace
from math import pi

import numpy as np

from icvos.smallworld.backdrops import Backdrop
from icvos.smallworld.catalogue import KINDS, NAMES, Kind, sample_look
from icvos.smallworld.inventions import kind_of
from icvos.smallworld.manners import THING, WALKER, Manner, Motion
from icvos.smallworld.motion import Actor, Camera
from icvos.smallworld.places import PLACES, make_backdrop
from icvos.smallworld.scene import Scene
from icvos.smallworld.shapes import Look

# The camera. Shares are of the picture's width.
_PAN_CHANCE = 0.6
_PAN_PX, _PAN_MOST = 2.2, 0.9  # pixels a frame, and a share
_SWAY_SPAN = 0.12
# Sizes, as factors: in company, of what has no mask, and on the ground from far to near.
_CROWDED, _EXTRA = 0.86, 0.8
_SIZE_FAR, _SIZE_GAIN = 0.8, 0.4
_TALLEST, _WIDEST = 0.92, 0.72  # shares of the picture
# Where actors start. Depth is a share of the way from the horizon to the lower edge.
_DEPTH_MOST = 0.92
_HEADROOM, _DEEPEST = 1.03, 0.97  # the head stays in the picture as far as the foot does
_FLIGHT, _FLIGHT_SPREAD, _FLIGHT_LOWEST = 0.08, 0.4, 0.9  # top of what flies, lowest foot: shares of the height
_HALF, _HALF_MOST = 0.45, 0.9  # half a width is kept free at either side, of at most this share of the picture
# How they move: the least, and what chance adds.
_SWING, _SWING_SPREAD = 0.05, 0.1  # shares of the width
_SWING_STILL, _SWING_PAN = 0.5, 0.6  # factors: without a gait, and while the camera pans
_PERIOD, _PERIOD_SPREAD = 40, 50  # frames
_DEPTH_SWING, _DEPTH_SWING_SPREAD = 0.06, 0.14  # of depth
_BEYOND, _AROUND = 0.9, 1.7  # widths of the actor that leaving and going round add to the way


@dataclass(frozen=True, slots=True)
class Traits:
    """What happens in a clip.

    Args:
        objects: How many annotated instances, 1..4.
        categories: How many categories they are of, at most.
        leaving: How many instances, counted from the first, leave the picture and come back.
        late: How many instances, counted from the last, are not in the first frame.
        screens: Things in the foreground that hide what passes behind them.
        extras: Unannotated objects of other categories.
        unlabelled: One more object of the first instance's category has no mask.
    """

    objects: int = 2
    categories: int = 2
    leaving: int = 0
    late: int = 0
    screens: int = 0
    extras: int = 0
    unlabelled: bool = False


@dataclass(frozen=True, slots=True)
class _Role:
    """What is asked of one actor.

    Args:
        kind: What it is.
        identity: Its value in the id maps; 0 has no mask.
        motion: Whether it stays, leaves or enters.
        slot: Where it starts, 0..1 from left to right.
        factor: Its size, relative to what is usual for its kind.
    """

    kind: Kind
    identity: int
    motion: Motion
    slot: float
    factor: float


def choose_place(names: tuple[str, ...], random: np.random.Generator) -> str:
    """A place where most of the named categories belong."""
    fit = {place: sum(place in kind_of(name).habitats for name in set(names)) for place in PLACES}
    best = max(fit.values())
    choices = [place for place in PLACES if fit[place] == best]
    return choices[int(random.integers(len(choices)))]


def choose_cast(place: str, traits: Traits, allowed: tuple[str, ...], random: np.random.Generator) -> tuple[str, ...]:
    """Category names of the annotated instances, out of the ``allowed`` that live at ``place``."""
    local = [kind.category.name for kind in KINDS if place in kind.habitats and kind.category.name in allowed]
    count = min(traits.categories, traits.objects, len(local))
    names = [local[int(i)] for i in random.permutation(len(local))[:count]]
    while len(names) < traits.objects:
        names.append(names[int(random.integers(count))])
    return tuple(names)


def compose(
    size: tuple[int, int],
    frames: int,
    place: str,
    cast: tuple[str, ...],
    traits: Traits,
    random: np.random.Generator,
    zoom: tuple[float, float] = (0.85, 1.2),
    allowed: tuple[str, ...] = NAMES,
) -> Scene:
    """A scene of annotated instances of the categories ``cast``, ids from 1 in that order, and what `Traits` add.

    Unannotated objects are of the categories ``allowed``.
    """
    living = [kind.category.name for kind in KINDS if place in kind.habitats]
    others = [name for name in living if name in allowed and name not in cast]
    extras = tuple(others[int(i)] for i in random.permutation(len(others))[: traits.extras])
    if traits.unlabelled:
        extras = (*extras, cast[0])
    names = (*cast, *extras)
    moving = all(not kind_of(name).manner.anchored for name in names)
    pans = frames > 1 and moving and not traits.late and not traits.leaving and random.random() < _PAN_CHANCE
    heading = (1 if random.random() < 0.5 else -1) if pans else 0
    span = 0.0 if frames == 1 else min(frames * _PAN_PX, size[1] * _PAN_MOST) if pans else size[1] * _SWAY_SPAN
    backdrop = make_backdrop(place, size, random, span, traits.screens)
    slots = random.permutation(len(names))
    crowd = 1.0 if len(names) < 3 else _CROWDED
    actors = []
    for number, name in enumerate(names):
        identity = number + 1 if number < len(cast) else 0
        motion: Motion = "stay"
        if 0 < identity <= traits.leaving:
            motion = "leave"
        elif identity > len(cast) - traits.late:
            motion = "enter"
        factor = crowd * _chance(random, zoom[0], zoom[1] - zoom[0]) * (1.0 if identity else _EXTRA)
        slot = (int(slots[number]) + 0.5 + 0.5 * (float(random.random()) - 0.5)) / len(names)
        role = _Role(kind_of(name), identity, motion, slot, factor)
        actors.append(_actor(role, size, backdrop, heading, random))
    return Scene(size, frames, backdrop, Camera(span, heading, frames), tuple(actors), int(random.integers(256)))


def _chance(random: np.random.Generator, least: float, spread: float) -> float:
    """A number from ``least`` to ``least + spread``."""
    return least + spread * float(random.random())


def _appearance(role: _Role, backdrop: Backdrop, pan: int, random: np.random.Generator) -> tuple[Look, Manner]:
    """How an actor looks and moves: what travels stands up, and what rests is a thing like any other."""
    kind = role.kind
    look, manner = sample_look(kind, random), kind.manner
    if look.variant in kind.perching:
        if backdrop.terrain.firm:
            manner = WALKER
        else:
            look = replace(look, variant=0)
    if look.variant in kind.resting:
        if role.motion == "stay" and not pan:
            manner = THING
        else:
            look = replace(look, variant=0)
    return look, manner


def _actor(role: _Role, size: tuple[int, int], backdrop: Backdrop, pan: int, random: np.random.Generator) -> Actor:
    kind, (height, width) = role.kind, size
    look, manner = _appearance(role, backdrop, pan, random)
    gait = 0.0 if manner.anchored else kind.gait
    flies = manner.medium == "air"
    wide, tall = (float(v) for v in np.ptp(kind.draw(look, 0.0).points, axis=0))
    depth = _chance(random, backdrop.terrain.front, _DEPTH_MOST - backdrop.terrain.front)
    target = kind.size * height * role.factor * (1.0 if flies else _SIZE_FAR + _SIZE_GAIN * depth)
    target = min(target, _TALLEST * height, _WIDEST * width * tall / wide)
    scale = target / tall
    rows = height - backdrop.horizon
    lift = 0.0
    if flies:
        foot = min(height * _chance(random, _FLIGHT, _FLIGHT_SPREAD) + target, height * _FLIGHT_LOWEST)
        lift = backdrop.horizon + depth * rows - foot
    else:
        depth = min(max(depth, (target * _HEADROOM - backdrop.horizon) / rows), _DEEPEST)
    half = _HALF * min(scale * wide / width, _HALF_MOST)
    x = width * (half + (1 - 2 * half) * role.slot)
    turning = 1 if random.random() < 0.5 else -1
    moves = not manner.anchored or (kind.manner.anchored and random.random() < 0.5)
    swing = _chance(random, _SWING, _SWING_SPREAD) * width * (1.0 if moves else 0.0) * (1.0 if gait else _SWING_STILL)
    beyond = width * 0.5 + abs(x - width / 2) + scale * wide * _BEYOND + swing  # out of sight on either side
    around = width + scale * wide * _AROUND  # out on one side and in again on the other
    return Actor(
        kind=kind,
        look=look,
        identity=role.identity,
        manner=manner,
        gait=gait,
        scale=scale,
        x=x,
        depth=depth,
        lift=lift,
        heading=pan or turning,
        swing=swing * (_SWING_PAN if pan else 1.0),
        period=_chance(random, _PERIOD, _PERIOD_SPREAD),
        start=2 * pi * float(random.random()),
        depth_swing=_chance(random, _DEPTH_SWING, _DEPTH_SWING_SPREAD),
        motion=role.motion,
        reach=around if role.motion == "leave" and manner.facing == "one way" else beyond,
    )
