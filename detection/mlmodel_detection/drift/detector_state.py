"""What the drift detector keeps between two updates: whole numbers by candidate change point, and the highest evidence so far.

It is a part of the evidence in a version's status, so the names of all fields are a file format. Not here: how evidence is computed
(``mixture.py``).
"""

import math
from dataclasses import dataclass, replace

from ..counts import added
from ..references import CorrelationReference, FeatureReference
from .change_points import log_weight


@dataclass(frozen=True)
class Bucket:
    """New live rows: how many, their counts in the slots of all features, one feature after the other, and the sums of products by pair."""

    rows: int
    cells: tuple[int, ...]
    products: tuple[int, ...] = ()

    def __add__(self, other: "Bucket") -> "Bucket":
        return Bucket(self.rows + other.rows, added(self.cells, other.cells), added(self.products, other.products))


@dataclass(frozen=True)
class Segment:
    """The rows between two candidate change points: after how many buckets it begins, when that was, and its counts."""

    start: int
    since: str
    bucket: Bucket


@dataclass(frozen=True)
class FeatureChange:
    """A feature that changed: ln of its evidence when it was highest, the size in standard deviations, what changed, and since when."""

    name: str
    evidence: float
    size: float
    change: str
    since: str


@dataclass(frozen=True)
class DriftDetectorState:
    """The state of a ``DriftDetector``, whole numbers but for the evidence.

    ``waiting`` are rows that do not fill a bucket yet; ``highest`` is the highest ln of the whole evidence so far, ``blamed`` the features
    found to have changed.
    """

    buckets: int
    segments: tuple[Segment, ...]
    waiting: Bucket
    highest: float
    blamed: tuple[FeatureChange, ...]


def initial_state(references: tuple[FeatureReference, ...], correlations: CorrelationReference | None = None) -> DriftDetectorState:
    """Return the state before the first row."""
    return DriftDetectorState(0, (), empty_bucket(references, correlations), 0.0, ())


def empty_bucket(references: tuple[FeatureReference, ...], correlations: CorrelationReference | None = None) -> Bucket:
    """Return a bucket of no rows."""
    return Bucket(0, (0,) * sum(len(one.counts) for one in references), (0,) * (len(correlations.products) if correlations else 0))


def retained_segments(segments: tuple[Segment, ...], buckets: int, scales: int) -> tuple[Segment, ...]:
    """Merge each segment that begins at a forgotten candidate into the one before it."""
    retained: list[Segment] = []
    for segment in segments:
        if retained and log_weight(segment.start, buckets, scales) == -math.inf:
            retained[-1] = replace(retained[-1], bucket=retained[-1].bucket + segment.bucket)
        else:
            retained.append(segment)
    return tuple(retained)
