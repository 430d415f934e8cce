"""Each stream through ``mlmodel backtest`` with the default policy, beside every schedule that a team could have written, and peers.

Not here: the streams, the rules of peers, and the statistics of monitoring.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from mlmodel_cli.backtest.backtest import run_backtest
from mlmodel_cli.backtest.result import BacktestResult
from mlmodel_cli.backtest.settings import BacktestSettings

from benchmarks.loop import adaptive_forest, cost_rules, drift_rules
from benchmarks.loop.fits import Rule, StreamFits, fits_under_way
from benchmarks.loop.frugal import frugal
from benchmarks.loop.streams import Stream
from benchmarks.table import Row, at_least, at_most

OURS, FRUGAL, NEVER, MONTHLY = "ours", "ours with half the fits", "never refitted", "every 4 periods"
OVER_BEST = " over the best schedule"

MOST_RATIO, MOST_RATIO_ON_FLIGHTS, MOST_MEAN, MOST_FRUGAL, MOST_FITS = 1.03, 0.99, 1.0, 1.02, 0.4
_RULES: tuple[Rule, ...] = (*drift_rules.RULES, *cost_rules.RULES)
_HINDSIGHT = re.compile(r"best recipe in hindsight ([\d.]+)")


@dataclass(frozen=True)
class Played:
    """A stream's backtests: of the default policy, and of the one that fits half as often."""

    name: str
    result: BacktestResult
    frugal: BacktestResult
    fits: StreamFits

    def rows(self) -> Iterator[Row]:
        """Yield the stream's figures, each policy's as a ratio to the best schedule in hindsight."""
        best = self.result.best_schedule()
        if best is None:
            raise ValueError(f"{self.name}: every schedule has a fit that failed")
        named = f"{best.candidate} on {best.window} every {best.every}" if best.every else f"{best.candidate}, never refitted"
        limit = MOST_RATIO_ON_FLIGHTS if self.name == "flights" else MOST_RATIO
        yield at_most(
            self._axis(OURS),
            self.result.mean_loss / best.mean_loss,
            limit,
            "ratio",
            f"{self.result.mean_loss:.4g}; {named} {best.mean_loss:.4g}",
        )
        yield at_most(self._axis(FRUGAL), self.frugal.mean_loss / best.mean_loss, MOST_FRUGAL, "ratio")
        for policy, every in ((NEVER, 0), (MONTHLY, 4)):
            if schedule := self.result.best_schedule(every):
                yield Row(
                    self._axis(policy), schedule.mean_loss / best.mean_loss, "ratio", beside=f"{schedule.candidate} on {schedule.window}"
                )
        in_hindsight = self.fits.best_of_periods
        beside = f"the best schedule: {best.mean_loss / in_hindsight:.4g}"
        yield Row(
            f"{self.name}: ours over the best fit of each period in hindsight", self.result.mean_loss / in_hindsight, "ratio", beside=beside
        )
        yield self._share("fits over refitting every recipe each period", self.result, MOST_FITS)
        yield self._share("fits with half of that budget", self.frugal, MOST_FITS / 2)
        yield from self._peers(best.mean_loss)

    def _peers(self, best: float) -> Iterator[Row]:
        """Yield what rules of others serve: with the candidate that is best on the history, and with the best recipe in hindsight."""
        chosen = self.fits.first_choice()
        for rule in _RULES:
            refits = {key: rule.refits(recipe) for key, recipe in self.fits.recipes.items()}
            losses = {key: self.fits.served(key, periods) for key, periods in refits.items()}
            hindsight = min(losses.values()) / best
            beside = f"{1 + len(refits[chosen])} fits; best recipe in hindsight {hindsight:.4g}; {rule.source}"
            yield Row(self._axis(rule.name), losses[chosen] / best, "ratio", beside=beside)
        forest = adaptive_forest.forest_loss(self.fits.stream)
        yield Row(self._axis(adaptive_forest.NAME), forest.mean / best, "ratio", beside=forest.note)

    def _share(self, what: str, result: BacktestResult, limit: float) -> Row:
        of_all = len(self.fits.recipes) * len(self.result.period_starts)
        return at_most(f"{self.name}: {what}", result.fits / of_all, limit, "ratio", f"{result.fits} of {of_all} fits")

    def _axis(self, policy: str) -> str:
        return f"{self.name}: {policy}{OVER_BEST}"


def play(stream: Stream, jobs: int) -> Played:
    """Play a stream with the default policy and with half of its fits, while so many processes make the fits of schedules."""
    settings = BacktestSettings(schedules="none", jobs=jobs)
    with fits_under_way(stream.table, stream.spec, settings) as pending:
        live = timedelta(seconds=pending.stream.end - pending.stream.start)
        result = run_backtest(stream.spec, stream.table, settings, stream.name)
        sparing = run_backtest(frugal(stream.spec, live), stream.table, settings, stream.name)
        fits = pending.made()
    return Played(stream.name, replace(result, schedules=tuple(fits.fits.results(fits.fitted))), sparing, fits)


def ratios(rows: Sequence[Row]) -> dict[str, dict[str, float]]:
    """Return each stream's ratios to its best schedule, by policy."""
    found: dict[str, dict[str, float]] = {}
    for row in rows:
        if row.axis.endswith(OVER_BEST):
            stream, policy = row.axis.removesuffix(OVER_BEST).split(": ", 1)
            found.setdefault(stream, {})[policy] = row.value
    return found


def over_all(rows: Sequence[Row]) -> Iterator[Row]:
    """Yield what the figures of all streams say together."""
    by_stream = ratios(rows)
    if not by_stream:
        return
    for policy, limit in ((OURS, MOST_MEAN), (FRUGAL, MOST_FRUGAL)):
        values = [of[policy] for of in by_stream.values()]
        yield at_most(f"mean of {len(values)} streams: {policy}{OVER_BEST}", sum(values) / len(values), limit, "ratio")
    hindsight = {row.axis: float(found[1]) for row in rows if (found := _HINDSIGHT.search(row.beside))}
    for peer in [*(rule.name for rule in _RULES), adaptive_forest.NAME]:
        met = {stream: of for stream, of in by_stream.items() if of.get(peer, float("nan")) > 0}
        ahead = sum(of[OURS] < of[peer] for of in met.values())
        strict = sum(of[OURS] < hindsight.get(f"{stream}: {peer}{OVER_BEST}", of[peer]) for stream, of in met.items())
        beside = f"{strict} where the peer had the best recipe in hindsight"
        yield at_least(f"streams on which ours loses less than {peer}", ahead, len(met) // 2 + 1, f"of {len(met)}", beside)
