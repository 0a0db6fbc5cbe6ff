"""The tests, one folder for every room."""

from pathlib import Path

ROOT = Path(__file__).parent.parent
