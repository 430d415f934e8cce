"""Micro-batching: requests of one iteration of the event loop are computed by one call of the engine.

Small batches, of at most a millisecond, are computed inline, on the event loop's own thread, because to hand them to another thread costs
more than to compute them. Whatever takes longer is computed in the pool's threads, so that the loop stays responsive, and is collected
while these are busy. All methods are called on the event loop's thread. Not here: what a request means (``data_plane.py``), and transports.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from ..compute_pool import ComputePool
from ..errors import Failed, ServeError, TooLate
from ..limits import ServerLimits
from ..telemetry.metrics import ServerMetrics
from ..telemetry.trace_context import Trace, current, trace_suffix
from .data_plane import DataPlane, Outcome, PredictedBatch, Query
from .response import InferResponse
from .tensors import InferRequest

_log = logging.getLogger(__name__)
_INLINE_SECONDS = 0.001
_INLINE_BYTES = 131_072
"""A request of more bytes is decoded in a thread."""

_MEASURED_ROWS = 256
_MIN_ROW_SECONDS = 1e-9

T = TypeVar("T")
Encode = Callable[[InferResponse], T]
ResponseCallback = Callable[[T | ServeError], None]


class PendingRequest:
    """A request that waits for its response, in a queue at first."""

    __slots__ = ("cancelled", "encode", "on_response", "query", "queue", "submitted_at")

    def __init__(self, query: Query, encode: Encode[Any], on_response: ResponseCallback[Any]) -> None:
        self.query = query
        self.encode = encode
        self.on_response = on_response
        self.submitted_at = time.monotonic()
        self.queue: _Queue | None = None
        self.cancelled = False

    def cancel(self) -> None:
        """Give the request up: it is not computed, if it was not yet, and not answered."""
        self.cancelled = True
        if self.queue:
            self.queue.remove(self)


class Batcher:
    """Answers requests by the batch; calls ``on_predicted`` with the predicted rows, once for each batch."""

    def __init__(
        self,
        plane: DataPlane,
        limits: ServerLimits,
        pool: ComputePool,
        on_predicted: Callable[[PredictedBatch], None],
        metrics: ServerMetrics,
    ) -> None:
        self._plane = plane
        self._limits = limits
        self._pool = pool
        self._on_predicted = on_predicted
        self._metrics = metrics
        self._loop = asyncio.get_running_loop()
        self._free_threads = limits.threads
        self._inline_rows = min(_inline_rows(plane), limits.batch_rows)
        self._inline = _Queue(pool)
        self._pooled = _Queue(pool)

    def submit(self, query: Query, encode: Encode[T], on_response: ResponseCallback[T], ticks: int = 0) -> PendingRequest:
        """Compute a request together with others; ``on_response`` is called with what ``encode`` returns of it, or with what went wrong.

        The request waits until ``ticks`` iterations of the event loop have brought no other; one with 0 lets none of its batch wait.

        Raises:
            Overloaded: too many requests wait or are computed.

        """
        self._pool.begin()
        request = PendingRequest(query, encode, on_response)
        inline = query.rows.size <= self._inline_rows
        queue, max_rows = (self._inline, self._inline_rows) if inline else (self._pooled, self._limits.batch_rows)
        queue.append(request)
        if not queue.timer:
            self._schedule(queue, self._limits.batch_seconds, ticks)
        elif (queue.settling and not ticks) or (queue.rows >= max_rows and self._limits.batch_seconds):
            queue.timer.cancel()
            self._schedule(queue, 0)
        return request

    async def infer(self, decode: Callable[[], InferRequest], encode: Encode[T], size: int, ticks: int = 0) -> T:
        """Answer a request of ``size`` bytes; when this is cancelled, the request is, too. ``ticks`` are those of ``submit``.

        Raises:
            ServeError: what is wrong with the request, or with the server.

        """
        trace = current.get()
        query = self._decode(decode, trace) if size <= _INLINE_BYTES else await self._pool.submit(self._decode, decode, trace)
        future: asyncio.Future[T] = self._loop.create_future()

        def on_response(outcome: T | ServeError) -> None:
            if future.done():
                return
            if isinstance(outcome, ServeError):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)

        request = self.submit(query, encode, on_response, ticks)
        try:
            return await future
        finally:
            request.cancel()

    def expire(self) -> None:
        """Answer requests that have waited for too long; to be called every second."""
        for queue in (self._inline, self._pooled):
            self._refuse_expired(queue, time.monotonic())

    def _decode(self, decode: Callable[[], InferRequest], trace: Trace | None) -> Query:
        return self._plane.validate(decode(), trace)

    def _schedule(self, queue: "_Queue", seconds: float, ticks: int = 0) -> None:
        compute = self._compute_inline if queue is self._inline else self._compute_pooled
        queue.settling = ticks > 0 and not seconds
        if queue.settling:
            queue.timer = self._loop.call_soon(self._settle, queue, ticks, ticks, 0)
        else:
            queue.timer = self._loop.call_later(seconds, compute) if seconds else self._loop.call_soon(compute)

    def _settle(self, queue: "_Queue", ticks: int, ticks_left: int, rows: int) -> None:
        """Wait on where the queue grew beyond ``rows`` or ticks are left, and there is room for more."""
        ticks_left = ticks if queue.rows > rows else ticks_left - 1
        if ticks_left and queue.rows < self._inline_rows:
            queue.timer = self._loop.call_soon(self._settle, queue, ticks, ticks_left, queue.rows)
        else:
            self._schedule(queue, 0)

    def _compute_inline(self) -> None:
        self._inline.timer = None
        batch = self._pop_batch(self._inline, self._inline_rows)
        if self._inline.requests:
            self._schedule(self._inline, 0)
        if batch:
            self._finish(batch, *self._compute(batch))

    def _compute_pooled(self) -> None:
        self._pooled.timer = None
        while self._free_threads and (batch := self._pop_batch(self._pooled, self._limits.batch_rows)):
            self._free_threads -= 1
            self._pool.submit(self._compute, batch).add_done_callback(partial(self._finish_pooled, batch))

    def _finish_pooled(self, batch: list[PendingRequest], computed: "asyncio.Future[_Computed]") -> None:
        self._free_threads += 1
        self._finish(batch, *computed.result())
        if self._pooled.requests and not self._pooled.timer:
            self._compute_pooled()

    def _pop_batch(self, queue: "_Queue", max_rows: int) -> list[PendingRequest]:
        now = time.monotonic()
        self._refuse_expired(queue, now)
        rows_before = queue.rows
        batch = queue.pop_batch(max_rows)
        if batch:
            self._metrics.batch(rows_before - queue.rows, now - batch[0].submitted_at)
        return batch

    def _refuse_expired(self, queue: "_Queue", now: float) -> None:
        expired = queue.pop_submitted_before(now - self._limits.deadline_seconds)
        self._pool.end(len(expired))
        for request in expired:
            request.on_response(TooLate(f"the request was not computed within {self._limits.deadline_seconds:g} s: try again in a second"))

    def _compute(self, batch: Sequence[PendingRequest]) -> "_Computed":
        queries = [request.query for request in batch]
        recorded = [request for request in batch if request.query.trace and request.query.trace.span]
        started = time.time_ns() if recorded else 0
        outcomes, predicted = self._plane.answer(queries)
        if recorded:
            _record(recorded, queries, started)
        return [_encoded(request, outcome) for request, outcome in zip(batch, outcomes, strict=True)], predicted

    def _finish(self, batch: Sequence[PendingRequest], responses: Sequence[Any], predicted: Sequence[PredictedBatch]) -> None:
        self._pool.end(len(batch))
        for request, response in zip(batch, responses, strict=True):
            if not request.cancelled:
                request.on_response(response)
        for part in predicted:
            self._on_predicted(part)


class _Queue:
    """Requests in the order in which they came; ``settling`` while it waits for iterations of the loop that bring no other."""

    def __init__(self, pool: ComputePool) -> None:
        self.requests: deque[PendingRequest] = deque()
        self.rows = 0
        self.timer: asyncio.Handle | None = None
        self.settling = False
        self._pool = pool

    def append(self, request: PendingRequest) -> None:
        request.queue = self
        self.requests.append(request)
        self.rows += request.query.rows.size

    def remove(self, request: PendingRequest) -> None:
        """Remove a request that is given up."""
        request.queue = None
        self.requests.remove(request)
        self.rows -= request.query.rows.size
        self._pool.end(1)

    def pop_batch(self, max_rows: int) -> list[PendingRequest]:
        """Remove and return the next requests, of ``max_rows`` together or one that has more."""
        batch: list[PendingRequest] = []
        rows_left = max_rows
        while self.requests and (not batch or self.requests[0].query.rows.size <= rows_left):
            batch.append(self._popleft())
            rows_left -= batch[-1].query.rows.size
        return batch

    def pop_submitted_before(self, instant: float) -> list[PendingRequest]:
        """Remove and return the requests that wait since before an instant of the monotonic clock."""
        popped: list[PendingRequest] = []
        while self.requests and self.requests[0].submitted_at < instant:
            popped.append(self._popleft())
        return popped

    def _popleft(self) -> PendingRequest:
        first = self.requests.popleft()
        first.queue = None
        self.rows -= first.query.rows.size
        return first


_Computed = tuple[list[Any], list[PredictedBatch]]


def _inline_rows(plane: DataPlane) -> int:
    """Return how many rows are computed in a millisecond, by a straight line through what one row and many rows take."""
    one_row, many_rows = plane.cost(1), plane.cost(_MEASURED_ROWS)
    seconds_per_row = max((many_rows - one_row) / _MEASURED_ROWS, _MIN_ROW_SECONDS)
    return max(0, int((_INLINE_SECONDS - one_row) / seconds_per_row))


def _record(recorded: Sequence[PendingRequest], queries: Sequence[Query], started: int) -> None:
    """Record how long requests waited, and the computation; times in nanoseconds since the epoch."""
    ended, now = time.time_ns(), time.monotonic()
    computed = {"mlmodel.batch.requests": len(queries), "mlmodel.batch.rows": sum(query.rows.size for query in queries)}
    for request in recorded:
        if request.query.trace and (span := request.query.trace.span):
            submitted = ended - int((now - request.submitted_at) * 1e9)
            span.part("queue", submitted, max(submitted, started), {})
            span.part("compute", max(submitted, started), ended, computed | {"mlmodel.rows": request.query.rows.size})


def _encoded(request: PendingRequest, outcome: Outcome) -> Any:
    if isinstance(outcome, ServeError):
        return outcome
    try:
        if isinstance(outcome, InferResponse):
            return request.encode(outcome)
    except ServeError as error:
        return error
    except Exception as error:  # it must not reach the other requests of the batch
        outcome = error
    _log.error("a request could not be computed%s", trace_suffix(request.query.trace), exc_info=outcome)
    return Failed("the server failed on this request, see its log")
