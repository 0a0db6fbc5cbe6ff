"""The page of each result."""

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from icvos.files.storage import write_json
from icvos.tasks.result import frames_path
from icvos.tasks.task import parse_result
from icvos.tasks.video.curves import ClipCurves
from leaderboard.entry import Entry, read_entry
from leaderboard.site.build import build_site
from leaderboard.site.curves import draw
from leaderboard.site.run_pages import run_parts
from leaderboard.tables.build import build_tables
from tests import Json
from tests.leaderboard.conftest import CLIPS, Make
from tests.leaderboard.image_results import make_image_result
from tests.leaderboard.site.test_build import HOSTILE, Page


def pages(*entries: Entry, out: Path) -> dict[str, str]:
    build_site(entries, out)
    return {path.stem[4:]: path.read_text() for path in sorted((out / "runs").glob("*.html"))}


def test_clips_stand_with_the_worst_first(scores: Make) -> None:
    (table,) = build_tables([Entry("lite", "1", parse_result(scores(analysed=True), "lite"), Path("x"))])
    *groups, clips = run_parts(table, table.rows[0])
    assert [part.caption.split(",")[0] for part in groups] == ["By source", "By category", "By condition"]
    assert [name for name, _ in clips.rows][:2] == ["mose_0a43a414/1", "lvos_0tCWPOrc/9"]
    assert [text for text, _ in clips.rows[0][1]] == ["person", "80", "40.00", "50.00", "45.00", "100.00", "45.00"]
    assert len(clips.rows) == len(CLIPS)
    dogs = dict(groups[1].rows)["dog"]
    assert [text for text, _ in dogs] == ["2", "54.00", "64.00", "59.00"]


def test_of_images_there_are_folds_and_classes(tmp_path: Path) -> None:
    (text,) = pages(Entry("lite", "1", make_image_result(), Path("x")), out=tmp_path).values()
    for shown in ("By fold, per cent", "By class, per cent", "airplane", "Coco-20i, 1 shot", "rank 1"):
        assert shown in text, shown


def test_a_page_says_where_its_result_comes_from_and_leads_back(scores: Make, tmp_path: Path) -> None:
    entries = [
        Entry("lite", "2", parse_result(scores(), "lite"), Path("x")),
        Entry("half", "1", parse_result(scores(clips=3), "half"), Path("y")),
    ]
    found = pages(*entries, out=tmp_path)
    lite, half = (next(text for name, text in found.items() if name.startswith(start)) for start in ("lite", "half"))
    for shown in ("sha256 " + "ab" * 32, "top_k 10, radius 12", "rank 1", 'href="../index.html#table=video-paper-1-'):
        assert shown in lite, shown
    for shown in ("Partial results: not ranked", "scored on 3 of 6 clips only", "too few videos"):
        assert shown in half, shown
    index = Page((tmp_path / "index.html").read_text())
    for link in index.all("a"):
        target = link["href"] or ""
        assert not target.startswith("runs/") or (tmp_path / target).is_file()
    for text in found.values():
        page = Page(text)
        identifiers = [attributes["id"] for _, attributes in page.elements if attributes.get("id")]
        assert len(identifiers) == len(set(identifiers))
        for link in page.all("a"):
            place, _, fragment = (link["href"] or "").partition("#")
            assert (tmp_path / "runs" / place).is_file() if place else fragment in identifiers


@pytest.mark.parametrize("text", [HOSTILE, "</title><script>", "{{ 1 }}"])
def test_nothing_in_a_result_becomes_a_part_of_its_page(scores: Make, tmp_path: Path, text: str) -> None:
    made = parse_result(scores(settings={text: text}, device=text), "x")
    (page,) = pages(Entry(text, "1", made, Path("x"), notes=text), out=tmp_path).values()
    assert len(Page(page).scripts) == 1
    assert len(Page(page).all("title")) == 1
    assert "<script>alert" not in page


