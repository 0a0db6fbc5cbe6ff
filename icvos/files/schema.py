"""Files that cross a border, each stated once as a pydantic model: the same for its writer and for all its readers.

A model's keys are explained where they are declared; ``icvos schemas`` writes them as JSON Schemas. A file that does
not fit is refused in one line that names the file, the key and the remedy.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from icvos.errors import IcvosError, printable
from icvos.files.names import name_fault, path_fault
from icvos.files.storage import refuse_repeated_keys, write_json
from icvos.files.text import without_mark

ROUND_OFF = 1e-9  # a mean of fractions may leave 0..1 by the last digit
MAX_NAME = 200  # characters of a key or a name
MAX_TEXT = 4000  # characters of free text
MOST = 10**9  # of whatever is counted; a number without a bound takes the columns of a table
MAX_PIXELS = 65_535  # of a side, as in a JPEG
M = TypeVar("M", bound="Schema")


class Schema(BaseModel):
    """An object of a file. Unknown keys are refused unless the model says otherwise; infinite numbers always are."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, populate_by_name=True)

    def to_json(self) -> dict[str, Any]:
        """The object as its file has it: keys in the order of the model, those that were never set left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


def _shown(text: str) -> str:
    if len(text) > MAX_NAME or printable(text) != text:
        raise ValueError(f"is not printable or longer than {MAX_NAME} characters")
    return text


def _whole(value: Any) -> Any:
    """``true`` and ``1.0`` are equal to 1, and are not it."""
    if isinstance(value, bool | float):
        raise ValueError(f"is {json.dumps(value)}, this icvos reads 1")
    return value


Name = Annotated[str, AfterValidator(_shown)]
FormatOne = Annotated[Literal[1], BeforeValidator(_whole)]  # the version of a file's layout
Text = Annotated[str, Field(max_length=MAX_TEXT)]
Count = Annotated[int, Field(gt=0, le=MOST)]
Whole = Annotated[int, Field(ge=0, le=MOST)]
Pixels = Annotated[int, Field(gt=0, le=MAX_PIXELS)]
Fraction = Annotated[float, Field(ge=-ROUND_OFF, le=1 + ROUND_OFF)]
Percent = Annotated[float, Field(ge=0, le=100)]
Seconds = Annotated[float, Field(ge=0, le=MOST)]


def _name(text: str) -> str:
    fault = name_fault(text)
    if fault:
        raise ValueError(f"cannot name a file or folder: it {fault}")
    return text


def _path(text: str) -> str:
    fault = path_fault(text)
    if fault:
        raise ValueError(f"is not a relative path of plain names: a part {fault}")
    return text


PlainName = Annotated[str, AfterValidator(_name)]
PlainPath = Annotated[str, AfterValidator(_path)]
BenchmarkName = Annotated[PlainName, Field(pattern=r"^[A-Za-z0-9_.-]{1,40}$")]  # of images: results repeat it


def read_schema(path: Path, model: type[M], what: str, remedy: str, max_bytes: int | None = None) -> M:
    """The object in the JSON file ``path``.

    Args:
        path: The file.
        model: What it must fit.
        what: The file's role, for errors, as in "expected the manifest of a benchmark".
        remedy: What to do about a file that does not fit.
        max_bytes: A larger file is refused unread; None: any size.

    Raises:
        IcvosError: The file is absent, cannot be read, is too large, is no JSON or does not fit.
    """
    return parse_schema(read_bytes(path, what, remedy, max_bytes), model, str(path), what, remedy)


def read_bytes(path: Path, what: str, remedy: str, max_bytes: int | None = None) -> bytes:
    """The content of a file; `IcvosError` in one line as for `read_schema`."""
    try:
        if max_bytes is not None and path.stat().st_size > max_bytes:
            raise IcvosError(f"{path}: larger than {max_bytes >> 20} MiB, so not {what}; {remedy}")
        return without_mark(path.read_bytes())
    except FileNotFoundError:
        raise IcvosError(f"{path}: no such file; expected {what}") from None
    except OSError as error:
        raise IcvosError(f"{path}: cannot be read as {what} ({error.strerror}); {remedy}") from error
    except ValueError as error:
        raise IcvosError(f"{path}: cannot be read as {what}: {error}") from error


def parse_schema(data: bytes | str, model: type[M], where: str, what: str, remedy: str) -> M:
    """The object in a JSON text; ``where`` names the text in errors, the rest as `read_schema`."""
    try:
        found = model.model_validate_json(data, strict=True)
        refuse_repeated_keys(data)  # of which pydantic keeps the last
        return found
    except ValidationError as error:
        raise IcvosError(printable(f"{where}: {misfit(error, what)}; {remedy}")) from error
    except (ValueError, RecursionError) as error:
        raise IcvosError(printable(f"{where}: cannot be read as {what} ({error}); {remedy}")) from error


def misfit(error: ValidationError, what: str) -> str:
    """What does not fit, in words: the first key that does not, and how many more there are."""
    details = error.errors(include_url=False, include_context=True)
    more = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
    return f"{_words(details[0], what)}{more}"


def _words(detail: ErrorDetails, what: str) -> str:
    key = _key(detail["loc"])
    kind, found = detail["type"], detail["input"]
    message = detail["msg"]
    for start in ("Value error, ", "Input ", "String ", "Dictionary "):
        message = message.removeprefix(start)
    if kind == "json_invalid":
        return f"cannot be read as {what} ({detail['msg'].removeprefix('Invalid JSON: ')})"
    if kind == "missing":
        return f"{key} is missing"
    if kind == "extra_forbidden":
        return f"{key} is not a key of {what}"
    if kind == "literal_error" and key == "format":
        return f"format is {_brief(found)}, this icvos reads {detail['ctx']['expected']}"
    if kind in ("model_type", "dict_type", "model_attributes_type"):
        return f"{key or 'the file'} is not a JSON object"
    if kind == "value_error":
        return f"{key} {message}" if key else message
    return f"{key or 'the file'} is {_brief(found)}, {message}"


UNION = re.compile(r"str|int|bytes|bool|(list|tuple|dict|function-|typed-dict)\b.*")  # how a union calls its members
INNER_UNION = re.compile(r"(list|tuple|dict|function-[a-z]+)\[.*\]")  # of members that have parts


def _key(location: Sequence[int | str]) -> str:
    """``clips.dog/17.draws[2].j`` for the way to a value."""
    text = ""
    for place, part in enumerate(location):
        member = place == len(location) - 1 and isinstance(part, str) and UNION.fullmatch(part)
        if part != "[key]" and not member and not (isinstance(part, str) and INNER_UNION.fullmatch(part)):
            text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _brief(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."


def write_schema(path: Path, value: Schema) -> None:
    """Write an object as JSON with two spaces of indent, whole or not at all."""
    write_json(path, value.to_json())
