"""Text from outside: UTF-8, with a byte order mark before it or without, and nothing else."""

import codecs
import io
from pathlib import Path

OTHERS = {codecs.BOM_UTF32_LE: "UTF-32", codecs.BOM_UTF16_LE: "UTF-16", codecs.BOM_UTF16_BE: "UTF-16"}


def without_mark(data: bytes) -> bytes:
    r"""The bytes of a text without the mark that Windows programs put before it; `ValueError` for UTF-16 and UTF-32.

    >>> without_mark(b"\xef\xbb\xbfdog")
    b'dog'
    """
    kind = next((kind for mark, kind in OTHERS.items() if data.startswith(mark)), "")
    if kind or b"\0" in data[:4]:  # the latter has no mark and begins with a letter
        raise ValueError(f"it is {kind or 'UTF-16'}; save it as UTF-8")
    return data.removeprefix(codecs.BOM_UTF8)


def plain_text(data: bytes) -> str:
    """The text, with ``\\n`` at the end of its lines; `ValueError` for anything but UTF-8."""
    return io.StringIO(without_mark(data).decode("utf-8"), newline=None).read()


def read_text(path: Path) -> str:
    """`plain_text` of a file; raises `OSError` too."""
    return plain_text(path.read_bytes())
