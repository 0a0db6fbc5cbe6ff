"""The figures that papers report, with their sources. None of them was computed by icvos.

Those of the DC-SAM paper are its own tables (`leaderboard.paper`); a few more are what other methods' papers say.
"""

from dataclasses import dataclass, field

from leaderboard.paper.tables import PAPER, PaperRow, PaperTable, paper_table

PROTOCOL = "paper"  # the only protocol whose tables of videos these figures may stand beneath
VIDEOS = 369
CLIPS = 437  # read off the paper's figure of clips per category
SHOTS = 1
ROUNDING = 0.0151  # per cent: all three figures are rounded to 0.01, so the mean may be off by as much as 0.01
ON_VIDEOS = "table-4"
ON_IMAGES = ("table-2", "table-3", "table-9", "table-12")  # where two have the same row, the first one's stands


@dataclass(frozen=True, slots=True)
class Reported:
    """One row on videos as printed, in per cent."""

    method: str
    j: float
    f: float
    jf: float
    source: str


def contradiction(row: Reported) -> str | None:
    """What is wrong with a row whose J&F is not the mean of its J and F by more than rounding; None for the others.

    >>> contradiction(Reported("right", 68.38, 74.65, 71.52, "a paper")) is None
    True
    """
    mean = (row.j + row.f) / 2
    if abs(mean - row.jf) <= ROUNDING:
        return None
    return (
        f"the paper prints J&F {row.jf:.2f} for {row.method}, which contradicts its own J {row.j:.2f} and F "
        f"{row.f:.2f} (mean {mean:.2f})"
    )


def _on_videos() -> tuple[Reported, ...]:
    table = paper_table(ON_VIDEOS)
    return tuple(Reported(row.name, **table.printed(row), source=f"{PAPER}, {table.number}") for row in table.rows)


REPORTED = _on_videos()


@dataclass(frozen=True, slots=True)
class ReportedOnImages:
    """One row on an image benchmark as printed, in per cent.

    Args:
        method: With the backbone, where its paper has several.
        benchmark: coco-20i, pascal-5i or coco-to-pascal.
        shots: Supports for every episode.
        protocol: The protocol of icvos that is nearest to how the figure was computed.
        miou: Mean over the folds.
        source: The paper, and where the figure was read.
        folds: mIoU of single folds, where they are printed.
        classes_seen: Whether training showed masks of the tested classes; None where nobody says.
    """

    method: str
    benchmark: str
    shots: int
    protocol: str
    miou: float
    source: str
    folds: dict[int, float] = field(default_factory=dict)
    classes_seen: bool | None = None


def _folds(*miou: float) -> dict[int, float]:
    return dict(enumerate(miou))


_LISTED = "as sotaverified.org lists its figures"
_HDMNET = "Peng et al., Hierarchical Dense Correlation Distillation for Few-Shot Segmentation, arXiv 2303.14652"
_PFENET = f"Tian et al., Prior Guided Feature Enrichment Network for Few-Shot Segmentation, arXiv 2008.01449, {_LISTED}"
_GF_SAM = (
    "Zhang et al., Bridge the Points: Graph-based Few-shot Segment Anything Semantically, arXiv 2410.06964; logs in "
    "its repository ANDYZAQ/GF-SAM; compared at 1024 x 1024"
)
_SANSA = "Cuttano et al., SANSA, arXiv 2505.21795"
_SANSA_READ_ME = f"{_SANSA}; its repository's README; compared at 640 x 640"

OTHER_PAPERS: tuple[ReportedOnImages, ...] = (
    ReportedOnImages("PFENet, ResNet-101", "coco-20i", 1, "native", 32.4, _PFENET),
    ReportedOnImages("HDMNet, ResNet-50", "coco-20i", 5, "native", 56.0, f"{_HDMNET}, abstract"),
    ReportedOnImages("HDMNet, VGG-16", "coco-20i", 5, "native", 52.4, f"{_HDMNET}, {_LISTED}"),
    ReportedOnImages("PFENet, VGG-16", "coco-20i", 5, "native", 37.7, _PFENET),
    ReportedOnImages("PFENet, ResNet-101", "coco-20i", 5, "native", 37.4, _PFENET),
    ReportedOnImages("HDMNet, ResNet-50", "pascal-5i", 5, "native", 71.8, f"{_HDMNET}, {_LISTED}"),
    ReportedOnImages("HDMNet, VGG-16", "pascal-5i", 5, "native", 69.3, f"{_HDMNET}, {_LISTED}"),
    ReportedOnImages("GF-SAM", "coco-20i", 1, "paper", 58.7, _GF_SAM, _folds(56.62, 61.44, 59.63, 57.12)),
    ReportedOnImages("GF-SAM", "coco-20i", 5, "paper", 66.83, _GF_SAM, _folds(67.09, 69.41, 65.97, 64.83)),
    ReportedOnImages("GF-SAM", "pascal-5i", 1, "paper", 72.31, _GF_SAM, _folds(71.12, 75.7, 69.17, 73.25)),
    ReportedOnImages("GF-SAM", "pascal-5i", 5, "paper", 82.6, _GF_SAM, _folds(81.49, 86.32, 79.69, 82.9)),
    ReportedOnImages("SANSA", "coco-20i", 1, "paper", 60.2, _SANSA_READ_ME, _folds(57.7, 61.7, 62.8, 58.5)),
    ReportedOnImages("SANSA", "coco-20i", 5, "paper", 64.3, f"{_SANSA}, as notes on the paper quote it"),
)


def _on_images() -> tuple[ReportedOnImages, ...]:
    """The rows of the paper's tables on images, each once, and then those of other papers."""
    found: dict[tuple[str, str, int], ReportedOnImages] = {}
    for table in map(paper_table, ON_IMAGES):
        for row in table.rows:
            found.setdefault((row.name, table.benchmark_of(row), row.shots), _as_printed(table, row))
    return (*found.values(), *OTHER_PAPERS)


def _as_printed(table: PaperTable, row: PaperRow) -> ReportedOnImages:
    printed = table.printed(row)
    folds = {int(key.removeprefix("fold_")): value for key, value in printed.items() if key.startswith("fold_")}
    quoted = ", which quotes it from the method's own paper" if row.quoted else ""
    remark = f"; {row.remark}" if row.remark else ""
    return ReportedOnImages(
        row.name,
        table.benchmark_of(row),
        row.shots,
        row.protocol,
        printed["miou"],
        f"{PAPER}, {table.number}{quoted}{remark}",
        folds,
        row.classes_seen,
    )


REPORTED_ON_IMAGES = _on_images()
