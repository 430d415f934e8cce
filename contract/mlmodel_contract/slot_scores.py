"""The scores of a feature's slots, which trainer, sidecar and operator must agree on to the bit.

Pure, from the training rows by slot alone. Not here: who counts rows, and what is concluded from sums of scores.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

SCORE_UNIT = 16
"""A score is a whole number of so many parts of a standard deviation, so that sums of products are exact under any split of the rows."""

MOST_SCORE = 127
"""Scores are clipped here, so that one fits into a byte."""

FREQUENT = 0.1
"""Share above which a category is tested like a number; below it the normal approximation is not to be relied on."""

CORRELATION_CHANGES = tuple(sign * size for sign in (1, -1) for size in (0.08, 0.16, 0.32, 0.64, 1.28))
"""Changes of a correlation that are looked for, in Fisher's z, whose unit is the same at each correlation."""

_MOST_CORRELATION = 0.98  # beyond it a pair is taken as correlated so much, lest one of the two be reckoned a copy of the other
_NORMAL = NormalDist()


def slot_probabilities(counts: Sequence[int]) -> list[float]:
    """Return the probability of each slot, by the training rows and half a row more in each, so that none is impossible."""
    total = sum(counts) + 0.5 * len(counts)
    return [(count + 0.5) / total for count in counts]


def location_scores(counts: Sequence[int]) -> list[int]:
    """Return the score of each slot of a numeric feature: the mean of a standard normal variable in it, standardised, in whole units.

    ``counts`` are training rows by slot; the last slot, missing values, has score 0.

    >>> location_scores([50, 50, 0])
    [-16, 16, 0]
    """
    normal = _normal_slots(slot_probabilities(counts[:-1]))
    probabilities = slot_probabilities(counts)
    standard = standardised([mean for mean, _ in normal] + [0.0], probabilities)
    return [min(MOST_SCORE, max(-MOST_SCORE, round(SCORE_UNIT * score))) for score in standard[:-1]] + [0]


def spread_scores(counts: Sequence[int]) -> list[float]:
    """Return the mean of the square of a standard normal variable in each slot, less 1, standardised; 0 for missing values."""
    normal = _normal_slots(slot_probabilities(counts[:-1]))
    return standardised([square - 1 for _, square in normal] + [0.0], slot_probabilities(counts))


def standardised(values: Sequence[float], probabilities: Sequence[float]) -> list[float]:
    """Shift and scale values to mean 0 and variance 1 under the probabilities; constant values become zeros."""
    mean = sum(p * value for p, value in zip(probabilities, values, strict=True))
    variance = sum(p * (value - mean) ** 2 for p, value in zip(probabilities, values, strict=True))
    return [(value - mean) / math.sqrt(variance) if variance > 0 else 0.0 for value in values]


def _normal_slots(probabilities: Sequence[float]) -> list[tuple[float, float]]:
    """Return E[Z] and E[Z^2] of a standard normal variable within each of neighbouring intervals of these probabilities."""
    moments = []
    below, density, moment = 0.0, 0.0, 0.0  # at the lower end: its distribution function, density, and value times density
    for probability in probabilities:
        below = min(below + probability, 1.0)
        inside = below < 1 - 1e-12
        value = _NORMAL.inv_cdf(below) if inside else 0.0
        upper, product = (_NORMAL.pdf(value), value * _NORMAL.pdf(value)) if inside else (0.0, 0.0)
        moments.append(((density - upper) / probability, 1 + (moment - product) / probability))
        density, moment = upper, product
    return moments


@dataclass(frozen=True)
class CorrelationAlternative:
    """A correlation that two scored features may change to, as the log likelihood ratio ``own (x^2 + y^2) + cross x y`` of two normals.

    ``mean``, ``spread`` and ``cumulant`` are, if the scores are normal and nothing changes, of the ratio its mean and standard deviation,
    and ln E exp of the centred ratio.
    """

    own: float
    cross: float
    mean: float
    spread: float
    cumulant: float


def correlation_alternatives(correlation: float) -> list[CorrelationAlternative]:
    """Return the alternatives to a correlation, one for each of ``CORRELATION_CHANGES``.

    >>> [round(change.cumulant, 2) for change in correlation_alternatives(0.3)][3:5]
    [0.37, 2.83]
    """
    known = min(_MOST_CORRELATION, max(-_MOST_CORRELATION, correlation))
    return [_alternative(known, math.tanh(math.atanh(known) + change)) for change in CORRELATION_CHANGES]


def _alternative(known: float, other: float) -> CorrelationAlternative:
    determinant, changed = 1 - known**2, 1 - other**2
    own = -0.5 * (1 / changed - 1 / determinant)
    cross = other / changed - known / determinant
    mean = 2 * own + cross * known
    # Half the trace of (A S A S), where -A / 2 is the matrix of the quadratic form and S the covariance.
    diagonal, beside = -2 * own - cross * known, -2 * own * known - cross
    variance = diagonal**2 + beside * (-cross - 2 * own * known)
    return CorrelationAlternative(own, cross, mean, math.sqrt(max(variance, 0.0)), 0.5 * math.log(changed / determinant) - mean)
