"""The small forms of pages: read as UTF-8, whatever a request says of itself, and bounded before anything else."""

from collections.abc import Mapping
from urllib.parse import parse_qsl

from python_multipart.multipart import parse_options_header
from starlette.requests import Request

from icvos.errors import printable
from leaderboard.server.refusals import RefusedError

KIND = b"application/x-www-form-urlencoded"
MAX_FIELDS, MAX_CHARACTERS = 40, 1000


async def read_form(request: Request) -> dict[str, str]:
    """The texts of a small form; `RefusedError` for what is none, or not UTF-8, or too long."""
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != KIND:
        raise RefusedError(f"send this form as {KIND.decode()}, as browsers do", 415)
    require_utf8(options)
    try:
        body = (await request.body()).decode()
        form = dict(parse_qsl(body, keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS))
    except UnicodeDecodeError:
        raise RefusedError("this form is not UTF-8; send it as UTF-8") from None
    except ValueError:
        raise RefusedError(f"this form has more than {MAX_FIELDS} fields", 413) from None
    for name, value in form.items():
        if max(len(name), len(value)) > MAX_CHARACTERS:
            raise RefusedError(f"the field {printable(name, 40)} is longer than {MAX_CHARACTERS} characters", 413)
    return form


def require_utf8(options: Mapping[bytes, bytes]) -> None:
    """Raise `RefusedError` for a form whose content type names another encoding."""
    charset = options.get(b"charset", b"utf-8").decode("latin-1")
    if charset.lower() not in ("utf-8", "utf8"):
        raise RefusedError(f"this form says to be {printable(charset, 40)}; send it as UTF-8")
