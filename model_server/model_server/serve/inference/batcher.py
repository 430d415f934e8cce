"""Micro-batching: what arrived in the same turn of the event loop is computed by one call of the engine.

Small batches, of at most a millisecond, are computed on the event loop's own thread, because to hand them to another one costs more than
to compute them; whatever takes longer goes to threads, so that the loop stays responsive, and is gathered while these are busy. All
methods are called on the event loop's thread. Not here: what a request means (``dataplane.py``), and transports.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from ..errors import Failed, Overloaded, ServeError, TooLate
from ..limits import ServerLimits
from ..telemetry.metrics import ServerMetrics
from ..telemetry.trace_context import Trace, current, trace_suffix
from .data_plane import DataPlane, Outcome, PredictedBatch, Query
from .response import InferResponse
from .tensors import InferRequest

_log = logging.getLogger(__name__)
_QUICK_SECONDS = 0.001
_QUICK_BYTES = 131_072
"""A request of more bytes is decoded in a thread."""

T = TypeVar("T")
Encode = Callable[[InferResponse], T]
Answer = Callable[[T | ServeError], None]


class PendingRequest:
    """A request that waits for its answer, in a queue at first."""

    __slots__ = ("answer", "encode", "gone", "query", "queue", "since")

    def __init__(self, query: Query, encode: Encode[Any], answer: Answer[Any]) -> None:
        self.query = query
        self.encode = encode
        self.answer = answer
        self.since = time.monotonic()
        self.queue: _Queue | None = None
        self.gone = False

    def cancel(self) -> None:
        """Nobody waits any more: it is not computed, if it was not yet, and not answered."""
        self.gone = True
        if self.queue:
            self.queue.drop(self)


class Batcher:
    """Answers requests by the batch; calls ``told`` with what was predicted, once for each batch."""

    def __init__(self, plane: DataPlane, limits: ServerLimits, told: Callable[[PredictedBatch], None], metrics: ServerMetrics) -> None:
        self._plane = plane
        self._limits = limits
        self._told = told
        self._metrics = metrics
        self._loop = asyncio.get_running_loop()
        self._threads = ThreadPoolExecutor(limits.threads, thread_name_prefix="predict")
        self._free = limits.threads
        self._quick_rows = min(_quick_rows(plane), limits.batch_rows)
        self._quick = _Queue()
        self._slow = _Queue()
        self._computing = 0

    def submit(self, query: Query, encode: Encode[T], answer: Answer[T], ticks: int = 0) -> PendingRequest:
        """Compute a request together with others; ``answer`` is called with what ``encode`` made of the response, or with what went wrong.

        It waits for others until the event loop has gone round ``ticks`` times in which none came; but one with 0 lets nothing wait.

        Raises:
            Overloaded: too many requests wait or are computed.

        """
        under_way = len(self._quick.waiting) + len(self._slow.waiting) + self._computing
        if under_way >= self._limits.requests:
            raise Overloaded(f"{under_way} requests are under way, which is all that is taken at once: try again in a second")
        waiting = PendingRequest(query, encode, answer)
        quick = query.rows.size <= self._quick_rows
        queue, full = (self._quick, self._quick_rows) if quick else (self._slow, self._limits.batch_rows)
        queue.add(waiting)
        if not queue.timer:
            self._wake(queue, self._limits.batch_seconds, ticks)
        elif (queue.settling and not ticks) or (queue.rows >= full and self._limits.batch_seconds):
            queue.timer.cancel()
            self._wake(queue, 0)
        return waiting

    async def infer(self, decode: Callable[[], InferRequest], encode: Encode[T], size: int, ticks: int = 0) -> T:
        """Answer a request of ``size`` bytes; when this is cancelled, the request is, too. ``ticks`` are those of ``submit``.

        Raises:
            ServeError: what is wrong with the request, or with the server.

        """
        trace = current.get()
        query = self._decoded(decode, trace) if size <= _QUICK_BYTES else await self._in_thread(lambda: self._decoded(decode, trace))
        future: asyncio.Future[T] = self._loop.create_future()

        def answer(outcome: T | ServeError) -> None:
            if future.done():
                return
            if isinstance(outcome, ServeError):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)

        waiting = self.submit(query, encode, answer, ticks)
        try:
            return await future
        finally:
            waiting.cancel()

    def expire(self) -> None:
        """Answer those that have waited for too long; to be called now and then."""
        for queue in (self._quick, self._slow):
            self._refuse_late(queue.late(time.monotonic() - self._limits.deadline_seconds))

    def _decoded(self, decode: Callable[[], InferRequest], trace: Trace | None) -> Query:
        return self._plane.read(decode(), trace)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await self._loop.run_in_executor(self._threads, work)

    def _wake(self, queue: "_Queue", seconds: float, ticks: int = 0) -> None:
        work = self._compute_quick if queue is self._quick else self._compute_slow
        queue.settling = ticks > 0 and not seconds
        if queue.settling:
            queue.timer = self._loop.call_soon(self._settle, queue, ticks, ticks, 0)
        else:
            queue.timer = self._loop.call_later(seconds, work) if seconds else self._loop.call_soon(work)

    def _settle(self, queue: "_Queue", ticks: int, left: int, rows: int) -> None:
        """Wait on where the queue grew beyond ``rows`` or turns are ``left``, and there is room for more."""
        left = ticks if queue.rows > rows else left - 1
        if left and queue.rows < self._quick_rows:
            queue.timer = self._loop.call_soon(self._settle, queue, ticks, left, queue.rows)
        else:
            self._wake(queue, 0)

    def _compute_quick(self) -> None:
        self._quick.timer = None
        batch = self._take(self._quick, self._quick_rows)
        if self._quick.waiting:
            self._wake(self._quick, 0)
        if batch:
            self._finish(batch, *self._compute(batch))

    def _compute_slow(self) -> None:
        self._slow.timer = None
        while self._free and (batch := self._take(self._slow, self._limits.batch_rows)):
            self._free -= 1
            computing = self._loop.run_in_executor(self._threads, self._compute, batch)
            computing.add_done_callback(partial(self._ended, batch))

    def _ended(self, batch: list[PendingRequest], done: "asyncio.Future[_Computed]") -> None:
        self._free += 1
        self._finish(batch, *done.result())
        if self._slow.waiting and not self._slow.timer:
            self._compute_slow()

    def _take(self, queue: "_Queue", rows: int) -> list[PendingRequest]:
        now = time.monotonic()
        self._refuse_late(queue.late(now - self._limits.deadline_seconds))
        before = queue.rows
        batch = queue.take(rows)
        if batch:
            self._computing += len(batch)
            self._metrics.batch(before - queue.rows, now - batch[0].since)
        return batch

    def _refuse_late(self, late: Sequence[PendingRequest]) -> None:
        for waiting in late:
            waiting.answer(TooLate(f"the request was not computed within {self._limits.deadline_seconds:g} s: try again in a second"))

    def _compute(self, batch: Sequence[PendingRequest]) -> "_Computed":
        queries = [waiting.query for waiting in batch]
        recorded = [waiting for waiting in batch if waiting.query.trace and waiting.query.trace.span]
        started = time.time_ns() if recorded else 0
        outcomes, predicted = self._plane.answer(queries)
        if recorded:
            _record(recorded, queries, started)
        return [_answer(waiting, outcome) for waiting, outcome in zip(batch, outcomes, strict=True)], predicted

    def _finish(self, batch: Sequence[PendingRequest], answers: Sequence[Any], predicted: Sequence[PredictedBatch]) -> None:
        self._computing -= len(batch)
        for waiting, answer in zip(batch, answers, strict=True):
            if not waiting.gone:
                waiting.answer(answer)
        for part in predicted:
            self._told(part)


class _Queue:
    """Requests in the order in which they came."""

    def __init__(self) -> None:
        self.waiting: deque[PendingRequest] = deque()
        self.rows = 0
        self.timer: asyncio.Handle | None = None
        self.settling = False

    def add(self, waiting: PendingRequest) -> None:
        waiting.queue = self
        self.waiting.append(waiting)
        self.rows += waiting.query.rows.size

    def drop(self, waiting: PendingRequest) -> None:
        """Leave a request out."""
        waiting.queue = None
        self.waiting.remove(waiting)
        self.rows -= waiting.query.rows.size

    def take(self, rows: int) -> list[PendingRequest]:
        """Take the next requests, of ``rows`` together or one that has more."""
        batch: list[PendingRequest] = []
        room = rows
        while self.waiting and (not batch or self.waiting[0].query.rows.size <= room):
            batch.append(self._first())
            room -= batch[-1].query.rows.size
        return batch

    def late(self, since: float) -> list[PendingRequest]:
        """Take those that wait since before that time."""
        late: list[PendingRequest] = []
        while self.waiting and self.waiting[0].since < since:
            late.append(self._first())
        return late

    def _first(self) -> PendingRequest:
        first = self.waiting.popleft()
        first.queue = None
        self.rows -= first.query.rows.size
        return first


_Computed = tuple[list[Any], list[PredictedBatch]]


def _quick_rows(plane: DataPlane) -> int:
    """Return how many rows are computed in a millisecond, by a straight line through what one row and many rows take."""
    many = 256
    one, all_of_them = plane.cost(1), plane.cost(many)
    each = max((all_of_them - one) / many, 1e-9)
    return max(0, int((_QUICK_SECONDS - one) / each))


def _record(batch: Sequence[PendingRequest], queries: Sequence[Query], started: int) -> None:
    """Record how long requests waited, and what computed them; times in nanoseconds since the epoch."""
    ended, now = time.time_ns(), time.monotonic()
    computed = {"mlmodel.batch.requests": len(queries), "mlmodel.batch.rows": sum(query.rows.size for query in queries)}
    for waiting in batch:
        if waiting.query.trace and (span := waiting.query.trace.span):
            came = ended - int((now - waiting.since) * 1e9)
            span.part("queue", came, max(came, started), {})
            span.part("compute", max(came, started), ended, computed | {"mlmodel.rows": waiting.query.rows.size})


def _answer(waiting: PendingRequest, outcome: Outcome) -> Any:
    if isinstance(outcome, ServeError):
        return outcome
    try:
        if isinstance(outcome, InferResponse):
            return waiting.encode(outcome)
    except ServeError as error:
        return error
    except Exception as error:  # it must not reach the other requests of the batch
        outcome = error
    _log.error("a request could not be computed%s", trace_suffix(waiting.query.trace), exc_info=outcome)
    return Failed("the server failed on this request, see its log")
