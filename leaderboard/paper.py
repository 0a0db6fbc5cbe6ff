"""The figures that the DC-SAM paper reports on IC-VOS, as data with its source. None of them was computed by icvos.

Only figures that were read are here. The paper also compares with PFENet, HDMNet, AMNet and VRP-SAM, each with SAM 2,
and with an oracle; their figures could not be confirmed and are left out, as are the J&F of the two PerSAM rows.
"""

from dataclasses import dataclass

PAPER = "Qi et al., DC-SAM: In-Context Segment Anything in Images and Videos via Dual Consistency, arXiv 2504.12080"
PAPER_URL = "https://arxiv.org/abs/2504.12080"
TABLE = "Table IV"
PROTOCOL = "paper"  # the only protocol whose tables these figures may stand beneath
VIDEOS = 369
CLIPS = 437  # read off the paper's figure of clips per category
SHOTS = 1
ROUNDING = 0.0151  # per cent: all three figures are rounded to 0.01, so the mean may be off by as much as 0.01


@dataclass(frozen=True, slots=True)
class Reported:
    """One row as printed, in per cent; None where the figure could not be confirmed."""

    method: str
    j: float | None
    f: float | None
    jf: float | None
    source: str = f"{PAPER}, {TABLE}"


REPORTED: tuple[Reported, ...] = (
    Reported("DC-SAM", 68.38, 74.65, 71.52),
    Reported("PerSAM + SAM 2", 32.23, 36.81, None),
    Reported("PerSAM-F + SAM 2", 31.52, 36.83, None),
    Reported("Matcher + SAM 2", 26.88, 24.00, 20.44),
)


def contradiction(row: Reported) -> str | None:
    """What is wrong with a row whose J&F is not the mean of its J and F by more than rounding; None for the others.

    >>> contradiction(Reported("right", 68.38, 74.65, 71.52)) is None
    True
    """
    if row.j is None or row.f is None or row.jf is None:
        return None
    mean = (row.j + row.f) / 2
    if abs(mean - row.jf) <= ROUNDING:
        return None
    return (
        f"the paper prints J&F {row.jf:.2f} for {row.method}, which contradicts its own J {row.j:.2f} and F "
        f"{row.f:.2f} (mean {mean:.2f})"
    )
