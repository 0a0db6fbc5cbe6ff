"""`icvos methods` and `icvos methods check`: what is installed, and whether it keeps the promises of a method."""

import click

from icvos.commands.evaluate import RANDOM_WEIGHTS, parse_settings


@click.group(invoke_without_command=True)
@click.pass_context
def methods(context: click.Context) -> None:
    """List the installed methods, or check one."""
    if context.invoked_subcommand is None:
        show_methods()


def show_methods() -> None:
    """A table of the installed methods: what each needs, and whether it is there."""
    from icvos.commands.printing import listing, show
    from icvos.inspection.requirements import list_methods

    table = listing("method", "where", "needs", "state")
    for found in list_methods():
        table.add_row(found.method, found.where, ", ".join(found.needs) or "nothing", found.state)
    show(table)


@methods.command()
@click.argument("name")
@click.option("--set", "pairs", multiple=True, metavar="NAME=VALUE", help="A setting of the method; repeatable.")
@click.option("--frames", default=120, show_default=True, help="Length of the video on which memory is measured.")
@RANDOM_WEIGHTS
@click.option("--json", "as_json", is_flag=True, help="Print one JSON value.")
@click.pass_context
def check(context: click.Context, name: str, pairs: tuple[str, ...], frames: int, random: bool, as_json: bool) -> None:
    """Run a method on small drawn videos and say which promises it keeps. Exit status 1 if one is broken."""
    import json

    from icvos.inspection.check import Check, check_method

    def report(check: Check) -> None:
        if not as_json:
            click.echo(str(check))

    found = check_method(name, settings=parse_settings(pairs), frames=frames, random_weights=random, report=report)
    click.echo(json.dumps(found.to_json(), indent=2) if as_json else found.summary())
    context.exit(1 if found.failed else 0)
