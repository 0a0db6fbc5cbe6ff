"""The skeleton of four-legged animals: proportions, legs, ears, tails, trunk, neck and head."""

from dataclasses import dataclass
from math import cos, pi, sin
from typing import Literal

import numpy as np

from icvos.smallworld.shapes import Colour, Drawing, Point, tint

DARK: Colour = (24, 20, 20)
WHITE: Colour = (250, 250, 246)
Ear = Literal["point", "flop", "round", "long", "fan", "none"]
Tail = Literal["up", "long", "hang", "tuft", "none"]


@dataclass(frozen=True, slots=True)
class Build:
    """The proportions of a four-legged animal; lengths are in units of about its shoulder height.

    Args:
        length: From hip to shoulder.
        leg: From the ground to the belly.
        chest, hips: Height of the trunk at the shoulder and at the hip.
        neck: Length; ``neck_angle`` is in degrees above the horizontal.
        neck_width: Radii at the shoulder and at the head.
        skull: Radius of the head; ``muzzle`` its length in front of it, ``muzzle_width`` the radii along it.
        head_angle: Degrees below the horizontal.
        thigh, foot: Radii of a leg at the top and at the bottom.
        ear: Shape of the ears, as `draw_ear` takes it.
        tail: How the tail is carried.
        tail_length: Length.
        stride: How far a foot swings.
        hoof: The lower half of a leg has no marking.
    """

    length: float = 1.0
    leg: float = 0.5
    chest: float = 0.45
    hips: float = 0.4
    neck: float = 0.35
    neck_angle: float = 45.0
    neck_width: Point = (0.2, 0.14)
    skull: float = 0.16
    muzzle: float = 0.22
    muzzle_width: Point = (0.1, 0.07)
    head_angle: float = 20.0
    thigh: float = 0.12
    foot: float = 0.05
    ear: Ear = "point"
    tail: Tail = "up"
    tail_length: float = 0.5
    stride: float = 0.2
    hoof: bool = False


def draw_leg(
    drawing: Drawing, top: Point, swing: float, build: Build, colour: Colour, hoof: Colour, relief: int, bend: float
) -> None:
    """One leg of two bars from ``top`` to the ground; ``bend`` moves the knee forward."""
    lift = max(0.0, cos(swing)) * build.stride * 0.35
    foot = (top[0] + sin(swing) * build.stride, build.foot + lift)
    knee = ((top[0] + foot[0]) / 2 + bend + lift * 0.3, (top[1] * 0.45 + foot[1] * 0.55))
    middle = build.thigh * 0.42 + build.foot * 0.58
    drawing.limb(top, knee, (build.thigh, middle), colour, relief, marked=True)
    drawing.limb(knee, foot, (middle, build.foot), colour, relief, marked=not build.hoof)
    shoe = (foot[0] + build.foot * 0.6, foot[1] - build.foot * 0.35)
    drawing.ellipse(shoe, (build.foot * 1.6, build.foot * 0.8), hoof, relief)


def draw_ear(drawing: Drawing, kind: Ear, head: Point, skull: float, colour: Colour, inner: Colour) -> None:
    x, y = head
    r = skull
    if kind == "point":
        drawing.polygon(
            [(x - 0.75 * r, y + 0.45 * r), (x - 0.5 * r, y + 1.75 * r), (x + 0.2 * r, y + 0.8 * r)], colour, 190
        )
        drawing.polygon(
            [(x - 0.52 * r, y + 0.8 * r), (x - 0.42 * r, y + 1.4 * r), (x - 0.05 * r, y + 0.85 * r)], inner, 150
        )
    elif kind == "flop":
        drawing.smooth(
            [
                (x - 0.2 * r, y + 0.9 * r),
                (x - 0.9 * r, y + 0.8 * r),
                (x - 1.15 * r, y - 0.5 * r),
                (x - 0.75 * r, y - 1.1 * r),
                (x - 0.35 * r, y - 0.3 * r),
            ],
            colour,
            210,
        )
    elif kind == "round":
        drawing.ellipse((x - 0.45 * r, y + 0.85 * r), (0.42 * r, 0.42 * r), colour, 190)
        drawing.ellipse((x - 0.42 * r, y + 0.85 * r), (0.22 * r, 0.22 * r), inner, 150)
    elif kind == "long":
        drawing.smooth(
            [
                (x - 0.35 * r, y + 0.5 * r),
                (x - 1.5 * r, y + 1.0 * r),
                (x - 1.7 * r, y + 0.65 * r),
                (x - 0.6 * r, y + 0.25 * r),
            ],
            colour,
            190,
        )
    elif kind == "fan":
        drawing.smooth(
            [
                (x - 0.1 * r, y + 0.9 * r),
                (x - 1.3 * r, y + 1.1 * r),
                (x - 1.9 * r, y + 0.2 * r),
                (x - 1.5 * r, y - 1.1 * r),
                (x - 0.7 * r, y - 1.5 * r),
                (x - 0.1 * r, y - 0.3 * r),
            ],
            colour,
            215,
            marked=False,
        )


