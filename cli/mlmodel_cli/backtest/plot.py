"""Draws backtests as a picture (PNG) and as a page (HTML): losses by period, what was saved, and every decision.

Not here: the tables, which the page takes over from the terminal (``summary.py``).
"""

import io
import os
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import matplotlib as mpl
from mlmodel_contract.base import parse_time
from rich.console import Console

mpl.use("Agg")  # no display is needed

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .result import BacktestResult, ScheduleResult
from .schedules import MONTHLY, NEVER
from .settings import BacktestError
from .summary import print_results, schedule_name, worth_text

_COLOURS = {
    "RunStarted": "tab:blue",
    "Promoted": "tab:green",
    "Returned": "tab:green",
    "RollbackStarted": "tab:green",
    "ChampionKept": "tab:gray",
    "Unchanged": "tab:gray",
    "Rejected": "tab:orange",
    "RunFailed": "tab:red",
    "RolloutFailed": "tab:red",
    "DataInvalid": "tab:red",
    "FeedBroken": "tab:red",
    "FeedMended": "tab:cyan",
    "DriftDetected": "tab:purple",
    "ObjectiveMissed": "tab:brown",
    "RetrainingPaused": "tab:pink",
}
_LINES, _HEIGHT, _WIDTH, _DOTS = ("--", "-.", ":"), 7.0, 13.0, 120
_DAY = 86_400  # seconds; times are drawn as days since 1970
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="UTF-8"><title>Backtest</title>
<style>{stylesheet} body {{ color: {foreground}; background: {background}; }}</style></head>
<body>
PICTURE
<pre style="font-family: monospace"><code>{code}</code></pre>
</body>
</html>
"""


def check_folder(path: Path) -> None:
    """Make the folder of the picture, before a backtest is played for it.

    Raises:
        BacktestError: it cannot be made or written.

    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        writable = os.access(path.parent, os.W_OK)
    except OSError as error:
        raise BacktestError(f"--plot {path}: the folder cannot be made ({error.strerror}): name another one") from error
    if not writable:
        raise BacktestError(f"--plot {path}: the folder cannot be written: name another one")


def save(results: Sequence[BacktestResult], path: Path) -> tuple[Path, Path]:
    """Write the picture and the page beside each other, and return their paths: that of ``path``, ending in .png and .html."""
    figure = draw(results)
    picture, page = path.with_suffix(".png"), path.with_suffix(".html")
    figure.savefig(picture, dpi=_DOTS)
    page.write_text(_page(results, figure))
    return picture, page


def _page(results: Sequence[BacktestResult], figure: Figure) -> str:
    """Return the picture as SVG above the tables."""
    drawing = io.StringIO()
    figure.savefig(drawing, format="svg", metadata={"Date": None})
    svg = drawing.getvalue()
    console = Console(record=True, width=180, file=io.StringIO())
    print_results(results, console)
    return console.export_html(code_format=_PAGE).replace("PICTURE", svg[svg.index("<svg") :], 1)


def draw(results: Sequence[BacktestResult]) -> Figure:
    """Draw, for each, the losses by period with every decision, and below them the running sum of what was saved."""
    figure = Figure(figsize=(_WIDTH, _HEIGHT * len(results)), layout="constrained")
    axes = figure.subplots(2 * len(results), 1, squeeze=False, height_ratios=[3, 1] * len(results))[:, 0]
    for number, result in enumerate(results):
        loss, saved = axes[2 * number], axes[2 * number + 1]
        _losses(loss, result)
        _decisions(loss, result)
        _saved(saved, result)
        for one in (loss, saved):
            one.set_xlim((result.arrived[0] - result.period) / _DAY, result.arrived[-1] / _DAY)  # room for the first words
            one.xaxis_date()
            one.grid(alpha=0.3)
    return figure


def _losses(axes: Axes, result: BacktestResult) -> None:
    middles = (result.period_starts + result.period / 2) / _DAY
    worth = f", worth {worth_text(result, result)}" if result.worth(result) is not None else ""
    label = f"{result.name}: {result.mean_loss:.4f}{worth}"
    axes.plot(middles, result.by_period(result.judgement.losses), color="black", marker=".", label=label)
    for line, schedule in zip(_LINES, _compared(result), strict=False):
        label = f"{schedule_name(result, schedule)}: {schedule.mean_loss:.4f}"
        axes.plot(middles, result.by_period(schedule.judgement.losses), linestyle=line, alpha=0.8, label=label)
    if result.bound is not None:
        axes.axhline(result.bound, color="tab:red", linewidth=1, label=f"asked: at most {result.bound:g}")
    axes.set_ylabel(f"mean {result.loss_name} of the period")
    axes.set_title(f"{result.name}: {len(result.arrived):,} rows, {result.fits} fits")
    axes.legend(loc="upper left", fontsize="small")


def _compared(result: BacktestResult) -> list[ScheduleResult]:
    """Return the best schedule, the best of one fit in four periods, and the best that never fits again."""
    found = [result.best_schedule(), result.best_schedule(MONTHLY), result.best_schedule(NEVER)]
    return list({id(schedule): schedule for schedule in found if schedule is not None}.values())


def _saved(axes: Axes, result: BacktestResult) -> None:
    """Draw the running sum of what was saved against schedules: money where a prediction has a value, else loss."""
    times, valued = result.arrived / _DAY, result.worth(result) is not None
    for every, colour in ((MONTHLY, "tab:blue"), (NEVER, "tab:green")):
        schedule = result.worthiest_schedule(every) if valued else result.best_schedule(every)
        if schedule is not None:
            money = result.saved_money(schedule)
            saved = result.saved_loss(schedule) if money is None else money
            worth = f": {worth_text(result, schedule)}" if valued else ""
            axes.plot(times, saved, color=colour, label=f"against {schedule_name(result, schedule)}{worth}")
    axes.axhline(0, color="black", linewidth=0.5)
    unit = f"{result.currency or 'worth'} saved" if valued else "loss saved"
    axes.set_ylabel(f"{unit}, running sum")
    if result.schedules:
        axes.legend(loc="upper left", fontsize="small")


def _decisions(axes: Axes, result: BacktestResult) -> None:
    """Draw a line where something was decided, in the colour of the last; the words of what changed stand along it."""
    shown = [entry for entry in result.log if entry.decision in _COLOURS]
    for time, together in groupby(shown, key=lambda entry: entry.time):
        entries = list(together)
        day, colour = parse_time(time).timestamp() / _DAY, _COLOURS[entries[-1].decision]
        axes.axvline(day, color=colour, linewidth=0.8, alpha=0.6)
        words = [f"{entry.decision} {(entry.version or '').removeprefix(f'{result.name}-')}".strip() for entry in entries]
        text = ", ".join(dict.fromkeys(word for word in words if word != "RunStarted"))
        axes.annotate(text, (day, 0.02), xycoords=("data", "axes fraction"), rotation=90, fontsize=6, color=colour, ha="right", va="bottom")
