"""`icvos methods`: what is installed, the settings of each, and whether it keeps the promises of a method."""

from pathlib import Path

import click

from icvos.commands.options import RANDOM_WEIGHTS, SETTINGS, examples, json_option, read_settings
from icvos.commands.printing import is_stdout, listing, put_json, require_places, say, show, show_stray_variables


@click.group(
    invoke_without_command=True,
    epilog=examples("icvos methods", "icvos methods show lite", "icvos methods check lite"),
)
@click.pass_context
def methods(context: click.Context) -> None:
    """List the installed methods, show one, or check one.

    The list says what each method needs and whether that is present.
    """
    if context.invoked_subcommand is not None:
        return
    from icvos.inspection.requirements import list_methods

    table = listing("method", "where", "needs", "state")
    for found in list_methods():
        table.add_row(found.method, found.where, ", ".join(found.needs) or "nothing", found.state)
    show(table)
    show_stray_variables()


@methods.command("show", epilog=examples("icvos methods show persam", "icvos methods show lite --json -"))
@click.argument("name")
@json_option("Write it to this file as JSON instead")
def show_one(name: str, json_path: Path | None) -> None:
    """Show what a method does, what it needs, and its settings."""
    from icvos.inspection.card import default_text, method_card

    card = method_card(name)
    if json_path:
        return put_json(json_path, card.to_json())
    needs = ", ".join(card.requirements.needs) or "no checkpoint"
    say(f"{name} ({card.requirements.where}): {card.requirements.state}; needs {needs}\n")
    say(card.about.partition("\n\n")[0])
    if card.settings:
        table = listing("--set", "type", "default", "meaning")
        for setting in card.settings:
            kind = " | ".join(setting.choices) or ", ".join(filter(None, (setting.type_text, setting.range)))
            table.add_row(setting.name, kind, default_text(setting), setting.meaning)
        show(table)
    return None


@methods.command(
    epilog=examples("icvos methods check lite", "icvos methods check mine --frames 300 --json checks.json")
)
@click.argument("name")
@SETTINGS
@click.option("--frames", default=120, show_default=True, help="Length of the video for measuring memory.")
@RANDOM_WEIGHTS
@json_option("Also write every check to this file")
@click.pass_context
def check(
    context: click.Context,
    name: str,
    pairs: tuple[str, ...],
    frames: int,
    random_weights: bool,
    json_path: Path | None,
) -> None:
    """Check on small drawn videos that a method behaves as it should.

    The exit status is 1 if a check fails.
    """
    from icvos.inspection.check import Check, check_method

    require_places(json_path)
    quiet = is_stdout(json_path)

    def report(check: Check) -> None:
        if not quiet:
            say(str(check))

    found = check_method(
        name, settings=read_settings(pairs), frames=frames, random_weights=random_weights, report=report
    )
    if json_path:
        put_json(json_path, found.to_json())
    if not quiet:
        say(found.summary())
    context.exit(1 if found.failed else 0)
