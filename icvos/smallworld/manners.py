"""How each sort of thing in the small world moves: one row for each sort, and what its numbers are measured in."""

from dataclasses import dataclass
from math import sin
from typing import Literal

Medium = Literal["ground", "air", "water"]
Motion = Literal["stay", "leave", "enter"]
Facing = Literal["turning", "one way", "fixed"]
Nearing = Literal["depth", "size", "never"]


@dataclass(frozen=True, slots=True)
class Rocking:
    """How the air or the water moves what is in it: up and down, and from side to side.

    Args:
        rise: Amplitude up and down, as a share of the picture's height.
        rise_rate: How fast that goes; see ``by_frame``.
        tilt: Amplitude of the turning, in radians.
        tilt_rate: How fast that goes.
        by_frame: Rates are radians of the wave for one frame; else they are multiples of the motion to and fro.
    """

    rise: float
    rise_rate: float
    tilt: float
    tilt_rate: float
    by_frame: bool = False

    def at(self, frame: int, wave: float, start: float, height: int) -> tuple[float, float]:
        """(rise in pixels of a picture of ``height``, tilt in radians); ``wave``: angle of the motion to and fro."""
        time, offset = (frame, start) if self.by_frame else (wave, 0.0)
        rise = self.rise * height * sin(time * self.rise_rate + offset)
        return rise, self.tilt * sin(time * self.tilt_rate + offset)


@dataclass(frozen=True, slots=True)
class Manner:
    """How one sort of thing moves.

    Args:
        medium: Where it is; what is on the ground has a shadow, what is in the water a reflection.
        facing: "turning" shows the side it goes to and turns round at the ends of its way, "one way" never turns round
            (it leaves on one side and comes back on the other), "fixed" shows the same side wherever it goes.
        slant: It is seen a little from the front or the back: its width is up to twice this share less than from the
            side.
        nearing: Whether it comes nearer and goes away again: in the "depth" of the ground, by its "size", or "never".
        anchored: It keeps its place on the ground when the camera moves.
        beat: Radians of phase for one frame, by which it flaps or sways; 0: it walks or rolls as far as it goes.
        hop: Height of its hops, in object units.
        rocking: What air or water does to it, or None.
    """

    medium: Medium = "ground"
    facing: Facing = "turning"
    slant: float = 0.14
    nearing: Nearing = "depth"
    anchored: bool = False
    beat: float = 0.0
    hop: float = 0.0
    rocking: Rocking | None = None


_FLYING = Rocking(rise=0.03, rise_rate=1.7, tilt=0.09, tilt_rate=1.3)
_HANGING = Rocking(rise=0.03, rise_rate=1.7, tilt=0.22, tilt_rate=1.3)
_FLOATING = Rocking(rise=0.008, rise_rate=0.35, tilt=0.035, tilt_rate=0.28, by_frame=True)
_BEAT = 0.55

WALKER = Manner()
VEHICLE = Manner(facing="one way")
BALL = Manner(facing="fixed", slant=0.0, hop=0.5)
THING = Manner(facing="fixed", nearing="never", anchored=True, beat=_BEAT)
BIRD = Manner("air", nearing="size", beat=_BEAT, rocking=_FLYING)
AIRCRAFT = Manner("air", facing="one way", nearing="size", beat=_BEAT, rocking=_FLYING)
KITE = Manner("air", facing="fixed", nearing="size", beat=_BEAT, rocking=_HANGING)
BOAT = Manner("water", facing="one way", rocking=_FLOATING)
