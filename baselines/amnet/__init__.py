"""AMNet: the adversarial mining transformer (Wang et al., NeurIPS 2023), and its join with SAM 2.

HDMNet's parts, with another idea: the support gives only a first guess by its mean feature, and then the query is
matched with itself, under the mask found so far, three times over (`network`). In training, discriminators look at
parts of it (`adversary`, `training`). What it shares with HDMNet is in `baselines.parts`.

The published code runs for one support; with more, their mean feature makes the first guess.
"""

from baselines.amnet.method import AMNet

__all__ = ["AMNet"]
