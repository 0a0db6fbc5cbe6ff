"""VAT: volumetric aggregation with transformers (Hong et al., ECCV 2022), with hybrid masking (Moon et al.), and SAM 2.

Correlations are HSNet's, on fixed grids; they are aggregated by 4D Swin transformers (`network`, `windows`). What it
shares with HSNet is in `baselines.parts`.
"""

from baselines.vat.method import VAT, VATHM

__all__ = ["VAT", "VATHM"]
