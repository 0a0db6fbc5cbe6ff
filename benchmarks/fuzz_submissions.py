"""What strangers send, made at random for a while: nothing may come out but faults and `IcvosError`.

    python -m benchmarks.fuzz_submissions --minutes 30 --processes 2

Submissions as folders and zip files are made here; benchmarks, results, board entries, curation files, recipes and
runs on images in `fuzz_files`. Every case is a seed, which ``--seed`` runs again. A case fails by a traceback, by
taking more than ten seconds, by a file that is left behind, and by anything that is opened for writing, renamed, made
or removed outside its folder, which an audit hook watches. A table of the cases and every failed seed are printed; the
exit status is 1 where a case failed or a process took more than 400 MiB.
"""

import argparse
import contextlib
import io
import json
import multiprocessing
import os
import random
import resource
import signal
import struct
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from benchmarks.fuzz_files import WORLD, Surfaces, World, make_world, quiet
from icvos.errors import IcvosError
from icvos.files.masks import encode_binary
from icvos.files.rle import encode_rle
from icvos.protocol import NATIVE
from icvos.tasks.calls import validate
from icvos.tasks.video.benchmark import Benchmark
from icvos.tasks.video.repair import repair

SIZE = (24, 33)
FRAMES = 3
CASE_SECONDS = 10
MOST_MIB = 400
ANCILLARY = (
    b"tEXt zTXt iTXt iCCP pHYs cHRM gAMA tRNS sRGB acTL fcTL fdAT eXIf tIME bKGD sBIT hIST sPLT PLTE IEND IHDR".split()
)
FORMATS = ("BMP", "GIF", "JPEG", "TIFF", "PPM", "TGA", "ICO", "EPS", "PDF", "WEBP", "PCX", "DDS")
INFLATING = tuple(zlib.compress(bytes(length)) for length in (10, 1 << 20, 1 << 26))
NUMBERS = (0, 1, 2, 7, 255, 256, 65535, 1 << 31, (1 << 32) - 1, 1 << 62, -1, 10**30, 0.5, float("inf"), float("nan"))
NAMES = ("..", ".", "", "/", "a" * 300, "17", "dog", "draw0", "run.json", "\x00", "é", "con", "C:", "\\", "\n", "00001")


class Hang(BaseException):
    """A case took too long."""


def chunk(kind: bytes, data: bytes) -> bytes:
    """A PNG chunk with a right checksum."""
    return struct.pack(">L", len(data)) + kind + data + struct.pack(">L", zlib.crc32(kind + data))


def flipped(data: bytes, source: random.Random, most: int = 8) -> bytes:
    """``data`` with a few bytes changed, dropped, doubled or cut off."""
    found = bytearray(data)
    for _ in range(source.randint(1, most)):
        if not found:
            break
        place = source.randrange(len(found))
        action = source.randrange(5)
        if action == 0:
            found[place] ^= 1 << source.randrange(8)
        elif action == 1:
            found[place] = source.choice((0, 1, 127, 128, 255))
        elif action == 2:
            del found[place : place + source.randint(1, 20)]
        elif action == 3:
            found[place:place] = found[place : place + source.randint(1, 40)]
        elif source.random() < 0.3:
            del found[place:]
    return bytes(found)


