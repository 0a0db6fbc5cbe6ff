"""Options that several commands have, named alike everywhere."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from icvos.tasks.result import Selection
    from icvos.workers import Workers

F = TypeVar("F", bound=Callable[..., Any])


class _Place(click.Path):
    """A file or folder of this machine; an address of another place is refused."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from icvos.files.addresses import require_local

        if isinstance(value, str):
            require_local(value)
        return super().convert(value, param, ctx)


FOLDER = _Place(path_type=Path)
FILE = _Place(path_type=Path, allow_dash=True)  # - is standard output
PAPER = "paper@1"

BENCHMARK = click.option("--benchmark", type=FOLDER, required=True, help="The benchmark, of videos or of images.")
METHOD = click.option("--method", "method", metavar="NAME", required=True, help="The method; icvos methods lists them.")
SETTINGS = click.option(
    "--set",
    "pairs",
    multiple=True,
    metavar="NAME=VALUE",
    help="A setting of the method (repeatable); icvos methods show NAME lists them.",
)
SHOTS = click.option("--shots", type=click.IntRange(1, 1000), default=1, show_default=True, help="Supports to show.")
RANDOM_WEIGHTS = click.option(
    "--allow-random-weights",
    "random_weights",
    is_flag=True,
    help="Replace missing checkpoints by random weights, to try the machinery; the masks mean nothing.",
)
PROTOCOL = click.option(
    "--protocol", "protocol", metavar="ID", default=PAPER, show_default=True, help="paper@1 or native@1."
)
PROTOCOLS = click.option(
    "--protocol",
    "protocols",
    metavar="ID",
    multiple=True,
    default=(PAPER,),
    show_default=True,
    help="paper@1 or native@1 (repeatable).",
)
WORKERS = click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Processes; the result does not depend on their number.",
)
RAY = click.option(
    "--ray",
    metavar="ADDRESS",
    default=None,
    help="In place of --workers: the processors of a Ray cluster, HOST:PORT, or of this machine, local.",
)
FRAMES = click.option(
    "--frames",
    is_flag=True,
    help="On videos: also keep J and F of every frame beside the scores, for the curves on the leaderboard's pages.",
)
TIMEOUT = click.option(
    "--timeout",
    metavar="SECONDS",
    type=float,
    default=None,
    help="Stop if the method takes longer for a clip, an episode or your video.  [default: never]",
)


def json_option(what: str) -> Callable[[F], F]:
    """``--json PATH``, where ``what`` says what is written; ``-`` is standard output, which then has nothing else."""
    return click.option(
        "--json",
        "json_path",
        type=FILE,
        default=None,
        help=f"{what} (- prints it).",
    )


_SELECTION = (
    click.option(
        "--videos",
        metavar="LIST",
        default=None,
        help="Only these videos: comma-separated, or a file with one per line.",
    ),
    click.option(
        "--categories",
        metavar="LIST",
        default=None,
        help="Only these categories: comma-separated names or class numbers.",
    ),
    click.option(
        "--clips",
        "--clip",
        "clips",
        metavar="LIST",
        multiple=True,
        help="Only these clips, <video>/<class>; on images episodes, <fold>/<number> (comma-separated, repeatable).",
    ),
)


def selection_options(function: F) -> F:
    """``--videos``, ``--categories`` and ``--clips``; read them with `read_selection`."""
    for option in reversed(_SELECTION):
        function = option(function)
    return function


def read_selection(given: dict[str, Any], limit: int | None = None) -> "Selection | None":
    """Take what `selection_options` gave out of ``given``; None where nothing is selected."""
    from icvos.tasks.result import Selection

    videos, categories = (selected_names(given.pop(key), f"--{key}") for key in ("videos", "categories"))
    clips = tuple(name for text in given.pop("clips") for name in selected_names(text, "--clips"))
    found = Selection(videos, categories, clips, limit)
    return found if found else None


def selected_names(text: str | None, option: str) -> tuple[str, ...]:
    """`names`, none where the option is not given; `IcvosError` where it is and names nothing, which is not all."""
    from icvos.errors import IcvosError

    found = names(text or "")
    if text is not None and not found:
        raise IcvosError(f"{option} {text!r}: names nothing; write names, or leave the option out for everything")
    return found


