"""A scene: a place, the actors in it, how they and the camera move, and the rendering of any one frame of it."""

from dataclasses import dataclass, replace
from math import pi, sin

import cv2
import numpy as np

from icvos.categories import Category
from icvos.smallworld.backdrops import PLACES, Backdrop, make_backdrop
from icvos.smallworld.catalogue import BY_NAME, KINDS, Kind, sample_look
from icvos.smallworld.paint import Placement, cast_shadow, paint, shade_ground, three
from icvos.smallworld.shapes import Look
from icvos.smallworld.textures import SIDE, tile


@dataclass(frozen=True, slots=True)
class Instance:
    """One annotated object: its value in the id maps and its category."""

    id: int
    category: Category


@dataclass(frozen=True, slots=True)
class Traits:
    """What happens in a clip.

    Args:
        objects: How many annotated instances, 1..4.
        categories: Of how many categories, at most.
        leaving: So many instances, counted from the first, leave the picture and come back.
        late: So many instances, counted from the last, are not in the first frame.
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
class Actor:
    """One object and its motion.

    Args:
        kind, look: What it is and how it looks.
        identity: Its value in the id maps; 0 has no mask.
        medium: "ground", "air" or "water".
        gait: Radians of phase for one object unit travelled; 0: it stays where it is.
        scale: Pixels per object unit in the first frame.
        x: Column of the foot in the first frame, in pixels.
        depth: Row of the foot in the first frame, as a share of the way from the horizon to the lower edge.
        lift: Pixels above the ground (in the air).
        heading: 1 faces right, -1 left.
        swing, period, start: Amplitude (pixels), length (frames) and phase (radians) of the motion to and fro.
        depth_swing: Amplitude of the motion in depth.
        motion: "stay", "leave" (and come back) or "enter" (late).
        reach: How far leaving or entering takes it, in pixels.
    """

    kind: Kind
    look: Look
    identity: int
    medium: str
    gait: float
    scale: float
    x: float
    depth: float
    lift: float
    heading: int
    swing: float
    period: float
    start: float
    depth_swing: float
    motion: str
    reach: float


@dataclass(frozen=True, slots=True)
class Camera:
    """Travel in pixels at the picture's lower edge: a steady pan, or a sway around the middle of ``span``."""

    span: float
    heading: int
    frames: int

    def at(self, frame: float) -> float:
        if self.heading:
            share = frame / max(self.frames - 1, 1)
            return self.span * (share if self.heading > 0 else 1 - share)
        return self.span * (0.5 + 0.42 * sin(frame * 0.11))


