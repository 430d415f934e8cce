"""HTTP: uvicorn's own protocol class on httptools, with bounds on what a client may do, and a shorter way for most inference requests.

Uvicorn keeps the connections, their flow control, pipelining and shutdown, and runs the application; this class adds limits of heads,
times and connections, refuses what could be understood in two ways, and takes a POST to ``.../infer`` whose body is of a stated, moderate
length past ASGI, straight to the batcher (``shortcut.py``). Every other request is the application's.

It overrides methods of ``HttpToolsProtocol``, so the version of uvicorn is pinned. Not here: parsing, which httptools does, and what a
request means.
"""

import asyncio
from typing import Any, cast

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ..access.authenticator import Authenticator, Credentials
from ..telemetry.trace_context import NAME as TRACEPARENT
from ..telemetry.trace_context import Trace
from .binary_tensors import HEADER
from .fast_path import FastPathContext, FastPathRequest, RefusedRequest, RequestCycle
from .head_cache import RequestHead

_NEVER = float("inf")
_LINGER_SECONDS = 2.0
_JSON_LENGTH = HEADER.encode()
_ONCE = frozenset({b"host", b"content-type", b"content-encoding", b"authorization", b"x-api-key", _JSON_LENGTH})


class _Refused(Exception):
    """A request whose head is not taken."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def protocol(hot: FastPathContext, callers: Authenticator | None = None) -> type[asyncio.Protocol]:
    """Return the class of a server's connections; only what ``callers`` know already goes the shorter way."""
    return cast(type[asyncio.Protocol], type("ServerProtocol", (_Protocol,), {"hot": hot, "callers": callers}))


