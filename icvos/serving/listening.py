"""The socket of a server."""

import os
import socket

from icvos.errors import IcvosError

BACKLOG = 512  # connections that wait to be taken


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; `IcvosError` where it cannot.

    It says that it is TCP: asyncio sends small answers at once on those alone, and 40 ms later on others.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        made.listen(BACKLOG)
    except (OSError, OverflowError) as error:
        made.close()
        what = getattr(error, "strerror", None) or error
        raise IcvosError(f"{host}:{port}: cannot be listened on ({what}); give another --port or --host") from error
    return made