def _smooth(value: float) -> float:
    value = min(max(value, 0.0), 1.0)
    return value * value * (3 - 2 * value)


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that a frame is rendered from; frames are independent of one another."""

    size: tuple[int, int]
    frames: int
    backdrop: Backdrop
    camera: Camera
    actors: tuple[Actor, ...]
    grain: int

    @property
    def instances(self) -> tuple[Instance, ...]:
        """The annotated objects in the order of their ids."""
        found = [Instance(actor.identity, actor.kind.category) for actor in self.actors if actor.identity]
        return tuple(sorted(found, key=lambda instance: instance.id))

    def render(self, frame: int) -> tuple[np.ndarray, np.ndarray]:
        """Image (H, W, 3) uint8 RGB and ids (H, W) uint8 of one frame."""
        camera = self.camera.at(frame)
        image = self.backdrop.draw(camera, frame)
        ids = np.zeros(self.size, dtype=np.uint8)
        rows = self.size[0] - self.backdrop.horizon
        placed = [(actor, *self._place(actor, frame)) for actor in self.actors]
        placed.sort(key=lambda entry: (entry[0].medium == "air", entry[1], entry[0].identity))
        for actor, depth, place, phase in placed:
            drawing = actor.kind.draw(actor.look, phase)
            foot = (place.x, self.backdrop.horizon + depth * rows)
            if actor.medium == "ground":
                width = float(np.ptp(drawing.points[:, 0])) * abs(place.across) * place.scale
                indoor = self.backdrop.name in ("indoor", "table")
                shade_ground(image, foot, (width * 0.5, width * 0.11), 120 if indoor else 100)
                shadow = replace(place, y=foot[1], turn=0.0)
                cast_shadow(image, drawing, shadow, (0.5, 0.17), 50 if indoor else 84)
            elif actor.medium == "water":
                cast_shadow(image, drawing, place, (0.04 * sin(frame * 0.3), -0.6), 84, 30)
            paint(image, ids, drawing, actor.look, place, actor.identity)
        self.backdrop.draw_front(image, ids, camera)
        return self._finish(image, frame), ids

    def _finish(self, image: np.ndarray, frame: int) -> np.ndarray:
        """The light of the day and a little sensor noise."""
        mask = SIDE - 1
        rows = (np.arange(self.size[0]) + self.grain + frame * 97) & mask
        columns = (np.arange(self.size[1]) + self.grain * 3 + frame * 57) & mask
        noise = tile("noise")[rows].take(columns, axis=1) >> 6
        levels = np.arange(SIDE)[:, None] * np.asarray(self.backdrop.light) // 256 - 2
        lit = cv2.LUT(image, np.clip(levels, 0, 255).astype(np.uint8)[None])
        return np.asarray(cv2.add(lit, three(noise)))

    def _place(self, actor: Actor, frame: int) -> tuple[float, Placement, float]:
        """(depth, placement, phase) of an actor in a frame."""
        wave = 2 * pi * frame / actor.period + actor.start
        depth = actor.depth
        growth = 1.0
        if actor.medium == "air":
            growth = 1 + 0.8 * actor.depth_swing * (sin(wave * 0.7) - sin(actor.start * 0.7))
        elif actor.gait:
            nearest = min(0.4 if self.backdrop.name == "beach" else 0.16, actor.depth)
            depth = min(
                max(actor.depth + actor.depth_swing * (sin(wave * 0.8) - sin(actor.start * 0.8)), nearest), 0.99
            )
            growth = (depth + 0.5) / (actor.depth + 0.5)
        scale = actor.scale * growth
        x = self._along(actor, frame)
        pace = self._along(actor, frame + 0.5) - self._along(actor, frame - 0.5)
        drift = (self.camera.at(frame + 0.5) - self.camera.at(frame - 0.5)) * (1.0 if self.camera.heading else 0.0)
        ball = actor.kind.category.name == "sports ball"
        across = float(actor.heading) * (1.0 if ball else 0.86 + 0.14 * sin(actor.start * 5))
        if actor.gait and not actor.kind.one_way and not ball:
            brisk = max(actor.swing * 2 * pi / actor.period, 0.2)
            speed = (pace + drift * depth) / brisk
            across = (
                max(min(abs(speed) * 1.8, 1.0), 0.58) * (1 if speed * actor.heading >= -1e-9 else -1) * actor.heading
            )
        travelled = x - actor.x + (self.camera.at(frame) if self.camera.heading else 0.0) * depth
        phase = actor.start + actor.gait * travelled * (1 if across > 0 else -1) / actor.scale
        if actor.medium == "air" or not actor.gait:
            phase = actor.start + frame * 0.55
        rows = self.size[0] - self.backdrop.horizon
        y = self.backdrop.horizon + depth * rows - actor.lift
        turn = 0.0
        if actor.medium == "air":
            y += 0.03 * self.size[0] * sin(wave * 1.7)
            turn = (0.22 if not actor.gait else 0.09) * sin(wave * 1.3)
        elif actor.medium == "water":
            y += 0.008 * self.size[0] * sin(frame * 0.35 + actor.start)
            turn = 0.035 * sin(frame * 0.28 + actor.start)
        elif ball:
            y -= scale * 0.5 * abs(sin(frame * 0.24 + actor.start)) * (actor.swing > 0)
        return depth, Placement(x, y, scale, turn, across), phase

    def _along(self, actor: Actor, frame: float) -> float:
        """The column of an actor's foot."""
        wave = 2 * pi * frame / actor.period + actor.start
        x = actor.x + actor.swing * (sin(wave) - sin(actor.start))
        share = frame / max(self.frames - 1, 1)
        if actor.motion == "leave":
            if actor.kind.one_way:  # out on one side, in again on the other
                travel = actor.reach * _smooth((share - 0.1) / 0.8)
                edge = actor.reach / 2 - self.size[1] / 2
                return (x + actor.heading * travel + edge) % actor.reach - edge
            x += actor.heading * actor.reach * (_smooth((share - 0.12) / 0.3) - _smooth((share - 0.62) / 0.3))
        elif actor.motion == "enter":
            x -= actor.heading * actor.reach * (1 - _smooth((share - 0.3) / 0.35))
        if not actor.gait and actor.medium != "air":  # a thing stays where it is on the ground
            x -= (self.camera.at(frame) - self.camera.at(0)) * actor.depth
        return x