class _Protocol(HttpToolsProtocol):
    hot: FastPathContext
    callers: Authenticator | None
    cycle: Any  # uvicorn's, or an Exchange
    pipeline: Any

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin a connection, unless there are too many."""
        super().connection_made(transport)
        self._in_head = self._in_body = self._refused = self._proceeding = False
        self._running: Any = None  # which is to be answered next; ``cycle`` is the last that came
        self._arrived = self._chunk = self._messages = 0
        self._continued = False
        self._refusal: _Refused | None = None
        self._unread_until = _NEVER
        self._until = self.hot.now + self.hot.limits.idle_seconds
        if len(self.connections) > self.hot.limits.connections:
            self._refuse(503, f"{self.hot.limits.connections} connections are open, which is all that is taken at once: try again later")

    def connection_lost(self, exc: Exception | None) -> None:
        """End: what was not answered is given up."""
        waiting = [cycle for cycle, _ in self.pipeline]
        for cycle in {*waiting, self.cycle, self._running}:
            if isinstance(cycle, RequestCycle):
                cycle.give_up()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came, if it is not a whole request with a head that was parsed before."""
        if self._refused:
            return
        fresh = not (self._in_head or self._in_body)
        if fresh and self._is_known(data):
            return
        self._messages = 0
        self._parse(data)
        if fresh and self._messages == 1 and not (self._in_head or self._in_body or self._refused):
            self._remember(data)

    def _is_known(self, data: bytes) -> bool:
        """Take a whole request whose head the parser has seen before, byte for byte: what it said of it then holds again."""
        head, body = self.hot.heads.find(data)
        if head is None or not (self.callers is None or self.callers.is_cached(head.credentials)):
            return False
        self._until = _NEVER
        self._begin(FastPathRequest(self, self.hot, True, head))
        self.cycle.take(body)
        self.cycle.complete()
        if self.cycle.response_complete:
            self._until = self.hot.now + self.hot.limits.idle_seconds
        return True

    def _remember(self, data: bytes) -> None:
        """Remember the head of the one request that was all of the data; a recorder decides anew for each request."""
        if isinstance(self.cycle, FastPathRequest) and self.hot.traces.recorder is None:
            self.hot.heads.learn(data, self.cycle)

    def _parse(self, data: bytes) -> None:
        self._continued, self._chunk = self._in_head, len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._refused = True  # nothing that follows is a request
            self.cycle.keep_alive = False
        except httptools.HttpParserError as error:
            refusal = self._refusal or _Refused(400, f"this is no valid HTTP request: {error}")
            self._refuse(refusal.status, str(refusal))
        if self._continued and self._in_head:
            self._arrived += len(data)
            if self._arrived > self.hot.limits.head_bytes:
                self._refuse(431, self._too_large())

    def on_message_begin(self) -> None:
        """Begin a request."""
        self.url = b""
        self.headers = []
        self._arrived = 0
        self._messages += 1
        self._in_head = True
        self._until = self.hot.now + self.hot.limits.head_seconds

    def on_url(self, url: bytes) -> None:
        """Take a part of the path."""
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; those after the body are read over."""
        if self._in_head:
            self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Decide whose the request is."""
        headers = dict(self.headers)
        try:
            self._check(headers)
        except _Refused as refusal:
            self._refusal = refusal
            raise
        self._in_head, self._in_body = False, True
        fits = (
            self.url in self.hot.paths and self.parser.get_method() == b"POST" and FastPathRequest.fits(headers, self.hot.limits.body_bytes)
        )
        head = RequestHead(headers.get(_JSON_LENGTH), Credentials.from_headers(headers)) if fits else None
        if head and (self.callers is None or self.callers.is_cached(head.credentials)):
            self._until = self.hot.now + self.hot.limits.body_seconds
            keep_alive = self.parser.should_keep_alive() and self.parser.get_http_version() == "1.1"
            trace = self._trace() if TRACEPARENT in headers or self.hot.traces.recorder else None
            self._begin(FastPathRequest(self, self.hot, keep_alive, head, trace))
        else:
            self._until = _NEVER  # the application has its own bounds
            self._pass_on(headers)

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        if isinstance(self.cycle, RequestCycle):
            self.cycle.take(body)
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request; its answer begins or goes on."""
        self._in_body = False
        self._until = _NEVER
        if isinstance(self.cycle, RequestCycle):
            self.cycle.complete()
        else:
            super().on_message_complete()
        if self.cycle.response_complete:
            self._until = self.hot.now + self.hot.limits.idle_seconds

    def on_response_complete(self) -> None:
        """Begin with the next request, once the client reads its answers."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        if not self._in_head and not self._in_body:
            self._until = self.hot.now + self.hot.limits.idle_seconds
        elif self._in_body and self.cycle.response_complete:
            self._until = self.hot.now + self.hot.limits.body_seconds
        self._proceed()

    def pause_writing(self) -> None:
        """Wait for a client that does not read its answers, for a while."""
        super().pause_writing()
        self._unread_until = self.hot.now + self.hot.limits.unread_seconds
        self.flow.pause_reading()

    def resume_writing(self) -> None:
        """Go on."""
        super().resume_writing()
        self._unread_until = _NEVER
        self._proceed()

    def end(self, after_answer: bool) -> None:
        """Close, with time for a client that still sends to read the answer; to close at once would reset its connection."""
        if not after_answer or self.transport.is_closing():
            self.transport.close()
            return
        self._refused = True
        self._until = self.hot.now + _LINGER_SECONDS
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()  # TLS has an end of its own, for which the client's is waited

    def expire(self, now: float) -> None:
        """End what takes too long."""
        if now > self._unread_until:
            self.transport.abort()
        elif now <= self._until:
            return
        elif self.flow.read_paused:
            self._until = now + self.hot.limits.body_seconds  # it is the server that does not read
        elif self._refused or not (self._in_head or self._in_body):
            self.transport.close()
        elif self._in_head:
            self._refuse(408, f"the head of the request did not arrive within {self.hot.limits.head_seconds:g} s: send it faster")
        else:
            self._refuse(408, f"the body did not arrive within {self.hot.limits.body_seconds:g} s: send it faster, or less of it")

    def _check(self, headers: dict[bytes, bytes]) -> None:
        """Refuse a head that is too large, or that others on the way may have understood in another way."""
        limits, version = self.hot.limits, self.parser.get_http_version()
        if len(self.headers) > limits.headers or (self._may_be_large() and self._head_bytes() > limits.head_bytes):
            raise _Refused(431, self._too_large())
        if len(headers) != len(self.headers):
            names = [name for name, _ in self.headers]
            for name in _ONCE:
                if names.count(name) > 1:
                    raise _Refused(400, f"the header {name.decode()} is there twice: send it once")
        if b"host" not in headers and version == "1.1":
            raise _Refused(400, "the header host is missing: send it")
        coding = headers.get(b"transfer-encoding")
        if coding is not None and (coding.strip().lower() != b"chunked" or version != "1.1"):
            raise _Refused(400, "this transfer-encoding is not taken: send chunked of HTTP/1.1, or a content-length")
        if self.parser.should_upgrade() and (self.parser.get_method() == b"CONNECT" or coding or b"content-length" in headers):
            raise _Refused(400, "the protocol of a connection cannot be changed here: send the request without the header upgrade")

    def _may_be_large(self) -> bool:
        """Tell whether the head is worth to be measured: most are a part of one small piece of data."""
        return self._continued or self._chunk > self.hot.limits.head_bytes

    def _head_bytes(self) -> int:
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers)

    def _trace(self) -> Trace | None:
        return self.hot.traces.http(self.headers, "POST", self.url.decode(), self.hot.paths[self.url], self.scheme or "http")

    def _pass_on(self, headers: dict[bytes, bytes]) -> None:
        """Leave the request to uvicorn, as if it had been told of it by now."""
        url, received = self.url, self.headers
        super().on_message_begin()
        self.url = url
        self.headers.extend(received)
        self.expect_100_continue = headers.get(b"expect", b"").lower() == b"100-continue"
        super().on_headers_complete()

    def _begin(self, exchange: RequestCycle) -> None:
        """Begin with a request of ours, or let it wait for those before it."""
        former, self.cycle = self.cycle, exchange
        if former is None or former.response_complete:
            self._start_asgi_task(exchange, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((exchange, self.app))

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        """Called by uvicorn, too, for the first of the pipeline."""
        self._running = cycle
        if isinstance(cycle, RequestCycle):
            cycle.start()
        else:
            super()._start_asgi_task(cycle, app)

    def _proceed(self) -> None:
        """Begin with those that wait while the client reads, one after the other; then read on, be it the rest of the last one's body."""
        if self._proceeding:
            return  # one that was answered at once: the loop below goes on with the next
        if not self.pipeline and not self.flow.read_paused:
            return
        self._proceeding = True
        while self.pipeline and self._running.response_complete and self._is_read():
            self._start_asgi_task(*self.pipeline.pop())
        self._proceeding = False
        if not self.pipeline and self._is_read():
            self.flow.resume_reading()

    def _is_read(self) -> bool:
        return not (self.flow.write_paused or self.transport.is_closing())

    def _refuse(self, status: int, message: str) -> None:
        """Answer what is no request, or none that is taken, after those before it; then close."""
        if self._refused:
            return
        self._refused = True
        if self._in_body and self.pipeline and self.pipeline[0][0] is self.cycle:
            self.pipeline.popleft()  # its head was taken, but it waits: the refusal takes its place
        elif self._in_body and not self.cycle.response_complete:
            if isinstance(self.cycle, RequestCycle):
                self.cycle.give_up()
            elif self.cycle.response_started:
                self.transport.close()
                return
            self.cycle.response_complete = True
        refusal = RefusedRequest(self, self.hot, status, message)
        if self.pipeline or (self.cycle is not None and not self.cycle.response_complete):
            self.pipeline.appendleft((refusal, self.app))
            self.cycle = refusal
        else:
            self.cycle = refusal
            refusal.start()

    def _too_large(self) -> str:
        limits = self.hot.limits
        return f"the head of the request is longer than {limits.head_bytes} bytes or {limits.headers} headers: send less of them"
