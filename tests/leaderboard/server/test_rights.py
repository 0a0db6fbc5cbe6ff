"""Who may do what, over HTTP, as of the moment when it is done."""

from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the server needs: pip install 'icvos[server]'")

from tests.leaderboard.server.served import PASSWORD, Running, admin_of, code_of, predictions_zip


def test_an_administrator_withholds_and_never_publishes(running: Running, tmp_path: Path) -> None:
    anna, root = running.user("anna"), admin_of(running)
    code = code_of(anna.send(predictions_zip(tmp_path)))
    running.work()
    page = f"/submissions/{code}"
    assert "Publish on the board" in anna.client.get(page).text
    assert "Publish on the board" not in root.client.get(page).text
    assert "Only who submitted it can publish it" in root.client.get(page).text
    assert root.post(f"{page}/publish", "/admin", wanted="yes").status_code == 403
    program = running.api(root.token())
    assert program.post(f"submissions/{code}/publish").status_code == 403
    assert not anna.client.get(f"{page}/state").json()["published"]
    assert anna.post(f"{page}/publish", page, wanted="yes").status_code == 303
    assert "Withhold it" in root.client.get(page).text
    assert not program.post(f"submissions/{code}/withhold").json()["published"]
    assert "It is not on the board" in root.client.get(page).text


def test_another_password_ends_tokens(running: Running) -> None:
    anna, new = running.user(), "another one that is long"
    program = running.api(anna.token())
    assert program.get("submissions").status_code == 200
    answer = anna.post("/account/password", "/account", old=PASSWORD, password=new, again=new)
    assert answer.status_code == 303
    assert program.get("submissions").status_code == 401
    assert running.api(anna.token()).get("submissions").status_code == 200
