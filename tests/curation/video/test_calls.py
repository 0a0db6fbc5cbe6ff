"""The calls behind `icvos build` and `icvos curate`: what they return, what they tell their watch, what they refuse."""

import json
import shutil
from pathlib import Path

import pytest

from curation.video.build import build
from curation.video.candidates import write_candidates
from curation.video.check import check_benchmark
from curation.video.plan import make_plan
from curation.video.recover import recover_rows
from curation.video.rows import read_rows, shipped_rows, write_rows
from curation.video.supports import SupportOptions
from icvos.errors import IcvosError
from icvos.files.schema import read_schema
from icvos.tasks.video.benchmark import Benchmark
from icvos.tasks.video.manifest import MANIFEST, SUPPORTS, Manifest, Supports
from tests.conftest import World
from tests.curation.notes import Notes
from tests.curation.sources.source_folders import ONE, write_davis, write_mask, write_youtube_vos


def test_one_call_builds_what_the_command_builds(world: World, benchmark: Benchmark, tmp_path: Path) -> None:
    sources = {name: world.root / name for name in ("davis", "mose", "lvos")}
    watch, out = Notes(), tmp_path / "b"
    manifest = build(str(out), coco=world.root / "coco", curation=[world.root / "curation.csv"], watch=watch, **sources)
    assert manifest == benchmark.manifest == read_schema(out / MANIFEST, Manifest, "", "")
    classes = {clip.category.index for clip in benchmark.clips}
    assert watch.counted["videos"] == len(benchmark.videos)
    assert watch.counted["supports"] >= len(classes)
    assert watch.totals == [watch.counted["supports"], watch.counted["videos"]]
    assert (out / SUPPORTS).read_bytes() == (benchmark.root / SUPPORTS).read_bytes()
    assert check_benchmark(out, watch=watch) == []
    assert watch.counted["check"] == len(benchmark.clips)


def test_what_the_caller_should_know_is_noted(world: World, tmp_path: Path) -> None:
    rows = [row for row in read_rows(world.root / "curation.csv") if row.source == "davis"]
    undecided = [row.model_copy(update={"decision": "undecided"}) for row in rows[1:]]
    write_rows(tmp_path / "rows.csv", [rows[0], *undecided])
    watch = Notes()
    make_plan(davis=world.root / "davis", mose=world.root / "mose", curation=tmp_path / "rows.csv", watch=watch)
    assert watch.notes[0] == "no --coco, so the benchmark has no supports; only oracle can run on it"
    assert watch.notes[1].startswith(f"{sum(row.category is not None for row in undecided)} undecided clips are left")
    assert watch.notes[2].startswith("mose: ")
    assert "videos have no curation row" in watch.notes[2]
    quiet = Notes()
    choice = {"davis": world.root / "davis", "curation": tmp_path / "rows.csv", "only_decided": True}
    make_plan(watch=quiet, **choice)  # type: ignore[arg-type]
    assert len(quiet.notes) == 1


def test_what_is_not_read_of_coco_is_listed_and_said(world: World, tmp_path: Path) -> None:
    shutil.copytree(world.root / "coco", tmp_path / "coco")
    path = tmp_path / "coco" / "annotations" / "instances_val2017.json"
    value = json.loads(path.read_text())
    value["annotations"][3]["iscrowd"] = "1"
    value["annotations"][4]["image_id"] = 999_999_999
    path.write_text(json.dumps(value))
    crowd, stray = (value["annotations"][place]["id"] for place in (3, 4))
    watch = Notes()
    plan = make_plan(
        davis=world.root / "davis", coco=tmp_path / "coco", curation=world.root / "curation.csv", watch=watch
    )
    assert [(entry.video, entry.reason) for entry in plan.left_out if entry.source == "coco"] == [
        ("val2017", f"2 annotations marked as a crowd (iscrowd 1), so no instance: {crowd}, 900100005275"),
        ("val2017", f"1 annotation of images that it does not list: {stray}"),
    ]
    assert f"{path}: left out: 1 annotation of images that it does not list: {stray}" in watch.notes


