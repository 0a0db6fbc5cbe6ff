"""Names that came from a file and lead elsewhere: refused wherever they would become part of a path."""

import json
import shutil
from pathlib import Path

import pytest

from icvos.errors import IcvosError, printable
from icvos.files.names import name_fault, path_fault, plain_name, require_inside
from tests.conftest import World, icvos
from tests.icvos.tasks.image.tiny_episodes import write_images

BAD = {
    "": "is empty",
    ".": "begins or ends",
    "..": "begins or ends",
    ".hidden": "begins or ends",
    "dog.": "begins or ends",
    " dog": "begins or ends",
    "dog ": "begins or ends",
    "../dog": "slash",
    "/etc": "slash",
    "a/b": "slash",
    "a\\b": "slash",
    "C:dog": "drive",
    "dog\0": "shown",
    "dog\n": "shown",
    "\x1b[2J": "shown",
    "dog\u202egpj": "shown",
    "dog\u200b": "shown",
    "dog\u3164": "shown",
    "\udce9": "shown",
    "NUL": "device",
    "com1.png": "device",
    "d" * 201: "longer",
    "é" * 101: "longer",
}
GOOD = ("davis_dog", "00001", "é", "000000000139.jpg", "a b", "auxiliary", "犬", "x" * 200, "2007_000033")


@pytest.mark.parametrize(("name", "words"), BAD.items(), ids=map(ascii, BAD))
def test_what_is_no_name_is_refused(name: str, words: str) -> None:
    assert words in name_fault(name)
    assert words in path_fault(f"train/{name}") or "/" in name
    with pytest.raises(IcvosError, match="cannot name a file or folder") as caught:
        plain_name(name, "a video")
    assert printable(str(caught.value)) == str(caught.value)


@pytest.mark.parametrize("name", GOOD)
def test_what_is_a_name_is_taken(name: str) -> None:
    assert name_fault(name) == "" == path_fault(f"{name}/{name}")
    assert plain_name(name, "a video") == name


@pytest.mark.parametrize("path", ["", "/", "/etc/passwd", "a//b", "a/../b", "a/", "a/" * 20 + "a"])
def test_what_is_no_plain_path_is_refused(path: str) -> None:
    assert path_fault(path)


def test_a_link_out_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out" / "real").mkdir(parents=True)
    (tmp_path / "out" / "inner").symlink_to("real")
    (tmp_path / "out" / "outer").symlink_to(tmp_path)
    (tmp_path / "out" / "circle").symlink_to("circle")
    require_inside(tmp_path / "out" / "inner" / "new", tmp_path / "out")
    for place in ("outer", "outer/x", "../x", ".", "real/../../x"):
        with pytest.raises(IcvosError, match="leads out of"):
            require_inside(tmp_path / "out" / place, tmp_path / "out")


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A user's folder that looks like a video, with a picture that must stay."""
    folder = tmp_path / "victim"
    folder.mkdir()
    (folder / "holiday.txt").write_text("mine")
    return folder


def kept(victim: Path) -> bool:
    return [path.name for path in victim.iterdir()] == ["holiday.txt"]


def _like_a_video(built: Path, victim: Path) -> None:
    """The files of a video beside what is the user's own."""
    source = sorted((built / "videos").iterdir())[0]
    for name in ("JPEGImages", "Annotations"):
        shutil.copytree(source / name, victim / name)


@pytest.mark.parametrize("command", ["build", "render", "info", "eval"])
def test_a_video_called_like_a_path_harms_nothing(built: Path, victim: Path, tmp_path: Path, command: str) -> None:
    hostile = tmp_path / "hostile"
    shutil.copytree(built, hostile)
    value = json.loads((hostile / "icvos.json").read_text())
    name = sorted(value["videos"])[0]
    value["videos"][str(victim)] = value["videos"].pop(name)
    (hostile / "icvos.json").write_text(json.dumps(value))
    _like_a_video(built, victim)
    before = sorted(victim.rglob("*"))
    arguments = {
        "build": ("build", "--published", hostile, "--out", tmp_path / "out"),
        "render": ("render", hostile, "--kind", "sheet", "--out", tmp_path / "out"),
        "info": ("info", hostile),
        "eval": ("eval", "--method", "oracle", "--benchmark", hostile, "--out", tmp_path / "out"),
    }[command]
    assert "cannot name a file or folder: it has a slash" in icvos(*arguments, status=2).stderr
    assert sorted(victim.rglob("*")) == before


def test_a_published_folder_with_an_odd_name_is_not_built(built: Path, tmp_path: Path) -> None:
    source = sorted((built / "videos").iterdir())[0]
    shutil.copytree(source, tmp_path / "published" / "dog\x1b[2J")
    line = icvos("build", "--published", tmp_path / "published", "--out", tmp_path / "out", status=2).stderr
    assert "cannot name a file or folder, it has characters that cannot be shown" in line
    assert "\x1b" not in line


