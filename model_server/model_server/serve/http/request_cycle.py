"""A request and its response on a connection, in place of uvicorn's ``RequestResponseCycle``, and what is written of the response.

Not here: how a request is answered (``fast_path.py``), and in which order (``connection.py``).
"""

from typing import Any, Protocol

from ..services import ServerServices
from ..status_codes import RETRY_SECONDS
from ..telemetry.trace_context import HEADER as TRACEPARENT
from ..telemetry.trace_context import Trace, end_http_span
from .binary_tensors import HEADER
from .json_response import error_body

DefaultHeaders = list[tuple[bytes, bytes]]
_JSON = b"content-type: application/json\r\n"
_BINARY = b"content-type: application/octet-stream\r\n" + HEADER.encode() + b": %d\r\n"
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


class ResponseHeaders:
    """Writes heads of responses, and caches the usual one: JSON on a connection that stays open, without a trace."""

    def __init__(self) -> None:
        self._default_headers: DefaultHeaders | None = None
        self._usual = b""

    def usual(self, default_headers: DefaultHeaders, length: int) -> bytes:
        """Return the usual head, for a body of that length."""
        if default_headers is not self._default_headers:  # uvicorn makes them anew each second, for the date
            self._default_headers = default_headers
            self._usual = _head(default_headers, 200, closes=False, json_length=None, trace=None)
        return b"%bcontent-length: %d\r\n\r\n" % (self._usual, length)

    @staticmethod
    def other(
        default_headers: DefaultHeaders, length: int, status: int, closes: bool, json_length: int | None, trace: Trace | None
    ) -> bytes:
        """Return any head; the body is JSON, or JSON of ``json_length`` and bytes after it."""
        return b"%bcontent-length: %d\r\n\r\n" % (_head(default_headers, status, closes, json_length, trace), length)


class Connection(Protocol):
    """What a request needs of its connection."""

    transport: Any
    server_state: Any
    services: ServerServices
    response_headers: ResponseHeaders

    def on_response_complete(self) -> None:
        """Begin with the next request."""

    def close_after_response(self) -> None:
        """Close, once the client had time to read the response."""


class _NoEvent:
    """In place of the event that uvicorn's cycles wait for."""

    def set(self) -> None:
        """Do nothing."""


class RequestCycle:
    """A request and its response; ``message_event``, ``disconnected``, ``keep_alive`` and ``response_complete`` are uvicorn's names."""

    message_event = _NoEvent()
    disconnected = False  # uvicorn may set it

    def __init__(self, connection: Connection, keep_alive: bool, trace: Trace | None = None) -> None:
        self.connection = connection
        self.keep_alive = keep_alive
        self.response_complete = False
        self.trace = trace

    def start(self) -> None:
        """Begin to answer: all that came before on the connection was answered."""

    def receive(self, body: bytes) -> None:
        """Receive a part of the body."""

    def end_of_body(self) -> None:
        """The body is complete."""

    def cancel(self) -> None:
        """The client went away, or is refused: there is nothing to compute any more."""

    def respond(self, status: int, body: bytes, endpoint: str, seconds: float, json_length: int | None = None) -> None:
        """Write the response, of JSON or, with a ``json_length``, of JSON and bytes after it; ``seconds`` is how long the request took."""
        self.response_complete = True
        connection, trace = self.connection, self.trace
        services, default_headers = connection.services, connection.server_state.default_headers
        closes = not self.keep_alive or services.in_flight.draining
        if closes or trace or status != 200 or json_length is not None:
            head = connection.response_headers.other(default_headers, len(body), status, closes, json_length, trace)
        else:
            head = connection.response_headers.usual(default_headers, len(body))
        connection.transport.write(head + body)
        services.metrics.answered(endpoint, status, seconds, "rest", trace)
        if trace:
            end_http_span(trace, status)
        if closes:
            connection.close_after_response()
        else:
            connection.on_response_complete()


class RefusedRequest(RequestCycle):
    """The response to what is no valid request, or one that is refused; it closes the connection."""

    def __init__(self, connection: Connection, status: int, message: str) -> None:
        super().__init__(connection, keep_alive=False)
        self._status = status
        self._message = message

    def start(self) -> None:
        """Answer."""
        self.respond(self._status, error_body(self._message), "connection", 0.0)


def _head(default_headers: DefaultHeaders, status: int, closes: bool, json_length: int | None, trace: Trace | None) -> bytes:
    """Return the head of a response, but for its length."""
    retry = f"retry-after: {RETRY_SECONDS[status]}\r\n".encode() if status in RETRY_SECONDS else b""
    close = b"connection: close\r\n" if closes else b""
    others = b"".join([b"%b: %b\r\n" % header for header in default_headers])
    if trace:
        others += f"{TRACEPARENT}: {trace.header}\r\n".encode()
    content = _JSON if json_length is None else _BINARY % json_length
    return b"HTTP/1.1 %d %b\r\n%b%b%b%b" % (status, _PHRASES[status], others, content, retry, close)
