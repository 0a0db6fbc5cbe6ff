"""`icvos info`: what a benchmark holds."""

from pathlib import Path

import click

from icvos.commands.options import FOLDER


@click.command()
@click.argument("benchmark", type=FOLDER)
def info(benchmark: Path) -> None:
    """Show what a benchmark of videos or of images holds."""
    from icvos.commands.printing import show_summary
    from icvos.tasks.image import summary as of_images
    from icvos.tasks.image.benchmark import ImageBenchmark, is_image_benchmark
    from icvos.tasks.video import summary as of_videos
    from icvos.tasks.video.benchmark import Benchmark

    if is_image_benchmark(benchmark):
        return show_summary(of_images.summary(ImageBenchmark.open(benchmark)))
    return show_summary(of_videos.summary(Benchmark.open(benchmark)))
