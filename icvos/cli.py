"""The command line: one click group. Nothing heavy is imported until a command runs."""

from typing import Any

import click

from icvos.commands import (
    build,
    codabench,
    convert,
    curate,
    data,
    demo,
    diff,
    doctor,
    endings,
    episodes,
    evaluate,
    export,
    info,
    leaderboard,
    methods,
    predict,
    profile,
    render,
    report,
    reproduce,
    schemas,
    score,
    serve,
    smallworld,
    submit,
    train,
    validate,
    weights,
    worker,
)
from icvos.notices import show_notices

SECTIONS: dict[str, tuple[click.Command, ...]] = {
    "Data": (data.data, build.build, curate.curate, episodes.episodes, info.info, smallworld.smallworld),
    "Methods": (methods.methods, weights.weights, profile.profile, train.train, export.export),
    "Run": (doctor.doctor, demo.demo, evaluate.evaluate, predict.predict),
    "Results": (score.score, validate.validate, report.report, diff.diff, render.render, convert.convert),
    "Leaderboard": (
        submit.submit,
        leaderboard.leaderboard,
        serve.serve,
        worker.worker,
        codabench.codabench,
        reproduce.reproduce,
        schemas.schemas,
    ),
}


class _Group(click.Group):
    """A group whose commands end in one line where they fail, listed by section in the order of the work."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        for section, commands in SECTIONS.items():
            with formatter.section(section):
                formatter.write_dl([(str(one.name), _summary(one)) for one in commands])

    def main(self, *args: Any, **kwargs: Any) -> Any:
        endings.take_every_text()
        return super().main(*args, **kwargs)

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        with endings.one_line():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        with endings.one_line():
            return super().invoke(ctx)


def _summary(command: click.Command) -> str:
    """The first paragraph of a command's help, whole."""
    return " ".join((command.help or "").split("\n\n")[0].split())


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="icvos")
def main() -> None:
    """In-context video object segmentation: build the IC-VOS benchmark, run methods on it, score them, rank them."""
    show_notices()


for _command in (command for commands in SECTIONS.values() for command in commands):
    main.add_command(_command)
