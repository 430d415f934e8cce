"""The objective's criteria on labelled predictions, of all rows or of a group: missed beyond chance or not, and what people are shown.

Not here: metrics from counts (``live_metrics.py``), and what follows from a missed criterion (``detector.py``).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mlmodel_contract.manifest import Criterion
from mlmodel_contract.quality_metrics import Metric
from mlmodel_contract.report import LabelCounts
from mlmodel_contract.status import CriterionStatus

from .confidence import uniform_margin
from .live_metrics import LiveMetric, live_metric

TARGET = 1_000
"""Labels at which the bounds are narrowest."""

_CONFIDENCE = 0.95  # of the intervals that are shown
_SHARES = (Metric.ROC_AUC, Metric.ACCURACY, Metric.BRIER_SCORE)


@dataclass(frozen=True)
class CriterionTest:
    """A criterion and the labels that it is tested on; ``group`` names their group of rows, such as 'origin=JFK', or is empty for all."""

    criterion: Criterion
    labels: LabelCounts
    group: str = ""

    def __str__(self) -> str:
        return f"{self.criterion} in {self.group}" if self.group else str(self.criterion)


def broken_criteria(tests: Sequence[CriterionTest], known: Sequence[str], level: float, unit: float) -> tuple[str, ...]:
    """Return the criteria that are missed beyond chance, or were and have not been met since.

    The bound is on the metric under the conditions that these rows met, good or bad days, so their design effect does not widen it.

    Args:
        tests: the criteria with their labels.
        known: those that were found broken before.
        level: probability of finding any of those broken, at any time, that holds.
        unit: what a regression's sums are in.

    """
    broken = []
    for one in tests:
        metric = live_metric(one.criterion.metric, one.labels, unit)
        if metric is None:
            continue
        if (str(one) in known and not one.criterion.met_by(metric.value)) or _misses(one.criterion, metric, level / len(tests)):
            broken.append(str(one))
    return tuple(broken)


def criterion_status(criterion: Criterion, live: LiveMetric | None, holdout: float | None) -> CriterionStatus:
    """Return what people are shown of a criterion: the live value with its bounds, else the holdout's value."""
    value = live.value if live else None
    at_hand = holdout if value is None else value
    low, high = interval(criterion.metric, live) if live else (None, None)
    return CriterionStatus(
        metric=criterion.metric,
        bound=str(criterion).removeprefix(criterion.metric).strip(),
        value=value,
        low=low,
        high=high,
        holdout=holdout,
        met=criterion.met_by(at_hand) if at_hand is not None else None,
        summary=_summary(criterion, at_hand, live=value is not None),
    )


def beyond_chance(criterion: Criterion, status: CriterionStatus) -> CriterionStatus:
    """Return the status with ``met`` only where the whole interval says so: of many small groups some are bad by chance."""
    known = status.low is not None and status.high is not None and criterion.met_by(status.low) == criterion.met_by(status.high)
    return status if known else status.replace(met=None)


def interval(metric: Metric, live: LiveMetric) -> tuple[float, float] | tuple[None, None]:
    """Return bounds that hold the metric with 95% probability at all looks together; none where the counts do not give its variance."""
    if live.tested is None:
        return None, None
    margin = uniform_margin(live.tested, (1 - _CONFIDENCE) / 2, TARGET)
    value = live.value**2 if live.squared else live.value
    low = max(0.0, 2 * value - live.tested.value - margin)  # ties within a bin may be in the right order or in the wrong one
    high = live.tested.value + margin
    if live.squared:
        return math.sqrt(low), math.sqrt(high)
    return low, min(1.0, high) if metric in _SHARES else high


def _misses(criterion: Criterion, metric: LiveMetric, level: float) -> bool:
    """Return whether the metric misses the bound by more than the margin of a time-uniform confidence sequence."""
    bound = criterion.max if criterion.min is None else criterion.min
    if bound is None or metric.tested is None:
        return False
    # The sign is kept, so that a root, which is never negative, compares to the bound as its square does to this.
    limit = bound * abs(bound) if metric.squared else bound
    margin = uniform_margin(metric.tested, level, TARGET)
    return metric.tested.value + margin < limit if criterion.min is not None else metric.tested.value - margin > limit


def _summary(criterion: Criterion, value: float | None, *, live: bool) -> str:
    """Say how the value compares to the bound, such as 'roc_auc 0.6512 < 0.7'."""
    bound = criterion.max if criterion.min is None else criterion.min
    if value is None or bound is None:
        return f"{criterion.metric} is not known yet"
    at_least, met = criterion.min is not None, criterion.met_by(value)
    sign = (">=" if met else "<") if at_least else ("<=" if met else ">")
    return f"{criterion.metric} {value:.4g} {sign} {bound:g}" + ("" if live else " (holdout)")
