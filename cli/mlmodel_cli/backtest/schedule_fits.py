"""The fits of schedules, in processes of their own beside the replay, or in this one.

Not here: what is fitted, and how schedules follow from the fits (``schedules.py``).
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import get_context

from mlmodel_contract.manifest import Candidate, Value

from .result import ScheduleResult
from .schedules import PACES, Fitted, ScheduledFits, ScheduleFit
from .stream import Stream

_of_process: list[ScheduledFits] = []  # of a worker process: the one whose fits it makes


class PendingSchedules:
    """Schedules whose fits are under way; made in this process where there is no pool."""

    def __init__(self, fits: ScheduledFits, pool: ProcessPoolExecutor | None) -> None:
        self._fits = fits
        self._wanted = fits.wanted()
        self._futures: dict[Future[Fitted], ScheduleFit] = {pool.submit(_make, one): one for one in self._wanted} if pool else {}

    @property
    def share(self) -> float:
        """The share of the fits that is done."""
        return sum(future.done() for future in self._futures) / len(self._wanted)

    def results(self, on_share: Callable[[float], None]) -> tuple[ScheduleResult, ...]:
        """Wait for all fits and return the schedules; ``on_share`` is called with the share that is done."""
        return tuple(self._fits.results(self.fitted(on_share)))

    def fitted(self, on_share: Callable[[float], None]) -> dict[ScheduleFit, Fitted]:
        """Wait for all fits and return them."""
        fitted: dict[ScheduleFit, Fitted] = {}
        for wanted, made in self._made():
            fitted[wanted] = made
            on_share(len(fitted) / len(self._wanted))
        return fitted

    def _made(self) -> Iterator[tuple[ScheduleFit, Fitted]]:
        if self._futures:
            return ((self._futures[future], future.result()) for future in as_completed(self._futures))
        return ((wanted, self._fits.make(wanted)) for wanted in self._wanted)


@contextmanager
def pending_schedules(
    stream: Stream, candidates: Sequence[Candidate], value: Value | None, jobs: int, paces: Sequence[int] = PACES, delay: float = 0.0
) -> Iterator[PendingSchedules]:
    """Start to fit the schedules in so many processes; with one they are fitted when their results are asked for.

    Args:
        stream: the rows.
        candidates: what is fitted.
        value: what a prediction is worth; None where nobody said so.
        jobs: the number of processes.
        paces: periods from one fit to the next; 0 never fits again.
        delay: seconds from the start of a fit until it serves.

    """
    with pending_fits(ScheduledFits(stream, candidates, value, paces, delay=delay), jobs) as pending:
        yield pending


@contextmanager
def pending_fits(fits: ScheduledFits, jobs: int) -> Iterator[PendingSchedules]:
    """Start to make these fits in so many processes."""
    if jobs == 1:
        yield PendingSchedules(fits, None)
        return
    pool = ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_start, initargs=(fits,))
    try:
        yield PendingSchedules(fits, pool)
    finally:
        pool.shutdown(cancel_futures=True)


def _start(fits: ScheduledFits) -> None:
    _of_process.append(fits)


def _make(wanted: ScheduleFit) -> Fitted:
    return _of_process[0].make(wanted)
