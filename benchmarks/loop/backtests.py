"""Each stream through ``mlmodel backtest`` with the default policy, beside every schedule that a team could have written.

Not here: the streams, and the statistics of monitoring.
"""

import logging
import math
from dataclasses import dataclass
from pathlib import Path

from mlmodel_cli.backtest.backtest import run_backtest
from mlmodel_cli.backtest.result import BacktestResult
from mlmodel_cli.backtest.settings import BacktestSettings
from rich.console import Console

from benchmarks.loop.streams import SHARED, SIMULATED, load
from benchmarks.table import Row, at_most

MOST_RATIO, MOST_RATIO_ON_FLIGHTS, MOST_MEAN, MOST_FITS = 1.03, 0.99, 1.0, 0.4
_RECIPES = 4  # both kinds on both windows


@dataclass(frozen=True)
class Played:
    """A stream's backtest."""

    name: str
    result: BacktestResult

    @property
    def ratio(self) -> float:
        """The mean loss over that of the best schedule in hindsight."""
        best = self.result.best_schedule()
        return self.result.mean_loss / best.mean_loss if best else math.nan

    @property
    def fits_share(self) -> float:
        """Fits over refitting every recipe each period."""
        return self.result.fits / (_RECIPES * len(self.result.period_starts))

    def rows(self) -> list[Row]:
        """Return the stream's figures."""
        best, never, monthly = self.result.best_schedule(), self.result.best_schedule(0), self.result.best_schedule(4)
        beside = f"ours {self.result.mean_loss:.4g}"
        if best and never and monthly:
            named = f"{best.candidate} on {best.window} every {best.every}" if best.every else f"{best.candidate}, never refitted"
            beside += f"; {named} {best.mean_loss:.4g}; every 4 {monthly.mean_loss:.4g}; never {never.mean_loss:.4g}"
        limit = MOST_RATIO_ON_FLIGHTS if self.name == "flights" else MOST_RATIO
        return [
            at_most(f"{self.name}: loss over the best schedule in hindsight", self.ratio, limit, "ratio", beside),
            at_most(
                f"{self.name}: fits over refitting every recipe each period",
                self.fits_share,
                MOST_FITS,
                "ratio",
                f"{self.result.fits} fits",
            ),
        ]


def play_all(names: list[str] | None, data: Path | None, jobs: int) -> list[Row]:
    """Play the streams of these names, by default all that can be read; return their figures and the mean ratio."""
    logging.disable(logging.INFO)  # the trainer's own words
    names = names or ["flights", *(SHARED if data else ()), *SIMULATED]
    rows, ratios = [], []
    for name in names:
        stream = load(name, data)
        played = Played(name, run_backtest(stream.spec, stream.table, BacktestSettings(schedules="all", jobs=jobs), name))
        rows += played.rows()
        ratios.append(played.ratio)
        Console().print(f"{name}: {played.ratio:.4f} of the best schedule, {played.result.fits} fits")
    return [*rows, at_most("mean of all streams: loss over the best schedule", sum(ratios) / len(ratios), MOST_MEAN, "ratio")]
