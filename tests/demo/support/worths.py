"""What was served beside others, with the same loss and the same amount for every flight."""

import numpy as np
from mlmodel_cli.backtest.judging import Judgement
from mlmodel_cli.backtest.result import BacktestResult, ScheduleResult
from mlmodel_contract.status import LoggedDecision

from demo.worth import Worth
from tests.demo.support.stories import BEGAN

WEEK = 7 * 86_400.0
FLIGHTS = 10  # a week


def judgement(loss: float, weeks: int, amount: float | None) -> Judgement:
    """Return the judgement of that many weeks."""
    amounts = None if amount is None else np.full(FLIGHTS * weeks, amount)
    return Judgement(np.full(FLIGHTS * weeks, loss), amounts)


def worth(
    live: float,
    first: float = 0.6,
    monthly: float | None = 0.5,
    weeks: int = 12,
    amounts: tuple[float, float, float] | None = None,
    log: tuple[LoggedDecision, ...] = (),
) -> Worth:
    """Return what lost ``live`` a flight beside the first version alone and a monthly schedule; ``amounts`` of the three in that order."""
    own, alone, refitted = amounts or (None, None, None)
    beside = [ScheduleResult("the first version", "alone", 0, judgement(first, weeks, alone), 0, 0.0)]
    if monthly is not None:
        beside.append(ScheduleResult("linear", "all rows", 4, judgement(monthly, weeks, refitted), 3, 1.0))
    rows = FLIGHTS * weeks
    result = BacktestResult(
        name="flight-delay",
        loss_name="log loss",
        index=np.arange(rows),
        arrived=BEGAN.timestamp() + WEEK / FLIGHTS * np.arange(rows, dtype=np.float64),
        judgement=judgement(live, weeks, own),
        period_starts=BEGAN.timestamp() + WEEK * np.arange(weeks, dtype=np.float64),
        period_of=np.repeat(np.arange(weeks), FLIGHTS),
        period=WEEK,
        bound=0.6,
        currency="USD",
        price=None,
        went_live=(),
        log=log,
        fits=7,
        cpu_seconds=2.0,
        schedules=tuple(beside),
        notes=(),
    )
    return Worth(result, beside[0], "linear")
