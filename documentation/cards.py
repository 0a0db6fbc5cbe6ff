"""A page for each method, from what the registries of methods and checkpoints know; torch is needed to read them."""

import inspect
import tomllib
from pathlib import Path

from documentation.places import ROOT
from icvos.inspection.card import Card, default_text, method_card
from icvos.method import method_class
from icvos.models.needs import TRAINED, small
from icvos.models.weights import registry
from icvos.settings import Setting
from icvos.training.recipe import list_recipes
from leaderboard.paper.tables import paper_table

MEGABYTE = 10**6


def pages() -> dict[str, str]:
    """The text of each page by its place on the site, a list of all first."""
    cards = {name: method_card(name) for name in own_methods()}
    found = {"methods/index.md": _index(cards)}
    return found | {f"methods/{name}.md": _page(name, card) for name, card in cards.items()}


def own_methods() -> list[str]:
    """The methods of this repository; others may be installed beside them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return sorted(project["entry-points"]["icvos.methods"])


def _index(cards: dict[str, Card]) -> str:
    rows = [f"| [`{name}`]({name}.md) | {_summary(card)} | {_learned(name)} |" for name, card in cards.items()]
    return "\n".join(
        [
            "# Cards of the methods",
            "",
            "| method | what it does | learned for this task |",
            "| --- | --- | --- |",
            *rows,
        ]
    )


def _summary(card: Card) -> str:
    return " ".join(card.about.partition("\n\n")[0].split())


def _learns(name: str) -> bool:
    return hasattr(method_class(name), "trainable")


def _learned(name: str) -> str:
    return "yes" if _learns(name) else "no"


def _page(name: str, card: Card) -> str:
    factory = method_class(name)
    code = Path(inspect.getfile(factory)).relative_to(ROOT).as_posix()
    facts = [
        ("source", f"[`{code}`](../../{code})"),
        ("learned for this task", _training(name)),
        ("masks of tested classes seen", _seen(name, card)),
        ("uses text", "no: it is given pictures, masks and frames, and no words"),
        ("licence of the code", "Apache-2.0, as icvos"),
        ("equal to the published program", _compared(code)),
        ("parameters, operations, time", _cost(name)),
    ]
    if small(factory):
        facts.append(("small, without a download", f"`{small(factory)}` ([small networks](../nano.md))"))
    parts = [
        f"# {name}",
        card.about,
        "\n".join([f"| fact | `{name}` |", "| --- | --- |", *(f"| {a} | {b} |" for a, b in facts)]),
    ]
    parts += ["## Weights", _weights(card)]
    if card.settings:
        rows = [_setting(one) for one in card.settings]
        table = ["| `--set` | values | default | meaning |", "| --- | --- | --- | --- |", *rows]
        parts += ["## Settings", "\n".join(table)]
    example = f"icvos eval --method {name} --benchmark IC-VOS --out runs/{name}"
    if TRAINED in card.requirements.needs:
        example = example.replace(" --benchmark", " --set checkpoint=FILE --benchmark")
    parts += ["## Run it", f"```\n{example}\n```", "What prompt it gives SAM 2 is in [Methods](../methods.md)."]
    return "\n\n".join(parts) + "\n"


def _training(name: str) -> str:
    if not _learns(name):
        return "no"
    own = [f"`{one.name}`" for one in list_recipes() if one.recipe.method == name]
    return f"yes, by `icvos train` ([training](../training.md)): {', '.join(own)}"


def _compared(code: str) -> str:
    """The tests that compare a method in the file ``code`` with recorded outputs."""
    package, *rest = Path(code).parts
    pattern = "test_*.py" if package == "dcsam" else f"test_{Path(rest[0]).stem}.py"
    found = [path for path in sorted((ROOT / "tests" / package).glob(pattern)) if _reads_recordings(path)]
    if not found:
        return "no outputs of one were recorded"
    files = ", ".join(f"[`{path.name}`](../../{path.relative_to(ROOT).as_posix()})" for path in found)
    return f"on weights made from the names of its parameters, its outputs are those that were recorded: {files}"


def _reads_recordings(path: Path) -> bool:
    text = path.read_text(encoding="utf-8")
    return "parity.cases(" in text or "parity.load(" in text


def _cost(name: str) -> str:
    """What is known of its size, and the command that measures the rest."""
    counts = f"`icvos profile --method {name}` measures them"
    table = paper_table("table-14")
    for row in table.rows:
        if row.counted and row.counted.method == name:
            millions = dict(zip(table.columns, row.printed, strict=True))["parameters"]
            ours = "`icvos reproduce table-14 --run` counts it"
            return (
                f"{millions:g} million parameters without SAM, as {table.number} of the paper says ({ours}); {counts}"
            )
    return counts


def _seen(name: str, card: Card) -> str:
    if name == "oracle":
        return "it is given the first true mask of the video itself: never ranked"
    if _learns(name):
        return (
            "what its checkpoint says: recipes of folds hold the tested classes out, and a checkpoint that learned "
            "them is refused on that fold; those for IC-VOS learn from pictures of COCO's classes, which IC-VOS tests"
        )
    named = [registry.checkpoint(need) for need in card.requirements.needs]
    if seen := [known.seen for known in named if known.seen]:
        return f"yes: a generalist, whose weights learned from masks of {seen[0]}"
    if any("SA-1B" in known.trained_on for known in named):
        return "SA-1B and SA-V have masks of everything, without names of classes"
    return "no: it learned from no mask"


def _weights(card: Card) -> str:
    rows = []
    for need in card.requirements.needs:
        if need == TRAINED:
            rows.append("| its own, by `icvos train` | | as its training data | the data of its recipe |")
            continue
        known = registry.checkpoint(need)
        size = f"{known.size / MEGABYTE:,.0f} MB" if known.size else ""
        rows.append(f"| `{need}` | {size} | {known.licence} | {known.trained_on} |")
    if not rows:
        return "None."
    return "\n".join(
        [
            "With its default settings it loads",
            "",
            "| weights | file | licence | learned from |",
            "| --- | ---: | --- | --- |",
            *rows,
        ]
    )


def _setting(one: Setting) -> str:
    default = f"`{text}`" if (text := default_text(one)) else "empty"
    return f"| `{one.name}` | {_kind(one.choices, one.type_text, one.range)} | {default} | {_cell(one.meaning)} |"


def _kind(choices: tuple[str, ...], kind: str, span: str) -> str:
    return ", ".join(f"`{one}`" for one in choices) or _cell(", ".join(filter(None, (kind, span))))


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("_", "\\_").replace("*", "\\*").replace("\n", " ")
