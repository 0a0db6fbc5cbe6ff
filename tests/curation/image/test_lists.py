"""The published lists: names out of foreign paths, the form to the letter, and nothing that is evaluated."""

from pathlib import Path

import pytest

from curation.image import lists
from curation.image.lists import read_listing
from icvos.errors import IcvosError
from tests.curation.sources.source_folders import write_text


def listing(tmp_path: Path, text: str, classes: int = 80) -> dict[str, set[int]]:
    write_text(tmp_path / "val" / "sub_class_file_list_0.txt", text)
    return {key: set(kinds) for key, kinds in read_listing(tmp_path, "val", classes).items()}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{1: [('a.jpg', 'a.png')]}", {"a": {1}}),
        ("{1: [('/root/x/val2014/COCO_val2014_000000000139.jpg', 'x.png')], 80: []}\n", {"000000000139": {1}}),
        ("{2: [(\"D:\\\\voc's\\\\2007_000033.jpg\", 'x'), ('b.jpg', 'b')], }", {"2007_000033": {2}, "b": {2}}),
        ("{1: [('a.jpg', 'a')], 2: [('a.jpg', 'a'), ('a.jpg', 'a')]}", {"a": {1, 2}}),
        ("{1:[('../../../etc/passwd','a'),],}", {"passwd": {1}}),
        (" { 1 : [ ( 'a.jpg' , 'a' ) , ('b.jpg','b') ] } ", {"a": {1}, "b": {1}}),
    ],
)
def test_names_are_read_out_of_foreign_paths(tmp_path: Path, text: str, expected: dict[str, set[int]]) -> None:
    assert listing(tmp_path, text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{1: [('a.jpg', 'a')]",
        "{1: [('a.jpg', 'a'}",
        "{1: [('a.jpg',)]}",
        "{1: [('a.jpg', 'a')('b.jpg', 'b')]}",
        "{1: [('a.jpg', 'a')] 2: []}",
        "{1: ['a.jpg']}",
        "{'1': [('a.jpg', 'a')]}",
        "{1: [('a.jpg', 'a')] + [('b.jpg', 'b')]}",
        "{1: [(__import__('os').getcwd(), 'a')]}",
        "__import__('os').system('true')",
        "{" * 100_000 + "}" * 100_000,
        "{1: " + "[" * 100_000 + "]}",
        "{" + "-" * 100_000 + "1: []}",
        "{1: [('a\n.jpg', 'a')]}",
    ],
)
def test_another_form_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(IcvosError, match=r"sub_class_file_list_0\.txt: expected \{class: .*fetch the list again"):
        listing(tmp_path, text)


def test_a_class_that_is_none_is_refused(tmp_path: Path) -> None:
    for kind in (0, 21, 255):
        with pytest.raises(IcvosError, match=rf"list_0\.txt: class {kind}; class numbers are 1\.\.20"):
            listing(tmp_path, f"{{{kind}: [('a.jpg', 'a')]}}", classes=20)


def test_a_file_that_is_too_large_or_no_text_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "LARGEST", 1 << 20)
    with pytest.raises(IcvosError, match=r"list_0\.txt: larger than 1 MiB"):
        listing(tmp_path, "{1: []}" + " " * (1 << 20))
    (tmp_path / "val" / "sub_class_file_list_0.txt").write_bytes(b"\x80\x04\x95cposix\nsystem\n")
    with pytest.raises(IcvosError, match=r"list_0\.txt: cannot be read .*utf-8"):
        read_listing(tmp_path, "val", 80)


def test_the_last_line_of_a_data_list_counts(tmp_path: Path) -> None:
    write_text(tmp_path / "fss_list" / "train" / "data_list_all.txt", "/x/a.jpg /x/a.png\r\n\n/x/b.jpg /x/b.png")
    assert read_listing(tmp_path, "train", 80) == {"a": frozenset(), "b": frozenset()}


def test_pickles_are_not_read(tmp_path: Path) -> None:
    write_text(tmp_path / "splits" / "val" / "fold0.pkl", "cposix\nsystem\n")
    with pytest.raises(IcvosError, match="pickled splits are not read, since they can run code"):
        read_listing(tmp_path, "val", 80)
