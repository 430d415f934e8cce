"""What a backtest found: losses by row and by period, of the manifest and of schedules, with what they cost.

Not here: how it is shown (``summary.py``, ``plot.py``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from mlmodel_contract.run import Stage
from mlmodel_contract.status import LoggedDecision
from numpy.typing import NDArray

from .judging import Judgement
from .stream import Floats, Stream


@dataclass(frozen=True)
class WentLive:
    """A version, and the time in seconds since 1970 at which it went live."""

    version: str
    time: float


@dataclass(frozen=True)
class ScheduleResult:
    """A candidate that is fitted anew every so many periods (0: never), on all rows or on the newest ones alone.

    ``judgement`` is by live row, in the order of arrival.
    """

    candidate: str
    window: str
    every: int
    judgement: Judgement
    fits: int
    cpu_seconds: float

    @property
    def mean_loss(self) -> float:
        """Mean over the rows whose truth is known."""
        return mean(self.judgement.losses)


@dataclass(frozen=True)
class BacktestResult:
    """A manifest over a stream.

    ``index`` has the number of each live row in the given data, in the order of arrival, and ``judgement`` its loss and its worth, NaN
    where no version was live or the truth is missing. ``period_of`` has the number of the period that each row is in,
    ``period_starts`` when each begins, in seconds since 1970. ``bound`` is what a criterion asks of the loss, None where none does.
    ``currency`` is what amounts are in, ``price`` what an hour of a processor costs; None where nobody said so.
    """

    name: str
    loss_name: str
    index: NDArray[np.int64]
    arrived: Floats
    judgement: Judgement
    period_starts: Floats
    period_of: NDArray[np.int64]
    period: float
    bound: float | None
    currency: str
    price: float | None
    went_live: tuple[WentLive, ...]
    log: tuple[LoggedDecision, ...]
    fits: int
    cpu_seconds: float
    schedules: tuple[ScheduleResult, ...]
    notes: tuple[str, ...]

    @property
    def mean_loss(self) -> float:
        """Mean over the rows that were served and whose truth is known; NaN where there are none."""
        return mean(self.judgement.losses)

    def by_period(self, losses: Floats) -> Floats:
        """Return the mean of live rows' losses in each period; NaN where it has none."""
        known = np.isfinite(losses)
        sums = np.bincount(self.period_of[known], losses[known], len(self.period_starts))
        rows = np.bincount(self.period_of[known], minlength=len(self.period_starts))
        means: Floats = np.divide(sums, rows, out=np.full(len(sums), np.nan), where=rows > 0)
        return means

    def best_schedule(self, every: int | None = None) -> ScheduleResult | None:
        """Return the schedule with the smallest mean loss in hindsight, of one pace or of all; None where none was played."""
        return min(self._of_pace(every), key=lambda schedule: schedule.mean_loss, default=None)

    def worthiest_schedule(self, every: int | None = None) -> ScheduleResult | None:
        """Return the schedule that is worth most in hindsight, of one pace or of all; None where none has a worth."""
        valued = [(worth, schedule) for schedule in self._of_pace(every) if (worth := self.worth(schedule)) is not None]
        return max(valued, key=lambda found: found[0], default=(None, None))[1]

    def worth(self, of: "Played") -> float | None:
        """Return what the predictions of all rows that the manifest served were worth, less what the fits cost.

        None where nobody said what a prediction is worth.
        """
        by_row = self._amounts(of)
        return None if by_row is None else float(np.nansum(by_row)) - (self.cost(of) or 0.0)

    def cost(self, of: "Played") -> float | None:
        """Return what the fits cost; None where no price is given."""
        return None if self.price is None else self.price * of.cpu_seconds / 3600

    def worth_by_period(self, of: "Played") -> Floats | None:
        """Return what predictions were worth in each period, whatever the fits cost; None where nobody said what one is worth."""
        by_row = self._amounts(of)
        if by_row is None:
            return None
        sums: Floats = np.bincount(self.period_of, np.nan_to_num(by_row), len(self.period_starts)).astype(np.float64)
        return sums

    def saved_loss(self, against: ScheduleResult) -> Floats:
        """Return, by row, the running sum of the loss that was saved, on the rows that the manifest served."""
        return np.nancumsum(against.judgement.losses - self.judgement.losses)

    def saved_money(self, against: ScheduleResult) -> Floats | None:
        """Return the same in money, whatever the fits cost; None where nobody said what a prediction is worth."""
        own, theirs = self._amounts(self), self._amounts(against)
        return None if own is None or theirs is None else np.nancumsum(own - theirs)

    def _of_pace(self, every: int | None) -> list[ScheduleResult]:
        return [schedule for schedule in self.schedules if every is None or schedule.every == every]

    def _amounts(self, of: "Played") -> Floats | None:
        """Return the amounts of the rows that the manifest served, NaN elsewhere."""
        own, amounts = self.judgement.amounts, of.judgement.amounts
        return None if own is None or amounts is None else np.where(np.isfinite(own), amounts, np.nan)


