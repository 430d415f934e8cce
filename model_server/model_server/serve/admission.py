"""Bounds on what the server holds at once, so that overload sheds requests and never swells memory.

Used on the event loop's thread alone. Not here: HTTP.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from typing import TypeVar

from .errors import Overloaded, TooLarge, TooSlow
from .limits import ServerLimits

T = TypeVar("T")
TOO_MUCH = "too many large requests are under way: try again in a second"


class Admission:
    """Receives bodies and runs work in threads, within the limits."""

    def __init__(self, limits: ServerLimits) -> None:
        self._limits = limits
        self._threads = ThreadPoolExecutor(limits.threads, thread_name_prefix="predict")
        self._buffered = 0
        self._running = 0

    @asynccontextmanager
    async def received(self, chunks: AsyncIterator[bytes], declared: int | None) -> AsyncIterator[bytes]:
        """Collect a body of the declared length, if it has one; it counts until the block ends, since what is made of it lives as long.

        Raises:
            TooLarge: the body is longer than the limit; no more than the limit was kept of it.
            TooSlow: the body did not arrive in time.
            Overloaded: the bodies of the requests under way are too much.

        """
        if declared is not None and declared > self._limits.body_bytes:
            raise self._too_large()
        body = await self._collect(chunks)
        try:
            yield body
        finally:
            self._buffered -= len(body)

    async def run(self, work: Callable[[], T]) -> T:
        """Run work in a thread.

        Raises:
            Overloaded: too many requests are under way.

        """
        with self._slot():
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def keep(self, size: int) -> bool:
        """Count bytes of a body that is received by other means; tell whether there is room for them, else they do not count."""
        if self._buffered + size > self._limits.buffered_bytes:
            return False
        self._buffered += size
        return True

    def release(self, size: int) -> None:
        """Count bytes that were kept no longer."""
        self._buffered -= size

    async def _collect(self, chunks: AsyncIterator[bytes]) -> bytes:
        """Count and return a body; one that is given up no longer counts."""
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                async for chunk in chunks:
                    parts.append(chunk)
                    size += len(chunk)
                    self._take(len(chunk), size)
        except TimeoutError as error:
            self._buffered -= size
            raise TooSlow(f"the body did not arrive within {self._limits.body_seconds:g} s: send it faster, or less of it") from error
        except BaseException:
            self._buffered -= size
            raise
        return b"".join(parts)

    def _take(self, more: int, size: int) -> None:
        """Count more bytes of a body, which has that size by now."""
        self._buffered += more
        if size > self._limits.body_bytes:
            raise self._too_large()
        if self._buffered > self._limits.buffered_bytes:
            raise Overloaded(TOO_MUCH)

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
