"""What is drawn of the clips of one result: their curves, and the overlays of some; for its page, and for another's."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from icvos.errors import printable
from leaderboard.entry import Entry
from leaderboard.site.curves import Curve, curves_of
from leaderboard.site.overlays import Overlay, Shows
from leaderboard.site.run_pages import script_place
from leaderboard.tables.formats import percent


@dataclass(frozen=True, slots=True)
class DrawnClips:
    """The drawings of one result.

    Args:
        curves: By clip.
        uncurved: Why there are none.
        overlays: Of some clips, the worst first.
    """

    curves: Mapping[str, Curve]
    uncurved: str
    overlays: Sequence[Overlay]

    def __bool__(self) -> bool:
        return bool(self.curves or self.overlays)

    @property
    def longest(self) -> int:
        """How many frames a point of a curve is the mean of, at most."""
        return max((curve.frames for curve in self.curves.values()), default=1)

    def script(self, page: str) -> str:
        """The content of the file beside ``page`` from which the page of comparisons shows clips: one call.

        It is a script and no JSON, since a page that was opened from disk may read no other file.
        """
        found: dict[str, dict[str, object]] = {
            name: {
                "j": curve.j,
                "f": curve.f,
                "size": [curve.width, curve.height],
                "worst": [[frame.name, frame.x, percent(frame.jf)] for frame in curve.worst],
            }
            for name, curve in self.curves.items()
        }
        for one in self.overlays:
            pictures = {
                "frame": printable(one.about.frame),
                "still": f"../{one.still}",
                "movie": f"../{one.movie}",
                "shows": one.shows,
            }
            found.setdefault(one.clip, {}).update(pictures, shape=[one.about.width, one.about.height])
        return f"addClips({json.dumps(f'../{script_place(page)}')},{json.dumps(found, separators=(',', ':'))});\n"


def drawn_clips(entry: Entry | None, painter: Shows | None, out: Path) -> DrawnClips:
    """What is drawn of a result; ``painter`` draws overlays into ``out``."""
    curves, uncurved = curves_of(entry)
    overlays = painter.paint(entry, out) if painter else []
    return DrawnClips({printable(name): curve for name, curve in curves.items()}, uncurved, overlays)
