"""A folder belongs to one process at a time, until that ends in whatever way."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from icvos.errors import IcvosError
from icvos.files.leftovers import LOCK
from icvos.files.locks import lock_file, lock_folder
from tests import ROOT

HOLD = """
import sys, time
from pathlib import Path
from icvos.files.locks import lock_folder
with lock_folder(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""
FORK = HOLD.replace("    print", "    import os\n    if os.fork(): time.sleep(60)\n    print")  # the child prints


def hold(folder: Path, code: str = HOLD) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", code, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    return process


def test_the_second_is_refused_in_one_line_and_a_killed_one_binds_nobody(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    process = hold(folder)
    message = f"{folder}: another process ({process.pid}) is working on it; wait until that has ended, or choose"
    with pytest.raises(IcvosError, match=re.escape(message)) as caught, lock_folder(folder):
        pass
    assert "\n" not in str(caught.value)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (folder / LOCK).is_file()
    with lock_folder(folder):
        (folder / "work").touch()
    assert [path.name for path in folder.iterdir()] == ["work"]


@pytest.mark.skipif(sys.platform == "win32", reason="no fcntl")
def test_who_has_only_just_begun_is_named_too(tmp_path: Path) -> None:
    """It has the lock, and says so a moment later."""
    path = tmp_path / LOCK
    code = f"""
import fcntl, os, time
with open({str(path)!r}, "w") as handle:
    fcntl.flock(handle, fcntl.LOCK_EX)
    print("held", flush=True)
    time.sleep(0.2)
    os.write(handle.fileno(), f"{{os.getpid()}}\\n".encode())
    time.sleep(60)
"""
    process = hold(tmp_path, code)
    with pytest.raises(IcvosError, match=rf"another process \({process.pid}\) is working on it"), lock_folder(tmp_path):
        pass
    process.kill()
    process.wait()


def test_a_child_of_a_killed_process_keeps_nothing(tmp_path: Path) -> None:
    process = hold(tmp_path, FORK)
    process.send_signal(signal.SIGKILL)
    process.wait()
    with lock_folder(tmp_path):
        pass


def test_a_child_that_leaves_the_block_takes_nothing_away(tmp_path: Path) -> None:
    code = """
import os, sys
from pathlib import Path
from icvos.files.locks import LOCK, lock_folder

class Left(Exception): pass

folder = Path(sys.argv[1])
try:
    with lock_folder(folder):
        child = os.fork()
        if not child:
            own = [os.open(os.devnull, os.O_RDONLY) for _ in range(9)]  # one has the number of the lock's handle
            raise Left
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert (folder / LOCK).is_file()
except Left:
    [os.fstat(handle) for handle in own]
    os._exit(0)
assert not (folder / LOCK).exists()
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not done.stderr


def test_a_folder_that_was_made_for_nothing_goes(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="stop"), lock_folder(tmp_path / "run"):
        raise ValueError("stop")
    assert not (tmp_path / "run").exists()
    (tmp_path / "mine").mkdir()
    with lock_folder(tmp_path / "mine"):
        pass
    assert (tmp_path / "mine").is_dir()


def test_who_waits_comes_after(tmp_path: Path) -> None:
    code = HOLD.replace("time.sleep(60)", "time.sleep(0.5); (Path(sys.argv[1]) / 'first').touch()")
    process = hold(tmp_path, code)
    with lock_folder(tmp_path, wait=True):
        assert (tmp_path / "first").exists()
    assert process.wait() == 0


def test_many_take_turns(tmp_path: Path) -> None:
    """A lock file that is removed by the one who held it is no lock for those who had opened it."""
    code = """
import sys
from pathlib import Path
from icvos.files.locks import lock_folder
count = Path(sys.argv[1]) / "count"
for _ in range(100):
    with lock_folder(count.parent, wait=True):
        count.write_text(str(int(count.read_text()) + 1))
"""
    (tmp_path / "count").write_text("0")
    command = [sys.executable, "-c", code, str(tmp_path)]
    processes = [subprocess.Popen(command, cwd=ROOT) for _ in range(4)]
    assert [process.wait() for process in processes] == [0] * 4
    assert (tmp_path / "count").read_text() == "400"


def test_a_place_that_cannot_be_locked_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(IcvosError, match="a file stands where a folder should be"), lock_folder(tmp_path / "file"):
        pass
    (tmp_path / "link").symlink_to(tmp_path / "file")
    with pytest.raises(IcvosError, match="cannot be written"), lock_file(tmp_path / "link", "link"):
        pass
    assert (tmp_path / "file").read_bytes() == b""


def test_without_locks_work_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fcntl = pytest.importorskip("fcntl")

    def refuse(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with lock_folder(tmp_path), lock_folder(tmp_path):
        assert (tmp_path / LOCK).is_file()
    assert not list(tmp_path.iterdir())