Played = BacktestResult | ScheduleResult
"""What served all rows: the manifest, or a schedule."""


def mean(losses: Floats) -> float:
    """Return the mean of the losses that are known; NaN where none is."""
    return float(np.nanmean(losses)) if np.isfinite(losses).any() else float("nan")


def period_of(stream: Stream) -> NDArray[np.int64]:
    """Return the number of the period that each live row is in."""
    live = stream.arrived[stream.first_live :]
    return np.asarray(np.searchsorted(stream.period_starts(), live, side="right") - 1, dtype=np.int64)


def fits_of(results: Sequence[dict[str, Any]], folds: int) -> int:
    """Return how many models were fitted for these results of stages: what they say, else one a fold of a trial and one to package."""
    by_stage = {Stage.TRAIN.value: folds, Stage.PACKAGE.value: 1}
    return sum(result.get("fits", by_stage.get(result["stage"], 0)) for result in results)


def document(result: BacktestResult) -> dict[str, Any]:
    """Return the result for scripts, as what JSON can hold."""
    amounts = result.worth_by_period(result)
    return {
        "model": result.name,
        "loss": result.loss_name,
        "rows": len(result.judgement.losses),
        "bound": result.bound,
        "unjudged": int(np.isnan(result.judgement.losses).sum()),
        "meanLoss": _number(result.mean_loss),
        "currency": result.currency,
        **_money(result, result),
        "fits": result.fits,
        "cpuSeconds": round(result.cpu_seconds, 2),
        "wentLive": [{"version": one.version, "time": _time(one.time)} for one in result.went_live],
        "decisions": [entry.wire() for entry in result.log],
        "periods": [
            {"start": _time(start), "loss": _number(loss), "worth": None if amounts is None else float(amounts[number])}
            for number, (start, loss) in enumerate(zip(result.period_starts, result.by_period(result.judgement.losses), strict=True))
        ],
        "schedules": [
            {
                "candidate": schedule.candidate,
                "window": schedule.window,
                "every": schedule.every,
                "meanLoss": _number(schedule.mean_loss),
                **_money(result, schedule),
                "fits": schedule.fits,
                "cpuSeconds": round(schedule.cpu_seconds, 2),
                "periods": [_number(loss) for loss in result.by_period(schedule.judgement.losses)],
            }
            for schedule in result.schedules
        ],
        "notes": list(result.notes),
    }


def _money(result: BacktestResult, of: Played) -> dict[str, float | None]:
    worth, cost = result.worth(of), result.cost(of)
    return {"worth": None if worth is None else round(worth, 6), "costOfFits": None if cost is None else round(cost, 6)}


def _number(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 6)


def _time(seconds: float) -> str:
    return f"{np.datetime64(round(seconds), 's')}Z"
