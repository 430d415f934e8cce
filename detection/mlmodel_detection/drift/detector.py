"""The drift detector: live rows against the training rows, watched for a version's whole life.

``update`` takes a bucket of new rows and returns a typed verdict; ``memory`` is all that has to be kept. Evidence is a mixture, over the
time, direction and size of a change, of likelihood ratios against "nothing changed": an e-process, whose chance of ever reaching 1 / alpha
is alpha if nothing changes. Not here: reports, pods and labels. The mathematics and its limits: ``docs/drift.md``.
"""

import math
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from .alternatives import Floats, directions_of
from .change_points import scales_for
from .detector_state import Blame, Bucket, DriftDetectorState, Segment, blank_bucket, blank_memory, kept
from .mixture import BLAME_RATE, Mixture
from .references import CorrelationReference, FeatureReference

BUCKET_ROWS = 25
"""New rows that wait until there are so many, lest a quiet version be judged by the row."""

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
    """The state, the ln of the evidence that it rests on, and the features blamed, strongest first."""

    state: DriftState
    evidence: float
    features: tuple[Blame, ...]

    @property
    def severe(self) -> bool:
        """Whether a change is so large that it matters without asking for its harm."""
        return self.state is DriftState.CONFIRMED and any(feature.size >= SEVERE for feature in self.features)


class DriftDetector:
    """Weighs the evidence for a change at any time, in any direction and of any size, and corrects for looking for ever.

    Args:
        references: the features in the order of the buckets' cells.
        false_alarm_probability: of ``CONFIRMED`` at any time, if nothing changed; ``SUSPECTED`` has ten times as much.
        tolerance: a change, in standard deviations, that never counts.
        correlations: of the numbers among the features, None where they are not watched.
        memory: of an earlier detector of the same features, which this one goes on from.

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
        memory: DriftDetectorState | None = None,
    ) -> None:
        self.references = references
        self.false_alarm_probability = false_alarm_probability
        self.tolerance = tolerance
        self.correlations = correlations
        self.memory = memory or blank_memory(references, correlations)
        self._scales = scales_for(len(self.memory.waiting.cells) + len(self.memory.waiting.products))

    def update(self, bucket: Bucket, since: str = "") -> DriftVerdict:
        """Add the bucket's rows, weigh them where there are enough, and return the verdict on all rows so far.

        ``since`` is when the bucket's rows began to come, as it is to be shown.
        """
        if bucket.rows == 0:
            return self.verdict()
        waiting = self.memory.waiting + bucket
        if waiting.rows < BUCKET_ROWS:
            self.memory = replace(self.memory, waiting=waiting)
            return self.verdict()
        memory = self.memory
        buckets = memory.buckets + 1
        segments = kept((*memory.segments, Segment(memory.buckets, since, waiting)), buckets, self._scales)
        blank = blank_bucket(self.references, self.correlations)
        self.memory = replace(memory, buckets=buckets, segments=segments, waiting=blank)
        self._weigh()
        return self.verdict()

    def verdict(self) -> DriftVerdict:
        """Return the verdict on the rows so far."""
        highest = max(self.memory.highest, 0.0)
        if highest < self._suspected():
            return DriftVerdict(DriftState.NONE, highest, ())
        state = DriftState.CONFIRMED if highest >= math.log(1 / self.false_alarm_probability) else DriftState.SUSPECTED
        return DriftVerdict(state, highest, tuple(sorted(self.memory.blamed, key=lambda blame: -blame.evidence)))

    def _suspected(self) -> float:
        return math.log(1 / min(0.5, 10 * self.false_alarm_probability))

    def _weigh(self) -> None:
        known = directions_of(self.references, self.correlations)
        evidence = Mixture.of(known, self.memory, self.tolerance, self._scales)
        total, by_feature = evidence.total(), evidence.by_feature()
        if not math.isfinite(total) or not np.isfinite(by_feature).all():
            raise ArithmeticError(f"the evidence for drift is no number (features {[one.name for one in self.references]})")
        highest = max(self.memory.highest, total)
        self.memory = replace(self.memory, highest=highest)
        if highest >= self._suspected():
            blamed = {blame.name: blame for blame in self.memory.blamed}
            for feature in e_bh(by_feature, BLAME_RATE):
                blame = evidence.blame(feature, float(by_feature[feature]))
                before = blamed.get(blame.name)
                blamed[blame.name] = blame if before is None or blame.evidence > before.evidence else before
            self.memory = replace(self.memory, blamed=tuple(blamed.values()))


def e_bh(log_evidence: Floats, rate: float) -> list[int]:
    """Return the hypotheses that the e-BH procedure rejects at this false discovery rate, whatever their dependence.

    >>> e_bh(np.log([1.0, 500.0, 45.0, 2.0]), 0.05)
    [1, 2]
    """
    order = np.argsort(-log_evidence)
    needed = np.log(len(order) / (rate * np.arange(1, len(order) + 1)))
    passed = np.flatnonzero(log_evidence[order] >= needed)
    return sorted(order[: passed[-1] + 1].tolist()) if len(passed) else []
