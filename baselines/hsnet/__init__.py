"""HSNet: hypercorrelation squeeze (Min et al., ICCV 2021), with hybrid masking (Moon et al., ECCV 2022), and SAM 2.

What it shares with VAT is in `baselines.parts`: the taps of a frozen backbone and their correlations, the vote of
several shots, the method and its training.
"""

from baselines.hsnet.method import HSNet, HSNetHM

__all__ = ["HSNet", "HSNetHM"]
