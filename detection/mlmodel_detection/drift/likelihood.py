"""The evidence for a change after each candidate time in each direction: log likelihood ratios against "nothing changed".

The reference is the training rows and the live rows before the change, and counts as random itself. All functions are pure and return
candidates x directions. ``docs/drift.md`` derives them. Not here: which candidates there are, and what the evidence adds up to.
"""

import math
from dataclasses import dataclass

import numpy as np

from .alternatives import RATIOS, SIZES, Alternatives, Dense, Floats, Paired, Places, Rare, Smooth

_MOST_NATS = 150.0  # (n h size^2 / f) above which a size is left out: smaller ones tell as much, and more exactly
_MOST_EVIDENCE = 600.0  # nats, more than any verdict needs and less than overflows
_LEAST = 1e-300
_SCALES = np.array([0.02, 0.06, 0.2])  # of the normal prior on a dense shift, in standard deviations


@dataclass(frozen=True)
class Split:
    """Live rows before and after each candidate time: row counts, counts by cell, sums of products of scores by pair (squared deviations).

    ``after`` and ``before`` have a row for each candidate.
    """

    rows_after: Floats
    rows_before: Floats
    cells_after: Floats
    cells_before: Floats
    products_after: Floats
    products_before: Floats


def smooth_evidence(known: Alternatives, split: Split, tolerance: float) -> Floats:
    """Return the evidence in the smooth directions."""
    smooth: Smooth = known.smooth
    n, shrink, ratio = _sizes(known, split, smooth.feature)
    centred = _centred(known, split, smooth.weights, ratio)
    gain = (shrink / smooth.effect)[:, :, None]
    loglik = (centred[:, :, None] * SIZES - n[:, :, None] * (smooth.cumulants + tolerance * np.abs(SIZES))) * gain
    useless = n[:, :, None] * gain * SIZES**2 > _MOST_NATS
    return mean_over_last(np.where(useless, -np.inf, loglik))


def rare_evidence(known: Alternatives, split: Split, tolerance: float) -> Floats:
    """Return the evidence in the rare slots, by the Gamma-Poisson likelihood, which stays right where few rows are expected."""
    rare: Rare = known.rare
    x = split.cells_after[:, rare.cell]
    both = x + rare.reference + split.cells_before[:, rare.cell]
    m = known.rows + split.rows_before[:, None]
    n = split.rows_after[:, None]
    allowed = (tolerance * n / (1 + n / m))[:, rare.feature] * rare.spread
    total = np.zeros(x.shape)
    for ratio in RATIOS:  # one at a time: all at once they would not fit into the processor's cache
        growth = np.log((m + n) / (m + n * np.exp(ratio)))[:, rare.feature]
        loglik = (x * ratio + both * growth - allowed * abs(ratio)) / rare.effect
        total += np.exp(np.minimum(loglik + growth if ratio > 0 else loglik, _MOST_EVIDENCE))
    return np.log(np.maximum(total, _LEAST)) - math.log(len(RATIOS))


def paired_evidence(known: Alternatives, paired: Paired, split: Split, tolerance: float) -> Floats:
    """Return the evidence in the correlations."""
    feature = known.scored[paired.first]
    n, shrink, ratio = _sizes(known, split, feature)
    after, before = split.cells_after @ known.squares, (split.cells_before + known.counts) @ known.squares
    own = after[:, paired.first] + after[:, paired.second] - ratio * (before[:, paired.first] + before[:, paired.second])
    cross = split.products_after - ratio * (split.products_before + paired.products)
    centred = own[:, :, None] * paired.own + cross[:, :, None] * paired.cross
    gain = (shrink / paired.effect)[:, :, None]
    loglik = (centred - n[:, :, None] * (paired.cumulants + tolerance * paired.spread)) * gain
    useless = n[:, :, None] * gain * paired.spread**2 > _MOST_NATS
    return mean_over_last(np.where(useless, -np.inf, loglik))


def dense_evidence(known: Alternatives, dense: Dense, split: Split, tolerance: float) -> Floats:
    """Return the evidence for a change of all locations together: candidates x 1."""
    feature = known.scored
    n, shrink, ratio = _sizes(known, split, feature)
    weights = known.smooth.weights[:, known.location]
    mean = _centred(known, split, weights, ratio) / n
    length = np.sqrt(np.maximum(np.einsum("si,ij,sj->s", mean, dense.precision, mean), 0.0))
    v = (n * shrink)[:, 0] / dense.effect
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


def _sizes(known: Alternatives, split: Split, feature: Places) -> tuple[Floats, Floats, Floats]:
    """Return rows after (candidates x 1), and by candidate and direction the shrinkage 1 / (1 + n / M) and the ratio n / M."""
    n = split.rows_after[:, None]
    ratio = n / (known.rows[feature] + split.rows_before[:, None])
    return n, 1 / (1 + ratio), ratio


def _centred(known: Alternatives, split: Split, weights: Floats, ratio: Floats) -> Floats:
    """Return the sum of scores after the candidate less that which the rows before it, training rows among them, make one expect."""
    return split.cells_after @ weights - ratio * (split.cells_before @ weights + known.counts @ weights)
