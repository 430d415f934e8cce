"""HTTP connections: uvicorn's protocol class on httptools, with limits on what a client may do, and a fast path for inference requests.

Uvicorn keeps the connections, their flow control, pipelining and shutdown, and runs the application. This class adds limits of heads, times
and connections, refuses what could be understood in two ways, and passes a POST to ``.../infer`` whose body is of a stated, moderate length
around ASGI, straight to the batcher (``fast_path.py``). Every other request is the application's. It overrides methods of
``HttpToolsProtocol``, so the version of uvicorn is pinned.

A connection is in one phase, by what it receives:

    =========  ====================================================  ==================================================================
    phase      what is received                                      deadline (``deadlines.py``)
    =========  ====================================================  ==================================================================
    IDLE       nothing yet of the next request                       of an idle connection, from the last response on
    HEAD       the head of a request                                 of a head
    BODY       its body                                              of a body; none where the application, which has its own, reads it
    CLOSING    nothing any more                                      none until the last response; from then on, to linger
    =========  ====================================================  ==================================================================

A request takes it from IDLE to HEAD, BODY and IDLE again; a refusal, an upgrade, or a response that closes the connection, to CLOSING for
good. Responses are independent of it: requests that came meanwhile wait in uvicorn's ``pipeline``, and are answered one after the other
while the client reads, which has a deadline, too. ``cycle`` is the request that came last, ``_current`` the one that is answered.

Not here: parsing, which httptools does, and what a request means.
"""

import asyncio
from enum import Enum
from typing import Any, cast

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ..access.authenticator import Authenticator, Credentials
from ..services import ServerServices
from ..telemetry.trace_context import NAME as TRACEPARENT
from ..telemetry.trace_context import Trace
from .binary_tensors import HEADER
from .deadlines import CoarseClock, ConnectionDeadlines
from .fast_path import FastPathRequest, is_eligible
from .head_cache import RequestHead, RequestHeadCache
from .head_rules import HeadRefused, check_head, head_size, head_too_large
from .request_cycle import RefusedRequest, RequestCycle, ResponseHeaders
from .routes import Route, inference_routes

_JSON_LENGTH = HEADER.encode()


class Phase(Enum):
    """What a connection receives; see the module."""

    IDLE = "idle"
    HEAD = "head"
    BODY = "body"
    CLOSING = "closing"


_IDLE, _HEAD, _BODY, _CLOSING = Phase  # globals are read faster than members


def protocol_class(services: ServerServices, clock: CoarseClock, authenticator: Authenticator | None = None) -> type[asyncio.Protocol]:
    """Return the class of a server's connections; callers that the authenticator must wait for do not take the fast path."""
    model = services.plane.model
    shared = {
        "services": services,
        "clock": clock,
        "authenticator": authenticator,
        "fast_routes": inference_routes(model.name, model.version),
        "head_cache": RequestHeadCache(),
        "response_headers": ResponseHeaders(),
    }
    return cast(type[asyncio.Protocol], type("ServerProtocol", (HttpConnection,), shared))


