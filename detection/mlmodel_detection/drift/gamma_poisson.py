"""The Gamma-Poisson evidence for a change of a rare slot's share, which stays right where few rows are expected.

The number of live rows in a slot is Poisson, and its rate has the Gamma posterior of the rows before the change, training rows among them.
So the log likelihood ratio of a share that is e^eta times as large is

    (x eta - (x + X) lambda) / f - 1{eta > 0} lambda,    lambda = ln((M + n e^eta) / (M + n)),

where x of n rows after the change, and X of M rows before it, are in the slot, and f is the design effect. ``docs/drift.md`` derives it.
Not here: shares of frequent categories, whose evidence is normal (``likelihood.py``).
"""

import math

import numpy as np

from .alternatives import Alternatives, Floats, RareAlternatives
from .candidate_counts import CandidateCounts

RATIOS = np.log([1.15, 1.4, 2, 4, 12, 40, 1 / 1.15, 1 / 1.4, 1 / 2, 1 / 4])
"""Log ratios (eta) by which a rare slot may become more or less frequent."""

_MOST_EVIDENCE = 600.0  # nats, more than any verdict needs and less than overflows
_LEAST = 1e-300


def rare_evidence(known: Alternatives, counts: CandidateCounts, tolerance: float) -> Floats:
    """Return the log evidence that the share of each rare slot changed: candidates x rare slots."""
    rare: RareAlternatives = known.rare
    x = counts.cells_after[:, rare.cell]
    both = x + rare.reference + counts.cells_before[:, rare.cell]
    m = known.rows + counts.rows_before[:, None]
    n = counts.rows_after[:, None]
    allowed = (tolerance * n / (1 + n / m))[:, rare.feature] * rare.spread
    effect = rare.effect * (1 + n * known.reference_error)[:, rare.feature]
    total = np.zeros(x.shape)
    for ratio in RATIOS:  # one at a time: all at once they would not fit into the processor's cache
        growth = np.log((m + n) / (m + n * np.exp(ratio)))[:, rare.feature]
        loglik = (x * ratio + both * growth - allowed * abs(ratio)) / effect
        total += np.exp(np.minimum(loglik + growth if ratio > 0 else loglik, _MOST_EVIDENCE))
    return np.log(np.maximum(total, _LEAST)) - math.log(len(RATIOS))
