"""The shorter way of an inference request: its body straight to the batcher, its answer straight to the connection.

``RequestCycle`` is what the protocol class keeps in uvicorn's pipeline in place of uvicorn's own cycle. Not here: when an exchange starts.
"""

import logging
import time
from typing import Any, Protocol

import orjson

from ..admission import TOO_MUCH, Admission
from ..errors import Failed, Overloaded, ServeError
from ..graceful_shutdown import InFlightRequests
from ..inference.batcher import Batcher, PendingRequest
from ..inference.data_plane import DataPlane
from ..limits import ServerLimits
from ..telemetry.metrics import ServerMetrics
from ..telemetry.trace_context import HEADER as TRACEPARENT
from ..telemetry.trace_context import Trace, Traces, end_http_span, trace_suffix
from .binary_tensors import HEADER, BinaryResponse, json_length
from .endpoints import RETRY_SECONDS, STATUSES
from .head_cache import RequestHead, RequestHeadCache
from .oip_json import decode_infer, encode_infer, encoder

_log = logging.getLogger(__name__)
_LONGEST_BODY = 131_072
_OTHERS = frozenset({b"transfer-encoding", b"expect", b"upgrade", b"content-encoding"})
_JSON = b"content-type: application/json\r\n"
_MIXED = b"content-type: application/octet-stream\r\n" + HEADER.encode() + b": %d\r\n"
_PHRASES = {
    200: b"OK",
    400: b"Bad Request",
    408: b"Request Timeout",
    413: b"Content Too Large",
    429: b"Too Many Requests",
    431: b"Request Header Fields Too Large",
    500: b"Internal Server Error",
    503: b"Service Unavailable",
    504: b"Gateway Timeout",
}


class FastPathContext:
    """What all connections share. ``now`` is a clock of a second's grain, which costs nothing to read."""

    def __init__(
        self,
        plane: DataPlane,
        batcher: Batcher,
        admission: Admission,
        traffic: InFlightRequests,
        metrics: ServerMetrics,
        limits: ServerLimits,
        traces: Traces,
    ) -> None:
        self.plane = plane
        self.batcher = batcher
        self.admission = admission
        self.traffic = traffic
        self.metrics = metrics
        self.limits = limits
        self.traces = traces
        base = f"/v2/models/{plane.model.name}"
        self.heads = RequestHeadCache()
        self._headers: list[tuple[bytes, bytes]] | None = None
        self._ok = b""
        self.paths = {  # with the routes that they are of
            f"{base}/infer".encode(): "/v2/models/{model}/infer",
            f"{base}/versions/{plane.model.version}/infer".encode(): "/v2/models/{model}/versions/{version}/infer",
        }
        self.now = time.monotonic()

    def ok(self, default_headers: list[tuple[bytes, bytes]], length: int) -> bytes:
        """Return the head of what nearly every answer is: JSON on a connection that goes on, without a trace."""
        if default_headers is not self._headers:  # uvicorn makes them anew each second, for the date
            self._headers = default_headers
            self._ok = _head(default_headers, 200, closes=False, json_length=None, trace=None)
        return b"%bcontent-length: %d\r\n\r\n" % (self._ok, length)

    def sweep(self, connections: Any) -> None:
        """Close connections whose time is over; to be called every second."""
        self.now = time.monotonic()
        for connection in list(connections):
            connection.expire(self.now)


class Connection(Protocol):
    """What an exchange needs of its connection."""

    transport: Any
    server_state: Any

    def on_response_complete(self) -> None:
        """Begin with the next request."""

    def end(self, after_answer: bool) -> None:
        """Close the connection."""


class _Event:
    """In place of the event that uvicorn's cycles wait for."""

    def set(self) -> None:
        """Do nothing."""


class RequestCycle:
    """A request and its answer, in the place of uvicorn's ``RequestResponseCycle``, whose names it shares."""

    message_event = _Event()
    disconnected = False  # uvicorn may set it

    def __init__(self, connection: Connection, hot: FastPathContext, keep_alive: bool, trace: Trace | None = None) -> None:
        self.connection = connection
        self.hot = hot
        self.keep_alive = keep_alive
        self.response_complete = False
        self.trace = trace

    def start(self) -> None:
        """Begin to answer: what came before on the connection was answered."""

    def take(self, body: bytes) -> None:
        """Take a part of the body."""

    def complete(self) -> None:
        """The body is complete."""

    def give_up(self) -> None:
        """The client went away."""

    def reply(self, status: int, body: bytes, endpoint: str, seconds: float, json_length: int | None = None) -> None:
        """Write the answer, of JSON or, if the JSON ends before the body does, of mixed content."""
        self.response_complete = True
        connection, hot, trace = self.connection, self.hot, self.trace
        closes = not self.keep_alive or hot.traffic.draining
        others = connection.server_state.default_headers
        if closes or trace or status != 200 or json_length is not None:
            head = b"%bcontent-length: %d\r\n\r\n" % (_head(others, status, closes, json_length, trace), len(body))
        else:
            head = hot.ok(others, len(body))
        connection.transport.write(head + body)
        hot.metrics.answered(endpoint, status, seconds, "rest", trace)
        if trace:
            end_http_span(trace, status)
        if closes:
            connection.end(after_answer=True)
        else:
            connection.on_response_complete()


