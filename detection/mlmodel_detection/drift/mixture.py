"""The evidence as a whole: a mixture over the time, the alternative and the size of a change, and what it says of each feature.

Not here: the likelihoods (``likelihood.py``, ``gamma_poisson.py``), and when evidence suffices (``detector.py``).
"""

import math
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from .alternatives import LOCATION, SPREAD, Alternatives, Floats, PairedAlternatives
from .candidate_counts import CandidateCounts
from .change_points import log_weight
from .detector_state import DriftDetectorState, FeatureChange, Segment
from .gamma_poisson import rare_evidence
from .likelihood import dense_evidence, log_sum, paired_evidence, smooth_evidence

FALSE_DISCOVERY_RATE = 0.05
"""Expected share of wrong names among the features that are said to have changed (e-BH)."""

_PAIR_SHARE = 0.3  # of a feature's own evidence, for its correlations with others
_NOTHING = -1e300  # ln of no evidence at all


@dataclass(frozen=True)
class Mixture:
    """The log evidence by candidate and alternative, weights included."""

    known: Alternatives
    segments: tuple[Segment, ...]
    counts: CandidateCounts
    parts: dict[str, Floats]

    @classmethod
    def from_state(cls, known: Alternatives, state: DriftDetectorState, tolerance: float, scales: int) -> "Mixture":
        """Compute the evidence of all that the state holds."""
        counts = CandidateCounts.from_segments(state.segments)
        weights = np.array([log_weight(segment.start, state.buckets, scales) for segment in state.segments])[:, None]
        parts = {
            "smooth": smooth_evidence(known, counts, tolerance) + known.smooth.log_prior + weights,
            "rare": rare_evidence(known, counts, tolerance) + known.rare.log_prior + weights,
        }
        if known.paired:
            parts["paired"] = paired_evidence(known, known.paired, counts, tolerance) + known.paired.log_prior + weights
        if known.dense:
            parts["dense"] = dense_evidence(known, known.dense, counts, tolerance) + known.dense.log_prior + weights
        return cls(known, state.segments, counts, parts)

    def total(self) -> float:
        """Return the ln of the e-value of "nothing changed"."""
        return float(log_sum(np.concatenate([part.ravel() for part in self.parts.values()])))

    def by_feature(self) -> Floats:
        """Return the ln of each feature's e-value: its alternatives, and its correlations with features that did not change by themselves.

        A feature that moved or spread changes its products with all others, though the others did not change.
        """
        own = self._marginal()
        paired, scored = self.known.paired, self.known.scored
        if paired is None:
            return own
        alone = own < -math.log(FALSE_DISCOVERY_RATE / len(own))
        evidence = log_sum(self.parts["paired"].T) - paired.log_prior
        by_pairs, number = np.full(len(own), -np.inf), np.zeros(len(own))
        for feature, other in ((scored[paired.first], scored[paired.second]), (scored[paired.second], scored[paired.first])):
            np.logaddexp.at(by_pairs, feature, np.where(alone[other], evidence, -np.inf))
            np.add.at(number, feature, 1)
        with_pairs = np.logaddexp(own + math.log1p(-_PAIR_SHARE), by_pairs + math.log(_PAIR_SHARE) - np.log(np.maximum(number, 1)))
        return np.where(number > 0, with_pairs, own)

    def _marginal(self) -> Floats:
        """Return the ln of the e-value of each feature's own distribution: a mixture over its alternatives."""
        smooth, rare = self.known.smooth, self.known.rare
        weight, evidence = np.zeros(len(self.known.rows)), np.full(len(self.known.rows), -np.inf)
        for group, alternatives in (("smooth", smooth), ("rare", rare)):
            np.add.at(weight, alternatives.feature, np.exp(alternatives.log_prior))
            np.logaddexp.at(evidence, alternatives.feature, log_sum(self.parts[group].T))
        marginal: Floats = np.maximum(evidence - np.log(weight), _NOTHING)
        return marginal

    def describe(self, feature: int, evidence: float) -> FeatureChange:
        """Say how a feature changed, by its strongest candidate and alternative."""
        paired, scored = self.known.paired, self.known.scored
        pairs = (scored[paired.first] == feature) | (scored[paired.second] == feature) if paired else np.zeros(0, np.bool_)
        strongest = [
            (_strongest(self.parts["smooth"], self.known.smooth.feature == feature), self._smooth_change),
            (_strongest(self.parts["rare"], self.known.rare.feature == feature), self._rare_change),
        ]
        if paired and pairs.any():
            strongest.append((_strongest(self.parts["paired"], pairs), partial(self._paired_change, paired, feature)))
        (_, at, index), describe = max(strongest, key=lambda item: item[0])
        change, size = describe(at, index)
        return FeatureChange(self.known.names[feature], evidence, float(size), change, self.segments[at].since)

    def _smooth_change(self, at: int, index: int) -> tuple[str, float]:
        change, size = self.known.smooth.changes[index], self._moved(at, index)
        if change != SPREAD:
            return change, size
        location = self._moved(at, index - 1)
        # A number that only moves by d is further from its former mean, too: by d^2 / sqrt(2) on the spread's scale.
        return (LOCATION, location) if location**2 / math.sqrt(2) >= size / 2 else (SPREAD, size)

    def _moved(self, at: int, index: int) -> float:
        """Return by how many standard deviations the mean of a smooth alternative's scores moved."""
        smooth, counts = self.known.smooth, self.counts
        feature, weights = smooth.feature[index], smooth.weights[:, index]
        before = (counts.cells_before[at] + self.known.counts) @ weights / (counts.rows_before[at] + self.known.rows[feature])
        return float(abs(counts.cells_after[at] @ weights / counts.rows_after[at] - before))

    def _rare_change(self, at: int, index: int) -> tuple[str, float]:
        rare, counts = self.known.rare, self.counts
        cell, feature = rare.cell[index], rare.feature[index]
        before = (counts.cells_before[at, cell] + rare.reference[index]) / (counts.rows_before[at] + self.known.rows[feature])
        return rare.changes[index], abs(counts.cells_after[at, cell] / counts.rows_after[at] - before) / rare.spread[index]

    def _paired_change(self, paired: PairedAlternatives, feature: int, at: int, index: int) -> tuple[str, float]:
        counts = self.counts
        first, second = self.known.scored[paired.first[index]], self.known.scored[paired.second[index]]
        before = (counts.products_before[at, index] + paired.products[index]) / (counts.rows_before[at] + self.known.rows[first])
        other = self.known.names[second if first == feature else first]
        return f"correlation with {other}", abs(counts.products_after[at, index] / counts.rows_after[at] - before)


def _strongest(part: Floats, chosen: NDArray[np.bool_]) -> tuple[float, int, int]:
    """Return the highest evidence of the chosen alternatives, its candidate and its alternative."""
    if not chosen.any():
        return -math.inf, 0, 0
    at, index = np.unravel_index(np.where(chosen, part, -np.inf).argmax(), part.shape)
    return float(part[at, index]), int(at), int(index)
