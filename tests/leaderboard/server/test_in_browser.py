"""A stranger with a browser: registers, sends predictions, watches them scored, finds them on the board.

Where ``ICVOS_SCREENSHOTS`` names a folder, a picture of every page is left there.
"""

import itertools
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("fastapi", reason="the server needs: pip install 'icvos[server]'")
pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")

from playwright import sync_api

from leaderboard.server import accounts
from tests.conftest import CHROMIUM, watched_page
from tests.leaderboard.server.served import PASSWORD, Running, pack, predictions_zip, prepare, running, settings_for

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium; on Debian: apt-get install chromium"),
    pytest.mark.slow,
]


@pytest.fixture
def page(browser: "Browser") -> "Iterator[Page]":
    with watched_page(browser, 1280, 900) as found:
        yield found


@pytest.fixture
def drawn(built: Path, tmp_path: Path) -> Iterator[Running]:
    """A server with a worker, on a benchmark of the small world."""
    settings = settings_for(built, protocols=("paper@1", "native@1"), overlays="predictions")
    with running(prepare(tmp_path / "data", settings)) as found, found.worked():
        yield found


def moved_truth(built: Path, out: Path, shift: int) -> Path:
    """The true masks, ``shift`` pixels to the right."""
    for path in sorted((built / "videos").glob("*/Annotations/*/*.png")):
        mask = np.roll(np.asarray(Image.open(path)) > 0, shift, axis=1)
        target = out / path.parents[2].name / path.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(mask.astype(np.uint8)).save(target)
    return pack(out, out.with_suffix(".zip"))


def camera(page: "Page") -> Callable[[str], None]:
    """Looks at a page, wide and narrow, light and dark: asks axe-core, and takes pictures where somebody wants them."""
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe-core is not installed: pip install 'icvos[dev]'"
    ).Axe()
    folder = os.environ.get("ICVOS_SCREENSHOTS")
    schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")

    def take(name: str) -> None:
        for scheme, width in itertools.product(schemes, (1280, 420)):
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size({"width": width, "height": 900})
            if folder:
                page.screenshot(path=f"{folder}/{name}-{width}-{scheme}.png", full_page=True)
            found = axe.run(page).response["violations"]
            told = [
                f"{one['id']}: {node['html'][:200]} {node['failureSummary']}" for one in found for node in one["nodes"]
            ]
            assert told == [], name
        page.emulate_media(color_scheme="light")
        page.set_viewport_size({"width": 1280, "height": 900})

    return take


def fits(page: "Page") -> bool:
    """Whether a narrow page is no wider than its window."""
    page.set_viewport_size({"width": 420, "height": 900})
    found: bool = page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.set_viewport_size({"width": 1280, "height": 900})
    return found


