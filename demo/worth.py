"""What was served beside never retraining and beside monthly schedules, flight by flight, all judged by the backtest's own code.

Not here: what of it is asked (``verdict.py``), and how it is shown (``summary.py``, ``plot.py``).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
from mlmodel_cli.backtest.backtest import bound_of
from mlmodel_cli.backtest.judging import Judgement, checked_value, judge
from mlmodel_cli.backtest.result import BacktestResult, ScheduleResult, period_of
from mlmodel_cli.backtest.schedule_fits import pending_schedules
from mlmodel_cli.backtest.schedules import MONTHLY, NEVER
from mlmodel_cli.backtest.settings import THREADS, BacktestSettings
from mlmodel_cli.backtest.stream import Stream, stream_of
from mlmodel_cli.backtest.trainer_pod import environment
from mlmodel_contract.base import format_time
from mlmodel_contract.manifest import MLModelSpec, Value
from mlmodel_contract.status import LoggedDecision
from mlmodel_contract.version import Verdict

from demo.errors import DemoError
from demo.scenario import MODEL, Scenario
from demo.story import FirstLoss, Story
from devtools.flights import TIME

_CLASSES = (False, True)
_FEWEST_FITS = 3
"""Of a schedule that is compared with: its first, and two later ones. One refit alone serves too few weeks to tell."""


@dataclass(frozen=True)
class Flights:
    """The flights that the first version learns from and those that are replayed, as the backtest has them.

    ``days`` has the day in New York of each replayed flight, ``value`` what a prediction is worth by the manifest.
    """

    spec: MLModelSpec
    stream: Stream
    days: np.ndarray
    value: Value | None

    @classmethod
    def of(cls, rows: pd.DataFrame, scenario: Scenario, spec: MLModelSpec) -> "Flights":
        """Return the scenario's flights of all ``rows``, with ``day`` and ``arrived``; the week is the period."""
        history = rows[(rows["day"] >= scenario.history_first) & (rows["day"] <= scenario.history_last)]
        replayed = rows[(rows["day"] >= scenario.first) & (rows["day"] <= scenario.last)]
        table = pa.Table.from_pandas(pd.concat([history, replayed]).drop(columns="day"), preserve_index=False)
        start = format_time(replayed[TIME].min().to_pydatetime())
        stream = stream_of(table, spec, BacktestSettings(start=start, period=timedelta(days=7), labels_after="arrived"))
        days = replayed["day"].to_numpy()[stream.index[stream.first_live :] - len(history)]
        return cls(spec, stream, days, checked_value(spec.objective.value, stream))

    def judged(self, predictions: pd.DataFrame) -> Judgement:
        """Judge what the model answered.

        Args:
            predictions: the replay's: ``row`` of the replayed flights, and ``probability`` to be late. Flights that are missing were not
                answered, and are judged NaN.

        """
        first = self.stream.first_live
        by_row = np.full(len(self.stream) - first, np.nan)
        by_row[predictions["row"].to_numpy()] = predictions["probability"].to_numpy()
        late = by_row[self.stream.index[first:] - first]
        judged = judge(self.stream, first, _CLASSES, np.column_stack([1 - late, late]), self.value)
        if judged.amounts is None:
            return judged
        return Judgement(judged.losses, np.where(np.isfinite(late), judged.amounts, np.nan))

    def by_day(self, judgement: Judgement) -> Mapping[date, FirstLoss]:
        """Return the flights and the sum of their log loss (nats) of each day."""
        losses = pd.Series(judgement.losses).groupby(self.days).agg(["size", "sum"])
        return {day: FirstLoss(int(count), float(total)) for day, count, total in losses.itertuples()}

    def schedules(self, jobs: int, delay: timedelta, on_share: Callable[[float], None]) -> tuple[ScheduleResult, ...]:
        """Fit the manifest's candidates every fourth week and never again.

        Args:
            jobs: in so many processes.
            delay: from the start of a fit until it serves, as the operator's own runs took.
            on_share: gets the share done.

        """
        candidates = self.spec.training.tried if self.spec.training else []
        one_each = dict.fromkeys(THREADS, "1")  # processes share the processors, not threads
        paces = (NEVER, MONTHLY)
        schedules = pending_schedules(self.stream, candidates, self.value, jobs, paces, delay.total_seconds())
        with environment(one_each), schedules as pending:
            return pending.results(on_share)


@dataclass(frozen=True)
class Worth:
    """What was served, beside ``first``, which is the first version alone, of ``candidate``, and beside the schedules in ``result``."""

    result: BacktestResult
    first: ScheduleResult
    candidate: str

    @property
    def monthly(self) -> ScheduleResult | None:
        """The better monthly schedule of the first version's candidate, which is what was best when a schedule would have been written."""
        monthly = [one for one in self.result.schedules if one.every == MONTHLY and one.candidate == self.candidate]
        return min(monthly, key=lambda one: one.mean_loss, default=None)

    @property
    def monthly_is_asked(self) -> bool:
        """Whether the monthly schedules are fitted often enough on these days to be compared with."""
        return len(self.result.period_starts) > MONTHLY * (_FEWEST_FITS - 1)

    def saved_loss(self, against: ScheduleResult) -> float:
        """Return the sum of the loss that was saved, nats."""
        return float(self.result.saved_loss(against)[-1])

    def saved_money(self, against: ScheduleResult) -> float | None:
        """Return the money that was saved, less what fits cost; None where the manifest does not say what a prediction is worth."""
        own, theirs = self.result.worth(self.result), self.result.worth(against)
        return None if own is None or theirs is None else own - theirs


def compare(flights: Flights, story: Story, served: Judgement, first: Judgement, schedules: tuple[ScheduleResult, ...]) -> Worth:
    """Return what was served beside the first version alone and beside schedules, by the flights that were answered.

    Raises:
        DemoError: no flight was answered.

    """
    stream = flights.stream
    if np.isnan(served.losses).all():
        raise DemoError("no flight was answered, so nothing can be compared: see the errors in the log of the Job replay")
    alone = ScheduleResult("the first version", "alone", NEVER, first, fits=0, cpu_seconds=0.0)
    result = BacktestResult(
        name=MODEL,
        loss_name="log loss",
        index=stream.index[stream.first_live :],
        arrived=stream.arrived[stream.first_live :],
        judgement=served,
        period_starts=stream.period_starts(),
        period_of=period_of(stream),
        period=stream.period,
        bound=bound_of(flights.spec.objective),
        currency=flights.value.currency if flights.value else "",
        price=flights.spec.retraining.price_per_cpu_hour,
        went_live=(),
        log=tuple(_dated(story)),
        fits=sum(run.fits for run in story.runs.values()),
        cpu_seconds=sum(run.cpu_seconds for run in story.runs.values()),
        schedules=(alone, *schedules),
        notes=stream.notes,
    )
    accepted = [version.spec for version in story.versions.values() if version.spec.decision.verdict is Verdict.ACCEPTED]
    return Worth(result, alone, next((spec.candidate or "" for spec in sorted(accepted, key=lambda spec: spec.run)), ""))


def _dated(story: Story) -> list[LoggedDecision]:
    """Return the decisions at noon of the day that was replayed then; those before the replay are of its first day."""
    days = [(decision.entry, decision.day or story.scenario.first) for decision in story.decisions]
    return [entry.replace(time=format_time(datetime.combine(day, time(12), UTC))) for entry, day in days]
