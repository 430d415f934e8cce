"""Live rows before and after each candidate change point: what all evidence is computed from.

Not here: likelihoods (``likelihood.py``, ``gamma_poisson.py``), and which candidates there are (``change_points.py``).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from mlmodel_contract.slot_scores import SCORE_UNIT

from .alternatives import Floats
from .detector_state import Segment


@dataclass(frozen=True)
class CandidateCounts:
    """Row counts, counts by cell, and sums of products of scores by pair (squared standard deviations), after and before each candidate.

    Rows: (candidates,); cells: candidates x cells; products: candidates x pairs.
    """

    rows_after: Floats
    rows_before: Floats
    cells_after: Floats
    cells_before: Floats
    products_after: Floats
    products_before: Floats

    @classmethod
    def from_segments(cls, segments: Sequence[Segment]) -> "CandidateCounts":
        """Return the counts of the segments, each of which begins at a candidate."""
        rows = np.array([segment.bucket.rows for segment in segments], np.float64)
        cells = np.array([segment.bucket.cells for segment in segments], np.float64)
        products = np.array([segment.bucket.products for segment in segments], np.float64) / SCORE_UNIT**2
        return cls(*(part for counts in (rows, cells, products) for part in _after_and_before(counts)))


def _after_and_before(counts: Floats) -> tuple[Floats, Floats]:
    before = np.cumsum(counts, axis=0) - counts
    return counts.sum(axis=0) - before, before
