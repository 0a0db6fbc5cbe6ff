"""What a bundle for Codabench holds, by Codabench's documentation."""

import importlib.metadata
import json
import re
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

from icvos.errors import IcvosError
from icvos.files.images import image_size
from icvos.tasks.image.task import ImageTask
from icvos.tasks.task import open_task
from icvos.tasks.video.benchmark import Benchmark
from leaderboard.codabench.bundle import HERE, codabench
from leaderboard.codabench.wheels import PACKAGES, own_wheel
from tests import ROOT
from tests.conftest import icvos
from tests.icvos.handmade import write_benchmark
from tests.icvos.tasks.image.tiny_episodes import write_images

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")

# docs.codabench.org, Organizers, Benchmark Creation, Yaml Structure: what must be there, and what may
COMPETITION = (
    {"version", "title", "image", "terms", "pages", "phases", "tasks", "leaderboards"},
    {
        "description",
        "registration_auto_approve",
        "docker_image",
        "make_programs_available",
        "make_input_data_available",
        "queue",
        "enable_detailed_results",
        "show_detailed_results_in_submission_panel",
        "show_detailed_results_in_leaderboard",
        "contact_email",
        "reward",
        "auto_run_submissions",
        "can_participants_make_submissions_public",
        "forum_enabled",
        "solutions",
        "fact_sheet",
    },
)
PARTS = {
    "pages": ({"title", "file"}, set[str]()),
    "phases": (
        {"name", "start", "tasks"},
        {
            "index",
            "description",
            "end",
            "max_submissions",
            "max_submissions_per_day",
            "auto_migrate_to_this_phase",
            "execution_time_limit",
            "hide_output",
            "hide_prediction_output",
            "hide_score_output",
            "starting_kit",
            "public_data",
            "accepts_only_result_submissions",
        },
    ),
    "tasks": (
        {"index", "name", "scoring_program"},
        {"description", "input_data", "reference_data", "ingestion_program", "ingestion_only_during_scoring"},
    ),
    "leaderboards": ({"title", "key", "columns"}, {"submission_rule", "hidden"}),
}
COLUMN = ({"title", "key", "index"}, {"sorting", "computation", "computation_indexes", "precision", "hidden"})
RULES = {"Add", "Add_And_Delete", "Add_And_Delete_Multiple", "Force_Last", "Force_Latest_Multiple", "Force_Best"}
FILES = ("image", "terms")


def read(bundle: Path) -> tuple[Any, set[str]]:
    """competition.yaml, and the names of all files."""
    with zipfile.ZipFile(bundle) as archive:
        assert archive.testzip() is None
        return yaml.safe_load(archive.read("competition.yaml")), set(archive.namelist())


def require(found: Any, keys: tuple[set[str], set[str]]) -> None:
    assert keys[0] <= found.keys() <= keys[0] | keys[1]


