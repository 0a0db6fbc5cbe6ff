import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the server needs: pip install 'icvos[server]'")

from icvos.errors import IcvosError
from leaderboard.server.app import open_server
from leaderboard.server.backup import back_up
from tests.leaderboard.server.served import Running, predictions_zip, running


def test_a_backup_goes_on_where_the_server_was(running_at: Running, tmp_path: Path) -> None:
    """With a submission on the board, one that waits, and one that comes in while the backup is there."""
    anna = running_at.user()
    codes = []
    for shift in (2, 3):
        codes.append(anna.send(predictions_zip(tmp_path, shift)).headers["location"].removeprefix("/submissions/"))
        if shift == 2:
            running_at.work()
            anna.post(f"/submissions/{codes[0]}/publish", f"/submissions/{codes[0]}", wanted="yes")
    token = anna.token()
    assert back_up(running_at.server.data, tmp_path / "backup") == 2
    anna.send(predictions_zip(tmp_path, 4))
    board = running_at.browser().client.get("/board/results.json").json()
    assert oct((tmp_path / "backup").stat().st_mode)[-3:] == "700"
    with running(open_server(tmp_path / "backup")) as restored:
        assert restored.browser().client.get("/board/results.json").json() == board
        again = restored.browser()
        assert again.log_in("anna").status_code == 303
        program = restored.api(token)
        assert [one["code"] for one in program.get("submissions").json()] == codes[::-1]
        assert restored.work() == 1
        assert [one["state"] for one in program.get("submissions").json()] == ["scored", "scored"]


@pytest.fixture
def running_at(serve: Callable[..., Running]) -> Running:
    return serve()


def test_a_backup_needs_a_folder_of_its_own(running_at: Running, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"")
    with pytest.raises(IcvosError, match="is not empty"):
        back_up(running_at.server.data, tmp_path / "photos")
    with pytest.raises(IcvosError, match="expected the settings of a server"):
        back_up(tmp_path / "photos", tmp_path / "backup")


def test_a_backup_that_would_not_be_whole_is_refused(running_at: Running, tmp_path: Path) -> None:
    running_at.user().send(predictions_zip(tmp_path))
    for path in running_at.server.uploads.iterdir():
        path.unlink()
    with pytest.raises(IcvosError, match="is missing"):
        back_up(running_at.server.data, tmp_path / "backup")
    assert not (tmp_path / "backup").exists()


def test_a_file_that_is_no_database_is_not_copied(running_at: Running, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    shutil.copyfile(running_at.server.data / "server.json", tmp_path / "data" / "server.json")
    (tmp_path / "data" / "server.db").write_bytes(b"no database " * 100)
    with pytest.raises(IcvosError, match=r"server\.db: cannot be copied"):
        back_up(tmp_path / "data", tmp_path / "backup")
    assert not (tmp_path / "backup").exists()
