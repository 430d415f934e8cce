"""The end of a server: it answers what comes, tells each client to close its connection, and ends once it is quiet.

Kubernetes removes a pod from its Service and ends it at the same time, so requests still come after SIGTERM. Not here: HTTP routes.
"""

import asyncio
import time
from types import FrameType

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_QUIET_SECONDS = 1.0


class InFlightRequests:
    """An ASGI application around another: it knows how many requests are under way and when the last one ended."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.draining = False
        self.in_flight = 0
        self.last = time.monotonic()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; while draining, its response closes the connection."""

        async def closing(message: Message) -> None:
            if self.draining and message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), (b"connection", b"close")]
            await send(message)

        self.begin()
        try:
            await self._app(scope, receive, closing)
        finally:
            self.end(1)

    def begin(self) -> None:
        """Count a request that begins."""
        self.in_flight += 1

    def end(self, requests: int) -> None:
        """Count requests that ended."""
        self.in_flight -= requests
        if self.draining:
            self.last = time.monotonic()

    def quiet(self) -> bool:
        """Tell whether nothing is under way and nothing came for a while."""
        return not self.in_flight and time.monotonic() - self.last > _QUIET_SECONDS


class DrainingServer(uvicorn.Server):
    """A server that drains on SIGTERM for at most ``seconds``, then ends with exit code 0."""

    def __init__(self, config: uvicorn.Config, traffic: InFlightRequests, seconds: float) -> None:
        super().__init__(config)
        self._traffic = traffic
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._drain: asyncio.Task[None] | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 (the signature is uvicorn's)
        """Begin to drain; uvicorn would stop listening at once."""
        self._loop.call_soon_threadsafe(self._begin)

    def _begin(self) -> None:
        if self._drain is None:
            self._drain = self._loop.create_task(self._until_quiet())

    async def _until_quiet(self) -> None:
        self._traffic.draining = True
        self._traffic.last = time.monotonic()
        deadline = time.monotonic() + self._seconds
        while not self._traffic.quiet() and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        self.config.timeout_graceful_shutdown = max(1, int(deadline - time.monotonic()))
        self.should_exit = True
