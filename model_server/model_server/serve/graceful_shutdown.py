"""The end of a server: it answers what comes, asks each client to close its connection, and ends once nothing is under way.

Kubernetes removes a pod from its Service and ends it at the same time, so requests still come after SIGTERM. Not here: HTTP routes.
"""

import asyncio
import time
from types import FrameType

import uvicorn

from .in_flight import InFlightRequests

_POLL_SECONDS = 0.05


class DrainingServer(uvicorn.Server):
    """A server that drains on SIGTERM for at most ``seconds``, then ends with exit code 0. To be made in its event loop."""

    def __init__(self, config: uvicorn.Config, in_flight: InFlightRequests, seconds: float) -> None:
        super().__init__(config)
        self._in_flight = in_flight
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
        self._in_flight.drain()
        deadline = time.monotonic() + self._seconds
        while not self._in_flight.quiet() and time.monotonic() < deadline:
            await asyncio.sleep(_POLL_SECONDS)
        self.config.timeout_graceful_shutdown = max(1, int(deadline - time.monotonic()))
        self.should_exit = True
