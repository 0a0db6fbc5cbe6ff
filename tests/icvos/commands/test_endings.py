"""Commands that cannot go on end in one line, whatever the operating system refuses."""

import errno
import importlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from curation.video import clips
from icvos.cli import main
from icvos.errors import IcvosError, Stopped
from icvos.tasks.video.task import VideoTask
from tests.conftest import World, icvos


def run(*arguments: object, stdout: int | Path = subprocess.PIPE, **environment: str) -> tuple[int, str, str]:
    """A command in a process of its own: exit status, standard output, standard error."""
    command = [sys.executable, "-m", "icvos", *map(str, arguments)]
    out = stdout.open("wb") if isinstance(stdout, Path) else stdout
    done = subprocess.run(command, stdout=out, stderr=subprocess.PIPE, env={**os.environ, **environment}, check=False)
    return done.returncode, (done.stdout or b"").decode(errors="replace"), done.stderr.decode(errors="replace")


def raising(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Let ``icvos info`` raise."""

    @click.command()
    def info() -> None:
        raise error

    monkeypatch.setitem(main.commands, "info", info)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (IcvosError("a: is bad; mend it"), "a: is bad; mend it"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "/a/b"), "/a/b: No such file or directory; "),
        (PermissionError(errno.EACCES, "Permission denied", b"/caf\xe9"), "/caf?: Permission denied; get the right"),
        (OSError(errno.EROFS, "Read-only file system", "x"), "x: Read-only file system; nothing can be written there"),
        (OSError(errno.ENOSPC, "No space left on device"), "cannot go on (No space left on device); free some space"),
        (OSError(errno.EIO, "Input/output error", "x"), "x: Input/output error; look at the disk"),
        (OSError(errno.EMFILE, "Too many open files", "x"), "x: Too many open files; raise the limit"),
        (OSError("cannot identify image file"), "cannot go on (OSError: cannot identify image file); look"),
        (shutil.Error([("/a/1", "/b/1", "[Errno 28] No space left")]), "/a/1: [Errno 28] No space left; look"),
    ],
)
def test_what_the_system_refuses_is_one_line(monkeypatch: pytest.MonkeyPatch, error: Exception, line: str) -> None:
    raising(monkeypatch, error)
    found = icvos("info", status=2).stderr
    assert found.startswith(f"icvos: {line}")
    assert len(found.splitlines()) == 1


@pytest.mark.parametrize("error", [ValueError("a fault of icvos"), KeyError("x"), OSError.__mro__[1]("y")])
def test_faults_of_icvos_keep_their_traceback(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    raising(monkeypatch, error)
    assert CliRunner().invoke(main, ["info"]).exception is error


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (KeyboardInterrupt(), "stopped; run the same command again"),
        (Stopped("3 of 7 clips are done; run the same command again to go on"), "stopped: 3 of 7 clips are done; run"),
    ],
)
def test_an_interrupted_command_says_so(monkeypatch: pytest.MonkeyPatch, error: KeyboardInterrupt, line: str) -> None:
    raising(monkeypatch, error)
    found = icvos("info", status=130).stderr
    assert found.startswith(f"icvos: {line}")
    assert len(found.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments", [("info", "{built}"), ("weights", "list"), ("score", "{gt}", "{gt}", "--json", "-")]
)
def test_output_that_cannot_be_written_is_one_line_at_most(
    arguments: tuple[str, ...], world: World, built: Path
) -> None:
    gt = world.root / "davis" / "Annotations" / "480p"
    words = [word.format(built=built, gt=gt) for word in arguments]
    status, _, said = run(*words, stdout=Path("/dev/full"))
    lines = [line for line in said.splitlines() if not line.startswith("warning: ")]
    assert (status, len(lines)) == (2, 1), said
    assert "No space left on device); free some space" in lines[0]
    reader, writer = os.pipe()
    os.close(reader)
    status, _, said = run(*words, stdout=writer)
    os.close(writer)
    assert [line for line in said.splitlines() if not line.startswith("warning: ")] == []
    assert status == 1


@pytest.fixture
def odd_names(world: World, tmp_path: Path) -> Path:
    """True masks of which one video's folder has a Latin-1 name and one an accent."""
    gt = tmp_path / "gt"
    for name, new in (("car-park", b"caf\xe9"), ("dog-walk", "naïve".encode())):
        shutil.copytree(world.root / "davis" / "Annotations" / "480p" / name, gt / name)
        (gt / name).rename(gt / os.fsdecode(new))
    return gt


@pytest.mark.parametrize("environment", [{}, {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}, {"PYTHONUTF8": "1"}])
def test_names_that_are_no_utf8_are_scored_and_written_as_they_can_be(
    odd_names: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    files = "--json", tmp_path / "s.json", "--frames-csv", tmp_path / "f.csv"
    status, _, said = run("score", odd_names, odd_names, *files, **environment)
    assert status == 0, said
    assert sorted(json.loads((tmp_path / "s.json").read_text(encoding="utf-8"))["videos"]) == ["caf\\xe9", "naïve"]
    rows = (tmp_path / "f.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert {row.partition(",")[0] for row in rows} == {"caf\\xe9", "naïve"}
    status, out, said = run("score", odd_names, odd_names, "--json", "-", **environment)
    assert (status, sorted(json.loads(out)["videos"])) == (0, ["caf\\xe9", "naïve"]), said


def stopping(monkeypatch: pytest.MonkeyPatch, place: str, calls: int) -> None:
    """Let Ctrl-C come in a function, ``module:name``, when it is called again after so many calls."""
    module, _, name = place.partition(":")
    owner: object = importlib.import_module(module)
    for part in name.split(".")[:-1]:
        owner = getattr(owner, part)
    name = name.rpartition(".")[2]
    real, made = getattr(owner, name), list[int]()

    def counted(*arguments: object, **options: object) -> object:
        if len(made) == calls:
            raise KeyboardInterrupt
        made.append(1)
        return real(*arguments, **options)

    monkeypatch.setattr(owner, name, counted)


ADVANCE = "icvos.commands.progress:Bars.advance"


@pytest.mark.parametrize(
    ("name", "place", "line"),
    [
        ("eval", "icvos.tasks.video.together:follow", "{first_two} of {clips} clips are done; {again} to go on"),
        ("eval images", "icvos.tasks.image.predict:_predict", "2 of 32 episodes are done; {again} to go on"),
        ("build", "curation.video.build:make_class", "2 of {classes} supports are made; {again} to go on"),
        ("build videos", "curation.video.build:make_video", "2 of {videos} videos are made; {again} to go on"),
        ("validate", ADVANCE, "2 of {clips} clips are looked at and no fault is listed; {again}"),
        ("score", ADVANCE, "2 of {clips} clips are scored and nothing is written; {again}"),
        ("score folders", ADVANCE, "videos scored: 1, and nothing is written; {again}"),
        ("render", "icvos.drawing.animation:write_animation", "2 files are written; {again}"),
        ("submit", ADVANCE, "2 of {clips} clips are done (validate) and nothing is on the board; {again}"),
        ("candidates", ADVANCE, "2 of {sources} videos are read and nothing is written; {again}"),
    ],
)
def test_ctrl_c_says_what_is_done_and_how_to_go_on(
    name: str, place: str, line: str, world: World, built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = VideoTask.open(built)
    davis = world.root / "davis" / "Annotations" / "480p"
    images = tmp_path / "images"
    if name == "eval images":
        icvos("episodes", "all-coco", "--coco", world.root / "coco", "--episodes", 32, "--out", images)
    copied = copied_truth(built, tmp_path / "masks")
    oracle = ("--method", "oracle", "--out", tmp_path / "run", "--benchmark")
    words: dict[str, tuple[object, ...]] = {
        "eval": ("eval", *oracle, built),
        "eval images": ("eval", *oracle, images),
        "build": ("build", *world.build_arguments, "--out", tmp_path / "b"),
        "build videos": ("build", *world.build_arguments, "--out", tmp_path / "b"),
        "validate": ("validate", copied, "--benchmark", built),
        "score": ("score", copied, "--benchmark", built),
        "score folders": ("score", davis, davis),
        "render": ("render", built, "--out", tmp_path / "r", "--height", 64),
        "submit": ("submit", copied, "--benchmark", built, "--name", "x", "--board", tmp_path / "board"),
        "candidates": ("curate", "candidates", *world.sources, "--out", tmp_path / "rows.csv"),
    }
    if name.startswith("eval"):
        pytest.importorskip("torch")
    stopping(monkeypatch, place, 1 if name == "score folders" else 2)
    found = icvos(*words[name], status=130).stderr.splitlines()[-1]
    first_two = [video.name for video in task.benchmark.videos[:2]]
    of_first_two = sum(clip.video.name in first_two for clip in task.benchmark.clips)
    counts = {"clips": task.clips, "videos": len(task.benchmark.videos), "first_two": of_first_two}
    known = {"again": "run the same command again", "classes": r"\d+", "sources": r"\d+", **counts}
    told = re.escape(line).replace(r"\{", "{").replace(r"\}", "}").format(**known)
    assert re.fullmatch(f"icvos: stopped: {told}", found)


def copied_truth(built: Path, out: Path) -> Path:
    """The true masks of a benchmark as predictions."""
    for folder in sorted((built / "videos").glob("*/Annotations/*")):
        shutil.copytree(folder, out / folder.parent.parent.name / folder.name)
    return out


@pytest.mark.parametrize("workers", [1, 2])
def test_a_real_ctrl_c_ends_a_command_and_its_workers_quietly(world: World, tmp_path: Path, workers: int) -> None:
    command = [sys.executable, "-m", "icvos", "build", *world.build_arguments, "--out", str(tmp_path / "b")]
    process = subprocess.Popen(
        [*command, "--workers", str(workers)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # a shell's background ignores it
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("b/supports/*")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.001)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does, to all of them
    _, said = process.communicate(timeout=60)
    lines = [line for line in said.decode().splitlines() if not line.startswith(("warning: ", "note: "))]
    assert process.returncode == 130, said
    assert len(lines) == 1
    assert re.fullmatch("icvos: stopped: .*run the same command again.*", lines[0])
    icvos("build", *world.build_arguments, "--out", tmp_path / "b")


def test_a_source_that_vanishes_while_a_benchmark_is_built_is_named(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "world"
    shutil.copytree(world.root, root)
    real, seen = clips.link_or_copy, list[Path]()

    def vanishing(source: Path, target: Path) -> None:
        if not seen:
            source.unlink()
            seen.append(source)
        real(source, target)

    monkeypatch.setattr(clips, "link_or_copy", vanishing)
    found = icvos("build", *World(root).build_arguments, "--out", tmp_path / "b", status=2).stderr.splitlines()[-1]
    assert found.startswith(f"icvos: {seen[0]}: ")
    assert "put it back and run the same command again" in found


def test_a_full_temporary_folder_is_named(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("icvos.drawing.animation.AppendingTiffWriter.newFrame", full)
    found = icvos("render", *world.sources, "--out", tmp_path / "r", status=2).stderr
    assert "cannot be written (No space left on device); free some space there, or name another folder" in found
    assert list((tmp_path / "r").iterdir()) == []


@pytest.mark.parametrize(
    ("rest", "told"),
    [(("38", "96", "128", "191"), True), (("38,", "96,", "128,", "191"), True), (("a.png", "b.png"), False)],
)
def test_numbers_with_spaces_between_them_are_told_their_form(rest: tuple[str, ...], told: bool) -> None:
    said = icvos("predict", "--support", "a", "--video", "b", "--out", "c", "--box", *rest, status=2).stderr
    assert "unexpected extra argument" in said
    assert ("with commas and without spaces: --box X0,Y0,X1,Y1" in said) is told
