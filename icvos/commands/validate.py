"""`icvos validate`: every fault of predictions."""

from pathlib import Path

import click

from icvos.commands.options import BENCHMARK, FOLDER, PROTOCOL, examples, json_option
from icvos.commands.printing import is_stdout, put_json, require_places, say, show_faults, show_repairs
from icvos.commands.progress import scored_in, watched
from icvos.errors import AGAIN, plural


@click.command(
    epilog=examples(
        "icvos validate my-predictions.zip --benchmark IC-VOS",
        "icvos validate my-predictions --benchmark IC-VOS --repair repaired --json faults.json",
    )
)
@click.argument("predictions", type=FOLDER)
@BENCHMARK
@PROTOCOL
@json_option("Also write every fault to this file")
@click.option(
    "--repair",
    "repaired",
    type=FOLDER,
    default=None,
    help="Write the predictions without harmless faults to this new folder.",
)
def validate(predictions: Path, benchmark: Path, protocol: str, json_path: Path | None, repaired: Path | None) -> None:
    """Find every fault of predictions, in one pass; a line for each kind, with a count and three examples.

    PREDICTIONS is a run, a folder of predictions or a zip or tar.gz file of either. Errors prevent scoring and give
    exit status 1; warnings do not. With --repair, the status is that of the new folder.
    """
    from icvos.files.storage import require_writable
    from icvos.protocol import protocol as find_protocol
    from icvos.tasks.calls import repair
    from icvos.tasks.calls import validate as run
    from icvos.tasks.kinds import as_json
    from icvos.tasks.task import open_task

    require_places(json_path)
    if repaired:
        require_writable(repaired, folder=True)
    task, chosen = open_task(benchmark), find_protocol(protocol).id
    err = is_stdout(json_path)  # the text goes elsewhere than the JSON
    with watched(f"{{done}} of {{units}} {scored_in(task)} are looked at and no fault is listed; {AGAIN}") as watch:
        faults = run(predictions, task, chosen, watch=watch)
    show_faults(faults, err=err)
    report: dict[str, object] = {"protocol": chosen, **as_json("faults", faults)}
    if repaired:
        done = repair(predictions, task, repaired, chosen)
        faults = list(done.left)
        report |= as_json("repairs", done.repairs) | as_json("left", faults)
        show_repairs(done.repairs, err)
        show_faults(faults, "left: ", err)
    if json_path:
        put_json(json_path, report)
    errors = sum(fault.severity == "error" for fault in faults)
    counts = (plural(count, noun) for count, noun in ((errors, "error"), (len(faults) - errors, "warning")))
    say(f"{repaired or predictions}: {', '.join(counts)} under {chosen}", err=err)
    if errors:
        raise SystemExit(1)
