"""PerSAM and PerSAM-F: one picture of the target tells SAM where to look (Zhang et al., 2023).

Nothing is trained in PerSAM; PerSAM-F fits two numbers to the support, which weigh SAM's three masks. Here the first
frame's prompt goes to SAM 2, which carries it through the video. `target` says where the target is, `guidance` is
PerSAM's own decoding, `fit` PerSAM-F's two numbers; `personal` is what both methods share.

With k supports the target vector is made from the target cells of all of them together, and PerSAM-F fits its two
numbers to the mean loss of the supports.
"""

from baselines.persam.persam import PerSAM
from baselines.persam.persam_f import PerSAMF

__all__ = ["PerSAM", "PerSAMF"]
