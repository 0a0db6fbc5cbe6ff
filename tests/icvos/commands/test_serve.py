"""`icvos serve` and `icvos worker`: options, and what is said where the extra is not installed."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests import ROOT
from tests.conftest import icvos

BLOCK = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name == 'fastapi':
            raise ModuleNotFoundError(f'No module named {name!r}', name=name)
sys.meta_path.insert(0, Block())
from icvos.cli import main
main(sys.argv[1:])
"""


@pytest.mark.parametrize("arguments", [("serve", "--benchmark", "x"), ("worker", "--data", "x")])
def test_a_package_that_is_missing_is_named(arguments: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BLOCK, *arguments], capture_output=True, text=True, cwd=ROOT, env={**os.environ}
    )
    assert done.returncode == 2
    assert "the server needs the package" in done.stderr
    assert "pip install 'icvos[server]'" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "missing option '--benchmark'"),
        (("--benchmark", "none"), "none: no such"),
        (("--benchmark", "BUILT", "--url", "board.example.org"), "give scheme and host alone"),
        (("--benchmark", "BUILT", "--url", "https://example.org/board"), "give scheme and host alone"),
        (("--benchmark", "BUILT", "--protocol", "none"), "none"),
        (("--benchmark", "BUILT", "--port", "70000"), "70000"),
        (("--benchmark", "BUILT", "--host", "203.0.113.1"), "203.0.113.1:8000: cannot be listened on"),
        (("--benchmark", "BUILT", "--database", "nonsense"), "--database"),
        (("--benchmark", "BUILT", "--title", "a\x1b[2J"), "title"),
        (("--benchmark", "BUILT", "--max-upload", "99999999"), "max_upload_bytes"),
    ],
)
def test_what_cannot_be_served(built: Path, tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    pytest.importorskip("fastapi", reason="the server needs: pip install 'icvos[server]'")
    given = [str(built) if one == "BUILT" else one for one in arguments]
    done = icvos("serve", *given, "--data", tmp_path / "data", status=2)
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("server.db", b"no database " * 100, "server.db: cannot be opened (file is not a database); check --data"),
        ("server.db", None, "server.db: cannot be opened"),
        ("uploads", b"", "cannot be written"),
        ("server.json", None, "server.json: cannot be written"),
        ("secret", b"short", "secret: is not what forms are signed by; remove it"),
        ("secret", None, "secret: "),
    ],
)
def test_a_data_folder_that_is_broken(
    built: Path, tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    """Without content: a folder is where a file should be."""
    pytest.importorskip("fastapi", reason="the server needs: pip install 'icvos[server]'")
    data = tmp_path / "data"
    data.mkdir()
    if content is None:
        (data / name).mkdir()
    else:
        (data / name).write_bytes(content)
    done = icvos("serve", "--benchmark", built, "--data", data, "--port", "0", status=2)
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_port_that_is_in_use(built: Path, tmp_path: Path) -> None:
    pytest.importorskip("fastapi", reason="the server needs: pip install 'icvos[server]'")
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = icvos("serve", "--benchmark", built, "--data", tmp_path / "data", "--port", port, status=2)
    assert done.stderr.startswith(f"icvos: 127.0.0.1:{port}: cannot be listened on (Address already in use)")
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="an administrator may write everywhere")
def test_a_folder_that_cannot_be_written(built: Path, tmp_path: Path) -> None:
    pytest.importorskip("fastapi", reason="the server needs: pip install 'icvos[server]'")
    for data, above in ((tmp_path / "a", tmp_path), (tmp_path / "b" / "data", tmp_path / "b")):
        above.mkdir(exist_ok=True)
        above.chmod(0o500)
        done = icvos("serve", "--benchmark", built, "--data", data, "--port", "0", status=2)
        above.chmod(0o700)
        assert f"{data}: cannot be written (Permission denied); give --data another folder" in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1


def test_a_folder_of_other_things_is_no_data_folder(built: Path, tmp_path: Path) -> None:
    pytest.importorskip("fastapi", reason="the server needs: pip install 'icvos[server]'")
    (tmp_path / "photo.jpg").write_bytes(b"")
    done = icvos("serve", "--benchmark", built, "--data", tmp_path, status=2)
    assert "holds something other than a server's data" in done.stderr
    for command in (
        ("worker",),
        ("serve", "admin", "anna", "--password", "long enough"),
        ("serve", "token", "anna"),
        ("serve", "backup", "out"),
    ):
        assert "expected the settings of a server" in icvos(*command, "--data", tmp_path, status=2).stderr


def test_an_administrator_is_made_and_changed(built: Path, tmp_path: Path) -> None:
    pytest.importorskip("fastapi", reason="the server needs: pip install 'icvos[server]'")
    from leaderboard.server import accounts
    from tests.leaderboard.server.served import prepare, settings_for

    server = prepare(tmp_path / "data", settings_for(built))
    for password in ("a long password", "another password"):
        done = icvos("serve", "admin", "Anna", "--password", password, "--data", tmp_path / "data")
        assert done.stdout == "anna is an administrator\n"
    short = icvos("serve", "admin", "anna", "--password", "short", "--data", tmp_path / "data", status=2)
    assert "a password has 10 to 200 characters" in short.stderr
    token = icvos("serve", "token", "Anna", "--label", "cluster", "--data", tmp_path / "data").stdout.strip()
    with server.database.read() as session:
        user = accounts.token_user(session, token)
        assert user is not None
        assert [(user.name, one.label) for one in accounts.tokens_of(session, user)] == [("anna", "cluster")]
    nobody = icvos("serve", "token", "ben", "--data", tmp_path / "data", status=2)
    assert "no account ben; make it on the server's page, or with icvos serve admin" in nobody.stderr
    done = icvos("serve", "backup", tmp_path / "backup", "--data", tmp_path / "data")
    assert done.stdout == f"{tmp_path / 'backup'}: 0 submissions\n"
    server.database.close()
