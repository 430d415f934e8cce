"""The live version's loss over time: whether it is suspected to have risen, and since when.

Suspicion is enough for a run, which costs a minute and is followed by a comparison. It is not enough to call a person: that is what the
confirmed verdicts of ``mlmodel_detection`` are for. Not here: those, and when a run starts (``run_start.py``).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from mlmodel_contract.base import format_time
from mlmodel_contract.report import LossReference
from mlmodel_contract.status import DriftStatus, LossPoint

STANDARD_ERRORS = 4.5
"""By how many standard errors the loss has to be above what it was before.

It is looked at often, and at many times: a calm stream is suspected now and then all the same, at the cost of a run.
"""

LEAST_LABELS = 150
"""Fewer labels say nothing of the loss since a time; and by so many a feed that broke is known to be broken, which starts no run."""

LEAST_DATED = 40
"""Labels by which a rise is dated that is known by other, strict evidence: the sooner the new world is learnt."""

_LEAST_SHARE = 0.1  # of the rows that the first run had
_MOST_POINTS = 32
_LEAST_GROWTH = 1.02


@dataclass(frozen=True)
class LossRise:
    """The loss since a time is above what it was before: the means, the labels since then, and by how many standard errors."""

    since: str
    before: float
    after: float
    labels: int
    errors: float

    @property
    def limit(self) -> float:
        """The mean loss of the labels since then up to which nothing is suspected."""
        return self.before + STANDARD_ERRORS * (self.after - self.before) / self.errors

    @property
    def sentence(self) -> str:
        """What is found, with the figures."""
        return (
            f"the loss of the last {self.labels:,} labels is {self.after:.4g}, {abs(self.errors):.1f} standard errors "
            f"{'above' if self.errors >= 0 else 'below'} the {self.before:.4g} before {self.since}"
        )


def with_point(points: Sequence[LossPoint], drift: DriftStatus | None, now: datetime) -> list[LossPoint]:
    """Return the points with the present one, where enough labels came since the last; old ones are thinned out.

    Points of another version, whose labels were more, are dropped.
    """
    labels = drift.labels if drift else 0
    if drift is None or drift.loss is None or (points and points[-1].labels > labels):
        return []
    last = points[-1].labels if points else 0
    if labels < last + LEAST_LABELS // 15 or labels < last * _LEAST_GROWTH:
        return list(points)
    return _thinned([*points, LossPoint(time=format_time(now), labels=labels, loss=round(drift.loss * labels, 6))])


def find_rise(points: Sequence[LossPoint], reference: LossReference | None, least: int = LEAST_LABELS) -> LossRise | None:
    """Return the rise of the loss that is clearest, among all times that it may have begun at; None where none is clear."""
    rise = clearest_rise(points, reference, least)
    return rise if rise is not None and rise.errors > STANDARD_ERRORS else None


def least_labels(first_rows: int) -> int:
    """Return the labels that a suspicion needs, by the rows that the first run had: from fewer nothing is learnt that lasts."""
    return max(LEAST_LABELS, round(first_rows * _LEAST_SHARE))


def clearest_rise(points: Sequence[LossPoint], reference: LossReference | None, least: int = LEAST_LABELS) -> LossRise | None:
    """Return the same however clear it is, so that the loss may have fallen too; None where there are too few labels.

    A rise counts once it has ``least`` labels. What was before is the holdout's loss together with the labels until then. The variance of
    a row's loss is the holdout's, and so is its design effect.
    """
    if reference is None or not reference.rows or len(points) < 2 or reference.variance <= 0:
        return None
    last = points[-1]
    rises = [_rise(point, last, reference) for point in points[:-1] if last.labels - point.labels >= least]
    return max(rises, key=lambda rise: rise.errors, default=None)


def _rise(point: LossPoint, last: LossPoint, reference: LossReference) -> LossRise:
    labels, known = last.labels - point.labels, reference.rows + point.labels
    before = (reference.mean * reference.rows + point.loss) / known
    after = (last.loss - point.loss) / labels
    error = math.sqrt(reference.variance * reference.design_effect * (1 / labels + 1 / known))
    return LossRise(point.time, before, after, labels, (after - before) / error)


def _thinned(points: list[LossPoint]) -> list[LossPoint]:
    """Drop the point that is missed least while there are too many: the one that is closest to its neighbours, seen from now."""
    while len(points) > _MOST_POINTS:
        last = points[-1].labels
        gaps = [
            (points[index + 1].labels - points[index - 1].labels) / (last - points[index - 1].labels) for index in range(1, len(points) - 2)
        ]
        del points[1 + gaps.index(min(gaps))]
    return points
