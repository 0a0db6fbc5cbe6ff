"""Tar files: read as tarfile reads them, refused where they are hostile, in bounded memory."""

import gzip
import io
import random
import struct
import tarfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from icvos.errors import IcvosError
from icvos.files.archives.entries import ArchiveError, Limits
from icvos.files.archives.tars import BLOCK
from icvos.files.archives.unpacking import bare_name, listed, require_archive, unpack

LONG = "/".join(["a-name-of-some-length"] * 11) + "/00000.png"
FILES = {"dog/00000.png": b"first", "dog/00001.png": bytes(range(256)) * 20, "größe/00000.png": b"", LONG: b"long"}


def member(name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, **more: object) -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.size, found.type = len(content), kind
    for key, value in more.items():
        setattr(found, key, value)
    return found


def packed(path: Path, files: dict[str, bytes], mode: str = "w:gz", form: int = tarfile.PAX_FORMAT) -> Path:
    with tarfile.open(path, mode, format=form) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            archive.addfile(member(name, content), io.BytesIO(content))
    return path


def added(path: Path, *members: tarfile.TarInfo) -> Path:
    """A tar.gz file of a good mask and of ``members``."""
    with tarfile.open(path, "w:gz") as archive:
        archive.addfile(member("dog/00000.png", b"good"), io.BytesIO(b"good"))
        for one in members:
            archive.addfile(one, io.BytesIO(bytes(one.size)))
    return path


def content_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_files_come_out_as_they_went_in(tmp_path: Path, form: int, mode: str) -> None:
    path = packed(tmp_path / "masks.tgz", FILES, mode, form)
    unpack(path, tmp_path / "out")
    assert content_of(tmp_path / "out") == FILES


def test_what_tar_writes_of_a_folder(tmp_path: Path) -> None:
    for name, content in {**FILES, ".DS_Store": b"x", "dog/._00000.png": b"x", "__MACOSX/a.png": b"x"}.items():
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_bytes(content)
    for number, root in enumerate((".", "my masks")):
        with tarfile.open(tmp_path / f"{number}.tgz", "w:gz") as archive:
            archive.add(tmp_path / "in", root)
        unpack(tmp_path / f"{number}.tgz", tmp_path / str(number))
        assert content_of(tmp_path / str(number) / root) == FILES


def test_an_archive_without_its_last_blocks_of_zeros_is_whole(tmp_path: Path) -> None:
    data = packed(tmp_path / "a.tar", FILES, "w").read_bytes().rstrip(b"\0")
    (tmp_path / "a.tar").write_bytes(data + bytes(-len(data) % BLOCK))
    unpack(tmp_path / "a.tar", tmp_path / "out")
    assert content_of(tmp_path / "out") == FILES


HOSTILE = [
    (member("../escaped.png"), "path", "leads out"),
    (member("/tmp/escaped.png"), "path", "leads out"),
    (member("dog/../../escaped.png"), "path", "leads out"),
    (member("C:/escaped.png"), "path", "leads out"),
    (member("dog\\00001.png"), "path", "backslash"),
    (member("dog//00001.png"), "path", "not a plain path"),
    (member("dog/00001.png", pax_headers={"path": "dog/00001.png\0/etc"}), "path", "not a plain path"),
    (member("dog/" + 300 * "x"), "path", "too long"),
    (member("dog/00001.png", kind=tarfile.SYMTYPE, linkname="/etc/passwd"), "link", "a link or a special file"),
    (member("dog/00001.png", kind=tarfile.LNKTYPE, linkname="dog/00000.png"), "link", "a link or a special file"),
    (member("dog/00001.png", kind=tarfile.CHRTYPE, devmajor=1, devminor=5), "link", "a link or a special file"),
    (member("dog/00001.png", kind=tarfile.BLKTYPE, devmajor=8), "link", "a link or a special file"),
    (member("dog/00001.png", kind=tarfile.FIFOTYPE), "link", "a link or a special file"),
    (member("dog/00001.png", kind=tarfile.GNUTYPE_SPARSE), "link", "a link or a special file"),
    (member("dog/00001.png", pax_headers={"GNU.sparse.map": "0,1"}), "link", "a link or a special file"),
    (member("dog/00000.png"), "duplicate", "twice"),
    (member("dog"), "duplicate", "both a file and a folder"),
    (member("dog/more.tar.gz"), "nested", "not opened"),
    (member("dog/00001.png", bytes(70 << 20)), "limit", "67,108,864 at most"),
]


@pytest.mark.parametrize(("one", "kind", "what"), HOSTILE, ids=lambda value: getattr(value, "name", "")[:20])
def test_hostile_members_are_refused(tmp_path: Path, one: tarfile.TarInfo, kind: str, what: str) -> None:
    path = added(tmp_path / "masks.tar.gz", one)
    (tmp_path / "out").mkdir()
    with pytest.raises(ArchiveError) as caught:
        unpack(path, tmp_path / "out", Limits(ratio=2000))
    assert (kind, True) in {(fault.kind, what in fault.what) for fault in caught.value.faults}
    assert all(fault.where.startswith(str(path)) for fault in caught.value.faults)
    assert not list((tmp_path / "out").iterdir())


