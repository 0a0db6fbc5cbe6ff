"""What README.md and the pages of docs/ say can be run: commands, Python, links."""

import ast
import importlib
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import icvos as face
from icvos.cli import main
from icvos.drawing.animation import write_animation
from icvos.files.images import read_image
from icvos.method import method_names
from icvos.tasks.video.benchmark import Benchmark
from tests import ROOT

PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md")))
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def text_of(page: Path) -> str:
    """The page with its quoted blocks as if they were not quoted."""
    return re.sub(r"^> ?", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE)


def blocks(page: Path, language: str) -> list[str]:
    return [body for found, body in FENCE.findall(text_of(page)) if found == language]


def commands_of(command: click.Command, *path: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from commands_of(inner, *path, name)


COMMANDS = dict(commands_of(main))


def command_lines(text: str) -> Iterator[str]:
    """What follows ``icvos`` on the lines of a shell block, continued lines joined."""
    for line in text.replace("\\\n", " ").splitlines():
        if found := re.match(r"\s*(?:\S.* -m )?icvos (.*)", line):
            yield found[1]


def parse(line: str, *, whole: bool = True) -> None:
    """Parse a command line as `icvos` does; unless it is ``whole``, values and what is required are not looked at."""
    command: click.Command = main
    context = click.Context(main, info_name="icvos")
    words = shlex.split(line, comments=True)
    while isinstance(command, click.Group) and words and not (command.invoke_without_command and words[0][0] == "-"):
        name = words.pop(0)
        found = command.get_command(context, name)
        assert found is not None, f"icvos {line}: there is no command {name}"
        command, context = found, click.Context(found, parent=context, info_name=name)
    try:
        if whole:
            command.make_context(context.info_name, words, parent=context.parent)
        else:
            command.make_parser(context).parse_args(words)
    except click.UsageError as error:
        raise AssertionError(f"icvos {line}: {error.format_message()}") from error


def in_blocks(page: Path) -> list[str]:
    return [line for block in blocks(page, "") for line in command_lines(block)]


def in_prose(page: Path) -> list[str]:
    return re.findall(r"`icvos ([^`]+)`", FENCE.sub("", text_of(page)).replace("\n", " "))


def test_readme_names_every_method() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (listed,) = re.findall(r"Twenty-four methods are there: (.*?)\. Most", text, re.DOTALL)
    assert sorted(re.findall(r"`([^`]+)`", listed)) == sorted(method_names())


def test_commands_are_found() -> None:
    assert len(in_blocks(ROOT / "README.md")) > 15
    assert "validate PRED --benchmark B" in in_prose(ROOT / "docs" / "formats.md")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_parse(page: Path) -> None:
    for line in in_blocks(page):
        synopsis = re.search(r"[\[\]]", line) is not None
        parse(line.replace("[", "").replace("]", "") if synopsis else line, whole=not synopsis)
    for line in in_prose(page):
        parse(line, whole=False)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("evaluate --method lite", "there is no command evaluate"),
        ("eval --method lite", "Missing option '--benchmark'"),
        ("info IC-VOS --every", "No such option"),
        ("render IC-VOS --out o --kind png", "is not one of"),
    ],
)
def test_wrong_commands_do_not_parse(line: str, fault: str) -> None:
    with pytest.raises(AssertionError, match=fault):
        parse(line)


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: " ".join(path) or "icvos")
def test_help(path: tuple[str, ...]) -> None:
    """Help begins with one sentence, every option is explained, and there are examples that parse."""
    command = COMMANDS[path]
    summary = (command.help or "").split("\n\n")[0]
    assert re.fullmatch(r"[A-Z][^.]*(?:\.\S[^.]*)*\.", " ".join(summary.split())), summary
    for option in command.params:
        assert not isinstance(option, click.Option) or option.help, option.name
    if path:
        lines = list(command_lines(command.epilog or ""))
        assert lines
        assert all(line.startswith(" ".join(path)) or isinstance(command, click.Group) for line in lines)
        for line in lines:
            parse(line)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
        if not target.startswith(("https://", "http://")):
            place, _, anchor = target.partition("#")
            linked = page.parent / place if place else page
            assert linked.exists(), f"{page.name}: {target}"
            assert not anchor or anchor in anchors(linked), f"{page.name}: {target}"


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", text_of(page)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_names_what_there_is(page: Path) -> None:
    for node in (node for block in blocks(page, "python") for node in ast.walk(ast.parse(block))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "icvos":
            module = importlib.import_module(node.module or "")
            assert all(hasattr(module, alias.name) for alias in node.names), ast.unparse(node)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "icvos":
            assert hasattr(face, node.attr), ast.unparse(node)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_and_modules_that_are_named_exist(page: Path) -> None:
    """In code spans of prose: ``icvos/protocol.py``, or ``icvos.models.sam.sam1.load_sam``."""
    for span in re.findall(r"`([^`\n]+)`", FENCE.sub("", text_of(page))):
        if re.fullmatch(r"(icvos|curation|baselines|leaderboard|tests|docs|benchmarks)/[\w./-]*", span):
            assert (ROOT / span).exists(), span
        elif (found := re.fullmatch(r"((?:icvos|curation|leaderboard)(?:\.\w+)+)(\(.*\))?", span)) and not re.search(
            r"\.(json|methods|recipes)$", found[1]
        ):
            assert resolves(found[1]), span


def resolves(name: str) -> bool:
    """Whether a dotted name is a module, or something in one."""
    module, _, last = name.rpartition(".")
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        return hasattr(importlib.import_module(module), last)
    return True


def test_python_of_the_readme_runs(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    benchmark = Benchmark.open(built)
    first = benchmark.clips[0]
    support = benchmark.supports(first, 0, 1)[0]
    (tmp_path / "IC-VOS").symlink_to(built)
    for clip in benchmark.clips:
        shutil.copytree(clip.folder, tmp_path / "my-predictions" / clip.id)
    (tmp_path / "dog.jpg").symlink_to(support.image_path)
    (tmp_path / "dog.png").symlink_to(support.mask_path)
    write_animation(tmp_path / "walk.mp4", map(read_image, first.video.frame_paths[:3]))
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    found = blocks(ROOT / "README.md", "python")
    assert len(found) == 2
    for block in found:
        smaller = block.replace("parts=[0])", 'parts=[0], settings={"short_side": 96})')  # a third of the time
        exec(compile(smaller, "README.md", "exec"), names)
    evaluated, scored, *shares = capsys.readouterr().out.splitlines()
    assert 0 < float(evaluated.split(" ")[0]) < 1
    assert float(scored) == 1
    assert len(shares) == 3
