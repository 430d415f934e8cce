"""Whose trace a request belongs to: W3C's ``traceparent`` is read, carried with the request, and sent back with its answer.

A header that is not as the standard has it is passed over, as if it had not come: no caller gets an error by it. Not here: spans, which
``spans.py`` records where the MLModel asks for them; what is there without them costs a request that has no such header next to nothing.
"""

import re
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

HEADER = "traceparent"
STATE_HEADER = "tracestate"
NAME = HEADER.encode()
_STATE_NAME = STATE_HEADER.encode()
_PARENT = re.compile(r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_LONGEST_STATE = 512  # what the standard asks everybody to pass on
_SAMPLED = 1
_KNOWN_FLAGS = 3  # sampled, and that the trace's id is random

_FAILURES = frozenset({"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"})
"""Codes of gRPC that are the server's fault, by OpenTelemetry's conventions."""

Attributes = Mapping[str, str | int]
Headers = Sequence[tuple[bytes, bytes]]


class Span(Protocol):
    """What is recorded of one request."""

    def part(self, name: str, start: int, end: int, attributes: Attributes) -> None:
        """Record a part of it; times in nanoseconds since the epoch."""

    def end(self, attributes: Attributes, error: str | None) -> None:
        """End it; ``error`` says what of the server's failed."""


@dataclass(frozen=True, slots=True)
class Trace:
    """The trace of one request. ``parent`` is the caller's span, or the server's own where there is a ``span``."""

    id: str
    parent: str
    flags: int
    state: str = ""
    span: Span | None = None

    @property
    def sampled(self) -> bool:
        """Whether somebody keeps this trace."""
        return bool(self.flags & _SAMPLED)

    @property
    def header(self) -> str:
        """Return the ``traceparent`` of the answer."""
        return f"00-{self.id}-{self.parent}-{self.flags:02x}"

    @property
    def exemplar(self) -> dict[str, str] | None:
        """What a histogram's exemplar says: where to find a request that took so long."""
        return {"trace_id": self.id, "span_id": self.parent} if self.sampled else None


current: ContextVar[Trace | None] = ContextVar("trace", default=None)
"""The trace of the request that a task is about."""


class Recorder(Protocol):
    """Begins spans."""

    def begin(self, caller: Trace | None, name: str, attributes: Attributes) -> Trace | None:
        """Return the trace of a request, with a span where one is recorded."""


class Traces:
    """Tells the trace of each request; with a ``recorder``, spans are begun, named and described by OpenTelemetry's conventions."""

    def __init__(self, recorder: Recorder | None = None) -> None:
        self.recorder = recorder

    def http(self, headers: Headers, method: str, path: str, route: str | None, scheme: str) -> Trace | None:
        """Return the trace of a request; it has no span without a ``route``."""
        caller = of_headers(headers)
        if self.recorder is None or route is None:
            return caller
        attributes = {"http.request.method": method, "http.route": route, "url.path": path, "url.scheme": scheme}
        return self.recorder.begin(caller, f"{method} {route}", attributes)

    def rpc(self, metadata: Sequence[tuple[str, str | bytes]], method: str, *, spans: bool) -> Trace | None:
        """Return the trace of a call of gRPC; ``method`` is its name with that of the service."""
        caller = parse(_texts(metadata, HEADER), _texts(metadata, STATE_HEADER))
        if self.recorder is None or not spans:
            return caller
        return self.recorder.begin(caller, method, {"rpc.system.name": "grpc", "rpc.method": method})


def ended_http(trace: Trace | None, status: int | None) -> None:
    """End a request's span; no status: the client went away."""
    if trace and trace.span:
        attributes = {} if status is None else {"http.response.status_code": status}
        trace.span.end(attributes, str(status) if status and status >= 500 else None)


def ended_rpc(trace: Trace | None, code: str) -> None:
    """End a call's span."""
    if trace and trace.span:
        trace.span.end({"rpc.response.status_code": code}, code if code in _FAILURES else None)


def parse(parents: Sequence[str], states: Sequence[str] = ()) -> Trace | None:
    """Read the headers of a request; several of the first are none.

    >>> parse(["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"]).id
    '4bf92f3577b34da6a3ce929d0e0e4736'
    >>> parse(["00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"])

    """
    found = _PARENT.fullmatch(parents[0]) if len(parents) == 1 else None
    if found is None or (found[1] == "00" and found[5] is not None):
        return None
    state = ",".join(states)
    return Trace(found[2], found[3], int(found[4], 16) & _KNOWN_FLAGS, state if len(state) <= _LONGEST_STATE else "")


def of_headers(headers: Headers) -> Trace | None:
    """Read the headers of HTTP, with names in small letters."""
    parents = [value.decode("latin-1") for name, value in headers if name == NAME]
    return parse(parents, [value.decode("latin-1") for name, value in headers if name == _STATE_NAME]) if parents else None


def told(trace: Trace | None) -> str:
    """Return what a line of the log says of it."""
    return f" (trace {trace.id})" if trace else ""


def _texts(metadata: Sequence[tuple[str, str | bytes]], name: str) -> list[str]:
    return [value for key, value in metadata if key == name and isinstance(value, str)]
