"""The pages of the site before it is built: all of them are there, and what they link to."""

import posixpath
import re
from pathlib import Path

import click
import pytest

import icvos
from documentation.cards import own_methods
from documentation.pages import pages, write
from documentation.places import FENCE, LINK, OUTSIDE, headings, relinked, slug
from tests import ROOT
from tests.test_readme import COMMANDS

pytest.importorskip("torch", reason="the cards of methods read what the methods are")


@pytest.fixture(scope="module")
def site() -> dict[str, str]:
    return pages()


def test_links_lead_somewhere(site: dict[str, str]) -> None:
    anchors = {name: set(map(slug, headings(text))) for name, text in site.items()}
    for name, text in site.items():
        if name.startswith("source/"):
            continue
        for _, link, _ in LINK.findall(FENCE.sub("", text)):
            if OUTSIDE.match(link):
                continue
            path, _, anchor = link.partition("#")
            target = posixpath.normpath(posixpath.join(posixpath.dirname(name), path)) if path else name
            assert target in site or (ROOT / "docs" / target).is_file(), f"{name}: {link}"
            assert not anchor or anchor in anchors[target], f"{name}: {link}"


def test_every_command_with_its_options_is_on_a_page(site: dict[str, str]) -> None:
    text = "\n".join(page for name, page in site.items() if name.startswith("reference/commands/"))
    for path, command in COMMANDS.items():
        if path:
            section = re.search(rf"^#+ icvos {re.escape(' '.join(path))}$(.*?)(?=^#+ |\Z)", text, re.M | re.S)
            assert section, path
            for option in command.params:
                shown = isinstance(option, click.Option) and not option.hidden
                assert not shown or f"`{option.opts[0]}" in section[1], (path, option.name)


def test_every_call_of_the_face_is_documented(site: dict[str, str]) -> None:
    for name in icvos.__all__:
        assert f"heading: icvos.{name}\n" in site["reference/python.md"]


def test_every_method_has_a_card_in_the_navigation(site: dict[str, str]) -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert len(own_methods()) >= 12
    for name in own_methods():
        card = site[f"methods/{name}.md"]
        assert f"methods/{name}.md" in navigation, "add the card to nav in mkdocs.yml"
        for fact in ("uses text", "licence", "learned for this task", "masks of tested classes seen"):
            assert fact in card
        assert not card.endswith("|\n\n")


def test_cards_of_generalists_say_so(site: dict[str, str]) -> None:
    for name in ("painter", "seggpt"):
        assert (
            "| yes: a generalist, whose weights learned from masks of all classes of COCO" in site[f"methods/{name}.md"]
        )
        assert "MIT" in site[f"methods/{name}.md"]
    assert "SA-1B and SA-V have masks of everything" in site["methods/persam.md"]
    assert "| no: it learned from no mask |" in site["methods/lite.md"]


def test_the_start_page_has_the_picture_and_both_commands(site: dict[str, str]) -> None:
    assert "(picture.png)" in site["index.md"]
    assert "make demo " in site["index.md"]
    assert "make test " in site["index.md"]
    for command in ("pip install 'icvos[", "pip install './icvos-", "icvos demo ", "icvos doctor "):
        assert f"\n{command}" in site["index.md"], "who has the wheel alone starts here"
    assert "## What a number means" in site["tour.md"]


def test_code_is_not_relinked() -> None:
    text = "[a](../README.md)\n\n```\n[a](../README.md)\n```\n"
    assert relinked(text, "docs/a.md", "a.md") == "[a](index.md)\n\n```\n[a](../README.md)\n```\n"


def test_pages_are_called_by_their_titles_and_not_by_their_files() -> None:
    text = "[docs/weights.md](docs/weights.md#licences), [weights](docs/weights.md)"
    assert relinked(text, "README.md", "index.md") == "[Weights](weights.md#licences), [weights](weights.md)"


def test_what_was_written_before_is_gone(tmp_path: Path) -> None:
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "old.md").write_text("", encoding="utf-8")
    assert write(tmp_path / "pages") > 100
    assert not (tmp_path / "pages" / "old.md").exists()
    assert (tmp_path / "pages" / "picture.png").is_file()
    assert (tmp_path / "pages" / "schemas" / "run.schema.json").is_file()
