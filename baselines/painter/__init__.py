"""Painter and SegGPT: a plain vision transformer that repaints a hole, as the prompt's mask is painted beside it."""

from baselines.painter.painter import Painter, PainterSettings
from baselines.painter.seggpt import SegGPT, SegGPTSettings

__all__ = ["Painter", "PainterSettings", "SegGPT", "SegGPTSettings"]
