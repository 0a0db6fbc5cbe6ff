"""In-context video object segmentation: the benchmark suite, dataset toolkit and reference model.

Everything that a command does is one call, loaded when it is first used::

    import icvos

    task = icvos.open_task("IC-VOS")                         # a benchmark, of videos or of images
    results = icvos.evaluate("lite", task, "runs/lite")       # icvos eval
    results[0].overall.jf                                     # a fraction
    icvos.validate("my-predictions.zip", "IC-VOS")            # every fault
    icvos.score("my-predictions.zip", "IC-VOS", "native")     # icvos score

The modules behind the names below may move; the names stay.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from curation.image.build import build_episodes as build_episodes
    from curation.video.build import build as build
    from icvos.drawing.overlays import overlay as overlay
    from icvos.errors import IcvosError as IcvosError
    from icvos.files.frames import open_frames as open_frames
    from icvos.inspection.check import check_method as check_method
    from icvos.inspection.cost import profile as profile
    from icvos.method import Prompt as Prompt
    from icvos.method import Support as Support
    from icvos.method import load_method as load_method
    from icvos.method import segment as segment
    from icvos.models.export import export as export
    from icvos.own_video import predict as predict
    from icvos.tasks.calls import render as render
    from icvos.tasks.calls import repair as repair
    from icvos.tasks.calls import score as score
    from icvos.tasks.calls import validate as validate
    from icvos.tasks.convert import convert as convert
    from icvos.tasks.evaluation import evaluate as evaluate
    from icvos.tasks.result import Selection as Selection
    from icvos.tasks.task import Drawing as Drawing
    from icvos.tasks.task import open_task as open_task
    from icvos.tasks.task import read_result as read_result
    from icvos.training.session import train as train
    from icvos.vos.folders import score_folders as score_folders
    from leaderboard.codabench.bundle import codabench as codabench
    from leaderboard.ranking import rank as rank
    from leaderboard.ranking import write_site as write_site
    from leaderboard.reports import compare as compare
    from leaderboard.reports import report as report
    from leaderboard.reproduction.rows import reproduce as reproduce
    from leaderboard.submission import submit as submit

_PLACES = {
    "Drawing": "icvos.tasks.task",
    "IcvosError": "icvos.errors",
    "Prompt": "icvos.method",
    "Selection": "icvos.tasks.result",
    "Support": "icvos.method",
    "build": "curation.video.build",
    "build_episodes": "curation.image.build",
    "check_method": "icvos.inspection.check",
    "codabench": "leaderboard.codabench.bundle",
    "compare": "leaderboard.reports",
    "convert": "icvos.tasks.convert",
    "evaluate": "icvos.tasks.evaluation",
    "export": "icvos.models.export",
    "load_method": "icvos.method",
    "open_frames": "icvos.files.frames",
    "open_task": "icvos.tasks.task",
    "overlay": "icvos.drawing.overlays",
    "predict": "icvos.own_video",
    "profile": "icvos.inspection.cost",
    "rank": "leaderboard.ranking",
    "read_result": "icvos.tasks.task",
    "render": "icvos.tasks.calls",
    "repair": "icvos.tasks.calls",
    "report": "leaderboard.reports",
    "reproduce": "leaderboard.reproduction.rows",
    "score": "icvos.tasks.calls",
    "score_folders": "icvos.vos.folders",
    "segment": "icvos.method",
    "submit": "leaderboard.submission",
    "train": "icvos.training.session",
    "validate": "icvos.tasks.calls",
    "write_site": "leaderboard.ranking",
}
__all__ = sorted(_PLACES)


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'icvos' has no attribute {name!r}; it offers {', '.join(_PLACES)}")
    return getattr(importlib.import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *_PLACES]