def names(text: str) -> tuple[str, ...]:
    """The names in a comma-separated text, or in a file that has one on each line."""
    from icvos.errors import IcvosError
    from icvos.files.text import read_text

    path = Path(text)
    if text and path.is_file():
        try:
            lines = read_text(path).splitlines()
        except (OSError, ValueError) as error:
            raise IcvosError(f"{path}: cannot be read as a list of names ({error}); write one on each line") from error
        return tuple(line.strip() for line in lines if line.strip())
    return tuple(part.strip() for part in text.split(",") if part.strip())


def read_workers(given: dict[str, Any], archive: Path | None = None) -> "Workers":
    """Take what `WORKERS` and `RAY` gave out of ``given``.

    `IcvosError` where both are given, and where a cluster is to read ``archive``, which this machine alone unpacks.
    """
    from icvos.errors import IcvosError

    count, address = given.pop("workers"), given.pop("ray")
    if address is None:
        return count
    from icvos.tasks.farm import RayFarm
    from icvos.tasks.pool import LOCAL, Pool

    pool = Pool(address)
    if count != 1:
        raise IcvosError(f"{pool}: has workers of its own; leave --workers out")
    if archive is not None and not archive.is_dir() and address != LOCAL:
        raise IcvosError(f"{archive}: is unpacked on this machine alone; unpack it where all machines of {pool} see it")
    return RayFarm(pool)


def read_settings(pairs: tuple[str, ...]) -> dict[str, str]:
    """``name=value`` texts as a mapping."""
    from icvos.errors import IcvosError

    found: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise IcvosError(f"--set {pair}: write it as name=value")
        if found.setdefault(name.strip(), value.strip()) != value.strip():
            raise IcvosError(
                f"--set {name.strip()} is given as {found[name.strip()]} and as {value.strip()}; give it once"
            )
    return found


def read_numbers(text: str, option: str) -> tuple[int, ...]:
    """``0,2-4`` as (0, 2, 3, 4); ``option`` is named in the error for anything else."""
    from icvos.errors import IcvosError

    numbers: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()) or max(len(first), len(last)) > 4:
            raise IcvosError(f"{option} {text}: write numbers like 0 or 0,2 or 0-3")
        numbers += range(int(first), int(last if dash else first) + 1)
    if not numbers:
        raise IcvosError(f"{option} {text}: names no number; write numbers like 0 or 0,2 or 0-3")
    return tuple(numbers)


def examples(*lines: str) -> str:
    """The end of a command's help: commands that can be pasted."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def given_sources(given: Mapping[str, Any]) -> list[str]:
    """The source datasets that `source_options` were given folders of, as their options are called."""
    from icvos.files.names import SOURCES

    return [name for name in SOURCES if given[name.replace("-", "_")]]


def source_options(command: Any) -> Any:
    """The options that name and read the source datasets, for every command that opens them."""
    options = [
        click.option("--davis", type=FOLDER, help="DAVIS 2016 or 2017: the folder with JPEGImages/ and Annotations/."),
        click.option("--mose", type=FOLDER, help="MOSE v1 or v2: the folder with train/."),
        click.option("--lvos", type=FOLDER, help="LVOS v1 or v2: the folder with train/ and val/ or valid/."),
        click.option("--youtube-vos", type=FOLDER, help="YouTube-VOS, which IC-VOS has not: the folder with train/."),
        click.option(
            "--resolution", metavar="NAME", default=None, help="DAVIS: 480p or Full-Resolution, if both are present."
        ),
        click.option(
            "--missing-masks",
            type=click.Choice(["error", "empty", "skip"]),
            default="error",
            show_default=True,
            help="For a frame without a mask: stop, take the mask as empty, or skip the frame.",
        ),
        click.option(
            "--resize", is_flag=True, help="Resize masks whose size differs from that of their frame (nearest)."
        ),
        click.option("--natural-sort", is_flag=True, help="Accept frame names that are not numbers, in natural order."),
    ]
    for option in reversed(options):
        command = option(command)
    return command
