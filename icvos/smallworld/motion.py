"""Where the camera and every actor is in a frame."""

from dataclasses import dataclass
from math import pi, sin

from icvos.smallworld.catalogue import Kind
from icvos.smallworld.manners import Manner, Motion
from icvos.smallworld.paint import Placement
from icvos.smallworld.shapes import Look

# The camera's sway: a share of its span to either side, radians a frame.
_SWAY, _SWAY_RATE = 0.42, 0.11
# Nearing: its pace as a multiple of the motion to and fro, in the depth of the ground and by size, and how much a swing
# in depth changes the size of what flies.
_DEPTH_RATE, _SIZE_RATE, _SIZE_SHARE = 0.8, 0.7, 0.8
_DEEPEST = 0.99  # depth share at which a foot is still in the picture
_FAR = 0.5  # what is added to a depth share before sizes follow it: at the horizon things keep a third of their size
# Turning round: a share of the usual speed below 1 / _SHARPNESS narrows, down to a share _NARROWEST of the width; what
# hardly swings counts as fast as _SLOW pixels a frame.
_SHARPNESS, _NARROWEST, _SLOW = 1.8, 0.58, 0.2
_SLANT_RATE = 5.0  # spreads the actors' angles
_HOP_RATE = 0.24  # radians a frame
# Shares of a clip's length at which a motion begins, and how long it takes.
_ACROSS, _OUT, _BACK, _IN = (0.1, 0.8), (0.12, 0.3), (0.62, 0.3), (0.3, 0.35)


@dataclass(frozen=True, slots=True)
class Actor:
    """One object and its motion.

    Args:
        kind, look: What it is and how it looks.
        identity: Its value in the id maps; 0 has no mask.
        manner: How it moves.
        gait: Radians of phase for one object unit travelled; 0: it stays where it is.
        scale: Pixels per object unit in the first frame.
        x: Column of the foot in the first frame, in pixels.
        depth: Row of the foot in the first frame, as a share of the way from the horizon to the lower edge.
        lift: Pixels above the ground (in the air).
        heading: 1 faces right, -1 left.
        swing, period, start: Amplitude (pixels), length (frames) and phase (radians) of the motion to and fro.
        depth_swing: Amplitude of the motion in depth.
        motion: Whether it stays in the picture, leaves and comes back, or enters late.
        reach: How far leaving or entering takes it, in pixels.
    """

    kind: Kind
    look: Look
    identity: int
    manner: Manner
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
    motion: Motion
    reach: float

    def wave(self, frame: float) -> float:
        """The angle of the motion to and fro, in radians."""
        return 2 * pi * frame / self.period + self.start


@dataclass(frozen=True, slots=True)
class Camera:
    """Travel in pixels at the picture's lower edge: a steady pan, or a sway around the middle of ``span``."""

    span: float
    heading: int
    frames: int

    def at(self, frame: float) -> float:
        """How far it has travelled."""
        if self.heading:
            share = frame / max(self.frames - 1, 1)
            return self.span * (share if self.heading > 0 else 1 - share)
        return self.span * (0.5 + _SWAY * sin(frame * _SWAY_RATE))

    def panned(self, frame: float) -> float:
        """How far it has travelled in a pan, which actors keep up with; a sway they do not notice."""
        return self.at(frame) if self.heading else 0.0


@dataclass(frozen=True, slots=True)
class Stage:
    """What actors move on: ``size`` is (H, W), ``shore`` the least depth share that a walker goes to."""

    size: tuple[int, int]
    horizon: int
    shore: float
    frames: int
    camera: Camera


def locate(actor: Actor, frame: int, stage: Stage) -> tuple[float, Placement, float]:
    """(depth share, placement, phase) of an actor in a frame."""
    manner = actor.manner
    height = stage.size[0]
    wave = actor.wave(frame)
    depth, growth = _nearness(actor, wave, stage.shore)
    scale = actor.scale * growth
    x = _column(actor, frame, stage)
    across = _across(actor, frame, depth, stage)
    if manner.beat:
        phase = actor.start + frame * manner.beat
    else:
        travelled = x - actor.x + stage.camera.panned(frame) * depth
        phase = actor.start + actor.gait * travelled * (1 if across > 0 else -1) / actor.scale
    y = stage.horizon + depth * (height - stage.horizon) - actor.lift
    turn = 0.0
    if manner.rocking:
        rise, turn = manner.rocking.at(frame, wave, actor.start, height)
        y += rise
    if manner.hop and actor.swing > 0:
        y -= scale * manner.hop * abs(sin(frame * _HOP_RATE + actor.start))
    return depth, Placement(x, y, scale, turn, across), phase


def _nearness(actor: Actor, wave: float, shore: float) -> tuple[float, float]:
    """(depth share, size relative to that in the first frame)."""
    if actor.manner.nearing == "size":
        return actor.depth, 1 + _SIZE_SHARE * actor.depth_swing * (
            sin(wave * _SIZE_RATE) - sin(actor.start * _SIZE_RATE)
        )
    if actor.manner.nearing == "depth":
        moved = actor.depth + actor.depth_swing * (sin(wave * _DEPTH_RATE) - sin(actor.start * _DEPTH_RATE))
        depth = min(max(moved, min(shore, actor.depth)), _DEEPEST)
        return depth, (depth + _FAR) / (actor.depth + _FAR)
    return actor.depth, 1.0


def _across(actor: Actor, frame: int, depth: float, stage: Stage) -> float:
    """The factor along x: negative faces left, below 1 in size is seen at an angle."""
    if actor.manner.facing != "turning":
        slant = actor.manner.slant
        return float(actor.heading) * (1 - slant + slant * sin(actor.start * _SLANT_RATE))
    camera = stage.camera
    pace = _column(actor, frame + 0.5, stage) - _column(actor, frame - 0.5, stage)
    drift = camera.panned(frame + 0.5) - camera.panned(frame - 0.5)
    speed = (pace + drift * depth) / max(actor.swing * 2 * pi / actor.period, _SLOW)
    forward = speed * actor.heading >= -1e-9  # standing still is not turning round
    return max(min(abs(speed) * _SHARPNESS, 1.0), _NARROWEST) * (1 if forward else -1) * actor.heading


def _column(actor: Actor, frame: float, stage: Stage) -> float:
    """The column of an actor's foot, in pixels."""
    x = actor.x + actor.swing * (sin(actor.wave(frame)) - sin(actor.start))
    share = frame / max(stage.frames - 1, 1)
    if actor.motion == "leave":
        if actor.manner.facing == "one way":  # out on one side, in again on the other
            travel = actor.reach * _eased(share, _ACROSS)
            edge = actor.reach / 2 - stage.size[1] / 2
            return (x + actor.heading * travel + edge) % actor.reach - edge
        x += actor.heading * actor.reach * (_eased(share, _OUT) - _eased(share, _BACK))
    elif actor.motion == "enter":
        x -= actor.heading * actor.reach * (1 - _eased(share, _IN))
    if actor.manner.anchored:
        x -= (stage.camera.at(frame) - stage.camera.at(0)) * actor.depth
    return x


def _eased(share: float, span: tuple[float, float]) -> float:
    """How much of a motion is done, 0..1, at a share of the clip; ``span`` is when it begins and how long it takes."""
    value = min(max((share - span[0]) / span[1], 0.0), 1.0)
    return value * value * (3 - 2 * value)
