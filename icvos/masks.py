"""Masks in and out, for programs around icvos.

A mask file is a PNG; `icvos.files.mask_rules` says how its values are understood and what is refused.

>>> from pathlib import Path
>>> import numpy as np
>>> write_binary(Path("mask.png"), np.eye(4, dtype=bool))
>>> read_binary(Path("mask.png")).sum().item()
4
>>> decode_rle(encode_rle(np.eye(4, dtype=bool))).tolist() == np.eye(4, dtype=bool).tolist()
True
"""

from icvos.files.masks import read_binary, read_ids, write_binary
from icvos.files.rle import decode_rle, encode_rle

__all__ = ["decode_rle", "encode_rle", "read_binary", "read_ids", "write_binary"]
