"""Whether what a pod counted since its last report looks unusual, so that it is reported before the next heartbeat.

A coarse test that decides only when to report: verdicts are the operator's, from all pods' counts. Not here: counting.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from mlmodel_contract.bundle import FeatureProfile, Profile
from mlmodel_contract.live_loss import loss_sums, loss_unit
from mlmodel_contract.report import MICRO, LabelCounts, LossReference

_DOUBT = math.log(1e4)  # a feature is wrongly found unusual in one test of ten thousand
_LEAST_ROWS, _LEAST_LABELS = 25, 20
_BROKEN = 0.2  # share of values out of their range
_DEVIATIONS = 4.0


@dataclass(frozen=True)
class CountSnapshot:
    """What a pod has counted so far: rows by slot and values out of range for each feature, and its labels."""

    features: Sequence[Sequence[int]]
    outside: Sequence[int]
    labels: LabelCounts

    @property
    def rows(self) -> int:
        """All rows."""
        return sum(self.features[0]) if self.features else 0


def should_report_early(profile: Profile, now: CountSnapshot, reported: CountSnapshot) -> bool:
    """Return whether the counts since the last report differ from the training rows, or are the first of all."""
    first = (reported.rows == 0 < now.rows) or (reported.labels.rows == 0 < now.labels.rows)
    return first or any(_features(profile, now, reported)) or _loss(profile.loss, now.labels, reported.labels)


def _features(profile: Profile, now: CountSnapshot, reported: CountSnapshot) -> Iterator[bool]:
    parts = zip(profile.features, now.features, reported.features, now.outside, reported.outside, strict=True)
    for feature, live, before, outside, outside_before in parts:
        new = np.array(live) - np.array(before)
        rows = int(new.sum())
        if rows >= _LEAST_ROWS:
            yield outside - outside_before > _BROKEN * rows or _differs(feature, new, rows)


def _differs(feature: FeatureProfile, new: "np.ndarray[tuple[int], np.dtype[np.int64]]", rows: int) -> bool:
    """Pearson's chi-square of the new rows by slot, beyond the tail bound of Laurent and Massart (2000)."""
    reference = np.array(feature.counts, np.float64)
    known = float(reference.sum())
    if known == 0:
        return False
    expected = np.maximum(rows * reference / known, 1.0)  # a row or two in a rare slot are no evidence
    statistic = float(((new - rows * reference / known) ** 2 / expected).sum()) / (1 + rows / known) / feature.effect
    freedom = len(reference) - 1
    return statistic > freedom + 2 * math.sqrt(freedom * _DOUBT) + 2 * _DOUBT


def _loss(reference: LossReference, now: LabelCounts, reported: LabelCounts) -> bool:
    if now.rows - reported.rows < _LEAST_LABELS or reference.rows == 0:
        return False
    new = loss_sums(now, reference) - loss_sums(reported, reference)
    if not new.rows:
        return False
    mean = new.loss / MICRO / new.rows * loss_unit(reference)
    return mean - reference.mean > _DEVIATIONS * math.sqrt(reference.variance * reference.design_effect / new.rows)
