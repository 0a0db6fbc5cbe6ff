"""CyCTR: the cycle-consistent transformer (Zhang et al., NeurIPS 2021), and its join with SAM 2.

Cells of the query attend to a random sample of the supports' cells (`keys`), but only to those that lead back to
their own kind: object to object, background to background (`attention`, `transformer`). DC-SAM's cyclic attention
comes from here. What the network has in common with PFENet is in `baselines.parts`.
"""

from baselines.cyctr.method import CyCTR

__all__ = ["CyCTR"]
