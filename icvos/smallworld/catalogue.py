"""The categories of the small world: who draws them, their colours and builds, where they live, how large they are."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from icvos.categories import Category, category
from icvos.smallworld import animals, craft, people, things, vehicles
from icvos.smallworld.manners import AIRCRAFT, BALL, BIRD, BOAT, KITE, THING, VEHICLE, WALKER, Manner
from icvos.smallworld.shapes import Colour, Drawing, Look

Palette = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Kind:
    """How instances of one category come about.

    Args:
        category: The COCO class.
        draw: (look, phase) to a drawing.
        palettes: Colour sets (``rrggbb``), one of which an instance takes, slightly changed.
        habitats: Backdrops where the category belongs.
        size: Typical height as a share of the image's height.
        variants: How many builds ``draw`` knows.
        coat: Surface texture.
        markings: Patterns to choose from; None is plain.
        inks: Colours of the marking.
        manner: How it moves.
        gait: Radians of phase for one object unit travelled; 0 for things that only sway.
        resting: The builds that sit and do not walk.
        perching: The builds of a flyer that stand, where there is ground to stand on.
    """

    category: Category
    draw: Callable[[Look, float], Drawing]
    palettes: tuple[Palette, ...]
    habitats: tuple[str, ...]
    size: float
    variants: int = 1
    coat: str = "smooth"
    markings: tuple[str | None, ...] = (None,)
    inks: tuple[str, ...] = ("302824",)
    manner: Manner = THING
    gait: float = 0.0
    resting: tuple[int, ...] = ()
    perching: tuple[int, ...] = ()


def colour(text: str) -> Colour:
    """RGB from ``rrggbb``."""
    return (int(text[0:2], 16), int(text[2:4], 16), int(text[4:6], 16))


def _kind(
    name: str, draw: Callable[[Look, float], Drawing], palettes: str, habitats: str, size: float, **rest: object
) -> Kind:
    rows = tuple(tuple(row.split()) for row in palettes.split("|"))
    return Kind(category(name), draw, rows, tuple(habitats.split()), size, **rest)  # type: ignore[arg-type]


_VEHICLE = {"coat": "metal", "manner": VEHICLE, "gait": 6.0}
_BODIES = (
    "c8342c 8c2420|2c5ea8 20407c|e8e6e0 b0b0ac|2f6b4a 204832|e0a52c a87818|3a3e48 24262c|8ea3b4 66788a|d8662a 9c4418"
)

KINDS: tuple[Kind, ...] = (
    _kind(
        "person", people.person,
        "e8b898 c83c3c 34405c 3a2820|c68e66 3c7cb8 3c3c44 1c1614|8a5a3c e6c04c 4a5a78 18120f"
        "|f0c8a8 5a9a5c 58483c b88a4c"
        "|a8714a 8a4c9c 2c2c34 201814|e4b08c f0ece4 405880 6c3a20|6c442c e07838 6a6258 120e0c",
        "meadow street park beach indoor savanna", 0.62, variants=3, coat="cloth", manner=WALKER, gait=7.0,
    ),
    _kind(
        "bicycle", vehicles.bicycle, "d03c34|2c6cb4|2c9c74|e8b830|383c48|8c4cac|e87cA0|5cb4d8", "street park meadow",
        0.42,
        variants=2, coat="metal", manner=VEHICLE, gait=5.0,
    ),
    _kind("car", vehicles.car, _BODIES, "street park", 0.3, variants=3, **_VEHICLE),
    _kind(
        "motorcycle", vehicles.motorcycle, "c8302c e8e0d8|2c54a4 d8dce4|2c3038 c8a040|e89028 302c2c|2c8058 e8e8e0",
        "street park", 0.38,
        **_VEHICLE,
    ),
    _kind(
        "airplane", craft.airplane, "eceef2 2c5ca8|f0ecE4 c8342c|e4e8ec 2c8c7c|f4e8c8 d8782c|dce4ee 5c4c9c", "sky",
        0.3,
        variants=2, coat="metal", manner=AIRCRAFT, gait=5.0,
    ),
    _kind(
        "bus", vehicles.bus, "d83a30 f0e8dc|e8b02c 3c3c3c|2c70b0 f0f0ec|f0f0ec 2c9464|48a058 f0ecd8|e87828 fff0d8",
        "street", 0.42,
        variants=2, **_VEHICLE,
    ),
    _kind(
        "train", vehicles.train, "2c5ca8 e8e8e4|c83c34 f0ece0|2c8058 f0e8c8|e0a030 3c3c44|d8dce0 c8342c",
        "meadow savanna", 0.24, **_VEHICLE,
    ),
    _kind(
        "truck", vehicles.truck,
        "c8342c e8e8e4 2c5ca8|2c60a8 f0ece4 d8602c|e0a028 8c98a4 5c6470|3c8c5c d8dcd8 e0b030|e8e8e8 b04838 f0f0f0",
        "street", 0.4, variants=3, **_VEHICLE,
    ),
    _kind(
        "boat", craft.boat,
        "e8e4dc 2c5ca0 f8f4ea d84c3c|b03830 f0ecE4 f4f0e4 e8a838|2c5484 e8c850 f8f4ec 3c8cb4"
        "|3c7c60 f0ead8 f0e8d4 c84c38|e4a83c 7c3c2c faf4e6 3c6ca4",
        "water", 0.5, variants=3, coat="metal", manner=BOAT, gait=2.0,
    ),
    _kind(
        "bird", animals.bird,
        "4c84c8 2c5494 e8a838 e8ece8|c84034 6c2420 e8b048 f0d0b8|e8c040 6c5c34 d87830 f8f0d0"
        "|e8e8e8 8c949c e8a03c fcfcfc|7c6450 4c3c30 c8984c d8c4a8"
        "|3c8c64 245c44 d8a83c d8e4a8",
        "meadow park water sky savanna beach", 0.26, variants=2, coat="feather", manner=BIRD, gait=5.0, perching=(1,),
    ),
    _kind(
        "cat", animals.cat,
        "d08a48 f0d8b8 c83c34|8c8c90 d8d8d8 3c6cb0|38343a 58545a d8b040|e8dccc f4ece0 3c8c6c|a4784c e0c49c b04090",
        "indoor park meadow", 0.4, variants=2, resting=(1,),
        coat="fur", markings=("tabby", "tabby", None), inks=("5c3a24", "3c3a40", "805028"), manner=WALKER, gait=7.5,
    ),
    _kind(
        "dog", animals.dog,
        "b4783c d8ac74 c83430|e8d4b0 f0e4cc 2c5cac|5c3c28 8c6444 e0b02c|3c3634 9c7048 d84038|d8d4cc e8e4dc 2c8c5c"
        "|94623c e8d8c0 8c3c94",
        "park meadow indoor beach street", 0.42, variants=4, resting=(2, 3),
        coat="fur", markings=("saddle", "patches", None),
        inks=("3c2a20", "f0e8dc", "6c4428"),
        manner=WALKER, gait=7.0,
    ),
    _kind(
        "horse", animals.horse, "7c4a2c 2c1c18|a8683c e8d4a8|3c2c28 1c1614|d8ccbc f0ece4|b88850 4c3424|5c3424 241814",
        "meadow beach savanna",
        0.56, coat="fur", manner=WALKER, gait=5.5,
    ),
    _kind("sheep", animals.sheep, "ece6d8 2c2826|e0d8c4 4c4038|f0ece4 c8b8a4|d0c4b0 302a28", "meadow", 0.36,
    coat="wool", manner=WALKER, gait=8.0),
    _kind(
        "cow", animals.cow, "f0ece6 e8e0d8|8c5434 a86c48|2c2826 e8e4e0|c89464 d8ac80|f0ece6 3c3634", "meadow", 0.46,
        coat="fur",
        markings=("patches", "patches", None), inks=("2a2624", "8c5030", "f0ece6"), manner=WALKER, gait=6.0,
    ),
    _kind("elephant", animals.elephant, "8c8a8c|a09a94|78767c|948880", "savanna", 0.58, coat="skin",
    manner=WALKER, gait=4.0),
    _kind("bear", animals.bear, "5c3c28 a88058|3a302c 94704c|7c5434 c49c70|e8e4d8 f4f0e8", "forest", 0.48, coat="fur",
    manner=WALKER, gait=5.0),
    _kind("zebra", animals.zebra, "f0ece4|e8e0d0|f4f2ee", "savanna", 0.5, coat="fur", markings=("stripes",),
    inks=("201c1e", "2c2220"), manner=WALKER, gait=5.5),
    _kind(
        "giraffe", animals.giraffe, "f0dcb0|e8d0a0|f4e4c4", "savanna", 0.8, coat="fur", markings=("cells",),
        inks=("b4763c", "9c5c30", "a86a30"),
        manner=WALKER, gait=4.5,
    ),
    _kind(
        "umbrella", things.umbrella,
        "d83c3c f0e8dc|2c6cb4 f0f0ec|e8b830 d85c2c|3c9c74 e8f0dc|8c4ca0 e8c8e0|e87898 f8f0f0", "beach park street",
        0.5, coat="cloth",
    ),
    _kind(
        "sports ball", things.sports_ball,
        "f4f2ee 2a2a30 d84c3c 3c7cc0|d87830 3c2418 e8b83c 3c9c6c|f4f0e4 d83c3c 2c78bc e8bc30",
        "park indoor beach meadow", 0.24, variants=3, coat="skin", manner=BALL, gait=3.3,
    ),
    _kind("kite", things.kite, "d83c3c e8b830 2c6cb4 3c9c64|8c4ca0 e8783c 3cb0b0 e8c83c|e8486c 3c58a8 f0d048 e87830",
    "sky beach", 0.46,
          coat="cloth", manner=KITE),
    _kind("bottle", things.bottle,
    "2c6c44 f0e8d4 c83c34|3c78b0 f4f0e8 2c3c5c|8c5428 f0e4c8 3c2c24|b8d0c8 e8a830 d84c3c", "table", 0.56,
          variants=2),
    _kind("cup", things.cup,
    "e8e4dc c83c34 5c3420|3c78b4 f0ece0 4c2c1c|d8563c f4ead8 3c2418|3c8c74 f0e4b8 8c5424|e8b440 6c3c2c 4c2c1c",
    "table", 0.36,
          variants=2),
    _kind(
        "potted plant", things.potted_plant,
        "b8643c 3c8c44 e86c8c|d8d0c4 4c9c58 e84c44|3c6c94 5c9c3c f0c8d8|8c5c40 2c7c4c f0b83c",
        "indoor table park", 0.5, variants=3, coat="leaf",
    ),
    _kind("chair", things.chair, "94623c c84c40|5c3c28 3c7cac|c89c6c 4c9c70|3c3634 e0b040|d8d4cc 8c4c94", "indoor",
    0.5, variants=2, coat="wood"),
    _kind("teddy bear", things.teddy_bear,
    "a8743c e0c090 c83c34|d8b07c f4e8d0 3c78b8|7c5234 c89c6c e0b038|e8d8c8 faf4ec e87c9c", "indoor table",
          0.46, coat="wool"),
)  # fmt: skip

BY_NAME: dict[str, Kind] = {kind.category.name: kind for kind in KINDS}
NAMES: tuple[str, ...] = tuple(BY_NAME)


def sample_look(kind: Kind, random: np.random.Generator) -> Look:
    """One instance's own colours, proportions, build, markings."""
    palette = [colour(text) for text in kind.palettes[int(random.integers(len(kind.palettes)))]]
    shift = random.integers(-14, 15, 3)
    level = int(random.integers(-14, 15))
    colours = [tuple(int(v) for v in np.clip(np.array(c) + shift // 2 + level, 6, 250)) for c in palette]
    colours += [colours[-1]] * (4 - len(colours))
    return Look(
        colours=tuple(colours),  # type: ignore[arg-type]
        shape=tuple(float(v) / 1000 for v in random.integers(-1000, 1001, 8)),
        variant=int(random.integers(kind.variants)),
        coat=kind.coat,
        marking=kind.markings[int(random.integers(len(kind.markings)))],
        ink=colour(kind.inks[int(random.integers(len(kind.inks)))]),
        seed=(int(random.integers(256)), int(random.integers(256))),
    )


def held_out(fold: int) -> tuple[str, ...]:
    """The names of the categories that COCO-20i's fold 0..3 tests, as far as the small world has them."""
    return tuple(name for name in NAMES if category(name).fold_interleaved == fold)
