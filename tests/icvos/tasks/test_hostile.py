"""Hostile submissions: only faults and `IcvosError` come out, soon, in little memory; nothing outside is touched."""

import io
import json
import random
import struct
import subprocess
import sys
import tempfile
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from benchmarks.fuzz_submissions import SIZE, chunk, hostile_files, hostile_zip, run_case, write_benchmark
from icvos.errors import IcvosError, printable
from icvos.files.masks import encode_binary
from icvos.files.untrusted import MAX_RLE_BYTES, png_header
from icvos.protocol import NATIVE
from icvos.tasks.calls import validate
from icvos.tasks.video.benchmark import Benchmark
from icvos.tasks.video.repair import repair
from tests import ROOT

BOUNDED = settings(max_examples=60, deadline=10_000, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    return write_benchmark(tmp_path_factory.mktemp("benchmark"))


def check_case(benchmark: Benchmark, make: Callable[[random.Random], object], source: random.Random) -> None:
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run_case(benchmark, Path(folder), make, source)
        assert {entry.name for entry in Path(folder).iterdir()} <= {"submission", "submission.zip", "mended"}


@given(seed=st.integers(0, 1 << 32))
@BOUNDED
def test_hostile_folders(tiny: Benchmark, seed: int) -> None:
    check_case(tiny, hostile_files, random.Random(seed))


@given(seed=st.integers(0, 1 << 32))
@BOUNDED
def test_hostile_archives(tiny: Benchmark, seed: int) -> None:
    check_case(tiny, hostile_zip, random.Random(seed))


@given(data=st.binary(max_size=200), prefix=st.sampled_from([b"", b"PK", b"PK\x03\x04", b"PK\x05\x06" + bytes(16)]))
@BOUNDED
def test_any_bytes_as_an_archive(tiny: Benchmark, data: bytes, prefix: bytes) -> None:
    check_case(tiny, lambda source: prefix + data, random.Random(0))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.sampled_from(["size", "counts", "x"]), inner, max_size=3)
    ),
    max_leaves=12,
)
rles = st.fixed_dictionaries(
    {
        "size": st.just(list(SIZE)) | json_values,
        "counts": st.text(max_size=40) | st.lists(st.integers(-5, 1 << 65), max_size=6) | json_values,
    }
)


@given(value=st.dictionaries(st.sampled_from(["00000", "00001", "2", "\ud800"]), rles | json_values) | json_values)
@BOUNDED
def test_any_json_as_a_clip(tiny: Benchmark, value: object) -> None:
    data = json.dumps(value).encode()
    check_case(tiny, lambda source: {"dog/17.json": data, "run.json": data}, random.Random(0))


@given(data=st.binary(max_size=120))
@BOUNDED
def test_any_bytes_as_a_mask(tiny: Benchmark, data: bytes) -> None:
    good = encode_binary(Image.new("1", SIZE[::-1]))  # type: ignore[arg-type]
    files = {f"dog/17/{k:05d}.png": content for k, content in enumerate((data, good[:33] + data, good[:41] + data))}
    check_case(tiny, lambda source: files, random.Random(0))


@given(text=st.text(max_size=3000))
@BOUNDED
def test_whatever_is_printed_is_harmless(text: str) -> None:
    assert printable(text).isprintable()
    assert len(printable(text).encode()) <= 4100


def write_mask(folder: Path, data: bytes) -> Path:
    path = folder / "dog/17/00000.png"
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    return path


def header(height: int, width: int) -> bytes:
    return chunk(b"IHDR", struct.pack(">LLBBBBB", width, height, 8, 0, 0, 0, 0))


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_second_header_cannot_change_the_size(tiny: Benchmark, tmp_path: Path) -> None:
    pixels = zlib.compress(bytes(40_000 * 10_001))
    for size in ((10_000, 40_000), (1 << 30, 1 << 30)):
        path = tmp_path / str(size[0])
        data = b"\x89PNG\r\n\x1a\n" + header(*SIZE) + header(*size) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
        write_mask(path, data)
        faults = [fault for fault in validate(path, tiny.root, NATIVE.id) if fault.kind == "unreadable"]
        assert len(faults) == 1


@pytest.mark.parametrize("kind", ["EPS", "TIFF", "JPEG", "GIF", "BMP", "PPM"])
def test_other_formats_are_never_opened(tiny: Benchmark, tmp_path: Path, kind: str) -> None:
    """Pillow goes by content, and hands PostScript to another program."""
    buffer = io.BytesIO()
    Image.new("L", SIZE[::-1]).save(buffer, kind)
    path = write_mask(tmp_path / "run", buffer.getvalue())
    (fault,) = [fault for fault in validate(tmp_path / "run", tiny.root, NATIVE.id) if fault.kind == "unreadable"]
    assert "not a PNG" in fault.what
    with pytest.raises(IcvosError, match="not a PNG"):
        png_header(path)
    repair(tiny, tmp_path / "run", tmp_path / "mended", NATIVE)
    assert (tmp_path / "mended/dog/17/00000.png").read_bytes() == buffer.getvalue()


def test_a_far_too_long_file_is_not_read(tiny: Benchmark, tmp_path: Path) -> None:
    path = write_mask(tmp_path, encode_binary(Image.new("1", SIZE[::-1])))  # type: ignore[arg-type]
    with path.open("r+b") as file:
        file.truncate(1 << 40)
    (fault,) = [fault for fault in validate(tmp_path, tiny.root, NATIVE.id) if fault.kind == "unreadable"]
    assert "1,099,511,627,776 bytes" in fault.what


PEAK = """
import resource, sys
from pathlib import Path
from icvos.tasks.video.benchmark import Benchmark
from icvos.protocol import NATIVE
from icvos.tasks.calls import validate
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
faults = validate(Path(sys.argv[2]), Path(sys.argv[1]), NATIVE.id)
print(len(faults), (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10)
"""


@pytest.mark.parametrize("content", [b"[", b'"a",', b"{},[],", b'"":{},', b"9,", b"1.5,", "é".encode()])
def test_memory_is_bounded_on_a_hostile_json(tiny: Benchmark, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "dog").mkdir()
    body = content * (MAX_RLE_BYTES // len(content) - 10)
    opening, closing = (b"{", b'"":0}') if b":" in content else (b'["', b'"]') if content[0] > 127 else (b"[", b"0]")
    (tmp_path / "dog/17.json").write_bytes(opening + body + closing)
    arguments = [sys.executable, "-c", PEAK, str(tiny.root), str(tmp_path)]
    found = subprocess.run(arguments, capture_output=True, text=True, check=True, cwd=ROOT)
    faults, peak = map(int, found.stdout.split())
    assert faults == 1
    assert peak < 700  # MiB
