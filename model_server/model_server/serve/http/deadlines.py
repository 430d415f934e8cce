"""Until when a client must have sent or read what a connection waits for; an expired connection is closed within a second or so.

Deadlines are those of nginx: of a head, of a body, of an idle connection (keep-alive), of a closing one (linger), and of reading responses.
Not here: what is done about an expired one (``connection.py``).
"""

import time

from ..limits import ServerLimits

_NEVER = float("inf")
_LINGER_SECONDS = 2.0


class CoarseClock:
    """The monotonic clock as it was at the last ``update``: to read it costs nothing."""

    __slots__ = ("now",)

    def __init__(self) -> None:
        self.now = time.monotonic()

    def update(self) -> None:
        """Read the real clock; to be called every second."""
        self.now = time.monotonic()


class ConnectionDeadlines:
    """The deadlines of one connection, in seconds of the clock: at most one for what it receives, and one for what it sends."""

    __slots__ = ("_clock", "_idle_seconds", "_limits", "_receive", "_send")

    def __init__(self, clock: CoarseClock, limits: ServerLimits) -> None:
        self._clock = clock
        self._limits = limits
        self._idle_seconds = limits.idle_seconds  # of each request, so found at once
        self._send = _NEVER
        self.start_idle()

    def start_idle(self) -> None:
        """Wait for the next request."""
        self._receive = self._clock.now + self._idle_seconds

    def start_head(self) -> None:
        """Wait for the rest of a head."""
        self._receive = self._clock.now + self._limits.head_seconds

    def start_body(self) -> None:
        """Wait for the rest of a body."""
        self._receive = self._clock.now + self._limits.body_seconds

    def start_linger(self) -> None:
        """Wait for the client to read the last response and to close."""
        self._receive = self._clock.now + _LINGER_SECONDS

    def stop_receive(self) -> None:
        """Wait for nothing: the server is to answer, or the application has limits of its own."""
        self._receive = _NEVER

    def start_send(self) -> None:
        """Wait for the client to read responses."""
        self._send = self._clock.now + self._limits.unread_seconds

    def stop_send(self) -> None:
        """The client has read them."""
        self._send = _NEVER

    def receive_expired(self) -> bool:
        """Return whether the client did not send in time."""
        return self._clock.now > self._receive

    def send_expired(self) -> bool:
        """Return whether the client did not read in time."""
        return self._clock.now > self._send
