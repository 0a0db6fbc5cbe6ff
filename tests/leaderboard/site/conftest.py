"""A site with everything that pages can show."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from icvos.files.storage import write_json
from icvos.protocol import PAPER
from icvos.tasks.result import Result, keep_frames
from icvos.tasks.task import open_task, parse_result
from icvos.tasks.video.curves import to_curves
from icvos.tasks.video.score import score
from leaderboard.entry import Entry, MethodFacts, read_entry
from leaderboard.site.build import build_site
from leaderboard.site.charts import Charting
from leaderboard.site.overlays import Painter
from tests.icvos.handmade import write_benchmark, write_predictions
from tests.leaderboard.conftest import make_scores
from tests.leaderboard.image_results import make_image_result


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a site: results of every kind, curves and overlays. Tests must not change it."""
    root = tmp_path_factory.mktemp("site")
    entries = [
        Entry("lite", "1", _made(0.41, analysed=True), Path("a"), facts=MethodFacts(training="none", licence="MIT")),
        Entry("lite", "2", _made(0.45, shots=5, analysed=True), Path("b"), facts=MethodFacts(training="trained")),
        Entry("deep", "1", _made(0.6, seconds_per_frame=2.5), Path("c"), facts=MethodFacts(parameters=10**8)),
        Entry("oracle", "1", _made(0.7, sees_truth=True), Path("d")),
        Entry("half", "1", _made(0.8, clips=3), Path("e")),
        Entry("lite", "1", _made(0.4, protocol="native@1"), Path("f")),
        Entry("lite", "1", make_image_result(), Path("g")),
        Entry("deep", "1", make_image_result("deep", 0.5), Path("h")),
    ]
    benchmark = write_benchmark(root / "benchmark")
    for name, draw in (("first", 0), ("second", 1)):
        run = root / "runs" / name
        write_predictions(benchmark, run / "draw0", draw)
        write_json(run / "draw0" / "run.json", {"method": name})
        scores = score(benchmark, run, PAPER)
        keep_frames(run / "scores.json", [to_curves(scores)])
        write_json(run / "scores.json", scores.to_result().to_json())
        entries.append(read_entry(run / "scores.json"))
    tasks = [open_task(benchmark.root)]
    charting = Charting(tasks) if find_spec("matplotlib") and find_spec("wordcloud") else None
    return build_site(entries, root / "out", painter=Painter(tasks, "worst"), charting=charting).parent


def _made(j: float, **given: object) -> Result:
    return parse_result(make_scores(j=j, **given), "made")