def hostile_png(source: random.Random) -> bytes:
    """A PNG, or something that claims to be one, with a broken or lying part."""
    mask = np.random.RandomState(source.randrange(1 << 30)).rand(*SIZE) < 0.4
    choice = source.randrange(6)
    if choice == 0:
        return flipped(encode_binary(mask), source)
    if choice == 1:
        buffer = io.BytesIO()
        with contextlib.suppress(OSError, KeyError, ValueError):
            Image.fromarray(mask.astype(np.uint8) * 255).convert("RGB").save(buffer, source.choice(FORMATS))
        return buffer.getvalue()
    height, width = (
        SIZE if source.random() < 0.8 else (source.choice((0, 1, 65535, 1 << 31)), source.randrange(1 << 32))
    )
    depth, kind = source.choice((1, 2, 4, 8, 16, 3)), source.choice((0, 0, 0, 2, 3, 3, 4, 6, 5))
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(kind, 1)
    row = (SIZE[1] * depth * channels + 7) // 8
    filters = source.choice((b"\x00", b"\x00\x01\x02\x03\x04", b"\x00\x01\x02\x03\x04", b"\x00\x09"))
    rows = b"".join(bytes([source.choice(filters)]) + source.randbytes(row) for _ in range(SIZE[0]))
    stream = zlib.compress(rows * source.choice((1, 1, 1, 0, 100, 5000)))
    if source.random() < 0.3:
        stream = flipped(stream, source)
    parts = [chunk(b"IHDR", struct.pack(">LLBBBBB", width, height, depth, kind, 0, 0, source.choice((0, 0, 1, 7))))]
    for _ in range(source.randrange(4)):
        data = source.randbytes(source.choice((0, 1, 3, 9, 32, 768, 5000)))
        if source.random() < 0.3:
            data = b"key\x00\x00" + source.choice(INFLATING)
        parts.append(chunk(source.choice(ANCILLARY), data))
    if kind == 3 or source.random() < 0.2:
        parts.append(chunk(b"PLTE", source.randbytes(source.choice((0, 1, 3, 6, 300, 768, 999)))))
    half = source.randrange(len(stream) + 1)
    parts += [chunk(b"IDAT", stream[:half]), chunk(b"IDAT", stream[half:]), chunk(b"IEND", b"")]
    if source.random() < 0.2:
        source.shuffle(parts)
    found = b"\x89PNG\r\n\x1a\n" + b"".join(parts)
    return flipped(found, source) if source.random() < 0.3 else found


def random_value(source: random.Random, depth: int = 0) -> object:
    """Any JSON value."""
    choice = source.randrange(7 if depth < 4 else 5)
    if choice == 0:
        return source.choice(NUMBERS)
    if choice == 1:
        return source.choice((None, True, False))
    if choice == 2:
        return "".join(chr(source.choice((48, 80, 111, 112, 127, 300, 0x1F600))) for _ in range(source.randrange(30)))
    if choice in (3, 4):
        return [source.choice(NUMBERS) for _ in range(source.randrange(6))]
    if choice == 5:
        return [random_value(source, depth + 1) for _ in range(source.randrange(4))]
    keys = ("size", "counts", "00000", "0", "frame_1")
    return {source.choice(keys): random_value(source, depth + 1) for _ in range(source.randrange(4))}


def hostile_json(source: random.Random) -> bytes:
    """A clip's JSON of RLEs with something wrong in it."""
    frames: dict[str, object] = {}
    for position in range(FRAMES):
        rle = encode_rle(np.random.RandomState(source.randrange(1 << 30)).rand(*SIZE) < 0.5)
        if source.random() < 0.5:
            rle[source.choice(("size", "counts"))] = random_value(source)
        frames[f"{position:05d}" if source.random() < 0.9 else source.choice(NAMES)] = rle
    value: object = frames if source.random() < 0.8 else random_value(source)
    data = json.dumps(value).encode()
    if source.random() < 0.1:
        return source.choice((b"[", b'{"a":', b"9")) * source.choice((10, 5000, 2_000_000))
    return flipped(data, source) if source.random() < 0.4 else data


def good_files(source: random.Random) -> dict[str, bytes]:
    """A prediction folder without fault, as names and contents."""
    found = {}
    for position in range(FRAMES):
        mask = np.random.RandomState(source.randrange(1 << 30)).rand(*SIZE) < 0.4
        found[f"dog/17/{position:05d}.png"] = encode_binary(mask)
    return found


def hostile_files(source: random.Random) -> dict[str, bytes]:
    """A prediction folder in which one or more files are hostile."""
    files = good_files(source)
    for _ in range(source.randint(1, 3)):
        choice = source.randrange(5)
        if choice <= 1:
            files[source.choice(sorted(files))] = hostile_png(source)
        elif choice == 2:
            if source.random() < 0.8:
                files = {name: data for name, data in files.items() if not name.startswith("dog/17/")}
            files["dog/17.json"] = hostile_json(source)
        elif choice == 3:
            files["run.json"] = flipped(b'{"benchmark": {"digest": "sha256:0"}, "draw": 0}', source)
        else:
            place, suffix = source.choice(("", "dog/", "dog/17/")), source.choice(("", ".png", ".PNG", ".json"))
            files[f"{place}{source.choice(NAMES)}{suffix}"] = hostile_png(source)
    return files


def write_files(folder: Path, files: dict[str, bytes]) -> None:
    """Those of ``files`` whose names a file system takes."""
    for name, data in files.items():
        target = folder / name
        with contextlib.suppress(OSError, ValueError):
            if ".." not in name.split("/") and not name.startswith("/") and "/" + "/" not in name:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(data)