@pytest.fixture(scope="module")
def handmade(tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    return write_benchmark(tmp_path_factory.mktemp("benchmark"))


@pytest.mark.parametrize("kind", ["video", "image"])
def test_settings_follow_the_documentation(kind: str, handmade: Benchmark, tmp_path: Path) -> None:
    root = handmade.root if kind == "video" else write_images(tmp_path / "tiny").root
    title = 'Whose "dog": 50 % – is it?'
    found, files = read(
        codabench(
            root, tmp_path / "bundle.zip", image="ours/icvos:1", title=title, start="2027-01-31", end="2027-02-01"
        )
    )
    require(found, COMPETITION)
    assert (found["version"], found["title"], found["docker_image"]) == (2, title, "ours/icvos:1")
    for part, keys in PARTS.items():
        assert found[part]
        for one in found[part]:
            require(one, keys)
    named = {found[key] for key in FILES} | {page["file"] for page in found["pages"]}
    (task,), (phase,), (board,) = found["tasks"], found["phases"], found["leaderboards"]
    assert named | {task["scoring_program"], task["reference_data"], "competition.yaml"} == files
    assert (phase["start"], phase["end"], phase["tasks"]) == (
        "2027-01-31 00:00:00",
        "2027-02-01 00:00:00",
        [task["index"]],
    )
    assert board["submission_rule"] in RULES
    for position, column in enumerate(board["columns"]):
        require(column, COLUMN)
        assert column["index"] == position
        assert column["sorting"] in ("asc", "desc")
        assert len(column["title"]) <= 36
    assert board["columns"][0]["key"] == {"video": "jf", "image": "miou"}[kind]
    assert len({column["key"] for column in board["columns"]}) == len(board["columns"])
    if kind == "image":
        assert {column["key"] for column in board["columns"]} >= {"fold_0", "fold_1", "shots", "fb_iou"}


def test_pages_have_no_holes(handmade: Benchmark, tmp_path: Path) -> None:
    with zipfile.ZipFile(codabench(handmade.root, tmp_path / "bundle.zip", image="a")) as archive:
        pages = {name: archive.read(name).decode() for name in archive.namelist() if name.endswith(".md")}
        (tmp_path / "logo.png").write_bytes(archive.read("logo.png"))
    assert all(len(text) > 300 and not re.search(r"[{]{2}|None|Undefined", text) for text in pages.values())
    assert handmade.digest in pages["pages/data.md"]
    assert "first 512 frames" in pages["pages/evaluation.md"]
    assert image_size(tmp_path / "logo.png") == (300, 300)


def unpack(bundle: Path, name: str, folder: Path) -> Path:
    with zipfile.ZipFile(bundle) as archive, archive.open(name) as file, zipfile.ZipFile(file) as inner:
        inner.extractall(folder)
    return folder


def test_truth_is_what_scoring_reads_and_no_more(handmade: Benchmark, tmp_path: Path) -> None:
    bundle = codabench(handmade.root, tmp_path / "bundle.zip", image="a")
    root = unpack(bundle, "reference_data.zip", tmp_path / "ref")
    masks = sum(len(clip.video.frames) for clip in handmade.clips)
    suffixes = [path.suffix for path in root.rglob("*") if path.is_file()]
    assert sorted(suffixes) == [".json"] * 2 + [".png"] * masks
    there = Benchmark.open(root)
    assert there.digest == handmade.digest
    for own, other in zip(there.videos, handmade.videos, strict=True):
        assert (own.frames, own.size) == (other.frames, other.size)
    next(iter((root / "videos").rglob("*.png"))).unlink()
    with pytest.raises(IcvosError, match=r"masks, but icvos\.json says \d+; run the icvos build that made it again"):
        [video.frames for video in Benchmark.open(root).videos]


def test_truth_of_episodes_has_no_pictures(tmp_path: Path) -> None:
    benchmark = write_images(tmp_path / "tiny")
    root = unpack(codabench(benchmark.root, tmp_path / "b.zip", image="a"), "reference_data.zip", tmp_path / "ref")
    assert {path.name for path in root.rglob("*")} == {"episodes.json", "val.json", "pictures", "README.txt"}
    there = open_task(root)
    assert isinstance(there, ImageTask)
    assert there.digest == benchmark.digest
    for fold in (0, 1):
        pairs = zip(there.benchmark.episodes(fold), benchmark.episodes(fold), strict=True)
        assert all((one.query.label(one.kind) == other.query.label(one.kind)).all() for one, other in pairs)
    named = {name for fold in benchmark.folds for _, query, supports in fold.episodes for name in (query, *supports)}
    assert set(there.benchmark.validation) == named


def test_bundles_of_the_same_are_the_same(handmade: Benchmark, tmp_path: Path) -> None:
    one, other = (
        codabench(handmade.root, tmp_path / name, image="a", start="2027-01-01") for name in ("a.zip", "b.zip")
    )
    assert one.read_bytes() == other.read_bytes()


def test_program_says_how_it_is_run(handmade: Benchmark, tmp_path: Path) -> None:
    bundle = codabench(handmade.root, tmp_path / "bundle.zip", image="a", protocol_name="native")
    program = unpack(bundle, "scoring_program.zip", tmp_path / "program")
    assert {path.name for path in program.iterdir()} == {"metadata.yaml", "scoring.py", "settings.json"}
    metadata = yaml.safe_load((program / "metadata.yaml").read_text())
    assert metadata == {"command": "python3 /app/program/scoring.py /app/input /app/output"}
    assert json.loads((program / "settings.json").read_text()) == {"protocol": "native@1", "python": HERE}


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"image": ""}, "give --download to fetch wheels with pip now, --wheels DIR .*, or --image NAME"),
        ({"wheels": "none"}, "none: no such folder of wheels; give --download"),
        ({"wheels": "none", "download": True}, "give one or the other"),
        ({"python": "latest"}, "--python latest: write a version like 3.12"),
        ({"start": "tomorrow"}, "--start tomorrow: write a date like 2027-01-31"),
        ({"start": "2027-01-02", "end": "2027-01-01"}, "--end 2027-01-01 00:00:00: is not after the start"),
        ({"title": "a\nb"}, "the title is longer than"),
        ({"protocol_name": "davis"}, "davis"),
    ],
)
def test_refused(given: dict[str, Any], fault: str, handmade: Benchmark, tmp_path: Path) -> None:
    with pytest.raises(IcvosError, match=fault):
        codabench(handmade.root, tmp_path / "bundle.zip", **{"image": "a", **given})
    assert not list(tmp_path.iterdir())


