"""Bounds on the bodies that the server holds at once, so that overload sheds requests and does not use up memory.

Used on the event loop's thread alone. Not here: HTTP, and how many requests are computed at once (``compute_pool.py``).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from .errors import Overloaded, TooLarge, TooSlow
from .limits import ServerLimits

TOO_MUCH = "too many large requests are under way: try again in a second"


class Admission:
    """Receives bodies within the limits."""

    def __init__(self, limits: ServerLimits) -> None:
        self._limits = limits
        self._buffered = 0

    @asynccontextmanager
    async def received(self, chunks: AsyncIterator[bytes], declared: int | None) -> AsyncIterator[bytes]:
        """Collect a body of the declared length, if it has one; it counts until the block ends, since what is made of it lives as long.

        Raises:
            TooLarge: the body is longer than the limit; no more than the limit was read of it.
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

    def try_reserve(self, size: int) -> bool:
        """Count bytes of a body that is received by other means; return whether there is room, else they do not count."""
        if self._buffered + size > self._limits.buffered_bytes:
            return False
        self._buffered += size
        return True

    def release(self, size: int) -> None:
        """Stop counting bytes that were reserved."""
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
                    self._count(len(chunk), size)
        except TimeoutError as error:
            self._buffered -= size
            raise TooSlow(f"the body did not arrive within {self._limits.body_seconds:g} s: send it faster, or less of it") from error
        except BaseException:
            self._buffered -= size
            raise
        return b"".join(parts)

    def _count(self, more: int, size: int) -> None:
        """Count more bytes of a body, which has that size by now."""
        self._buffered += more
        if size > self._limits.body_bytes:
            raise self._too_large()
        if self._buffered > self._limits.buffered_bytes:
            raise Overloaded(TOO_MUCH)

    def _too_large(self) -> TooLarge:
        return TooLarge(f"the body is longer than {self._limits.body_bytes} bytes: split the request")
