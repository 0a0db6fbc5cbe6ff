"""Addresses as browsers write them: ``https://board.example.org``, in small letters, without the usual port."""

import ipaddress
import re

import idna

from icvos.errors import IcvosError, printable

USUAL_PORTS = {"http": 80, "https": 443}
URL = re.compile(r"(https?)://([^/?#\\]*)", re.IGNORECASE)
AUTHORITY = re.compile(r"(\[[0-9a-f:.]+\]|[^\s\[\]:@/?#\\]+)(?::([0-9]{1,5}))?", re.IGNORECASE)
HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?")


def read_url(text: str, option: str) -> str:
    """The address of a server, as somebody typed it, in the form that browsers send.

    Raises `IcvosError`, which names ``option``, for what is none or has more than scheme and host.

    >>> read_url("HTTPS://Board.Example.org:443/", "--url"), read_url("http://bücher.example.:8000", "--url")
    ('https://board.example.org', 'http://xn--bcher-kva.example:8000')
    """
    found = URL.fullmatch(text.strip().removesuffix("/"))
    scheme = found[1].lower() if found else ""
    authority = _authority(found[2], scheme, is_typed=True) if found else None
    if authority is None:
        raise IcvosError(f"{option} {printable(text, 200)}: give scheme and host alone, as https://board.example.org")
    return f"{scheme}://{authority}"


def is_of(url: str, host: str) -> bool:
    """Whether a request with the header ``Host: host`` is meant for the server at ``url``, as `read_url` has it.

    >>> is_of("https://board.example.org", "Board.example.org:443"), is_of("https://board.example.org", "evil.example")
    (True, False)
    """
    scheme, _, own = url.partition("://")
    return _authority(host, scheme) == own


def is_from(said: str, url: str, host: str) -> bool:
    """Whether a form was sent by a page of the server itself.

    Args:
        said: The header ``Origin``, or ``Referer``.
        url: The server's address as `read_url` has it; empty: it is called as ``host`` says.
        host: The header ``Host``.
    """
    found = URL.match(said)
    if found is None:
        return False
    scheme = found[1].lower()
    authority = _authority(found[2], scheme)
    if authority is None:
        return False
    return f"{scheme}://{authority}" == url if url else authority == _authority(host, scheme)


def _authority(text: str, scheme: str, *, is_typed: bool = False) -> str | None:
    """Host and port as a browser sends them; None for what is no host. What is typed may be less regular."""
    found = AUTHORITY.fullmatch(text)
    if found is None or (port := int(found[2] or USUAL_PORTS[scheme])) > 65535:
        return None
    try:
        host = _host(found[1], is_typed=is_typed)
    except (ValueError, idna.IDNAError):
        return None
    return host if port == USUAL_PORTS[scheme] else f"{host}:{port}"


def _host(text: str, *, is_typed: bool) -> str:
    if text.startswith("["):
        return f"[{ipaddress.IPv6Address(text[1:-1])}]"
    if is_typed and not text.isascii():
        text = idna.encode(text, uts46=True).decode()
    host = text.lower().removesuffix("." if is_typed else "")
    if not HOST.fullmatch(host):
        raise ValueError(text)
    return host
