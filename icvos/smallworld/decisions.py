"""The curation file of a drawn world: what a person would decide, from what the world knows about itself."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from icvos.categories import Category
from icvos.files.storage import write_text
from icvos.smallworld.catalogue import held_out
from icvos.smallworld.world import Clip

CURATION_HEADER = ("source", "video", "class", "objects", "decision", "reason", "who", "when")


@dataclass(frozen=True, slots=True)
class CurationRow:
    """One video and category: which objects are of it, and whether the video may be used for it."""

    source: str
    video: str
    category: Category
    objects: tuple[int, ...]
    decision: str
    reason: str

    def cells(self) -> tuple[str, ...]:
        """The row's texts in the order of `CURATION_HEADER`."""
        ids = ";".join(str(identity) for identity in self.objects)
        return (
            self.source, self.video, self.category.name, ids, self.decision, self.reason, "smallworld", "2026-01-01"
        )  # fmt: skip


def curation_rows(source: str, video: str, clip: Clip) -> list[CurationRow]:
    """The judgement that a person would make for each category of a video, from what the world knows about it.

    Accepted: every instance of the category is annotated and in the first frame, as the benchmark's rule asks.
    """
    area = np.bincount(clip.frame(0)[1].reshape(-1), minlength=256)
    bare = {actor.kind.category for actor in clip.scene.actors if actor.identity == 0}
    rows = []
    for category in sorted({found.category for found in clip.instances}, key=lambda found: found.index):
        objects = tuple(found.id for found in clip.instances if found.category == category)
        present = [identity for identity in objects if area[identity]]
        decision, reason = "accepted", ""
        if not present:
            decision, reason = "rejected", "the category is not in the first frame"
        elif len(present) < len(objects) or category in bare:
            decision, reason = "rejected", "not every instance is annotated in the first frame"
        elif sum(int(area[identity]) for identity in objects) * 200 < clip.size[0] * clip.size[1]:
            decision, reason = "undecided", "hardly visible in the first frame"
        rows.append(CurationRow(source, video, category, objects, decision, reason))
    return rows


def of_fold(rows: Sequence[CurationRow], fold: int) -> list[CurationRow]:
    """The rows with those rejected whose category is not one that this fold of COCO-20i tests."""
    kept, reason = held_out(fold), f"the category is not of fold {fold}"
    return [row if row.category.name in kept else replace(row, decision="rejected", reason=reason) for row in rows]


def write_curation(path: Path, rows: Sequence[CurationRow]) -> None:
    """The curation file: one line for each video and category, in the order given."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CURATION_HEADER)
    writer.writerows(row.cells() for row in rows)
    write_text(path, text.getvalue())
