"""A world in which nothing changes: what retraining costs there, and whether a nightly schedule of equal challengers ever gives up.

Not here: streams that change (``changes.py``).
"""

from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise

from mlmodel_cli.backtest.backtest import run_backtest
from mlmodel_cli.backtest.result import BacktestResult
from mlmodel_cli.backtest.settings import BacktestSettings
from mlmodel_contract.manifest import MLModelSpec, Trigger

from benchmarks.loop.streams import simulated
from benchmarks.loop.worlds import BEFORE, ServedLosses, Serving, fresh
from benchmarks.table import Row, at_most

_SEEDS = (11, 12, 13)
_MOST_OVER_NEVER, _MOST_NIGHTLY = 1.002, 1.001
_WORSE = 1.001
_YEAR = timedelta(days=365)
_NIGHTLY_ROWS = 10_306  # hourly; the live ones are a year
_GAVE_UP = "RetrainingPaused"  # the alarm whose reason is GaveUp


def cost_of_retraining(rows: int) -> list[Row]:
    """Play the default policy where nothing changes, beside the same manifest without triggers."""
    over_never, worse, years = [], 0, 0.0
    for seed in _SEEDS:
        stream, served = simulated("none", rows, seed), ServedLosses((fresh(BEFORE),))
        settings = BacktestSettings(schedules="none")
        result = run_backtest(stream.spec, stream.table, settings, "stationary", on_live=served)
        never = run_backtest(without_triggers(stream.spec), stream.table, settings, "stationary")
        over_never.append(result.mean_loss / never.mean_loss)
        worse += worse_promotions(served.serving)
        years += float(result.arrived[-1] - result.arrived[0]) / _YEAR.total_seconds()
    beside = ", ".join(f"{ratio:.4f}" for ratio in over_never)
    return [
        at_most("stationary: loss over never retraining", sum(over_never) / len(over_never), _MOST_OVER_NEVER, "ratio", beside),
        at_most("stationary: promotions that lose more than 0.1%", worse / years, 1, "a year", f"{worse} in {years:.1f} years"),
    ]


def equal_challengers(hours: int = _NIGHTLY_ROWS) -> list[Row]:
    """Play a schedule that trains every night for a year, where nothing changes."""
    stream = simulated("none", hours, _SEEDS[0], every="1h")
    settings = BacktestSettings(schedules="none", tick=timedelta(hours=12))
    nightly = stream.spec.retraining.replace(triggers=[Trigger.SCHEDULE], schedule="0 3 * * *")
    result = run_backtest(stream.spec.replace(retraining=nightly), stream.table, settings, "nightly")
    never = run_backtest(without_triggers(stream.spec), stream.table, settings, "nightly")
    runs, paused = _count(result, "RunStarted"), _count(result, _GAVE_UP)
    return [
        at_most("equal challengers nightly for a year: times that it gave up", paused, 0, "times", f"{runs} runs"),
        at_most("equal challengers nightly for a year: loss over never", result.mean_loss / never.mean_loss, _MOST_NIGHTLY, "ratio"),
    ]


def without_triggers(spec: MLModelSpec) -> MLModelSpec:
    """Return the same manifest with nothing that starts a run after the first."""
    return spec.replace(retraining=spec.retraining.replace(triggers=[]))


def worse_promotions(serving: Sequence[Serving]) -> int:
    """Return how often what went live has an expected loss more than 0.1% above that of what it replaced."""
    return sum(after.losses[0] > _WORSE * before.losses[0] for before, after in pairwise(serving))


def _count(result: BacktestResult, decision: str) -> int:
    return sum(entry.decision == decision for entry in result.log)
