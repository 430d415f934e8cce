"""``evaluate``: the reports of a version's pods in, verdicts and evidence out.

Not here: what is done about a verdict, and any clock: the time is passed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from mlmodel_contract.base import format_time
from mlmodel_contract.live_loss import LossSums, loss_sums
from mlmodel_contract.manifest import Criterion
from mlmodel_contract.quality_metrics import Metric
from mlmodel_contract.report import LabelCounts, MonitorReportSpec, RowCounts
from mlmodel_contract.status import MOST_DRIFTED_FEATURES, CriterionStatus, DriftedFeature, DriftStatus, FeedStatus, SliceStatus
from mlmodel_contract.version import Metrics, SliceMetrics

from .counts import label_documents
from .drift.detector import TOLERANCE, DriftDetector, DriftState, DriftVerdict
from .drift.detector_state import Bucket, FeatureChange
from .evidence import Evidence, Group
from .feed import FeedDetector, FeedVerdict
from .harm.criteria import beyond_chance, criterion_status
from .harm.detector import LEAST_LABELS, HarmDetector, HarmVerdict, LabelledPredictions
from .harm.live_metrics import live_metric
from .harm.maturity import JudgedLabels, subtracted, without_interrupted
from .merging import Increment, merge_reports, young_rows_of
from .recent import YoungRows
from .reports.refusal import RefusalReason
from .sentences import feed_status, verdict_sentence

_SHARE_DRIFT, _SHARE_HARM, _SHARE_FEED = 0.45, 0.45, 0.1  # of the false-alarm probability


@dataclass(frozen=True)
class MonitoringSettings:
    """What a version is evaluated by.

    Args:
        version: name of the ModelVersion; reports of others are refused.
        criteria: the objective's criteria.
        slices: the objective's slices: labels that a group needs, by column.
        holdout: the version's metrics on the holdout, None where they are not known.
        groups_on_holdout: the same in groups of rows.
        false_alarm_probability: of any false verdict in the version's life; shared by drift, harm and broken feeds.
        tolerance: differences of the inputs that never count, see ``detector.TOLERANCE``.
        maturity: age of a prediction at which its label, if one comes at all, is in a report.

    """

    version: str
    criteria: tuple[Criterion, ...] = ()
    slices: Mapping[str, int] = field(default_factory=dict)
    holdout: Metrics | None = None
    groups_on_holdout: tuple[SliceMetrics, ...] = ()
    false_alarm_probability: float = 0.01
    tolerance: float = TOLERANCE
    maturity: timedelta = timedelta(days=7)


@dataclass(frozen=True)
class MonitoringVerdict:
    """The evidence to keep and whether it is new, the verdicts to show, and the pods whose report is refused, with the reason."""

    evidence: Evidence
    drift: DriftStatus
    feed: FeedStatus
    criteria: list[CriterionStatus]
    slices: list[SliceStatus]
    changed: bool
    refused: Mapping[str, RefusalReason]


def evaluate(
    evidence: Evidence, reports: Mapping[str, MonitorReportSpec], settings: MonitoringSettings, now: datetime
) -> MonitoringVerdict:
    """Add what the reports, by pod, bring, and evaluate all that is known of the version.

    The same reports a second time change nothing, and no report makes it raise.
    """
    horizon = now - settings.maturity
    counted, increment = merge_reports(evidence.without_mature(horizon), reports, settings.version)
    believed = {pod: report for pod, report in reports.items() if pod not in increment.refused}
    young = young_rows_of(counted, believed, horizon)
    time = format_time(now)
    counted, increment, feed = _feed(counted, increment, settings, time)
    counted, drift = _drift(counted, increment.bucket, settings, time)
    counted, harm = _harm(counted, young, settings)
    if drift.state is DriftState.CONFIRMED and counted.drift_since is None:
        counted = replace(counted, drift_since=time)
    status, criteria, slices = (
        _status(counted, _rows(counted, young), drift, harm),
        _criteria(counted, settings),
        _slices(counted, settings),
    )
    return MonitoringVerdict(counted, status, feed_status(feed), criteria, slices, counted != evidence, increment.refused)


def _feed(evidence: Evidence, increment: Increment, settings: MonitoringSettings, time: str) -> tuple[Evidence, Increment, FeedVerdict]:
    """Evaluate the feed, and return what may be learned from: no rows while it is broken, and nothing of that time once it is mended."""
    if not evidence.features:
        return evidence, increment, FeedVerdict("Unknown", (), None)
    detector = FeedDetector(evidence.features, settings.false_alarm_probability * _SHARE_FEED, evidence.quality)
    was_broken = detector.verdict().state == "Broken"
    verdict = detector.update(increment.bucket.rows, increment.bucket.cells, increment.outside, time)
    evidence = replace(evidence, quality=detector.state)
    if verdict.state == "Broken":
        return evidence, replace(increment, bucket=replace(increment.bucket, rows=0)), verdict
    if was_broken:
        return evidence.restarted(), replace(increment, bucket=replace(increment.bucket, rows=0)), verdict
    return evidence, increment, verdict


def _drift(evidence: Evidence, bucket: Bucket, settings: MonitoringSettings, time: str) -> tuple[Evidence, DriftVerdict]:
    if not evidence.features:
        return evidence, DriftVerdict(DriftState.NONE, 0.0, ())
    level = settings.false_alarm_probability * _SHARE_DRIFT
    detector = DriftDetector(evidence.features, level, settings.tolerance, evidence.correlations, evidence.drift)
    verdict = detector.update(bucket, time)
    return replace(evidence, drift=detector.state), verdict


def _harm(evidence: Evidence, young: YoungRows | None, settings: MonitoringSettings) -> tuple[Evidence, HarmVerdict]:
    """Judge the labels that are mature, or whole, by now."""
    new, rows = LossSums(), _rows(evidence, young)
    if evidence.features and young:
        judged = evidence.judged or JudgedLabels((0,) * len(evidence.total.labels), young.awaited)
        before, total = without_interrupted(judged, evidence.total, young)
        judged = before.advance(total, young)
        new = loss_sums(label_documents(subtracted(judged.labels, before.labels))[0], evidence.loss_reference)
        evidence = replace(evidence, total=total, judged=judged)
    detector = HarmDetector(evidence.loss_reference, settings.criteria, settings.false_alarm_probability * _SHARE_HARM, evidence.harm)
    groups = {f"{column}={value}": labels for (column, value), labels in _groups(evidence, settings).items()}
    verdict = detector.update(LabelledPredictions(_judged(evidence)[0], new, rows, groups))
    return replace(evidence, harm=detector.state), verdict


def _rows(evidence: Evidence, young: YoungRows | None) -> RowCounts:
    """Return the counts of rows; those due are all but the young ones, where reports say which are: also those of pods that are gone."""
    rows = evidence.total.row_counts
    return rows.replace(due=max(0, rows.counted - young.rows)) if young and evidence.has_recent else rows


def _judged(evidence: Evidence) -> list[LabelCounts]:
    """Return the counts of the labels that are judged, then of those in each group."""
    return evidence.judged.documents if evidence.judged else [LabelCounts()]


def _status(evidence: Evidence, rows: RowCounts, drift: DriftVerdict, harm: HarmVerdict) -> DriftStatus:
    labels, judged = evidence.total.label_counts.rows, _judged(evidence)[0].rows
    return DriftStatus(
        state=drift.state.value,
        harm=harm.state,
        message=verdict_sentence(drift, harm, rows, judged, labels - judged),
        since=evidence.drift_since if drift.state is DriftState.CONFIRMED else None,
        rows=rows.counted,
        due=rows.due,
        missed=rows.missed,
        labels=labels,
        loss=harm.loss,
        loss_bound=harm.bound,
        loss_reference=harm.reference,
        evidence=round(drift.evidence, 2),
        severe=drift.severe,
        features=[_drifted(change) for change in drift.features[:MOST_DRIFTED_FEATURES]],
    )


def _drifted(change: FeatureChange) -> DriftedFeature:
    return DriftedFeature(
        name=change.name, evidence=round(change.evidence, 2), size=round(change.size, 3), change=change.change, since=change.since or None
    )


def _criteria(evidence: Evidence, settings: MonitoringSettings) -> list[CriterionStatus]:
    labels, holdout = _judged(evidence)[0], settings.holdout
    figures = {
        criterion.metric: live_metric(criterion.metric, labels, evidence.unit) if labels.rows >= LEAST_LABELS else None
        for criterion in settings.criteria
    }
    estimates = {metric: holdout.get(metric) if holdout else None for metric in figures}
    return [
        criterion_status(criterion, figures[criterion.metric], estimate.value if (estimate := estimates[criterion.metric]) else None)
        for criterion in settings.criteria
    ]


def _slices(evidence: Evidence, settings: MonitoringSettings) -> list[SliceStatus]:
    known = {(group.column, group.value): group.metrics for group in settings.groups_on_holdout}
    return [
        SliceStatus(
            column=group[0], value=group[1], labels=labels.rows, criteria=_in_group(labels, known.get(group, {}), settings, evidence.unit)
        )
        for group, labels in _groups(evidence, settings).items()
    ]


def _in_group(labels: LabelCounts, holdout: Mapping[Metric, float], settings: MonitoringSettings, unit: float) -> list[CriterionStatus]:
    statuses = (
        (criterion, criterion_status(criterion, live_metric(criterion.metric, labels, unit), holdout.get(criterion.metric)))
        for criterion in settings.criteria
    )
    return [beyond_chance(criterion, status) for criterion, status in statuses]


def _groups(evidence: Evidence, settings: MonitoringSettings) -> dict[Group, LabelCounts]:
    """Return the labels of the groups that are declared, and large enough to be evaluated."""
    return {
        (column, value): labels
        for (column, value), labels in zip(evidence.groups, _judged(evidence)[1:], strict=True)
        if column in settings.slices and labels.rows >= max(LEAST_LABELS, settings.slices[column])
    }