def write_curves(scores: Json, folder: Path, **changes: Any) -> Entry:
    """A result in a file with J and F of every frame beside it, all of a clip alike but for one frame of each half."""
    path, clips = folder / "scores.json", {}
    for name, clip in scores["clips"].items():
        count = clip["frames"]
        values = {key: [round(10_000 * clip[key])] * count for key in "jf"}
        for place, lower in ((count // 4, 3000), (count // 2 + 1, 2000)):
            values["j"][place] -= lower
            values["j"][place - 1] += lower
        clips[name] = {"frames": [f"{frame:05d}" for frame in range(count)], **values}
    write_json(path, scores)
    content = {"format": 1, "protocol": scores["protocol"], "digest": scores["digest"], "clips": clips}
    write_json(frames_path(path), content | changes)
    return read_entry(path)


def test_every_clip_has_its_curve_and_names_its_worst_frames(scores: Make, tmp_path: Path) -> None:
    entry = write_curves(scores(), tmp_path / "run")
    other = Entry("other", "1", parse_result(scores(j=0.4), "other"), Path("x"))
    lite, without = pages(entry, other, out=tmp_path / "site").values()
    page = Page(lite)
    drawings = [svg for svg in page.all("svg") if svg.get("role") == "img"]
    assert [svg["viewbox"] for svg in drawings].count("0 0 56 50") == 1  # 512 frames, nine to a point
    assert len(drawings) == len(CLIPS)
    assert "of long clips a point is the mean of up to 9 frames" in lite
    row = lite.partition('id="clip-davis_dog/17"')[2].partition("</tr>")[0]
    assert "<title>J and F of davis_dog/17 by frame</title>" in row
    assert "<bdi>00015</bdi>&nbsp;(50.00), <bdi>00031</bdi>&nbsp;(55.00)" in row
    assert '.html#a=lite&amp;clip=davis_dog/17"' in row
    assert "J and F by frame were not kept" in without
    (script,) = (tmp_path / "site" / "runs").glob("*.js")
    call = re.fullmatch(r'addClips\("\.\./runs/([^"]*)",(.*)\);\n', script.read_text())
    assert call
    assert call[1] == script.name
    dog = json.loads(call[2])["davis_dog/17"]
    assert dog["j"] in row
    assert dog["worst"] == [["00015", 15, "50.00"], ["00031", 31, "55.00"]]
    (compared,) = (tmp_path / "site" / "compare").iterdir()
    found = re.findall(r'"clips":([^,]*),', compared.read_text())
    assert sorted(found) == sorted([f'"../runs/{script.name}"', "null"])
    assert not [svg for svg in Page(without).all("svg") if svg.get("role") == "img"]


def test_curves_of_other_scores_are_not_drawn(scores: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    entry = write_curves(scores(), tmp_path / "run", protocol="native@1")
    (text,) = pages(entry, out=tmp_path / "site").values()
    assert "do not agree with it, and are not shown" in text
    assert "<title>J and F of" not in text
    assert "frames.json: protocol is native@1, that of the scores paper@1" in caplog.text


@pytest.mark.parametrize(
    ("j", "path", "worst"),
    [
        ([10_000], "M0 0l1 0", []),
        ([0, 10_000, 5000], "M0 50l1-50 1 25", ["0"]),
        ([7000, 7000, 7000], "M0 15l1 0 1 0", []),
        ([5000] * 9 + [4000] + [5000] * 10, "M0 25l" + "1 0 " * 8 + "1 5 1-5 " + " ".join(["1 0"] * 9), ["9"]),
    ],
)
def test_a_curve_falls_where_its_figures_do(j: list[int], path: str, worst: list[str]) -> None:
    names = tuple(str(place) for place in range(len(j)))
    found = draw(ClipCurves(frames=names, j=tuple(j), f=tuple(j)))
    assert (found.j, found.f) == (path, path)
    assert [frame.name for frame in found.worst] == worst


def test_long_clips_are_drawn_by_means_and_their_worst_frame_is_found() -> None:
    j = [9000] * 1000
    j[777] = 0
    found = draw(ClipCurves(frames=tuple(map(str, range(1000))), j=tuple(j), f=tuple(j)))
    assert (found.frames, found.width) == (17, 58)
    assert [(frame.name, frame.x, frame.jf) for frame in found.worst] == [("777", 45, 0.0)]
    assert found.j.count(" ") + found.j.count("-") >= 58


def test_hostile_names_of_clips_are_text_and_addresses(
    scores: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = '"><script>alert(1)</script> #&%27/17'
    renamed = {name if clip == "davis_dog/17" else clip: about for clip, about in CLIPS.items()}
    monkeypatch.setattr("tests.leaderboard.conftest.CLIPS", renamed)
    entries = [Entry(label, "1", parse_result(scores(), "x"), Path("x")) for label in ("a", "b")]
    for text in pages(*entries, out=tmp_path / "site").values():
        page = Page(text)
        assert len(page.scripts) == 1
        identifiers = [attributes["id"] for _, attributes in page.elements if attributes.get("id")]
        own = [link["href"] or "" for link in page.all("a") if "alert" in (link["href"] or "")]
        assert own[0].removeprefix("#") in identifiers
        assert parse_qs(own[1].partition("#")[2]) == {"a": [text.partition("<h1><bdi>")[2][:1]], "clip": [name]}
        assert not re.search(r'[\s"<>]', own[0] + own[1])


def test_hostile_names_of_frames_are_text(scores: Make, tmp_path: Path) -> None:
    made = scores(clips=1)
    frames = [HOSTILE] * 60
    (name,) = made["clips"]
    low = [round(10_000 * made["clips"][name]["j"])] * 60
    low[3], low[4] = low[3] - 2000, low[4] + 2000
    f = [round(10_000 * made["clips"][name]["f"])] * 60
    entry = write_curves(made, tmp_path / "run", clips={name: {"frames": frames, "j": low, "f": f}})
    (text,) = pages(entry, out=tmp_path / "site").values()
    assert "&lt;script&gt;alert(1)" in text
    assert len(Page(text).scripts) == 1


def test_pages_of_results_that_are_gone_are_gone(scores: Make, tmp_path: Path) -> None:
    entries = [Entry(name, "1", parse_result(scores(), name), Path(name)) for name in ("a", "b")]
    assert len(pages(*entries, out=tmp_path)) == 2
    assert len(pages(entries[0], out=tmp_path)) == 1
