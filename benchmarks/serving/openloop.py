"""``python -m benchmarks.serving.openloop URL FILE RATE CONNECTIONS SECONDS``: send at a rate, whatever the server does; print JSON.

Requests are due at random times (a Poisson process), are sent on whichever connection is idle, and wait for one where none is; latency
counts from when a request was due, so that a slow server, or a slow client, cannot hide its delays. Not here: the choice of the rate.
"""

import asyncio
import json
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import uvloop

_NAP_SECONDS = 0.0001  # timers of the event loop are ten times as coarse; answers that come meanwhile wait as long
_DRAIN_SECONDS = 5.0
_END = b"\r\n\r\n"
_LENGTH = b"content-length:"


class _Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self, loop: "OpenLoop") -> None:
        self._loop = loop
        self._due = 0.0
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def send(self, request: bytes, due: float) -> None:
        self._due = due
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        received = self._received + data if self._received else data
        end = received.find(_END)
        if end < 0 or len(received) < end + len(_END) + _length(received[:end]):
            self._received = received
            return
        self._received = b""
        self._loop.answered(self, received.startswith(b"HTTP/1.1 200"), self._due)

    def connection_lost(self, _error: Exception | None) -> None:
        self._loop.lost()

    def close(self) -> None:
        self._transport.close()


def _length(head: bytes) -> int:
    lower = head.lower()
    start = lower.index(_LENGTH) + len(_LENGTH)
    return int(lower[start:].split(b"\r\n", 1)[0])


class OpenLoop:
    """The schedule, and its results. ``broken`` counts connections that the server closed."""

    def __init__(self, requests: list[bytes], due: list[float]) -> None:
        self._requests = requests
        self._schedule = due
        self._waiting: deque[tuple[bytes, float]] = deque()
        self._idle: list[_Connection] = []
        self.latencies: list[float] = []
        self.refused = self.broken = 0
        self._over = False

    async def run(self, host: str, port: int, connections: int) -> float:
        """Send everything; return the seconds that it took."""
        loop = asyncio.get_running_loop()
        made = [(await loop.create_connection(lambda: _Connection(self), host, port))[1] for _ in range(connections)]
        self._idle = list(made)
        started, sent, number = time.perf_counter(), 0, len(self._schedule)
        while sent < number:
            now = time.perf_counter() - started
            while sent < number and self._schedule[sent] <= now:
                self._send(self._requests[sent % len(self._requests)], started + self._schedule[sent])
                sent += 1
            await asyncio.sleep(0)
            time.sleep(_NAP_SECONDS)
        spent = time.perf_counter() - started
        while len(self.latencies) + self.broken < number and time.perf_counter() - started < spent + _DRAIN_SECONDS:
            await asyncio.sleep(0.01)
        self._over = True
        for connection in made:
            connection.close()
        return spent

    def answered(self, connection: _Connection, good: bool, due: float) -> None:
        """Count an answer; the connection goes on with the next waiting request."""
        self.latencies.append(time.perf_counter() - due)
        self.refused += not good
        if self._waiting:
            connection.send(*self._waiting.popleft())
        else:
            self._idle.append(connection)

    def lost(self) -> None:
        """Count a connection that the server closed."""
        self.broken += not self._over

    def _send(self, request: bytes, due: float) -> None:
        if self._idle:
            self._idle.pop().send(request, due)
        else:
            self._waiting.append((request, due))


def main() -> int:
    """Run from the command line; 1 where an answer was not as it must be."""
    url, file, rate, connections, seconds = sys.argv[1:]
    parts = urlsplit(url)
    head = f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
    bodies = Path(file).read_bytes().splitlines()
    requests = [f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body for body in bodies]
    number = int(float(rate) * float(seconds))
    due = np.random.default_rng(0).exponential(1 / float(rate), number).cumsum().tolist()
    loop = OpenLoop(requests, due)
    spent = uvloop.run(loop.run(str(parts.hostname), int(parts.port or 80), int(connections)))
    if loop.refused or loop.broken or len(loop.latencies) < number:
        unanswered = number - len(loop.latencies)
        sys.stderr.write(f"of {number} requests {loop.refused} were refused, {unanswered} not answered; {loop.broken} connections broke\n")
        return 1
    p50, p99 = (1e3 * float(value) for value in np.quantile(loop.latencies, (0.5, 0.99)))
    found = {"wanted": float(rate), "sent": number / spent, "p50": p50, "p99": p99, "requests": number}
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
