"""Times as people and programs read them."""

from datetime import UTC, datetime


def iso(seconds: float) -> str:
    """Seconds since 1970 in ISO 8601, in UTC.

    >>> iso(0)
    '1970-01-01T00:00:00+00:00'
    """
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