def hostile_zip(source: random.Random) -> bytes:
    """An archive with hostile names, files, fields or bytes."""
    buffer = io.BytesIO()
    files = hostile_files(source) if source.random() < 0.4 else good_files(source)
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w") as archive:
        warnings.simplefilter("ignore")
        for name, data in files.items():
            info = zipfile.ZipInfo(name if source.random() < 0.9 else "/".join(source.choices(NAMES, k=3)))
            info.external_attr = source.choice((0o100644, 0o100644, 0o40755, 0o120777, source.randrange(1 << 16))) << 16
            method = source.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2))
            with contextlib.suppress(ValueError, struct.error):
                archive.writestr(info, data if source.random() < 0.95 else bytes(1 << 22), compress_type=method)
    data = bytearray(buffer.getvalue())
    if source.random() < 0.6:
        for _ in range(source.randint(1, 4)):
            mark = source.choice((b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06"))
            start = data.find(mark, source.randrange(len(data)))
            if start >= 0:
                width = source.choice((1, 2, 4))
                place = start + source.randrange(4, 46)
                value = source.choice((0, 1, 255, 65535, (1 << 32) - 1, source.randrange(1 << 32)))
                data[place : place + width] = (value & ((1 << 8 * width) - 1)).to_bytes(width, "little")
    return flipped(bytes(data), source) if source.random() < 0.4 else bytes(data)


def write_benchmark(root: Path) -> Benchmark:
    """One video of one class in the published layout."""
    (root / "dog/JPEGImages").mkdir(parents=True)
    (root / "dog/Annotations/17").mkdir(parents=True)
    for position in range(FRAMES):
        mask = np.random.RandomState(position).rand(*SIZE) < 0.5
        Image.new("RGB", SIZE[::-1]).save(root / f"dog/JPEGImages/{position:05d}.jpg")
        (root / f"dog/Annotations/17/{position:05d}.png").write_bytes(encode_binary(mask))
    return Benchmark.open(root)


def run_case(benchmark: Benchmark, folder: Path, make: Callable[[random.Random], object], source: random.Random) -> int:
    """Make a submission in the empty ``folder``, check it, repair it; returns the number of faults."""
    made = make(source)
    path = folder / "submission"
    if isinstance(made, dict):
        path.mkdir()
        write_files(path, made)
    elif isinstance(made, bytes):
        path = path.with_suffix(".zip")
        path.write_bytes(made)
    found = 0
    with contextlib.suppress(IcvosError):
        faults = validate(path, benchmark.root, NATIVE.id)
        found = len(faults)
        for fault in faults:
            text = str(fault) + json.dumps(fault.to_json())
            assert text.isprintable(), text
            text.encode()
        report = repair(benchmark, path, folder / "mended", NATIVE)
        for line in (*report.repairs, *report.left):
            assert str(line).isprintable()
    return found


MAKERS: dict[str, Callable[[random.Random], object]] = {"folder": hostile_files, "zip": hostile_zip}


@contextlib.contextmanager
def time_limit(seconds: int) -> Iterator[None]:
    """Raises `Hang` in the block after so many seconds of processor time, or twelve times as many on the clock."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise Hang

    signal.signal(signal.SIGALRM, stop)
    signal.signal(signal.SIGPROF, stop)
    signal.alarm(12 * seconds)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.setitimer(signal.ITIMER_PROF, 0)


class Watcher:
    """An audit hook that notes every change of files outside of ``inside``."""

    EVENTS: ClassVar = {  # event -> where its paths are, and the handles of the folders that they are relative to
        "os.rename": ((0, 2), (1, 3)),
        "os.link": ((1, 3),),
        "os.symlink": ((1, 2),),
        "os.remove": ((0, 1),),
        "os.rmdir": ((0, 1),),
        "os.mkdir": ((0, 2),),
        "os.chmod": ((0, 2),),
        "os.truncate": ((0, None),),
    }
    WRITING: ClassVar = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

    def __init__(self) -> None:
        self.inside = ""
        self.outside: list[str] = []

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        """See `sys.addaudithook`."""
        if not self.inside:
            return
        if event == "open":
            if isinstance(arguments[2], int) and arguments[2] & self.WRITING:
                self.meet(event, arguments[0])
        elif event in self.EVENTS:
            for place, handle in self.EVENTS[event]:
                self.meet(event, arguments[place], -1 if handle is None else arguments[handle])

    def meet(self, event: str, path: object, handle: int = -1) -> None:
        """Note a change of ``path``, relative to the open folder ``handle``, unless it lies inside."""
        if not isinstance(path, str | bytes | os.PathLike):
            return
        folder = f"/proc/self/fd/{handle}" if handle >= 0 else ""
        place = os.path.realpath(Path(folder) / os.fsdecode(path))
        if "/__pycache__" in place:  # what numba has compiled
            return
        if place != self.inside and not place.startswith(f"{self.inside}/") and place != os.devnull:
            self.outside.append(f"{event} {place}")


@dataclass(slots=True)
class Tally:
    """What became of the cases of one process."""

    cases: dict[str, int] = field(default_factory=dict)
    faults: int = 0
    slowest: float = 0.0
    failed: list[str] = field(default_factory=list)
    peak_mib: float = 0.0


def work(root: Path, minutes: float, first: int, step: int, count: int | None) -> Tally:
    """Run the cases ``first``, ``first + step``, ... for so many minutes, or ``count`` of them."""
    warnings.simplefilter("ignore")
    surfaces = Surfaces(World(*(root / "world" / name for name in WORLD)), flipped)
    benchmark = Benchmark.open(root / "benchmark")
    tally, watcher, seed = Tally(), Watcher(), first
    sys.addaudithook(watcher.hook)
    stop = time.monotonic() + 60 * minutes
    while time.monotonic() < stop and (count is None or sum(tally.cases.values()) < count):
        source = random.Random(seed)
        name = source.choice([*sorted(MAKERS), *surfaces.names()])
        began = time.monotonic()
        with tempfile.TemporaryDirectory(dir=root) as folder:
            fault = one_case(name, Path(folder), source, benchmark, surfaces, watcher, tally)
        if fault:
            tally.failed.append(f"seed {seed} ({name}): {fault}")
            print(tally.failed[-1], flush=True)
        tally.slowest = max(tally.slowest, time.monotonic() - began)
        tally.cases[name] = tally.cases.get(name, 0) + 1
        seed += step
    tally.peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return tally


def one_case(
    name: str,
    folder: Path,
    source: random.Random,
    benchmark: Benchmark,
    surfaces: Surfaces,
    watcher: Watcher,
    tally: Tally,
) -> str:
    """What is wrong after one case, "" where nothing is."""
    tempfile.tempdir = str(folder)
    watcher.inside, watcher.outside = os.path.realpath(folder), []
    try:
        with time_limit(CASE_SECONDS), contextlib.suppress(IcvosError):
            if name in MAKERS:
                tally.faults += run_case(benchmark, folder, MAKERS[name], source)
            else:
                quiet(lambda: surfaces.run(name, folder, source))
    except BaseException:
        return traceback.format_exc()
    finally:
        tempfile.tempdir, watcher.inside = None, ""
    left = {entry.name for entry in folder.iterdir()} - {"submission", "submission.zip", "mended"}
    if name in MAKERS and left:
        return f"left {sorted(left)}"
    return f"outside its folder: {watcher.outside[:5]}" if watcher.outside else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--seed", type=int, default=None, help="Run this case alone.")
    parser.add_argument("--start", type=int, default=0, help="The first seed.")
    given = parser.parse_args()
    first, count = (given.start, None) if given.seed is None else (given.seed, 1)
    processes = given.processes if count is None else 1
    with tempfile.TemporaryDirectory(prefix="fuzz-") as temporary:
        root = Path(temporary)
        write_benchmark(root / "benchmark")
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=context) as pool:  # peak memory passes on from parent to child
            pool.submit(make_world, root / "world").result()
        with ProcessPoolExecutor(processes, mp_context=context) as pool:
            running = [
                pool.submit(work, root, given.minutes, first + place, processes, count) for place in range(processes)
            ]
            tallies = [found.result() for found in running]
    for name in sorted({name for tally in tallies for name in tally.cases}):
        print(f"{sum(tally.cases.get(name, 0) for tally in tallies):8}  {name}")
    failed = [line for tally in tallies for line in tally.failed]
    peak = max(tally.peak_mib for tally in tallies)
    cases, faults = sum(sum(tally.cases.values()) for tally in tallies), sum(tally.faults for tally in tallies)
    slowest = max(tally.slowest for tally in tallies)
    print(f"{cases} cases, {len(failed)} failed, {faults} faults of submissions, ", end="")
    print(f"slowest {slowest:.2f} s, peak memory {peak:.0f} MiB")
    sys.exit(1 if failed or peak > MOST_MIB else 0)


if __name__ == "__main__":
    main()
