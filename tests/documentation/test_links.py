"""Whether the checker of the built site finds what is dead."""

from pathlib import Path

import pytest

from documentation.links import faults

GOOD = """
<html><head><link rel="stylesheet" href="a%20style.css"><link rel="canonical" href="https://example.org/"></head>
<body><h1 id="top">A</h1><a href="other.html#there">b</a><a href="#top">c</a><a href="https://example.org">d</a>
<a href="mailto:a@example.org">e</a><img src="data:image/png;base64,AA=="></body></html>
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "index.html").write_text(GOOD, encoding="utf-8")
    (tmp_path / "other.html").write_text('<p id="there"><a href="index.html">back</a></p>', encoding="utf-8")
    (tmp_path / "a style.css").write_text("", encoding="utf-8")
    return tmp_path


def test_a_whole_site_has_no_fault(site: Path) -> None:
    assert list(faults(site)) == []


@pytest.mark.parametrize(
    ("tag", "fault"),
    [
        ('<a href="gone.html">', "gone.html: no such file"),
        ('<a href=".">', ".: no such file"),  # a folder, of which a browser shows a list
        ('<a href="other.html#nowhere">', "other.html#nowhere: no such anchor"),
        ('<a href="#nowhere">', "#nowhere: no such anchor"),
        ('<img src="gone.png">', "gone.png: no such file"),
        ('<script src="https://example.org/a.js"></script>', "fetches https://example.org/a.js"),
        ('<script src="//example.org/a.js"></script>', "fetches //example.org/a.js"),
        ('<link rel="preconnect" href="https://example.org">', "fetches https://example.org"),
    ],
)
def test_faults_are_found(site: Path, tag: str, fault: str) -> None:
    with (site / "index.html").open("a", encoding="utf-8") as file:
        file.write(tag)
    found = list(faults(site))
    assert len(found) == 1
    assert found[0].startswith("index.html: ")
    assert fault in found[0]
