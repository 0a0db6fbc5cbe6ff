"""INSID3: in-context segmentation from the features of one frozen backbone, without a decoder and without training."""

from baselines.insid3.method import INSID3, INSID3Settings

__all__ = ["INSID3", "INSID3Settings"]