class HttpConnection(HttpToolsProtocol):
    """One connection; what the connections of a server share are attributes of its class, made by ``protocol_class``."""

    services: ServerServices
    clock: CoarseClock
    authenticator: Authenticator | None
    fast_routes: dict[bytes, Route]
    head_cache: RequestHeadCache
    response_headers: ResponseHeaders
    cycle: Any  # uvicorn's, or a RequestCycle
    pipeline: Any

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin a connection, unless there are too many."""
        super().connection_made(transport)
        limits = self.services.limits
        self._phase = _IDLE
        self._deadlines = ConnectionDeadlines(self.clock, limits)
        self._current: Any = None
        self._starting = False
        self._data_size = self._head_bytes = self._requests_in_data = 0
        self._head_is_split = False
        if len(self.connections) > limits.connections:
            self._refuse(503, f"{limits.connections} connections are open, which is all that is taken at once: try again later")

    def connection_lost(self, exc: Exception | None) -> None:
        """End: what was not answered is given up."""
        waiting = [cycle for cycle, _ in self.pipeline]
        for cycle in {*waiting, self.cycle, self._current}:
            if isinstance(cycle, RequestCycle):
                cycle.cancel()
        super().connection_lost(exc)

    def close_if_expired(self) -> None:
        """Close the connection where the client is too slow; to be called every second."""
        limits = self.services.limits
        if self._deadlines.send_expired():
            self.transport.abort()
        elif not self._deadlines.receive_expired():
            return
        elif self.flow.read_paused:
            self._deadlines.start_body()  # it is the server that does not read
        elif self._phase is _HEAD:
            self._refuse(408, f"the head of the request did not arrive within {limits.head_seconds:g} s: send it faster")
        elif self._phase is _BODY:
            self._refuse(408, f"the body did not arrive within {limits.body_seconds:g} s: send it faster, or less of it")
        elif self._current is not None and not self._current.response_complete:
            self._deadlines.stop_receive()  # it is the server that has not answered, whatever came after that request
        else:
            self.transport.close()

    def close_after_response(self) -> None:
        """Close, with time for a client that still sends to read the response; to close at once would reset its connection."""
        if self.transport.is_closing():
            return
        self._phase = _CLOSING
        self._deadlines.start_linger()
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()  # TLS has an end of its own, for which the client's is waited

    # Receiving

    def data_received(self, data: bytes) -> None:
        """Parse what came, unless it is a whole request with a head that was parsed before."""
        between_requests = self._phase is _IDLE
        if between_requests and self._receive_repeated(data):
            return
        if self._phase is _CLOSING:
            return
        self._requests_in_data = 0
        self._parse(data)
        if between_requests and self._requests_in_data == 1 and self._phase is _IDLE:
            self._cache_head(data)

    def _receive_repeated(self, data: bytes) -> bool:
        """Receive a whole request whose head is cached, byte for byte: what the parser said of it then holds again."""
        head, body = self.head_cache.find(data)
        if head is None or not (self.authenticator is None or self.authenticator.is_cached(head.credentials)):
            return False
        request = FastPathRequest(self, True, head)
        self._begin(request)
        request.receive(body)
        request.end_of_body()
        return True

    def _cache_head(self, data: bytes) -> None:
        """Cache the head of the one request that was all of the data; a recorder decides anew for each request."""
        if isinstance(self.cycle, FastPathRequest) and self.services.traces.recorder is None:
            self.head_cache.add(data, self.cycle)

    def _parse(self, data: bytes) -> None:
        self._head_is_split, self._data_size = self._phase is _HEAD, len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._phase = _CLOSING  # nothing that follows is a request
            self.cycle.keep_alive = False
        except httptools.HttpParserError as error:
            cause = error.__context__  # of a callback
            self._refuse_head(cause if isinstance(cause, HeadRefused) else HeadRefused(400, f"this is no valid HTTP request: {error}"))
        if self._head_is_split and self._phase is _HEAD:
            self._head_bytes += len(data)
            if self._head_bytes > self.services.limits.head_bytes:
                self._refuse_head(head_too_large(self.services.limits))

    def on_message_begin(self) -> None:
        """Begin a request."""
        if self._phase is _CLOSING:
            raise HeadRefused(400, "the connection closes")  # which ends the parsing of this data
        self.url = b""
        self.headers = []
        self._head_bytes = 0
        self._requests_in_data += 1
        self._phase = _HEAD
        self._deadlines.start_head()

    def on_url(self, url: bytes) -> None:
        """Receive a part of the path."""
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Receive a header; those after the body are ignored."""
        if self._phase is _HEAD:
            self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Decide whether the request takes the fast path."""
        headers = dict(self.headers)
        self._check_head_size()
        check_head(self.parser, self.headers, headers)
        self._phase = _BODY
        head = self._fast_path_head(headers)
        if head is None:
            self._deadlines.stop_receive()
            self._begin_application(headers)
            return
        self._deadlines.start_body()
        keep_alive = self.parser.should_keep_alive() and self.parser.get_http_version() == "1.1"
        self._begin(FastPathRequest(self, keep_alive, head, self._trace(headers)))

    def on_body(self, body: bytes) -> None:
        """Receive a part of the body."""
        if isinstance(self.cycle, RequestCycle):
            self.cycle.receive(body)
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request; it is answered, or its response goes on."""
        self._phase = _IDLE
        self._deadlines.stop_receive()
        if isinstance(self.cycle, RequestCycle):
            self.cycle.end_of_body()
        elif self.cycle.response_complete:
            self._deadlines.start_idle()
        else:
            super().on_message_complete()

    def _check_head_size(self) -> None:
        limits = self.services.limits
        may_be_large = self._head_is_split or self._data_size > limits.head_bytes  # most heads are a part of one small piece of data
        if len(self.headers) > limits.headers or (may_be_large and head_size(self.url, self.headers) > limits.head_bytes):
            raise head_too_large(limits)

    def _fast_path_head(self, headers: dict[bytes, bytes]) -> RequestHead | None:
        """Return what the fast path needs of the head, where the request may take it."""
        if self.url not in self.fast_routes or self.parser.get_method() != b"POST":
            return None
        if not is_eligible(headers, self.services.limits.body_bytes):
            return None
        head = RequestHead(headers.get(_JSON_LENGTH), Credentials.from_headers(headers))
        return head if self._is_allowed(head) else None

    def _is_allowed(self, head: RequestHead) -> bool:
        return self.authenticator is None or self.authenticator.is_cached(head.credentials)

    def _trace(self, headers: dict[bytes, bytes]) -> Trace | None:
        traces = self.services.traces
        if TRACEPARENT not in headers and traces.recorder is None:
            return None
        return traces.http(self.headers, "POST", self.url.decode(), self.fast_routes[self.url].path, self.scheme or "http")

    def _refuse_head(self, refused: HeadRefused) -> None:
        self._refuse(refused.status, str(refused))

    def _refuse(self, status: int, message: str) -> None:
        """Answer what is no request, or one that is refused, after the requests before it; then close."""
        if self._phase is _CLOSING:
            return
        in_body, self._phase = self._phase is _BODY, _CLOSING
        if in_body and not self._withdraw():
            self.transport.close()
            return
        self.cycle = RefusedRequest(self, status, message)
        if self.pipeline or (self._current is not None and not self._current.response_complete):
            self.pipeline.appendleft((self.cycle, self.app))
        else:
            self._start_asgi_task(self.cycle, self.app)

    def _withdraw(self) -> bool:
        """Give up the request whose body arrives, in favour of a refusal; return False where its response has begun."""
        waits = bool(self.pipeline) and self.pipeline[0][0] is self.cycle
        if waits:
            self.pipeline.popleft()
        if isinstance(self.cycle, RequestCycle):
            self.cycle.cancel()
        elif not waits and not self.cycle.response_complete:
            if self.cycle.response_started:
                return False
            self.cycle.response_complete = self.cycle.disconnected = True  # what the application sends goes nowhere
            self.cycle.message_event.set()  # it waits for the body no longer
        return True

    # Answering

    def on_response_complete(self) -> None:
        """Begin with the next request, once the client reads its responses."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        if self._phase is _IDLE:
            self._deadlines.start_idle()
        elif self._phase is _BODY and self.cycle.response_complete:
            self._deadlines.start_body()
        self._start_waiting()

    def pause_writing(self) -> None:
        """Wait for a client that does not read its responses, for a while."""
        super().pause_writing()
        self._deadlines.start_send()
        self.flow.pause_reading()

    def resume_writing(self) -> None:
        """Go on."""
        super().resume_writing()
        self._deadlines.stop_send()
        self._start_waiting()

    def _begin(self, request: RequestCycle) -> None:
        """Begin with a request of the fast path, or let it wait for those before it."""
        former, self.cycle = self.cycle, request
        if former is None or former.response_complete:
            self._start_asgi_task(request, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((request, self.app))

    def _begin_application(self, headers: dict[bytes, bytes]) -> None:
        """Leave the request to uvicorn, as if the parser had just called it."""
        url, received = self.url, self.headers
        super().on_message_begin()
        self.url = url
        self.headers.extend(received)
        self.expect_100_continue = headers.get(b"expect", b"").lower() == b"100-continue"
        super().on_headers_complete()

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        """Begin to answer a request; uvicorn calls it, too."""
        self._current = cycle
        if isinstance(cycle, RequestCycle):
            cycle.start()
        else:
            super()._start_asgi_task(cycle, app)

    def _start_waiting(self) -> None:
        """Begin with those that wait while the client reads, one after the other; then read on, be it the rest of the last one's body."""
        if self._starting:
            return  # one that was answered at once: the loop below goes on with the next
        if not self.pipeline and not self.flow.read_paused:
            return
        self._starting = True
        while self.pipeline and self._current.response_complete and self._client_reads():
            self._start_asgi_task(*self.pipeline.pop())
        self._starting = False
        if not self.pipeline and self._client_reads():
            self.flow.resume_reading()

    def _client_reads(self) -> bool:
        return not (self.flow.write_paused or self.transport.is_closing())
