"""Links and special files in a submission are named and never opened, wherever they lie and whoever reads."""

import os
import signal
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import FrameType

import pytest

from icvos.errors import PredictionError
from icvos.files.archives.entries import ArchiveError
from icvos.files.submitted import opened
from icvos.files.untrusted import load_rles, open_png, read_plain
from icvos.protocol import PAPER
from icvos.tasks.calls import render, score, validate
from icvos.tasks.image.predictions import read_answers
from icvos.tasks.record import read_record
from icvos.tasks.runs import draw_folders, fold_folders
from icvos.tasks.video.benchmark import Benchmark
from icvos.tasks.video.repair import repair
from leaderboard.submission import SubmissionError, submit
from tests.icvos.handmade import write_benchmark, write_predictions
from tests.icvos.tasks.image.tiny_episodes import write_images


@pytest.fixture(scope="module")
def handmade(tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    return replace(write_benchmark(tmp_path_factory.mktemp("benchmark")), digest=None)


@pytest.fixture(autouse=True)
def soon() -> Iterator[None]:
    """Opening a pipe or a terminal waits for ever: ten seconds are enough."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(10)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def moved(path: Path) -> Path:
    """``path``, now a link to where it lay before, in a hidden place."""
    target = path.with_name(f".kept-{path.name}")
    path.rename(target)
    path.symlink_to(target)
    return path


def link_frame(run: Path) -> Path:
    return moved(run / "draw0/davis_dog/17/00001.png")


def link_class(run: Path) -> Path:
    return moved(run / "draw0/davis_dog/17")


def link_video(run: Path) -> Path:
    return moved(run / "draw0/davis_dog")


def link_draw(run: Path) -> Path:
    return moved(run / "draw0")


def link_record(run: Path) -> Path:
    (run / "secret").write_text('{"method": "a secret"}')
    (run / "draw0/run.json").symlink_to(run / "secret")
    return run / "draw0/run.json"


def link_rles(run: Path) -> Path:
    path = run / "draw0/davis_dog/17.json"
    path.write_text("{}")
    return moved(path)


def dangling(run: Path) -> Path:
    path = run / "draw0/davis_dog/17/00001.png"
    path.unlink()
    path.symlink_to(run / "nowhere")
    return path


def to_a_device(run: Path) -> Path:
    path = run / "draw0/davis_dog/17/00001.png"
    path.unlink()
    path.symlink_to("/dev/tty")
    return path


def pipe(run: Path) -> Path:
    path = run / "draw0/davis_dog/17/00001.png"
    path.unlink()
    os.mkfifo(path)
    return path


def pipe_as_record(run: Path) -> Path:
    path = run / "draw0/run.json"
    os.mkfifo(path)
    return path


def unknown_link(run: Path) -> Path:
    path = run / "draw0/davis_dog/notes"
    path.symlink_to("/")
    return path


LINKS = [
    link_frame,
    link_class,
    link_video,
    link_draw,
    link_record,
    link_rles,
    dangling,
    to_a_device,
    pipe,
    pipe_as_record,
    unknown_link,
]


@pytest.mark.parametrize("spoil", LINKS)
def test_links_in_folders_are_faults(handmade: Benchmark, tmp_path: Path, spoil: Callable[[Path], Path]) -> None:
    run = tmp_path / "run"
    write_predictions(handmade, run / "draw0")
    path = spoil(run)
    found = validate(run, handmade.root, PAPER.id)
    assert [(fault.kind, fault.where, fault.severity) for fault in found] == [("link", str(path), "error")]
    with pytest.raises(ArchiveError, match=r"link|pipe"):
        score(run, handmade.root)
    with pytest.raises(SubmissionError, match="nothing was scored"):
        submit(handmade.root, run, PAPER, board=tmp_path / "board", name="linked")
    with pytest.raises(ArchiveError):
        repair(handmade, run, tmp_path / "repaired", PAPER)
    with pytest.raises(ArchiveError):
        render(handmade.root, tmp_path / "sheets", predictions=run)
    assert {entry.name for entry in tmp_path.iterdir()} == {"run"}


def test_the_folder_that_the_user_names_may_be_a_link(handmade: Benchmark, tmp_path: Path) -> None:
    write_predictions(handmade, tmp_path / "run/draw0")
    (tmp_path / "run/.cache").symlink_to("/")  # hidden, never read
    (tmp_path / "alias").symlink_to(tmp_path / "run")
    assert validate(tmp_path / "alias", handmade.root, PAPER.id) == []


READERS: dict[str, Callable[[Path], object]] = {
    "opened": opened,
    "open_png": lambda path: open_png(path, (30, 40)),
    "read_plain": lambda path: read_plain(path, (30, 40), None),
    "load_rles": load_rles,
    "read_record": read_record,
    "read_answers": lambda path: list(read_answers(path)),
}


@pytest.mark.parametrize("kind", ["link", "dangling", "pipe", "socket", "device"])
@pytest.mark.parametrize("reader", READERS)
def test_no_reader_opens_one(
    handmade: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reader: str, kind: str
) -> None:
    monkeypatch.chdir(tmp_path)  # the name of a socket is short
    path, good = Path("there"), handmade.clips[0].mask_path("00000")
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        socket.socket(socket.AF_UNIX).bind(str(path))
    else:
        path.symlink_to({"link": good, "dangling": Path("nowhere"), "device": Path("/dev/zero")}[kind])
    with pytest.raises(PredictionError) as caught:
        READERS[reader](path)
    assert (caught.value.fault.kind, caught.value.fault.where) == ("link", str(path))


@pytest.mark.parametrize(("folders", "name"), [(draw_folders, "draw0"), (fold_folders, "fold0")])
def test_parts_of_a_run_are_no_links(tmp_path: Path, folders: Callable[[Path], object], name: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PredictionError, match="not followed"):
        folders(tmp_path / "run")


@pytest.mark.parametrize("name", ["fold0", "fold0/episodes.jsonl", "fold0/run.json"])
def test_links_in_runs_on_images(tmp_path: Path, name: str) -> None:
    images = write_images(tmp_path / "images")
    run = tmp_path / "run"
    (run / "fold0").mkdir(parents=True)
    (run / "fold0/run.json").write_text('{"shots": 1}')
    (run / "fold0/episodes.jsonl").write_text("")
    moved(run / name)
    (fault,) = validate(run, images.root)
    assert (fault.kind, fault.where) == ("link", str(run / name))
    with pytest.raises(ArchiveError, match="not followed"):
        score(run, images.root)