def test_an_error_comes_before_the_note_on_supports(world: World, tmp_path: Path) -> None:
    watch = Notes()
    with pytest.raises(IcvosError, match="absent"):
        make_plan(davis=world.root / "davis", curation=tmp_path / "absent.csv", watch=watch)
    assert watch.notes == []


def test_a_published_copy_takes_no_curation_file(world: World, built: Path) -> None:
    with pytest.raises(IcvosError, match="--published has its categories already; leave out --curation"):
        make_plan(published=built, curation=world.root / "curation.csv")


def test_a_split_of_supports_without_their_data_set_is_refused(world: World) -> None:
    with pytest.raises(IcvosError, match=r"--coco-split val2017: .* give --coco as well"):
        make_plan(davis=world.root / "davis", coco_split="val2017")


def test_few_supports_are_noted(world: World, tmp_path: Path) -> None:
    watch = Notes()
    arguments = {"davis": world.root / "davis", "coco": world.root / "coco", "curation": world.root / "curation.csv"}
    build(tmp_path / "b", supports=SupportOptions(per_class=2, shots=7), watch=watch, **arguments)
    supports = read_schema(tmp_path / "b" / SUPPORTS, Supports, "", "")
    assert supports.shots == 7
    assert watch.notes[-1].startswith("fewer support images than the 7 of a draw: ")


@pytest.mark.parametrize("name", ["per_class", "draws", "shots"])
def test_options_that_choose_nothing_are_refused(name: str) -> None:
    with pytest.raises(IcvosError, match=f"{name} is 0; it must be 1 or more"):
        SupportOptions(**{name: 0})


def test_records_of_another_recipe_are_made_again_and_broken_ones_are_named(world: World, tmp_path: Path) -> None:
    arguments = {"davis": world.root / "davis", "coco": world.root / "coco", "curation": world.root / "curation.csv"}
    out = tmp_path / "b"
    build(out, **arguments)
    path = next((out / ".build" / "videos").iterdir())
    before = path.read_text()
    video = out / "videos" / path.stem
    inode = video.stat().st_ino
    build(out, **arguments)
    assert video.stat().st_ino == inode
    path.write_text(before.replace('"recipe": "1 ', '"recipe": "0 '))
    build(out, **arguments)
    assert path.read_text() == before
    assert video.stat().st_ino != inode
    for text in ("", "[]", "{}", before.replace('"frames"', '"pictures"')):
        path.write_text(text)
        with pytest.raises(IcvosError, match=rf"{path.name}: .*; remove it and build again"):
            build(out, **arguments)
    path.unlink()
    build(out, **arguments)
    assert path.read_text() == before


def test_a_record_of_supports_that_contradicts_itself_is_named_and_the_advice_helps(
    world: World, tmp_path: Path
) -> None:
    arguments = {"davis": world.root / "davis", "coco": world.root / "coco", "curation": world.root / "curation.csv"}
    out = tmp_path / "b"
    manifest = build(out, **arguments)
    folder = out / ".build" / "supports"
    path = next(folder.iterdir())
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "names": record["names"][:1] * 2}))
    with pytest.raises(IcvosError, match=f"{folder}: .*; remove the folder and build again"):
        build(out, **arguments)
    shutil.rmtree(folder)
    assert build(out, **arguments) == manifest


def test_candidates_are_the_videos_without_a_row(tmp_path: Path) -> None:
    root, watch = write_davis(tmp_path / "davis", ("bear", "hen", "wind")), Notes()
    for path in (root / "Annotations" / "480p" / "wind").iterdir():
        write_mask(path, 0 * ONE)
    found = write_candidates(tmp_path / "rows.csv", davis=root, watch=watch)
    rows = found.rows
    assert "bear" in {row.video for row in shipped_rows()}
    assert [(row.video, row.category, row.objects, row.decision) for row in rows] == [("hen", None, (1,), "undecided")]
    assert read_rows(tmp_path / "rows.csv") == rows
    assert [(entry.video, entry.reason) for entry in found.left_out] == [
        ("bear", "has a row that ships with icvos; --shipped writes it too"),
        ("wind", "no object in any mask"),
    ]
    with pytest.raises(IcvosError, match=r"rows\.csv: exists; choose another --out"):
        write_candidates(tmp_path / "rows.csv", davis=root)
    with pytest.raises(IcvosError, match="no source: give at least one"):
        write_candidates(tmp_path / "other.csv")


