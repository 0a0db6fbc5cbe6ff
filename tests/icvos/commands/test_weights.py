"""`icvos weights` against a local server that drops connections, truncates, lies and is out of order."""

import contextlib
import os
import pickle
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from icvos.errors import IcvosError
from icvos.files import downloads
from icvos.files.locks import lock_file
from icvos.files.storage import sha256
from icvos.models.weights import download, registry
from icvos.models.weights.registry import Checkpoint
from tests import Json
from tests.conftest import icvos
from tests.file_server import Server, serving
from tests.test_architecture import BLOCK_TORCH

CONTENT = b"PK\x03\x04" + random.Random(0).randbytes(1_000_000)
PIECE = 300_000


@pytest.fixture
def server() -> Iterator[Server]:
    with serving({"net.pth": CONTENT}, PIECE) as found:
        yield found


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith(registry.FOLDER_VARIABLE)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv(registry.FOLDER_VARIABLE, str(tmp_path / "weights"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path / "weights"


@pytest.fixture(scope="module")
def digest(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("content") / "net.pth"
    path.write_bytes(CONTENT)
    return sha256(path)


def net(server: Server, *manners: str, **facts: Any) -> Checkpoint:
    return Checkpoint("net", file="net.pth", urls=tuple(server.url(manner, "net.pth") for manner in manners), **facts)


def fetch(known: Checkpoint) -> Path:
    return download.fetch(known, pause=0)


@pytest.mark.parametrize(
    "manners",
    [
        ["good"],
        ["drops"],
        ["noranges"],
        ["busy"],
        ["moved"],
        ["missing", "good"],
        ["page", "good"],
        ["wrong", "good"],
        ["short", "good"],
        ["dies", "good"],
        ["shifted", "good"],
        ["nolength"],
        ["wrong", "drops"],
    ],
    ids="-".join,
)
def test_the_right_bytes_arrive_in_the_end(server: Server, folder: Path, digest: str, manners: list[str]) -> None:
    seen: list[tuple[int, int | None]] = []
    path = download.fetch(
        net(server, *manners, size=len(CONTENT), sha256=digest), pause=0, progress=lambda *now: seen.append(now)
    )
    assert path == folder / "net.pth"
    assert path.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert sorted(one.name for one in folder.iterdir()) == ["net.pth", "net.pth.sha256"]
    assert (folder / "net.pth.sha256").read_text() == f"{digest}  net.pth\n"
    before = len(server.requests)
    assert fetch(net(server, *manners, size=len(CONTENT), sha256=digest)) == path
    assert len(server.requests) == before  # what is there is not fetched again


def test_a_dropped_download_is_resumed_where_it_ended(server: Server, digest: str) -> None:
    fetch(net(server, "drops", sha256=digest))
    assert [given for _, given in server.requests] == [None, *(f"bytes={PIECE * n}-" for n in (1, 2, 3))]


@pytest.mark.parametrize("facts", [{}, {"sha256_prefix": "known"}, {"size": len(CONTENT)}])
def test_without_a_published_hash_or_size(server: Server, digest: str, facts: Json) -> None:
    if facts.get("sha256_prefix"):
        facts = {"sha256_prefix": digest[:8]}
    assert fetch(net(server, "page", "drops", **facts)).read_bytes() == CONTENT


def test_another_process_goes_on_with_what_is_there(server: Server, folder: Path, digest: str) -> None:
    folder.mkdir()
    part = folder / "net.pth.part"
    for there, first in ((CONTENT[:1000], "bytes=1000-"), (CONTENT, None), (CONTENT + b"more", "none"), (b"", "none")):
        part.write_bytes(there)
        server.requests.clear()
        path = fetch(net(server, "good", size=len(CONTENT), sha256=digest))
        assert path.read_bytes() == CONTENT
        assert [given for _, given in server.requests] == {None: [], "none": [None]}.get(first, [first])
        assert not part.exists()
        path.unlink()


@pytest.mark.parametrize("manner", ["good", "noranges", "full"])
def test_a_rotten_part_is_thrown_away_and_fetched_anew(server: Server, folder: Path, digest: str, manner: str) -> None:
    folder.mkdir()
    (folder / "net.pth.part").write_bytes(b"rotten" * 1000)
    assert fetch(net(server, manner, sha256=digest)).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("manners", "said", "part"),
    [
        (["missing"], ["HTTP 404"], 0),
        (["wrong"], ["SHA-256", "published is"], 0),
        (["short"], ["offers 999904 bytes, published are 1000004"], 0),
        (["page", "missing"], ["is a web page", "HTTP 404"], 0),
        (["dies"], ["ended after 0 of 1000004 bytes"], 0),
        (["wavers"], ["ended after 300000 of 1000004 bytes", "ended after 600000"], PIECE),
        (["shifted"], ["another part of the file"], PIECE),
    ],
)
def test_no_file_where_none_can_be_had(
    server: Server, folder: Path, digest: str, manners: list[str], said: list[str], part: int
) -> None:
    with pytest.raises(IcvosError) as refusal:
        fetch(net(server, *manners, size=len(CONTENT), sha256=digest))
    for text in [*said, "net: cannot be fetched", server.url(manners[0], "net.pth"), f"at {folder / 'net.pth'}"]:
        assert text in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert [one.name for one in folder.iterdir()] == (["net.pth.part"] if part else [])
    assert not part or (folder / "net.pth.part").read_bytes() == CONTENT[:part]
    assert len(server.requests) <= 2 + downloads.ATTEMPTS


def test_nobody_there(server: Server, folder: Path) -> None:
    known = net(server, "good")
    server.server_close()
    server.shutdown()
    with pytest.raises(IcvosError, match=r"no connection|connection lost"):
        fetch(known)
    with pytest.raises(IcvosError, match="no connection"):
        fetch(Checkpoint("net", file="net.pth", urls=("http://nobody.invalid/net.pth",)))
    assert not list(folder.iterdir())


def test_two_at_once(server: Server, folder: Path, digest: str) -> None:
    pytest.importorskip("fcntl")
    folder.mkdir()
    (folder / "net.pth.part").write_bytes(CONTENT[:1000])
    with (
        lock_file(folder / "net.pth.lock", "the other"),
        pytest.raises(IcvosError, match=rf"net\.pth: another process \({os.getpid()}\) is working on it"),
    ):
        fetch(net(server, "good", sha256=digest))
    assert (folder / "net.pth.part").read_bytes() == CONTENT[:1000]


def test_what_another_process_has_just_fetched_is_used(
    server: Server, folder: Path, digest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextlib.contextmanager
    def late(path: Path, what: str) -> Iterator[None]:
        with lock_file(path, what):
            (folder / "net.pth").write_bytes(CONTENT)  # by the other, between our look and our lock
            yield

    monkeypatch.setattr(downloads, "lock_file", late)
    assert fetch(net(server, "good", size=len(CONTENT), sha256=digest)) == folder / "net.pth"
    assert [path.name for path in folder.iterdir()] == ["net.pth"]
    assert not server.requests


def test_a_folder_that_cannot_be_written(server: Server, folder: Path) -> None:
    folder.write_text("a file")
    with pytest.raises(IcvosError, match="cannot be written"):
        fetch(net(server, "good"))


def know(monkeypatch: pytest.MonkeyPatch, *known: Checkpoint) -> None:
    monkeypatch.setattr(registry, "checkpoints", lambda: {one.name: one for one in known})


def test_list_fetch_and_verify(server: Server, folder: Path, digest: str, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = {"licence": "Apache-2.0", "trained_on": "SA-1B"}
    full = net(server, "good", size=len(CONTENT), sha256=digest, **facts)
    bare = Checkpoint("bare", file="bare.pth", urls=(server.url("good", "net.pth"),), **facts)
    hand = Checkpoint("hand", file="hand.pth", by_hand="its authors")
    know(monkeypatch, full, bare, hand, Checkpoint("none", unpublished="it is a secret"))
    lines = icvos("weights", "list").output.splitlines()
    assert [state for line in lines for state in ("to fetch", "by hand", "not published") if state in line] == [
        "to fetch",
        "to fetch",
        "by hand",
        "not published",
    ]
    assert any(all(cell in line for cell in ("net.pth", "Apache-2.0", "SA-1B", "\t1\t")) for line in lines)
    assert lines[-1] == f"folder: {folder}"
    assert icvos("weights", "verify").output == ""
    assert str(folder / "net.pth") in icvos("weights", "fetch", "net", "bare").output
    assert icvos("weights", "list").output.count("present, verified") == 2
    assert "net: as published" in icvos("weights", "verify").output
    assert "bare: as it was fetched" in icvos("weights", "verify", "bare").output

    for name, verdict in (("net", "WRONG, has SHA-256"), ("bare", "CHANGED, has SHA-256")):
        path = folder / f"{name}.pth"
        path.write_bytes(CONTENT[:-1] + b"x")
        assert f"{name}: {verdict}" in icvos("weights", "verify", name, status=1).output
    assert "remove it and fetch it again" in icvos("weights", "fetch", "net", status=2).output
    (folder / "net.pth").write_bytes(CONTENT[:-1])
    assert "damaged: 1000003 bytes" in icvos("weights", "list").output

    (folder / "hand.pth").write_bytes(CONTENT)
    assert "present, not verified" in icvos("weights", "list").output
    assert f"no hash is published, {digest[:12]}... noted" in icvos("weights", "verify", "hand").output
    assert "hand: as it was fetched" in icvos("weights", "verify", "hand").output
    monkeypatch.setenv("ICVOS_WEIGHTS_HAND", str(folder / "other.pth"))
    assert "no such file; ICVOS_WEIGHTS_HAND" in icvos("weights", "list").output
    (folder / "other.pth").write_bytes(CONTENT)
    assert f"ICVOS_WEIGHTS_HAND={folder / 'other.pth'}" in icvos("weights", "list").output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fetch", "sam-vit-x"], "unknown checkpoint 'sam-vit-x'; did you mean sam-vit-"),
        (["fetch", "resnet50-v2"], "cannot be fetched; get it by hand from"),
        (["fetch", "dc-sam"], "it was not published"),
        (["verify", "swin-b"], "is not on this machine; run: icvos weights fetch swin-b"),
        (["add", "swin-b", "nowhere.pth"], "nowhere.pth: no such file"),
        (["add", "vrp-sam", "nowhere.pth"], "has no place in the folder of weights"),
    ],
)
def test_refusals_are_one_line(arguments: list[str], message: str) -> None:
    result = icvos("weights", *arguments, status=2)
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_add_takes_plain_state_dictionaries_only(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch", reason="adding checks the file with torch: pip install 'icvos[models]'")
    from safetensors.torch import save_file

    own = tmp_path / "own.pth"
    torch.save({"model": {"a": torch.zeros(3)}}, own)
    know(monkeypatch, Checkpoint("net", file="net.pth", by_hand="its authors"))
    icvos("weights", "add", "net", own)
    assert (folder / "net.pth").read_bytes() == own.read_bytes()
    assert "net: as it was fetched" in icvos("weights", "verify").output
    save_file({"a": torch.zeros(3)}, tmp_path / "own.safetensors")
    (folder / "net.pth").unlink()
    icvos("weights", "add", "net", tmp_path / "own.safetensors")
    assert (folder / "net.safetensors").is_file()
    know(monkeypatch, Checkpoint("net", file="net.pth", urls=("https://example.org/net.pth",), sha256=sha256(own)))
    icvos("weights", "add", "net", own)
    know(monkeypatch, Checkpoint("net", file="net.pth", urls=("https://example.org/net.pth",), sha256="0" * 64))
    other = icvos("weights", "add", "net", own, status=2).stderr
    assert "is not the published net" in other
    assert "ICVOS_WEIGHTS_NET" in other
    for content in (b"<html>", pickle.dumps(Path("x"))):
        own.write_bytes(content)
        assert "own.pth" in icvos("weights", "add", "net", own, status=2).stderr


def test_list_and_verify_run_without_torch(folder: Path) -> None:
    folder.mkdir()
    (folder / "resnet50_v2.pth").write_bytes(CONTENT)
    for command, wanted in (("list", "sam2.1-hiera-t"), ("verify", "resnet50-v2: no hash is published")):
        found = subprocess.run(
            [sys.executable, "-c", BLOCK_TORCH, "weights", command], capture_output=True, text=True, check=False
        )
        assert found.returncode == 0, found.stderr
        assert wanted in found.stdout
