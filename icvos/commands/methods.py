"""`icvos methods` and `icvos methods check`: what is installed, and whether it keeps the promises of a method."""

import click

from icvos.commands import evaluate
from icvos.commands.evaluate import RANDOM_WEIGHTS


@click.group(invoke_without_command=True)
@click.pass_context
def methods(context: click.Context) -> None:
    """List the installed methods, or check one."""
    if context.invoked_subcommand is None:
        context.invoke(evaluate.methods)


@methods.command()
@click.argument("name")
@click.option("--set", "pairs", multiple=True, metavar="NAME=VALUE", help="A setting of the method; repeatable.")
@click.option("--frames", default=120, show_default=True, help="Length of the video on which memory is measured.")
@RANDOM_WEIGHTS
@click.option("--json", "as_json", is_flag=True, help="Print one JSON value.")
@click.pass_context
def check(context: click.Context, name: str, pairs: tuple[str, ...], frames: int, random: bool, as_json: bool) -> None:
    """Run a method on small drawn videos and say which promises it keeps. Exit status 1 if one is broken."""
    import dataclasses
    import json
    import tempfile
    from pathlib import Path

    from icvos.inspection.promises import Check, check_method
    from icvos.method import find_method, load_method
    from icvos.models.weights.registry import random_weights_allowed

    def report(check: Check) -> None:
        if not as_json:
            click.echo(f"{check.status:8}{check.name:14}{check.reason}  ({check.seconds:.1f} s)")

    settings = evaluate.parse_settings(pairs)
    find_method(name)
    with tempfile.TemporaryDirectory(prefix="icvos-check-") as folder, random_weights_allowed(random):
        checks = check_method(lambda: load_method(name, settings), Path(folder), frames=frames, report=report)
    failed = sum(check.status == "FAILED" for check in checks)
    if as_json:
        found = {"method": name, "failed": failed, "checks": [dataclasses.asdict(check) for check in checks]}
        click.echo(json.dumps(found, indent=2))
    else:
        click.echo(f"{name}: {failed} of {len(checks)} checks failed" if failed else f"{name}: all checks passed")
    context.exit(1 if failed else 0)
