"""The tests, one folder for every room."""

from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
Json = dict[str, Any]  # an object read from JSON or written as JSON, and keyword arguments
