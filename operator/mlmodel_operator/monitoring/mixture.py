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

from .change_times import log_weight
from .directions import Directions, Floats, Paired
from .likelihood import Split, dense_evidence, log_sum, paired_evidence, rare_evidence, smooth_evidence
from .memory import Blame, DriftMemory, Segment

_PAIR_SHARE = 0.3  # of a feature's own evidence, for its correlations with others


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

    known: Directions
    segments: tuple[Segment, ...]
    split: Split
    parts: dict[str, Floats]

    @classmethod
    def of(cls, known: Directions, memory: DriftMemory, tolerance: float) -> "Mixture":
        """Weigh what the memory holds."""
        split = _split(memory.segments)
        weights = np.array([log_weight(segment.start, memory.buckets) for segment in memory.segments])[:, None]
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
        """Return the ln of each feature's own e-value: its directions with weights that sum to one."""
        shift = max(part.max() for part in self.parts.values())
        by_direction = {group: np.exp(np.maximum(part - shift, -700.0)).sum(axis=0) for group, part in self.parts.items()}
        smooth, rare, features = self.known.smooth, self.known.rare, len(self.known.rows)
        own = np.bincount(smooth.feature, by_direction["smooth"], features) + np.bincount(rare.feature, by_direction["rare"], features)
        weight = np.bincount(smooth.feature, np.exp(smooth.log_prior), features)
        own = own / (weight + np.bincount(rare.feature, np.exp(rare.log_prior), features))
        if self.known.paired:
            owners = self.known.scored[np.concatenate([self.known.paired.first, self.known.paired.second])]
            pairs = np.bincount(owners, np.tile(by_direction["paired"], 2) / np.exp(self.known.paired.log_prior), features)
            number = np.bincount(owners, minlength=features)
            own = np.where(number > 0, (1 - _PAIR_SHARE) * own + _PAIR_SHARE * pairs / np.maximum(number, 1), own)
        evidence: Floats = np.log(own) + shift
        return evidence

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
        smooth, split = self.known.smooth, self.split
        feature, weights = smooth.feature[place], smooth.weights[:, place]
        before = (split.cells_before[at] + self.known.counts) @ weights / (split.rows_before[at] + self.known.rows[feature])
        return smooth.changes[place], abs(split.cells_after[at] @ weights / split.rows_after[at] - before)

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
