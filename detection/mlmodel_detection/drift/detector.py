"""The drift detector: compares live rows with the training rows for a version's whole life.

``update`` takes a bucket of new rows and returns a typed verdict; ``state`` is all that has to be kept. Evidence is a mixture, over the
time, alternative and size of a change, of likelihood ratios against "nothing changed": an e-process, whose chance of ever reaching
1 / alpha is alpha if nothing changes. Not here: reports, pods and labels. The mathematics and its limits: ``docs/drift.md``.
"""

import math
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from ..references import CorrelationReference, FeatureReference
from .alternatives import Floats, build_alternatives
from .blind_spots import BlindSpot, blind_spots
from .change_points import scales_for
from .detector_state import Bucket, DriftDetectorState, FeatureChange, Segment, empty_bucket, initial_state, retained_segments
from .mixture import FALSE_DISCOVERY_RATE, Mixture

BUCKET_ROWS = 25
"""New rows that wait until there are so many, so that a quiet version is not tested row by row."""

TOLERANCE = 0.05
"""Changes below so many standard deviations never count as drift."""

SEVERE = 0.5
"""Size of a change, in standard deviations, from which on it is called severe."""


class DriftState(StrEnum):
    """What is said of the inputs and predictions."""

    NONE = "None"
    SUSPECTED = "Suspected"
    CONFIRMED = "Confirmed"


@dataclass(frozen=True)
class DriftVerdict:
    """The state, the ln of the evidence that it rests on, and the features that changed, strongest first.

    Where nothing is suspected, ``blind_spots`` are the numbers in which a severe change could not have been seen yet.
    """

    state: DriftState
    evidence: float
    features: tuple[FeatureChange, ...]
    blind_spots: tuple[BlindSpot, ...] = ()

    @property
    def severe(self) -> bool:
        """Whether a change is so large that it matters without asking for its harm."""
        return self.state is DriftState.CONFIRMED and any(feature.size >= SEVERE for feature in self.features)


class DriftDetector:
    """Tests for a change at any time, in any alternative and of any size, and corrects for being asked for ever.

    Args:
        references: the features in the order of the buckets' cells.
        false_alarm_probability: of ``CONFIRMED`` at any time, if nothing changed; ``SUSPECTED`` has ten times as much.
        tolerance: a change, in standard deviations, that never counts.
        correlations: of the numbers among the features, None where they are not tested.
        state: of an earlier detector of the same features, which this one goes on from.

    >>> from mlmodel_contract.report import FeatureKind
    >>> reference = FeatureReference("x", FeatureKind.NUMERIC, (500, 500, 0))
    >>> detector = DriftDetector((reference,), false_alarm_probability=0.01)
    >>> detector.update(Bucket(250, (125, 125, 0))).state.value
    'None'
    >>> detector.update(Bucket(250, (220, 30, 0))).state.value
    'Confirmed'

    """

    def __init__(
        self,
        references: tuple[FeatureReference, ...],
        false_alarm_probability: float,
        tolerance: float = TOLERANCE,
        correlations: CorrelationReference | None = None,
        state: DriftDetectorState | None = None,
    ) -> None:
        self.references = references
        self.false_alarm_probability = false_alarm_probability
        self.tolerance = tolerance
        self.correlations = correlations
        self.state = state or initial_state(references, correlations)
        self._scales = scales_for(len(self.state.waiting.cells) + len(self.state.waiting.products))

    def update(self, bucket: Bucket, since: str = "") -> DriftVerdict:
        """Add the bucket's rows, compute the evidence where there are enough, and return the verdict on all rows so far.

        ``since`` is when the bucket's rows began to come, as it is to be shown.
        """
        if bucket.rows == 0:
            return self.verdict()
        waiting = self.state.waiting + bucket
        if waiting.rows < BUCKET_ROWS:
            self.state = replace(self.state, waiting=waiting)
            return self.verdict()
        state = self.state
        buckets = state.buckets + 1
        segments = retained_segments((*state.segments, Segment(state.buckets, since, waiting)), buckets, self._scales)
        empty = empty_bucket(self.references, self.correlations)
        self.state = replace(state, buckets=buckets, segments=segments, waiting=empty)
        self._update_evidence()
        return self.verdict()

    def verdict(self) -> DriftVerdict:
        """Return the verdict on the rows so far."""
        highest = max(self.state.highest, 0.0)
        if highest < self._suspected():
            rows = sum(segment.bucket.rows for segment in self.state.segments)
            known = build_alternatives(self.references, self.correlations)
            unseen = blind_spots(known, rows, self.false_alarm_probability, self.tolerance, SEVERE)
            return DriftVerdict(DriftState.NONE, highest, (), unseen)
        state = DriftState.CONFIRMED if highest >= math.log(1 / self.false_alarm_probability) else DriftState.SUSPECTED
        return DriftVerdict(state, highest, tuple(sorted(self.state.blamed, key=lambda change: -change.evidence)))

    def _suspected(self) -> float:
        return math.log(1 / min(0.5, 10 * self.false_alarm_probability))

    def _update_evidence(self) -> None:
        known = build_alternatives(self.references, self.correlations)
        evidence = Mixture.from_state(known, self.state, self.tolerance, self._scales)
        total, by_feature = evidence.total(), evidence.by_feature()
        if not math.isfinite(total) or not np.isfinite(by_feature).all():
            raise ArithmeticError(f"the evidence for drift is no number (features {[one.name for one in self.references]})")
        highest = max(self.state.highest, total)
        self.state = replace(self.state, highest=highest)
        if highest >= self._suspected():
            changed = {change.name: change for change in self.state.blamed}
            for feature in e_bh(by_feature, FALSE_DISCOVERY_RATE):
                change = evidence.describe(feature, float(by_feature[feature]))
                before = changed.get(change.name)
                changed[change.name] = change if before is None or change.evidence > before.evidence else before
            self.state = replace(self.state, blamed=tuple(changed.values()))


def e_bh(log_evidence: Floats, rate: float) -> list[int]:
    """Return the hypotheses that the e-BH procedure rejects at this false discovery rate, whatever their dependence.

    >>> e_bh(np.log([1.0, 500.0, 45.0, 2.0]), 0.05)
    [1, 2]
    """
    order = np.argsort(-log_evidence)
    needed = np.log(len(order) / (rate * np.arange(1, len(order) + 1)))
    passed = np.flatnonzero(log_evidence[order] >= needed)
    return sorted(order[: passed[-1] + 1].tolist()) if len(passed) else []
