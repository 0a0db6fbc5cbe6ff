"""A Hugging Face Hub on this machine: its API as far as icvos asks it, and files at another address."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.file_server import Handler, Server, serving

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LARGE = 1_000  # bytes from which the Hub says a file's SHA-256


class HubHandler(Handler):
    """Serves ``/api/...`` and ``/OWNER/REPO/resolve/...``, which leads to the files of `serving`."""

    server: "HubServer"

    def do_GET(self) -> None:  # noqa: N802
        self.server.told.append(dict(self.headers))
        parts = self.path.partition("?")[0].strip("/").split("/")
        if parts[0] == "api":
            kind, repository = parts[1], "/".join(parts[2:4])
            if repository not in self.server.repositories or self.server.refuses:
                code = self.server.refuses or "RepoNotFound"
                self._answer({"error": "no"}, status=403 if code == "GatedRepo" else 404, code=code)
            else:
                self._answer(self.server.info(kind, repository))
            return
        place = parts[1:] if parts[0] == "datasets" else parts
        assert place[2:4] == ["resolve", COMMIT]
        self.send_response(302)
        self.send_header("Location", self.server.files_server.url(self.server.manner, place[-1]))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self) -> None:  # noqa: N802
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posted.append((self.path, body))
        if self.path.endswith("/preupload/main"):
            files = json.loads(body)["files"]
            self._answer(
                {"files": [{"path": one["path"], "uploadMode": "regular", "shouldIgnore": False} for one in files]}
            )
        elif self.path.endswith("/commit/main"):
            self._answer(
                {"commitUrl": self.server.url("anna", f"nets/commit/{COMMIT}"), "commitOid": COMMIT, "success": True}
            )
        elif self.path == "/api/validate-yaml":
            self._answer({"errors": [], "warnings": []})
        else:
            self._answer({"url": self.server.url("anna", "nets"), "name": "anna/nets", "id": "anna/nets"})

    def _answer(self, value: Any, status: int = 200, code: str = "") -> None:
        content = json.dumps(value).encode()
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class HubServer(Server):
    """``repositories`` has the paths of each; ``files_server`` has their bytes by the last part of a path."""

    handler = HubHandler

    def __init__(self, files_server: Server) -> None:
        super().__init__({}, 0)
        self.files_server = files_server
        self.repositories: dict[str, list[str]] = {}
        self.manner, self.refuses = "good", ""
        self.posted: list[tuple[str, bytes]] = []

    def info(self, kind: str, repository: str) -> dict[str, Any]:
        """What the API says of a repository."""
        siblings = []
        for path in self.repositories[repository]:
            content = self.files_server.files[path.rpartition("/")[2]]
            digest = hashlib.sha256(content).hexdigest()
            lfs = {"lfs": {"sha256": digest, "size": len(content), "pointerSize": 100}} if len(content) > LARGE else {}
            siblings.append({"rfilename": path, "size": len(content), "blobId": "0" * 40, **lfs})
        names = {"id": repository, "modelId": repository} if kind == "models" else {"id": repository}
        return {**names, "sha": COMMIT, "private": False, "downloads": 0, "likes": 0, "tags": [], "siblings": siblings}


@contextmanager
def hub(files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[HubServer]:
    """A Hub with these files, and the environment in which `huggingface_hub` asks it, with a token."""
    reason = "needs the Hub: pip install 'icvos[hub]'"
    constants = pytest.importorskip("huggingface_hub.constants", reason=reason)
    with serving(files, piece=40_000) as bytes_server, serving({}, 0, HubServer(bytes_server)) as found:
        assert isinstance(found, HubServer)
        endpoint = found.url("", "").rstrip("/")
        monkeypatch.setattr(constants, "ENDPOINT", endpoint)
        template = endpoint + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder / "cache"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setenv("HF_TOKEN", "hf_secret")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        yield found


def put_in_cache(folder: Path, kind: str, repository: str, path: str, content: bytes) -> Path:
    """A file in the Hub's cache, as other programs leave it."""
    root = folder / "cache" / f"{kind}--{repository.replace('/', '--')}"
    (root / "refs").mkdir(parents=True, exist_ok=True)
    (root / "refs" / "main").write_text(COMMIT)
    blob = root / "blobs" / hashlib.sha256(content).hexdigest()
    blob.parent.mkdir(exist_ok=True)
    blob.write_bytes(content)
    pointer = root / "snapshots" / COMMIT / path
    pointer.parent.mkdir(parents=True, exist_ok=True)
    pointer.symlink_to(blob)
    return pointer
