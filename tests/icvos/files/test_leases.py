"""Claims in a shared folder: one process has each, until it gives it back, dies, or is silent for too long."""

import errno
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from icvos.errors import IcvosError
from icvos.files import leases as module
from icvos.files.leases import LEASE_S, Holder, Leases
from icvos.files.leftovers import MACHINE, born
from tests import ROOT

ELSEWHERE = "0" * 6 if MACHINE != "0" * 6 else "1" * 6
HOLD = """
import sys, time
from pathlib import Path
from icvos.files.leases import Leases
with Leases(Path(sys.argv[1])) as leases:
    assert leases.take("dog")
    print("held", flush=True)
    time.sleep(600)
"""


def claimed(folder: Path, age_s: float = 0.0, generation: int = 0, **changes: object) -> Path:
    """A claim on "dog" as another machine's process left it."""
    folder.mkdir(exist_ok=True)
    path = folder / f"dog.{generation}"
    text = {"token": "other", "host": "node7", "machine": ELSEWHERE, "pid": 12, "born": 5} | changes
    path.write_text(json.dumps(text))
    aged(path, age_s)
    return path


def aged(path: Path, age_s: float) -> None:
    """Let a file look as if it was touched so long ago."""
    then = path.stat().st_mtime - age_s
    os.utime(path, (then, then))


def test_one_has_it_until_it_gives_it_back_and_nothing_stays(tmp_path: Path) -> None:
    folder = tmp_path / "claims"
    with Leases(folder) as one, Leases(folder) as other:
        assert one.take("dog")
        assert not other.take("dog")
        assert other.take("cat")
        assert other.holder("dog") == one.own
        assert other.others() == [one.own]
        assert one.holds("dog")
        assert not other.holds("dog")
        one.release("dog")
        assert other.holder("dog") is None
        assert other.take("dog")
    assert not folder.exists()


