"""Checkpoints of the Hugging Face Hub: fetched, used by their names, and published with a card."""

import base64
import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from icvos.models.weights import registry
from icvos.models.weights.registry import OWN
from tests.conftest import icvos
from tests.curation.acquisition.small_catalogue import zipped
from tests.hub_server import HubServer, hub, put_in_cache
from tests.icvos.models.weights_folder import empty_folder

CONTENT = zipped({"archive/data.pkl": random.Random(0).randbytes(100_000)})
NAME = "hf:anna/nets/small/net.pth"
TRAINED = OWN / "dcsam-nano.safetensors"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return empty_folder(tmp_path, monkeypatch)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    monkeypatch.setattr("icvos.files.downloads.PAUSE_SECONDS", 0.0)
    with hub({"net.pth": CONTENT, "page.pth": b"<!DOCTYPE html>" + CONTENT}, monkeypatch, tmp_path) as found:
        found.repositories["anna/nets"] = ["small/net.pth", "page.pth"]
        yield found


def test_a_file_of_the_hub_is_fetched_kept_and_found(server: HubServer, folder: Path) -> None:
    server.manner = "drops"
    path = folder / "hub" / "anna" / "nets" / "small" / "net.pth"
    assert icvos("weights", "fetch", NAME).output == f"{NAME}: {path}\n"
    assert path.read_bytes() == CONTENT
    asked = len(server.told)
    icvos("weights", "fetch", NAME)
    assert len(server.told) == asked
    known = registry.find(NAME)
    assert known is not None
    assert registry.locate(known) == path
    [line] = [line for line in icvos("weights", "list").output.splitlines() if NAME in line]
    assert "present, verified" in line
    for names in ((), (NAME,)):
        assert f"{NAME}: as it was fetched" in icvos("weights", "verify", *names).output
    path.write_bytes(CONTENT[:-1] + b"x")
    assert "CHANGED" in icvos("weights", "verify", NAME, status=1).output
    assert "remove it and fetch it again" in icvos("weights", "fetch", NAME, status=2).stderr


def test_the_cache_of_the_hub_is_used(server: HubServer, tmp_path: Path) -> None:
    put_in_cache(tmp_path, "models", "anna/nets", "small/net.pth", CONTENT)
    icvos("weights", "fetch", NAME)
    assert not server.files_server.requests
    assert f"{NAME}: as it was fetched" in icvos("weights", "verify", NAME).output


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("hf:anna/nets/other.pth", "no such file in the repository; there is page.pth, small/net.pth"),
        ("hf:anna/nets/page.pth", "is a web page"),
        ("hf:anna/none/net.pth", "there is none of this name, or it is private"),
        ("hf:anna/nets", "write it as hf:OWNER/REPO/FILE"),
        ("hf:anna/nets/../net.pth", "write it as hf:OWNER/REPO/FILE"),
    ],
)
def test_refusals_are_one_line(server: HubServer, name: str, said: str) -> None:
    refusal = icvos("weights", "fetch", name, status=2).stderr
    assert said in refusal
    assert len(refusal.splitlines()) == 1
    assert server.manner == "good"


def test_a_method_takes_a_file_of_the_hub_by_its_name(server: HubServer, folder: Path) -> None:
    torch = pytest.importorskip("torch", reason="loading needs torch: pip install 'icvos[models]'")
    from icvos.errors import IcvosError
    from icvos.models.weights.load import load_weights

    with pytest.raises(IcvosError, match=f"not on this machine; run: icvos weights fetch {NAME}"):
        load_weights(torch.nn.Linear(3, 2), NAME)
    path = folder / "hub" / "anna" / "nets" / "small" / "net.pth"
    path.parent.mkdir(parents=True)
    torch.save(torch.nn.Linear(3, 2).state_dict(), path)
    assert load_weights(torch.nn.Linear(3, 2), NAME).name == NAME
    assert not server.told


def test_a_checkpoint_is_published_with_a_card_from_its_header(server: HubServer) -> None:
    pytest.importorskip("safetensors", reason="reading headers needs safetensors: pip install 'icvos[models]'")
    shown = icvos("weights", "push", TRAINED, "anna/nets", "--licence", "apache-2.0", "--dry-run").output
    assert not server.posted
    for text in ("license: apache-2.0\n", "--method dcsam --set checkpoint=hf:anna/nets/dcsam-nano.safetensors"):
        assert text in shown
    for text in ("trained on smallworld, fold 0 held out", "miou 70.62, fb_iou 84.36", "sam2-nano", "| seed | `321` |"):
        assert text in shown
    told = icvos("weights", "push", TRAINED, "anna/nets", "--licence", "apache-2.0").output
    assert "icvos weights fetch hf:anna/nets/dcsam-nano.safetensors" in told
    [commit] = [body for path, body in server.posted if path.endswith("/commit/main")]
    lines = [json.loads(line) for line in commit.splitlines()]
    files = {
        line["value"]["path"]: base64.b64decode(line["value"]["content"]) for line in lines if line["key"] == "file"
    }
    assert files == {"dcsam-nano.safetensors": TRAINED.read_bytes(), "README.md": shown[:-1].encode()}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([TRAINED, "nets"], "write it as OWNER/REPO"),
        ([TRAINED, "anna/nets", "--name", "../x"], "cannot name a file"),
        (["nowhere.safetensors", "anna/nets"], "no such file"),
        ([__file__, "anna/nets"], "was not made by icvos train"),
    ],
)
def test_what_cannot_be_published(server: HubServer, arguments: list[object], said: str) -> None:
    pytest.importorskip("safetensors", reason="reading headers needs safetensors: pip install 'icvos[models]'")
    refusal = icvos("weights", "push", *arguments, status=2).stderr
    assert said in refusal
    assert len(refusal.splitlines()) == 1
    assert not server.posted
