"""The reference of the Python face: what `import icvos` offers, by mkdocstrings from the docstrings."""

import icvos

AREAS = {
    "Benchmarks": ("open_task", "build", "build_episodes", "Selection"),
    "Methods": ("load_method", "Support", "Prompt", "segment", "check_method", "profile", "train", "export"),
    "Running and scoring": ("evaluate", "validate", "repair", "score", "read_result", "score_folders"),
    "Your own video": ("predict", "open_frames", "overlay"),
    "Results": ("report", "compare", "render", "Drawing", "convert"),
    "Leaderboard": ("submit", "rank", "write_site", "reproduce", "codabench"),
    "Errors": ("IcvosError",),
}


def page() -> str:
    """The text of the page; raises ValueError where an area lacks a name of the face, or has one that it has not."""
    named = [name for names in AREAS.values() for name in names]
    if sorted(named) != sorted(icvos.__all__):
        wrong = ", ".join(sorted(set(named).symmetric_difference(icvos.__all__)))
        raise ValueError(f"documentation/face.py: names other than those of icvos.__all__: {wrong}")
    parts = ["# Python", "`import icvos` is enough; a name is loaded when it is first used."]
    for area, names in AREAS.items():
        parts.append(f"## {area}")
        parts += [_entry(name) for name in names]
    return "\n\n".join(parts) + "\n"


def _entry(name: str) -> str:
    where = getattr(icvos, name).__module__
    return f"::: {where}.{name}\n    options:\n      heading: icvos.{name}\n      toc_label: {name}"
