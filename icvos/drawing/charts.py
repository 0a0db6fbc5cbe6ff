"""Charts of figures that were counted: bars, histograms, maps and word clouds, as SVG and PNG.

They need the extra ``plots`` (matplotlib and wordcloud). The same figures give the same files.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from icvos.errors import IcvosError
from icvos.files.storage import write_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

OWN, OTHER, QUIET = "#0b6bcb", "#c9ced6", "#5b6470"
DPI = 160
CLOUD_SIZE = (1200, 600)  # width, height, in pixels
SETTINGS: dict[Any, Any] = {
    "svg.hashsalt": "icvos",
    "svg.fonttype": "path",
    "font.size": 9.0,
    "font.family": "DejaVu Sans",
}


def require_plots() -> None:
    """Raise `IcvosError` where a package of the extra ``plots`` is not installed."""
    for package in ("matplotlib", "wordcloud"):
        if find_spec(package) is None:
            raise IcvosError(f"plots need the package {package}; run: pip install 'icvos[plots]'")


def write_chart(stem: Path, title: str, draw: "Callable[[Axes], None]", size: tuple[float, float]) -> None:
    """Write ``<stem>.svg`` and ``<stem>.png``.

    Args:
        stem: Where, without suffix.
        title: Stands above it.
        draw: Draws into the axes that it is given.
        size: Width and height in inches.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(SETTINGS):
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots()
        axes.set_title(title, loc="left", fontsize=10.5, fontweight="bold")
        draw(axes)
        for suffix, metadata in ((".svg", {"Date": None}), (".png", {"Software": None})):
            buffer = io.BytesIO()
            figure.savefig(buffer, format=suffix[1:], dpi=DPI, metadata=metadata)
            write_bytes(stem.with_suffix(suffix), buffer.getvalue())


def bars(
    axes: "Axes", names: Sequence[str], values: Sequence[float], unit: str, beside: Sequence[float | None] = ()
) -> None:
    """Horizontal bars with their figures, the first on top.

    Args:
        axes: Where they are drawn.
        names: One for each bar.
        values: Their lengths.
        unit: What is counted.
        beside: Published figures, drawn grey beneath each bar; None for a bar that has none.
    """
    places = np.arange(len(names))
    other = list(beside) if any(value is not None for value in beside) else []
    height = 0.4 if other else 0.7
    axes.barh(places - (height / 2 if other else 0), values, height, color=OWN, label="here")
    if other:
        drawn = [value or 0.0 for value in other]
        axes.barh(places + height / 2, drawn, height, color=OTHER, label="in the paper")
        axes.legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderpad=0)
    longest = max([*values, *(value or 0.0 for value in other), 1e-9])
    for series, shift, colour in ((values, -height / 2 if other else 0.0, OWN), (other, height / 2, QUIET)):
        for place, value in zip(places, series, strict=False):
            if value is not None:
                axes.text(value + longest / 100, place + shift, f"{value:,.10g}", va="center", fontsize=7, color=colour)
    axes.set_yticks(places, names)
    axes.invert_yaxis()
    axes.set_xlim(0, longest * 1.12)
    axes.set_xlabel(unit)
    axes.xaxis.set_major_formatter("{x:,.10g}")
    _plain(axes, "x")


def histogram(axes: "Axes", values: Sequence[float], edges: Sequence[float], unit: str, counted: str) -> None:
    """How many of ``values`` lie between ``edges``, the last edge included; what is ``counted`` names the y axis."""
    counts, _ = np.histogram(values, edges)
    axes.bar(range(len(counts)), counts, 0.92, color=OWN, align="edge")
    axes.set_xticks(range(len(edges)), [f"{edge:g}" for edge in edges])
    axes.set_xlabel(unit)
    axes.set_ylabel(counted)
    axes.locator_params(axis="y", integer=True)
    _plain(axes, "y")


def heat_map(axes: "Axes", grid: np.ndarray, unit: str) -> None:
    """(rows, columns) float values from 0 to their highest, with a scale that ``unit`` names."""
    image = axes.imshow(grid, cmap="magma", vmin=0, interpolation="nearest", aspect="auto")
    axes.set_xticks([])
    axes.set_yticks([])
    if axes.figure is not None:
        axes.figure.colorbar(image, ax=axes, label=unit, shrink=0.9)


def cloud(axes: "Axes", weights: Mapping[str, float]) -> None:
    """Words as large as their weights are; always laid out alike."""
    from wordcloud import WordCloud

    words = WordCloud(
        width=CLOUD_SIZE[0], height=CLOUD_SIZE[1], background_color="white", colormap="viridis", random_state=0,
        prefer_horizontal=1.0,
    )  # fmt: skip
    axes.imshow(words.generate_from_frequencies(dict(weights)).to_array(), interpolation="bilinear")
    axes.set_axis_off()


def _plain(axes: "Axes", grid: str) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x" if grid == "x" else "y", color="#e6e8ec", linewidth=0.7)
    axes.set_axisbelow(True)