class RefusedRequest(RequestCycle):
    """The answer to what is no request that is taken."""

    def __init__(self, connection: Connection, hot: FastPathContext, status: int, message: str) -> None:
        super().__init__(connection, hot, keep_alive=False)
        self._status = status
        self._message = message

    def start(self) -> None:
        """Answer."""
        self.reply(self._status, _error(self._message), "connection", 0.0)


class FastPathRequest(RequestCycle):
    """An inference request."""

    def __init__(
        self, connection: Connection, hot: FastPathContext, keep_alive: bool, head: RequestHead, trace: Trace | None = None
    ) -> None:
        super().__init__(connection, hot, keep_alive, trace)
        self.head = head
        self._began = time.perf_counter()
        self._parts: list[bytes] = []
        self._size = 0
        self._started = self._complete = self._too_much = False
        self._waiting: PendingRequest | None = None
        hot.traffic.begin()

    @staticmethod
    def fits(headers: dict[bytes, bytes], longest: int) -> bool:
        """Tell whether a request with these headers can go this way, where bodies have at most so many bytes."""
        return int(headers.get(b"content-length", b"0")) <= min(longest, _LONGEST_BODY) and _OTHERS.isdisjoint(headers)

    def start(self) -> None:
        """Begin to answer."""
        self._started = True
        if self._complete:
            self._submit()

    def take(self, body: bytes) -> None:
        """Take a part of the body."""
        if self._too_much or self.response_complete:
            return
        if self.hot.admission.keep(len(body)):
            self._parts.append(body)
            self._size += len(body)
        else:
            self._too_much = True

    def body(self) -> bytes:
        """Return what has arrived of the body."""
        return self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)

    def complete(self) -> None:
        """The body is complete."""
        self._complete = True
        if self._started:
            self._submit()

    def give_up(self) -> None:
        """The client went away, or is refused: nothing is computed for it."""
        if not self.response_complete:
            self.response_complete = True
            self._release()
            end_http_span(self.trace, None)
            if self._waiting:
                self._waiting.cancel()
                self._waiting = None

    def _submit(self) -> None:
        try:
            self._waiting = self._submitted()
        except ServeError as error:
            self._answer(error)
        except Exception:  # httptools would tell it as the client's fault
            _log.exception("a request could not be read%s", trace_suffix(self.trace))
            self._answer(Failed("the server failed on this request, see its log"))

    def _submitted(self) -> PendingRequest:
        if self._too_much:
            raise Overloaded(TOO_MUCH)
        body, json_bytes = self.body(), json_length(self.head.json_length)
        if json_bytes is None and (query := self.hot.plane.read_usual(body, self.trace)):
            return self.hot.batcher.submit(query, encode_infer, self._answer)
        request = decode_infer(body, json_bytes)
        return self.hot.batcher.submit(self.hot.plane.read(request, self.trace), encoder(request), self._answer)

    def _answer(self, outcome: bytes | BinaryResponse | ServeError) -> None:
        self._waiting = None  # it refers to this exchange: both would stay until a collector finds them
        self._release()
        seconds = time.perf_counter() - self._began
        if isinstance(outcome, ServeError):
            self.reply(STATUSES[type(outcome)], _error(str(outcome)), "infer", seconds)
        elif isinstance(outcome, BinaryResponse):
            self.reply(200, outcome.body, "infer", seconds, outcome.json_length)
        else:
            self.reply(200, outcome, "infer", seconds)

    def _release(self) -> None:
        self.hot.admission.release(self._size)
        self.hot.traffic.end(1)


def _error(message: str) -> bytes:
    return orjson.dumps({"error": message})


def _head(default_headers: list[tuple[bytes, bytes]], status: int, closes: bool, json_length: int | None, trace: Trace | None) -> bytes:
    """Return the head of an answer, but for its length."""
    retry = f"retry-after: {RETRY_SECONDS[status]}\r\n".encode() if status in RETRY_SECONDS else b""
    close = b"connection: close\r\n" if closes else b""
    others = b"".join([b"%b: %b\r\n" % header for header in default_headers])
    if trace:
        others += f"{TRACEPARENT}: {trace.header}\r\n".encode()
    content = _JSON if json_length is None else _MIXED % json_length
    return b"HTTP/1.1 %d %b\r\n%b%b%b%b" % (status, _PHRASES[status], others, content, retry, close)
