"""`icvos doctor`: what is installed on this machine, and what each missing thing would enable."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from icvos.commands.options import examples, json_option
from icvos.commands.printing import is_stdout, put_json, require_places, say, show_stray_variables

if TYPE_CHECKING:
    from icvos.inspection.installation import Installation

GIGABYTE = 10**9


@click.command(epilog=examples("icvos doctor", "icvos doctor --json doctor.json"))
@json_option("Write everything to this file as JSON instead")
def doctor(json_path: Path | None) -> None:
    """Show what is installed on this machine, and what each missing thing would enable.

    Packages, devices, weights, methods, compiled code and free disk. Every package is imported once, which takes a
    while; one that is broken is named, with the reason.
    """
    from icvos.inspection.installation import look

    require_places(json_path)
    if not is_stdout(json_path):
        say("importing every package that icvos can use ...", err=True)
    found = look()
    if json_path:
        put_json(json_path, found.to_json())
        return
    _show_machine(found)
    _show_packages(found)
    _show_networks(found)
    say("free disk:")
    for place, free in found.free.items():
        say(f"  {free / GIGABYTE:8.1f} GB  {place}")
    for note in found.notes:
        say(f"note: {note}")
    show_stray_variables()


def _show_machine(found: "Installation") -> None:
    say(f"icvos {found.version or '(not installed as a package)'} in {found.folder}")
    say(f"Python {found.python}")
    say(f"{found.system}, {found.cores} cores")
    torch = found.package("torch")
    devices = (
        f"{', '.join(found.devices)}; torch {torch.version}" if torch.usable else "none, as torch cannot be imported"
    )
    say(f"devices: {devices}")
    if found.compiled:
        say(f"compiled code: {found.compiled} functions in {', '.join(found.compiled_in)}")
    else:
        say("compiled code: none yet; the first command that reads or scores masks compiles it, for about ten seconds")


def _show_packages(found: "Installation") -> None:
    from icvos.inspection.installation import CORE, EXTRAS

    say("packages:")
    for name, modules, enables in [
        ("icvos", CORE, "building, scoring, ranking"),
        *((name, one.modules, one.enables) for name, one in EXTRAS.items()),
    ]:
        lacking = found.lacking(modules)
        say(f"  {name:8}{'there' if not lacking else 'lacking':10}{enables}")
        if lacking:
            names = ", ".join(f"{one.name} {'(broken)' if one.fault else '(missing)'}" for one in lacking)
            package = "icvos" if name == "icvos" else f"'icvos[{name}]'"
            say(f"{'':18}{names}; run: pip install {package}")
    for one in found.packages:
        if one.fault:
            say(f"  {one.name} is broken: {one.fault}; run: pip install --force-reinstall {one.name}")


def _show_networks(found: "Installation") -> None:
    there = [
        name for name, state in found.weights.items() if state.startswith(("present", "comes", "in its", "ICVOS_"))
    ]
    say(f"weights: {found.weights_folder}, and in packages: {len(there)} of {len(found.weights)} there")
    say(f"  {', '.join(there)}")
    for name, state in found.weights.items():
        if state.startswith("damaged"):
            say(f"  {name} is {state}; run: icvos weights fetch {name}")
    if found.methods:
        ready = [name for name, state in found.methods.items() if state == "ready"]
        names = f": {', '.join(ready)}" if ready else ""
        say(f"methods: {len(ready)} of {len(found.methods)} ready{names}; icvos methods says what others need")
