"""By which addresses the server lets itself be called, and from which pages it takes forms."""

import socket
from collections.abc import Callable

import pytest

pytest.importorskip("fastapi", reason="the server needs: pip install 'icvos[server]'")

from icvos.errors import IcvosError
from leaderboard.server.addresses import is_from, is_of, read_url
from tests.leaderboard.server.served import PASSWORD, Running

OWN = "https://board.example.org"


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("https://board.example.org", OWN),
        ("https://Board.example.org:443/", OWN),
        ("HTTPS://BOARD.EXAMPLE.ORG.", OWN),
        (" https://board.example.org:0443 ", OWN),
        ("http://board.example.org:443", "http://board.example.org:443"),
        ("http://board.example.org:80/", "http://board.example.org"),
        ("http://localhost:8000", "http://localhost:8000"),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000"),
        ("http://[2001:DB8:0:0::1]:80", "http://[2001:db8::1]"),
        ("https://stra\u00dfe.example", "https://xn--strae-oqa.example"),
        ("https://BÜCHER。example", "https://xn--bcher-kva.example"),
    ],
)
def test_what_is_typed_becomes_what_browsers_send(typed: str, sent: str) -> None:
    assert read_url(typed, "--url") == sent
    assert is_from(sent, sent, "")
    assert is_of(sent, sent.partition("://")[2])


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "board.example.org",
        "ftp://board.example.org",
        "https://",
        "https:///",
        "https://board.example.org/board",
        "https://board.example.org?a",
        "https://board.example.org#a",
        "https://anna:secret@board.example.org",
        "https://board.example.org:65536",
        "https://board.example.org:",
        "https://board..example.org",
        "https://board\\.example.org",
        "https://bo ard.example.org",
        "https://board.example.org\r\nX: y",
        "https://[::1",
        "https://[nonsense]",
        "https://ex\u202eample.org",
    ],
)
def test_what_is_no_address(typed: str) -> None:
    with pytest.raises(IcvosError, match=r"--url .*: give scheme and host alone"):
        read_url(typed, "--url")


@pytest.mark.parametrize("host", ["board.example.org", "BOARD.example.org", "board.example.org:443"])
def test_a_server_is_called_as_its_address_says(host: str) -> None:
    assert is_of(OWN, host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "board.example.org.",
        "board.example.org:80",
        "board.example.org:8443",
        "evil.example.org",
        "board.example.org.evil.example",
        "board.example.org@evil.example",
        "board.example.org, evil.example",
        "board.example.org:443:443",
        "board.example.org:４４３",
    ],
)
def test_other_names_are_not_the_servers(host: str) -> None:
    assert not is_of(OWN, host)


@pytest.mark.parametrize(
    "said", [OWN, f"{OWN}/account?a#b", "https://board.example.org:443", "HTTPS://Board.Example.Org"]
)
def test_own_pages(said: str) -> None:
    assert is_from(said, OWN, "other.example")
    assert is_from(said, "", "board.example.org")


@pytest.mark.parametrize(
    "said",
    [
        "",
        "null",
        "http://board.example.org",
        "https://board.example.org.",
        "https://board.example.org:8443",
        "https://board.example.org.evil.example",
        "https://board.example.org@evil.example",
        "https://evil.example/board.example.org",
        "https://evil.example\\@board.example.org",
        "//board.example.org",
        "data:https://board.example.org",
        " https://board.example.org",
    ],
)
def test_pages_of_others(said: str) -> None:
    assert not is_from(said, OWN, "board.example.org")
    if said not in ("http://board.example.org", "https://board.example.org."):
        assert not is_from(said, "", "board.example.org")


def test_forms_of_a_server_that_was_typed_in_capitals(serve: Callable[..., Running]) -> None:
    running = serve(url=read_url("http://Board.example.org:80/", "--url"))
    anna = running.browser(headers={"Host": "board.example.org", "Origin": "http://board.example.org"})
    assert anna.register("anna").status_code == 303
    for headers, status in (
        ({"Host": "BOARD.example.org:80"}, 303),
        ({"Origin": "https://board.example.org"}, 403),
        ({"Host": "board.example.org."}, 421),
    ):
        csrf = anna.csrf("/account")
        answer = anna.client.post("/account/tokens/remove", data={"csrf": csrf, "token": "1"}, headers=headers)
        assert answer.status_code == status, headers


def test_where_a_form_comes_from_is_asked_of_the_referer_too(running: Running) -> None:
    anna = running.user()
    for referer, status in ((f"{running.address}/account", 303), ("https://evil.example/", 403), ("about:blank", 403)):
        data = {"csrf": anna.csrf("/account"), "token": "1"}
        answer = anna.client.post("/account/tokens/remove", data=data, headers={"Referer": referer})
        assert answer.status_code == status, referer


@pytest.mark.parametrize(
    "place", ["//evil.example", "/\\evil.example", "\\\\evil.example", "/%09/evil.example", "https://evil.example"]
)
def test_no_address_leads_to_another_site(running: Running, place: str) -> None:
    running.user("anna")
    browser = running.browser()
    data = {"csrf": browser.csrf(), "name": "anna", "password": PASSWORD, "next": place}
    answer = browser.client.post("/login", params={"next": place}, data=data)
    assert (answer.status_code, answer.headers["location"]) == (303, "/submissions")
    for path in (
        place,
        f"{place}/",
        f"/login{place}",
        f"/board/{place}",
        f"/login/{place}/",
        "/login/",
        "/submissions/",
    ):
        with socket.create_connection((running.host, running.port)) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n".encode())
            head = b"".join(iter(lambda: connection.recv(65536), b"")).decode().partition("\r\n\r\n")[0]
        assert "location:" not in head.lower(), (path, head)
