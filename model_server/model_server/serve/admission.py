"""Bounds on what the server holds at once, so that overload sheds requests and never swells memory.

Used on the event loop's thread alone. Not here: HTTP.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from .errors import Overloaded, TooLarge, TooSlow
from .settings import Limits

T = TypeVar("T")


class Admission:
    """Receives bodies and runs work in threads, within the limits."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._threads = ThreadPoolExecutor(limits.threads, thread_name_prefix="predict")
        self._buffered = 0
        self._running = 0

    async def receive(self, chunks: AsyncIterator[bytes], declared: int | None) -> bytes:
        """Collect a body of the declared length, if it has one.

        Raises:
            TooLarge: the body is longer than the limit; no more than the limit was kept of it.
            TooSlow: the body did not arrive in time.
            Overloaded: too much is being received at once.

        """
        if declared is not None and declared > self._limits.body_bytes:
            raise self._too_large()
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                async for chunk in chunks:
                    parts.append(chunk)
                    size += len(chunk)
                    self._buffered += len(chunk)
                    if size > self._limits.body_bytes:
                        raise self._too_large()
                    if self._buffered > self._limits.buffered_bytes:
                        raise Overloaded("too many large requests are under way: try again in a second")
        except TimeoutError as error:
            raise TooSlow(f"the body did not arrive within {self._limits.body_seconds:g} s: send it faster, or less of it") from error
        finally:
            self._buffered -= size
        return b"".join(parts)

    async def run(self, work: Callable[[], T]) -> T:
        """Run work in a thread.

        Raises:
            Overloaded: too many requests are under way.

        """
        with self._slot():
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    @contextmanager
    def _slot(self) -> Iterator[None]:
        if self._running >= self._limits.requests:
            raise Overloaded(f"{self._running} requests are under way, which is all that is taken at once: try again in a second")
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1

    def _too_large(self) -> TooLarge:
        return TooLarge(f"the body is longer than {self._limits.body_bytes} bytes: split the request")
