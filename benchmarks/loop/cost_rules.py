"""Retraining where it pays: CARA and UPF, rebuilt over the fits of the schedules from their abstracts and from summaries of them.

- CARA (Mahadevan and Mathioudakis, Cost-aware retraining for machine learning, Knowledge-Based Systems 2024; arXiv:2310.04216) weighs
  what staleness costs, the loss of the model that serves on the newest data, against the price of a fit. Its three forms fit again where
  that loss, or its sum since the last fit, is above a threshold, or after a fixed number of periods; which threshold or number follows
  from the costs on a first stretch of the stream.
- UPF (Regol, Schwinn, Sprague, Coates, Markovich, When to retrain a machine learning model, ICML 2025; arXiv:2505.14903) forecasts how a
  fit of period i will do in period j from the pairs that are known so far, and fits again where the cheapest future that begins with a fit
  costs less than the cheapest that does not.

Simplified: CARA's loss is not weighted by how similar queries are to the data, since both come from the same rows. UPF's forecast is linear
in i and in j - i with a spread that is the same for all pairs, so that quantiles of both futures move alike and their means decide; it has
no measure of shift among its inputs; the loss need not be bounded. On the first fifth of the periods both fit each time, which gives them
the pairs to learn from. Not here: rules that look at inputs (``drift_rules.py``).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.loop.fits import Recipe

Floats = NDArray[np.float64]

PRICE = 0.002
"""Of a period's loss on the first stretch: what a fit costs. Gains below that are none to our own policy either."""

_FIRST_SHARE = 0.2  # of the periods
_CARA, _UPF = "Mahadevan and Mathioudakis 2024", "Regol et al. 2025"

Due = Callable[[Sequence[float]], bool]
"""Says whether to fit again, of the losses in each period since the last fit."""


@dataclass(frozen=True)
class Cara:
    """CARA with one kind of rule; ``due`` makes it of its parameter, which is chosen among ``parameters`` of the first losses."""

    name: str
    due: Callable[[float], Due]
    parameters: Callable[[Floats], Floats]
    source: str = _CARA

    def refits(self, recipe: Recipe) -> list[int]:
        """See ``Rule``."""
        first, price = _first(recipe)
        known = recipe.losses[:first, :first]
        tried = self.parameters(known)
        costs = [_cost(known, _play(known, self.due(one), 0, 0), price) for one in tried.tolist()]
        cheapest = len(costs) - 1 - int(np.argmin(costs[::-1]))  # the one with the fewest fits among equals
        due = self.due(float(tried[cheapest]))
        return [*range(1, first), *_play(recipe.losses, due, first, first - 1)]


@dataclass(frozen=True)
class Upf:
    """UPF with a linear forecast."""

    name: str = "UPF"
    source: str = _UPF

    def refits(self, recipe: Recipe) -> list[int]:
        """See ``Rule``."""
        first, price = _first(recipe)
        found = list(range(1, first))
        for period in range(first, len(recipe.rows)):
            forecast = _forecast(recipe.losses, [0, *found], period)
            if _fit_pays(forecast, found[-1] if found else 0, period, price):
                found.append(period)
        return found


def _first(recipe: Recipe) -> tuple[int, float]:
    """Return how many periods the first stretch has, and the price of a fit."""
    first = max(2, round(_FIRST_SHARE * len(recipe.rows)))
    return first, PRICE * float(np.nanmean(np.diagonal(recipe.losses)[:first]))


def _play(losses: Floats, due: Due, first: int, serving: int) -> list[int]:
    """Return the refits of a rule from a period on, where a fit serves by then."""
    found: list[int] = []
    for period in range(max(first, 1), len(losses)):
        if due(losses[serving, serving:period].tolist()) and np.isfinite(losses[period, period]):
            serving = period
            found.append(period)
    return found


def _cost(losses: Floats, refits: Sequence[int], price: float) -> float:
    """Return the sum of the periods' losses and of the prices of the fits."""
    serving = np.zeros(len(losses), dtype=int)
    for period in refits:
        serving[period:] = period
    return float(np.nansum(losses[serving, np.arange(len(losses))])) + price * len(refits)


def _forecast(losses: Floats, fits: Sequence[int], period: int) -> Floats:
    """Return the loss that a fit of each period (row) will have in each (column), from the pairs of fits that are known by now."""
    made, judged = np.array([(fit, other) for fit in fits for other in range(fit, period) if np.isfinite(losses[fit, other])]).T
    weights, *_ = np.linalg.lstsq(np.stack([np.ones(len(made)), made, judged - made], axis=1), losses[made, judged], rcond=None)
    row, column = np.indices(losses.shape)
    forecast: Floats = weights[0] + weights[1] * row + weights[2] * (column - row)
    return forecast


def _fit_pays(forecast: Floats, serving: int, period: int, price: float) -> bool:
    """Say whether the cheapest future with a fit now costs less than the cheapest without; found from the end backwards."""
    number = len(forecast)
    future = np.zeros(number)  # by the fit that serves before the period
    for now in range(number - 1, period - 1, -1):
        keep = forecast[:, now] + future
        fit = price + keep[now]
        if now == period:
            return bool(fit < keep[serving])
        future = np.minimum(keep, fit)
    return False


def _last(threshold: float) -> Due:
    return lambda since: since[-1] > threshold


def _sum(threshold: float) -> Due:
    return lambda since: sum(since) > threshold


def _number(periods: float) -> Due:
    return lambda since: len(since) >= periods


def _sums(known: Floats) -> Floats:
    """Return the sums of losses that may occur since a fit, and one that never does."""
    return np.append(np.unique(np.nancumsum(known, axis=1)), np.inf)


RULES = (
    Cara("CARA, threshold", _last, lambda known: np.append(np.unique(known[np.isfinite(known)]), np.inf)),
    Cara("CARA, cumulative", _sum, _sums),
    Cara("CARA, periodic", _number, lambda known: np.append(np.arange(1.0, len(known)), np.inf)),
    Upf(),
)
