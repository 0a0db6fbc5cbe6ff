"""Pages in a real browser: what axe-core says of them, and whether the keyboard alone reaches everything."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

pytestmark = pytest.mark.slow
MOST_TABS = 200


@pytest.fixture
def context(browser: "Browser") -> "Iterator[BrowserContext]":
    """A window of its own; what goes wrong in a script fails the test."""
    faults: list[str] = []
    found = browser.new_context(viewport={"width": 1280, "height": 900})
    found.on("weberror", lambda error: faults.append(str(error.error)))
    found.on("console", lambda message: message.type == "error" and faults.append(message.text))
    yield found
    found.close()
    assert faults == []


def opened(context: "BrowserContext", path: Path, address: str = "") -> "Page":
    page = context.new_page()
    page.goto(path.as_uri() + address)
    return page


def run_page(site: Path, name: str) -> Path:
    return next(path for path in sorted((site / "runs").glob("*.html")) if f"-{name}-" in path.name)


def compare_page(site: Path, *names: str) -> Path:
    """The page of comparisons that offers results of these names."""
    offered = [f'"name":"{name}"' for name in names]
    return next(
        path for path in sorted((site / "compare").iterdir()) if all(text in path.read_text() for text in offered)
    )


def pages(site: Path) -> list[Path]:
    """One of every kind: the board, a run with curves and overlays, one on images, comparisons of both, charts."""
    images = next(path for path in sorted((site / "runs").glob("*.html")) if "1-shot" in path.name)
    compared = [compare_page(site, *names) for names in (("first", "second"), ("deep", "oracle"))]
    charts = sorted((site / "benchmarks").glob("*/index.html"))
    return [site / "index.html", run_page(site, "first"), images, *compared, *charts]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 420])
def test_axe_finds_no_fault_on_any_page(browser: "Browser", site: Path, width: int, scheme: Any) -> None:
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe-core is not installed: pip install 'icvos[dev]'"
    ).Axe()
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    for path in pages(site):
        page = opened(context, path)
        if links := page.locator("#items a").all():
            page.evaluate("(address) => (location.hash = address)", links[0].get_attribute("href"))
            page.locator("#point b", has_text=links[0].text_content() or "").wait_for()
        page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")
        found = axe.run(page).response["violations"]
        told = [f"{one['id']}: {node['html'][:200]} {node['failureSummary']}" for one in found for node in one["nodes"]]
        assert told == [], path.name
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{path.name} is too wide"
        page.close()
    context.close()


def tab_to(page: "Page", selector: str) -> None:
    """Press Tab until what ``selector`` finds has the focus."""
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        if page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none", f"{selector}: one does not see that it has the focus"
            return
    pytest.fail(f"{selector}: not reached by {MOST_TABS} tabs")


def names(page: "Page") -> list[str]:
    """The ranked rows that are seen on the board."""
    found = page.locator("section.results:not([hidden]) tbody.ranked th.name:visible > a").all_inner_texts()
    return [re.sub(r"\s+", " ", name) for name in found]


def test_the_keyboard_sorts_filters_and_follows_links_of_the_board(context: "BrowserContext", site: Path) -> None:
    shown = next(
        path.stem for path in (site / "compare").iterdir() if "deep" in path.read_text() and "half" in path.read_text()
    )
    page = opened(context, site / "index.html", f"#table={shown}")
    before = names(page)
    assert len(before) == 3
    tab_to(page, "#view summary")
    page.keyboard.press("Enter")
    tab_to(page, "#view input[name=training][value=trained]")
    page.keyboard.press("Space")
    assert names(page) == ["lite, 5 shots"]
    assert page.locator("#active").inner_text() == "1 in use"
    page.reload()
    assert names(page) == ["lite, 5 shots"]
    assert page.locator("#view input[name=training][value=trained]").is_checked()
    tab_to(page, "#view button[name=reset]")
    page.keyboard.press("Enter")
    assert names(page) == before
    tab_to(page, "section.results:not([hidden]) th[data-column=method] button")
    page.keyboard.press("Enter")
    assert names(page) == sorted(before)
    assert "sort=method%3Aascending" in page.url
    page.keyboard.press("Enter")
    page.reload()
    assert names(page) == sorted(before, reverse=True)
    tab_to(page, "section.results:not([hidden]) tbody.ranked th.name a")
    page.keyboard.press("Enter")
    page.locator("details.run[open]").wait_for()
    tab_to(page, "details[open] a[href^='runs/']")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/runs/"))
    assert page.locator("h1").inner_text() == sorted(before)[-1]


def test_the_keyboard_plays_a_clip_and_leads_to_it_on_the_other_pages(context: "BrowserContext", site: Path) -> None:
    page = opened(context, run_page(site, "first"))
    tab_to(page, ".clips tbody tr:nth-child(2) a[aria-label^=compare]")
    clip = page.evaluate("document.activeElement.ariaLabel").split()[1]
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/compare/"))
    assert page.locator("#point b").inner_text().split()[0] == clip
    assert page.locator("#items tr.chosen").get_attribute("data-item") == clip
    page.locator("#both-clips figure").nth(1).wait_for()
    assert page.locator("#both-clips svg path.f").count() == 2
    tab_to(page, "#both-clips summary")
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('#both-clips details img').naturalWidth > 0")
    page.reload()
    page.locator("#both-clips figure").nth(1).wait_for()
    page.evaluate("document.activeElement.blur()")
    tab_to(page, "#point a")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/runs/"))
    assert page.locator(":target th").inner_text().split()[0] == clip
    page.reload()
    assert page.locator(":target th").inner_text().split()[0] == clip
    assert page.locator(":target .curve svg").bounding_box() is not None
    tab_to(page, "a[href='#watched']") if page.evaluate(
        "scrollTo(0, 0), document.activeElement.blur(), false"
    ) else None
    page.goto(page.url.partition("#")[0] + "#watched")
    tab_to(page, ".overlays summary")
    movie = page.locator(".overlays details img").first
    assert not movie.is_visible()
    page.keyboard.press("Enter")
    movie.wait_for(state="visible")
    page.wait_for_function("(image) => image.complete && image.naturalWidth > 0", arg=movie.element_handle())
    page.keyboard.press("Enter")
    assert not movie.is_visible()


def test_the_keyboard_compares_and_the_address_holds_what_is_compared(context: "BrowserContext", site: Path) -> None:
    page = opened(context, compare_page(site, "deep", "oracle"))
    tab_to(page, "#pair select[name=b]")
    page.keyboard.press("ArrowDown")
    a, b = (page.locator(f"#pair select[name={side}] option:checked").inner_text() for side in "ab")
    heading = page.locator("#verdict").inner_text()
    tab_to(page, "#scatter")
    page.keyboard.press("End")
    last = page.locator("#point b").inner_text()
    page.reload()
    assert page.locator("#verdict").inner_text() == heading
    assert page.locator("#point b").inner_text() == last
    assert [page.locator(f"#pair select[name={side}] option:checked").inner_text() for side in "ab"] == [a, b]
    tab_to(page, "#pair button[name=swap]")
    page.keyboard.press("Enter")
    assert page.locator("#pair select[name=a] option:checked").inner_text() == b
    assert page.locator("#point b").inner_text() == last
    tab_to(page, ":is(#gains, #losses) tbody a")
    item = page.evaluate("document.activeElement.textContent")
    page.keyboard.press("Enter")
    page.locator("#point b", has_text=item).wait_for()
    assert page.locator(":is(#gains, #losses) tr.chosen th").inner_text() == item
    assert f"clip={quote(item.split()[0], safe='')}" in page.url
    tab_to(page, "#every summary")
    page.keyboard.press("Enter")
    tab_to(page, "#items thead button")
    page.keyboard.press("Enter")
    assert page.locator("#items th[aria-sort]").inner_text() == "Clip"


def test_a_printed_page_cuts_nothing_off(context: "BrowserContext", site: Path) -> None:
    for path in (site / "index.html", run_page(site, "first"), compare_page(site, "deep", "oracle")):
        page = opened(context, path)
        page.emulate_media(media="print")
        page.set_viewport_size({"width": 703, "height": 1000})  # A4 between margins of 12 mm
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path.name
        assert not page.locator("nav, form.view, .overlays details").locator("visible=true").count()
        assert page.evaluate("[...document.images].every((image) => !image.checkVisibility() || image.naturalWidth)")
        assert page.pdf(format="A4").startswith(b"%PDF")
        page.close()
