"""BAM: learning what not to segment (Lang et al., CVPR 2022), and its join with SAM 2.

A meta learner close to PFENet's segments the target (`network`); a base learner, which knows the training classes, says
what is something else. HDMNet and AMNet took both over: what the three share is in `baselines.parts`.
"""

from baselines.bam.method import BAM

__all__ = ["BAM"]
