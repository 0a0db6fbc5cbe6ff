"""`icvos submit`: predictions onto a leaderboard."""

from pathlib import Path
from typing import Any

import click

from icvos.commands.options import BENCHMARK, FOLDER, FRAMES, PROTOCOLS, WORKERS, examples
from icvos.commands.printing import show_faults, show_result
from icvos.commands.progress import scored_in, watched
from icvos.errors import AGAIN


@click.command(
    epilog=examples(
        "icvos submit my-predictions.zip --benchmark IC-VOS --name 'My method' --board board",
        "icvos submit runs/mine --benchmark IC-VOS --name Mine --board board --training none --no-text --licence MIT",
    )
)
@click.argument("predictions", type=FOLDER)
@BENCHMARK
@click.option("--name", metavar="TEXT", required=True, help="The name of the method on the leaderboard.")
@click.option("--revision", default="1", show_default=True, help="New figures of the same method are a new revision.")
@PROTOCOLS
@click.option("--board", type=FOLDER, required=True, help="The folder of the leaderboard.")
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
def submit(predictions: Path, benchmark: Path, protocols: tuple[str, ...], board: Path, **given: Any) -> None:
    """Check predictions, score them, and put the result on a leaderboard.

    PREDICTIONS is a run, a folder of predictions or a zip or tar.gz file of either.
    """
    from icvos.protocol import protocol as find_protocol
    from icvos.tasks.task import open_task
    from leaderboard.entry import method_facts
    from leaderboard.submission import SubmissionError
    from leaderboard.submission import submit as run

    said = {key: given.pop(key) for key in ("training", "classes_seen", "uses_text", "licence", "parameters")}
    facts = method_facts(said)
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
