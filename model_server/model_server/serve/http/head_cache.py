"""Heads of requests that the parser has seen: a client sends the same one again and again, and the same bytes mean the same.

Only heads are remembered that came with their whole body, and nothing else, as one piece of data, of requests that were taken the shorter
way and leave the connection open. A piece of data that begins with such a head, byte for byte, and then has as many bytes as its body had,
is such a request again. Not here: parsing, which stays the parser's.
"""

from typing import NamedTuple, Protocol

from ..access.authenticator import Credentials
from ..telemetry.trace_context import Trace

_END = b"\r\n\r\n"
_MOST = 1_024
_LONGEST = 2_048


class RequestHead(NamedTuple):
    """What a head says: the header that tells the length of its JSON where bytes follow it, and who calls."""

    json_length: bytes | None
    credentials: Credentials


class Whole(Protocol):
    """A request, as it was parsed."""

    head: RequestHead
    keep_alive: bool
    trace: Trace | None

    def body(self) -> bytes:
        """Return what has arrived of its body."""


class RequestHeadCache:
    """The heads that are remembered, each with the length of the body that follows it; all are forgotten when they are too many."""

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[RequestHead, int]] = {}

    def find(self, data: bytes) -> tuple[RequestHead | None, bytes]:
        """Return the head and the body of a request that is all of the data, where the head is known."""
        end = data.find(_END) + len(_END)
        head, length = self._known.get(data[:end], (None, -1))
        return (head, data[end:]) if head and len(data) - end == length else (None, b"")

    def learn(self, data: bytes, request: Whole) -> None:
        """Remember the head of a request that was parsed from the data, and from nothing else."""
        body = request.body()
        head = data[: len(data) - len(body)]
        if not (request.keep_alive and request.trace is None and body and len(head) <= _LONGEST):
            return
        if not data.endswith(body) or head.find(_END) != len(head) - len(_END):
            return
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[head] = request.head, len(body)