def choose_place(names: tuple[str, ...], random: np.random.Generator) -> str:
    """A place where most of the named categories belong."""
    fit = {place: sum(place in BY_NAME[name].habitats for name in set(names)) for place in PLACES}
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
) -> Scene:
    """A scene of annotated instances of the categories ``cast``, ids from 1 in that order, and what `Traits` add."""
    others = [kind.category.name for kind in KINDS if place in kind.habitats and kind.category.name not in cast]
    extras = tuple(others[int(i)] for i in random.permutation(len(others))[: traits.extras])
    if traits.unlabelled:
        extras = (*extras, cast[0])
    names = (*cast, *extras)
    moving = all(BY_NAME[name].gait or BY_NAME[name].medium == "air" for name in names)
    pans = frames > 1 and moving and not traits.late and not traits.leaving and random.random() < 0.6
    heading = (1 if random.random() < 0.5 else -1) if pans else 0
    span = 0.0 if frames == 1 else min(frames * 2.2, size[1] * 0.9) if pans else size[1] * 0.12
    backdrop = make_backdrop(place, size, random, span, traits.screens)
    slots = random.permutation(len(names))
    crowd = 1.0 if len(names) < 3 else 0.86
    actors = []
    for number, name in enumerate(names):
        identity = number + 1 if number < len(cast) else 0
        motion = "stay"
        if 0 < identity <= traits.leaving:
            motion = "leave"
        elif identity > len(cast) - traits.late:
            motion = "enter"
        factor = crowd * (zoom[0] + (zoom[1] - zoom[0]) * float(random.random())) * (1.0 if identity else 0.8)
        slot = (int(slots[number]) + 0.5 + 0.5 * (float(random.random()) - 0.5)) / len(names)
        actors.append(_actor(BY_NAME[name], identity, motion, slot, factor, size, backdrop, heading, random))
    return Scene(size, frames, backdrop, Camera(span, heading, frames), tuple(actors), int(random.integers(256)))


def _actor(
    kind: Kind,
    identity: int,
    motion: str,
    slot: float,
    factor: float,
    size: tuple[int, int],
    backdrop: Backdrop,
    pan: int,
    random: np.random.Generator,
) -> Actor:
    height, width = size
    look = sample_look(kind, random)
    medium = kind.medium
    if kind.category.name == "bird" and look.variant == 1:  # it stands, where there is ground to stand on
        if backdrop.name in ("water", "sky"):
            look = replace(look, variant=0)
        else:
            medium = "ground"
    if look.variant in kind.resting and (motion != "stay" or pan):  # what travels stands up
        look = replace(look, variant=0)
    gait = 0.0 if look.variant in kind.resting else kind.gait
    points = kind.draw(look, 0.0).points
    wide, tall = (float(v) for v in np.ptp(points, axis=0))
    nearest = 0.44 if backdrop.name == "beach" else 0.3
    depth = nearest + (0.92 - nearest) * float(random.random())
    target = kind.size * height * factor * (0.8 + 0.4 * depth if medium != "air" else 1.0)
    target = min(target, 0.92 * height, 0.72 * width * tall / wide)
    scale = target / tall
    rows = height - backdrop.horizon
    lift = 0.0
    if medium == "air":
        foot = height * (0.08 + 0.4 * float(random.random())) + target
        foot = min(foot, height * 0.9)
        lift = backdrop.horizon + depth * rows - foot
    else:
        depth = min(max(depth, (target * 1.03 - backdrop.horizon) / rows), 0.97)
    half = 0.45 * min(scale * wide / width, 0.9)
    x = width * (half + (1 - 2 * half) * slot)
    turning = 1 if random.random() < 0.5 else -1
    moves = gait > 0 or medium == "air" or (kind.gait == 0 and random.random() < 0.5)
    swing = (0.05 + 0.1 * float(random.random())) * width * (1.0 if moves else 0.0) * (1.0 if gait else 0.5)
    beyond = width * 0.5 + abs(x - width / 2) + scale * wide * 0.9 + swing  # out of sight on either side
    around = width + scale * wide * 1.7  # out on one side and in again on the other
    return Actor(
        kind=kind,
        look=look,
        identity=identity,
        medium=medium,
        gait=gait,
        scale=scale,
        x=x,
        depth=depth,
        lift=lift,
        heading=pan or turning,
        swing=swing * (0.6 if pan else 1.0),
        period=40 + 50 * float(random.random()),
        start=2 * pi * float(random.random()),
        depth_swing=0.06 + 0.14 * float(random.random()),
        motion=motion,
        reach=around if motion == "leave" and kind.one_way else beyond,
    )
