"""The picture of the whole replay, as the backtest draws: losses by week, the bound, what was saved, and every decision.

Beside what was served stand the first version alone and a monthly schedule of its candidate. Not here: what is on the terminal.
"""

from dataclasses import replace
from pathlib import Path

from mlmodel_cli.backtest.plot import draw

from demo.scenario import MODEL
from demo.story import Story
from demo.worth import Worth

_DOTS = 120


def save(story: Story, worth: Worth, path: Path) -> None:
    """Draw into a PNG file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shown = (worth.first, worth.monthly) if worth.monthly else (worth.first,)
    figure = draw([replace(worth.result, schedules=shown)])
    totals, scenario = story.totals, story.scenario
    span = f"{scenario.first:%d %b} to {scenario.last:%d %b %Y}"
    figure.suptitle(f"{MODEL}: {span}, {totals.requests:,} requests, {totals.failed:,} failed")
    figure.savefig(path, dpi=_DOTS)
