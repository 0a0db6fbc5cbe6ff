"""Servers of a review as processes: killed at any moment, and several on one file."""

import contextlib
import random
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the review needs: pip install 'icvos[review]'")
pytest.importorskip("httpx", reason="the client needs: pip install httpx")

import httpx

from curation.review.events import log_of, read_events
from curation.video.rows import read_rows
from tests import ROOT
from tests.conftest import World

KINDS = ("dog", "cat", "horse", "cow", "sheep")


@contextlib.contextmanager
def server(world: World, rows: Path, reviewer: str) -> "Iterator[tuple[subprocess.Popen[str], str]]":
    """``icvos curate review`` in a process of its own, and its address."""
    command = [sys.executable, "-m", "icvos", "curate", "review", *world.sources, "--rows", str(rows)]
    command += ["--reviewer", reviewer, "--port", "0", "--no-browser"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        yield process, process.stdout.readline().split(": ", 1)[1].strip()
    finally:
        process.kill()
        process.wait()
        assert process.stdout
        process.stdout.close()


@contextlib.contextmanager
def open_client(address: str) -> Iterator[httpx.Client]:
    """A client that has the cookie of an address."""
    origin = re.match(r"http://[^/]+", address)
    assert origin
    headers = {"Origin": origin[0]}
    with httpx.Client(base_url=origin[0], headers=headers, follow_redirects=True, timeout=30) as client:
        assert client.get(address).status_code == 200
        yield client


def videos(client: httpx.Client) -> list[tuple[str, str]]:
    return [(one["source"], one["name"]) for one in client.get("/api/queue").json()["videos"]]


def decide(client: httpx.Client, key: tuple[str, str], kind: str) -> None:
    row = {"class": kind, "objects": [1], "decision": "accepted", "reason": ""}
    client.post("/api/decide", json={"source": key[0], "video": key[1], "rows": [row]}).raise_for_status()


@pytest.mark.slow
def test_a_server_killed_at_random_moments_loses_no_answered_decision(world: World, tmp_path: Path) -> None:
    rows, generator = tmp_path / "rows.csv", random.Random(0)
    answered: dict[tuple[str, str], str] = {}
    count = 0
    for _ in range(5):
        with server(world, rows, "anna") as (process, address), open_client(address) as client:
            keys = videos(client)
            threading.Timer(generator.uniform(0.05, 0.6), process.kill).start()
            asked: tuple[tuple[str, str], str] | None = None
            with contextlib.suppress(httpx.TransportError):
                while True:
                    asked = generator.choice(keys), generator.choice(KINDS)
                    decide(client, *asked)
                    answered[asked[0]] = asked[1]
                    count += 1
        assert asked is not None
        found = {
            (row.source, row.video): row.category.name for row in read_rows(rows) if row.category and row.who == "anna"
        }
        last = {event.key: event.rows[0].category for event in read_events(log_of(rows))}
        for key, kind in answered.items():
            possible = {kind, asked[1]} if key == asked[0] else {kind}  # what was asked last may have been kept
            assert found[key] in possible
            category = last[key]
            assert category is not None
            assert category.name in possible
        answered = {key: last[key].name for key in answered if last[key]}  # type: ignore[union-attr]
    assert count > 10
    assert len(read_events(log_of(rows))) >= count


@pytest.mark.slow
def test_two_servers_at_once_on_one_file_lose_nothing(world: World, tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv"
    with server(world, rows, "anna") as (_, one), server(world, rows, "ben") as (_, other):

        def review(address: str) -> None:
            with open_client(address) as client:
                for round_ in range(4):
                    for key in videos(client):
                        decide(client, key, KINDS[round_])

        threads = [threading.Thread(target=review, args=(address,)) for address in (one, other)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with open_client(one) as client:
            keys = videos(client)
    assert len(read_events(log_of(rows))) == 8 * len(keys)
    assert {(row.source, row.video) for row in read_rows(rows)} == set(keys)
    assert {row.category.name for row in read_rows(rows) if row.category} == {KINDS[3]}
    assert {", ".join(sorted(row.who.split(", "))) for row in read_rows(rows)} == {"anna, ben"}


@pytest.mark.slow
def test_a_server_ends_when_it_is_told_to(world: World, tmp_path: Path) -> None:
    with server(world, tmp_path / "rows.csv", "anna") as (process, address), open_client(address) as client:
        assert videos(client)
        begun = time.monotonic()
        process.terminate()
        process.wait(20)
        assert time.monotonic() - begun < 20
