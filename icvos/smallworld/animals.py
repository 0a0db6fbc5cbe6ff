"""Animals, drawn from parts: (look, phase in radians of gait) to a `Drawing`."""

from dataclasses import replace
from math import cos, pi, sin

import numpy as np

from icvos.smallworld.shapes import Drawing, Look, Point, tint
from icvos.smallworld.skeleton import DARK, WHITE, Build, Frame, draw_beast, draw_ear, draw_eye, draw_nose


def dog(look: Look, phase: float) -> Drawing:
    """Long muzzle, tail up, hanging or pointed ears, often a saddle or spots; variant 2 sits."""
    s = look.shape
    coat, face = look.colours[0], look.colours[1]
    build = Build(
        length=0.95 + 0.16 * s[0], leg=0.46 + 0.09 * s[1], chest=0.4, hips=0.31, neck=0.36, neck_angle=56 + 8 * s[2],
        neck_width=(0.2, 0.15), skull=0.185, muzzle=0.29 + 0.04 * s[3], muzzle_width=(0.115, 0.085),
        head_angle=12 + 8 * s[4],
        thigh=0.125, foot=0.055, ear="flop" if look.variant % 2 == 0 else "point", tail="up", tail_length=0.52,
        stride=0.2,
    )  # fmt: skip
    if look.variant >= 2:
        return _sitting(build, look, phase, 0.5)
    frame = draw_beast(build, phase, coat, face, coat, tint(coat, 0.8), coat)
    draw_ear(frame.drawing, build.ear, frame.head, build.skull, tint(coat, 0.62), (196, 140, 128))
    draw_eye(frame)
    draw_nose(frame, DARK, 0.75)
    collar = frame.build.neck * 0.55
    angle = build.neck_angle * pi / 180
    x, y = frame.head[0] - cos(angle) * collar * 0.72, frame.head[1] - sin(angle) * collar * 0.72
    frame.drawing.limb(
        (x - sin(angle) * 0.155, y + cos(angle) * 0.155), (x + sin(angle) * 0.155, y - cos(angle) * 0.155),
        (0.028, 0.028), look.colours[2], 220,
    )  # fmt: skip
    return frame.drawing


def _sitting(build: Build, look: Look, phase: float, tail: float) -> Drawing:
    """A dog or cat that sits: upright chest, folded hind leg, tail on the ground."""
    drawing = Drawing()
    coat, face = look.colours[0], look.colours[1]
    sway = 0.02 * sin(phase * 0.5)
    curve = [
        (-0.36 - tail * t * 1.1, 0.06 + 0.22 * tail * t * sin(2.2 * t + phase * 0.4)) for t in np.linspace(0, 1, 6)
    ]
    drawing.chain(curve, (0.06, 0.04), coat, 120, True)
    drawing.limb((0.2, 0.5), (0.26, 0.06), (0.1, 0.055), tint(coat, 0.62), 90, True)
    drawing.smooth(
        [(-0.42, 0.03), (-0.46, 0.3), (-0.24, 0.6), (-0.02, 0.86), (0.2, 0.95), (0.33, 0.72), (0.26, 0.42), (0.12, 0.1),
         (-0.1, 0.02)], coat, 170, marked=True,
    )  # fmt: skip
    drawing.ellipse((-0.2, 0.24), (0.25, 0.24), coat, 195, marked=True)
    drawing.limb((-0.14, 0.06), (0.06, 0.05), (0.06, 0.05), coat, 195, True)
    drawing.limb((0.17, 0.52), (0.2, 0.07), (0.11, 0.055), coat, 190, True)
    drawing.ellipse((0.24, 0.045), (0.09, 0.045), tint(coat, 1.12), 190)
    head = (0.26 + sway, 1.1)
    drawing.limb((0.12, 0.86), head, (0.2, 0.15), coat, 180, True)
    build = replace(build, skull=build.skull * 1.06, head_angle=build.head_angle * 0.5)
    tilt = -build.head_angle * pi / 180
    nose = (head[0] + cos(tilt) * build.muzzle, head[1] + sin(tilt) * build.muzzle)
    frame = Frame(drawing, build, head, nose, head, head, tilt)
    drawing.ellipse(head, (build.skull, build.skull * 0.94), face, 205)
    drawing.limb((head[0] + 0.05, head[1] - 0.03), nose, build.muzzle_width, face, 205)
    draw_ear(drawing, build.ear, head, build.skull, tint(coat, 0.66), (206, 150, 138))
    draw_eye(frame)
    draw_nose(frame, DARK, 0.75)
    return drawing


