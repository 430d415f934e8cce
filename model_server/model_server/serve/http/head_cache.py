"""Heads of requests that were parsed before: a client sends the same one again and again, and the same bytes mean the same.

Only heads are cached that came with their whole body, and nothing else, as one piece of data, of requests that took the fast path and leave
the connection open. A piece of data that begins with such a head, byte for byte, and then has as many bytes as its body had, is such a
request again. Not here: parsing, which stays the parser's.
"""

from typing import NamedTuple, Protocol

from ..access.authenticator import Credentials
from ..telemetry.trace_context import Trace

_END = b"\r\n\r\n"
_MAX_ENTRIES = 1_024
_MAX_HEAD_BYTES = 2_048


class RequestHead(NamedTuple):
    """What the fast path needs of a head: the header with the length of its JSON where bytes follow it, and the credentials."""

    json_length: bytes | None
    credentials: Credentials


class ParsedRequest(Protocol):
    """A request that was parsed."""

    head: RequestHead
    keep_alive: bool
    trace: Trace | None

    def body(self) -> bytes:
        """Return what has arrived of its body."""


class RequestHeadCache:
    """Heads by their bytes, each with the length of the body that follows it; the cache is cleared when it is full."""

    def __init__(self) -> None:
        self._entries: dict[bytes, tuple[RequestHead, int]] = {}

    def find(self, data: bytes) -> tuple[RequestHead | None, bytes]:
        """Return the head and the body of a request that is all of the data, where the head is cached."""
        end = data.find(_END) + len(_END)
        head, length = self._entries.get(data[:end], (None, -1))
        return (head, data[end:]) if head and len(data) - end == length else (None, b"")

    def add(self, data: bytes, request: ParsedRequest) -> None:
        """Cache the head of a request that was parsed from the data, and from nothing else."""
        body = request.body()
        head = data[: len(data) - len(body)]
        if not (request.keep_alive and request.trace is None and body and len(head) <= _MAX_HEAD_BYTES):
            return
        if not data.endswith(body) or head.find(_END) != len(head) - len(_END):
            return
        if len(self._entries) >= _MAX_ENTRIES:
            self._entries.clear()
        self._entries[head] = request.head, len(body)
