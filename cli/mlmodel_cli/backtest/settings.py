"""How a backtest is played: where it starts, how fast time goes, when labels come, which schedules are played beside it.

Not here: the manifest, which says what is decided.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""Environment variables that say how many threads a process's libraries use, once these are imported."""

ScheduleChoice = Literal["all", "leader", "none"]


class BacktestError(Exception):
    """The manifest, the data or the options do not fit together; one sentence that names what is wrong and the remedy."""


@dataclass(frozen=True)
class BacktestSettings:
    """What the options of the command say; None lets the backtest choose.

    ``start`` is a share of the rows or a time; ``labels_after`` is a delay, or the column that has the time at which a label is known.
    ``period_rows`` gives rows without a time one row a minute. ``jobs`` is the number of processes that fit the schedules; with 1 they are
    fitted in this one.
    """

    start: float | str = 0.15
    tick: timedelta | None = None
    period: timedelta | None = None
    period_rows: int | None = None
    labels_after: timedelta | str = timedelta(0)
    run_takes: timedelta = timedelta(0)
    schedules: ScheduleChoice = "all"
    jobs: int = 1
