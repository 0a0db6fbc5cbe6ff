"""`icvos serve`: a submission server."""

from pathlib import Path
from typing import Any

import click

from icvos.commands.options import FOLDER, PROTOCOLS, examples
from icvos.commands.printing import say
from icvos.errors import plural

DATA = click.option("--data", type=FOLDER, default=Path("icvos-server"), show_default=True, help="The data folder.")


@click.group(
    invoke_without_command=True,
    subcommand_metavar="[COMMAND]",
    epilog=examples(
        "icvos serve --benchmark IC-VOS",
        "icvos serve --benchmark IC-VOS --data server --url https://board.example.org --registration invited",
        "icvos serve admin anna --data server",
        "icvos serve token anna --data server",
        "icvos serve backup backups/monday --data server",
    ),
)
@click.option("--benchmark", type=FOLDER, default=None, help="The benchmark, of videos or of images, with its truth.")
@DATA
@PROTOCOLS
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen; 0.0.0.0 is everywhere.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0: any that is free.")
@click.option("--url", metavar="URL", default="", help="How browsers call the server, as https://board.example.org.")
@click.option("--trust-proxy", "proxy", metavar="ADDRESS", default="", help="A reverse proxy whose word is believed.")
@click.option("--title", metavar="TEXT", default="", help="What the pages are called.")
@click.option(
    "--registration",
    type=click.Choice(["open", "invited", "closed"]),
    default="open",
    show_default=True,
    help="Who may make an account.",
)
@click.option(
    "--quota",
    type=click.IntRange(0),
    default=5,
    show_default=True,
    help="Submissions of a user in 24 hours that are scored; 0: any number.",
)
@click.option(
    "--max-upload", "mebibytes", metavar="MIB", type=click.IntRange(1), default=512, show_default=True, help="Per file."
)
@click.option("--all-draws", is_flag=True, help="Refuse a run that is not over all support draws of the benchmark.")
@click.option(
    "--overlays",
    type=click.Choice(["none", "predictions"]),
    default="none",
    show_default=True,
    help="What the board plays of a result's worst clips; the truth is never shown.",
)
@click.option("--database", metavar="URL", default="", help="A PostgreSQL database.  [default: SQLite in --data]")
@click.option(
    "--workers", type=click.IntRange(0), default=1, show_default=True, help="Processes that score; see icvos worker."
)
@click.option(
    "--time-limit",
    "scoring_seconds",
    metavar="SECONDS",
    type=click.IntRange(1),
    default=3600,
    show_default=True,
    help="What scoring a submission may take.",
)
@click.option(
    "--attempts",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    help="How often a submission is begun whose workers are killed.",
)
@click.option("--log", is_flag=True, help="Note every request.")
@click.pass_context
def serve(context: click.Context, /, benchmark: Path | None, data: Path, **given: Any) -> None:
    """Take submissions in a browser or from programs, score them, and serve the board; the truth stays here.

    The first line tells the address, the second how to become the administrator. Run it again to go on. The pages say
    the rest.
    """
    if context.invoked_subcommand is not None:
        return
    from leaderboard.server.extra import load

    if benchmark is None:
        raise click.UsageError("Missing option '--benchmark'.", context)
    run, settings, addresses = load("run"), load("settings"), load("addresses")
    place = run.Place(given.pop("host"), given.pop("port"), given.pop("proxy"))
    workers, log, url = given.pop("workers"), given.pop("log"), given.pop("url")
    told = settings.make_settings(
        benchmark=str(benchmark),
        protocols=_protocols(given.pop("protocols")),
        max_upload_bytes=given.pop("mebibytes") << 20,
        url=addresses.read_url(url, "--url") if url else "",
        **given,
    )
    run.serve(data, run.prepared(told), place, workers, lambda line: say(line), log=log)


def _protocols(names: tuple[str, ...]) -> tuple[str, ...]:
    from icvos.protocol import protocol

    return tuple(dict.fromkeys(protocol(name).id for name in names))


@serve.command(epilog=examples("icvos serve admin anna --data server"))
@click.argument("name")
@DATA
@click.option("--password", metavar="TEXT", default=None, help="Asked for where it is not given.")
def admin(name: str, data: Path, password: str | None) -> None:
    """Make an administrator, or give one a new password."""
    from leaderboard.server.extra import load

    accounts, settings = load("accounts"), load("settings")
    told = settings.read_settings(data)
    if password is None:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    database = settings.open_database(data, told)
    hashed = accounts.hash_password(password)
    with database.write() as session:
        user = accounts.make_admin(session, name, hashed, database.now(session))
    database.close()
    say(f"{user.name} is an administrator")


@serve.command(epilog=examples("icvos serve token anna --data server"))
@click.argument("name")
@DATA
@click.option("--label", metavar="TEXT", default="", help="What the page of the account calls it.")
def token(name: str, data: Path, label: str) -> None:
    """Make a token of an account, for programs, without a browser.

    It is printed once, and the server keeps its hash. The page of the account removes it.
    """
    from icvos.errors import IcvosError
    from leaderboard.server.extra import load

    accounts, settings = load("accounts"), load("settings")
    database = settings.open_database(data, settings.read_settings(data))
    with database.write() as session:
        user = accounts.find_user(session, name)
        if user is None:
            raise IcvosError(f"{data}: no account {name}; make it on the server's page, or with icvos serve admin")
        made = accounts.new_token(session, user, label, database.now(session))
    database.close()
    say(made)


@serve.command(epilog=examples("icvos serve backup backups/monday --data server"))
@click.argument("out", type=FOLDER)
@DATA
@click.option("--uploads-only", is_flag=True, help="Of a PostgreSQL database, which pg_dump copies.")
def backup(out: Path, data: Path, uploads_only: bool) -> None:
    """Copy all that a server has into a new folder, while it runs; OUT can be served in its place."""
    from leaderboard.server.extra import load

    count = load("backup").back_up(data, out, uploads_only=uploads_only)
    say(f"{out}: {plural(count, 'submission')}")
