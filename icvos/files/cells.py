"""Texts in CSV files: a spreadsheet takes one that begins like a formula for a formula, and runs it."""

FORMULA = tuple("=+-@\t\r＝＋－＠")  # the wide ones are the same to some spreadsheets


def cell(text: str) -> str:
    """``text`` as a cell that no spreadsheet runs: with an apostrophe before it where it begins like a formula.

    >>> cell("dog"), cell("=1+1"), cell(" @SUM(A1)")
    ('dog', "'=1+1", "' @SUM(A1)")
    """
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA) else text


def from_cell(text: str) -> str:
    """The text that `cell` was given."""
    return text[1:] if text.startswith("'") and cell(text[1:]) == text else text