def test_a_stranger(drawn: Running, built: Path, tmp_path: Path, page: "Page") -> None:
    expect, take = sync_api.expect, camera(page)
    page.goto(drawn.address)
    take("home")
    page.get_by_role("link", name="Make an account").click()
    page.get_by_label("User name").fill("stranger")
    page.get_by_label("Team").fill("The strangers")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password again").fill(PASSWORD)
    take("register")
    page.get_by_role("button", name="Register").click()
    expect(page).to_have_url(f"{drawn.address}/submissions")

    def send(name: str, file: Path) -> None:
        page.goto(f"{drawn.address}/submissions")
        page.get_by_label("Method").fill(name)
        page.get_by_label("File").set_input_files(file)
        page.get_by_text("What is said of the method").click()
        page.get_by_label("Training", exact=True).select_option("training-free")
        page.get_by_role("button", name="Send").click()
        page.wait_for_url(re.compile("/submissions/[0-9a-f]{16}$"))

    send("One pixel off", moved_truth(built, tmp_path / "one", 1))
    take("waiting")
    expect(page.locator("#state strong")).to_have_text("scored", timeout=60_000)  # the page goes on by itself
    take("scored")
    assert fits(page)
    page.get_by_role("button", name="Publish on the board").click()
    expect(page.get_by_text("It is on the board")).to_be_visible()
    send("Three pixels off", moved_truth(built, tmp_path / "three", 3))
    expect(page.locator("#state strong")).to_have_text("scored", timeout=60_000)
    page.get_by_role("button", name="Publish on the board").click()
    broken = tmp_path / "broken"
    shutil.copytree(tmp_path / "one", broken)
    for path in sorted(broken.rglob("*.png"))[:3]:
        path.write_bytes(b"no picture")
    send("Broken", pack(broken, tmp_path / "broken.zip"))
    expect(page.locator("#state strong")).to_have_text("faults", timeout=60_000)
    page.get_by_text("All of them").click()
    take("faults")
    page.goto(f"{drawn.address}/submissions")
    take("submissions")
    assert fits(page)
    page.get_by_role("link", name="Board").click()
    expect(page.get_by_role("rowheader", name="One pixel off").first).to_be_visible()
    take("board")
    page.get_by_role("link", name="One pixel off").first.click()  # to where it comes from, further down
    page.get_by_role("link", name="the page of this run").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("One pixel off")
    expect(page.get_by_text("Team: The strangers")).to_be_visible()
    page.get_by_role("link", name="Clips to watch").click()
    worst = page.locator(".overlays figure").first
    worst.get_by_text("Play", exact=False).click()
    movie = worst.get_by_role("img", name="as an animation: the prediction")
    expect(movie).to_be_visible()
    expect(movie).to_have_js_property("complete", True)
    assert movie.evaluate("image => image.naturalWidth") > 0
    assert worst.locator("a").inner_text() == page.locator("table.clips tbody th").first.inner_text().split("\n")[0]
    take("run")
    page.get_by_role("link", name="Compare it with another result").click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.locator("table.sortable a").first.click()  # where they differ most
    beside = page.locator("#both-clips figure")
    expect(beside).to_have_count(2)
    expect(page.locator("#both-clips")).not_to_contain_text("Solid J")  # there are no curves
    beside.last.get_by_text("Play B").click()
    movie = beside.last.get_by_role("img", name="as an animation: the prediction")
    expect(movie).to_be_visible()
    expect(movie).to_have_js_property("complete", True)
    assert movie.evaluate("image => image.naturalWidth") > 0
    take("compare")


def test_the_other_pages(drawn: Running, tmp_path: Path, page: "Page") -> None:
    expect, take = sync_api.expect, camera(page)
    assert drawn.user("ben").send(predictions_zip(tmp_path)).status_code == 303
    with drawn.server.database.write() as session:
        code = accounts.invite(session, "the first administrator", drawn.server.database.now(session), is_admin=True)
    page.goto(f"{drawn.address}/register#invitation={code}")
    assert page.get_by_label("Invitation").input_value() == code  # and it is shown
    assert code not in page.url
    for label, text in (("User name", "root"), ("Team", "Keepers"), ("Password again", PASSWORD)):
        page.get_by_label(label).fill(text)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Register").click()
    page.get_by_role("link", name="Administration").click()
    page.get_by_label("For whom").fill("Ben")
    page.get_by_role("button", name="Invite").click()
    assert "/register#invitation=" in page.locator("#invitation").inner_text()
    page.get_by_label("Delete ben").click()
    expect(page.get_by_role("button", name="Delete ben for good")).to_be_visible()
    take("admin")
    assert fits(page)
    page.get_by_role("button", name="Delete ben for good").click()
    expect(page.get_by_role("region", name="All users").get_by_role("row", name="ben")).to_contain_text("deleted")
    page.get_by_role("link", name="root").click()
    page.get_by_label("Label of a new token").fill("laptop")
    page.get_by_role("button", name="Make a token").click()
    assert page.locator("#token").inner_text().startswith("icvos_")
    take("account")
    assert fits(page)
    page.get_by_role("link", name="API").click()
    page.get_by_role("heading", name="Send predictions").wait_for()
    take("api")
    assert fits(page)
    page.get_by_role("button", name="Log out").click()
    page.get_by_role("link", name="Log in", exact=True).click()
    take("login")
    page.get_by_label("User name").fill("root")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("link", name="Administration")).to_be_visible()
