"""What the drift detector remembers: whole numbers by candidate change time, and the highest evidence so far.

Not here: how evidence is found (``mixture.py``).
"""

import math
from dataclasses import dataclass, replace

from ..counts import added
from .change_points import log_weight
from .references import CorrelationReference, FeatureReference


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
    """The rows between two candidate change times: after how many buckets it begins, when that was, and what was counted in it."""

    start: int
    since: str
    bucket: Bucket


@dataclass(frozen=True)
class Blame:
    """A feature that changed: ln of its evidence when it was highest, the size in standard deviations, what changed, and since when."""

    name: str
    evidence: float
    size: float
    change: str
    since: str


@dataclass(frozen=True)
class DriftDetectorState:
    """All that the detector has to remember, whole numbers but for the evidence.

    ``waiting`` are rows that do not fill a bucket yet; ``highest`` is the highest ln of the whole evidence so far, ``blamed`` the features
    found to have changed.
    """

    buckets: int
    segments: tuple[Segment, ...]
    waiting: Bucket
    highest: float
    blamed: tuple[Blame, ...]


def blank_memory(references: tuple[FeatureReference, ...], correlations: CorrelationReference | None = None) -> DriftDetectorState:
    """Return the memory of a detector that has seen nothing."""
    return DriftDetectorState(0, (), blank_bucket(references, correlations), 0.0, ())


def blank_bucket(references: tuple[FeatureReference, ...], correlations: CorrelationReference | None = None) -> Bucket:
    """Return a bucket of no rows."""
    return Bucket(0, (0,) * sum(len(one.counts) for one in references), (0,) * (len(correlations.products) if correlations else 0))


def kept(segments: tuple[Segment, ...], buckets: int, scales: int) -> tuple[Segment, ...]:
    """Merge what begins at a forgotten candidate into what came before it."""
    kept: list[Segment] = []
    for segment in segments:
        if kept and log_weight(segment.start, buckets, scales) == -math.inf:
            kept[-1] = replace(kept[-1], bucket=kept[-1].bucket + segment.bucket)
        else:
            kept.append(segment)
    return tuple(kept)