def test_what_a_data_set_names_is_filled_in_and_left_to_be_decided(tmp_path: Path) -> None:
    objects = {1: "dog", 2: "sedan", 3: "dog", 10: "shark"}
    root = write_youtube_vos(tmp_path / "yt", {"0a1b2c3d4e": objects, "0a1b2c3d4f": {1: "bike"}})
    rows = write_candidates(tmp_path / "rows.csv", youtube_vos=root).rows
    assert read_rows(tmp_path / "rows.csv") == rows
    assert {row.decision for row in rows} == {"undecided"}
    assert [(row.video, row.category.name if row.category else "", row.objects) for row in rows] == [
        ("0a1b2c3d4e", "dog", (1, 3)),
        ("0a1b2c3d4e", "", (2, 10)),
        ("0a1b2c3d4f", "bicycle", (1,)),
    ]
    assert rows[0].reason == "YouTube-VOS says dog; is every dog of the first frame annotated?"
    assert rows[1].reason.endswith("YouTube-VOS says: 2 sedan (perhaps a car), 10 shark (no COCO class)")


def test_more_sources_than_the_papers_make_another_benchmark(world: World, tmp_path: Path) -> None:
    root = write_youtube_vos(tmp_path / "yt", {"0a1b2c3d4e": {1: "dog"}})
    write_candidates(tmp_path / "more.csv", youtube_vos=root)
    given = {"davis": world.root / "davis", "curation": [world.root / "curation.csv", tmp_path / "more.csv"]}
    assert make_plan(**given).name == "IC-VOS"
    # read, but nothing is built of it
    assert make_plan(youtube_vos=root, **given).name == "IC-VOS"
    given |= {"youtube_vos": root, "accept_undecided": True}
    assert make_plan(**given).name == "IC-VOS-grown"
    assert make_plan(name="IC-VOS-2", **given).name == "IC-VOS-2"
    with pytest.raises(IcvosError, match="--name ic-vos: YouTube-VOS is no source of IC-VOS; give another name"):
        make_plan(name="ic-vos", **given)
    with pytest.raises(IcvosError, match=r"--name: '\.\./x' cannot name a file"):
        make_plan(name="../x", **given)
    manifest = build(tmp_path / "b", **given)
    assert (manifest.name, sorted(manifest.sources)) == ("IC-VOS-grown", ["davis", "youtube-vos"])
    assert Benchmark.open(tmp_path / "b").clip("youtube-vos_0a1b2c3d4e/17").video.source == "youtube-vos"


def test_recovery_tells_what_does_not_match(benchmark: Benchmark, world: World, tmp_path: Path) -> None:
    for video in benchmark.videos:
        shutil.copytree(video.folder, tmp_path / "published" / video.name.partition("_")[2])
    watch = Notes()
    findings = recover_rows(tmp_path / "rows.csv", tmp_path / "published", davis=world.root / "davis", watch=watch)
    missed = [finding for finding in findings if finding.row is None]
    assert watch.notes == [f"no match: {finding.clip}: {finding.reason}" for finding in missed]
    assert watch.counted == {"recover": len(benchmark.videos)}
    assert set(read_rows(tmp_path / "rows.csv")) == {finding.row for finding in findings} - {None}
    other = write_davis(tmp_path / "other", ("hen",))
    with pytest.raises(
        IcvosError, match=rf"none of {len(findings)} clips match the sources; .*none\.csv was not written"
    ):
        recover_rows(tmp_path / "none.csv", tmp_path / "published", davis=other)
    assert not (tmp_path / "none.csv").exists()


def test_a_name_that_no_manifest_takes_is_said(tmp_path: Path) -> None:
    root = write_davis(tmp_path / "davis", ("do\u200bg",))
    row = shipped_rows()[0].model_copy(update={"video": "do\u200bg", "decision": "accepted"})
    write_rows(tmp_path / "rows.csv", [row])
    with pytest.raises(IcvosError, match=r"a video of davis: .* cannot name a file or folder"):
        build(tmp_path / "b", davis=root, curation=tmp_path / "rows.csv")
    assert not (tmp_path / "b").exists()
