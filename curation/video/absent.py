"""Why a row of a curation file has no video, and which one was probably meant."""

import re
from collections.abc import Iterable

from curation.sources.video import SourceDataset
from icvos.files.sources import TITLES
from icvos.suggestions import nearest

NUMBER = re.compile(r"[0-9]+(?:\.([0-9]+))?e\+?[0-9]+", re.IGNORECASE)
AS_TEXT = "format the column as text before names are pasted into it"


def not_given(source: str) -> str:
    """The reason for rows of a data set that was not read at all."""
    return f"{TITLES[source]} was not given; pass its folder to --{source}"


def why_absent(name: str, dataset: SourceDataset, suggest: bool = True) -> str:
    """Why ``dataset`` has no video of this name; ``suggest`` also looks for the one that was meant."""
    known = dataset.left_out.get(name) or dataset.elsewhere.get(name)
    if known:
        return known
    absent = f"no such video in the {TITLES[dataset.source]} that was read"
    return f"{absent}{_hint(name, [video.name for video in dataset.videos])}" if suggest else absent


def _hint(name: str, names: Iterable[str]) -> str:
    """What a spreadsheet or a slip of the hand made the name of."""
    names = list(names)
    meant = next((found for found in names if _is_number_of(name, found)), None)
    if meant:
        return f"; a spreadsheet made a number of {meant}: {AS_TEXT}"
    if NUMBER.fullmatch(name):
        return f"; it is a number, which a spreadsheet makes of names like 49018e16: {AS_TEXT}"
    meant = nearest(name, names)
    return f"; did you mean {meant}?" if meant else ""


def _is_number_of(text: str, name: str) -> bool:
    """Whether a spreadsheet shows ``name`` as ``text``: 49018e16 as 4.9018E+20 or 4.90E+20, 00012345 as 12345."""
    if text == name or not (NUMBER.fullmatch(name) or name.isdecimal()):
        return False
    shown = NUMBER.fullmatch(text)
    if shown:
        return float(f"{float(name):.{len(shown[1] or '')}e}") == float(text)
    return text.isdecimal() and int(text) == int(float(name))
