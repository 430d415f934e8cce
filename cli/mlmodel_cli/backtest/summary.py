"""What backtests found, for people: the decisions, the losses by period, a table of manifest and schedules, and a sentence.

Not here: pictures (``plot.py``), and the document for scripts (``result.py``).
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .result import BacktestResult, Played, ScheduleResult
from .schedules import MONTHLY, NEVER

_WEEK = timedelta(days=7).total_seconds()
_SMALL = 100.0  # amounts below it are shown with two decimals


def print_results(results: Sequence[BacktestResult], console: Console | None = None) -> None:
    """Print every backtest, and a table of all where there are several."""
    console = console or Console()
    for result in results:
        console.rule(result.name)
        console.print(_decisions(result), _losses(result), *_amounts(result), comparison_table(result), sep="\n")
        for note in result.notes:
            console.print(f"Note: {note}.", soft_wrap=True)
        console.print(sentence(result), soft_wrap=True)
    if len(results) > 1:
        console.rule("all manifests")
        console.print(_manifests(results))


def sentence(result: BacktestResult) -> str:
    """Return what the manifest was worth, in one sentence, and in a second one in money where a prediction has a value."""
    others = [
        f"{_pace_name(result, every)} has {best.mean_loss:.3f}"
        for every in (MONTHLY, NEVER)
        if (best := result.best_schedule(every)) is not None
    ]
    served = f"{result.name}: this manifest would have served {result.mean_loss:.3f}{_where(others)}, with {result.fits} fits."
    return f"{served}{_money_sentence(result)}"


def _money_sentence(result: BacktestResult) -> str:
    own = result.worth(result)
    if own is None:
        return ""
    others = [
        f"{_pace_name(result, every)} has {worth_text(result, best)}"
        for every in (MONTHLY, NEVER)
        if (best := result.worthiest_schedule(every)) is not None
    ]
    less = "" if result.price is None else ", less what fits cost"
    return f" It would have been worth {worth_text(result, result)}{_where(others)}{less}."


def _where(others: Sequence[str]) -> str:
    return f" where {' and '.join(others)}" if others else ""


def worth_text(result: BacktestResult, of: Played) -> str:
    """Write what the manifest or a schedule was worth, less what its fits cost; nothing where nobody said what a prediction is worth."""
    worth = result.worth(of)
    return "" if worth is None else money_text(worth, result.currency)


def money_text(amount: float, currency: str) -> str:
    """Write an amount for people."""
    return f"{amount:,.2f} {currency}".strip() if abs(amount) < _SMALL else f"{amount:,.0f} {currency}".strip()


def schedule_name(result: BacktestResult, schedule: ScheduleResult) -> str:
    """Return a schedule's name for people."""
    pace = "never" if schedule.every == NEVER else _every(result, schedule.every)
    return f"{schedule.candidate}, {schedule.window}, {pace}"


def _every(result: BacktestResult, number: int) -> str:
    unit = "week" if result.period == _WEEK else "period"
    return f"every {unit}" if number == 1 else f"every {number} {unit}s"


def _pace_name(result: BacktestResult, every: int) -> str:
    if every == NEVER:
        return "no retraining"
    return "a monthly schedule" if result.period == _WEEK else f"a schedule of {_every(result, every)}"


def _decisions(result: BacktestResult) -> Table:
    table = Table("time", "decision", "version", "why", title="decisions")
    for entry in result.log:
        version = (entry.version or "").removeprefix(f"{result.name}-")
        table.add_row(entry.time[:16].replace("T", " "), entry.decision, version, escape(entry.message))
    return table


def _losses(result: BacktestResult) -> Table:
    """Return the losses by period, beside the best schedule of each pace."""
    best = [schedule for every in _paces(result) if (schedule := result.best_schedule(every)) is not None]
    table = Table("period from", result.name, *(schedule_name(result, schedule) for schedule in best), title=f"mean {result.loss_name}")
    played: list[Played] = [result, *best]
    losses = [result.by_period(one.judgement.losses) for one in played]
    for number, start in enumerate(result.period_starts):
        table.add_row(_day(start), *("" if np.isnan(one[number]) else f"{one[number]:.4f}" for one in losses))
    return table


def _amounts(result: BacktestResult) -> Iterator[Table]:
    """Yield what predictions were worth by period, beside the worthiest schedule of each pace; nothing where they have no value."""
    best = [schedule for every in _paces(result) if (schedule := result.worthiest_schedule(every)) is not None]
    played: list[Played] = [result, *best]
    columns = [amounts for one in played if (amounts := result.worth_by_period(one)) is not None]
    if columns:
        title = f"worth in {result.currency}, before the cost of fits" if result.currency else "worth, before the cost of fits"
        table = Table("period from", result.name, *(schedule_name(result, schedule) for schedule in best), title=title)
        for number, start in enumerate(result.period_starts):
            table.add_row(_day(start), *(money_text(float(amounts[number]), "") for amounts in columns))
        yield table


def _paces(result: BacktestResult) -> list[int]:
    return sorted({schedule.every for schedule in result.schedules})


def _day(start: float) -> str:
    return str(np.datetime64(round(float(start)), "s"))[:16].replace("T", " ")


def comparison_table(result: BacktestResult, title: str = "in all") -> Table:
    """Return the manifest and all schedules with their loss, what they were worth where that is known, and what they cost."""
    valued = ["worth"] if result.worth(result) is not None else []
    table = Table("", f"mean {result.loss_name}", "against the manifest", *valued, "fits", "CPU seconds", title=title)
    played: list[Played] = [result, *sorted(result.schedules, key=lambda schedule: schedule.mean_loss)]
    for one in played:
        own = one is result
        table.add_row(
            result.name if isinstance(one, BacktestResult) else schedule_name(result, one),
            f"{one.mean_loss:.4f}",
            "" if own else f"{one.mean_loss / result.mean_loss - 1:+.1%}",
            *(worth_text(result, one) for _ in valued),
            str(one.fits),
            f"{one.cpu_seconds:.1f}",
            style="bold" if own else None,
        )
    return table


def _manifests(results: Sequence[BacktestResult]) -> Table:
    valued = ["worth", "worthiest schedule"] if any(result.worth(result) is not None for result in results) else []
    table = Table("manifest", "mean loss", "best schedule", "over the best schedule", "never", *valued, "runs", "fits", "CPU seconds")
    for result in results:
        best, never, worthiest = result.best_schedule(), result.best_schedule(NEVER), result.worthiest_schedule()
        table.add_row(
            result.name,
            f"{result.mean_loss:.4f}",
            f"{best.mean_loss:.4f}" if best else "",
            f"{result.mean_loss / best.mean_loss:.3f}" if best else "",
            f"{never.mean_loss:.4f}" if never else "",
            *((worth_text(result, result), worth_text(result, worthiest) if worthiest else "") if valued else ()),
            str(sum(entry.decision == "RunStarted" for entry in result.log)),
            str(result.fits),
            f"{result.cpu_seconds:.1f}",
        )
    return table
