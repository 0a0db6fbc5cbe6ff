"""A reviewer with a browser and a keyboard. Where ``ICVOS_SCREENSHOTS`` names a folder, pictures are left there."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("fastapi", reason="the review needs: pip install 'icvos[review]'")
pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")

from playwright import sync_api

from curation.review.desk import REASONS
from curation.review.events import of_video, read_events
from curation.review.spelling import codes
from curation.video.rows import CurationRow, read_rows, write_rows
from tests.conftest import CHROMIUM, World, icvos, watched_page
from tests.curation.review.desks import desk_of, served
from tests.killing import tree

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium; on Debian: apt-get install chromium"),
    pytest.mark.slow,
]
VIDEOS = 10


@pytest.fixture
def page(browser: "Browser") -> "Iterator[Page]":
    with watched_page(browser, 1366, 768, harmless="net::") as found:  # a server that is gone
        yield found


@pytest.fixture(scope="module")
def larger(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A small world with enough videos."""
    root = tmp_path_factory.mktemp("larger") / "world"
    icvos("smallworld", root, "--scale", "tiny", "--videos", str(VIDEOS))
    return World(root)


def picture(page: "Page", name: str) -> None:
    """Take a picture of both usual sizes, where somebody wants it."""
    folder = os.environ.get("ICVOS_SCREENSHOTS")
    if not folder:
        return
    for width, height in ((1280, 800), (1366, 768)):
        page.set_viewport_size({"width": width, "height": height})
        page.screenshot(path=f"{folder}/review-{name}-{width}.png")


def wait_for(page: "Page", video: str) -> None:
    page.wait_for_selector(f"body[data-shown='{video}']")


def shown(page: "Page") -> str:
    page.wait_for_selector("body[data-shown]")
    return str(page.evaluate("document.body.dataset.shown"))


def strokes(rows: tuple[CurationRow, ...]) -> list[str]:
    """The keys that decide a video so: each object's category, then what is not accepted, then Enter."""
    keys: list[str] = []
    of_object = {number: row for row in rows for number in row.objects}
    numbers = sorted(of_object)
    one = len({row.key for row in rows}) == 1
    if one and len(numbers) > 1:
        keys.append("Shift+A")
    judged = set()
    for place, number in enumerate(numbers):
        row = of_object[number]
        assert row.category
        if place and not one:
            keys.append("Tab")
        if not place or not one:
            keys += codes()[row.category.name]
        if row.decision != "accepted" and row.key not in judged:
            keys += ["Shift+U"] if row.decision == "undecided" else ["Shift+R", str(REASONS.index(row.reason) + 1)]
            judged.add(row.key)
    return [*keys, "Enter"]


def judged(rows: tuple[CurationRow, ...]) -> list[tuple[object, ...]]:
    return sorted((row.source, row.video, row.key[2], row.objects, row.decision, row.reason) for row in rows)


def test_ten_videos_are_reviewed_by_keyboard_alone(larger: World, tmp_path: Path, page: "Page") -> None:
    """And a benchmark that is built from what was reviewed equals one from the same rows typed by hand."""
    truth = of_video(read_rows(larger.root / "curation.csv"))
    desk = desk_of(larger, tmp_path / "reviewed.csv")
    by_hand: list[CurationRow] = []
    with served(desk) as address:
        page.goto(address)
        for _ in range(VIDEOS):
            video = shown(page)
            source, _, name = video.partition("/")
            rows = truth[source, name]  # type: ignore[index]
            picture(page, name)
            keys = strokes(rows)
            if len({row.key for row in rows}) == 1 and rows[0].decision == "accepted":
                assert len(keys) <= 4
            for key in keys:
                page.keyboard.press(key)
            page.wait_for_function("video => document.body.dataset.shown !== video", arg=video)
            by_hand += [
                row.model_copy(update={"reason": "unsure" if row.decision == "undecided" else row.reason})
                for row in rows
            ]
        sync_api.expect(page.locator("#counts")).to_contain_text(f"{VIDEOS} of {len(desk.videos)}")
    assert judged(read_rows(desk.ledger.path)) == judged(tuple(by_hand))
    write_rows(tmp_path / "typed.csv", by_hand)
    sources = ("--mose", larger.root / "mose", "--lvos", larger.root / "lvos", "--coco", larger.root / "coco")
    for name in ("reviewed", "typed"):
        icvos("build", *sources, "--curation", tmp_path / f"{name}.csv", "--out", tmp_path / name)
    assert tree(tmp_path / "reviewed") == tree(tmp_path / "typed")


