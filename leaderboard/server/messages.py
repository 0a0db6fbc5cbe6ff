"""What the API tells, as pydantic models: the server fills them, and `icvos submit --server` reads them by the same."""

from typing import Literal

from pydantic import BaseModel, Field

State = Literal["waiting", "checking", "faults", "scoring", "scored", "refused"]
ENDED = ("faults", "refused", "scored")


class Summary(BaseModel):
    """A submission in short."""

    code: str = Field(description="By which addresses name it.")
    name: str = Field(description="What the board calls the method.")
    revision: int = Field(description="Counted by the server: new figures of a method are a new revision.")
    state: State = Field(description="waiting, checking, scoring; or ended: faults, refused, scored.")
    published: bool = Field(description="Whether it is on the board.")
    file_name: str
    sha256: str = Field(description="Of the file, in hexadecimal.")
    size: int = Field(description="Of the file, in bytes.")
    created: str = Field(description="ISO 8601 in UTC.")
    ended: str | None = Field(description="ISO 8601 in UTC; null while it is under way.")
    before: int | None = Field(description="How many are scored first, while it waits.")
    stage: str = Field(description="What is done at this moment.")
    done: int = Field(description="Clips or folds of this stage that are done.")
    units: int = Field(description="Of how many; 0: not known.")


class FaultView(BaseModel):
    """One thing that is wrong with a submission."""

    severity: str = Field(description="An error keeps it from being scored, a warning does not.")
    kind: str = Field(description="A word to group by.")
    where: str = Field(description="The file.")
    what: str = Field(description="What is wrong and what to do about it.")


class Detail(Summary):
    """A submission with everything about it."""

    reason: str = Field(description="Why it was not scored.")
    faults: list[FaultView]
    more_faults: int = Field(description="That are not in the list, which would be too long.")
    figures: dict[str, dict[str, float | int | None]] = Field(
        description="By protocol: the figures of the board's columns; shares are fractions."
    )


class ServerView(BaseModel):
    """What a server takes."""

    title: str
    benchmark: str
    digest: str | None
    protocols: list[str]
    max_upload_bytes: int
    quota: int = Field(description="Submissions of a user in 24 hours that are scored; 0: any number.")
    registration: str


class Problem(BaseModel):
    """Why a call was refused."""

    detail: str
