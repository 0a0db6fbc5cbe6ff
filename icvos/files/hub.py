"""Files of the Hugging Face Hub: what a repository holds, and how each file is fetched.

The package `huggingface_hub` (extra `hub`) knows the Hub's address, who is logged in, and the cache on this machine.
The bytes are fetched by `icvos.files.downloads`, which resumes where it was stopped.
"""

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast

from icvos.errors import IcvosError

Kind = Literal["dataset", "model"]
PREFIX = "hf:"
INSTALL = "run: pip install 'icvos[hub]'"
REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
LOG_IN = "run: hf auth login"


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of a repository on the Hub, as it is there now.

    Args:
        path: Its path in the repository.
        url: Its address, of the commit that was looked at.
        size: Bytes, where the Hub says so.
        sha256: Of large files; "" where the Hub has none.
        headers: What the Hub is told of who asks.
        cached: The file in the Hub's own cache on this machine, where another program has fetched it.
    """

    path: str
    url: str
    size: int | None = None
    sha256: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    cached: Path | None = None

    def fault(self, path: Path, digest: str) -> str:
        """What is wrong with a fetched file of SHA-256 ``digest``; "" where it is this one, as far as the Hub says."""
        size = path.stat().st_size
        if self.size is not None and size != self.size:
            return f"has {size} bytes, on the Hub are {self.size}"
        if self.sha256 and digest != self.sha256:
            return f"has SHA-256 {digest[:12]}..., on the Hub is {self.sha256[:12]}..."
        return ""


def require_repository(text: str) -> str:
    """``text`` if it is the name of a repository, ``OWNER/REPO``; `IcvosError` for anything else."""
    if not REPOSITORY.fullmatch(text) or ".." in text:
        raise IcvosError(f"{text}: no repository of the Hub; write it as OWNER/REPO")
    return text


def list_files(repository: str, kind: Kind) -> list[HubFile]:
    """The files of a repository by path; `IcvosError` where it cannot be looked at, with what to do.

    Where ``HF_HUB_OFFLINE`` is set they are those that the cache has of it.
    """
    with asking(repository, kind):
        from huggingface_hub import HfApi, constants, get_token, hf_hub_url, snapshot_download, try_to_load_from_cache

        if constants.HF_HUB_OFFLINE:
            snapshot = Path(snapshot_download(repository, repo_type=kind, local_files_only=True))
            there = sorted(path for path in snapshot.rglob("*") if path.is_file())
            return [HubFile(path.relative_to(snapshot).as_posix(), "", cached=path) for path in there]
        ask = HfApi().dataset_info if kind == "dataset" else HfApi().model_info
        info = ask(repository, files_metadata=True)
        token = get_token()
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        found = []
        for one in sorted(info.siblings or [], key=lambda one: one.rfilename):
            path = one.rfilename
            url = hf_hub_url(repository, path, repo_type=kind, revision=info.sha)
            cached = try_to_load_from_cache(repository, path, repo_type=kind, revision=info.sha)
            kept = Path(cached) if isinstance(cached, str) else None
            found.append(HubFile(path, url, one.size, one.lfs.sha256 if one.lfs else "", headers, kept))
        return found


def look_up(repository: str, kind: Kind, path: str) -> HubFile:
    """One file of a repository; `IcvosError` where it is not there, with what is."""
    files = {one.path: one for one in list_files(repository, kind)}
    if path not in files:
        there = ", ".join(list(files)[:5]) + (", ..." if len(files) > 5 else "")
        raise IcvosError(f"{PREFIX}{repository}/{path}: no such file in the repository; there is {there or 'none'}")
    return files[path]


def push(repository: str, files: Mapping[str, Path | bytes], *, private: bool, message: str) -> str:
    """Put files into a repository of models, made where it is not there, in one commit; the commit's address.

    Args:
        repository: ``OWNER/REPO``.
        files: Paths in the repository, and what is there.
        private: Whether a new repository can be seen by its owner alone.
        message: Of the commit.
    """
    with asking(repository, "model"):
        from huggingface_hub import CommitOperationAdd, HfApi

        api = HfApi()
        api.create_repo(repository, repo_type="model", private=private, exist_ok=True)
        operations = [
            CommitOperationAdd(path, str(content) if isinstance(content, Path) else content)
            for path, content in files.items()
        ]
        done = api.create_commit(repository, operations, repo_type="model", commit_message=message)
        return str(done.commit_url)


@contextlib.contextmanager
def asking(repository: str, kind: Kind) -> Iterator[None]:
    """Inside, what the Hub refuses becomes an `IcvosError` in one line."""
    where = f"{kind} {repository} on the Hugging Face Hub"
    try:
        from huggingface_hub import errors
    except ImportError as error:
        raise IcvosError(f"{where}: needs the package huggingface_hub; {INSTALL}") from error
    transport = cast("tuple[type[Exception], ...]", errors.HfHubHTTPError.__bases__)  # of httpx or its successor
    page = f"https://huggingface.co/{'datasets/' if kind == 'dataset' else ''}{repository}"
    try:
        yield
    except errors.GatedRepoError as error:
        raise IcvosError(f"{where}: its terms have to be accepted first, at {page}; then {LOG_IN}") from error
    except errors.RepositoryNotFoundError as error:
        raise IcvosError(f"{where}: there is none of this name, or it is private; check {page}, or {LOG_IN}") from error
    except errors.LocalTokenNotFoundError as error:
        raise IcvosError(f"{where}: nobody is logged in; {LOG_IN}") from error
    except (errors.OfflineModeIsEnabled, errors.LocalEntryNotFoundError) as error:
        raise IcvosError(f"{where}: HF_HUB_OFFLINE is set, and its cache does not have it; unset it") from error
    except errors.HFValidationError as error:
        raise IcvosError(f"{where}: no such name ({_line(error)}); write it as OWNER/REPO") from error
    except errors.HfHubHTTPError as error:
        raise IcvosError(f"{where}: refused ({_line(error)}); check your rights at {page}, or {LOG_IN}") from error
    except transport as error:
        raise IcvosError(f"{where}: no connection ({_line(error)}); try again later") from error


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
