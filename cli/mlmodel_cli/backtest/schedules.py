"""Schedules that a team could have written: each candidate, refitted every 1, 2, 4 or 8 periods or never, on all rows or the newest ones.

The trainer's own pipeline is fitted once a period on the labelled rows that are known by then, and every pace is read off the same fits.
Not here: the manifest's own decisions, and in which process a fit is made (``schedule_fits.py``).
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from mlmodel_contract.base import duration
from mlmodel_contract.bundle import BundleSchema, SchemaColumn
from mlmodel_contract.manifest import Candidate, Checks, Value
from model_server.train.data.checks import CAPTURED, clean
from model_server.train.data.training_rows import RunRows, TrainingRows
from model_server.train.fitting import fit, predict
from model_server.train.pipeline import build
from numpy.typing import NDArray

from .judging import Judgement, judge
from .result import ScheduleResult
from .stream import Stream

NEVER, MONTHLY = 0, 4
PACES = (NEVER, 1, 2, MONTHLY, 8)
"""Periods from one fit to the next. They are weeks, where the time allows it; every fourth is a monthly schedule."""

_ALL, _NEWEST = "all rows", "newest rows"
_ROW = "#row"


class ScheduleFit(NamedTuple):
    """One fit to make: a candidate, the rows it learns from, and the period at whose start it is made."""

    candidate: int
    window: str
    period: int


@dataclass(frozen=True)
class Fitted:
    """How a fit did on the live rows from its period on, those that some pace would have it serve at least; None where it failed.

    ``cpu_seconds`` are those of the fit alone.
    """

    judgement: Judgement | None
    cpu_seconds: float


class ScheduledFits:
    """Makes the fits of all schedules on one stream."""

    def __init__(
        self,
        stream: Stream,
        candidates: Sequence[Candidate],
        value: Value | None = None,
        paces: Sequence[int] = PACES,
        to_the_end: bool = False,
        delay: float = 0.0,
    ) -> None:
        """Take what all fits share.

        Args:
            stream: the rows.
            candidates: what is fitted.
            value: what a prediction is worth; None where nobody said so.
            paces: periods from one fit to the next; 0 never fits again.
            to_the_end: each fit is judged by all rows from its period on, and not by those alone that some pace would have it serve.
            delay: seconds from the start of a fit until it serves; the first one serves at once.

        """
        self._stream = stream
        self._value = value
        self._paces = paces
        self._to_the_end = to_the_end
        self._candidates = candidates
        self._usable = _usable(stream)
        self._first_rows = int(self._usable[: stream.first_live].sum())
        starts = stream.period_starts()
        self._starts = stream.first_live + np.searchsorted(stream.arrived[stream.first_live :], starts)
        self._serves = stream.first_live + np.searchsorted(stream.arrived[stream.first_live :], [starts[0], *(starts[1:] + delay)])
        self._rows = TrainingRows(stream.columns(0, len(stream)), stream.target)
        self._schema = _schema(stream)

    def wanted(self) -> list[ScheduleFit]:
        """Return all fits, those that take longest first."""
        periods = sorted({period for every in self._paces for period in self._periods(every)}, reverse=True)
        return [ScheduleFit(candidate, window, period) for period in periods for candidate, window in self.recipes()]

    def make(self, wanted: ScheduleFit) -> Fitted:
        """Fit, and judge by the rows that came later."""
        started = time.process_time()
        candidate = self._candidates[wanted.candidate]
        learnt = self.learnt(wanted)
        part = TrainingRows({name: values[learnt] for name, values in self._rows.columns.items()}, self._rows.target[learnt])
        rows = RunRows(self._schema, part, part)
        first, stop = self._serves[wanted.period], self._stop(wanted.period)
        try:
            pipeline = build(candidate.estimator, candidate.parameters, self._schema.features, seed=wanted.period + 1)
            fit(pipeline, part, rows)
            spent = time.process_time() - started
            if first == stop:  # the rows end before it serves
                return Fitted(Judgement.of_nothing(0, self._value), spent)
            predictions = predict(pipeline, self._rows.slice(first, stop), rows)
        except (ValueError, TypeError, ArithmeticError):  # such as one class alone in the newest rows
            return Fitted(None, time.process_time() - started)
        judgement = judge(self._stream, first, self._schema.classes, predictions, self._value)
        return Fitted(judgement, spent)

    def recipes(self) -> Iterator[tuple[int, str]]:
        """Yield each candidate's number with each window."""
        return ((candidate, window) for candidate in range(len(self._candidates)) for window in (_ALL, _NEWEST))

    def results(self, fitted: Mapping[ScheduleFit, Fitted]) -> Iterator[ScheduleResult]:
        """Yield each schedule, but those with a fit that failed."""
        for candidate, window in self.recipes():
            for every in self._paces:
                wanted = [ScheduleFit(candidate, window, period) for period in self._periods(every)]
                made = [fitted[one] for one in wanted]
                judgement = self.served(wanted, made)
                if judgement is not None:
                    seconds = sum(one.cpu_seconds for one in made)
                    yield ScheduleResult(self._candidates[candidate].name, window, every, judgement, len(made), seconds)

    def _periods(self, every: int) -> range:
        """Return the periods at whose start a pace fits."""
        return range(0, len(self._starts), every) if every else range(1)

    def served(self, wanted: Sequence[ScheduleFit], made: Sequence[Fitted]) -> Judgement | None:
        """Return how the live rows were judged, each predicted by the last fit before it."""
        served = Judgement.of_nothing(len(self._stream) - self._stream.first_live, self._value)
        for one, fitted in zip(wanted, made, strict=True):
            if fitted.judgement is None:
                return None
            served.put(int(self._serves[one.period]) - self._stream.first_live, fitted.judgement)
        return served

    def learnt(self, wanted: ScheduleFit) -> NDArray[np.int64]:
        """Return the rows that a fit learns from: labelled by then; the history's labels are all known."""
        stream, before = self._stream, self._starts[wanted.period]
        known = self._usable[:before].copy()
        known[stream.first_live :] &= stream.known[stream.first_live : before] <= stream.period_starts()[wanted.period]
        rows = np.flatnonzero(known)
        if wanted.window == _ALL:
            return rows
        if stream.data.window is None:
            return rows[-self._first_rows :]
        oldest = stream.arrived[rows[-1]] - duration(stream.data.window).total_seconds()
        newest: NDArray[np.int64] = rows[stream.arrived[rows] >= oldest]
        return newest

    def _stop(self, period: int) -> int:
        """Return the row up to which a fit is ever served: until the next one of the slowest pace that makes it."""
        if period == 0 or self._to_the_end:
            return len(self._stream)
        reach = period + max(every for every in self._paces if every and period % every == 0)
        return int(self._serves[reach]) if reach < len(self._serves) else len(self._stream)


def _usable(stream: Stream) -> NDArray[np.bool_]:
    """Return which rows the trainer's own cleaning would keep, whatever their share."""
    table = stream.table.append_column(CAPTURED, pa.array(np.zeros(len(stream), bool)))
    table = table.append_column(_ROW, pa.array(np.arange(len(stream))))
    data = stream.data.replace(window=None, checks=Checks(max_invalid=1.0))
    kept = clean(table, data, datetime.fromtimestamp(stream.end, UTC) + timedelta(days=1)).table[_ROW].to_numpy()
    usable = np.zeros(len(stream), bool)
    usable[kept] = True
    return usable


def _schema(stream: Stream) -> BundleSchema:
    """Return the schema with every class of the stream: a class that a fit has not learnt has the probability 0."""
    return BundleSchema(
        task=stream.task,
        features=[SchemaColumn(name=column.name, type=column.type) for column in stream.data.features],
        target=stream.data.target,
        target_type=stream.data.column(stream.data.target).type,
        classes=list(stream.classes),
    )
