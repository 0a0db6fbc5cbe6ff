"""SANSA: SAM 2 with small adapters in the late stages of its image encoder; its memory matches and tracks.

After Cuttano et al. (2025). Supports are the annotated frames before the picture or the video. `adapters` is all that
learns, `stream` runs SAM 2 over the sequence, `prompts` makes points, strokes and boxes of masks, `training` trains,
and `method` puts it together.
"""

from baselines.sansa.method import SANSA, SANSASettings

__all__ = ["SANSA", "SANSASettings"]
