"""Submissions as archives: the harmless are read like folders, the hostile are refused before they are unpacked."""

import io
import os
import stat
import struct
import tarfile
import tempfile
import time
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from icvos.errors import IcvosError
from icvos.files.archives.entries import LIMITS, ArchiveError, Limits
from icvos.files.archives.unpacking import unpack
from icvos.protocol import PAPER
from icvos.tasks.archive import submission_folder
from icvos.tasks.calls import score, validate
from icvos.tasks.video.benchmark import Benchmark
from leaderboard.submission import SubmissionError, submit
from tests.conftest import icvos
from tests.icvos.handmade import write_benchmark, write_predictions


@pytest.fixture(scope="module")
def handmade(tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    return replace(write_benchmark(tmp_path_factory.mktemp("benchmark")), digest=None)


@pytest.fixture(scope="module")
def masks(handmade: Benchmark, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_predictions(handmade, tmp_path_factory.mktemp("run") / "masks")


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only place for temporary folders; whatever happens, nothing is left in it."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place


def packed(path: Path, folder: Path, prefix: str = "", method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, prefix + str(file.relative_to(folder)))
    return path


@pytest.mark.parametrize(
    ("prefix", "workers"), [("", 2), ("submission/", 1), ("my masks (1)/", 1), ("draw0/", 1), ("run/draw1/", 1)]
)
def test_a_zip_works_like_its_folder(
    handmade: Benchmark, masks: Path, tmp_path: Path, temporary: Path, prefix: str, workers: int
) -> None:
    path = packed(tmp_path / "masks.zip", masks, prefix)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("__MACOSX/._masks", b"\0")
        archive.writestr(f"{prefix}.DS_Store", b"\0")
    assert validate(path, handmade.root, PAPER.id) == []
    whole = submit(handmade.root, masks, PAPER, board=tmp_path / "one", name="whole").result
    zipped = submit(handmade.root, path, PAPER, board=tmp_path / "two", name="whole", workers=workers).result
    assert zipped.clips.keys() == whole.clips.keys()
    assert zipped.overall.jf == whole.overall.jf
    assert not list(temporary.iterdir())


@pytest.mark.parametrize(("root", "mode"), [(".", "w:gz"), ("my masks", "w:gz"), ("masks", "w")])
def test_a_tar_works_like_its_folder(
    handmade: Benchmark, masks: Path, tmp_path: Path, temporary: Path, root: str, mode: str
) -> None:
    path = tmp_path / "masks.tar.gz"
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        archive.add(masks, root)
        archive.addfile(tarfile.TarInfo("._masks"))
    assert validate(path, handmade.root, PAPER.id) == []
    whole = submit(handmade.root, masks, PAPER, board=tmp_path / "one", name="whole").result
    packed = submit(handmade.root, path, PAPER, board=tmp_path / "two", name="whole").result
    assert (packed.clips.keys(), packed.overall.jf) == (whole.clips.keys(), whole.overall.jf)
    assert not list(temporary.iterdir())
    icvos("score", path, "--benchmark", handmade.root)
    assert (tmp_path / "masks-scores.json").is_file()


def test_a_hostile_tar_is_refused(handmade: Benchmark, masks: Path, tmp_path: Path, temporary: Path) -> None:
    path = tmp_path / "masks.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(masks, ".")
        for name, kind in (("../escaped.png", tarfile.REGTYPE), ("zero.png", tarfile.CHRTYPE)):
            one = tarfile.TarInfo(name)
            one.type = kind
            archive.addfile(one)
    assert [fault.kind for fault in validate(path, handmade.root)] == ["path", "link"]
    with pytest.raises(SubmissionError, match="2 faults, nothing was scored"):
        submit(handmade.root, path, PAPER, board=tmp_path / "board", name="hostile")
    assert not list(temporary.iterdir())
    assert {entry.name for entry in tmp_path.iterdir()} == {"masks.tar.gz", "temporary"}


def repacked(path: Path, folder: Path, name: Callable[[str], str]) -> Path:
    """As other programs write names: ``name`` of each path relative to ``folder``; folders end with a slash."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            plain = f"{file.relative_to(folder)}{'/' if file.is_dir() else ''}"
            archive.writestr(zipfile.ZipInfo(name(plain)), b"" if file.is_dir() else file.read_bytes())
    return path


NAMED: dict[str, Callable[[str], str]] = {
    "bsdtar": lambda name: f"./{name}",
    "PowerShell 5": lambda name: name.replace("/", "\\"),
    "PowerShell 5, one folder around": lambda name: f"my masks\\{name}".replace("/", "\\"),
    "dot and backslash": lambda name: f".\\{name}".replace("/", "\\"),
    "dot twice": lambda name: f"././{name}",
}


@pytest.mark.parametrize("name", NAMED)
def test_names_as_other_programs_write_them(handmade: Benchmark, masks: Path, tmp_path: Path, name: str) -> None:
    path = repacked(tmp_path / "masks.zip", masks, NAMED[name])
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(zipfile.ZipInfo("./" if "." in NAMED[name]("") else ".\\"), b"")  # the folder itself
    assert validate(path, handmade.root) == []
    assert score(path, handmade.root).overall == score(masks, handmade.root).overall


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("..\\escaped.png", "leads out"),
        ("davis_dog\\..\\..\\escaped.png", "leads out"),
        (".\\..\\escaped.png", "leads out"),
        ("C:\\masks\\00000.png", "leads out"),
        ("\\\\server\\share\\00000.png", "leads out"),
        ("\\00000.png", "leads out"),
        ("davis_dog\\\\00000.png", "not a plain path"),
        ("davis_dog\\17\\00000.png", "twice"),
        ("davis_dog\\17/00000.png", "backslash"),
    ],
)
def test_backslashes_never_lead_out(handmade: Benchmark, masks: Path, tmp_path: Path, name: str, what: str) -> None:
    path = repacked(tmp_path / "masks.zip", masks, NAMED["PowerShell 5"])
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(zipfile.ZipInfo(name), b"x")
    found = validate(path, handmade.root)
    assert {fault.severity for fault in found} == {"error"}
    assert any(what in fault.what for fault in found)
    assert {entry.name for entry in tmp_path.iterdir()} == {"masks.zip", "temporary"}


def test_implied_folders_are_counted_before_one_is_made(tmp_path: Path, temporary: Path) -> None:
    path = tmp_path / "deep.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(60_000):
            archive.writestr(zipfile.ZipInfo("/".join([str(number), *"abcdefghijklmn", "0.png"])), b"")
    began = time.monotonic()
    with pytest.raises(ArchiveError, match="more than 20,000 folders"):
        unpack(path, temporary)
    assert time.monotonic() - began < 10
    assert not list(temporary.iterdir())


def test_faults_inside_name_the_archive(handmade: Benchmark, masks: Path, tmp_path: Path, temporary: Path) -> None:
    path = packed(tmp_path / "masks.zip", masks, "submission/")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("submission/notes.txt", "hello")
        archive.writestr("submission/davis_dog/17/00009.png", "hello")
    found = validate(path, handmade.root, PAPER.id)
    assert [(fault.kind, fault.where) for fault in found] == [
        ("extra-file", f"{path}/notes.txt"),
        ("extra-frame", f"{path}/davis_dog/17/00009.png"),
    ]
    assert str(temporary) not in "".join(map(str, found))


def entry(name: str, mode: int = stat.S_IFREG | 0o644) -> zipfile.ZipInfo:
    found = zipfile.ZipInfo(name)
    found.external_attr = mode << 16
    return found


def add(path: Path, name: str | zipfile.ZipInfo, data: bytes = b"x", method: int = zipfile.ZIP_DEFLATED) -> None:
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, data, compress_type=method)


def add_absolute(path: Path) -> None:
    add(path, "/etc/passwd")


def add_drive(path: Path) -> None:
    add(path, "C:/masks/00000.png")


def add_parent(path: Path) -> None:
    add(path, "davis_dog/../../../escaped.png")


def add_backslash(path: Path) -> None:
    add(path, "davis_dog\\..\\..\\escaped.png")


def add_dot(path: Path) -> None:
    add(path, "davis_dog/./17/00000.png")


def add_double_slash(path: Path) -> None:
    add(path, "davis_dog//00000.png")


def add_deep(path: Path) -> None:
    add(path, "a/" * 50 + "00000.png")


def add_long(path: Path) -> None:
    add(path, "é" * 200)


def add_link(path: Path) -> None:
    add(path, entry("davis_dog/17/99999.png", stat.S_IFLNK | 0o777), b"/etc/passwd")


def add_device(path: Path) -> None:
    add(path, entry("davis_dog/17/99999.png", stat.S_IFCHR | 0o666))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def add_twice(path: Path) -> None:
    add(path, "davis_dog/17/00000.png")


def add_folder_of_a_file(path: Path) -> None:
    add(path, "davis_dog/17/00000.png/inner.png")


def add_archive(path: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("00000.png", b"x")
    add(path, "masks.zip", inner.getvalue())


def add_other_method(path: Path) -> None:
    add(path, "davis_dog/17/99999.png", method=zipfile.ZIP_LZMA)


def add_bomb(path: Path) -> None:
    add(path, "davis_dog/17/99999.png", b"\0" * (4 << 20))


def add_large(path: Path) -> None:
    with zipfile.ZipFile(path, "a") as archive, archive.open("davis_dog/17.json", "w") as file:
        for _ in range(LIMITS.entry_bytes >> 20):
            file.write(b"ab" * (1 << 19))
        file.write(b"c")


def encrypt(path: Path) -> None:
    data = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + offset] |= 1
    path.write_bytes(bytes(data))


HOSTILE: list[tuple[Callable[[Path], None], str, str]] = [
    (add_absolute, "path", "leads out"),
    (add_drive, "path", "leads out"),
    (add_parent, "path", "leads out"),
    (add_backslash, "path", "leads out"),
    (add_dot, "path", "not a plain path"),
    (add_double_slash, "path", "not a plain path"),
    (add_deep, "path", "not a plain path"),
    (add_long, "path", "too long"),
    (add_link, "link", "pack the file itself"),
    (add_device, "link", "pack the file itself"),
    (add_twice, "duplicate", "twice"),
    (add_folder_of_a_file, "duplicate", "both a file and a folder"),
    (add_archive, "nested", "not opened"),
    (add_other_method, "method", "deflate"),
    (add_bomb, "limit", "200 times"),
    (add_large, "limit", "bytes unpacked"),
    (encrypt, "encrypted", "without a password"),
]


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(("spoil", "kind", "what"), HOSTILE, ids=lambda value: getattr(value, "__name__", ""))
def test_hostile_archives_are_refused(
    handmade: Benchmark,
    masks: Path,
    tmp_path: Path,
    temporary: Path,
    spoil: Callable[[Path], None],
    kind: str,
    what: str,
) -> None:
    path = packed(tmp_path / "masks.zip", masks)
    spoil(path)
    found = validate(path, handmade.root, PAPER.id)
    assert kind in {fault.kind for fault in found}
    assert any(what in fault.what for fault in found)
    assert all(fault.severity == "error" and fault.where.startswith(str(path)) for fault in found)
    with pytest.raises(SubmissionError, match="nothing was scored"):
        submit(handmade.root, path, PAPER, board=tmp_path / "board", name="hostile")
    assert not list(temporary.iterdir())
    assert {entry.name for entry in tmp_path.iterdir()} == {"masks.zip", "temporary"}


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_all_that_is_wrong_is_listed(handmade: Benchmark, masks: Path, tmp_path: Path) -> None:
    path = packed(tmp_path / "masks.zip", masks)
    for spoil in (add_absolute, add_parent, add_link, add_twice, add_archive):
        spoil(path)
    assert [fault.kind for fault in validate(path, handmade.root, PAPER.id)] == [
        "path",
        "path",
        "link",
        "duplicate",
        "nested",
    ]


@pytest.mark.parametrize("size", [0, 10, 100, 1000])
def test_cut_off_archives(handmade: Benchmark, masks: Path, tmp_path: Path, size: int) -> None:
    path = packed(tmp_path / "masks.zip", masks)
    path.write_bytes(path.read_bytes()[:size])
    if not size:
        with pytest.raises(IcvosError, match=r"neither a folder nor a zip or tar.gz file"):
            validate(path, handmade.root, PAPER.id)
        return
    (fault,) = validate(path, handmade.root, PAPER.id)
    assert (fault.kind, fault.where) == ("unreadable", str(path))


def test_a_broken_file_inside_is_named(handmade: Benchmark, masks: Path, tmp_path: Path) -> None:
    path = packed(tmp_path / "masks.zip", masks)
    with zipfile.ZipFile(path) as archive:
        spoiled = next(one for one in archive.infolist() if one.filename.endswith("00002.png"))
    data = bytearray(path.read_bytes())
    start = spoiled.header_offset + 30 + len(spoiled.filename)
    data[start + 5 : start + 25] = b"\xff" * 20
    path.write_bytes(bytes(data))
    (fault,) = validate(path, handmade.root, PAPER.id)
    assert (fault.kind, fault.where) == ("unreadable", f"{path}/{spoiled.filename}")


def test_other_files_are_no_submissions(handmade: Benchmark, tmp_path: Path) -> None:
    (tmp_path / "masks.7z").write_bytes(b"7z" + bytes(100))
    with pytest.raises(IcvosError, match=r"masks.7z: neither a folder nor a zip or tar.gz file"):
        validate(tmp_path / "masks.7z", handmade.root, PAPER.id)
    with pytest.raises(IcvosError, match="no such folder"):
        validate(tmp_path / "absent", handmade.root, PAPER.id)
    with pytest.raises(IcvosError, match=r"absent.zip: no such file, check the name"):
        validate(tmp_path / "absent.zip", handmade.root, PAPER.id)
    (tmp_path / "page.zip").write_text("<html>404</html>")
    with pytest.raises(IcvosError, match=r"page.zip: neither a folder nor a zip or tar.gz file"):
        validate(tmp_path / "page.zip", handmade.root, PAPER.id)
    os.mkfifo(tmp_path / "pipe.zip")
    with pytest.raises(IcvosError, match=r"pipe.zip: neither a folder nor a zip or tar.gz file"):
        validate(tmp_path / "pipe.zip", handmade.root, PAPER.id)


def test_a_million_files_are_counted_before_they_are_listed(tmp_path: Path) -> None:
    path = tmp_path / "many.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("00000.png", b"")
    data = path.read_bytes()
    start = data.index(b"PK\x01\x02")
    record, end = data[start : data.index(b"PK\x05\x06")], bytearray(data[data.index(b"PK\x05\x06") :])
    for declared in (1, 1_000_000):  # the number that an archive declares may be a lie
        directory = record * 1_000_000
        end[8:16] = struct.pack("<HHL", min(declared, 0xFFFF), min(declared, 0xFFFF), len(directory))
        zip64 = struct.pack("<4sQHHLLQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, declared, declared, len(directory), start)
        zip64 += struct.pack("<4sLQL", b"PK\x06\x07", 0, start + len(directory), 1)
        path.write_bytes(data[:start] + directory + (zip64 if declared > 1 else b"") + bytes(end))
        tracemalloc.start()
        with pytest.raises(ArchiveError, match="more than 300,000 files"):
            unpack(path, tmp_path / "temporary")
        assert tracemalloc.get_traced_memory()[1] < 100e6
        tracemalloc.stop()


def test_overlapping_files_are_refused(tmp_path: Path) -> None:
    """Many entries that share one packed block: each alone has a harmless ratio."""
    path = tmp_path / "overlap.zip"
    content = bytes(range(256)) * 400
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("000.png", content)
    data = path.read_bytes()
    start, end = data.index(b"PK\x01\x02"), data.index(b"PK\x05\x06")
    directory = b"".join(data[start:end].replace(b"000.png", b"%03d.png" % k) for k in range(200))
    tail = bytearray(data[end:])
    tail[8:16] = struct.pack("<HHL", 200, 200, len(directory))
    path.write_bytes(data[:start] + directory + bytes(tail))
    with pytest.raises(ArchiveError, match="overlap"):
        unpack(path, tmp_path / "temporary")


def test_a_directory_that_lies_about_sizes_does_not_help(tmp_path: Path, temporary: Path) -> None:
    path = tmp_path / "liar.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", bytes(8 << 20))
    data = bytearray(path.read_bytes())
    start = data.index(b"PK\x01\x02")
    data[start + 24 : start + 28] = struct.pack("<L", 1000)  # says that it unpacks to 1000 bytes
    path.write_bytes(bytes(data))
    with pytest.raises(ArchiveError, match="cannot be unpacked"):
        unpack(path, temporary)
    assert sum(file.stat().st_size for file in temporary.iterdir()) <= 1000


def test_totals_are_limited(masks: Path, tmp_path: Path, temporary: Path) -> None:
    path = packed(tmp_path / "masks.zip", masks)
    for limits, match in (
        (Limits(entries=5), "more than 5 files"),
        (Limits(total_bytes=100), "100 at most"),
        (Limits(entry_bytes=10), "10 at most"),
        (Limits(directory_bytes=10), "more than"),
        (Limits(folders=4), "more than 4 folders"),
    ):
        with pytest.raises(ArchiveError, match=match):
            unpack(path, temporary, limits)
    assert not list(temporary.iterdir())


def test_a_deflate_stream_without_end_is_cut(tmp_path: Path, temporary: Path) -> None:
    path = tmp_path / "cut.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", zlib.compress(bytes(range(256)) * 50))
    data = bytearray(path.read_bytes())
    start = data.index(b"PK\x01\x02")
    data[start + 20 : start + 24] = struct.pack("<L", 5)  # packed length: the stream ends in its middle
    path.write_bytes(bytes(data))
    with pytest.raises(ArchiveError, match="cannot be unpacked"):
        unpack(path, temporary)


def test_a_wrapping_folder_that_is_a_video_stays(handmade: Benchmark, masks: Path, tmp_path: Path) -> None:
    path = packed(tmp_path / "one.zip", masks / "davis_dog", "davis_dog/")
    with submission_folder(path, {video.name for video in handmade.videos}) as folder:
        assert [entry.name for entry in folder.iterdir()] == ["davis_dog"]


def test_scoring_a_zip_on_the_command_line(handmade: Benchmark, masks: Path, tmp_path: Path) -> None:
    path = packed(tmp_path / "masks.zip", masks)
    icvos("score", path, "--benchmark", handmade.root)
    assert (tmp_path / "masks-scores.json").is_file()
    spoiled = packed(tmp_path / "spoiled.zip", masks)
    add_parent(spoiled)
    assert "leads out" in icvos("score", spoiled, "--benchmark", handmade.root, status=2).output
