"""The scores file of two bare folders. All figures are fractions."""

from typing import Literal

from pydantic import Field

from icvos.errors import plural
from icvos.files.schema import FormatOne, Schema


class Figures(Schema):
    """J, F and J&F with recall and decay."""

    j: float = Field(description="Region similarity J.")
    f: float = Field(description="Contour accuracy F.")
    jf: float = Field(description="J&F, the mean of both.")
    j_recall: float = Field(description="Share of frames whose J is above 0.5.")
    j_decay: float = Field(description="Mean J of the first quarter less that of the last.")
    f_recall: float = Field(description="Share of frames whose F is above 0.5.")
    f_decay: float = Field(description="Mean F of the first quarter less that of the last.")


class ObjectFigures(Figures):
    """One object of one video."""

    frames: int = Field(description="Frames in which the object counts.")


class VideoFigures(Schema):
    """One video."""

    frames: int = Field(description="Frames that were scored.")
    objects: dict[str, ObjectFigures] = Field(description="By id.")


class OverallFigures(Figures):
    """Plain means over the objects of all videos; every object counts the same however long its video."""

    objects: int = Field(description="How many were scored.")
    videos: int = Field(description="How many were scored.")
    frames: int = Field(description="How many were scored.")


class Settings(Schema):
    """What gives the figures their meaning."""

    skip_ends: bool = Field(description="Whether the first and the last frame of each video were left out.")
    objects: Literal["all", "first-frame", "binary"] = Field(description="Which objects count.")


class FolderResult(Schema):
    """What two folders of masks with object ids scored."""

    format: FormatOne = Field(description="Version of this layout.")
    settings: Settings = Field(description="As given.")
    overall: OverallFigures = Field(description="All objects.")
    videos: dict[str, VideoFigures] = Field(description="By video.")
    warnings: tuple[str, ...] = Field(description="What was odd, a line each.")

    def line(self) -> str:
        """The overall figures in one line."""
        overall, settings = self.overall, self.settings
        return (
            f"J {100 * overall.j:.2f}  F {100 * overall.f:.2f}  J&F {100 * overall.jf:.2f}  "
            f"{plural(overall.objects, 'object')}, {plural(overall.videos, 'video')}, "
            f"{plural(overall.frames, 'frame')}; objects: {settings.objects}, first and last frames "
            f"{'left out' if settings.skip_ends else 'counted'}"
        )
