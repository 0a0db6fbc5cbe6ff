"""`icvos data`: which source datasets there are, fetching them, and whether a copy is whole."""

from pathlib import Path

import click

from icvos.commands.options import FOLDER, examples, json_option
from icvos.commands.printing import say
from icvos.errors import AGAIN, stoppable

STOPPED = f"what has arrived is kept; {AGAIN} to go on"
CATALOGUE = click.option(
    "--catalogue",
    type=FOLDER,
    default=None,
    help="A catalogue of your own, with mirrors for example, in place of that of icvos.",
)


@click.group(
    invoke_without_command=True,
    epilog=examples(
        "icvos data",
        "icvos data show mose",
        "icvos data fetch davis-2017 coco-val2017 --to data --accept-terms",
        "icvos data check data",
    ),
)
@click.pass_context
def data(context: click.Context) -> None:
    """List the source datasets, download those with a stable address, and check a copy.

    Without a command, list them.
    """
    if context.invoked_subcommand is None:
        context.invoke(list_, catalogue=None)


@data.command("list", epilog=examples("icvos data list"))
@CATALOGUE
def list_(catalogue: Path | None) -> None:
    """List the datasets, how each is obtained, and what takes it."""
    from curation.acquisition.catalogue import in_words, read_catalogue
    from icvos.commands.printing import listing, show

    table = listing("dataset", "what it is", "download", "how", "licence", "taken by")
    sources = read_catalogue(catalogue)
    for source in sources.values():
        if not source.parts:
            size = in_words(source.size)
            table.add_row(source.name, source.title, size, source.way, source.licence, source.used_by)
    show(table)
    for source in sources.values():
        if source.parts:
            say(f"{source.name} is {' and '.join(source.parts)}")
    say("fetch: icvos data fetch; hub: the same, with pip install 'icvos[hub]'; by hand: icvos data show says how")


@data.command(epilog=examples("icvos data show davis-2017", "icvos data show lvos-v2"))
@click.argument("name")
@CATALOGUE
def show(name: str, catalogue: Path | None) -> None:
    """Show what a dataset is, its terms, where it is handed out, and where to put it."""
    from curation.acquisition.catalogue import choose, find, read_catalogue

    sources = read_catalogue(catalogue)
    asked = find(sources, name)
    if asked.parts:
        say(f"{asked.title}: {asked.what}; {' and '.join(asked.parts)}, for {asked.used_by}")
    for source in choose(sources, [name]):
        for line in source.lines():
            say(line)


@data.command(
    epilog=examples(
        "icvos data fetch davis-2017 coco-val2017 --to data --accept-terms",
        "icvos data fetch coco-20i --to data --accept-terms",
        "icvos data fetch ic-vos --to data --accept-terms",
    )
)
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--to", type=FOLDER, required=True, help="The folder in which each dataset gets a folder of its own.")
@click.option("--accept-terms", is_flag=True, help="You have read the terms of these datasets, and accept them.")
@click.option(
    "--keep-archives", is_flag=True, help="Keep what was downloaded, in DIR/.icvos-data, once it is unpacked."
)
@CATALOGUE
def fetch(names: tuple[str, ...], to: Path, accept_terms: bool, keep_archives: bool, catalogue: Path | None) -> None:
    """Download datasets, check them against published hashes, and unpack them.

    An interrupted download resumes, and so does an interrupted unpacking. A dataset that is there and whole is left
    alone.
    """
    from curation.acquisition.fetching import fetch as run_fetch
    from icvos.commands.progress import watched

    with watched() as watch, stoppable(STOPPED.__str__):
        sources = run_fetch(
            names, to, accept_terms=accept_terms, keep_archives=keep_archives, catalogue=catalogue, watch=watch
        )
    for source in sources:
        say(f"{source.name}: {to / source.folder}; {source.used_by} {to / source.folder}")


@data.command(epilog=examples("icvos data check data", "icvos data check data/DAVIS"))
@click.argument("folder", type=FOLDER)
@CATALOGUE
@json_option("Also write the findings as JSON")
def check(folder: Path, catalogue: Path | None, json_path: Path | None) -> None:
    """Say which datasets are in a folder, and what each lacks.

    Names and numbers of files are compared with the release and with what a build needs; the files themselves are not
    read. The exit status is 1 if something is missing.
    """
    from curation.acquisition.check import check as run_check
    from icvos.commands.printing import is_stdout, put_json, require_places

    require_places(json_path)
    found = run_check(folder, catalogue=catalogue)
    if not is_stdout(json_path):
        for one in found:
            for line in one.lines():
                say(line)
    if json_path is not None:
        put_json(json_path, [one.to_json() for one in found])
    if any(one.missing for one in found):
        raise SystemExit(1)
