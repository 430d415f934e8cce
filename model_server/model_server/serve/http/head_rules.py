"""Which heads of requests are refused: those that are too large, and those that a proxy may have understood in another way.

Not here: parsing, and what answers the refusal.
"""

from typing import Any

from ..limits import ServerLimits
from .binary_tensors import HEADER

_UNIQUE = frozenset({b"host", b"content-type", b"content-encoding", b"authorization", b"x-api-key", HEADER.encode()})
"""Headers that a request may have once."""


class HeadRefused(Exception):
    """A head that is refused, with the HTTP status that says so."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def head_too_large(limits: ServerLimits) -> HeadRefused:
    """Return the refusal of a head beyond the limits."""
    return HeadRefused(
        431, f"the head of the request is longer than {limits.head_bytes} bytes or {limits.headers} headers: send less of them"
    )


def head_size(url: bytes, headers: list[tuple[bytes, bytes]]) -> int:
    """Return the bytes of the URL and the headers."""
    return len(url) + sum(len(name) + len(value) for name, value in headers)


def check_head(parser: Any, pairs: list[tuple[bytes, bytes]], headers: dict[bytes, bytes]) -> None:
    """Check the head that the parser has read, as the pairs in which its headers came, and by name.

    Raises:
        HeadRefused: it could be understood in two ways.

    """
    version = parser.get_http_version()
    if len(headers) != len(pairs):
        _check_repeated([name for name, _ in pairs])
    if b"host" not in headers and version == "1.1":
        raise HeadRefused(400, "the header host is missing: send it")
    coding = headers.get(b"transfer-encoding")
    if coding is not None and (coding.strip().lower() != b"chunked" or version != "1.1"):
        raise HeadRefused(400, "this transfer-encoding is not taken: send chunked of HTTP/1.1, or a content-length")
    if parser.should_upgrade() and (parser.get_method() == b"CONNECT" or coding or b"content-length" in headers):
        raise HeadRefused(400, "the protocol of a connection cannot be changed here: send the request without the header upgrade")


def _check_repeated(names: list[bytes]) -> None:
    for name in _UNIQUE:
        if names.count(name) > 1:
            raise HeadRefused(400, f"the header {name.decode()} is there twice: send it once")