def cat(look: Look, phase: float) -> Drawing:
    """Short muzzle, two pointed ears, whiskers, long curved tail, mostly tabby; variant 1 sits."""
    s = look.shape
    coat, face = look.colours[0], look.colours[0]
    build = Build(
        length=0.98 + 0.12 * s[0], leg=0.36 + 0.05 * s[1], chest=0.35, hips=0.34, neck=0.27, neck_angle=44 + 8 * s[2],
        neck_width=(0.18, 0.16), skull=0.225, muzzle=0.18, muzzle_width=(0.13, 0.09), head_angle=12,
        thigh=0.11, foot=0.05, ear="point", tail="long", tail_length=0.75 + 0.12 * s[3], stride=0.17,
    )  # fmt: skip
    if look.variant == 1:
        drawing = _sitting(replace(build, skull=0.23, muzzle=0.19), look, phase, 0.75)
        head, nose, r = (0.26 + 0.02 * sin(phase * 0.5), 1.1), (0.45, 1.07), 0.24
    else:
        frame = draw_beast(build, phase, coat, face, coat, tint(coat, 1.15), coat)
        drawing, head, nose, r = frame.drawing, frame.head, frame.nose, build.skull
        draw_ear(drawing, "point", head, r, coat, (214, 158, 150))
        draw_eye(frame, 0.2, 0.42)
        draw_nose(frame, (190, 110, 108), 0.5)
    x, y = head
    drawing.polygon(
        [(x + 0.05 * r, y + 0.75 * r), (x + 0.5 * r, y + 1.65 * r), (x + 0.85 * r, y + 0.4 * r)], tint(coat, 0.82), 150
    )
    for rise in (-0.22, 0.1):
        drawing.limb(
            (nose[0], nose[1] - 0.02), (nose[0] - 0.3, nose[1] + rise * 0.6 - 0.06), (0.007, 0.004), WHITE, 205
        )
    return drawing


def horse(look: Look, phase: float) -> Drawing:
    """Long legs, arched neck with a mane, flowing tail; the neck goes down to graze with a low sixth number."""
    s = look.shape
    coat, mane = look.colours[0], look.colours[1]
    graze = s[5] < -0.55
    build = Build(
        length=0.98 + 0.08 * s[0], leg=0.6 + 0.05 * s[1], chest=0.42, hips=0.38, neck=0.62,
        neck_angle=(-28 if graze else 54 + 8 * s[2]), neck_width=(0.23, 0.115), skull=0.135, muzzle=0.36,
        muzzle_width=(0.115, 0.075), head_angle=(62 if graze else 44 + 8 * s[3]), thigh=0.125, foot=0.045, ear="point",
        tail="hang", tail_length=0.66, stride=0.26, hoof=True,
    )  # fmt: skip
    frame = draw_beast(build, phase, coat, coat, coat, mane, mane)
    draw_ear(frame.drawing, "point", frame.head, build.skull * 0.9, tint(coat, 0.85), tint(coat, 0.6))
    draw_eye(frame, 0.19, 0.5)
    angle = build.neck_angle * pi / 180
    normal = (-sin(angle), cos(angle))
    for step in range(7):
        t = step / 6
        base = (frame.head[0] - cos(angle) * build.neck * t * 0.95, frame.head[1] - sin(angle) * build.neck * t * 0.95)
        out = 0.1 + 0.09 * t
        frame.drawing.ellipse(
            (base[0] + normal[0] * out, base[1] + normal[1] * out),
            (0.1, 0.055),
            mane,
            200,
            turn=angle + 0.9 + 0.2 * sin(phase + t),
        )
    if s[6] > 0:
        frame.drawing.limb(
            (frame.head[0] + 0.1, frame.head[1] + 0.03),
            (frame.nose[0] + 0.02, frame.nose[1] + 0.05),
            (0.03, 0.02),
            WHITE,
            215,
        )
    x, y = frame.nose
    frame.drawing.ellipse((x + 0.03, y - 0.005), (0.02, 0.015), tint(coat, 0.35), 205)
    return frame.drawing