def test_what_is_undone_comes_back_to_be_decided_again(world: World, tmp_path: Path, page: "Page") -> None:
    desk = desk_of(world, tmp_path / "rows.csv")
    with served(desk) as address:
        page.goto(address)
        first = shown(page)
        for key in ("Shift+A", "d", "o", "Enter"):
            page.keyboard.press(key)
        page.wait_for_function("video => document.body.dataset.shown !== video", arg=first)
        assert {row.category.name for row in read_rows(desk.ledger.path) if row.category} == {"dog"}
        page.keyboard.press("Control+Z")
        wait_for(page, first)
        for key in ("Shift+A", "c", "a", "t"):
            page.keyboard.press(key)
        page.keyboard.press("Shift+R")
        page.keyboard.press("0")
        page.keyboard.type("It is drawn")
        page.keyboard.press("Enter")
        page.keyboard.press("Enter")
        page.wait_for_function("video => document.body.dataset.shown !== video", arg=first)
    found = [row for row in read_rows(desk.ledger.path) if f"{row.source}/{row.video}" == first]
    assert [(row.category and row.category.name, row.decision, row.reason) for row in found] == [
        ("cat", "rejected", "It is drawn")
    ]
    assert [event.kind for event in read_events(desk.ledger.log)] == ["decide", "undo", "decide"]


def test_an_object_without_a_category_keeps_the_video(world: World, tmp_path: Path, page: "Page") -> None:
    desk = desk_of(world, tmp_path / "rows.csv")
    with served(desk) as address:
        page.goto(address)
        video = shown(page)
        page.keyboard.press("Enter")
        sync_api.expect(page.get_by_role("alert")).to_contain_text("has no category yet")
        assert shown(page) == video
        for key in ("Shift+A", "n", "o", "Enter"):
            page.keyboard.press(key)
        page.wait_for_function("video => document.body.dataset.shown !== video", arg=video)
    assert [(row.category, row.decision, row.reason) for row in read_rows(desk.ledger.path)] == [
        (None, "rejected", "no COCO class")
    ]


def test_keys_can_be_changed_and_stay(world: World, tmp_path: Path, page: "Page") -> None:
    desk = desk_of(world, tmp_path / "rows.csv")
    with served(desk) as address:
        page.goto(address)
        shown(page)
        page.keyboard.press("?")
        picture(page, "keys")
        page.get_by_role("button", name="Accept the video").click()
        page.keyboard.press("Shift+K")
        page.get_by_role("button", name="Close", exact=True).click()
        page.reload()
        video = shown(page)
        for key in ("Shift+A", "d", "o", "Enter"):
            page.keyboard.press(key)
        page.keyboard.press("Shift+K")
        page.wait_for_function("video => document.body.dataset.shown !== video", arg=video)
    assert len(read_events(desk.ledger.log)) == 1


def test_a_dispute_is_settled_by_taking_one_side(world: World, tmp_path: Path, page: "Page") -> None:
    path = tmp_path / "rows.csv"
    anna, ben = desk_of(world, path), desk_of(world, path, "ben")
    key = next(iter(anna.videos))
    objects = anna.shown(key)["objects"]
    anna.decide(key, [{"class": "dog", "objects": objects, "decision": "accepted"}], None)
    ben.decide(key, [{"class": "cat", "objects": objects, "decision": "accepted"}], None)
    with served(desk_of(world, path, "carla", disputes=True)) as address:
        page.goto(address)
        wait_for(page, "/".join(key))
        picture(page, "dispute")
        page.keyboard.press("Alt+2")
        page.keyboard.press("Enter")
        page.get_by_text("No video is disputed").wait_for()
        sync_api.expect(page.locator("#first")).to_be_hidden()
        sync_api.expect(page.locator("#nothing")).to_contain_text(f"Of {len(anna.videos)} videos: ")
        page.get_by_role("button", name="Show all videos").click()
        page.wait_for_selector("body:not(.empty)")
        sync_api.expect(page.locator("#first")).to_be_visible()
    found = read_rows(path)
    assert [(row.category and row.category.name, row.who) for row in found] == [("cat", "anna, ben, settled by carla")]


