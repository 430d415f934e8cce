"""A keyed work queue: a key waits at most once, never runs twice at the same time, and is due again later after a failure.

Not here: what the work is.
"""

import asyncio
import heapq
import itertools
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from .ownership import Key

BACKOFF_FIRST = 0.5
BACKOFF_LAST = 60.0


@dataclass
class _State:
    """What is known of one key."""

    due: float | None = None  # monotonic time at which it is due; None: not planned
    running: bool = False
    again: bool = False  # something happened while it ran
    failures: int = 0


@dataclass
class WorkQueue:
    """Keys with the time at which they are due."""

    clock: Callable[[], float] = time.monotonic
    _states: dict[Key, _State] = field(default_factory=dict)
    _heap: list[tuple[float, int, Key]] = field(default_factory=list)
    _sequence: "itertools.count[int]" = field(default_factory=itertools.count)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def __len__(self) -> int:
        """Return how many keys are due and wait for a worker."""
        now = self.clock()
        return sum(1 for state in self._states.values() if state.due is not None and state.due <= now and not state.running)

    @property
    def oldest(self) -> float:
        """Seconds that the key which has been due for longest has waited."""
        now = self.clock()
        return max((now - state.due for state in self._states.values() if state.due is not None), default=0.0)

    def add(self, key: Key, delay: float = 0.0) -> None:
        """Make the key due after ``delay`` seconds, unless it is due earlier."""
        state = self._states.setdefault(key, _State())
        if state.running and delay == 0:
            state.again = True
            return
        due = self.clock() + delay
        if state.due is None or due < state.due:
            state.due = due
            heapq.heappush(self._heap, (due, next(self._sequence), key))
            self._compact()
            self._changed.set()

    async def get(self) -> Key:
        """Wait for the next key that is due, and mark it as running; ``done`` must follow."""
        while True:
            self._changed.clear()
            while self._heap and self._stale(self._heap[0]):
                heapq.heappop(self._heap)
            wait = self._heap[0][0] - self.clock() if self._heap else None
            if wait is not None and wait <= 0:
                _, _, key = heapq.heappop(self._heap)
                state = self._states[key]
                state.due, state.running, state.again = None, True, False
                return key
            try:
                await asyncio.wait_for(self._changed.wait(), wait)
            except TimeoutError:
                continue

    def _compact(self) -> None:
        """Drop the entries that an earlier time has replaced, when they are most of the heap: some would stay for weeks."""
        if len(self._heap) > 2 * len(self._states) + 64:
            self._heap = [entry for entry in self._heap if not self._stale(entry)]
            heapq.heapify(self._heap)

    def _stale(self, entry: tuple[float, int, Key]) -> bool:
        """Return whether the key has another time by now, or is running."""
        due, _, key = entry
        state = self._states.get(key)
        return state is None or state.due != due or state.running

    def done(self, key: Key, *, failed: bool, after: float | None = None) -> None:
        """Mark the key as no longer running; due again with growing, jittered backoff if it failed, else ``after`` so many seconds."""
        state = self._states[key]
        state.running = False
        planned, state.due = state.due, None
        state.failures = state.failures + 1 if failed else 0
        if failed:
            pause = min(BACKOFF_FIRST * 2 ** (state.failures - 1), BACKOFF_LAST)
            self.add(key, pause * random.uniform(0.5, 1.0))  # noqa: S311 (jitter, not a secret)
        elif state.again:
            self.add(key)
        elif after is not None:
            self.add(key, after)
        if planned is not None:
            self.add(key, max(0.0, planned - self.clock()))
        if state.due is None and not state.running:
            del self._states[key]


async def work(queue: WorkQueue, handle: Callable[[Key], Awaitable[float | None]], on_error: Callable[[Key, Exception], None]) -> None:
    """Handle keys for ever; ``handle`` returns the seconds after which the key is due again. Run one of these for each worker."""
    while True:
        key = await queue.get()
        try:
            after = await handle(key)
        except Exception as error:  # the last place where a worker can survive one bad object
            on_error(key, error)
            queue.done(key, failed=True)
        else:
            queue.done(key, failed=False, after=after)
