"""`icvos data fetch` from the Hugging Face Hub: a mocked one, and its cache."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from curation.acquisition.holdings import STORE
from icvos.files import downloads
from tests.conftest import icvos
from tests.curation.acquisition.small_catalogue import facts, files_below, tarred, write_catalogue, zipped
from tests.curation.acquisition.test_fetching import CONTENT, PICTURES, TAR, contents
from tests.hub_server import HubServer, hub, put_in_cache

NAME = "anna/videos"
OUTER = zipped({"release/train.tar.gz": TAR})
MORE = {f"MORE/{number}.png": b"p" * number for number in range(1, 6)}
FILES = {
    "set.zip": CONTENT,
    "outer.zip": OUTER,
    "more.tar.gz": tarred(MORE),
    "meta.json": b"{}",
    "README.md": b"# card",
}


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    monkeypatch.setattr(downloads, "PAUSE_SECONDS", 0.0)
    with hub(FILES, monkeypatch, tmp_path) as found:
        found.repositories[NAME] = ["README.md", "parts/more.tar.gz", "parts/meta.json", "set.zip"]
        yield found


def fetch(tmp_path: Path, status: int = 0, **archive: Any) -> Any:
    catalogue = write_catalogue(tmp_path / "own.toml", small={"archives": [{"hub": NAME, **archive}]})
    arguments = ("data", "fetch", "small", "--to", tmp_path / "to", "--catalogue", catalogue, "--accept-terms")
    return icvos(*arguments, status=status)


@pytest.mark.parametrize("manner", ["good", "drops", "noranges"])
def test_a_whole_repository_arrives(server: HubServer, tmp_path: Path, manner: str) -> None:
    server.manner = manner
    fetch(tmp_path, into="IC")
    expected = {f"/IC/{name}": content for name, content in (PICTURES | MORE).items()}
    found = contents(tmp_path / "to")
    assert found.items() >= expected.items()
    assert found["/IC/parts/meta.json"] == b"{}"
    assert "/IC/README.md" not in found
    before = len(server.told), len(server.files_server.requests)
    fetch(tmp_path, into="IC")
    assert (len(server.told), len(server.files_server.requests)) == before  # nobody is asked again
    (tmp_path / "to" / "IC" / "MORE" / "3.png").unlink()
    fetch(tmp_path, into="IC")  # only the archive that it was in
    assert contents(tmp_path / "to") == found
    assert len(server.files_server.requests) == before[1] + {"good": 1, "drops": 1, "noranges": 1}[manner]


def test_who_asks_is_told_to_the_hub_alone(server: HubServer, tmp_path: Path) -> None:
    fetch(tmp_path)
    assert all(told.get("Authorization", told.get("authorization")) == "Bearer hf_secret" for told in server.told)
    assert server.files_server.told
    assert not any("authorization" in map(str.lower, told) for told in server.files_server.told)


def test_an_archive_within_the_one_on_the_hub(server: HubServer, tmp_path: Path) -> None:
    server.repositories[NAME] = ["outer.zip"]
    inside = [{"file": "release/train.tar.gz", "into": "MADE", "sha256": facts(TAR)["sha256"]}]
    fetch(tmp_path, file="outer.zip", inside=inside)
    expected = {f"/MADE/{name.replace('SET', 'OTHER')}": content for name, content in PICTURES.items()}
    assert contents(tmp_path / "to") == expected
    assert len(list((tmp_path / "to" / STORE).iterdir())) == 1


@pytest.mark.parametrize(
    ("refuses", "said"),
    [
        ("RepoNotFound", "there is none of this name, or it is private"),
        ("GatedRepo", "its terms have to be accepted first, at https://huggingface.co/datasets/anna/videos"),
    ],
)
def test_what_the_hub_refuses_is_said_in_one_line(server: HubServer, tmp_path: Path, refuses: str, said: str) -> None:
    server.refuses = refuses
    refusal = fetch(tmp_path, status=2).stderr
    assert said in refusal
    assert len(refusal.splitlines()) == 1


def test_other_bytes_than_the_hub_says_are_refused(server: HubServer, tmp_path: Path) -> None:
    server.manner = "wrong"
    assert "has SHA-256" in fetch(tmp_path, status=2, file="set.zip").stderr
    assert contents(tmp_path / "to") == {}
    assert "there is README.md, parts/meta.json" in fetch(tmp_path, status=2, file="other.zip").stderr


def test_the_cache_of_the_hub_is_used_and_left_alone(
    server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = put_in_cache(tmp_path, "datasets", NAME, "set.zip", CONTENT)
    fetch(tmp_path, file="set.zip")
    assert not server.files_server.requests
    assert kept.read_bytes() == CONTENT
    expected = contents(tmp_path / "to")
    assert files_below(tmp_path / "to" / "SET" / "pictures", "").keys() == {
        f"/{number:03d}.jpg" for number in range(40)
    }

    shutil.rmtree(tmp_path / "to")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    server.told.clear()
    fetch(tmp_path, file="set.zip")
    assert contents(tmp_path / "to") == expected
    assert not server.told
    shutil.rmtree(tmp_path / "cache")
    shutil.rmtree(tmp_path / "to")
    assert "HF_HUB_OFFLINE is set, and its cache does not have it" in fetch(tmp_path, status=2).stderr