@pytest.mark.parametrize("place", ["videos", "supports", ".build", ".build/videos", ".partial"])
def test_a_build_does_not_follow_links_in_its_folder(world: World, victim: Path, tmp_path: Path, place: str) -> None:
    out = tmp_path / "out"
    (out / ".build").mkdir(parents=True)
    if place == ".build":
        (out / ".build").rmdir()
    (out / place).symlink_to(victim)
    assert "leads out of" in icvos("build", *world.build_arguments, "--out", out, status=2).stderr
    assert kept(victim)


@pytest.mark.parametrize("record", ["...json", "..json", "link.json"])
def test_records_of_an_earlier_build_remove_nothing_else(
    world: World, victim: Path, tmp_path: Path, record: str
) -> None:
    out = tmp_path / "out"
    (out / ".build" / "videos").mkdir(parents=True)
    (out / "videos").mkdir()
    (out / "videos" / "link").symlink_to(victim)
    (out / "mine.txt").write_text("mine")
    (out / ".build" / "videos" / record).write_text("{}")
    icvos("build", *world.build_arguments, "--out", out, status=2 if record == "link.json" else 0)
    assert kept(victim)
    assert (out / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize("place", ["draw0", "draw0/VIDEO", "draw0/VIDEO/CLASS", ".partial"])
def test_a_run_does_not_follow_links_in_its_folder(built: Path, victim: Path, tmp_path: Path, place: str) -> None:
    video, _, kind = sorted(path.relative_to(built / "videos") for path in (built / "videos").glob("*/*/*"))[0].parts
    out = tmp_path / "out"
    link = out / place.replace("VIDEO", video).replace("CLASS", kind)
    link.parent.mkdir(parents=True)
    link.symlink_to(victim)
    if place != ".partial":
        (out / ".partial").mkdir()
    assert "leads out of" in icvos("eval", "--method", "oracle", "--benchmark", built, "--out", out, status=2).stderr
    assert kept(victim)


@pytest.mark.parametrize("place", ["fold0", "fold0/episodes.jsonl"])
def test_a_run_on_images_does_not_follow_links(victim: Path, tmp_path: Path, place: str) -> None:
    write_images(tmp_path / "tiny")
    out = tmp_path / "out"
    (out / place).parent.mkdir(parents=True)
    (out / ".partial").mkdir()
    (out / place).symlink_to(victim / "holiday.txt" if place.endswith("jsonl") else victim)
    assert (
        "leads out of"
        in icvos("eval", "--method", "oracle", "--benchmark", tmp_path / "tiny", "--out", out, status=2).stderr
    )
    assert kept(victim)
    assert (victim / "holiday.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("supports.json", lambda value: value["classes"].update({"1": ["../../victim/x"]})),
        ("supports.json", lambda value: value["draws"][0].update({"../x/17": ["000000000001"]})),
        ("supports.json", lambda value: value["draws"][0].update({"davis_dog/99": ["000000000001"]})),
        ("icvos.json", lambda value: value.update(name="../x")),
        ("icvos.json", lambda value: next(iter(value["videos"].values())).update(source="../x")),
        (
            "icvos.json",
            lambda value: next(iter(next(iter(value["videos"].values()))["clips"].values())).update(first_frame="../x"),
        ),
    ],
)
def test_other_names_of_a_benchmark_are_names(built: Path, tmp_path: Path, file: str, change: object) -> None:
    for name in ("icvos.json", "supports.json"):
        shutil.copy(built / name, tmp_path / name)
    (tmp_path / "videos").symlink_to(built / "videos")
    value = json.loads((tmp_path / file).read_text())
    assert callable(change)
    change(value)
    (tmp_path / file).write_text(json.dumps(value))
    line = icvos(
        "eval", "--method", "lite", "--benchmark", tmp_path, "--draws", "0", "--out", tmp_path / "out", status=2
    ).stderr
    assert "slash" in line or "no class of 1 to 80" in line


@pytest.mark.parametrize("name", ["../victim/holiday.jpg", "/etc/passwd", "a/../b.jpg", ".hidden.jpg"])
def test_pictures_of_an_image_benchmark_are_plain_paths(tmp_path: Path, name: str) -> None:
    write_images(tmp_path / "tiny")
    text = (tmp_path / "tiny" / "val.json").read_text()
    first = json.loads(text)["pictures"][0]["name"]
    (tmp_path / "tiny" / "val.json").write_text(text.replace(json.dumps(first), json.dumps(name)))
    line = icvos(
        "eval", "--method", "oracle", "--benchmark", tmp_path / "tiny", "--out", tmp_path / "out", status=2
    ).stderr
    assert "is not a relative path of plain names" in line or "not in val.json" in line
