"""A table of texts, made by what knows the figures and printed by the commands."""

from dataclasses import dataclass

DASH = "–"


@dataclass(frozen=True, slots=True)
class Listing:
    """A table.

    Args:
        title: Stands above it.
        columns: The headings; the first column holds names, the others figures.
        rows: The cells, as many as there are columns, or fewer; None begins a new section.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...] | None, ...]


def percent(value: float | None) -> str:
    """A fraction as a percentage with two decimals.

    >>> percent(0.48566), percent(None)
    ('48.57', '–')
    """
    return DASH if value is None else f"{100 * value:.2f}"


def signed_percent(value: float) -> str:
    """A difference of fractions as percentage points with a sign, never ``-0.00``.

    >>> signed_percent(0.0123), signed_percent(-0.00001)
    ('+1.23', '+0.00')
    """
    return f"{round(100 * value, 2) + 0.0:+.2f}"
