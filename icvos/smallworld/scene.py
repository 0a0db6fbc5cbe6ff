"""A scene: a place, the actors in it, how they and the camera move, and the rendering of any one frame of it."""

from dataclasses import dataclass, replace
from math import sin

import cv2
import numpy as np

from icvos.categories import Category
from icvos.smallworld.backdrops import Backdrop
from icvos.smallworld.motion import Actor, Camera, Stage, locate
from icvos.smallworld.paint import Placement, cast_shadow, paint, shade_ground, three
from icvos.smallworld.shapes import Drawing
from icvos.smallworld.textures import SIDE, tile

# The dark ellipse under what stands: its radii as shares of the thing's width.
_CONTACT_RADII = (0.5, 0.11)
# Where the shadow of an upright object unit falls, in object units to the right and up: on the ground behind it, on
# the water before it, where it comes and goes with the waves.
_SHADOW = (0.5, 0.17)
_REFLECTION, _REFLECTION_SWAY, _REFLECTION_RATE = -0.6, 0.04, 0.3
_REFLECTION_DEPTH, _REFLECTION_TONE = 84, 30  # of 255


@dataclass(frozen=True, slots=True)
class Instance:
    """One annotated object: its value in the id maps and its category."""

    id: int
    category: Category


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
        stage = Stage(self.size, self.backdrop.horizon, self.backdrop.terrain.shore, self.frames, self.camera)
        placed = [(actor, *locate(actor, frame, stage)) for actor in self.actors]
        placed.sort(key=lambda entry: (entry[0].manner.medium == "air", entry[1], entry[0].identity))
        for actor, depth, place, phase in placed:
            drawing = actor.kind.draw(actor.look, phase)
            if actor.manner.medium == "ground":
                self._shade(image, drawing, place, depth)
            elif actor.manner.medium == "water":
                sway = _REFLECTION_SWAY * sin(frame * _REFLECTION_RATE)
                cast_shadow(image, drawing, place, (sway, _REFLECTION), _REFLECTION_DEPTH, _REFLECTION_TONE)
            paint(image, ids, drawing, actor.look, place, actor.identity)
        self.backdrop.draw_front(image, ids, camera)
        return self._finish(image, frame), ids

    def _shade(self, image: np.ndarray, drawing: Drawing, place: Placement, depth: float) -> None:
        """What something on the ground does to the ground: a dark spot under it, and a shadow."""
        terrain = self.backdrop.terrain
        foot = (place.x, self.backdrop.horizon + depth * (self.size[0] - self.backdrop.horizon))
        width = float(np.ptp(drawing.points[:, 0])) * abs(place.across) * place.scale
        shade_ground(image, foot, (width * _CONTACT_RADII[0], width * _CONTACT_RADII[1]), terrain.contact)
        cast_shadow(image, drawing, replace(place, y=foot[1], turn=0.0), _SHADOW, terrain.shadow)

    def _finish(self, image: np.ndarray, frame: int) -> np.ndarray:
        """The light of the day and a little sensor noise."""
        mask = SIDE - 1
        rows = (np.arange(self.size[0]) + self.grain + frame * 97) & mask
        columns = (np.arange(self.size[1]) + self.grain * 3 + frame * 57) & mask
        noise = tile("noise")[rows].take(columns, axis=1) >> 6
        levels = np.arange(SIDE)[:, None] * np.asarray(self.backdrop.light) // 256 - 2
        lit = cv2.LUT(image, np.clip(levels, 0, 255).astype(np.uint8)[None])
        return np.asarray(cv2.add(lit, three(noise)))
