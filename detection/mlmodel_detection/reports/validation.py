"""Whether a pod's report can be believed: one that cannot be true is refused with a reason, and never counted.

Not here: what was counted before of any pod (``evidence.py``).
"""

import math
from collections import Counter
from collections.abc import Sequence

from mlmodel_contract import VERSION
from mlmodel_contract.base import parse_time
from mlmodel_contract.quality_metrics import Metric
from mlmodel_contract.report import LARGEST_LOG_LOSS, MICRO, SCORE_BINS, LabelCounts, LossReference, MonitorReportSpec

from ..counts import ReportCounts, report_counts
from ..recent import recent_rows
from ..references import CorrelationReference, FeatureReference
from .correlations import read_correlations
from .refusal import RefusalReason, require

MOST_ROWS = 10**11
"""More rows than any pod can have counted."""

MOST_SUM = 2**126
"""More millionths than any sum of a pod's labels can have."""

_MOST_UNIT = 1e30
_ROUNDING = 4e-6  # of a mean of numbers that were each rounded to a millionth, with some room


def read_report(report: MonitorReportSpec, version: str) -> tuple[tuple[FeatureReference, ...], CorrelationReference | None, ReportCounts]:
    """Return the report's features, their correlations, and its cumulative counts.

    Raises:
        ReportError: the report is of another version, or what it says cannot be.

    """
    require(report.contract == VERSION and report.version == version, RefusalReason.FOREIGN)
    require(_features_agree(report) and _groups_agree(report), RefusalReason.INCONSISTENT)
    features = tuple(FeatureReference.from_counts(feature) for feature in report.features)
    counts = report_counts(report)
    recent = [ReportCounts((one.rows,), one.labels) for one in recent_rows(report)]
    require(_plausible(features, [counts, *recent]) and _computable(report.loss_reference), RefusalReason.ABSURD)
    correlations = read_correlations(report)
    require(_adds_up(report), RefusalReason.INCONSISTENT)
    return features, correlations, counts


def _features_agree(report: MonitorReportSpec) -> bool:
    names = {feature.name for feature in report.features if sum(feature.reference) > 0}
    slots = all(
        len(feature.reference) == len(feature.live) >= 2 and len(feature.slot_effects) in (0, len(feature.live))
        for feature in report.features
    )
    return bool(names) and len(names) == len(report.features) and slots


def _groups_agree(report: MonitorReportSpec) -> bool:
    """Return whether the groups differ, and those of a column have no more labels than there are."""
    names = {(group.column, group.value) for group in report.groups}
    by_column = Counter[str]()
    for group in report.groups:
        by_column[group.column] += group.labels.rows
    within = all(rows <= report.labels.rows for rows in by_column.values())
    return len(names) == len(report.groups) and within and _recent_agree(report) and all(map(_labels_agree, _all_labels(report)))


def _recent_agree(report: MonitorReportSpec) -> bool:
    """Return whether the stretches differ and have times, and are no more than the whole."""
    recent = report.recent or []
    try:
        times = {parse_time(one.before) for one in recent}
    except ValueError:
        return False
    parts = [(report.labels, [one.labels for one in recent])]
    if any(len(one.groups) != len(report.groups) for one in recent):
        return False
    parts += [(group.labels, [one.groups[index] for one in recent]) for index, group in enumerate(report.groups)]
    within = all(sum(one.rows for one in some) <= whole.rows for whole, some in parts)
    return within and len(times) == len(recent) and sum(one.rows for one in recent) <= report.rows.counted


def _all_labels(report: MonitorReportSpec) -> list[LabelCounts]:
    recent = (labels for one in report.recent or () for labels in (one.labels, *one.groups))
    return [report.labels, *(group.labels for group in report.groups), *recent]


def _labels_agree(labels: LabelCounts) -> bool:
    return len(labels.scores_of_negatives) == len(labels.scores_of_positives) and len(labels.scores_of_negatives) in (0, SCORE_BINS)


def _plausible(features: tuple[FeatureReference, ...], reported: Sequence[ReportCounts]) -> bool:
    counts = [number for one in reported for number in one.counts]
    numbers = [*counts, *(number for one in reported for number in (*one.sums, *map(abs, one.truths)))]
    counts += [rows for feature in features for rows in feature.counts]
    whole = all(isinstance(number, int) for number in (*numbers, *counts))
    effects = [effect for feature in features for effect in (feature.effect, *feature.slot_effects)]
    sound = all(1 <= effect <= MOST_ROWS for effect in effects) and all(0 <= feature.reference_error <= 1 for feature in features)
    return whole and sound and all(0 <= number <= MOST_SUM for number in numbers) and all(0 <= count <= MOST_ROWS for count in counts)


def _computable(reference: LossReference | None) -> bool:
    """Return whether the reference's numbers can be computed with: none so large that its powers overflow."""
    if reference is None:
        return True
    scores = (reference.scores_of_negatives, reference.scores_of_positives)
    ranked = all(len(bins) == SCORE_BINS and all(0 <= count <= MOST_ROWS for count in bins) and any(bins) for bins in scores)
    if reference.metric is Metric.ROC_AUC and not ranked:
        return False
    numbers = (reference.mean, reference.variance, reference.center)
    return all(map(math.isfinite, numbers)) and 1 <= reference.design_effect <= MOST_ROWS and 1 / _MOST_UNIT <= reference.unit <= _MOST_UNIT


def _adds_up(report: MonitorReportSpec) -> bool:
    rows = report.rows
    return (
        rows.due <= rows.counted
        and all(sum(feature.live) == rows.counted for feature in report.features)
        and all(feature.outside <= rows.counted - feature.live[-1] for feature in report.features)
        and all(map(_labels_add_up, _all_labels(report)))
    )


def _labels_add_up(labels: LabelCounts) -> bool:
    scored = sum(labels.scores_of_negatives) + sum(labels.scores_of_positives)
    return (
        scored in (0, labels.rows)
        and labels.correct <= labels.rows
        and (scored == 0 or _binary_fits(labels))
        and _squares_fit(labels.loss, labels.loss_squared, labels.rows)
        and _squares_fit(labels.absolute_error, labels.squared_error, labels.rows)
        and _squares_fit(labels.truth, labels.truth_squared, labels.rows)
    )


def _binary_fits(labels: LabelCounts) -> bool:
    """Return whether the sums can be those of probabilities, but for rounding."""
    loss, loss_squared, squared_error = (
        (total - labels.rows) / MICRO for total in (labels.loss, labels.loss_squared, labels.squared_error)
    )
    return loss <= LARGEST_LOG_LOSS * labels.rows and loss_squared <= LARGEST_LOG_LOSS**2 * labels.rows and squared_error <= labels.rows


def _squares_fit(total: int, squares: int, rows: int) -> bool:
    """Return whether numbers of that sum can have that sum of squares: but for rounding, variance is not negative."""
    if rows == 0:
        return total == 0 and squares == 0
    mean = abs(total) / MICRO / rows
    return squares / MICRO / rows >= mean**2 * (1 - 1e-9) - _ROUNDING * (1 + mean)
