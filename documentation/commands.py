"""The reference of every command as Markdown, from click: its help, arguments and options, and examples."""

import inspect
from collections.abc import Iterator

import click

from icvos.cli import SECTIONS, main


def pages() -> dict[str, str]:
    """The text of each page by its place on the site: a list of all commands, and a page for each area of work."""
    found = {"reference/commands/index.md": _index()}
    for area, commands in SECTIONS.items():
        parts = [f"# Commands: {area}"]
        for command in commands:
            context = click.Context(command, info_name=command.name, parent=click.Context(main, info_name="icvos"))
            parts += _sections(command, context, 2)
        found[page_of(area)] = "\n\n".join(parts) + "\n"
    return found


def page_of(area: str) -> str:
    """The page of an area of work, a key of `icvos.cli.SECTIONS`."""
    return f"reference/commands/{area.lower()}.md"


def _index() -> str:
    parts = ["# Commands", "`icvos --help` lists them, `icvos COMMAND --help` explains one."]
    for area, commands in SECTIONS.items():
        rows = [
            f"| [`icvos {one.name}`]({area.lower()}.md#icvos-{one.name}) | {_text(_paragraphs(one)[0])} |"
            for one in commands
        ]
        parts += [f"## {area}", "\n".join(["| command | what it does |", "| --- | --- |", *rows])]
    return "\n\n".join(parts) + "\n"


def _sections(command: click.Command, context: click.Context, level: int) -> Iterator[str]:
    yield f"{'#' * level} icvos {' '.join(context.command_path.split()[1:])}"
    yield from map(_text, _paragraphs(command))
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"```\n{context.command_path} {usage}\n```"
    shown = [one for one in command.params if isinstance(one, click.Option) and not one.hidden]
    if shown:
        rows = [_row(one, context) for one in shown]
        yield "\n".join(["| option | what it does | default |", "| --- | --- | --- |", *rows])
    if command.epilog:
        yield "\n".join(["```", *inspect.cleandoc(command.epilog.partition("Examples:\n")[2]).splitlines(), "```"])
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from _sections(inner, click.Context(inner, info_name=name, parent=context), level + 1)


def _paragraphs(command: click.Command) -> list[str]:
    return [" ".join(one.split()) for one in (command.help or "").replace("\b", "").split("\n\n")]


def _row(option: click.Option, context: click.Context) -> str:
    names = ", ".join([*option.opts, *option.secondary_opts])
    kind = "" if option.is_flag or option.count else option.make_metavar(context)
    facts = option.get_help_extra(context)
    help_text, bracket, said = (option.help or "").partition("  [default: ")
    default = said.rstrip("]") if bracket else facts.get("default", "")
    notes = ["**required**"] if option.required else []
    notes += ["repeatable"] if option.multiple and "repeatable" not in help_text else []
    notes += [str(facts["range"])] if "range" in facts else []
    ending = f" ({', '.join(notes)})" if notes else ""
    name = f"`{names}{f' {kind}' if kind else ''}`"
    return f"| {name} | {_text(help_text)}{_text(ending)} | {_text(str(default))} |"


def _text(text: str) -> str:
    """Prose of a help text as Markdown, in a cell of a table if need be."""
    for sign in "\\`<>[]|_":
        text = text.replace(sign, f"\\{sign}")
    return text.replace("\\<", "&lt;").replace("\\>", "&gt;")