def draw_tail(drawing: Drawing, build: Build, root: Point, phase: float, colour: Colour, tip: Colour) -> None:
    wag = 0.18 * sin(phase * 1.3)
    x, y = root
    size = build.tail_length
    if build.tail == "up":
        points = [root, (x - 0.45 * size, y + 0.35 * size), (x - (0.6 + wag) * size, y + 0.95 * size)]
        drawing.chain(points, (build.thigh * 0.5, build.thigh * 0.28), colour, 120, True)
    elif build.tail == "long":
        bow = np.linspace(0, 1, 6)
        curve = [
            (x - size * (0.75 * t + 0.1 * sin(3 * t + phase * 0.4)), y + size * (t * t * 0.95 - 0.15 * t)) for t in bow
        ]
        drawing.chain(curve, (build.thigh * 0.42, build.thigh * 0.3), colour, 120, True)
    elif build.tail == "hang":
        points = [root, (x - 0.25 * size, y - 0.1 * size), (x - (0.3 + wag) * size, y - size)]
        drawing.chain(points, (build.thigh * 0.35, build.thigh * 0.7), tip, 120)
    elif build.tail == "tuft":
        points = [root, (x - 0.18 * size, y - 0.25 * size), (x - (0.2 + wag) * size, y - size)]
        thin = min(build.foot, 0.05)
        drawing.chain(points, (thin * 0.6, thin * 0.5), colour, 120)
        drawing.ellipse(points[-1], (thin * 0.9, thin * 1.7), tip, 130)


@dataclass(frozen=True, slots=True)
class Frame:
    """The points that a species' extras hang on."""

    drawing: Drawing
    build: Build
    head: Point
    nose: Point
    withers: Point
    rump: Point
    tilt: float


def _trunk(build: Build) -> list[Point]:
    front, back = build.length / 2, -build.length / 2
    top_front, top_back = build.leg + build.chest, build.leg + build.chest * 0.12 + build.hips
    return [
        (back - build.hips * 0.32, build.leg + build.hips * 0.62),
        (back - build.hips * 0.1, top_back),
        (back * 0.3, top_back - 0.02),
        (front * 0.45, top_front - 0.015),
        (front + build.chest * 0.1, top_front),
        (front + build.chest * 0.42, build.leg + build.chest * 0.6),
        (front + build.chest * 0.12, build.leg + 0.02),
        (front * 0.2, build.leg - 0.02),
        (back * 0.5, build.leg + build.hips * 0.12),
        (back - build.hips * 0.1, build.leg + build.hips * 0.18),
    ]


def draw_beast(build: Build, phase: float, coat: Colour, face: Colour, leg: Colour, hoof: Colour, tip: Colour) -> Frame:
    """A standing or walking four-legged animal without its extras."""
    drawing = Drawing()
    hip, shoulder = (
        (-build.length / 2, build.leg + build.hips * 0.35),
        (build.length / 2, build.leg + build.chest * 0.3),
    )
    rump = (hip[0] - build.hips * 0.3, build.leg + build.hips * 0.85)
    far = tint(leg, 0.62)
    draw_tail(drawing, build, rump, phase, tint(coat, 0.9), tip)
    draw_leg(drawing, (hip[0] + 0.06, hip[1]), phase + 2.2, build, far, tint(hoof, 0.7), 80, -0.05)
    draw_leg(drawing, (shoulder[0] + 0.05, shoulder[1]), phase + 5.3, build, far, tint(hoof, 0.7), 80, 0.02)
    bob = 0.012 * sin(2 * phase)
    drawing.smooth(np.asarray(_trunk(build)) + np.array((0.0, bob)), coat, 170, marked=True)
    draw_leg(drawing, (hip[0] - 0.05, hip[1] + bob), phase, build, leg, hoof, 190, -0.06)
    draw_leg(drawing, (shoulder[0] - 0.04, shoulder[1] + bob), phase + pi, build, leg, hoof, 190, 0.02)
    angle = build.neck_angle * pi / 180
    base = (build.length / 2 + build.chest * 0.08, build.leg + build.chest * 0.68 + bob)
    head = (base[0] + cos(angle) * build.neck, base[1] + sin(angle) * build.neck + bob)
    drawing.limb(base, head, build.neck_width, coat, 180, marked=True)
    tilt = -build.head_angle * pi / 180
    nose = (head[0] + cos(tilt) * build.muzzle, head[1] + sin(tilt) * build.muzzle)
    drawing.ellipse(head, (build.skull, build.skull * 0.94), face, 205)
    start = (head[0] + cos(tilt) * build.skull * 0.3, head[1] + sin(tilt) * build.skull * 0.3 - build.skull * 0.15)
    drawing.limb(start, nose, build.muzzle_width, face, 205)
    return Frame(drawing, build, head, nose, (base[0], build.leg + build.chest), rump, tilt)


def draw_eye(frame: Frame, size: float = 0.2, ahead: float = 0.35) -> None:
    r = frame.build.skull
    x, y = frame.head[0] + cos(frame.tilt) * r * ahead, frame.head[1] + sin(frame.tilt) * r * ahead + r * 0.36
    frame.drawing.ellipse((x, y), (r * size, r * size), DARK, 205)
    frame.drawing.ellipse((x + r * size * 0.3, y + r * size * 0.35), (r * size * 0.35, r * size * 0.35), WHITE, 205)


def draw_nose(frame: Frame, colour: Colour = DARK, size: float = 0.62) -> None:
    r = frame.build.muzzle_width[1]
    x, y = frame.nose
    frame.drawing.ellipse((x + r * 0.55, y + r * 0.35), (r * size, r * size * 0.85), colour, 215)
    frame.drawing.limb(
        (x + r * 0.5, y - r * 0.5), (x - r * 1.4, y - r * 0.62), (r * 0.1, r * 0.08), tint(DARK, 1.1), 205
    )
