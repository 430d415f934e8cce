"""How many requests are under way in the process, by every protocol, and whether it drains.

Not here: how a process drains (``graceful_shutdown.py``), and bounds.
"""

import time

_QUIET_SECONDS = 1.0


class InFlightRequests:
    """Counts requests from their beginning to their end; ``draining`` is set once the process is to end."""

    def __init__(self) -> None:
        self.draining = False
        self.count = 0
        self._last_end = 0.0

    def begin(self) -> None:
        """Count a request that begins."""
        self.count += 1

    def end(self) -> None:
        """Count a request that ended."""
        self.count -= 1
        if self.draining:
            self._last_end = time.monotonic()

    def drain(self) -> None:
        """Begin to drain."""
        self.draining = True
        self._last_end = time.monotonic()

    def quiet(self) -> bool:
        """Return whether nothing is under way and nothing ended for a while."""
        return not self.count and time.monotonic() - self._last_end > _QUIET_SECONDS