def test_a_link_cannot_lead_what_follows_out(tmp_path: Path) -> None:
    link = member("dog2", kind=tarfile.SYMTYPE, linkname=str(tmp_path))
    path = added(tmp_path / "masks.tar.gz", link, member("dog2/escaped.png", b"x"))
    with pytest.raises(ArchiveError) as caught:
        unpack(path, tmp_path / "out")
    assert {fault.kind for fault in caught.value.faults} == {"link", "duplicate"}
    assert not (tmp_path / "escaped.png").exists()


@pytest.mark.parametrize("what", ["a file of zeros", "zeros after the end"])
def test_a_gzip_bomb_is_left_early(tmp_path: Path, what: str) -> None:
    with gzip.open(tmp_path / "bomb.tar.gz", "wb") as file:
        size = (500 << 20) if what == "a file of zeros" else 0
        file.write(member("a.png", size=size).tobuf())  # type: ignore[arg-type]
        for _ in range(500):
            file.write(bytes(1 << 20))
    (tmp_path / "out").mkdir()
    began = time.monotonic()
    with pytest.raises(ArchiveError, match="more than 200 times as many"):
        unpack(tmp_path / "bomb.tar.gz", tmp_path / "out")
    assert time.monotonic() - began < 5
    assert not list((tmp_path / "out").iterdir())


def test_totals_are_limited(tmp_path: Path) -> None:
    path = packed(tmp_path / "masks.tgz", FILES)
    for limits, match in (
        (Limits(entries=3), "more than 3 files"),
        (Limits(total_bytes=100), "100 at most"),
        (Limits(entry_bytes=10), "10 at most"),
        (Limits(folders=4), "more than 4 folders"),
    ):
        with pytest.raises(ArchiveError, match=match):
            unpack(path, tmp_path / "out", limits)
    assert not (tmp_path / "out").exists()


def extended_header(kind: bytes, content: bytes) -> bytes:
    return member("x", content, kind).tobuf() + content + bytes(-len(content) % BLOCK)


ENDLESS: dict[str, Callable[[], bytes]] = {
    "a long name": lambda: extended_header(b"L", b"a" * (64 << 20)),
    "a long pax header": lambda: extended_header(b"x", b"a" * (64 << 20)),
    "many headers": lambda: extended_header(b"x", b"9 path=a\n") * 100_000,
    "many global headers": lambda: extended_header(b"g", b"9 path=a\n") * 100_000,
    "an endless sparse map": lambda: sparse_header() + (b"0" * 504 + b"\1" + bytes(7)) * 130_000,
}


def sparse_header() -> bytes:
    block = bytearray(member("a.png", kind=b"S").tobuf())
    block[482] = 1
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


@pytest.mark.parametrize("what", ENDLESS)
def test_headers_take_bounded_memory(tmp_path: Path, what: str) -> None:
    (tmp_path / "a.tar").write_bytes(ENDLESS[what]())
    tracemalloc.start()
    with pytest.raises(ArchiveError, match="cannot be read as a tar file"):
        unpack(tmp_path / "a.tar", tmp_path / "out")
    assert tracemalloc.get_traced_memory()[1] < 5e6
    tracemalloc.stop()


def test_a_million_members_are_not_all_listed(tmp_path: Path) -> None:
    block = member("00000.png").tobuf()
    with gzip.open(tmp_path / "a.tar.gz", "wb", compresslevel=1) as file:
        for _ in range(1000):
            file.write(block * 1000)
    with pytest.raises(ArchiveError, match="more than 1,000 files"):
        unpack(tmp_path / "a.tar.gz", tmp_path / "out", Limits(entries=1000, ratio=2000))


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_cut_off_and_damaged_archives(tmp_path: Path, mode: str) -> None:
    data = packed(tmp_path / "whole", FILES, mode).read_bytes()
    source = random.Random(0)
    for number in range(100):
        changed = bytearray(data[: source.randrange(2, len(data))] if number % 2 else data)
        for _ in range(0 if number % 2 else 5):
            changed[source.randrange(len(changed))] = source.randrange(256)
        path = tmp_path / f"{number}.tar"
        path.write_bytes(bytes(changed))
        try:
            require_archive(path, "masks")
            found = listed(path)
            unpack(path, tmp_path / f"out{number}")
        except IcvosError:
            continue
        assert {entry.name for entry in found} <= FILES.keys() or mode == "w"  # its content is unsealed


def test_numbers_that_are_none_are_refused(tmp_path: Path) -> None:
    for field, value in (
        (slice(124, 136), b"99999999999\0"),
        (slice(124, 136), b"\x80" + struct.pack(">xxxQ", 1 << 62)),
    ):
        block = bytearray(member("a.png").tobuf())
        block[field] = value
        block[148:156] = b" " * 8
        block[148:156] = b"%06o\0 " % sum(block)
        (tmp_path / "a.tar").write_bytes(bytes(block) + bytes(1024))
        with pytest.raises(ArchiveError):
            unpack(tmp_path / "a.tar", tmp_path / "out")


@pytest.mark.parametrize(
    ("name", "bare"), [("a.zip", "a"), ("a.b.TAR.GZ", "a.b"), ("a.tgz", "a"), ("a.tar", "a"), ("a", "a"), ("a.b", "a")]
)
def test_names_without_suffix(name: str, bare: str) -> None:
    assert bare_name(Path(name)) == bare
