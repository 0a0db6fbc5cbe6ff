"""`icvos data fetch` against a local server that drops connections, lies and refuses, and against what is there."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from curation.acquisition import unpacking
from curation.acquisition.holdings import STORE
from icvos.files import downloads
from icvos.files.locks import lock_file
from icvos.tasks.video.benchmark import Benchmark
from tests import ROOT
from tests.conftest import World, icvos
from tests.curation.acquisition.small_catalogue import facts, files_below, tarred, write_catalogue, zipped
from tests.file_server import Server, serving

PICTURES = {f"SET/pictures/{number:03d}.jpg": random.Random(number).randbytes(3_000) for number in range(40)}
LISTS = {"SET/lists/train.txt": b"000\n001\n", "SET/lists/notes.md": b"unwanted", "__MACOSX/._SET": b"of macOS"}
CONTENT = zipped(PICTURES | LISTS)
TAR = tarred({name.replace("SET", "OTHER"): content for name, content in PICTURES.items()})
HOLDS = {"DATA/SET/pictures": 40, "DATA/SET/lists/train.txt": 1}


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(downloads, "PAUSE_SECONDS", 0.0)


@pytest.fixture
def server() -> Iterator[Server]:
    files = {"set.zip": CONTENT, "other.tar.gz": TAR}
    with serving(files, piece=40_000) as found:
        yield found


def archive(server: Server, *manners: str, **more: Any) -> dict[str, Any]:
    urls = [server.url(manner, "set.zip") for manner in manners]
    return {
        "file": "set.zip",
        "urls": urls,
        "into": "DATA",
        "only": ["*.jpg", "*.txt"],
        "holds": HOLDS,
        **facts(CONTENT),
        **more,
    }


def fetch(catalogue: Path, to: Path, *names: str, status: int = 0, accept: bool = True) -> Any:
    accepted = ["--accept-terms"] if accept else []
    return icvos(
        "data", "fetch", *(names or ("small",)), "--to", to, "--catalogue", catalogue, *accepted, status=status
    )


def contents(to: Path) -> dict[str, bytes]:
    return {name: content for name, content in files_below(to, "").items() if not name.startswith(f"/{STORE}")}


def expected() -> dict[str, bytes]:
    return {f"/DATA/{name}": content for name, content in PICTURES.items()} | {
        "/DATA/SET/lists/train.txt": b"000\n001\n"
    }


@pytest.mark.parametrize(
    "manners",
    [
        *(["good"], ["drops"], ["noranges"], ["busy"], ["moved"], ["nolength"], ["missing", "good"]),
        *(["forbidden", "good"], ["wrong", "good"], ["short", "good"], ["page", "good"], ["wrong", "drops"]),
    ],
    ids="-".join,
)
def test_a_data_set_arrives_whole(server: Server, tmp_path: Path, manners: list[str]) -> None:
    catalogue = write_catalogue(
        tmp_path / "own.toml", small={"folder": "DATA/SET", "archives": [archive(server, *manners)]}
    )
    told = fetch(catalogue, tmp_path / "to").output
    place = tmp_path / "to" / "DATA" / "SET"
    assert told == f"small: {place}; icvos build --davis {place}\n"
    assert contents(tmp_path / "to") == expected()
    assert [path.name for path in (tmp_path / "to" / STORE).iterdir()] == ["set.zip.json"]
    before = len(server.requests)
    fetch(catalogue, tmp_path / "to", accept=False)  # nothing is fetched, so that nothing is to be accepted
    assert len(server.requests) == before


@pytest.mark.parametrize(
    ("manners", "said"),
    [
        (["missing"], "HTTP 404"),
        (["forbidden"], "HTTP 403"),
        (["wrong"], "has SHA-256"),
        (["short"], "published are"),
        (["dies"], "ended after 0 of"),
        (["page"], "has SHA-256"),
    ],
)
def test_what_cannot_be_had_is_refused_in_one_line(
    server: Server, tmp_path: Path, manners: list[str], said: str
) -> None:
    catalogue = write_catalogue(tmp_path / "own.toml", small={"archives": [archive(server, *manners)]})
    refusal = fetch(catalogue, tmp_path / "to", status=2).stderr
    assert said in refusal
    assert server.url(manners[0], "set.zip") in refusal
    assert len(refusal.splitlines()) == 1
    assert contents(tmp_path / "to") == {}


def test_nothing_is_fetched_without_consent(server: Server, tmp_path: Path) -> None:
    entry = {"archives": [archive(server, "good")]}
    other = {"archives": [archive(server, "good", file="b.zip")], "terms": "http://example.org/other"}
    catalogue = write_catalogue(tmp_path / "own.toml", small=entry, more=entry, other=other)
    refusal = fetch(catalogue, tmp_path / "to", "small", "more", "other", status=2, accept=False).stderr
    assert "http://example.org/terms (of small and more), http://example.org/other (of other)" in refusal
    assert "--accept-terms" in refusal
    assert not server.requests
    assert not (tmp_path / "to").exists()


def test_names_and_what_is_handed_out_by_hand_are_refused_before_the_first_byte(server: Server, tmp_path: Path) -> None:
    entries = {
        "small": {"archives": [archive(server, "good")]},
        "hand": {"by_hand": "ask its authors", "page": "http://a.org"},
    }
    catalogue = write_catalogue(tmp_path / "own.toml", **entries)
    assert "did you mean small?" in fetch(catalogue, tmp_path / "to", "smal", status=2).stderr
    refusal = fetch(catalogue, tmp_path / "to", "small", "hand", status=2).stderr
    assert "no stable address of it could be confirmed, so get it by hand: ask its authors (http://a.org)" in refusal
    assert not server.requests


def test_a_disk_that_is_too_small_is_told_before_the_first_byte(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue = write_catalogue(tmp_path / "own.toml", small={"archives": [archive(server, "good")]})
    free = shutil.disk_usage(tmp_path)._replace(free=2 * len(CONTENT) - 1)
    monkeypatch.setattr(unpacking.shutil, "disk_usage", lambda path: free)  # type: ignore[attr-defined]
    refusal = fetch(catalogue, tmp_path / "to", status=2).stderr
    assert "are needed to fetch and unpack, at least," in refusal
    assert not server.requests
    monkeypatch.setattr(unpacking.shutil, "disk_usage", lambda path: free._replace(free=free.free + 1))  # type: ignore[attr-defined]
    fetch(catalogue, tmp_path / "to")


def test_archives_are_kept_where_asked_for_and_used_again(server: Server, tmp_path: Path) -> None:
    catalogue = write_catalogue(tmp_path / "own.toml", small={"archives": [archive(server, "good")]})
    to = tmp_path / "to"
    icvos("data", "fetch", "small", "--to", to, "--catalogue", catalogue, "--accept-terms", "--keep-archives")
    assert (to / STORE / "set.zip").read_bytes() == CONTENT
    shutil.rmtree(to / "DATA" / "SET" / "pictures")
    assert fetch(catalogue, to).exit_code == 0
    assert contents(to) == expected()
    assert len(server.requests) == 1
    assert not (to / STORE / "set.zip").exists()


def test_what_is_gone_is_fetched_again(server: Server, tmp_path: Path) -> None:
    without = {key: value for key, value in archive(server, "good").items() if key not in ("holds", "size", "sha256")}
    catalogue = write_catalogue(tmp_path / "own.toml", small={"archives": [without]})
    to = tmp_path / "to"
    for _ in range(2):
        fetch(catalogue, to)
    assert len(server.requests) == 1
    (to / "DATA" / "SET" / "pictures" / "003.jpg").unlink()
    fetch(catalogue, to)
    assert contents(to) == expected()
    assert len(server.requests) == 2


def test_parts_and_tar_files_and_an_archive_of_several_data_sets(server: Server, tmp_path: Path) -> None:
    shared = archive(server, "good")
    tar = {"file": "other.tar.gz", "urls": [server.url("drops", "other.tar.gz")], "holds": {"OTHER/pictures": 40}}
    entries = {"one": {"archives": [shared]}, "two": {"archives": [shared, tar]}, "both": {"parts": ["one", "two"]}}
    catalogue = write_catalogue(tmp_path / "own.toml", **entries)
    told = fetch(catalogue, tmp_path / "to", "both", "one").output
    assert [line.partition(":")[0] for line in told.splitlines()] == ["one", "two"]
    assert contents(tmp_path / "to").keys() == {*expected(), *(f"/{name}".replace("SET", "OTHER") for name in PICTURES)}
    assert [manner for manner, _ in server.requests].count("good") == 1


def test_an_archive_within_an_archive(server: Server, tmp_path: Path) -> None:
    server.files["set.zip"] = outer = zipped({"release/train.tar.gz": TAR, "release/valid.tar.gz": b"not wanted"})
    inside = {"file": "release/train.tar.gz", "into": "MADE", "sha256": facts(TAR)["sha256"]}
    entry = {"file": "set.zip", "urls": [server.url("drops", "set.zip")], "inside": [inside], **facts(outer)}
    to = tmp_path / "to"
    fetch(write_catalogue(tmp_path / "own.toml", small={"archives": [entry]}), to)
    assert contents(to) == {f"/MADE/{name.replace('SET', 'OTHER')}": content for name, content in PICTURES.items()}
    assert [path.name for path in (to / STORE).iterdir()] == ["set.zip.json"]
    inside["sha256"] = "0" * 64
    refusal = fetch(
        write_catalogue(tmp_path / "own.toml", small={"archives": [entry]}), tmp_path / "new", status=2
    ).stderr
    assert "its release/train.tar.gz has SHA-256" in refusal
    assert contents(tmp_path / "new") == {}


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"../outside.jpg": b"x"}, "leads out of the archive's own folder"),
        ({"SET/a.jpg": b"x", "SET/a.jpg/b.jpg": b"x"}, "both a file and a folder"),
        ({"SET/notes.md": b"x"}, "has no file like *.jpg"),
        ({"SET/big.jpg": b"\0" * 3_000_000}, "unpacks to more than 200 times its size"),
    ],
)
def test_an_archive_that_could_do_harm_is_not_unpacked(
    server: Server, tmp_path: Path, files: dict[str, bytes], said: str
) -> None:
    server.files["set.zip"] = content = zipped(files)
    catalogue = write_catalogue(tmp_path / "own.toml", small={"archives": [archive(server, "good", **facts(content))]})
    refusal = fetch(catalogue, tmp_path / "to", status=2).stderr
    assert said in refusal
    assert "pack" not in refusal.replace("unpack", "")  # which its maker alone could do
    assert contents(tmp_path / "to") == {}
    assert not (tmp_path / "outside.jpg").exists()


def test_what_stands_in_the_way_is_named_and_kept(server: Server, tmp_path: Path) -> None:
    catalogue = write_catalogue(tmp_path / "own.toml", small={"archives": [archive(server, "good")]})
    (tmp_path / "to" / "DATA").mkdir(parents=True)
    (tmp_path / "to" / "DATA" / "SET").write_text("mine")
    assert f"{tmp_path / 'to' / 'DATA' / 'SET'}: is a file" in fetch(catalogue, tmp_path / "to", status=2).stderr
    assert (tmp_path / "to" / "DATA" / "SET").read_text() == "mine"
    (tmp_path / "to" / "DATA" / "SET").unlink()
    fetch(catalogue, tmp_path / "to")  # goes on with what was unpacked
    assert contents(tmp_path / "to") == expected()
    assert len(server.requests) == 1


def test_a_stopped_unpacking_goes_on(server: Server, tmp_path: Path) -> None:
    catalogue = write_catalogue(tmp_path / "own.toml", small={"archives": [archive(server, "good")]})
    to = tmp_path / "to"
    staging = to / STORE / "set.zip.unpacking" / "SET" / "pictures"
    staging.mkdir(parents=True)
    (to / STORE / "set.zip").write_bytes(CONTENT)
    (staging / "000.jpg").write_bytes(b"k" * 3_000)  # as long as the right one: it is not unpacked again
    (staging / "001.jpg").write_bytes(b"cut off")
    placed = to / "DATA" / "SET" / "pictures"
    placed.mkdir(parents=True)
    (placed / "002.jpg").write_bytes(PICTURES["SET/pictures/002.jpg"])
    fetch(catalogue, to)
    assert contents(to) == expected() | {"/DATA/SET/pictures/000.jpg": b"k" * 3_000}
    assert not server.requests


def test_two_at_once_do_no_harm(server: Server, tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    catalogue = write_catalogue(tmp_path / "own.toml", small={"archives": [archive(server, "good")]})
    to = tmp_path / "to"
    with lock_file(to / STORE / "set.zip.fetching", "the other"):
        refusal = fetch(catalogue, to, status=2).stderr
    assert f"{to}: set.zip: another process ({os.getpid()}) is working on it" in refusal
    assert not server.requests
    fetch(catalogue, to)


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_download_is_resumed_where_it_ended(server: Server, tmp_path: Path, end: signal.Signals) -> None:
    catalogue = write_catalogue(tmp_path / "own.toml", small={"archives": [archive(server, "slow", "good")]})
    to = tmp_path / "to"
    command = ["data", "fetch", "small", "--to", str(to), "--catalogue", str(catalogue), "--accept-terms"]
    started = subprocess.Popen(
        [sys.executable, "-m", "icvos", *command],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # tests in the background ignore it
    )
    part = to / STORE / "set.zip.part"
    deadline = time.monotonic() + 60
    while not (part.is_file() and part.stat().st_size == server.piece) and time.monotonic() < deadline:
        time.sleep(0.05)
    started.send_signal(end)
    _, told = started.communicate(timeout=60)
    assert started.returncode != 0
    if end == signal.SIGINT:
        assert "what has arrived is kept; run the same command again to go on" in told
    assert part.read_bytes() == CONTENT[: server.piece]
    assert "no data set yet" in icvos("data", "check", to, status=2).stderr
    fetch(write_catalogue(tmp_path / "own.toml", small={"archives": [archive(server, "good")]}), to)
    assert server.requests[-1] == ("good", f"bytes={server.piece}-")
    assert contents(to) == expected()


def test_a_newcomer_fetches_checks_and_builds(world: World, tmp_path: Path) -> None:
    davis = zipped(files_below(world.root / "davis", "DAVIS"))
    coco = files_below(world.root / "coco", "COCO")
    notes = zipped({name.removeprefix("COCO/"): one for name, one in coco.items() if "/annotations/" in name})
    images = zipped({name.removeprefix("COCO/"): one for name, one in coco.items() if "/annotations/" not in name})
    files = {"davis.zip": davis, "notes.zip": notes, "images.zip": images}
    with serving(files, piece=10_000_000) as server:
        entries = {
            "davis": {"archives": [{"file": "davis.zip", "urls": [server.url("good", "davis.zip")], **facts(davis)}]},
            "coco": {
                "archives": [
                    {"file": name, "urls": [server.url("good", name)], "into": "COCO", **facts(files[name])}
                    for name in ("notes.zip", "images.zip")
                ]
            },
        }
        catalogue = write_catalogue(tmp_path / "own.toml", **entries)
        fetch(catalogue, tmp_path / "to", "davis", "coco")
    found = icvos("data", "check", tmp_path / "to", "--catalogue", catalogue).output
    assert "its videos are drawn" in found
    sources = ("--davis", tmp_path / "to" / "DAVIS", "--coco", tmp_path / "to" / "COCO")
    curation = ("--curation", world.root / "curation.csv", "--draws", 1, "--shots", 1)
    icvos("build", *sources, *curation, "--out", tmp_path / "benchmark")
    assert Benchmark.open(tmp_path / "benchmark").clips
