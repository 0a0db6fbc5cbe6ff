"""What may be watched on the board: nothing, or predictions alone; never anything of the truth."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the server needs: pip install 'icvos[server]'")

from PIL import Image

from icvos.errors import IcvosError
from icvos.protocol import protocol
from icvos.tasks.task import SILENT, open_task
from leaderboard.server import movies
from leaderboard.server.backup import back_up
from leaderboard.server.movies import draw_movies
from leaderboard.server.settings import MOVIES
from tests.conftest import icvos
from tests.icvos.tasks.image.test_score import write_run
from tests.icvos.tasks.image.tiny_episodes import write_images
from tests.leaderboard.server.served import FRAMES, Running, code_of, predictions_zip, write_masks, write_predictions

SECRETS = ("overlays/", "Clips to watch", "<svg viewBox", "truth at the left", "J and F by frame</th>")


def on_the_board(running: Running, file: Path) -> tuple[str, str]:
    """The text of the page of a run that is published, and its place."""
    anna = running.user()
    code = code_of(anna.send(file))
    running.work()
    anna.post(f"/submissions/{code}/publish", f"/submissions/{code}", wanted="yes")
    client = running.browser().client
    (place,) = set(re.findall(r'href="(runs/[^"]+)"', client.get("/board/").text))
    return client.get(f"/board/{place}").text, place


def test_by_default_nothing_of_a_frame_is_shown(
    running: Running, small_benchmark: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither pictures nor J and F by frame, even where such lie in the folder in which the server was started."""
    file = predictions_zip(tmp_path)
    monkeypatch.chdir(tmp_path)
    masks = tmp_path / "masks2"
    icvos("score", masks, "--benchmark", small_benchmark, "--json", "masks2.json", "--frames", "--protocol", "native@1")
    assert Path("masks2.frames.json").is_file()
    text, place = on_the_board(running, file)
    assert "Clip by clip" in text
    assert not [one for one in SECRETS if one in text]
    client = running.browser().client
    assert client.get(f"/board/{place.removesuffix('.html')}.js").status_code == 404
    folder = running.server.board.build()
    assert {path.suffix for path in folder.rglob("*") if path.is_file()} <= {".html", ".json", ".csv", ".md", ".tex"}
    (code,) = (path.name for path in running.server.uploads.iterdir())
    for path in filter(Path.is_file, folder.rglob("*")):
        written = path.read_text(encoding="utf-8")
        for secret in ('"00001"', code, str(running.server.data), running.server.settings.benchmark):  # first, a frame
            assert secret not in written, path
    assert not list((running.server.data / MOVIES).iterdir())


def test_predictions_are_played_where_it_is_asked_for(serve: Callable[..., Running], tmp_path: Path) -> None:
    running = serve(overlays="predictions", protocols=("native@1", "paper@1"))
    anna, client = running.user(), running.browser().client
    code = code_of(anna.send(predictions_zip(tmp_path)))
    running.work()
    anna.post(f"/submissions/{code}/publish", f"/submissions/{code}", wanted="yes")
    for place in set(re.findall(r'href="(runs/[^"]+)"', client.get("/board/").text)):
        text = client.get(f"/board/{place}").text
        assert "Clips to watch" in text
        assert "The truth is not shown." in text
        assert ": the prediction" in text
        assert not [one for one in SECRETS[2:] if one in text]
        assert code not in text
        pictures = re.findall(r'src="\.\./(overlays/[0-9a-f]{24}(?:\.still)?\.webp)"', text)
        assert len(pictures) == 4  # a still and an animation of each of two clips
        for picture in pictures:
            answer = client.get(f"/board/{picture}")
            assert answer.headers["content-type"] == "image/webp"
            (tmp_path / "picture.webp").write_bytes(answer.content)
            with Image.open(tmp_path / "picture.webp") as opened:
                assert opened.n_frames == (1 if "still" in picture else FRAMES)
    anna.post(f"/submissions/{code}/publish", f"/submissions/{code}", wanted="no")
    assert client.get(f"/board/{pictures[0]}").status_code == 404
    back_up(running.server.data, tmp_path / "backup")
    drawn = sorted(path.name for path in (running.server.data / MOVIES / code).iterdir())
    assert len(drawn) == 6
    assert sorted(path.name for path in (tmp_path / "backup" / MOVIES / code).iterdir()) == drawn


def test_another_truth_is_the_same_picture(small_benchmark: Path, tmp_path: Path) -> None:
    """Byte for byte: so nothing of the truth is in it, nor of figures that were made from it."""
    other = Path(shutil.copytree(small_benchmark, tmp_path / "other"))
    for folder in other.glob("*/Annotations/*"):
        shutil.rmtree(folder)
        write_masks(folder, 7)
    masks = write_predictions(tmp_path / "masks")
    for name, root in (("a", small_benchmark), ("b", other)):
        task = open_task(root)
        draw_movies(task, masks, [task.score(masks, protocol("native@1"), SILENT)], tmp_path / name, SILENT)
    found = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert len(found) == 6
    assert [path.read_bytes() for path in sorted((tmp_path / "a").iterdir())] == [
        (tmp_path / "b" / name).read_bytes() for name in found
    ]


def test_what_cannot_be_drawn_is_scored(
    serve: Callable[..., Running], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise IcvosError("no space")

    monkeypatch.setattr(movies, "_draw", broken)
    running = serve(overlays="predictions")
    anna = running.user()
    code = code_of(anna.send(predictions_zip(tmp_path)))
    running.work()
    assert anna.client.get(f"/submissions/{code}/state").json()["state"] == "scored"
    assert not list((running.server.data / MOVIES).iterdir())


def test_there_are_none_of_images(tmp_path: Path) -> None:
    benchmark = write_images(tmp_path / "images")
    run = write_run(benchmark, tmp_path / "run", method="shift")
    task = open_task(benchmark.root)
    draw_movies(task, run, [task.score(run, protocol("native@1"), SILENT)], tmp_path / "movies", SILENT)
    assert not (tmp_path / "movies").exists()
