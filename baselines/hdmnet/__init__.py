"""HDMNet: hierarchical dense correlation distillation (Peng et al., CVPR 2023), and its join with SAM 2.

A meta learner matches query and support on three scales, from coarse to fine (`network`); in training every scale
learns from the coarser one (`training`). What it shares with AMNet is in `baselines.parts`.
"""

from baselines.hdmnet.method import HDMNet

__all__ = ["HDMNet"]
