"""Requests and responses of HTTP, as values: bytes to a request, a response to bytes. Pure functions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlsplit

#: The bytes of a request that are taken; those of Prometheus have some three hundred.
MOST_BYTES = 8192

_LINE = re.compile(rb"(?P<method>[A-Z]{1,16}) (?P<target>[\x21-\x7e]+) HTTP/1\.[0-9]")

# As much of such a line as has come: garbage, a TLS client's too, has no end to wait for.
_BEGINNING = re.compile(rb"[A-Z]{0,16}( [\x20-\x7e]*)?")

_PHRASES = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    431: "Request Header Fields Too Large",
}


class Request(NamedTuple):
    """What a client wants. `gzip`: it takes a compressed body. A HEAD wants no body."""

    path: str
    gzip: bool = False
    is_head: bool = False


@dataclass(frozen=True)
class Page:
    """A body and what it is."""

    body: bytes
    content_type: str = "text/plain; charset=utf-8"
    gzip: bool = False
    status: int = 200


class BadRequestError(Exception):
    """What came is no request that we serve."""

    def __init__(self, status: int) -> None:
        super().__init__(_PHRASES[status])
        self.page = error_page(status)


def error_page(status: int) -> Page:
    """The page that says so."""
    return Page(f"{status} {_PHRASES[status]}\n".encode(), status=status)


def parse_request(received: bytes) -> Request | None:
    """The request in what was received; None while there is more to come. Raises BadRequestError."""
    # Empty lines before it are to be ignored (RFC 9112, 2.2).
    text = received.lstrip(b"\r\n")
    line, newline, _ = text.partition(b"\n")
    parts = (_LINE if newline else _BEGINNING).fullmatch(line.rstrip(b"\r"))
    if not parts:
        raise BadRequestError(400)
    end = re.search(rb"\r?\n\r?\n", text)
    if not end:
        if len(received) >= MOST_BYTES:
            raise BadRequestError(431)
        return None
    if parts["method"] not in (b"GET", b"HEAD"):
        raise BadRequestError(405)
    return Request(
        _path_of(parts["target"].decode("ascii")), _takes_gzip(text[: end.start()]), parts["method"] == b"HEAD"
    )


def _path_of(target: str) -> str:
    if target.startswith("/"):
        return target.partition("?")[0]  # urlsplit() would take the name behind two slashes for a host's
    try:
        return urlsplit(target).path or "/"
    except ValueError:
        raise BadRequestError(400) from None


def _takes_gzip(head: bytes) -> bool:
    for value in re.findall(rb"(?im)^accept-encoding:(.*)$", head):
        for coding in value.lower().split(b","):
            name, _, weight = coding.replace(b" ", b"").strip().partition(b";")
            if name == b"gzip":
                return not re.fullmatch(rb"q=0(\.0*)?", weight)
    return False


def head_of(page: Page) -> bytes:
    """The response up to its body."""
    lines = [
        f"HTTP/1.1 {page.status} {_PHRASES[page.status]}",
        f"Content-Type: {page.content_type}",
        f"Content-Length: {len(page.body)}",
        *(["Content-Encoding: gzip"] if page.gzip else []),
        *(["Allow: GET, HEAD"] if page.status == 405 else []),
        "Connection: close",
    ]
    return "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n"