def sheep(look: Look, phase: float) -> Drawing:
    """A cloud of wool on four thin legs with a dark or pale face."""
    s = look.shape
    wool, face = look.colours[0], look.colours[1]
    build = Build(
        length=0.72 + 0.08 * s[0], leg=0.33, chest=0.42, hips=0.42, neck=0.24, neck_angle=30 + 16 * s[1],
        neck_width=(0.2, 0.14), skull=0.13, muzzle=0.2, muzzle_width=(0.1, 0.07), head_angle=38 + 10 * s[2],
        thigh=0.085, foot=0.04, ear="long", tail="none", stride=0.14, hoof=True,
    )  # fmt: skip
    frame = draw_beast(build, phase, wool, face, face, tint(face, 0.6), wool)
    drawing = frame.drawing
    wide, high = build.length * 0.5 + 0.17, 0.25
    middle = build.leg + 0.24
    angles = np.linspace(0.2, 0.2 + 2 * pi, 14)[:-1]
    for index, angle in enumerate(angles):
        radius = 0.14 + 0.02 * sin(index * 2.4 + s[3] * 3)
        drawing.ellipse(
            (cos(angle) * wide * 0.86, middle + sin(angle) * high * 0.9), (radius, radius * 0.92), wool, 175, True
        )
    drawing.ellipse((0, middle), (wide * 0.9, high), wool, 185, True)
    for x, y in ((-0.24, 0.08), (0.02, 0.13), (0.25, 0.05), (-0.1, -0.08), (0.14, -0.1)):
        drawing.ellipse((x, middle + y), (0.13, 0.11), tint(wool, 1.08), 205, True)
    drawing.ellipse(frame.head, (build.skull, build.skull), face, 215)
    drawing.limb(frame.head, frame.nose, build.muzzle_width, face, 215)
    drawing.ellipse((frame.head[0] - 0.05, frame.head[1] + 0.11), (0.12, 0.085), wool, 225)
    draw_ear(drawing, "long", frame.head, build.skull, tint(face, 0.85), face)
    draw_eye(frame, 0.2, 0.4)
    return drawing


def cow(look: Look, phase: float) -> Drawing:
    """A long heavy trunk with patches, horns, broad pink muzzle, udder and tufted tail."""
    s = look.shape
    coat = look.colours[0]
    graze = s[5] < -0.6
    build = Build(
        length=1.0 + 0.08 * s[0], leg=0.5, chest=0.54, hips=0.49, neck=0.36,
        neck_angle=(-30 if graze else 16 + 12 * s[1]),
        neck_width=(0.25, 0.16), skull=0.165, muzzle=0.27, muzzle_width=(0.14, 0.11),
        head_angle=(66 if graze else 38 + 8 * s[2]),
        thigh=0.13, foot=0.05, ear="long", tail="tuft", tail_length=0.6, stride=0.17, hoof=True,
    )  # fmt: skip
    frame = draw_beast(build, phase, coat, look.colours[1], coat, (60, 48, 44), tint(coat, 0.5))
    drawing, head = frame.drawing, frame.head
    drawing.ellipse((-build.length * 0.28, build.leg + 0.0), (0.12, 0.085), (232, 172, 164), 190)
    drawing.chain(
        [(head[0] - 0.02, head[1] + 0.13), (head[0] + 0.06, head[1] + 0.24), (head[0] + 0.0, head[1] + 0.32)], (0.035,
        0.015),
        (226, 216, 190), 215,
    )  # fmt: skip
    draw_ear(drawing, "long", head, build.skull, tint(look.colours[1], 0.8), (214, 150, 140))
    drawing.ellipse((frame.nose[0] + 0.02, frame.nose[1]), (0.105, 0.1), (222, 168, 158), 220)
    drawing.ellipse((frame.nose[0] + 0.06, frame.nose[1] + 0.02), (0.022, 0.018), (120, 74, 70), 210)
    draw_eye(frame, 0.16, 0.35)
    return drawing


def elephant(look: Look, phase: float) -> Drawing:
    """Grey bulk on pillars, a fan of an ear, a swinging trunk and a tusk."""
    s = look.shape
    coat = look.colours[0]
    build = Build(
        length=0.82 + 0.08 * s[0], leg=0.36, chest=0.68, hips=0.6, neck=0.2, neck_angle=24 + 8 * s[1],
        neck_width=(0.32, 0.26),
        skull=0.26, muzzle=0.2, muzzle_width=(0.17, 0.12), head_angle=58, thigh=0.18, foot=0.115, ear="none",
        tail="tuft",
        tail_length=0.42, stride=0.14,
    )  # fmt: skip
    frame = draw_beast(build, phase, coat, coat, coat, tint(coat, 0.8), tint(coat, 0.5))
    drawing, head = frame.drawing, frame.head
    curl = 0.5 * sin(phase * 0.7) + s[2]
    trunk: list[Point] = [frame.nose]
    heading = -1.25
    for _ in range(5):
        last = trunk[-1]
        trunk.append((last[0] + cos(heading) * 0.145, last[1] + sin(heading) * 0.145))
        heading += 0.12 + 0.16 * curl
    drawing.chain(trunk, (0.13, 0.06), coat, 205)
    drawing.chain(
        [(frame.nose[0] - 0.02, frame.nose[1] - 0.03), (frame.nose[0] + 0.12, frame.nose[1] - 0.16),
         (frame.nose[0] + 0.26, frame.nose[1] - 0.14)], (0.04, 0.014), (244, 238, 218), 225,
    )  # fmt: skip
    flap = 0.06 * sin(phase)
    draw_ear(
        drawing,
        "fan",
        (head[0] - 0.04, head[1] + 0.02 + flap * 0.3),
        build.skull * (0.95 + flap),
        tint(coat, 0.86),
        coat,
    )
    draw_eye(frame, 0.1, 0.5)
    return drawing


