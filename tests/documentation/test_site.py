"""The built site in Chromium, opened from the disk, wide and narrow, light and dark."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from documentation.execution import NEEDED, executed
from documentation.links import faults
from documentation.notebooks import notebooks
from documentation.pages import write
from tests import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow
PAGES = (
    "index.html",
    "tour.html",
    "traps.html",
    "formats.html",
    "performance.html",
    "reference/python.html",
    "reference/commands/run.html",
    "methods/dcsam.html",
    "tutorials/own-method.html",
    "examples/results.html",
    "examples/ten_minutes.html",
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built site."""
    if any(importlib.util.find_spec(name) is None for name in ("mkdocs", "material", "mkdocstrings")):
        pytest.skip("the generator of the site is not installed: pip install 'icvos[docs]'")
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    root = tmp_path_factory.mktemp("documentation")
    copies = {} if any(importlib.util.find_spec(name) is None for name in NEEDED) else notebooks()
    write(root / "pages", {name: executed(ROOT / name) for name in copies})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NO_MKDOCS_2_WARNING", "1")
        patch.chdir(ROOT)
        config = load_config(
            str(ROOT / "mkdocs.yml"), docs_dir=str(root / "pages"), site_dir=str(root / "site"), strict=True
        )
        config.plugins.on_startup(command="build", dirty=False)
        build(config)
        config.plugins.on_shutdown()
    return root / "site"


@pytest.fixture(params=[(1280, "light"), (1280, "dark"), (420, "light"), (420, "dark")], ids=str)
def page(request: pytest.FixtureRequest, browser: "Browser") -> "Iterator[Page]":
    width, scheme = request.param
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    context.set_default_navigation_timeout(180_000)  # beside other tests a page may take its time
    yield context.new_page()
    context.close()


def test_every_link_leads_somewhere_and_nothing_is_fetched(site: Path) -> None:
    assert list(faults(site)) == []


def test_pages_fit_and_ask_no_network(site: Path, page: "Page") -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for name in PAGES:
        page.goto((site / name).as_uri())
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= page.viewport_size["width"], f"{name} is {wide} pixels wide"
    assert asked
    assert {url.partition(":")[0] for url in asked} <= {"file", "data", "blob", "about"}


def test_the_search_works_from_the_disk(site: Path, browser: "Browser") -> None:
    page = browser.new_page()
    page.goto((site / "methods" / "lite.html").as_uri())
    page.fill(".md-search__input", "decay beyond")
    found = page.locator(".md-search-result__link").first
    found.wait_for(state="attached", timeout=20_000)
    assert "/traps.html" in (found.get_attribute("href") or "")
    page.close()
