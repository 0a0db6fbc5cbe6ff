"""The tutorials of docs/tutorials run as they are pasted, and print what they say."""

import re
import runpy
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import click
import pytest

from tests import ROOT
from tests.conftest import icvos

PAGES = sorted((ROOT / "docs" / "tutorials").glob("*.md"))
NOT_RUN = re.compile(r"^<!-- not run -->\n```.*?^```$", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"(?:^`([^`\n]+)`:\n\n)?^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NEAR = 0.01  # share of a figure that a network's may differ by on another machine, and of 1 at least


class Reader:
    """Somebody who does what a tutorial says, in a folder of their own."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.installed = folder / "installed"
        self.monkeypatch = monkeypatch
        self.names: dict[str, object] = {}
        self.printed = ""
        self.commands = 0
        self.server: subprocess.Popen[str] | None = None
        self.port = str(free_port())

    def follow(self, page: Path, capsys: pytest.CaptureFixture[str]) -> None:
        text = page.read_text(encoding="utf-8").replace("127.0.0.1:8000", f"127.0.0.1:{self.port}")
        for name, language, body in BLOCK.findall(NOT_RUN.sub("", text)):
            if language == "text":
                require_lines(body, self.printed)
                continue
            self.printed = ""
            if name:
                Path(name).parent.mkdir(exist_ok=True)
                Path(name).write_text(body, encoding="utf-8")
            elif language == "python":
                exec(compile(body, page.name, "exec"), self.names)
                self.printed += capsys.readouterr().out
            else:
                for line in body.replace("\\\n", " ").splitlines():
                    self.paste(line)

    def paste(self, line: str) -> None:
        command, _, remark = line.partition("  # ")
        program, *arguments = shlex.split(command)
        self.commands += 1
        if arguments[-1:] == ["&"]:
            self.start(*arguments[:-1], "--port", self.port)
        elif program == "kill":
            assert self.stop() == 0
        elif program == "export" and (given := re.fullmatch(r"export (\w+)=\$\(icvos (.*)\)", command)):
            self.monkeypatch.setenv(given[1], icvos(*shlex.split(given[2])).output.strip())
        elif program == "icvos":
            status = re.search(r"exit status (\d+)", remark)
            stop = re.search(r"Ctrl-C after ([^,]+)", remark)
            with interrupted_after(stop[1]) if stop else nullcontext():
                self.printed += icvos(*arguments, status=int(status[1]) if status else 0).output
        elif program == "python":
            runpy.run_path(arguments[0], run_name="__main__")
        elif [program, arguments[0]] == ["rm", "-r"]:
            shutil.rmtree(arguments[1])
        elif program == "rm":
            Path(arguments[0]).unlink()
        elif [program, arguments[0]] == ["pip", "install"]:
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(self.installed)]
            subprocess.run([*pip, *arguments[1:]], check=True)
            self.monkeypatch.syspath_prepend(str(self.installed))
        else:
            raise AssertionError(f"a tutorial has a command that this test does not know: {line}")

    def start(self, *arguments: str) -> None:
        """Start a server in the background, up to the line with its address."""
        command = [sys.executable, "-m", "icvos", *arguments]
        self.server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.server.stdout is not None
        self.printed += self.server.stdout.readline()

    def stop(self) -> int:
        """End the server, if there is one; its exit status."""
        if self.server is None:
            return 0
        self.server.terminate()
        self.server.communicate(timeout=60)
        return self.server.returncode


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextmanager
def interrupted_after(text: str) -> Iterator[None]:
    """Ctrl-C is pressed as soon as a line that begins with ``text`` is printed."""
    echo = click.echo

    def echo_and_press(message: str, **more: Any) -> None:
        echo(message, **more)
        if message.startswith(text):
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(click, "echo", echo_and_press)
        yield


def require_lines(expected: str, printed: str) -> None:
    """Every line of ``expected`` must be in what was printed, in that order."""
    rest = iter(printed.splitlines())
    for line in expected.splitlines():
        assert any(is_like(line, other) for other in rest), f"{line}\nis not (or not in this order) in\n{printed}"


def is_like(expected: str, line: str) -> bool:
    words, others = expected.split(), line.split()
    return len(words) == len(others) and all(map(is_near, words, others))


def is_near(word: str, other: str) -> bool:
    if word in (other, "..."):
        return True
    if not all(re.fullmatch(r"[+-]?\d+\.\d\d", text) for text in (word, other)):
        return False
    return abs(float(word) - float(other)) <= NEAR * max(1.0, abs(float(word)))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_tutorial_runs_as_pasted(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    reader = Reader(tmp_path, monkeypatch)
    try:
        reader.follow(page, capsys)
    finally:
        reader.stop()
    assert reader.commands > 5


@pytest.mark.parametrize(
    ("expected", "printed"),
    [("J 15.58", "J 16.58"), ("a\nb", "b\na"), ("a b", "a"), ("7 clips", "8 clips"), ("nothing", "")],
)
def test_other_output_is_noticed(expected: str, printed: str) -> None:
    with pytest.raises(AssertionError, match="is not"):
        require_lines(expected, printed)


def test_tables_are_compared_without_their_spaces() -> None:
    require_lines("cat 59.96", " clip  J&F\n  cat     60.01  \n")