def bear(look: Look, phase: float) -> Drawing:
    """A heavy round walker with a pale muzzle and small round ears."""
    s = look.shape
    coat = look.colours[0]
    build = Build(
        length=0.9 + 0.1 * s[0], leg=0.3, chest=0.56, hips=0.54, neck=0.24, neck_angle=10 + 14 * s[1],
        neck_width=(0.27, 0.21),
        skull=0.22, muzzle=0.27, muzzle_width=(0.13, 0.085), head_angle=22, thigh=0.165, foot=0.085, ear="round",
        tail="none",
        stride=0.15,
    )  # fmt: skip
    frame = draw_beast(build, phase, coat, coat, coat, tint(coat, 0.6), coat)
    drawing = frame.drawing
    drawing.ellipse((build.length * 0.36, build.leg + build.chest * 0.86), (0.26, 0.13), coat, 185)
    start = (frame.head[0] + 0.12, frame.head[1] - 0.08)
    drawing.limb(start, frame.nose, (0.11, 0.08), look.colours[1], 215)
    draw_ear(drawing, "round", frame.head, build.skull, coat, tint(coat, 0.6))
    draw_eye(frame, 0.13, 0.5)
    draw_nose(frame, DARK, 0.8)
    return drawing


def zebra(look: Look, phase: float) -> Drawing:
    """A small horse in stripes with a brush of a mane and a dark muzzle."""
    s = look.shape
    coat = look.colours[0]
    build = Build(
        length=0.95 + 0.08 * s[0], leg=0.5, chest=0.44, hips=0.41, neck=0.5, neck_angle=48 + 12 * s[1],
        neck_width=(0.23, 0.13),
        skull=0.14, muzzle=0.31, muzzle_width=(0.115, 0.08), head_angle=40 + 8 * s[2], thigh=0.125, foot=0.048,
        ear="point",
        tail="tuft", tail_length=0.52, stride=0.22,
    )  # fmt: skip
    frame = draw_beast(build, phase, coat, coat, coat, (48, 42, 40), look.ink)
    drawing = frame.drawing
    drawing.ellipse(frame.head, (build.skull, build.skull * 0.95), coat, 205, marked=True)
    drawing.limb(frame.head, frame.nose, build.muzzle_width, coat, 205, marked=True)
    angle = build.neck_angle * pi / 180
    for step in range(8):
        t = step / 7
        x = frame.head[0] - cos(angle) * build.neck * t - sin(angle) * (0.13 + 0.07 * t)
        y = frame.head[1] - sin(angle) * build.neck * t + cos(angle) * (0.13 + 0.07 * t)
        drawing.ellipse((x, y), (0.055, 0.04), look.ink if step % 2 else coat, 200, turn=angle + 1.4)
    drawing.ellipse((frame.nose[0] + 0.02, frame.nose[1]), (0.085, 0.075), (52, 46, 46), 215)
    draw_ear(drawing, "point", frame.head, build.skull * 0.9, coat, look.ink)
    draw_eye(frame, 0.17, 0.4)
    return drawing


