"""The threads that requests are decoded, computed and verified in, and the bound on requests that wait for them or use them.

There is one thread more than the limit of threads that compute. As the batcher never computes in more threads than the limit, requests
are decoded and labels verified while slow predictions use all of the others. Used on the event loop's thread alone.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from .errors import Overloaded
from .limits import ServerLimits

T = TypeVar("T")


class ComputePool:
    """The server's threads; ``under_way`` is the number of requests that wait for a computation or are computed."""

    def __init__(self, limits: ServerLimits) -> None:
        self._max_requests = limits.requests
        self._threads = ThreadPoolExecutor(limits.threads + 1, thread_name_prefix="predict")
        self.under_way = 0

    def begin(self) -> None:
        """Count a request.

        Raises:
            Overloaded: too many requests are under way.

        """
        if self.under_way >= self._max_requests:
            raise Overloaded(f"{self.under_way} requests are under way, which is all that is taken at once: try again in a second")
        self.under_way += 1

    def end(self, requests: int) -> None:
        """Count requests that ended."""
        self.under_way -= requests

    def submit(self, work: Callable[..., T], *args: Any) -> "asyncio.Future[T]":
        """Run work in a thread; it is not counted as a request."""
        return asyncio.get_running_loop().run_in_executor(self._threads, work, *args)

    async def run(self, work: Callable[[], T]) -> T:
        """Run the work of a request in a thread, and count it.

        Raises:
            Overloaded: too many requests are under way.

        """
        self.begin()
        try:
            return await self.submit(work)
        finally:
            self.end(1)