def test_published_layout_is_built_first(handmade: Benchmark, tmp_path: Path) -> None:
    (tmp_path / "copy").symlink_to(handmade.root / "videos")
    with pytest.raises(IcvosError, match="in the published layout; build it first with: icvos build --published"):
        codabench(tmp_path / "copy", tmp_path / "bundle.zip", image="a")


def write_wheels(folder: Path, but: str = "") -> Path:
    """Empty wheels, each of the oldest version that icvos takes of a dependency, without the one called ``but``."""
    folder.mkdir()
    for text in importlib.metadata.requires("icvos") or ():
        name, version = re.split(r"[<>=]", text)[0], re.findall(r">=([\d.]+)", text)
        if "extra" in text or name == but:
            continue
        version = version[0]
        stem = f"{name.replace('-', '_')}-{version}"
        with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as archive:
            about = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
            files = {"METADATA": about, "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
            for file, content in files.items():
                archive.writestr(f"{stem}.dist-info/{file}", content)
            archive.writestr(f"{stem}.dist-info/RECORD", "".join(f"{stem}.dist-info/{file},,\n" for file in files))
    return folder


def test_wheels_are_brought_along(handmade: Benchmark, tmp_path: Path) -> None:
    wheels = write_wheels(tmp_path / "wheels")
    (wheels / "left-0.1-py3-none-any.whl").write_bytes(b"of another project")
    bundle = tmp_path / "bundle.zip"
    shown = icvos("codabench", "--benchmark", handmade.root, "--wheels", wheels, "--out", bundle).output
    assert shown.startswith(f"{bundle}  ")
    program = unpack(bundle, "scoring_program.zip", tmp_path / "program")
    brought = {path.name for path in (program / "wheels").iterdir()}
    own = f"icvos-{importlib.metadata.version('icvos')}-py3-none-any.whl"
    assert brought == {path.name for path in wheels.iterdir()} - {"left-0.1-py3-none-any.whl"} | {own}
    assert read(bundle)[0]["docker_image"] == f"python:{HERE}-slim"


def test_a_wheel_that_is_missing_is_named(handmade: Benchmark, tmp_path: Path) -> None:
    wheels = write_wheels(tmp_path / "wheels", but="numba")
    with pytest.raises(IcvosError, match=rf"no full set of wheels for Python {HERE} \(.*numba.*\); give --download"):
        codabench(handmade.root, tmp_path / "bundle.zip", wheels=wheels)
    assert not (tmp_path / "bundle.zip").exists()


def test_own_wheel_holds_every_file_of_every_package(tmp_path: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert list(PACKAGES) == project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    with zipfile.ZipFile(own_wheel(tmp_path)) as archive:
        names = set(archive.namelist())
        record = archive.read(next(name for name in names if name.endswith("/RECORD"))).decode().splitlines()
    assert {row.split(",")[0] for row in record} == names
    for package in PACKAGES:
        there = {
            path.relative_to(ROOT).as_posix()
            for path in (ROOT / package).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
        assert there == {name for name in names if name.startswith(f"{package}/")}
