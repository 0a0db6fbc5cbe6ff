"""The figures that papers report, as data with their sources. None of them was computed by icvos.

Only figures that were read are here. On IC-VOS the DC-SAM paper also compares with PFENet, HDMNet, AMNet and VRP-SAM,
each with SAM 2, and with an oracle; their figures could not be confirmed and are left out, as are the J&F of the two
PerSAM rows. From its tables on images (II, III, IX, XII) only what its abstract repeats could be read; the other rows
are what the methods' own papers say. Those of AMNet and PerSAM could not be read.
"""

from dataclasses import dataclass, field

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


@dataclass(frozen=True, slots=True)
class ReportedOnImages:
    """One row on an image benchmark as printed, in per cent.

    Args:
        method: With the backbone, where its paper has several.
        benchmark: coco-20i, pascal-5i or coco-to-pascal.
        shots: Supports for every episode.
        protocol: The protocol of icvos that is nearest to how the figure was computed.
        miou: Mean over the folds; None where it could not be confirmed.
        source: The paper, and where the figure was read.
        folds: mIoU of single folds, where they could be read.
    """

    method: str
    benchmark: str
    shots: int
    protocol: str
    miou: float | None
    source: str
    folds: dict[int, float] = field(default_factory=dict)


_DC_SAM = f"{PAPER}, abstract"
_VRP_SAM = "Sun et al., VRP-SAM: SAM with Visual Reference Prompt, arXiv 2402.17726, as wizwand.com lists its figures"
_MATCHER = (
    "Liu et al., Matcher: Segment Anything with One Shot Using All-Purpose Feature Matching, arXiv 2305.13310, "
    "abstract; masks compared at 518 x 518"
)
_HDMNET = "Peng et al., Hierarchical Dense Correlation Distillation for Few-Shot Segmentation, arXiv 2303.14652, "
_HDMNET_COCO = f"{_HDMNET}abstract"
_HDMNET_LISTED = f"{_HDMNET}as sotaverified.org lists its figures"
_PFENET = (
    "Tian et al., Prior Guided Feature Enrichment Network for Few-Shot Segmentation, arXiv 2008.01449, "
    "as sotaverified.org lists its figures"
)

REPORTED_ON_IMAGES: tuple[ReportedOnImages, ...] = (
    ReportedOnImages("DC-SAM", "coco-20i", 1, "paper", 55.5, _DC_SAM),
    ReportedOnImages("VRP-SAM", "coco-20i", 1, "paper", 53.9, _VRP_SAM, {0: 48.1}),
    ReportedOnImages("Matcher", "coco-20i", 1, "paper", 52.7, _MATCHER),
    ReportedOnImages("HDMNet, ResNet-50", "coco-20i", 1, "native", 50.0, _HDMNET_COCO),
    ReportedOnImages("HDMNet, VGG-16", "coco-20i", 1, "native", 45.9, _HDMNET_LISTED),
    ReportedOnImages("PFENet, VGG-16", "coco-20i", 1, "native", 34.1, _PFENET),
    ReportedOnImages("PFENet, ResNet-101", "coco-20i", 1, "native", 32.4, _PFENET),
    ReportedOnImages("HDMNet, ResNet-50", "coco-20i", 5, "native", 56.0, _HDMNET_COCO),
    ReportedOnImages("HDMNet, VGG-16", "coco-20i", 5, "native", 52.4, _HDMNET_LISTED),
    ReportedOnImages("PFENet, VGG-16", "coco-20i", 5, "native", 37.7, _PFENET),
    ReportedOnImages("PFENet, ResNet-101", "coco-20i", 5, "native", 37.4, _PFENET),
    ReportedOnImages("DC-SAM", "pascal-5i", 1, "paper", 73.0, _DC_SAM),
    ReportedOnImages("VRP-SAM", "pascal-5i", 1, "paper", 71.9, _VRP_SAM, {1: 78.3}),
    ReportedOnImages("HDMNet, ResNet-50", "pascal-5i", 1, "native", 69.4, _HDMNET_LISTED),
    ReportedOnImages("HDMNet, VGG-16", "pascal-5i", 1, "native", 65.1, _HDMNET_LISTED),
    ReportedOnImages("PFENet, VGG-16", "pascal-5i", 1, "native", 58.0, _PFENET),
    ReportedOnImages("HDMNet, ResNet-50", "pascal-5i", 5, "native", 71.8, _HDMNET_LISTED),
    ReportedOnImages("HDMNet, VGG-16", "pascal-5i", 5, "native", 69.3, _HDMNET_LISTED),
)
