"""Stops a command before each of its file operations in turn, then runs it again to its end.

    python -m tests.killing CASE ROOT [interrupt]        prints what went wrong; the exit status tells too

Every run is a fork of one process that has imported everything. An audit hook sees opening for writing, renaming,
linking, making, removing and cutting; what it does not see is wrapped: fsync, the exchange of folders, and the native
writers of checkpoints, whose file is cut in half by the kill behind it.
"""

import contextlib
import gc
import importlib
import json
import os
import pickle
import shutil
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from icvos.errors import IcvosError
from icvos.files.leftovers import LOCK, is_ours

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
EVENTS = {  # event -> where its paths and, behind them, its folders' handles are
    "os.rename": ((0, 2), (1, 3)),
    "os.link": ((0, 2), (1, 3)),
    "os.remove": ((0, 1),),
    "os.rmdir": ((0, 1),),
    "os.mkdir": ((0, 2),),
    "os.chmod": ((0, 2),),
    "os.symlink": ((1, 2),),
    "os.truncate": ((0, None),),
    "fcntl.flock": ((0, None),),
}
REMOVES = ("os.remove", "os.rmdir")
CLOCK = {"started", "finished", "seconds", "seconds_per_frame", "seconds_per_image", "added"}
PASSED_OVER = "events.out.tfevents"  # TensorBoard's, one for each start, named by the clock
Action = Literal["count", "kill", "interrupt"]
Reading = Callable[[Path], object]


@dataclass(frozen=True)
class Case:
    """A command to be stopped.

    Args:
        prepare: Makes what the command reads in a folder, once.
        start: Makes what is in the output folder before the command runs.
        run: The command: (what was prepared, the output folder).
        readings: What others read of the output: each refuses, or gives nothing, what it gave
            before or what it gives in the end.
    """

    prepare: Callable[[Path], object]
    run: Callable[[Path, Path], object]
    readings: tuple[Callable[[Path, Path], object], ...]
    start: Callable[[Path, Path], object] = lambda data, out: None