def giraffe(look: Look, phase: float) -> Drawing:
    """Very long neck and legs, a patchwork coat, two horns with knobs."""
    s = look.shape
    coat = look.colours[0]
    build = Build(
        length=0.56 + 0.04 * s[0], leg=0.66, chest=0.36, hips=0.28, neck=0.92 + 0.1 * s[1], neck_angle=66 + 9 * s[2],
        neck_width=(0.17, 0.08), skull=0.095, muzzle=0.22, muzzle_width=(0.075, 0.05), head_angle=24 + 8 * s[3],
        thigh=0.095,
        foot=0.036, ear="long", tail="tuft", tail_length=0.42, stride=0.2,
    )  # fmt: skip
    frame = draw_beast(build, phase, coat, tint(look.ink, 1.15), coat, (84, 60, 44), (58, 40, 30))
    drawing, head = frame.drawing, frame.head
    for offset in (-0.05, 0.02):
        tip = (head[0] + offset - 0.02, head[1] + 0.19)
        drawing.limb((head[0] + offset, head[1] + 0.07), tip, (0.018, 0.016), tint(coat, 0.9), 205)
        drawing.ellipse(tip, (0.028, 0.028), (58, 40, 30), 215)
    draw_ear(drawing, "long", head, build.skull, tint(coat, 0.95), coat)
    angle = build.neck_angle * pi / 180
    drawing.limb(
        (head[0] - 0.075 * sin(angle), head[1]), (frame.withers[0] - 0.13, frame.withers[1] - 0.02), (0.018, 0.02),
        tint(look.ink, 0.7), 200,
    )  # fmt: skip
    draw_eye(frame, 0.2, 0.5)
    drawing.ellipse((frame.nose[0] + 0.02, frame.nose[1] + 0.01), (0.014, 0.011), (66, 44, 36), 205)
    return drawing


def bird(look: Look, phase: float) -> Drawing:
    """Variant 0 flies with beating wings, variant 1 stands on two thin legs."""
    drawing = Drawing()
    body, wing, bill = look.colours[0], look.colours[1], look.colours[2]
    s = look.shape
    beat = sin(phase * 1.6) if look.variant == 0 else 0.0
    base = 0.35 if look.variant else 0.0
    drawing.polygon(
        [(-0.3, base + 0.3), (-0.86, base + 0.2), (-0.9, base + 0.33), (-0.84, base + 0.42), (-0.3, base + 0.48)],
        tint(wing, 0.8),
        120,
    )
    if look.variant == 0:
        drawing.smooth(
            [(0.2, 0.5), (-0.02, 0.62 + 0.55 * beat), (-0.28, 0.7 + 0.75 * beat), (-0.42, 0.62 + 0.68 * beat), (-0.2,
            0.4)],
            tint(wing, 0.66), 110,
        )  # fmt: skip
    else:
        for x in (-0.02, 0.12):
            drawing.limb((x, base + 0.12), (x + 0.03 * sin(phase + x * 9), 0.02), (0.025, 0.018), bill, 120)
            drawing.limb((x - 0.03, 0.02), (x + 0.12, 0.02), (0.018, 0.014), bill, 120)
    plump = 0.04 * s[0]
    drawing.smooth(
        [(-0.5, base + 0.36), (-0.2, base + 0.14 - plump), (0.2, base + 0.12 - plump), (0.44, base + 0.34), (0.42,
        base + 0.6),
         (0.16, base + 0.6), (-0.2, base + 0.52)], body, 175, marked=True,
    )  # fmt: skip
    drawing.smooth(
        [(-0.2, base + 0.2), (0.2, base + 0.12 - plump), (0.4, base + 0.32), (0.2, base + 0.36), (-0.1, base + 0.3)],
        look.colours[3], 175,
    )  # fmt: skip
    head = (0.45, base + 0.66)
    drawing.polygon([(0.55, head[1] + 0.1), (0.9 + 0.12 * s[1], head[1] - 0.04), (0.55, head[1] - 0.09)], bill, 160)
    drawing.ellipse(head, (0.2, 0.19), body, 205)
    drawing.ellipse((0.52, head[1] + 0.05), (0.042, 0.042), DARK, 205)
    drawing.ellipse((0.535, head[1] + 0.065), (0.016, 0.016), WHITE, 205)
    if look.variant == 0:
        lift = 0.95 * beat
        drawing.smooth(
            [(0.26, 0.5), (0.14, 0.62 + 0.5 * lift), (-0.12, 0.56 + 0.95 * lift), (-0.5, 0.46 + 1.05 * lift), (-0.42,
            0.4 + 0.6 * lift),
             (-0.3, 0.36)], wing, 215,
        )  # fmt: skip
        drawing.smooth(
            [
                (-0.06, 0.5 + 0.5 * lift),
                (-0.22, 0.5 + 0.95 * lift),
                (-0.5, 0.46 + 1.02 * lift),
                (-0.34, 0.4 + 0.5 * lift),
            ],
            tint(wing, 0.7),
            215,
        )
    else:
        drawing.smooth(
            [(0.22, base + 0.5), (-0.1, base + 0.55), (-0.62, base + 0.34), (-0.2, base + 0.24), (0.14, base + 0.3)],
            wing,
            215,
        )
        drawing.smooth([(-0.1, base + 0.42), (-0.58, base + 0.35), (-0.2, base + 0.28)], tint(wing, 0.7), 215)
    return drawing
