"""The small world: drawn pictures and videos of COCO categories with exact masks, for tests, demos and small trainings.

`World` makes them by index and stores nothing; `write_world` writes them as miniature source datasets.
"""

from icvos.smallworld.catalogue import NAMES, held_out
from icvos.smallworld.inventions import invention
from icvos.smallworld.layouts import write_coco, write_davis, write_lvos, write_mose, write_world
from icvos.smallworld.scene import Instance
from icvos.smallworld.staging import Traits
from icvos.smallworld.world import Clip, Picture, World

__all__ = [
    "NAMES",
    "Clip",
    "Instance",
    "Picture",
    "Traits",
    "World",
    "held_out",
    "invention",
    "write_coco",
    "write_davis",
    "write_lvos",
    "write_mose",
    "write_world",
]
