"""Options that several commands have, named alike everywhere."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from icvos.tasks.result import Selection

F = TypeVar("F", bound=Callable[..., Any])
FOLDER = click.Path(path_type=Path)
PAPER = "paper@1"

BENCHMARK = click.option(
    "--benchmark", type=FOLDER, required=True, help="The benchmark, of videos or of images, that is predicted."
)
METHOD = click.option("--method", "method", required=True, help="A method's name; icvos methods lists them.")
SETTINGS = click.option(
    "--set",
    "pairs",
    multiple=True,
    metavar="NAME=VALUE",
    help="A setting of the method; repeatable. icvos methods show NAME lists them.",
)
SHOTS = click.option("--shots", type=click.IntRange(min=1), default=1, show_default=True, help="Supports shown.")
RANDOM_WEIGHTS = click.option(
    "--allow-random-weights",
    "random_weights",
    is_flag=True,
    help="Put random weights in the place of missing checkpoints, to try the machinery; the masks mean nothing.",
)
PROTOCOL = click.option("--protocol", "protocol", default=PAPER, show_default=True, help="paper@1 or native@1.")
PROTOCOLS = click.option(
    "--protocol",
    "protocols",
    multiple=True,
    default=(PAPER,),
    show_default=True,
    help="paper@1 or native@1; repeatable.",
)
WORKERS = click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Processes; the result is the same for any number.",
)


def json_option(what: str) -> Callable[[F], F]:
    """``--json FILE``, where ``what`` says what is written; ``-`` is standard output."""
    return click.option(
        "--json",
        "json_path",
        type=click.Path(path_type=Path, allow_dash=True),
        default=None,
        help=f"{what} (- prints).",
    )


_SELECTION = (
    click.option("--videos", default="", help="Only these videos, comma-separated, or a file with one per line."),
    click.option("--categories", default="", help="Only these categories, comma-separated names or class numbers."),
    click.option(
        "--clips",
        "--clip",
        "clips",
        multiple=True,
        help="Only these clips, <video>/<class>, or episodes of images, <fold>/<number>; comma-separated or repeated.",
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

    videos, categories = (names(given.pop(key)) for key in ("videos", "categories"))
    clips = tuple(name for text in given.pop("clips") for name in names(text))
    found = Selection(videos, categories, clips, limit)
    return found if found else None


def names(text: str) -> tuple[str, ...]:
    """The names in a comma-separated text, or in a file that has one on each line."""
    path = Path(text)
    if text and path.is_file():
        lines = path.read_text(encoding="utf-8").splitlines()
        return tuple(line.strip() for line in lines if line.strip())
    return tuple(part.strip() for part in text.split(",") if part.strip())


def read_settings(pairs: tuple[str, ...]) -> dict[str, str]:
    """``name=value`` texts as a mapping."""
    from icvos.errors import IcvosError

    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise IcvosError(f"--set {pair}: write it as name=value")
        found[name.strip()] = value.strip()
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


def source_options(command: Any) -> Any:
    """The options that name and read the source datasets, for every command that opens them."""
    options = [
        click.option("--davis", type=FOLDER, help="DAVIS 2016 or 2017 (the folder with JPEGImages and Annotations)."),
        click.option("--mose", type=FOLDER, help="MOSE v1 or v2 (the folder with train/)."),
        click.option("--lvos", type=FOLDER, help="LVOS v1 or v2 (the folder with train/ and val/ or valid/)."),
        click.option("--resolution", default=None, help="DAVIS only: 480p or Full-Resolution, where both are there."),
        click.option(
            "--missing-masks",
            type=click.Choice(["error", "empty", "skip"]),
            default="error",
            show_default=True,
            help="A frame without a mask: refuse, read as empty, or leave the frame out.",
        ),
        click.option("--resize", is_flag=True, help="Resize masks that differ in size from their frame (nearest)."),
        click.option("--natural-sort", is_flag=True, help="Take frame names that are not numbers, in natural order."),
    ]
    for option in reversed(options):
        command = option(command)
    return command
