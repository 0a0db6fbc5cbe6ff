"""Metric values that must come out exactly, measured on published implementations."""

from pathlib import Path

GOLDEN = Path(__file__).parent
