"""What the record of a run (``run.json``) says of it."""

from collections.abc import Mapping
from typing import Any


def made_with_random_weights(record: Mapping[str, Any]) -> bool:
    """Whether the record of a run, or the description of a method, names random weights: its masks mean nothing."""
    weights = record.get("weights")
    parts = weights if isinstance(weights, list | tuple) else ()
    return bool(record.get("random_weights")) or any(isinstance(part, dict) and part.get("random") for part in parts)
