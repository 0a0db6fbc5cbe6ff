"""Fetch data sets: what stands complete is left alone, and what was stopped goes on.

Archives lie in the store (`holdings.STORE`) until they are unpacked. Each is fetched and unpacked under a lock of its
own, so that two at once on one folder share the work or wait for each other.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from curation.acquisition.catalogue import Archive, Inside, Source, choose, read_catalogue
from curation.acquisition.holdings import STORE, is_complete, read_note, stem, write_note
from curation.acquisition.unpacking import MEGABYTE, place, require_space, unpack
from icvos.errors import IcvosError
from icvos.files import downloads
from icvos.files.archives.unpacking import SUFFIXES
from icvos.files.downloads import Offer, download, part_of
from icvos.files.hub import list_files, look_up
from icvos.files.leftovers import remove
from icvos.files.locks import lock_file
from icvos.files.storage import link_or_copy, require_writable, sha256
from icvos.tasks.task import SILENT, Watch

CARDS = ("README.md", ".gitattributes")  # of a repository on the Hub: no data
NEEDED = "to fetch and unpack, at least,"
REMEDY = "icvos data show says where it is handed out, to get it by hand"


@dataclass(frozen=True, slots=True)
class Piece:
    """A file to fetch: of an address, or of the Hub, or of its cache on this machine."""

    file: str
    urls: tuple[str, ...] = ()
    size: int | None = None
    sha256: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    cached: Path | None = None


def fetch(
    names: Sequence[str],
    to: Path | str,
    *,
    accept_terms: bool = False,
    keep_archives: bool = False,
    catalogue: Path | None = None,
    watch: Watch = SILENT,
) -> list[Source]:
    """Fetch data sets and unpack them.

    Args:
        names: As ``icvos data list`` calls them.
        to: The folder in which each gets a folder of its own; COCO's splits share one.
        accept_terms: Whether the terms of all of them were read and are accepted; else nothing is fetched.
        keep_archives: Leave the archives in the store; else each is removed once it is unpacked.
        catalogue: A catalogue of one's own, see `curation.acquisition.catalogue.read_catalogue`.
        watch: Is told of every archive and its megabytes.

    Returns:
        The data sets, now complete, those that consist of others replaced by them.

    Raises:
        IcvosError: One is unknown or handed out by hand alone, its terms are not accepted, the disk is too small, no
            address gives the right file, or an archive is not what it should be.

    >>> [source.folder for source in fetch(["davis-2017"], "data", accept_terms=True)]
    ['DAVIS']
    """
    to = Path(to)
    sources = choose(read_catalogue(catalogue), names)
    _refuse_by_hand(sources)
    open_ = [source for source in sources if not all(is_complete(archive, to) for archive in source.archives)]
    if open_ and not accept_terms:
        raise IcvosError(
            f"nothing is fetched before the terms are accepted; read {_terms(open_)}; then add --accept-terms"
        )
    if open_:
        require_writable(to, folder=True)
        missing = {archive.name: archive for one in open_ for archive in one.archives if not is_complete(archive, to)}
        _require_space(missing.values(), to, keep_archives)
    for source in sources:
        for archive in source.archives:
            _fetch_archive(archive, to, keep_archives, watch)
    return sources


def _refuse_by_hand(sources: Iterable[Source]) -> None:
    for source in sources:
        if source.by_hand:
            raise IcvosError(
                f"{source.name}: no stable address of it could be confirmed, so get it by hand: {source.by_hand} "
                f"({source.page})"
            )


def _terms(sources: Iterable[Source]) -> str:
    """The terms of some data sets, each address once, with whose they are."""
    of: dict[str, list[str]] = {}
    for source in sources:
        of.setdefault(source.terms, []).append(source.name)
    return ", ".join(f"{address} (of {' and '.join(names)})" for address, names in of.items())


def _require_space(archives: Iterable[Archive], to: Path, keep: bool) -> None:
    """Refuse before the first byte what cannot fit: pictures are hardly smaller packed than unpacked."""
    sizes = [archive.size or 0 for archive in archives]
    here = sum(_size(part_of(_path(archive, to))) + _size(_path(archive, to)) for archive in archives)
    packed = sum(sizes) if keep else max(sizes, default=0)
    require_space(to, sum(sizes) + packed - here, NEEDED)


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _path(archive: Archive, to: Path) -> Path:
    return to / STORE / stem(archive)


def _fetch_archive(archive: Archive, to: Path, keep: bool, watch: Watch) -> None:
    store, name = to / STORE, stem(archive)
    lock = store / f"{name}.fetching"
    whole = is_complete(archive, to)
    if whole and not lock.exists() and not _remains(store, name, keep):
        return
    with lock_file(lock, f"{to}: {archive.name}", wait=whole):  # of what is whole, the other only tidies up
        if not is_complete(archive, to):  # which another process may just have made it
            pieces = _pieces(archive)
            if archive.hub:  # whose sizes are known only now
                _require_space_for(pieces, archive, to, keep)
            came: dict[str, int] = {}
            for piece in pieces:
                for folder, count in _fetch_piece(archive, piece, to, keep, watch).items():
                    came[folder] = max(came.get(folder, 0), count)
            if not archive.file:
                write_note(to, name, came)
        for path in _remains(store, name, keep):
            remove(path)
    if not is_complete(archive, to):
        raise IcvosError(
            f"{to}: {archive.name} is unpacked, and has not all that it should have: icvos data check {to} says what; "
            "please report it"
        )


def _remains(store: Path, name: str, keep: bool) -> list[Path]:
    """What is in the store of an archive, of no use once it is unpacked."""
    ends = ("unpacking", "inside") if keep else ("", "part", "unpacking", "inside")
    paths = [store / (f"{name}.{end}" if end else name) for end in ends]
    return [path for path in paths if path.exists()]


def _fetch_piece(archive: Archive, piece: Piece, to: Path, keep: bool, watch: Watch) -> dict[str, int]:
    """Fetch a file and put it, or what is in it, into its place; the number of files by folder."""
    store, name = to / STORE, _stored(archive, piece)
    if there := read_note(to, name):
        return there
    target = to / archive.into
    if archive.inside:
        came: dict[str, int] = {}
        for inner in archive.inside:
            came |= _unpack_inside(archive, piece, inner, target, store, keep, watch)
    elif piece.file.lower().endswith(SUFFIXES):
        path = _obtained(archive, piece, store, watch)
        came = unpack(path, target, store / f"{name}.unpacking", archive.only, watch=watch)
    else:
        _put(_obtained(archive, piece, store, watch), target / piece.file, piece)
        came = {piece.file: 1}
    holds = {_below(archive.into, folder): count for folder, count in came.items()}
    write_note(to, name, holds)
    if not archive.file:
        for path in _remains(store, name, keep):
            remove(path)
    return holds


def _require_space_for(pieces: Sequence[Piece], archive: Archive, to: Path, keep: bool) -> None:
    missing = [piece for piece in pieces if not read_note(to, _stored(archive, piece))]
    sizes = [piece.size or 0 for piece in missing]
    paths = [to / STORE / _stored(archive, piece) for piece in missing]
    here = sum(_size(path) + _size(part_of(path)) for path in paths)
    require_space(to, sum(sizes) + (sum(sizes) if keep else max(sizes, default=0)) - here, NEEDED)


def _below(into: str, name: str) -> str:
    return f"{into}/{name}" if into else name


def _pieces(archive: Archive) -> list[Piece]:
    """The files of an entry of the catalogue, as they are handed out now."""
    if not archive.hub:
        return [Piece(archive.file, archive.urls, archive.size, archive.sha256 or "")]
    found = [look_up(archive.hub, "dataset", archive.file)] if archive.file else list_files(archive.hub, "dataset")
    pieces = [
        Piece(
            one.path,
            (one.url,) if one.url else (),
            one.size or archive.size,
            archive.sha256 or one.sha256,
            one.headers,
            one.cached,
        )
        for one in found
        if one.path not in CARDS
    ]
    if not pieces:
        raise IcvosError(f"{archive.name}: holds no data; look at https://huggingface.co/datasets/{archive.hub}")
    return pieces


def _obtained(archive: Archive, piece: Piece, store: Path, watch: Watch) -> Path:
    """A file on this machine: in the Hub's cache, or fetched to the store."""
    if piece.cached is not None:
        return piece.cached
    target = store / _stored(archive, piece)
    watch.stage(f"fetch {piece.file} (MB)")

    def told(done: int, total: int | None) -> None:
        watch.total((total or 0) // MEGABYTE, done // MEGABYTE)

    offer = Offer(
        piece.file, piece.urls, lambda path, digest: _fault(piece, path, digest), REMEDY, piece.size, piece.headers
    )
    if not download(offer, target, pause=downloads.PAUSE_SECONDS, progress=told) and (
        fault := _fault(piece, target, "")
    ):
        raise IcvosError(f"{target}: {fault}; remove it and fetch it again")
    return target


def _stored(archive: Archive, piece: Piece) -> str:
    """What a file is called in the store."""
    return stem(archive) if archive.file else f"{stem(archive)}--{piece.file.replace('/', '--')}"


def _fault(piece: Piece, path: Path, digest: str) -> str:
    """How a fetched file differs from what is published; "" where it does not, as far as anything is published."""
    size = path.stat().st_size
    if piece.size is not None and size != piece.size:
        return f"has {size} bytes, published are {piece.size}"
    if piece.sha256 and (digest := digest or sha256(path)) != piece.sha256:
        return f"has SHA-256 {digest[:12]}..., published is {piece.sha256[:12]}..."
    with path.open("rb") as file:
        start = file.read(512).lstrip().lower()
    return "is a web page" if start.startswith((b"<!doctype", b"<html")) else ""


def _unpack_inside(
    archive: Archive, piece: Piece, inner: Inside, root: Path, store: Path, keep: bool, watch: Watch
) -> dict[str, int]:
    """Take an archive out of the one that it is packed in, and unpack it; the number of files by folder."""
    name = _stored(archive, piece)
    taken = store / f"{name}.inside"
    path = taken / inner.file
    if not path.is_file():
        whole = _obtained(archive, piece, store, watch)
        unpack(whole, taken, store / f"{name}.unpacking", [inner.file], watch=watch)
    if inner.sha256 and (digest := sha256(path)) != inner.sha256:
        path.unlink()
        raise IcvosError(
            f"{piece.file}: its {inner.file} has SHA-256 {digest[:12]}..., published is {inner.sha256[:12]}...; "
            f"another version is handed out now, look at {archive.hub or piece.urls[0]}"
        )
    if not keep and len(archive.inside) == 1:  # before the content takes as much again
        (store / name).unlink(missing_ok=True)
    came = unpack(path, root / inner.into, taken / f"{inner.file}.unpacking", watch=watch)
    return {_below(inner.into, folder): count for folder, count in came.items()}


def _put(path: Path, target: Path, piece: Piece) -> None:
    """A file that is no archive goes to its place; one of the Hub's cache stays there too."""
    if piece.cached is None:
        place(path, target)
    elif not target.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        link_or_copy(path, target)
