"""Confidence bounds of a mean: time-uniform for live rows that are looked at for ever, and normal for a holdout that is looked at once.

Not here: which means are bounded, and what follows from it.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist


@dataclass(frozen=True)
class Mean:
    """The mean of ``rows`` values with the variance of one value; ``rows`` is smaller where rows depend on each other."""

    value: float
    variance: float
    rows: float


def uniform_margin(mean: Mean, level: float, target: float) -> float:
    """Return the distance of a one-sided confidence sequence from the mean.

    The probability that the true mean is ever further away, on the one side, is ``level``, however often one looks: the asymptotic
    confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (one-sided, Robbins' normal mixture). It is narrowest, for its
    level, near ``target`` rows.
    """
    if mean.rows <= 0:
        return math.inf
    doubt = -2 * math.log(2 * level) if level < 0.25 else 1.0
    rho_squared = (doubt + math.log(doubt + 1)) / target
    information = mean.rows * rho_squared + 1
    growth = math.log(1 + math.sqrt(information) / (2 * level))
    return math.sqrt(2 * mean.variance * information * growth / rho_squared) / mean.rows


def fixed_margin(mean: Mean, level: float) -> float:
    """Return the distance of the one-sided normal confidence bound from the mean, valid for one look."""
    if mean.rows <= 0:
        return math.inf
    return NormalDist().inv_cdf(1 - level) * math.sqrt(mean.variance / mean.rows)
