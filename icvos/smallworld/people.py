"""People, drawn from parts: (look, phase in radians of gait) to a `Drawing`."""

from math import cos, sin

from icvos.smallworld.shapes import Colour, Drawing, Look, tint
from icvos.smallworld.skeleton import DARK


def person(look: Look, phase: float) -> Drawing:
    """Walking or standing; variant 1 wears a dress, variant 2 a long coat."""
    drawing = Drawing()
    skin, top, trousers, hair = look.colours
    s = look.shape
    wide = 1.0 + 0.14 * s[0]
    swing = 0.55 * sin(phase)
    hip, neck = 0.5, 0.8

    def leg(side: float, colour: Colour, relief: int) -> None:
        angle = side * swing
        knee = (sin(angle) * 0.24, hip - cos(angle) * 0.23)
        foot = (knee[0] + sin(angle - 0.25 * max(0.0, -cos(phase) * side)) * 0.24, knee[1] - 0.235)
        drawing.limb((0, hip), knee, (0.075 * wide, 0.055), colour, relief)
        drawing.limb(knee, foot, (0.055, 0.04), colour if look.variant != 1 else skin, relief)
        drawing.limb(
            (foot[0], foot[1] + 0.005), (foot[0] + 0.07, foot[1] - 0.005), (0.036, 0.026), (52, 40, 36), relief
        )

    def arm(side: float, colour: Colour, relief: int) -> None:
        angle = -side * swing * 0.9
        elbow = (sin(angle) * 0.17, neck - 0.05 - cos(angle) * 0.16)
        hand = (elbow[0] + sin(angle + 0.5) * 0.15, elbow[1] - cos(angle + 0.5) * 0.15)
        drawing.limb((0, neck - 0.05), elbow, (0.05, 0.042), colour, relief)
        drawing.limb(elbow, hand, (0.04, 0.032), colour, relief)
        drawing.ellipse(hand, (0.036, 0.036), skin, relief)

    arm(-1, tint(top, 0.68), 100)
    leg(-1, tint(trousers, 0.7), 110)
    leg(1, trousers, 160)
    low = {0: hip - 0.04, 1: 0.3, 2: 0.26}[look.variant]
    flare = {0: 0.1, 1: 0.21, 2: 0.16}[look.variant] * wide
    drawing.smooth(
        [(-0.09 * wide, neck + 0.01), (0.08 * wide, neck + 0.01), (0.135 * wide, neck - 0.09), (0.11 * wide,
        hip + 0.08), (flare, low + 0.02),
         (flare * 0.95, low - 0.01), (-flare * 0.95, low - 0.01), (-flare, low + 0.02), (-0.1 * wide, hip + 0.08),
         (-0.13 * wide, neck - 0.09)],
        top, 180, marked=True,
    )  # fmt: skip
    drawing.limb((0.0, neck - 0.02), (0.01, neck + 0.06), (0.045, 0.042), tint(skin, 0.85), 170)
    drawing.ellipse((0.018, neck + 0.12), (0.083, 0.098), skin, 205)
    drawing.smooth(
        [(0.08, neck + 0.2), (0.0, neck + 0.235), (-0.09, neck + 0.19), (-0.1, neck + 0.1 - 0.1 * (s[1] > 0)), (-0.05,
        neck + 0.06 - 0.08 * (s[1] > 0)),
         (-0.03, neck + 0.14), (0.05, neck + 0.165)], hair, 220,
    )  # fmt: skip
    drawing.ellipse((0.068, neck + 0.125), (0.011, 0.014), DARK, 205)
    drawing.ellipse((0.1, neck + 0.105), (0.016, 0.014), skin, 215)
    arm(1, tint(top, 1.06), 215)
    return drawing