def test_a_server_that_is_gone_is_said_and_the_decision_waits(world: World, tmp_path: Path, page: "Page") -> None:
    desk = desk_of(world, tmp_path / "rows.csv")
    with served(desk) as address:
        page.goto(address)
        video = shown(page)
        page.route("**/api/decide", lambda route: route.abort())
        for key in ("Shift+A", "d", "o", "Enter"):
            page.keyboard.press(key)
        sync_api.expect(page.get_by_role("alert")).to_contain_text("the server does not answer")
        assert shown(page) == video
        page.unroute("**/api/decide")
        page.keyboard.press("Enter")
        page.wait_for_function("video => document.body.dataset.shown !== video", arg=video)
    assert len(read_events(desk.ledger.log)) == 1


def test_the_queue_can_be_narrowed_and_ordered(larger: World, tmp_path: Path, page: "Page") -> None:
    desk = desk_of(larger, tmp_path / "rows.csv")
    keys = list(desk.videos)
    objects = desk.shown(keys[2])["objects"]
    desk.decide(keys[2], [{"class": "dog", "objects": objects, "decision": "accepted"}], None)
    longest = max(keys, key=lambda key: len(desk.videos[key].frames))
    with served(desk) as address:
        page.goto(address)
        wait_for(page, "/".join(keys[0]))
        page.select_option("#filter", "accepted")
        wait_for(page, "/".join(keys[2]))
        page.select_option("#category", "dog")
        assert shown(page) == "/".join(keys[2])
        page.select_option("#filter", "open")
        page.get_by_text("No video is undecided").wait_for()
        page.select_option("#category", "all")
        page.select_option("#source", longest[0])
        page.select_option("#order", "long")
        page.select_option("#filter", "disputed")
        page.select_option("#filter", "open")
        wait_for(page, "/".join(longest))


def test_the_page_can_be_used_by_everybody(world: World, tmp_path: Path, page: "Page") -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
    desk = desk_of(world, tmp_path / "rows.csv")
    with served(desk) as address:
        page.goto(address)
        shown(page)
        page.keyboard.press("?")
        found = axe.Axe().run(page).response["violations"]
        page.keyboard.press("?")
        found += axe.Axe().run(page).response["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]][:3]) for one in found] == []


def test_a_video_is_shown_once_more_as_if_it_were_new(world: World, tmp_path: Path, page: "Page") -> None:
    desk = desk_of(world, tmp_path / "rows.csv", again=1)
    with served(desk) as address:
        page.goto(address)
        video = shown(page)
        for key in ("Shift+A", "d", "o", "Enter"):
            page.keyboard.press(key)
        page.get_by_text("once more").wait_for()
        assert shown(page) == video
        page.keyboard.press("Enter")
        sync_api.expect(page.get_by_role("alert")).to_contain_text("has no category yet")
        for key in ("Shift+A", "d", "o", "Enter"):
            page.keyboard.press(key)
        page.wait_for_function("video => document.body.dataset.shown !== video", arg=video)
        sync_api.expect(page.locator("#counts")).to_contain_text("again: 1 of 1 the same")
    assert [event.kind for event in read_events(desk.ledger.log)] == ["decide", "again"]


def test_an_object_that_is_clicked_on_comes_into_focus(larger: World, tmp_path: Path, page: "Page") -> None:
    desk = desk_of(larger, tmp_path / "rows.csv")
    key = next(key for key in desk.videos if len(desk.first(key).objects) > 1)
    number, drawn = list(desk.first(key).objects.items())[-1]
    height, width = desk.first(key).size
    with served(desk) as address:
        page.goto(address)
        while shown(page) != "/".join(key):
            before = shown(page)
            page.keyboard.press("Shift+N")
            page.wait_for_function("video => document.body.dataset.shown !== video", arg=before)
        box = page.locator("#picture").bounding_box()
        assert box
        page.mouse.click(box["x"] + drawn.x / width * box["width"], box["y"] + drawn.y / height * box["height"])
        sync_api.expect(page.locator("#objects .here .number")).to_have_text(str(number))
