"""The evidence for a change after each candidate in each alternative but rare slots: log likelihood ratios against "nothing changed".

The reference is the training rows and the live rows before the change, and counts as random itself. All functions are pure and return
candidates x alternatives. ``docs/drift.md`` derives them. Not here: rare slots (``gamma_poisson.py``), which candidates there are
(``change_points.py``), and what the evidence adds up to (``mixture.py``).
"""

import math

import numpy as np

from .alternatives import SIZES, Alternatives, DenseAlternative, Floats, Indices, PairedAlternatives, SmoothAlternatives
from .candidate_counts import CandidateCounts

_MOST_NATS = 150.0  # (n h size^2 / f) above which a size is left out: smaller ones tell as much, and more exactly
_SCALES = np.array([0.02, 0.06, 0.2])  # of the normal prior on a dense shift, in standard deviations


def smooth_evidence(known: Alternatives, counts: CandidateCounts, tolerance: float) -> Floats:
    """Return the evidence for a change of a number's location or spread, or of a frequent category's share."""
    smooth: SmoothAlternatives = known.smooth
    n, shrink, ratio = _sizes(known, counts, smooth.feature)
    centred = _centred(known, counts, smooth.weights, ratio)
    gain = (shrink / smooth.effect)[:, :, None]
    loglik = (centred[:, :, None] * SIZES - n[:, :, None] * (smooth.cumulants + tolerance * np.abs(SIZES))) * gain
    useless = n[:, :, None] * gain * SIZES**2 > _MOST_NATS
    return mean_over_last(np.where(useless, -np.inf, loglik))


def paired_evidence(known: Alternatives, paired: PairedAlternatives, counts: CandidateCounts, tolerance: float) -> Floats:
    """Return the evidence for a change of a correlation."""
    feature = known.scored[paired.first]
    n, shrink, ratio = _sizes(known, counts, feature)
    after, before = counts.cells_after @ known.squares, (counts.cells_before + known.counts) @ known.squares
    own = after[:, paired.first] + after[:, paired.second] - ratio * (before[:, paired.first] + before[:, paired.second])
    cross = counts.products_after - ratio * (counts.products_before + paired.products)
    centred = own[:, :, None] * paired.own + cross[:, :, None] * paired.cross
    gain = (shrink / paired.effect)[:, :, None]
    loglik = (centred - n[:, :, None] * (paired.cumulants + tolerance * paired.spread)) * gain
    useless = n[:, :, None] * gain * paired.spread**2 > _MOST_NATS
    return mean_over_last(np.where(useless, -np.inf, loglik))


def dense_evidence(known: Alternatives, dense: DenseAlternative, counts: CandidateCounts, tolerance: float) -> Floats:
    """Return the evidence for a change of all locations together: candidates x 1."""
    feature = known.scored
    n, shrink, ratio = _sizes(known, counts, feature)
    weights = known.smooth.weights[:, known.location]
    mean = _centred(known, counts, weights, ratio) / n
    length = np.sqrt(np.maximum(np.einsum("si,ij,sj->s", mean, dense.precision, mean), 0.0))
    v = n[:, 0] * shrink.min(axis=1) / dense.effect
    beyond = v * np.square(np.maximum(length - tolerance, 0.0))
    grown = v[:, None] * _SCALES**2
    loglik = -0.5 * len(feature) * np.log1p(grown) + 0.5 * grown / (1 + grown) * beyond[:, None]
    return mean_over_last(loglik[:, None, :])


def mean_over_last(loglik: Floats) -> Floats:
    """Return the log of the mean of exp over the last axis."""
    return log_sum(loglik) - math.log(loglik.shape[-1])


def log_sum(logs: Floats) -> Floats:
    """Return the log of the sum of exp over the last axis; of nothing but -inf, a number far below all evidence."""
    highest = np.maximum(logs.max(axis=-1, keepdims=True), -1e300)
    with np.errstate(under="ignore", divide="ignore"):
        total: Floats = np.log(np.exp(logs - highest).sum(axis=-1)) + highest[..., 0]
    return np.maximum(total, -1e300)


def _sizes(known: Alternatives, counts: CandidateCounts, feature: Indices) -> tuple[Floats, Floats, Floats]:
    """Return rows after (candidates x 1), and by candidate and alternative the shrinkage and the ratio n / M.

    The shrinkage is 1 / (1 + n / M), and smaller where the reference has an error of its own, which lasts however many rows come.
    """
    n = counts.rows_after[:, None]
    ratio = n / (known.rows[feature] + counts.rows_before[:, None])
    return n, 1 / (1 + ratio) / (1 + n * known.reference_error[feature]), ratio


def _centred(known: Alternatives, counts: CandidateCounts, weights: Floats, ratio: Floats) -> Floats:
    """Return the sum of scores after the candidate less that which the rows before it, training rows among them, make one expect."""
    return counts.cells_after @ weights - ratio * (counts.cells_before @ weights + known.counts @ weights)
