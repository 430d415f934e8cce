"""How soon the next run comes that nobody asked for: new rows it waits for, the cooldown, and the week's budget.

Where the live version was better than the one before it by what it had learnt, the next run comes sooner; where not, later. Pure. Not here:
what starts a run (``run_start.py``).
"""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

from mlmodel_contract.base import duration, format_time, parse_time
from mlmodel_contract.manifest import Budget, Retraining
from mlmodel_contract.run import ScoringResult
from mlmodel_contract.status import RetrainingStatus, RunCost
from mlmodel_contract.version import VersionScore

from ..snapshot import Snapshot

LEAST_ROWS = 50
_FIRST_SHARE = 0.15  # of the rows that the first run had, which somebody thought enough for a model
_MOST_SHARE = 0.25  # of all rows that the last run has seen
_SOONER, _LATER = 0.5, 1.25
_GAIN_ERRORS = 1.0  # standard errors by which a gain has to be there
_LEAST_GAIN = 0.002  # of the metric
_MOST_DOUBLINGS = 5
_WEEK = timedelta(days=7)


def labelled_rows(snapshot: Snapshot) -> int:
    """Return the labelled predictions of all versions."""
    return sum(version.status.drift.labels for version in snapshot.versions.values() if version.status.drift)


def due_rows(retraining: RetrainingStatus) -> int:
    """Return how many new labelled rows the trigger NewRows waits for."""
    wanted = [retraining.due_rows or first_wait(retraining), round(retraining.rows_read * _MOST_SHARE)]
    if retraining.change and any(record.recipe.since == retraining.change for record in retraining.recipes):
        wanted.append(labels_since_change(retraining))  # what they said is outdone once there are twice as many
    return max(LEAST_ROWS, min(wanted))


def labels_since_change(retraining: RetrainingStatus) -> int:
    """Return how many labels came from the last known change until the last run began."""
    return retraining.labels - retraining.change_labels


def first_wait(retraining: RetrainingStatus) -> int:
    """Return how many rows are waited for at first, and later at least but for a change."""
    return round((retraining.first_rows or retraining.rows_read) * _FIRST_SHARE)


def adapted(
    retraining: RetrainingStatus, scoring: ScoringResult, before_live: str | None, new_rows: int, cost: float | None
) -> RetrainingStatus:
    """Return the retraining status with the rows to wait for adapted to what the live version had gained over the one before it.

    Args:
        retraining: the status so far.
        scoring: the champion and earlier versions on the new rows.
        before_live: the version that was made before the live one.
        new_rows: the rows that the scores are of.
        cost: what a run costs, in the currency of the objective's value; None where it is not known.

    """
    score = next((score for score in scoring.versions if score.version == before_live), None)
    if score is None or scoring.champion is None or new_rows < LEAST_ROWS:
        return retraining
    return retraining.replace(due_rows=_worthwhile(score, cost, new_rows) or _stepped(retraining, score, abs(scoring.champion)))


def later(retraining: RetrainingStatus) -> int:
    """Return the rows to wait for after a run whose rows had nothing to teach: a quarter more."""
    return max(first_wait(retraining), round(due_rows(retraining) * _LATER))


def _stepped(retraining: RetrainingStatus, score: VersionScore, champion: float) -> int:
    gained = score.difference > _GAIN_ERRORS * math.sqrt(score.variance) and score.difference > _LEAST_GAIN * champion
    return max(1, first_wait(retraining), round(due_rows(retraining) * (_SOONER if gained else _LATER)))


def _worthwhile(score: VersionScore, cost: float | None, new_rows: int) -> int | None:
    """Return the rows between runs at which staleness costs as much as running: sqrt(2 cost rows / gain), None where money is not known.

    What is lost by waiting grows with the rows that were waited for, as an order quantity's holding cost does.
    """
    if cost is None or score.worth is None or score.worth >= 0 or cost <= 0:
        return None
    return max(1, round(math.sqrt(2 * cost * new_rows / -score.worth)))


def cooldown(retraining: Retraining, fruitless: int) -> timedelta:
    """Return the pause after a run; it doubles for each run in a row that changed nothing."""
    pause: timedelta = duration(retraining.cooldown)
    doubled: int = 1 << min(fruitless, _MOST_DOUBLINGS)
    return pause * doubled


def with_cost(costs: Sequence[RunCost], started: str, cpu_seconds: float, now: datetime) -> list[RunCost]:
    """Return the runs of the last seven days, this one added."""
    return [*_of_last_week(costs, now), RunCost(time=started, cpu_seconds=round(cpu_seconds, 1))][-200:]


def budget_free_at(retraining: Retraining, costs: Sequence[RunCost], now: datetime) -> datetime | None:
    """Return when the week's budget allows the next run; None where it does now."""
    recent = _of_last_week(costs, now)
    free: datetime | None = None
    while recent and _is_spent(retraining.budget, recent):
        free = parse_time(recent.pop(0).time) + _WEEK
    return free


def budget_sentence(retraining: Retraining, free: datetime) -> str:
    """Say that the budget is spent, and until when."""
    budget = retraining.budget
    hours = f" and {budget.cpu_hours_per_week:g} CPU hours" if budget.cpu_hours_per_week else ""
    spent = f"the week's budget of {budget.runs_per_week} runs{hours} is spent (retraining.budget)"
    return f"{spent}: the next run starts after {format_time(free)}"


def _of_last_week(costs: Sequence[RunCost], now: datetime) -> list[RunCost]:
    return [cost for cost in costs if parse_time(cost.time) > now - _WEEK]


def _is_spent(budget: Budget, costs: Sequence[RunCost]) -> bool:
    seconds, hours = sum(cost.cpu_seconds for cost in costs), budget.cpu_hours_per_week
    return len(costs) >= budget.runs_per_week or (hours is not None and seconds >= 3600 * hours)
