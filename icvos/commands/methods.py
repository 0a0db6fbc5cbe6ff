"""`icvos methods`: what is installed, the settings of each, and whether it keeps the promises of a method."""

from pathlib import Path

import click

from icvos.commands.options import RANDOM_WEIGHTS, SETTINGS, examples, json_option, read_settings
from icvos.commands.printing import listing, put_json, show


@click.group(
    invoke_without_command=True,
    epilog=examples("icvos methods", "icvos methods show lite", "icvos methods check lite"),
)
@click.pass_context
def methods(context: click.Context) -> None:
    """List the installed methods, show the settings of one, or check one.

    The list says what each method needs, and whether it is there.
    """
    if context.invoked_subcommand is None:
        _list()


def _list() -> None:
    from icvos.inspection.requirements import requirements

    table = listing("method", "where", "needs", "state")
    for found in requirements():
        table.add_row(found.method, found.where, ", ".join(found.needs) or "nothing", found.state)
    show(table)


@methods.command(
    epilog=examples("icvos methods check lite", "icvos methods check mine --frames 300 --json checks.json")
)
@click.argument("name")
@SETTINGS
@click.option("--frames", default=120, show_default=True, help="Length of the video on which memory is measured.")
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
    """Run a method on small drawn videos and say which promises it keeps.

    Exit status 1 if one is broken.
    """
    import dataclasses
    import tempfile

    from icvos.inspection.promises import Check, check_method
    from icvos.method import find_method, load_method
    from icvos.models.weights.registry import random_weights_allowed

    def report(check: Check) -> None:
        if str(json_path) != "-":
            click.echo(f"{check.status:8}{check.name:14}{check.reason}  ({check.seconds:.1f} s)")

    settings = read_settings(pairs)
    find_method(name)
    with tempfile.TemporaryDirectory(prefix="icvos-check-") as folder, random_weights_allowed(random_weights):
        checks = check_method(lambda: load_method(name, settings), Path(folder), frames=frames, report=report)
    failed = sum(check.status == "FAILED" for check in checks)
    if json_path:
        found = {"method": name, "failed": failed, "checks": [dataclasses.asdict(check) for check in checks]}
        put_json(json_path, found)
    if str(json_path) != "-":
        click.echo(f"{name}: {failed} of {len(checks)} checks failed" if failed else f"{name}: all checks passed")
    context.exit(1 if failed else 0)
