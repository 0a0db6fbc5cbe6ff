"""GF-SAM: points where features agree, a mask for each, and the graph of which mask covers which point.

After Zhang et al. (2024). Nothing is trained or tuned. `similarity` finds the points, `graph` chooses among their
masks, `method` puts it together.
"""

from baselines.gf_sam.method import GFSAM, GFSAMSettings

__all__ = ["GFSAM", "GFSAMSettings"]
