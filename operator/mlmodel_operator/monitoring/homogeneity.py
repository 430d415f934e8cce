"""The two-sample test of one feature: whether live rows fall into its slots as the training rows did.

Not here: when it is asked, and what repeated asking costs (``detector.py``).
"""

import math

import numpy as np
from mlmodel_contract.report import FeatureKind
from numpy.typing import NDArray

from .chi_square import log_survival

Counts = NDArray[np.int64]

LEAST_EXPECTED = 5.0
"""Rows that either sample must be expected to have in a slot; sparser neighbours are pooled."""

NUMERIC_GROUPS = 12
"""A number's bins are pooled to at most about this many: a few wide groups find a shift sooner than many narrow ones."""


def log_p_value(reference: Counts, live: Counts, kind: FeatureKind, tolerance: float) -> float:
    """Return the natural logarithm of the p-value of "same distribution, or one that differs by less than the tolerance".

    The statistic is the likelihood ratio G of the 2 x k table with Williams' correction. A difference of at most ``tolerance`` (Cohen's
    w; for a small shift of a number about its size in standard deviations) adds at most ``tolerance * sqrt(n M / (n + M))`` to its root,
    by the triangle inequality, so that much is taken off. ``reference`` and ``live`` are rows by slot, in the same order; both samples
    count as random.
    """
    table = _pooled(np.stack([reference, live]).astype(np.float64), kind)
    if table.shape[1] < 2:
        return 0.0
    rows, total = table.sum(1), table.sum()
    root = math.sqrt(_corrected_g(table)) - tolerance * math.sqrt(rows.prod() / total)
    return log_survival(max(root, 0.0) ** 2, table.shape[1] - 1)


def _corrected_g(table: NDArray[np.float64]) -> float:
    rows, columns, total = table.sum(1), table.sum(0), table.sum()
    expected = np.outer(rows, columns) / total
    ratio = np.divide(table, expected, out=np.ones_like(table), where=table > 0)
    g = 2 * float((table * np.log(ratio)).sum())
    degrees = table.shape[1] - 1
    williams = 1 + (total * (1 / rows).sum() - 1) * (total * (1 / columns).sum() - 1) / (6 * total * degrees)
    return max(g, 0.0) / float(williams)


def _pooled(table: NDArray[np.float64], kind: FeatureKind) -> NDArray[np.float64]:
    """Pool neighbouring slots, looking at both samples' sum alone, whose sizes say nothing about a difference between them."""
    both, total = table.sum(0), table.sum()
    if table.sum(1).min() <= 0:
        return table[:, :1]
    least = LEAST_EXPECTED * total / table.sum(1).min()
    wide = max(least, total / NUMERIC_GROUPS) if kind is FeatureKind.NUMERIC else least
    starts, size = [0], 0.0
    missing = len(both) - 1
    for slot, rows in enumerate(both):
        # Missing values are a group of their own wherever they suffice for one.
        if size >= wide or (slot == missing and min(size, rows) >= least):
            starts.append(slot)
            size = 0.0
        size += rows
    if size < least and len(starts) > 1:
        starts.pop()
    return np.asarray(np.add.reduceat(table, starts, axis=1))
