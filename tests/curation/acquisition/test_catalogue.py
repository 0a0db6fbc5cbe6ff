"""The catalogue of data sets: complete, consistent, and refused where it is not."""

import re
from pathlib import Path

import pytest

from curation.acquisition.catalogue import choose, read_catalogue, shipped
from icvos.errors import IcvosError
from tests.conftest import icvos

ASKED_FOR = ("davis-2017", "mose", "lvos-v2", "youtube-vos-2019", "coco-val2017", "coco-train2017", "coco-val2014")
ASKED_FOR += ("coco-train2014", "voc-2012", "sbd", "coco-20i", "pascal-5i", "ic-vos")


def test_every_source_of_the_benchmarks_is_there() -> None:
    assert shipped().keys() == set(ASKED_FOR)


@pytest.mark.parametrize("source", [one for one in shipped().values() if not one.parts], ids=lambda one: one.name)
def test_every_source_says_what_a_user_has_to_know(source) -> None:  # type: ignore[no-untyped-def]
    for text in (source.title, source.what, source.used_by, source.folder, source.layout, source.licence):
        assert text
    assert source.terms.startswith("http")
    assert source.page.startswith("http")
    for archive in source.archives:  # what has an address of its own has a published hash, or says that it has none
        assert archive.hub or (archive.size and archive.sha256 and archive.holds)
        assert all(url.rpartition("/")[2] == archive.file for url in archive.urls)
        assert all(place.startswith(source.folder) for place in archive.holds)


def test_an_archive_of_two_sources_is_the_same_in_both() -> None:
    known: dict[str, object] = {}
    for source in shipped().values():
        for archive in source.archives:
            assert known.setdefault(archive.name, archive) == archive


def test_sources_are_chosen_once_and_parts_in_the_place_of_the_whole() -> None:
    chosen = [source.name for source in choose(shipped(), ["pascal-5i", "sbd", "davis-2017"])]
    assert chosen == ["voc-2012", "sbd", "davis-2017"]
    with pytest.raises(IcvosError, match=r"unknown data set 'davis'; did you mean davis-2017\?"):
        choose(shipped(), ["davis"])


def test_the_list_and_every_entry_can_be_shown() -> None:
    listed = icvos("data").output
    assert listed == icvos("data", "list").output
    for name in ASKED_FOR:
        assert re.search(rf"^ *{name}\b", listed, re.MULTILINE)
        assert "terms: http" in icvos("data", "show", name).output
    assert "by hand, as no stable address could be confirmed: open the page" in icvos("data", "show", "lvos-v2").output
    assert (
        "e3d0b5b77c3d031b000a19e0e25e3e2cac65d183755601bc2cf066df1a2aa492" in icvos("data", "show", "davis-2017").output
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[small", "is not TOML"),
        ("small = 3", "small"),
        ("[small]\ntitle = 'Small'", "small.what is missing"),
        ("[small]\ntitle='S'\nwhat='w'\nused_by='u'", "needs parts, archives, or by_hand"),
        ("[small]\ntitle='S'\nwhat='w'\nused_by='u'\nparts=['big']", "has the part big, which is not there"),
        ("[s]\ntitle='S'\nwhat='w'\nused_by='u'\nterms='t'\n[[s.archives]]\nfile='a.zip'", "needs urls, or else"),
        (
            "[s]\ntitle='S'\nwhat='w'\nused_by='u'\n[[s.archives]]\nfile='../a'\nurls=['http://a/b']",
            "not a relative path",
        ),
        ("[s]\ntitle='S'\nwhat='w'\nused_by='u'\n[[s.archives]]\nfile='a'\nurls=['file:///a/b']", "urls[0]"),
    ],
)
def test_a_catalogue_of_ones_own_is_refused_where_it_is_none(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "own.toml"
    path.write_text(text)
    with pytest.raises(IcvosError) as refusal:
        read_catalogue(path)
    assert said in str(refusal.value)
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_catalogue_that_is_not_there(tmp_path: Path) -> None:
    assert "cannot be read as a catalogue" in icvos("data", "list", "--catalogue", tmp_path / "x.toml", status=2).stderr
