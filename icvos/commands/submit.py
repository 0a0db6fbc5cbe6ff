"""`icvos submit`: predictions onto a leaderboard, here or on a server."""

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from icvos.commands.options import FOLDER, FRAMES, PROTOCOLS, RAY, WORKERS, examples, read_workers
from icvos.commands.printing import say, show_faults, show_result
from icvos.commands.progress import scored_in, watched
from icvos.errors import AGAIN

FACTS = ("training", "classes_seen", "uses_text", "licence", "parameters")
HERE = ("benchmark", "board", "protocols", "revision", "all_draws", "frames", "workers", "ray")  # as a server decides
THERE = ("token", "publish")
SENT = "once the file is sent, the server goes on without this command"


@click.command(
    epilog=examples(
        "icvos submit my-predictions.zip --benchmark IC-VOS --name 'My method' --board board",
        "icvos submit runs/mine --benchmark IC-VOS --name Mine --board board --training none --no-text --licence MIT",
        "icvos submit runs/mine --server https://board.example.org --token TOKEN --name Mine --publish",
    )
)
@click.argument("predictions", type=FOLDER)
@click.option("--benchmark", type=FOLDER, default=None, help="The benchmark, of videos or of images.")
@click.option("--name", metavar="TEXT", required=True, help="The name of the method on the leaderboard.")
@click.option("--revision", default="1", show_default=True, help="New figures of the same method are a new revision.")
@PROTOCOLS
@click.option("--board", type=FOLDER, default=None, help="The folder of the leaderboard.")
@click.option(
    "--training",
    type=click.Choice(["none", "trained"]),
    help="Whether anything was learned for this task; the page can be filtered by it.",
)
@click.option("--classes-seen/--classes-unseen", default=None, help="Whether training showed masks of tested classes.")
@click.option("--text/--no-text", "uses_text", default=None, help="Whether the method is also given words.")
@click.option("--licence", metavar="TEXT", default=None, help="The licence of code and weights.")
@click.option("--parameters", type=click.IntRange(1), default=None, help="Numbers in the method's networks.")
@click.option("--all-draws", is_flag=True, help="Refuse a run that is not over all support draws of the benchmark.")
@FRAMES
@WORKERS
@RAY
@click.option(
    "--server", metavar="URL", default=None, help="Send them to icvos serve at this address, which scores them."
)
@click.option("--token", envvar="ICVOS_TOKEN", default=None, help="Yours on the server.  [default: $ICVOS_TOKEN]")
@click.option("--publish", is_flag=True, help="With --server: put the result on its board; else only you see it.")
@click.pass_context
def submit(context: click.Context, /, predictions: Path, server: str | None, **given: Any) -> None:
    """Check predictions, score them, and put the result on a leaderboard.

    PREDICTIONS is a run, a folder of predictions or a zip or tar.gz file of either. The leaderboard is a folder here,
    with --benchmark and --board, or that of a server, with --server and --token, which has the benchmark and counts
    revisions itself.
    """
    _require_one_way(context, server)
    said = {key: given.pop(key) for key in FACTS}
    token, publish = given.pop("token"), given.pop("publish")
    if server is None:
        _submit_here(predictions, said, **given)
    else:
        _submit_there(predictions, said, server, token, given["name"], publish=publish)


def _require_one_way(context: click.Context, server: str | None) -> None:
    """Raise a usage error for options of the other way, or one that is missing."""
    typed = {name for name in (*HERE, *THERE) if context.get_parameter_source(name) is ParameterSource.COMMANDLINE}
    options = {parameter.name: parameter.opts[0] for parameter in context.command.params}
    if server is not None:
        missing = [] if context.params["token"] else ["token"]
        wrong = sorted(typed.intersection(HERE))
    else:
        missing = [name for name in ("benchmark", "board") if context.params[name] is None]
        wrong = sorted(typed.intersection(THERE))
    if wrong:
        way = "the server decides it" if server is not None else "it goes with --server"
        raise click.UsageError(f"{options[wrong[0]]}: {way}; leave it out", context)
    if missing == ["token"]:
        how = "make one on the page of your account, or where the server is with icvos serve token"
        raise click.UsageError(f"Missing option '--token': {how}", context)
    if missing:
        raise click.UsageError(f"Missing option '{options[missing[0]]}'.", context)


def _submit_here(
    predictions: Path, said: dict[str, Any], *, benchmark: Path, protocols: tuple[str, ...], board: Path, **given: Any
) -> None:
    from icvos.protocol import protocol as find_protocol
    from icvos.tasks.task import open_task
    from leaderboard.entry import method_facts
    from leaderboard.submission import SubmissionError
    from leaderboard.submission import submit as run

    facts = method_facts(said)
    given["workers"] = read_workers(given, predictions)
    task = open_task(benchmark)
    for protocol in map(find_protocol, protocols):
        stopped = f"{{done}} of {{units}} {scored_in(task)} are done ({{stage}}) and nothing is on the board; {AGAIN}"
        with watched(stopped) as watch:
            try:
                report = run(task, predictions, protocol, board=board, facts=facts, watch=watch, **given)
            except SubmissionError as error:
                show_faults(error.faults, err=True)
                raise
        show_faults(report.warnings, err=True)
        show_result(report.result, report.path)


def _submit_there(
    predictions: Path, said: dict[str, Any], server: str, token: str, name: str, *, publish: bool
) -> None:
    from leaderboard.server.extra import load

    client = load("client")
    fields = {key: _word(value) for key, value in said.items() if value is not None}
    with watched(SENT) as watch:
        try:
            with client.Remote(server, token) as remote:
                found = client.submit_to(remote, predictions, {"name": name, **fields}, watch, publish=publish)
        except client.NotScoredError as error:
            show_faults(error.faults, err=True)
            raise
    show_faults(found.warnings, err=True)
    for result in found.results:
        for line in result.lines(found.place):
            say(line)
    on_board = f"on the board, {server.rstrip('/')}/board/" if found.published else "not published; --publish does that"
    say(f"{found.place}: {on_board}")


def _word(value: object) -> str:
    """What the form has for an answer."""
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