def test_a_claim_of_a_killed_process_is_free_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "claims"
    command = [sys.executable, "-c", HOLD, str(folder)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    with Leases(folder) as leases:
        assert not leases.take("dog")
        assert [str(one) for one in leases.others()] == [str(process.pid)]
        process.send_signal(signal.SIGKILL)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # dead, and still in the list of processes
        assert leases.take("dog")
        assert leases.others() == []
    process.wait()
    assert not folder.exists()


def test_a_number_that_another_process_has_now_is_no_sign_of_life(tmp_path: Path) -> None:
    own = born(os.getpid())
    if own is None:
        pytest.skip("the system does not say when a process began")
    claimed(tmp_path, machine=MACHINE, pid=os.getpid(), born=own - 1)
    with Leases(tmp_path) as leases:
        assert leases.take("dog")


@pytest.mark.parametrize(
    ("age_s", "free"), [(0, False), (LEASE_S - 20, False), (LEASE_S + 1, True), (-3600, False), (86400, True)]
)
def test_a_claim_of_another_machine_expires(tmp_path: Path, age_s: float, free: bool) -> None:
    path = claimed(tmp_path, age_s)
    with Leases(tmp_path) as leases:
        assert leases.take("dog") is free
        assert path.exists() is not free
        assert leases.holds("dog") is free
        if not free:
            assert str(leases.holder("dog")) == "12 on node7"


@pytest.mark.parametrize(("age_s", "free"), [(0, False), (LEASE_S + 1, True)])
@pytest.mark.parametrize("text", ["", "{", "[]", '{"name": 1}'])
def test_a_claim_that_is_not_written_yet_is_judged_by_its_age(
    tmp_path: Path, text: str, age_s: float, free: bool
) -> None:
    path = claimed(tmp_path)
    path.write_text(text)
    aged(path, age_s)
    with Leases(tmp_path) as leases:
        assert leases.take("dog") is free


@pytest.mark.parametrize("age_s", [None, LEASE_S + 1])
def test_of_many_takers_one_succeeds(tmp_path: Path, age_s: float | None) -> None:
    """Of a free claim, and of one that has expired."""
    for attempt in range(10):
        folder = tmp_path / str(attempt)
        if age_s is not None:
            claimed(folder, age_s, generation=attempt)
        takers = [Leases(folder) for _ in range(8)]
        gate, took = threading.Barrier(len(takers)), list[Leases]()

        def take(leases: Leases, gate: threading.Barrier = gate, took: list[Leases] = took) -> None:
            with leases:
                gate.wait()
                deadline = 1000
                while not took and deadline:  # two who back off from each other try again
                    deadline -= 1
                    if leases.take("dog"):
                        took.append(leases)
                gate.wait()
                assert leases.holds("dog") == (leases in took)
                gate.wait()

        threads = [threading.Thread(target=take, args=(leases,)) for leases in takers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(took) == 1
        assert not gate.broken


def interrupted(monkeypatch: pytest.MonkeyPatch, leases: Leases, meanwhile: Callable[[], object]) -> None:
    """Let something happen between the look of a taker and its claim."""
    real = leases._create

    def create(path: Path) -> bool:
        monkeypatch.setattr(leases, "_create", real)
        meanwhile()
        return real(path)

    monkeypatch.setattr(leases, "_create", create)


def test_a_taker_who_looked_too_long_ago_takes_nothing_from_the_one_who_was_faster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claimed(tmp_path, LEASE_S + 1)
    with Leases(tmp_path) as fast, Leases(tmp_path) as slow:
        interrupted(monkeypatch, slow, lambda: fast.take("dog"))
        assert not slow.take("dog")
        assert fast.holds("dog")


def test_two_who_saw_different_things_do_not_both_have_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The expired claim was swept away meanwhile, and a new first generation made."""
    old = claimed(tmp_path, LEASE_S + 1)
    with Leases(tmp_path) as fast, Leases(tmp_path) as slow:

        def meanwhile() -> None:
            old.unlink()
            assert fast.take("dog")

        interrupted(monkeypatch, slow, meanwhile)
        took = slow.take("dog")
        assert [took, fast.holds("dog")].count(True) == 1


def test_who_was_silent_for_too_long_has_lost_it_and_takes_nothing_back(tmp_path: Path) -> None:
    with Leases(tmp_path) as silent, Leases(tmp_path) as other:
        assert silent.take("dog")
        aged(tmp_path / "dog.0", LEASE_S + 1)
        assert other.take("dog")
        assert not silent.holds("dog")
        silent.release("dog")
        assert other.holds("dog")
        assert not silent.take("dog")


def test_who_was_taken_for_dead_is_there_again(tmp_path: Path) -> None:
    with Leases(tmp_path) as silent, Leases(tmp_path) as other:
        (tmp_path / f"process-{silent.own.token}.0").unlink()
        assert other.others() == []
        assert silent.others() == [other.own]  # it looks at the time
        assert other.others() == [silent.own]


def test_claims_are_touched_in_the_background(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LEASE_S", 0.12)
    with Leases(tmp_path) as leases:
        assert leases.take("dog")
        for path in list(tmp_path.iterdir()):
            aged(path, 500)
            before = path.stat().st_mtime
            while path.stat().st_mtime < before + 400:
                time.sleep(0.01)
        assert leases.holds("dog")


def test_a_claim_is_waited_for(tmp_path: Path) -> None:
    with Leases(tmp_path) as one, Leases(tmp_path) as other:
        assert one.take("dog")
        order = list[str]()

        def wait() -> None:
            with other.kept("dog"):
                order.append("other")

        thread = threading.Thread(target=wait)
        thread.start()
        order.append("one")
        one.release("dog")
        thread.join()
        assert order == ["one", "other"]
        assert other.holder("dog") is None


def test_what_the_dead_left_goes_with_the_last_one(tmp_path: Path) -> None:
    folder = tmp_path / "claims"
    claimed(folder, LEASE_S + 1)
    with Leases(folder):
        assert (folder / "dog.0").exists()
    assert not folder.exists()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(IcvosError, match=re.escape(str(tmp_path / "file"))), Leases(tmp_path / "file" / "claims"):
        pass


def test_a_holder_of_nothing_is_not_gone() -> None:
    assert not Holder().is_gone


@pytest.mark.parametrize("age_s", [None, LEASE_S + 1])
def test_claims_on_a_file_system_without_hard_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, age_s: float | None
) -> None:
    def link(*names: Path) -> None:
        raise OSError(errno.ENOTSUP, f"no links here, as to {names[1]}")

    monkeypatch.setattr(os, "link", link)
    if age_s is not None:
        claimed(tmp_path, age_s)
    with Leases(tmp_path) as one, Leases(tmp_path) as other:
        assert one.take("dog")
        assert not other.take("dog")
        assert other.holder("dog") == one.own


def test_an_answer_of_the_file_server_that_was_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second request finds the link that the first has made."""
    real = os.link

    def link(source: Path, target: Path) -> None:
        real(source, target)
        real(source, target)

    with Leases(tmp_path) as one, Leases(tmp_path) as other:
        with monkeypatch.context() as patch:
            patch.setattr(os, "link", link)
            assert one.take("dog")
            assert not other.take("dog")
        assert one.holds("dog")
