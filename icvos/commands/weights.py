"""`icvos weights`: the checkpoints that methods stand on. No command here imports torch, except `add` and `pack`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from icvos.commands.options import FOLDER as FILE
from icvos.commands.options import examples
from icvos.commands.printing import say

if TYPE_CHECKING:
    from icvos.models.weights.registry import Checkpoint

MEGABYTE = 10**6


@click.group(epilog=examples("icvos weights list", "icvos weights fetch sam-vit-h sam2.1-hiera-l"))
def weights() -> None:
    """List, download and check the checkpoints of networks."""


@weights.command("list", epilog=examples("icvos weights list"))
def list_() -> None:
    """List the known checkpoints and which are on this machine."""
    from icvos.commands.printing import listing, show, show_stray_variables
    from icvos.models.weights import registry
    from icvos.models.weights.integrity import standing

    table = listing("checkpoint", "file", "MB", "licence", "trained on", "state")
    for known in (*registry.checkpoints().values(), *registry.kept_from_hub()):
        size = f"{known.size / MEGABYTE:.0f}" if known.size else ""
        table.add_row(known.name, known.file, size, known.licence, known.trained_on, standing(known))
    show(table)
    say(f"folder: {registry.folder()}")
    show_stray_variables()


@weights.command(
    epilog=examples(
        "icvos weights fetch sam2.1-hiera-l",
        "icvos weights fetch dinov2-vitl14 sam-vit-h",
        "icvos weights fetch hf:anna/dcsam-coco/best.safetensors",
    )
)
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
def fetch(names: tuple[str, ...]) -> None:
    """Download checkpoints into the folder of weights.

    An interrupted download resumes. Every file is checked against its published size and hash. hf:OWNER/REPO/FILE is a
    file of the Hugging Face Hub, which methods take under that name (--set checkpoint=hf:OWNER/REPO/FILE).
    """
    from icvos.commands.progress import bar
    from icvos.errors import AGAIN, stoppable
    from icvos.models.weights import registry
    from icvos.models.weights.download import fetch as run_fetch

    for known in [registry.checkpoint(name) for name in names]:
        kept = f"what has arrived of {known.name} is kept; {AGAIN} to go on"
        with bar(f"{known.name} (MB)") as update, stoppable(kept.__str__):
            path = run_fetch(
                known,
                progress=lambda done, total: update(  # called before the next checkpoint's bar
                    completed=done // MEGABYTE, total=total and total // MEGABYTE
                ),
            )
        say(f"{known.name}: {path}")


@weights.command(epilog=examples("icvos weights verify", "icvos weights verify sam-vit-h"))
@click.argument("names", nargs=-1, metavar="[NAME]...")
def verify(names: tuple[str, ...]) -> None:
    """Check the hashes of checkpoints on this machine.

    They are compared with the published hashes, or with those of the first fetch; without NAME, all checkpoints on this
    machine are checked. The exit status is 1 if one differs.
    """
    from icvos.errors import IcvosError
    from icvos.models.weights import registry

    chosen = [registry.checkpoint(name) for name in names]
    failed = False
    for known in chosen or (*registry.checkpoints().values(), *registry.kept_from_hub()):
        path = registry.locate(known)
        if path is None:
            if chosen:
                raise IcvosError(f"{known.name}: is not on this machine; {registry.how_to_get(known)}")
            continue
        good, verdict = _verdict(known, path)
        failed |= not good
        say(f"{known.name}: {verdict}: {path}")
    if failed:
        raise SystemExit(1)


def _verdict(known: "Checkpoint", path: Path) -> tuple[bool, str]:
    """Whether a file is the right one, and why; the hash of one that nobody published is noted for the next time."""
    from icvos.files.storage import sha256
    from icvos.models.weights import registry
    from icvos.models.weights.integrity import changed, noted, published_fault, write_note

    digest, note = sha256(path), noted(path)
    converted = path.suffix == ".safetensors" and not known.inside
    if not converted and (fault := published_fault(path, known, digest)):
        return False, f"WRONG, {fault}"
    if fault := changed(path, digest):
        return False, f"CHANGED, {fault}"
    if not note and path in registry.places(known):
        write_note(path, digest)
    if known.sha256 and not converted:
        return True, "as published"
    if known.sha256_prefix and not converted:
        return True, "as published (by the first digits of its hash)"
    return True, "as it was fetched" if note else f"no hash is published, {digest[:12]}... noted"


@weights.command(epilog=examples("icvos weights add resnet50-v2 ~/Downloads/resnet50_v2.pth"))
@click.argument("name")
@click.argument("path", type=FILE)
def add(name: str, path: Path) -> None:
    """Add a file that you have as the checkpoint NAME.

    It is linked into the folder of weights if the file system allows it, and copied otherwise. A file that is not a
    plain state dictionary, or not the published one, is refused.
    """
    from icvos.errors import IcvosError
    from icvos.files.storage import require_writable, sha256, take_in
    from icvos.models.weights import registry
    from icvos.models.weights.integrity import published_fault, write_note
    from icvos.models.weights.load import read_state

    known = registry.checkpoint(name)
    if not known.file:
        raise IcvosError(f"{name}: has no place in the folder of weights; give the path of the file to the method")
    if not path.is_file():
        raise IcvosError(f"{path}: no such file; give a checkpoint")
    published, converted = registry.places(known)
    target = converted if path.suffix == ".safetensors" else published
    require_writable(target)
    read_state(path)
    digest = sha256(path)
    if target == published and (fault := published_fault(path, known, digest)):
        raise IcvosError(
            f"{path}: is not the published {name}: {fault}; to use it all the same, set {registry.variable(name)}"
        )
    take_in(path, target)
    write_note(target, digest)
    say(f"{name}: {target}")


@weights.command(epilog=examples("icvos weights pack runs/dcsam/best.safetensors dcsam-small.safetensors"))
@click.argument("source", type=FILE)
@click.argument("target", type=FILE)
@click.option(
    "--base",
    metavar="NAME",
    default="",
    help="A checkpoint that comes with icvos.  [default: the one that SOURCE was trained on]",
)
def pack(source: Path, target: Path, base: str) -> None:
    """Write a checkpoint of icvos train in half precision, without its frozen EfficientNet-Lite0.

    What is the same in the checkpoint --base is left out, too. It loads like the whole one: the backbone comes from its
    own package, and the rest from icvos.
    """
    from icvos.errors import IcvosError
    from icvos.files.storage import require_writable
    from icvos.models.packed import pack as run_pack

    if not source.is_file():
        raise IcvosError(f"{source}: no such file; give a checkpoint of icvos train")
    require_writable(target)
    run_pack(source, target, base)
    say(f"{target}: {target.stat().st_size / MEGABYTE:.1f} MB, from {source.stat().st_size / MEGABYTE:.1f} MB")


@weights.command(
    epilog=examples(
        "icvos weights push dcsam.safetensors anna/dcsam-coco --dry-run",
        "icvos weights push runs/dcsam/best.safetensors anna/dcsam-coco --licence apache-2.0",
    )
)
@click.argument("path", metavar="FILE", type=FILE)
@click.argument("repository", metavar="OWNER/REPO")
@click.option("--licence", metavar="ID", default="", help="Its licence as the Hub names it, for example apache-2.0.")
@click.option("--name", metavar="NAME", default=None, help="What the file is called there.  [default: its own name]")
@click.option("--private", is_flag=True, help="If the repository is new, only its owner can see it.")
@click.option("--dry-run", is_flag=True, help="Print the model card; publish nothing.")
def push(path: Path, repository: str, licence: str, name: str | None, private: bool, dry_run: bool) -> None:
    """Publish a checkpoint of icvos train on the Hugging Face Hub, with a model card.

    The card is filled from the header of the file: what it was trained on, from which checkpoints, and how to use it.
    The file is published as it is, its header too, which names the folders that its training was given. Log in before
    with: hf auth login
    """
    from icvos.errors import IcvosError
    from icvos.files.hub import push as run_push
    from icvos.files.names import name_fault
    from icvos.training.model_card import published_card

    if not path.is_file():
        raise IcvosError(f"{path}: no such file; give a checkpoint of icvos train")
    name = path.name if name is None else name
    if fault := name_fault(name):
        raise IcvosError(f"--name {name}: cannot name a file: it {fault}")
    card = published_card(path, repository, name, licence)
    if dry_run:
        say(card)
        return
    files: dict[str, Path | bytes] = {name: path, "README.md": card.encode("utf-8")}
    address = run_push(repository, files, private=private, message=f"{name}, by icvos weights push")
    say(f"{address}\nicvos weights fetch hf:{repository}/{name}")
