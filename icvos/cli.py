"""The command line: one click group. Nothing heavy is imported until a command runs."""

from typing import Any

import click

from icvos.commands import (
    analysis,
    build,
    curate,
    episodes,
    evaluate,
    info,
    methods,
    profile,
    render,
    results,
    smallworld,
    train,
    weights,
)
from icvos.errors import IcvosError


class _UserError(click.ClickException):
    """An `IcvosError` as click shows it: one line, exit status 2."""

    exit_code = 2

    def show(self, file: Any = None) -> None:
        click.echo(f"icvos: {self.message}", err=True, file=file)


class _Group(click.Group):
    """A group whose commands report an `IcvosError` in one line, listed in the order of the work."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except IcvosError as error:
            raise _UserError(str(error)) from error


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="icvos")
def main() -> None:
    """In-context video object segmentation: build the IC-VOS benchmark, run methods on it, score them, rank them."""


main.add_command(build.build)
main.add_command(episodes.episodes)
main.add_command(info.info)
main.add_command(smallworld.smallworld)
main.add_command(curate.curate)
main.add_command(weights.weights)
main.add_command(methods.methods)
main.add_command(profile.profile)
main.add_command(train.train)
main.add_command(evaluate.evaluate)
main.add_command(evaluate.predict)
main.add_command(results.score)
main.add_command(analysis.report)
main.add_command(analysis.diff)
main.add_command(results.validate)
main.add_command(results.submit)
main.add_command(results.leaderboard)
main.add_command(render.render)
