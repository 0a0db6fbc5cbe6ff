"""What a server is told when it starts, kept in its data folder for its workers and for the next start."""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from icvos.errors import IcvosError
from icvos.files.schema import Count, FormatOne, Name, Schema, Text, Whole, parse_schema, read_schema
from icvos.files.storage import json_text, write_bytes
from leaderboard.server.database import Database

FILE = "server.json"
UPLOADS, SCRATCH, SITES, MOVIES = "uploads", "scratch", "sites", "movies"
FORMAT = 1
PROBE = ".writable"
Registration = Literal["open", "invited", "closed"]


class ServerSettings(Schema):
    """The settings of a server."""

    format: FormatOne = Field(description="Version of this layout.")
    benchmark: Text = Field(description="The folder of the benchmark, which has the truth.")
    digest: Name | None = Field(None, description="The benchmark's digest: a worker with another one takes no job.")
    protocols: Annotated[tuple[Name, ...], Field(min_length=1)] = Field(description="Under which each is scored.")
    database: Text = Field("", description="The database's address; empty: SQLite in the data folder.")
    registration: Registration = Field("open", description="Who may make an account.")
    quota: Whole = Field(5, description="Submissions of a user in 24 hours that are scored; 0: any number.")
    max_upload_bytes: Annotated[int, Field(gt=0, le=1 << 40)] = Field(1 << 29, description="Of one file.")
    upload_seconds: Count = Field(3600, description="What one upload may take.")
    idle_seconds: Annotated[float, Field(gt=0, le=3600)] = Field(30, description="Without a byte, then it is ended.")
    lease_seconds: Annotated[float, Field(gt=0, le=3600)] = Field(60, description="A job is free again after it.")
    attempts: Count = Field(3, description="How often a job is begun whose workers are killed.")
    scoring_seconds: Count = Field(3600, description="What one submission may take.")
    url: Text = Field("", description="The address under which browsers reach the server; empty: any.")
    title: Name = Field("", description="What the pages are called.")
    overlays: Literal["none", "predictions"] = Field(
        "none", description="What may be watched of a result's worst clips."
    )
    all_draws: bool = Field(False, description="Whether a submission over some of the support draws is refused.")

    @property
    def is_secure(self) -> bool:
        """Whether browsers come by https alone."""
        return self.url.startswith("https://")


def make_settings(**given: Any) -> ServerSettings:
    """Settings; `IcvosError`, which names it, for one that cannot be."""
    said = json.dumps({"format": FORMAT, **given})
    return parse_schema(said, ServerSettings, "icvos serve", "the settings of a server", "change the option")


def write_settings(data: Path, settings: ServerSettings) -> None:
    """Keep the settings in the data folder, readable by its owner alone: a database's address has a password."""
    path = data / FILE
    write_bytes(path, json_text(settings.to_json()).encode())
    path.chmod(0o600)


def read_settings(data: Path) -> ServerSettings:
    """The settings of the server whose data folder it is; `IcvosError` where there is none."""
    return read_schema(data / FILE, ServerSettings, "the settings of a server", "start it with icvos serve")


def require_folder(data: Path) -> None:
    """Make the data folder and those in it, for their owner alone; `IcvosError` where something else is there."""
    known = {FILE, UPLOADS, SCRATCH, SITES, MOVIES, "server.db", "secret"}
    if (
        data.is_dir()
        and (others := {path.name for path in data.iterdir() if not path.name.startswith(".")})
        and not (others & known)
    ):
        raise IcvosError(f"{data}: holds something other than a server's data; give --data an empty folder")
    try:
        data.mkdir(parents=True, exist_ok=True)
        data.chmod(0o700)
        for name in (UPLOADS, SCRATCH, SITES, MOVIES):
            (data / name).mkdir(exist_ok=True)
            (data / name / PROBE).touch()
            (data / name / PROBE).unlink()
    except OSError as error:
        raise IcvosError(f"{data}: cannot be written ({error.strerror}); give --data another folder") from error


def open_database(data: Path, settings: ServerSettings) -> Database:
    """The database of a server, at the layout that this icvos reads."""
    database = Database.of_folder(data, settings.database)
    database.migrate()
    return database
