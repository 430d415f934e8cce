"""The look at one version: reports in, verdicts out.

Not here: what is done about a verdict, and any clock: the time is given.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from mlmodel_contract.manifest import Criterion
from mlmodel_contract.report import MonitorReportSpec
from mlmodel_contract.status import CriterionStatus, DriftedFeature, DriftStatus, FeedStatus
from mlmodel_contract.version import Metrics

from .counting import Increment, count
from .detector import TOLERANCE, DriftDetector, DriftState, DriftVerdict
from .evidence import Evidence
from .harm import LEAST_LABELS, HarmDetector, HarmVerdict, Labelled, LossSums
from .live_metrics import live_metric
from .memory import Blame, Bucket
from .quality import QualityDetector, QualityVerdict
from .refusal import Refusal
from .sentences import feed_status, verdict_sentence

_MOST_FEATURES = 20  # that the status has room for
_SHARE_DRIFT, _SHARE_HARM, _SHARE_QUALITY = 0.45, 0.45, 0.1  # of the false-alarm probability


@dataclass(frozen=True)
class Settings:
    """What a version is judged by.

    Args:
        version: name of the ModelVersion; reports of others are refused.
        criteria: the objective's criteria.
        holdout: the version's metrics on the holdout, None where they are not known.
        false_alarm_probability: of any false verdict in the version's life; shared by drift, harm and broken feeds.
        tolerance: differences of the inputs that never count, see ``detector.TOLERANCE``.

    """

    version: str
    criteria: tuple[Criterion, ...] = ()
    holdout: Metrics | None = None
    false_alarm_probability: float = 0.01
    tolerance: float = TOLERANCE


@dataclass(frozen=True)
class Judgement:
    """The evidence to keep and whether it is new, the verdicts to show, and the pods whose report is refused, with the reason."""

    evidence: Evidence
    drift: DriftStatus
    feed: FeedStatus
    criteria: list[CriterionStatus]
    changed: bool
    refused: Mapping[str, Refusal]


def judge(evidence: Evidence, reports: Mapping[str, MonitorReportSpec], settings: Settings, now: datetime) -> Judgement:
    """Count what the reports, by pod, bring, and judge all that is known of the version.

    Asking again with the same reports changes nothing, and no report makes it raise.
    """
    counted, increment = count(evidence, reports, settings.version)
    time = now.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    counted, increment, quality = _quality(counted, increment, settings, time)
    counted, drift = _drift(counted, increment.bucket, settings, time)
    counted, harm = _harm(counted, increment, settings)
    if drift.state is DriftState.CONFIRMED and counted.drift_since is None:
        counted = replace(counted, drift_since=time)
    criteria = [_criterion(criterion, counted, settings.holdout) for criterion in settings.criteria]
    feed = feed_status(quality)
    return Judgement(counted, _status(counted, drift, harm), feed, criteria, counted != evidence, increment.refused)


def _quality(evidence: Evidence, increment: Increment, settings: Settings, time: str) -> tuple[Evidence, Increment, QualityVerdict]:
    """Judge the feed, and return what may be learned from: no rows while it is broken, and nothing of that time once it is mended."""
    if not evidence.features:
        return evidence, increment, QualityVerdict("Unknown", (), None)
    detector = QualityDetector(evidence.features, settings.false_alarm_probability * _SHARE_QUALITY, evidence.quality)
    was_broken = detector.verdict().state == "Broken"
    verdict = detector.update(increment.bucket.rows, increment.bucket.cells, increment.outside, time)
    evidence = replace(evidence, quality=detector.memory)
    if verdict.state == "Broken":
        return evidence, replace(increment, bucket=replace(increment.bucket, rows=0)), verdict
    if was_broken:
        return evidence.anew(), replace(increment, bucket=replace(increment.bucket, rows=0), losses=LossSums()), verdict
    return evidence, increment, verdict


def _drift(evidence: Evidence, bucket: Bucket, settings: Settings, time: str) -> tuple[Evidence, DriftVerdict]:
    if not evidence.features:
        return evidence, DriftVerdict(DriftState.NONE, 0.0, ())
    level = settings.false_alarm_probability * _SHARE_DRIFT
    detector = DriftDetector(evidence.features, level, settings.tolerance, evidence.correlations, evidence.drift)
    verdict = detector.update(bucket, time)
    return replace(evidence, drift=detector.memory), verdict


def _harm(evidence: Evidence, increment: Increment, settings: Settings) -> tuple[Evidence, HarmVerdict]:
    detector = HarmDetector(evidence.loss_reference, settings.criteria, settings.false_alarm_probability * _SHARE_HARM, evidence.harm)
    verdict = detector.update(Labelled(evidence.total.labels, increment.losses, evidence.total.rows))
    return replace(evidence, harm=detector.memory), verdict


def _status(evidence: Evidence, drift: DriftVerdict, harm: HarmVerdict) -> DriftStatus:
    rows, labels = evidence.total.rows, evidence.total.labels.rows
    return DriftStatus(
        state=drift.state.value,
        harm=harm.state,
        message=verdict_sentence(drift, harm, rows, labels),
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
        features=[_drifted(blame) for blame in drift.features[:_MOST_FEATURES]],
    )


def _drifted(blame: Blame) -> DriftedFeature:
    return DriftedFeature(
        name=blame.name, evidence=round(blame.evidence, 2), size=round(blame.size, 3), change=blame.change, since=blame.since or None
    )


def _criterion(criterion: Criterion, evidence: Evidence, holdout: Metrics | None) -> CriterionStatus:
    labels, unit = evidence.total.labels, evidence.loss_reference.unit if evidence.loss_reference else 1.0
    estimate = holdout.get(criterion.metric) if holdout else None
    live = live_metric(criterion.metric, labels, unit) if labels.rows >= LEAST_LABELS else None
    bound = str(criterion).removeprefix(criterion.metric).strip()
    value = live.value if live else None
    at_hand = value if value is not None else estimate.value if estimate else None
    return CriterionStatus(
        metric=criterion.metric,
        bound=bound,
        value=value,
        holdout=estimate.value if estimate else None,
        met=criterion.met_by(at_hand) if at_hand is not None else None,
        summary=_summary(criterion, at_hand, live=value is not None),
    )


def _summary(criterion: Criterion, value: float | None, *, live: bool) -> str:
    """Say how the value compares to the bound, such as 'roc_auc 0.6512 < 0.7'."""
    bound = criterion.max if criterion.min is None else criterion.min
    if value is None or bound is None:
        return f"{criterion.metric} is not known yet"
    at_least, met = criterion.min is not None, criterion.met_by(value)
    sign = (">=" if met else "<") if at_least else ("<=" if met else ">")
    return f"{criterion.metric} {value:.4g} {sign} {bound:g}" + ("" if live else " (holdout)")
