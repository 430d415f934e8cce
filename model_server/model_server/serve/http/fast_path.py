"""The fast path of inference requests, past ASGI: from the connection to the batcher, and from the batcher to the connection.

Not here: which requests are parsed anew (``connection.py``), and what is written of a response (``request_cycle.py``).
"""

import logging
import time

from ..admission import TOO_MUCH
from ..errors import Failed, Overloaded, ServeError
from ..inference.batcher import PendingRequest
from ..status_codes import HTTP_STATUSES
from ..telemetry.trace_context import Trace, end_http_span, trace_suffix
from .binary_tensors import BinaryResponse, json_length
from .head_cache import RequestHead
from .json_response import error_body
from .oip_json import decode_infer, encode_infer, encoder
from .request_cycle import Connection, RequestCycle
from .routes import INFER

_log = logging.getLogger(__name__)
_MAX_BODY_BYTES = 131_072
_EXCLUDING_HEADERS = frozenset({b"transfer-encoding", b"expect", b"upgrade", b"content-encoding"})
_ENDPOINT = INFER.endpoint


def is_eligible(headers: dict[bytes, bytes], body_bytes: int) -> bool:
    """Return whether an inference request with these headers may take the fast path, where bodies have at most so many bytes."""
    return int(headers.get(b"content-length", b"0")) <= min(body_bytes, _MAX_BODY_BYTES) and _EXCLUDING_HEADERS.isdisjoint(headers)


class FastPathRequest(RequestCycle):
    """An inference request; it is submitted once its body is complete and the requests before it are answered."""

    def __init__(self, connection: Connection, keep_alive: bool, head: RequestHead, trace: Trace | None = None) -> None:
        super().__init__(connection, keep_alive, trace)
        self.head = head
        self._services = connection.services
        self._began = time.perf_counter()
        self._parts: list[bytes] = []
        self._size = 0
        self._started = self._body_complete = self._overloaded = False
        self._pending: PendingRequest | None = None
        self._services.in_flight.begin()

    def start(self) -> None:
        """Begin to answer."""
        self._started = True
        if self._body_complete:
            self._submit()

    def receive(self, body: bytes) -> None:
        """Receive a part of the body, if there is room for it."""
        if self._overloaded or self.response_complete:
            return
        if self._services.admission.try_reserve(len(body)):
            self._parts.append(body)
            self._size += len(body)
        else:
            self._overloaded = True

    def body(self) -> bytes:
        """Return what has arrived of the body."""
        return self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)

    def end_of_body(self) -> None:
        """The body is complete."""
        self._body_complete = True
        if self._started:
            self._submit()

    def cancel(self) -> None:
        """Compute nothing for it, and answer nothing."""
        if not self.response_complete:
            self.response_complete = True
            self._release()
            end_http_span(self.trace, None)
            if self._pending:
                self._pending.cancel()
                self._pending = None

    def _submit(self) -> None:
        try:
            self._pending = self._submitted()
        except ServeError as error:
            self._on_response(error)
        except Exception:  # the parser would report it as the client's fault
            _log.exception("a request could not be read%s", trace_suffix(self.trace))
            self._on_response(Failed("the server failed on this request, see its log"))

    def _submitted(self) -> PendingRequest:
        if self._overloaded:
            raise Overloaded(TOO_MUCH)
        plane, batcher = self._services.plane, self._services.batcher
        body, json_bytes = self.body(), json_length(self.head.json_length)
        if json_bytes is None and (query := plane.decode_fast(body, self.trace)):
            return batcher.submit(query, encode_infer, self._on_response)
        request = decode_infer(body, json_bytes)
        return batcher.submit(plane.validate(request, self.trace), encoder(request), self._on_response)

    def _on_response(self, outcome: bytes | BinaryResponse | ServeError) -> None:
        self._pending = None  # it refers to this request: both would stay until a collector finds them
        self._release()
        seconds = time.perf_counter() - self._began
        if isinstance(outcome, ServeError):
            self.respond(HTTP_STATUSES[type(outcome)], error_body(str(outcome)), _ENDPOINT, seconds)
        elif isinstance(outcome, BinaryResponse):
            self.respond(200, outcome.body, _ENDPOINT, seconds, outcome.json_length)
        else:
            self.respond(200, outcome, _ENDPOINT, seconds)

    def _release(self) -> None:
        self._services.admission.release(self._size)
        self._services.in_flight.end()
