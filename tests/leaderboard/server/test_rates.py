"""Who is counted as one visitor, and how often one may try."""

import contextlib
import threading
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the server needs: pip install 'icvos[server]'")

from icvos.errors import IcvosError
from leaderboard.server import account_pages, accounts, web
from leaderboard.server.rates import Rate, Rates, visitor
from leaderboard.server.run import Place
from tests.leaderboard.server.served import Running, code_of, predictions_zip, prepare, settings_for
from tests.leaderboard.server.served import running as serving


@pytest.mark.parametrize(
    ("host", "counted"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("::FFFF:cb00:7107", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unknown", "unknown"),
        ("x" * 10_000, "x" * 100),
    ],
)
def test_a_visitor_is_an_address_or_a_network(host: str, counted: str) -> None:
    assert visitor(host) == counted


def believing(tmp_path: Path, benchmark: Path) -> contextlib.AbstractContextManager[Running]:
    return serving(prepare(tmp_path / "data", settings_for(benchmark)), place=Place(proxy="127.0.0.1, 10.0.0.0/8"))


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (["2001:db8::1", "2001:db8::2:3", "2001:db8:0:1::1"], [303, 429, 303]),
        (["::ffff:203.0.113.7", "203.0.113.7", "203.0.113.8"], [303, 429, 303]),
        (["192.0.2.1, 203.0.113.7", "192.0.2.2, 203.0.113.7", "203.0.113.7, 192.0.2.1"], [303, 429, 303]),
        (["192.0.2.1, 203.0.113.7, 10.1.2.3", "192.0.2.2, 203.0.113.7, 10.1.2.4", "10.1.2.3"], [303, 429, 303]),
        (["203.0.113.7:1234", "203.0.113.7:1235", "[2001:db8::1]:80"], [303, 429, 303]),
    ],
)
def test_the_last_who_is_no_proxy_counts(
    tmp_path: Path, small_benchmark: Path, monkeypatch: pytest.MonkeyPatch, said: list[str], expected: list[int]
) -> None:
    monkeypatch.setattr(account_pages, "REGISTRATIONS", Rate(1, 300))
    with believing(tmp_path, small_benchmark) as found:
        visitors = [found.browser(headers={"X-Forwarded-For": one}) for one in said]
        assert [one.register(f"user{n}").status_code for n, one in enumerate(visitors)] == expected


@pytest.mark.parametrize("proxy", ["*", "proxy.example.org", "0.0.0.0/0", "::/0", "127.0.0.1, *", "127.0.0.1/99"])
def test_not_everybody_is_believed(proxy: str) -> None:
    with pytest.raises(IcvosError, match=r"--trust-proxy .*: give the address or network of the proxy"):
        Place(proxy=proxy)


def test_a_proxy_is_believed_by_whatever_socket() -> None:
    assert Place(proxy="127.0.0.1").proxies() == ["127.0.0.1/32", "::ffff:127.0.0.1/128"]
    assert Place(proxy="10.1.2.3/8,::1").proxies() == ["10.0.0.0/8", "::ffff:10.0.0.0/104", "::1/128"]
    assert Place().proxies() == []


def test_a_rate_that_is_over_counts_for_none() -> None:
    rates, few, many = Rates(), ("a", Rate(1, 300)), ("b", Rate(2, 300))
    assert [rates.count(few, many), rates.count(few, many), rates.count(many), rates.count(many)] == [
        True,
        False,
        True,
        False,
    ]
    rates.forgive(few, many)
    rates.forgive(("c", Rate(1, 300)))
    assert rates.count(few, many)


def test_logging_in_again_and_again_ends(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account_pages, "LOGINS", Rate(3, 300))
    running.user("anna")
    assert [running.browser().log_in("anna").status_code for _ in range(4)] == [303, 303, 303, 429]


def test_publishing_again_and_again_ends(running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "PUBLISHINGS", Rate(3, 300))
    anna = running.user("anna")
    code = code_of(anna.send(predictions_zip(tmp_path)))
    running.work()
    program = running.api(anna.token())
    for wanted, expected in (("publish", [200, 200, 200, 429]), ("withhold", [200] * 4)):
        assert [program.post(f"submissions/{code}/{wanted}").status_code for _ in range(4)] == expected
    assert anna.post(f"/submissions/{code}/publish", f"/submissions/{code}", wanted="yes").status_code == 429
    assert not anna.client.get(f"/submissions/{code}/state").json()["published"]


def test_guesses_at_once_are_counted_one_by_one(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account_pages, "LOGINS_OF_NAME", Rate(3, 300))
    running.user("anna")
    guessers, together = [running.browser() for _ in range(8)], threading.Barrier(3)
    csrf = [one.csrf() for one in guessers]

    def verified(*_: object) -> bool:
        together.wait(10)  # until three are here at once
        return False

    monkeypatch.setattr(accounts, "verified", verified)
    found: list[int] = []

    def guess(number: int) -> None:
        data = {"csrf": csrf[number], "name": "anna", "password": "wrong password"}
        found.append(guessers[number].client.post("/login", data=data).status_code)

    threads = [threading.Thread(target=guess, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [403] * 3 + [429] * 5
