"""What backtests found, for people: the decisions, the losses by period, a table of manifest and schedules, and a sentence.

Not here: pictures (``plot.py``), and the document for scripts (``result.py``).
"""

from collections.abc import Sequence
from datetime import timedelta

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .result import BacktestResult, ScheduleResult

_WEEK = timedelta(days=7).total_seconds()
MONTHLY = 4
"""Periods between the fits of a monthly schedule; they are weeks, where the time allows it."""


def print_results(results: Sequence[BacktestResult], console: Console | None = None) -> None:
    """Print every backtest, and a table of all where there are several."""
    console = console or Console()
    for result in results:
        console.rule(result.name)
        console.print(_decisions(result), _periods(result), _comparison(result), sep="\n")
        for note in result.notes:
            console.print(f"Note: {note}.", soft_wrap=True)
        console.print(sentence(result), soft_wrap=True)
    if len(results) > 1:
        console.rule("all manifests")
        console.print(_manifests(results))


def sentence(result: BacktestResult) -> str:
    """Return what the manifest was worth, in one sentence."""
    others = [
        f"{name} has {best.mean_loss:.3f}"
        for name, best in ((_pace_name(result, MONTHLY), result.best_schedule(MONTHLY)), ("no retraining", result.best_schedule(0)))
        if best is not None
    ]
    where = f" where {' and '.join(others)}" if others else ""
    return f"{result.name}: this manifest would have served {result.mean_loss:.3f}{where}, with {result.fits} fits."


def schedule_name(result: BacktestResult, schedule: ScheduleResult) -> str:
    """Return a schedule's name for people."""
    pace = "never" if schedule.every == 0 else _every(result, schedule.every)
    return f"{schedule.candidate}, {schedule.window}, {pace}"


def _every(result: BacktestResult, number: int) -> str:
    unit = "week" if result.period == _WEEK else "period"
    return f"every {unit}" if number == 1 else f"every {number} {unit}s"


def _pace_name(result: BacktestResult, every: int) -> str:
    return "a monthly schedule" if result.period == _WEEK else f"a schedule of {_every(result, every)}"


def _decisions(result: BacktestResult) -> Table:
    table = Table("time", "decision", "version", "why", title="decisions")
    for entry in result.log:
        version = (entry.version or "").removeprefix(f"{result.name}-")
        table.add_row(entry.time[:16].replace("T", " "), entry.decision, version, escape(entry.message))
    return table


def _periods(result: BacktestResult) -> Table:
    """Return the losses by period, beside the best schedule of each pace."""
    paces = sorted({schedule.every for schedule in result.schedules})
    best = [schedule for every in paces if (schedule := result.best_schedule(every)) is not None]
    table = Table("period from", result.name, *(schedule_name(result, schedule) for schedule in best), title=f"mean {result.loss_name}")
    losses = [result.by_period(result.judgement.losses), *(result.by_period(schedule.judgement.losses) for schedule in best)]
    for number, start in enumerate(result.period_starts):
        day = str(np.datetime64(round(float(start)), "s"))[:16].replace("T", " ")
        table.add_row(day, *("" if np.isnan(one[number]) else f"{one[number]:.4f}" for one in losses))
    return table


def _comparison(result: BacktestResult) -> Table:
    table = Table("", f"mean {result.loss_name}", "against the manifest", "fits", "CPU seconds", title="in all")
    table.add_row(result.name, f"{result.mean_loss:.4f}", "", str(result.fits), f"{result.cpu_seconds:.1f}", style="bold")
    for schedule in sorted(result.schedules, key=lambda one: one.mean_loss):
        ratio = f"{schedule.mean_loss / result.mean_loss - 1:+.1%}"
        table.add_row(
            schedule_name(result, schedule), f"{schedule.mean_loss:.4f}", ratio, str(schedule.fits), f"{schedule.cpu_seconds:.1f}"
        )
    return table


def _manifests(results: Sequence[BacktestResult]) -> Table:
    table = Table("manifest", "mean loss", "best schedule", "over the best schedule", "never", "runs", "fits", "CPU seconds")
    for result in results:
        best, never = result.best_schedule(), result.best_schedule(0)
        table.add_row(
            result.name,
            f"{result.mean_loss:.4f}",
            f"{best.mean_loss:.4f}" if best else "",
            f"{result.mean_loss / best.mean_loss:.3f}" if best else "",
            f"{never.mean_loss:.4f}" if never else "",
            str(sum(entry.decision == "RunStarted" for entry in result.log)),
            str(result.fits),
            f"{result.cpu_seconds:.1f}",
        )
    return table
