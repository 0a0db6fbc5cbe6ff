"""What a stranger writes, in every field that there is, in every form in which others read it.

HTML of the pages has its test in `test_pages`; here are tables, logs and terminals.
"""

import csv
import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the server needs: pip install 'icvos[server]'")

from leaderboard.server import client
from tests.conftest import icvos
from tests.icvos.test_shown import UNSHOWN
from tests.leaderboard.server.served import Browser, Running, admin_of, code_of, predictions_zip

TEXTS = {
    "formula": "=HYPERLINK(1)",
    "at": "@SUM(A1)",
    "plus": "+1+cmd",
    "minus": "-1+cmd",
    "wide": "＝1+1",
    "markup": "[/bold][red]x[/]",
    "LaTeX": r"\input{/etc/passwd}%&$",
    "Markdown": "[a](javascript:alert(1)) ![b](http://evil.example/c) |",
    "HTML": "<img src=x onerror=alert(1)>",
    "template": "{{ server.secret }}{% raw %}",
    "SQL": "'); DROP TABLE users; --",
}
STEERING = "\x1b[2J\x1b]0;title\x07\u202e\x9b"


def sent(running: Running, anna: Browser, folder: Path, text: str) -> str:
    """Predictions with the text wherever a text may be; the code of what was published."""
    file = predictions_zip(folder).rename(folder / "evil.zip")
    with zipfile.ZipFile(file, "a") as archive:
        record = {"method": text, "device": text, "settings": {text: text}}
        archive.writestr("run.json", json.dumps(record))
    with file.open("rb") as opened:
        data = {"csrf": anna.csrf("/submissions"), "name": text, "notes": text, "licence": text}
        answer = anna.client.post("/submissions", data=data, files={"file": (f"{text}.zip", opened)})
    code = code_of(answer)
    running.work()
    assert anna.post(f"/submissions/{code}/publish", f"/submissions/{code}", wanted="yes").status_code == 303
    return code


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_no_table_of_the_board_does_what_a_stranger_wrote(running: Running, tmp_path: Path, text: str) -> None:
    anna = running.user("anna", team=text)
    sent(running, anna, tmp_path, text)
    files = [path for path in running.server.board.build().rglob("*") if path.is_file()]
    assert {".csv", ".md", ".tex", ".json", ".html"} <= {path.suffix for path in files}
    for path in files:
        written = path.read_text(encoding="utf-8")
        if path.suffix == ".csv":
            cells = [cell for row in csv.reader(io.StringIO(written)) for cell in row]
            assert not [cell for cell in cells if cell.startswith(tuple("=+@＝\t\r"))]
            assert not [cell for cell in cells if cell.startswith("-") and not re.fullmatch(r"-[0-9.]*", cell)]
        elif path.suffix == ".tex":
            assert r"\input{/" not in written
        elif path.suffix == ".md":
            assert not re.search(r"(?<!\\)\]\(", written)
            assert "http://" not in written
        elif path.suffix == ".html":
            assert "<img src=x" not in written
        else:
            json.loads(written)


@pytest.mark.parametrize("field", ["name", "notes", "licence", "team", "label", "user"])
def test_what_steers_a_terminal_is_not_taken(running: Running, tmp_path: Path, field: str) -> None:
    text = f"x{STEERING}"
    if field in ("team", "user"):
        said = {"name": text} if field == "user" else {"team": text}
        assert running.browser().register(**{"name": "anna", **said}).status_code == 400
        return
    anna = running.user()
    if field == "label":
        assert anna.post("/account/tokens", "/account", label=text).status_code == 400
        return
    answer = anna.send(predictions_zip(tmp_path), **{"name": "mine", field: text})
    assert answer.status_code == 400
    assert not list(running.server.uploads.iterdir())


def test_no_page_and_no_answer_steers(running: Running, tmp_path: Path) -> None:
    """A file name, names in an archive, an invitation: what is taken, because it is not a name of ours."""
    anna, root = running.user(), admin_of(running)
    file = predictions_zip(tmp_path)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(f"x{STEERING}/17/00000.png", b"")
    with file.open("rb") as opened:
        data = {"csrf": anna.csrf("/submissions"), "name": "mine"}
        code = code_of(anna.client.post("/submissions", data=data, files={"file": (f"x{STEERING}.zip", opened)}))
    running.work()
    root.post("/admin/invite", "/admin", note=f"x{STEERING}")
    texts = [anna.client.get(f"/submissions/{code}{place}").text for place in ("", "/state", "/faults.json")]
    texts += [root.client.get("/admin").text, running.api(anna.token()).get(f"submissions/{code}").text]
    for text in texts:
        assert not UNSHOWN & set(text)
        assert not {"\\u001b", "\\u202e"} & set(re.findall(r"\\u[0-9a-f]{4}", text))


@pytest.fixture
def working(running: Running, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    """A server with a worker, which is asked often."""
    monkeypatch.setattr(client, "SHORTEST_SECONDS", 0.05)
    with running.worked():
        yield running


def test_a_terminal_shows_faults_as_they_are_written(working: Running, tmp_path: Path) -> None:
    file = predictions_zip(tmp_path)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("[bold]x[red]\x1b[2J/17/00000.png", b"")
    there = ("--server", working.address, "--token", working.user().token())
    done = icvos("submit", file, "--name", "[red]mine[/]", *there)
    shown = done.stdout + done.stderr
    assert "[bold]x[red]?[2J" in shown
    assert not UNSHOWN & set(shown)
