"""All fits of a stream's schedules, each judged on every later period: what rules of others would have served, and the best in hindsight.

Not here: the fits themselves, which are those of ``mlmodel backtest``, and the rules (``drift_rules.py``, ``cost_rules.py``).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from mlmodel_cli.backtest.result import mean, period_of
from mlmodel_cli.backtest.schedule_fits import PendingSchedules, pending_fits
from mlmodel_cli.backtest.schedules import Fitted, ScheduledFits, ScheduleFit
from mlmodel_cli.backtest.settings import BacktestSettings
from mlmodel_cli.backtest.stream import Stream, stream_of
from mlmodel_contract.manifest import Candidate, MLModelSpec
from numpy.typing import NDArray

Floats = NDArray[np.float64]

ALL_ROWS = "all rows"
_HISTORY_SHARE = 0.8  # of the history is fitted on where its rest chooses a candidate


@dataclass(frozen=True)
class Recipe:
    """A candidate on a window of rows: what it learnt from and how its fits did, by period.

    ``losses`` is periods x periods: the mean loss, in the period of the column, of the fit made at the start of the period of the row;
    NaN before that, and where a fit failed. ``rows`` is how many live rows each period has.
    """

    stream: Stream
    learnt: Sequence[NDArray[np.int64]]
    losses: Floats
    rows: NDArray[np.int64]
    first_rows: NDArray[np.int64]


class Rule(Protocol):
    """Says at the start of which periods a recipe is fitted again; it may use what was known by then, and no more."""

    @property
    def name(self) -> str:
        """What the rule is called."""
        ...

    @property
    def source(self) -> str:
        """Where it is described."""
        ...

    def refits(self, recipe: Recipe) -> list[int]:
        """Return the periods, in rising order, without the first, at whose start everybody fits."""
        ...


@dataclass(frozen=True)
class StreamFits:
    """The fits of a stream."""

    stream: Stream
    candidates: Sequence[Candidate]
    fits: ScheduledFits
    fitted: Mapping[ScheduleFit, Fitted]

    @cached_property
    def recipes(self) -> dict[tuple[int, str], Recipe]:
        """Each candidate's number with each window, and how its fits did."""
        return {key: self._recipe(*key) for key in self.fits.recipes()}

    @property
    def best_of_periods(self) -> float:
        """The mean loss of the best fit of each period in hindsight, whenever it was made."""
        best = np.nanmin(np.stack([np.nanmin(recipe.losses, axis=0) for recipe in self.recipes.values()]), axis=0)
        return float(np.average(best, weights=self._rows))

    def served(self, key: tuple[int, str], refits: Sequence[int]) -> float:
        """Return the mean loss where a recipe is fitted at the start of these periods; a fit that fails never serves."""
        wanted = [one for period in (0, *refits) if self.fitted[one := ScheduleFit(*key, period)].judgement is not None]
        judgement = self.fits.served(wanted, [self.fitted[one] for one in wanted])
        return float("nan") if judgement is None else mean(judgement.losses)

    def first_choice(self) -> tuple[int, str]:
        """Return the candidate, on all rows, that is best on the end of the history when it is fitted on what is before."""
        stream = self.stream
        start = int(_HISTORY_SHARE * stream.first_live)
        history = replace(
            _head(stream, stream.first_live), first_live=start, period=stream.arrived[stream.first_live] - stream.arrived[start]
        )
        fits = ScheduledFits(history, self.candidates)
        made = [fits.make(ScheduleFit(number, ALL_ROWS, 0)).judgement for number in range(len(self.candidates))]
        losses = [np.inf if judgement is None else mean(judgement.losses) for judgement in made]
        return int(np.argmin(losses)), ALL_ROWS

    @cached_property
    def _periods(self) -> NDArray[np.int64]:
        return period_of(self.stream)

    @cached_property
    def _rows(self) -> NDArray[np.int64]:
        return np.bincount(self._periods, minlength=len(self.stream.period_starts()))

    def _recipe(self, candidate: int, window: str) -> Recipe:
        periods = range(len(self._rows))
        wanted = [ScheduleFit(candidate, window, period) for period in periods]
        losses = np.stack([self._by_period(self.fitted[one], one.period) for one in wanted])
        first_rows = self.stream.first_live + np.concatenate([[0], np.cumsum(self._rows)])
        return Recipe(self.stream, [self.fits.learnt(one) for one in wanted], losses, self._rows, first_rows)

    def _by_period(self, fitted: Fitted, period: int) -> Floats:
        number = len(self._rows)
        if fitted.judgement is None:
            return np.full(number, np.nan)
        losses = fitted.judgement.losses
        periods, known = self._periods[-len(losses) :], np.isfinite(losses)
        sums = np.bincount(periods[known], losses[known], number)
        counts = np.bincount(periods[known], minlength=number)
        found = np.divide(sums, counts, out=np.zeros(number), where=counts > 0)
        found[:period] = np.nan
        return found


@contextmanager
def fits_under_way(table: Any, spec: MLModelSpec, settings: BacktestSettings) -> Iterator["PendingFits"]:
    """Start to make all fits of a stream, in ``settings.jobs`` processes."""
    stream = stream_of(table, spec, settings)
    candidates = spec.training.tried if spec.training else []
    fits = ScheduledFits(stream, candidates, to_the_end=True)
    with pending_fits(fits, settings.jobs) as pending:
        yield PendingFits(stream, candidates, fits, pending)


@dataclass(frozen=True)
class PendingFits:
    """The fits of a stream while they are made."""

    stream: Stream
    candidates: Sequence[Candidate]
    fits: ScheduledFits
    pending: PendingSchedules

    def made(self) -> StreamFits:
        """Wait for them."""
        return StreamFits(self.stream, self.candidates, self.fits, self.pending.fitted(lambda _share: None))


def _head(stream: Stream, rows: int) -> Stream:
    """Return the first rows of a stream."""
    parts = {name: getattr(stream, name)[:rows] for name in ("index", "arrived", "known", "target")}
    return replace(stream, table=stream.table.slice(0, rows), **parts)
