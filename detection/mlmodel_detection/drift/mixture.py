"""The evidence as a whole: a mixture over the time, the direction and the size of a change, and what it says of each feature.

Not here: the likelihoods (``likelihood.py``), and when evidence suffices (``detector.py``).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from mlmodel_contract.scores import SCORE_UNIT
from numpy.typing import NDArray

from .alternatives import LOCATION, SPREAD, Alternatives, Floats, Paired
from .change_points import log_weight
from .detector_state import Blame, DriftDetectorState, Segment
from .likelihood import Split, dense_evidence, log_sum, paired_evidence, rare_evidence, smooth_evidence

BLAME_RATE = 0.05
"""Expected share of wrong names among the features that are blamed (e-BH)."""

_PAIR_SHARE = 0.3  # of a feature's own evidence, for its correlations with others
_NOTHING = -1e300  # ln of no evidence at all


def _split(segments: Sequence[Segment]) -> Split:
    rows = np.array([segment.bucket.rows for segment in segments], np.float64)
    cells = np.array([segment.bucket.cells for segment in segments], np.float64)
    products = np.array([segment.bucket.products for segment in segments], np.float64) / SCORE_UNIT**2
    return Split(*(part for counts in (rows, cells, products) for part in _after_and_before(counts)))


def _after_and_before(counts: Floats) -> tuple[Floats, Floats]:
    before = np.cumsum(counts, axis=0) - counts
    return counts.sum(axis=0) - before, before


@dataclass(frozen=True)
class Mixture:
    """The log evidence by candidate and direction, weights included."""

    known: Alternatives
    segments: tuple[Segment, ...]
    split: Split
    parts: dict[str, Floats]

    @classmethod
    def of(cls, known: Alternatives, memory: DriftDetectorState, tolerance: float, scales: int) -> "Mixture":
        """Weigh what the memory holds."""
        split = _split(memory.segments)
        weights = np.array([log_weight(segment.start, memory.buckets, scales) for segment in memory.segments])[:, None]
        parts = {
            "smooth": smooth_evidence(known, split, tolerance) + known.smooth.log_prior + weights,
            "rare": rare_evidence(known, split, tolerance) + known.rare.log_prior + weights,
        }
        if known.paired:
            parts["paired"] = paired_evidence(known, known.paired, split, tolerance) + known.paired.log_prior + weights
        if known.dense:
            parts["dense"] = dense_evidence(known, known.dense, split, tolerance) + known.dense.log_prior + weights
        return cls(known, memory.segments, split, parts)

    def total(self) -> float:
        """Return the ln of the e-value of "nothing changed"."""
        return float(log_sum(np.concatenate([part.ravel() for part in self.parts.values()])))

    def by_feature(self) -> Floats:
        """Return the ln of each feature's e-value: its directions, and its correlations with features that did not change by themselves.

        A feature that moved or spread changes its products with all others, which they are not to be blamed for.
        """
        own = self._marginal()
        paired, scored = self.known.paired, self.known.scored
        if paired is None:
            return own
        alone = own < -math.log(BLAME_RATE / len(own))
        evidence = log_sum(self.parts["paired"].T) - paired.log_prior
        by_pairs, number = np.full(len(own), -np.inf), np.zeros(len(own))
        for feature, other in ((scored[paired.first], scored[paired.second]), (scored[paired.second], scored[paired.first])):
            np.logaddexp.at(by_pairs, feature, np.where(alone[other], evidence, -np.inf))
            np.add.at(number, feature, 1)
        with_pairs = np.logaddexp(own + math.log1p(-_PAIR_SHARE), by_pairs + math.log(_PAIR_SHARE) - np.log(np.maximum(number, 1)))
        return np.where(number > 0, with_pairs, own)

    def _marginal(self) -> Floats:
        """Return the ln of the e-value of each feature's own distribution: a mixture over its directions."""
        smooth, rare = self.known.smooth, self.known.rare
        weight, evidence = np.zeros(len(self.known.rows)), np.full(len(self.known.rows), -np.inf)
        for group, directions in (("smooth", smooth), ("rare", rare)):
            np.add.at(weight, directions.feature, np.exp(directions.log_prior))
            np.logaddexp.at(evidence, directions.feature, log_sum(self.parts[group].T))
        marginal: Floats = np.maximum(evidence - np.log(weight), _NOTHING)
        return marginal

    def blame(self, feature: int, evidence: float) -> Blame:
        """Say how a feature changed, by its strongest candidate time and direction."""
        paired, scored = self.known.paired, self.known.scored
        pairs = (scored[paired.first] == feature) | (scored[paired.second] == feature) if paired else np.zeros(0, np.bool_)
        found = [
            (_strongest(self.parts["smooth"], self.known.smooth.feature == feature), self._smooth_change),
            (_strongest(self.parts["rare"], self.known.rare.feature == feature), self._rare_change),
        ]
        if paired and pairs.any():
            found.append((_strongest(self.parts["paired"], pairs), partial(self._paired_change, paired, feature)))
        (_, at, place), describe = max(found, key=lambda item: item[0])
        change, size = describe(at, place)
        return Blame(self.known.names[feature], evidence, float(size), change, self.segments[at].since)

    def _smooth_change(self, at: int, place: int) -> tuple[str, float]:
        change, size = self.known.smooth.changes[place], self._moved(at, place)
        if change != SPREAD:
            return change, size
        location = self._moved(at, place - 1)
        # A number that only moves by d is further from its former mean, too: by d^2 / sqrt(2) on the spread's scale.
        return (LOCATION, location) if location**2 / math.sqrt(2) >= size / 2 else (SPREAD, size)

    def _moved(self, at: int, place: int) -> float:
        """Return by how many standard deviations the mean of a smooth direction's scores moved."""
        smooth, split = self.known.smooth, self.split
        feature, weights = smooth.feature[place], smooth.weights[:, place]
        before = (split.cells_before[at] + self.known.counts) @ weights / (split.rows_before[at] + self.known.rows[feature])
        return float(abs(split.cells_after[at] @ weights / split.rows_after[at] - before))

    def _rare_change(self, at: int, place: int) -> tuple[str, float]:
        rare, split = self.known.rare, self.split
        cell, feature = rare.cell[place], rare.feature[place]
        before = (split.cells_before[at, cell] + rare.reference[place]) / (split.rows_before[at] + self.known.rows[feature])
        return rare.changes[place], abs(split.cells_after[at, cell] / split.rows_after[at] - before) / rare.spread[place]

    def _paired_change(self, paired: Paired, feature: int, at: int, place: int) -> tuple[str, float]:
        split = self.split
        first, second = self.known.scored[paired.first[place]], self.known.scored[paired.second[place]]
        before = (split.products_before[at, place] + paired.products[place]) / (split.rows_before[at] + self.known.rows[first])
        other = self.known.names[second if first == feature else first]
        return f"correlation with {other}", abs(split.products_after[at, place] / split.rows_after[at] - before)


def _strongest(part: Floats, chosen: NDArray[np.bool_]) -> tuple[float, int, int]:
    """Return the highest evidence of the chosen directions, its candidate and its direction."""
    if not chosen.any():
        return -math.inf, 0, 0
    at, place = np.unravel_index(np.where(chosen, part, -np.inf).argmax(), part.shape)
    return float(part[at, place]), int(at), int(place)