class Tracer:
    """Counts the file operations below a folder; stops before the one of number ``at``."""

    def __init__(self, folder: Path, action: Action = "count", at: int = 0) -> None:
        self.folder, self.action, self.at = str(folder), action, at
        self.seen: list[str] = []

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            if isinstance(flags, int) and flags & WRITING:
                self.meet(event, _path(path))
        elif event in EVENTS:
            paths = [
                _path(arguments[place], None if handle is None or handle >= len(arguments) else arguments[handle])
                for place, handle in EVENTS[event]
            ]
            self.meet(event, *paths)

    def meet(self, event: str, *paths: str) -> None:
        mine = [path for path in paths if path.startswith(self.folder) and PASSED_OVER not in path]
        if not mine or threading.current_thread() is not threading.main_thread():
            return
        self.seen.append(f"{event} {' '.join(path.removeprefix(self.folder) for path in mine)}")
        if len(self.seen) == self.at:
            if self.action == "kill":
                if event == "written":
                    os.truncate(mine[0], Path(mine[0]).stat().st_size // 2)
                os.kill(os.getpid(), signal.SIGKILL)
            raise KeyboardInterrupt

    def wrap(self, module: str, name: str, place: int, event: str, *, native: bool = False) -> None:
        """Meet the calls of a function whose argument at ``place`` is a path or a handle."""
        owner = importlib.import_module(module)
        usual = getattr(owner, name)

        def traced(*arguments: Any, **more: Any) -> Any:
            self.meet(event, _path(arguments[place]))
            found = usual(*arguments, **more)
            if native:
                self.meet("written", _path(arguments[place]))
            return found

        setattr(owner, name, traced)

    def install(self) -> None:
        self.wrap("os", "fsync", 0, "os.fsync")
        self.wrap("icvos.files.storage", "exchange", 1, "exchange")
        if "torch" in sys.modules:
            self.wrap("torch", "save", 1, "torch.save", native=True)
        if "icvos.training.run_folder" in sys.modules:
            self.wrap("icvos.training.run_folder", "save_file", 1, "save_file", native=True)
        if "accelerate" in sys.modules:
            self.wrap("accelerate.checkpointing", "save", 1, "accelerate.save", native=True)
        sys.addaudithook(self.hook)


def _path(path: Any, folder: Any = None) -> str:
    if isinstance(path, int) or hasattr(path, "fileno"):
        handle = path if isinstance(path, int) else path.fileno()
        with contextlib.suppress(OSError):
            return str(Path(f"/proc/self/fd/{handle}").readlink())
        return ""
    text = os.fsdecode(path)
    if isinstance(folder, int) and folder >= 0:
        return str(Path(_path(folder)) / text)
    return str(Path(text).absolute())


def forked(work: Callable[[], object], log: Path) -> tuple[int, Any]:
    """The wait status of a child that does ``work``, and what that gave; what it prints goes to ``log``."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        code = 0
        try:
            with log.open("w") as text, contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
                try:
                    found = work()
                    os.write(writing, pickle.dumps(found))
                except SystemExit as error:
                    code = error.code if isinstance(error.code, int) else 1
                except KeyboardInterrupt:
                    code = 130
                except BaseException:
                    traceback.print_exc()
                    code = 70
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        data = file.read()
    return os.waitpid(child, 0)[1], pickle.loads(data) if data else None


def tree(root: Path) -> dict[str, object]:
    """What is below ``root``, by name, without what the clock says."""
    found: dict[str, object] = {}
    for path in sorted(root.rglob("*")):
        if PASSED_OVER not in path.name:
            found[str(path.relative_to(root))] = "folder" if path.is_dir() else content(path)
    return found


def content(path: Path) -> object:
    data = path.read_bytes()
    if path.suffix == ".json":
        return without_clock(json.loads(data))
    if path.suffix == ".jsonl":
        return [without_clock(json.loads(line)) for line in data.splitlines()]
    if path.suffix == ".safetensors":  # whose header is in any order
        end = 8 + int.from_bytes(data[:8], "little")
        header = json.loads(data[8:end])
        places = {name: entry.pop("data_offsets") for name, entry in header.items() if name != "__metadata__"}
        return header, {name: data[end + first : end + last] for name, (first, last) in places.items()}
    if path.name == "README.md":  # a model card: hours, and the digest of a file whose header is in any order
        return [line for line in data.splitlines() if not line.startswith((b"| hours |", b"| checkpoint |"))]
    return data


def without_clock(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: without_clock(inner) for key, inner in value.items() if key not in CLOCK}
    return [without_clock(inner) for inner in value] if isinstance(value, list | tuple) else value


class Trial:
    """A case in a folder of its own.

    Args:
        case: The case.
        root: The folder.
    """

    def __init__(self, case: Case, root: Path) -> None:
        self.case = case
        self.data, self.place, self.log = root / "data", root / "place", root / "log.txt"
        self.out = self.place / "out"
        self.prepared = root / "prepared"
        root.mkdir(parents=True, exist_ok=True)

    def begin(self) -> None:
        shutil.rmtree(self.place, ignore_errors=True)
        self.place.mkdir()
        if self.prepared.is_dir():
            shutil.copytree(self.prepared, self.out)

    def run(self, action: Action = "count", at: int = 0) -> tuple[int, Any]:
        def work() -> list[str]:
            tracer = Tracer(self.place, action, at)
            tracer.install()
            self.case.run(self.data, self.out)
            return list(tracer.seen)

        return forked(work, self.log)

    def read(self) -> list[object]:
        """What each reading gives; None where it refuses or there is nothing."""

        def work() -> list[object]:
            found: list[object] = []
            for reading in self.case.readings:
                try:
                    found.append(without_clock(reading(self.data, self.out)) or None)
                except IcvosError:
                    found.append(None)
            return found

        status, found = forked(work, self.log)
        if status:
            raise AssertionError(f"a reading failed:\n{self.log.read_text()}")
        return list(found)

    def prepare(self) -> None:
        def work() -> list[str]:
            self.data.mkdir()
            self.case.prepare(self.data)
            self.case.start(self.data, self.prepared)
            self.begin()
            self.case.run(self.data, self.out)
            return sorted(sys.modules)

        status, modules = forked(work, self.log)
        if status:
            raise AssertionError(f"the case cannot be prepared:\n{self.log.read_text()}")
        for name in modules:  # that the command imports late
            if name.partition(".")[0] not in ("numba", "llvmlite", "tests", "__main__", "__mp_main__"):
                with contextlib.suppress(Exception):
                    importlib.import_module(name)
        gc.collect()
        gc.freeze()  # every fork would go through all that is imported, and copy it

    def faults(self, action: Action) -> list[str]:
        """What is wrong after a stop before each operation."""
        self.prepare()
        self.begin()
        before = self.read()  # what was there is whole until it is touched
        _, operations = self.run()
        whole, allowed = tree(self.out), list(zip(before, self.read(), strict=True))
        print(f"{len(operations)} operations", flush=True)
        faults = []
        for at, operation in enumerate(operations, start=1):
            self.begin()
            status, _ = self.run(action, at)
            for fault in self.faults_after(action, status, operation, whole, allowed):
                faults.append(f"{at} {operation}: {fault}")
                print(faults[-1], flush=True)
        return faults

    def faults_after(
        self,
        action: Action,
        status: int,
        operation: str,
        whole: dict[str, object],
        allowed: Sequence[tuple[object, object]],
    ) -> list[str]:
        faults = []
        code = os.waitstatus_to_exitcode(status)
        if code != (-signal.SIGKILL if action == "kill" else 130):
            faults.append(f"ended with {code}: {self.log.read_text()[-600:]}")
        if action == "interrupt" and not operation.startswith((*REMOVES, "exchange")):
            # a lock that nobody holds binds nobody
            left = [str(path) for path in self.place.rglob(".*") if is_ours(path.name) and path.name != LOCK]
            faults += [f"left {left}"] if left else []
        for found, right in zip(self.read(), allowed, strict=True):
            if found is not None and found not in right:
                faults.append(f"is taken for whole: {found!r:.300}")
        status, _ = self.run()
        if status:
            return [*faults, f"cannot go on: {self.log.read_text()[-600:]}"]
        after = tree(self.out)
        if after != whole:
            names = sorted(after.keys() ^ whole.keys())
            changed = [name for name in after.keys() & whole.keys() if after[name] != whole[name]]
            faults.append(f"ends otherwise: names {names}, contents {changed}")
        return faults


def main() -> None:
    from tests.killed_commands import CASES

    name, root, *more = sys.argv[1:]
    faults = Trial(CASES[name], Path(root)).faults("interrupt" if more else "kill")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
