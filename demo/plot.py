"""The picture of the whole replay: loss by week, live against the first version alone, with the operator's decisions on it.

Not here: what is on the terminal.
"""

from datetime import date, timedelta
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")  # no display is needed

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from demo.scenario import MODEL
from demo.story import Story

_EPOCH = date(1970, 1, 1)
_LEAST_GAIN = 0.02  # what the lower axis always shows, so that rounding does not look like a difference
_ROOM = 0.3  # above the losses, for the words of the decisions; a share of their range
_SHOWN = {"RunStarted": "tab:blue", "Rejected": "tab:orange", "Promoted": "tab:green", "RunFailed": "tab:red", "RolloutFailed": "tab:red"}
_COLOURS = ("tab:green", "tab:purple", "tab:brown", "tab:olive", "tab:cyan", "tab:pink")


def save(story: Story, path: Path) -> None:
    """Draw the story into a PNG file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure = Figure(figsize=(12, 7), layout="constrained")
    loss, gain = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    _losses(loss, story)
    _gain(gain, story)
    _decisions(loss, story)
    totals = story.totals
    figure.suptitle(
        f"{MODEL}: {story.scenario.first:%d %b} to {story.scenario.last:%d %b %Y}, {totals.requests:,} requests, {totals.failed:,} failed"
    )
    figure.savefig(path, dpi=120)


def _losses(axes: Axes, story: Story) -> None:
    weeks = story.weeks
    middle = [week.start + timedelta(days=3) for week in weeks]
    first = [week.first if week.first is not None else float("nan") for week in weeks]
    axes.plot(_numbers(middle), first, color="grey", linestyle="--", marker=".", label="the first version alone")
    for colour, version in zip(_COLOURS * 10, sorted(story.versions), strict=False):
        served = [(day.day, day.versions[version]) for day in story.days if version in day.versions]
        by_week: dict[date, tuple[int, float]] = {}
        for day, answered in served:
            rows, total = by_week.get(story.scenario.week(day), (0, 0.0))
            by_week[story.scenario.week(day)] = (rows + answered.rows, total + answered.loss)
        if by_week:
            starts = sorted(by_week)
            values = [by_week[start][1] / by_week[start][0] for start in starts]
            axes.plot(_numbers([start + timedelta(days=3) for start in starts]), values, color=colour, marker="o", label=f"{version}, live")
    axes.set_ylabel("mean log loss of the week")
    axes.xaxis_date()
    axes.legend(loc="upper right", fontsize="small")
    axes.grid(alpha=0.3)


def _gain(axes: Axes, story: Story) -> None:
    weeks = [(week.start, round(week.first - week.live, 4)) for week in story.weeks if week.first is not None]
    colours = ["tab:green" if gain > 0 else "tab:red" for _, gain in weeks]
    axes.bar(_numbers([start + timedelta(days=3) for start, _ in weeks]), [gain for _, gain in weeks], width=5, color=colours)
    axes.axhline(0, color="black", linewidth=0.5)
    axes.set_ylabel("loss avoided")
    axes.set_ylim(min(axes.get_ylim()[0], -_LEAST_GAIN), max(axes.get_ylim()[1], _LEAST_GAIN))
    axes.grid(alpha=0.3)


def _decisions(axes: Axes, story: Story) -> None:
    """Draw a line where something was decided; its words alternate between four heights, so that neighbours stay readable."""
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + _ROOM * (high - low))
    drawn = 0
    for decision in story.decisions:
        colour = _SHOWN.get(decision.entry.decision)
        if colour is None or decision.day is None:
            continue
        x = _numbers([decision.day])[0]
        axes.axvline(x, color=colour, linewidth=1, alpha=0.8)
        text = f"{decision.entry.decision} {(decision.entry.version or '').removeprefix(f'{MODEL}-')}".strip()
        height = high + (_ROOM - 0.06 * (drawn % 4 + 1)) * (high - low)
        axes.text(x, height, f" {text}", fontsize="x-small", color=colour, ha="left")
        drawn += 1


def _numbers(days: list[date]) -> list[float]:
    """Write days as matplotlib's dates do: counted from the epoch."""
    return [float((day - _EPOCH).days) for day in days]
