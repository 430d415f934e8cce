"""W3C Trace Context: ``traceparent`` is read from a request, carried with it, and sent back with its answer.

An invalid header is ignored, as the standard has it: no caller gets an error for it. Without spans, a request that has no such header
pays next to nothing. Not here: spans, which ``spans.py`` records where the MLModel asks for them.
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
_MAX_STATE_LENGTH = 512  # which the standard asks everybody to propagate
_SAMPLED = 1
_KNOWN_FLAGS = 3  # sampled, and that the trace's id is random

_FAILURES = frozenset({"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"})
"""Codes of gRPC that are the server's fault, by OpenTelemetry's conventions."""

Attributes = Mapping[str, str | int]
Headers = Sequence[tuple[bytes, bytes]]


class Span(Protocol):
    """The span of one request."""

    def part(self, name: str, start: int, end: int, attributes: Attributes) -> None:
        """Record a child span; times in nanoseconds since 1970."""

    def end(self, attributes: Attributes, error: str | None) -> None:
        """End the span; ``error`` is the type of the server's failure."""


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
        """Return whether this trace is recorded."""
        return bool(self.flags & _SAMPLED)

    @property
    def header(self) -> str:
        """Return the ``traceparent`` for the answer."""
        return f"00-{self.id}-{self.parent}-{self.flags:02x}"

    @property
    def exemplar(self) -> dict[str, str] | None:
        """Return the labels of a histogram's exemplar; None where the trace is not sampled."""
        return {"trace_id": self.id, "span_id": self.parent} if self.sampled else None


current: ContextVar[Trace | None] = ContextVar("trace", default=None)
"""The trace of the request that the current task answers."""


class Recorder(Protocol):
    """Starts spans."""

    def begin(self, caller: Trace | None, name: str, attributes: Attributes) -> Trace | None:
        """Return the trace of a request, with a span if one is recorded."""


class Traces:
    """Returns the trace of each request; a ``recorder`` starts spans, named and described by OpenTelemetry's semantic conventions."""

    def __init__(self, recorder: Recorder | None = None) -> None:
        self.recorder = recorder

    def http(self, headers: Headers, method: str, path: str, route: str | None, scheme: str) -> Trace | None:
        """Return the trace of a request; it has no span without a ``route``."""
        caller = parse_headers(headers)
        if self.recorder is None or route is None:
            return caller
        attributes = {"http.request.method": method, "http.route": route, "url.path": path, "url.scheme": scheme}
        return self.recorder.begin(caller, f"{method} {route}", attributes)

    def rpc(self, metadata: Sequence[tuple[str, str | bytes]], method: str, *, spans: bool) -> Trace | None:
        """Return the trace of a call of gRPC; ``method`` is its name with that of the service."""
        caller = parse_traceparent(_texts(metadata, HEADER), _texts(metadata, STATE_HEADER))
        if self.recorder is None or not spans:
            return caller
        return self.recorder.begin(caller, method, {"rpc.system.name": "grpc", "rpc.method": method})


def end_http_span(trace: Trace | None, status: int | None) -> None:
    """End a request's span; no status: the client went away."""
    if trace and trace.span:
        attributes = {} if status is None else {"http.response.status_code": status}
        trace.span.end(attributes, str(status) if status and status >= 500 else None)


def end_rpc_span(trace: Trace | None, code: str) -> None:
    """End a call's span."""
    if trace and trace.span:
        trace.span.end({"rpc.response.status_code": code}, code if code in _FAILURES else None)


def parse_traceparent(parents: Sequence[str], states: Sequence[str] = ()) -> Trace | None:
    """Return the trace of a ``traceparent`` with its ``tracestate``; None if it is invalid or was sent more than once.

    >>> parse_traceparent(["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"]).id
    '4bf92f3577b34da6a3ce929d0e0e4736'
    >>> parse_traceparent(["00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"])

    """
    found = _PARENT.fullmatch(parents[0]) if len(parents) == 1 else None
    if found is None or (found[1] == "00" and found[5] is not None):
        return None
    state = ",".join(states)
    return Trace(found[2], found[3], int(found[4], 16) & _KNOWN_FLAGS, state if len(state) <= _MAX_STATE_LENGTH else "")


def parse_headers(headers: Headers) -> Trace | None:
    """Return the trace of a request by its HTTP headers, whose names are in lower case."""
    parents = [value.decode("latin-1") for name, value in headers if name == NAME]
    return parse_traceparent(parents, [value.decode("latin-1") for name, value in headers if name == _STATE_NAME]) if parents else None


def trace_suffix(trace: Trace | None) -> str:
    """Return the end of a log line about a request: its trace's id, or nothing."""
    return f" (trace {trace.id})" if trace else ""


def _texts(metadata: Sequence[tuple[str, str | bytes]], name: str) -> list[str]:
    return [value for key, value in metadata if key == name and isinstance(value, str)]
