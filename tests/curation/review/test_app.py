"""What the app of a review answers, and to whom."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

pytest.importorskip("fastapi", reason="the review needs: pip install 'icvos[review]'")
pytest.importorskip("httpx", reason="the test client needs: pip install httpx")

from starlette.testclient import TestClient

from curation.review.app import make_app
from curation.review.desk import Desk
from curation.review.standing import DISPUTED
from curation.video.rows import CurationRow, read_rows, write_rows
from icvos.errors import IcvosError
from tests.conftest import World
from tests.curation.review.desks import TOKEN, desk_of

if TYPE_CHECKING:
    from httpx import Response

PORT = 8010
HERE = f"http://127.0.0.1:{PORT}"


def client_of(desk: Desk) -> TestClient:
    """A browser that has opened the address."""
    client = TestClient(make_app(desk, PORT, TOKEN), base_url=HERE, headers={"Origin": HERE})
    assert client.get(f"/?token={TOKEN}").status_code == 200
    return client


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    return tmp_path / "rows.csv"


@pytest.fixture
def desk(world: World, rows: Path) -> Desk:
    return desk_of(world, rows)


@pytest.fixture
def client(desk: Desk) -> Iterator[TestClient]:
    with client_of(desk) as found:
        yield found


def decide(client: TestClient, name: str, *kept: dict[str, Any], **more: Any) -> "Response":
    source, _, video = name.partition("/")
    made = [{"decision": "accepted", "reason": "", **row} for row in kept]
    found: Response = client.post("/api/decide", json={"source": source, "video": video, "rows": made, **more})
    return found


def names(desk: Desk) -> list[str]:
    return ["/".join(key) for key in desk.videos]


def test_only_the_browser_with_the_address_is_answered(desk: Desk) -> None:
    stranger = TestClient(make_app(desk, PORT, TOKEN), base_url=HERE)
    assert stranger.get("/api/queue").status_code == 403
    assert stranger.get("/?token=guess").status_code == 403
    assert stranger.get("/", headers={"Cookie": f"icvos_review_{PORT}=guess"}).status_code == 403
    assert stranger.get(f"/?token={TOKEN}", headers={"Host": f"evil.example:{PORT}"}).status_code == 421


def test_another_page_in_the_same_browser_cannot_decide(client: TestClient, desk: Desk) -> None:
    for origin in ("http://evil.example", "null", f"http://127.0.0.1:{PORT + 1}"):
        answer = client.post("/api/undo", headers={"Origin": origin})
        assert answer.status_code == 403
    del client.headers["Origin"]
    assert client.post("/api/undo").status_code == 403
    assert desk.ledger.read().events == ()


def test_every_answer_forbids_scripts_from_elsewhere(client: TestClient) -> None:
    for path in ("/", "/static/review.js", "/api/start", "/nothing"):
        assert "script-src 'self'" in client.get(path).headers["content-security-policy"]
    assert "http" not in client.get("/").text.replace("http-equiv", "")
    assert client.get("/static/..%2fapp.py").status_code == 404


def test_a_decision_is_in_the_file_when_it_is_answered(client: TestClient, desk: Desk, rows: Path) -> None:
    name = names(desk)[0]
    answer = decide(client, name, {"class": "dog", "objects": [1]}, seconds=4.5)
    assert answer.json()["entry"]["status"] == "accepted"
    assert answer.json()["progress"]["an_hour"] == 800
    found = read_rows(rows)[0]
    assert (f"{found.source}/{found.video}", found.who, found.decision) == (name, "anna", "accepted")
    assert client.post("/api/undo").json()["entry"]["status"] == "open"
    assert read_rows(rows) == ()


@pytest.mark.parametrize(
    ("kept", "message"),
    [
        ([], "at least one object"),
        ([{"class": "dgo", "objects": [1]}], "did you mean dog"),
        ([{"class": "", "objects": [1]}], "accepted without a class"),
        ([{"class": "dog", "objects": []}], "objects is"),
        ([{"class": "dog", "objects": [1]}, {"class": "dog", "objects": [2]}], "two rows for dog"),
        ([{"class": "dog", "objects": [1]}, {"class": "cat", "objects": [1]}], "an object in two rows"),
        ([{"class": "dog", "objects": [1], "decision": "maybe"}], "decision is"),
    ],
)
def test_a_decision_that_no_file_could_hold_is_refused(
    client: TestClient, desk: Desk, kept: list[dict[str, Any]], message: str
) -> None:
    answer = decide(client, names(desk)[0], *kept)
    assert answer.status_code in (409, 422)
    assert message in answer.json()["detail"]
    assert not desk.ledger.log.exists()


def test_a_video_that_is_not_there_is_not_found(client: TestClient) -> None:
    assert decide(client, "mose/nothing", {"class": "dog", "objects": [1]}).status_code == 404
    assert client.get("/api/videos/mose/nothing").status_code == 404


def test_the_first_frame_comes_with_outlines_of_its_mask(client: TestClient, desk: Desk) -> None:
    for key, video in list(desk.videos.items())[:3]:
        shown = client.get(f"/api/videos/{key[0]}/{key[1]}").json()
        ids = next(video.iter_ids())
        assert shown["size"] == list(ids.shape)
        for number in np.unique(ids[ids > 0]):
            drawn = shown["drawn"][str(number)]
            redrawn = np.zeros(ids.shape, np.uint8)
            parts = [part.replace("Z", "").split() for part in drawn["path"].split("M")[1:]]
            polygons = [np.array(part, float).reshape(-1, 2) - 0.5 for part in parts]
            cv2.fillPoly(redrawn, [polygon.round().astype(np.int32) for polygon in polygons], 1)
            true = ids == number
            assert (redrawn.astype(bool) & true).sum() / (redrawn.astype(bool) | true).sum() > 0.9
            assert true[int(drawn["y"]), int(drawn["x"])]


def test_the_course_counts_the_pixels_of_every_frame(client: TestClient, desk: Desk) -> None:
    key, video = next(iter(desk.videos.items()))
    found = client.get(f"/api/videos/{key[0]}/{key[1]}/course").json()
    for frame, ids in enumerate(video.iter_ids()):
        for number, areas in found["areas"].items():
            assert areas[frame] == (ids == int(number)).sum()
            assert (number in found["outlines"][frame]) == (areas[frame] > 0)


def test_frames_are_the_files_or_smaller(client: TestClient, desk: Desk) -> None:
    key, video = next(iter(desk.videos.items()))
    whole = client.get(f"/api/videos/{key[0]}/{key[1]}/frames/0")
    assert whole.content == video.frames[0].read_bytes()
    small = client.get(f"/api/videos/{key[0]}/{key[1]}/frames/1?width=160").content
    assert cv2.imdecode(np.frombuffer(small, np.uint8), cv2.IMREAD_COLOR).shape[1] <= 160
    assert client.get(f"/api/videos/{key[0]}/{key[1]}/frames/999").status_code == 404


def test_a_blind_reviewer_sees_nobody_else(world: World, rows: Path) -> None:
    anna, ben = desk_of(world, rows), desk_of(world, rows, "ben", blind=True)
    key = next(iter(anna.videos))
    anna.decide(key, [{"class": "dog", "objects": [1], "decision": "rejected", "reason": "secret"}], None)
    with client_of(ben) as client:
        seen = client.get("/api/queue").text + client.get(f"/api/videos/{key[0]}/{key[1]}").text
        assert "secret" not in seen
        assert "dog" not in seen
        assert "anna" not in seen
        assert client.get("/api/queue").json()["videos"][0]["status"] == "open"
        decided = decide(client, "/".join(key), {"class": "cat", "objects": [1]}).json()
        assert decided["entry"]["status"] == "accepted"
        assert "anna" not in str(decided)
        assert "dog" not in str(decided)
        assert "undecided" not in str(decided)
    assert read_rows(rows)[0].reason.startswith(DISPUTED)


def test_a_blind_reviewer_sees_what_the_data_set_names(world: World, rows: Path) -> None:
    anna, ben = desk_of(world, rows), desk_of(world, rows, "ben", blind=True)
    key = next(iter(anna.videos))
    named = {"source": key[0], "video": key[1], "class": "bird", "objects": [1], "decision": "undecided"}
    write_rows(rows, [CurationRow.model_validate(named)])
    anna.decide(key, [{"class": "dog", "objects": [1], "decision": "accepted"}], None)
    assert [(row["class"], row["decision"]) for row in ben.shown(key)["rows"]] == [("bird", "undecided")]


def test_disputes_are_settled_above_both(world: World, rows: Path) -> None:
    anna, ben = desk_of(world, rows), desk_of(world, rows, "ben")
    key = next(iter(anna.videos))
    anna.decide(key, [{"class": "dog", "objects": [1], "decision": "accepted"}], None)
    ben.decide(key, [{"class": "cat", "objects": [1], "decision": "accepted"}], None)
    with client_of(desk_of(world, rows, "carla", disputes=True)) as client:
        assert client.get("/api/queue").json()["progress"]["left"] == 1
        opinions = client.get(f"/api/videos/{key[0]}/{key[1]}").json()["opinions"]
        assert [(found["who"], found["words"]) for found in opinions] == [
            ("anna", "dog 1 accepted"),
            ("ben", "cat 1 accepted"),
        ]
        answer = decide(client, "/".join(key), {"class": "cat", "objects": [1]}).json()
        assert (answer["entry"]["status"], answer["progress"]["left"]) == ("accepted", 0)
    assert read_rows(rows)[0].who == "anna, ben, settled by carla"


def test_a_video_is_shown_again_the_oldest_first(client: TestClient, desk: Desk, rows: Path) -> None:
    assert client.get("/api/again").json() == {}
    for name in names(desk)[:2]:
        decide(client, name, {"class": "dog", "objects": [1]})
    before = rows.read_bytes()
    shown = []
    for _ in range(2):
        found = client.get("/api/again").json()
        shown.append(f"{found['source']}/{found['name']}")
        answer = decide(client, shown[-1], {"class": "cat", "objects": [1]}, again=True).json()
    assert sorted(shown) == sorted(names(desk)[:2])
    assert answer["progress"]["again"] == {"same": 0, "shown": 2}
    assert rows.read_bytes() == before


def test_the_shipped_rows_of_davis_are_shown_and_can_be_overruled(world: World, tmp_path: Path) -> None:
    from curation.review.desk import Session
    from curation.review.run import open_desk
    from curation.video.rows import shipped_rows

    shipped = shipped_rows()[0]
    folder = tmp_path / "davis"
    source = next((world.root / "davis").rglob("JPEGImages/*/*"))
    for kind in ("JPEGImages", "Annotations"):
        place = folder / kind / source.parent.name / shipped.video
        place.parent.mkdir(parents=True)
        place.symlink_to(str(source).replace("JPEGImages", kind))
    desk = open_desk(tmp_path / "rows.csv", Session("anna"), davis=folder)
    assert desk.shown(("davis", shipped.video))["rows"][0]["class"] == shipped.category.name  # type: ignore[union-attr]
    desk.decide(("davis", shipped.video), [{"class": "cat", "objects": [1], "decision": "accepted"}], None)
    assert [row.category.name for row in read_rows(tmp_path / "rows.csv") if row.category] == ["cat"]
    assert desk.undo().after == ()


@pytest.mark.parametrize("name", ["", "anna, ben", " anna", "a\nb", "a" * 300])
def test_a_name_that_could_not_stand_in_a_row_is_refused(world: World, rows: Path, name: str) -> None:
    with pytest.raises(IcvosError, match="--reviewer"):
        desk_of(world, rows, name)
