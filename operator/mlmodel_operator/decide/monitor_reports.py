"""Evaluates the pods' reports: each version's evidence, and the live version's drift and criteria.

Not here: the statistics (``mlmodel_detection``).
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from mlmodel_contract.base import duration, parse_time
from mlmodel_contract.report import MonitorReportSpec
from mlmodel_contract.status import CriterionStatus, ModelVersionStatus, SliceStatus
from mlmodel_detection import Evidence, MonitoringSettings, evaluate

from ..cluster.cache import Ref
from ..cluster.kinds import MONITOR_REPORT
from ..snapshot import Snapshot, Version

UNREADABLE = "Unreadable"
"""Refusal of a report that does not even fit the schema."""

_REPORTS = 2  # heartbeats, within which each pod has reported what came before them
_OLD_AFTER = timedelta(minutes=5)


@dataclass(frozen=True)
class Figures:
    """The criteria's figures on a version's labelled predictions: of all, and in the objective's slices."""

    criteria: list[CriterionStatus]
    slices: list[SliceStatus]


@dataclass(frozen=True)
class MonitoringResult:
    """What the reports say of the versions."""

    statuses: Mapping[str, ModelVersionStatus]  # of the versions that have reports, with their new evidence
    figures: Mapping[str, Figures]
    refused: Mapping[str, int]  # reports that were not counted, by reason
    deletable: tuple[Ref, ...]  # reports of pods that are gone, counted for good


def evaluate_reports(snapshot: Snapshot, now: datetime) -> MonitoringResult:
    """Evaluate every version, by the reports of its pods and the evidence so far."""
    statuses: dict[str, ModelVersionStatus] = {}
    figures: dict[str, Figures] = {}
    refused = Counter({UNREADABLE: snapshot.unreadable_reports} if snapshot.unreadable_reports else {})
    for name, version in snapshot.versions.items():
        reports = {pod: report for pod, report in snapshot.reports.items() if report.version == name}
        live = snapshot.model.status.live
        if reports or (live is not None and live.version == name):
            statuses[name], figures[name], refusals = _evaluate_version(snapshot, version, reports, now)
            refused.update(refusals.values())
    return MonitoringResult(statuses, figures, refused, _deletable_reports(snapshot, statuses, now))


def begun_anew(monitoring: MonitoringResult, snapshot: Snapshot, version: str) -> MonitoringResult:
    """Return the result with nothing known of a version that is to serve again by its evidence on newer rows.

    It would else be harmful by the rows of the time at which it was replaced.
    """
    status = monitoring.statuses.get(version, snapshot.versions[version].status)
    begun = status.replace(evidence=_evidence(status).restarted().pack(), drift=None)
    figures = {name: figures for name, figures in monitoring.figures.items() if name != version}
    return replace(monitoring, statuses={**monitoring.statuses, version: begun}, figures=figures)


def _evaluate_version(
    snapshot: Snapshot, version: Version, reports: Mapping[str, MonitorReportSpec], now: datetime
) -> tuple[ModelVersionStatus, Figures, Mapping[str, str]]:
    spec = snapshot.model.spec
    settings = MonitoringSettings(
        version=version.name,
        false_alarm_probability=spec.monitoring.false_alarm_probability,
        criteria=tuple(spec.objective.criteria),
        slices={piece.column: piece.min_rows for piece in spec.objective.slices},
        holdout=version.spec.metrics,
        groups_on_holdout=tuple(version.spec.slices),
        maturity=duration(spec.monitoring.labels.maturity) + _REPORTS * duration(spec.monitoring.heartbeat),
    )
    before = _evidence(version.status)
    verdict = evaluate(before, reports, settings, now)
    gone = {pod for pod in before.pods if pod not in reports and not _exists(snapshot, pod)}
    last = {pod: report for pod, report in reports.items() if not _exists(snapshot, pod) and _is_old(snapshot, report, now)}
    evidence = verdict.evidence.depart(last).forget(gone)
    status = version.status.replace(evidence=evidence.pack(), drift=verdict.drift, feed=verdict.feed)
    return status, Figures(verdict.criteria, verdict.slices), verdict.refused


def _evidence(status: ModelVersionStatus) -> Evidence:
    """Return the evidence so far; what somebody has made unreadable is begun anew, for a verdict must never stop for good."""
    try:
        return Evidence.unpack(status.evidence)
    except ValueError:
        return Evidence.unpack(None)


def _exists(snapshot: Snapshot, pod: str) -> bool:
    return any(known.name == pod for known in snapshot.pods)


def _is_old(snapshot: Snapshot, report: MonitorReportSpec, now: datetime) -> bool:
    try:
        age = now - parse_time(report.time)
    except ValueError:  # no time, or one without a zone: no sidecar of ours wrote it
        return True
    monitoring = snapshot.model.spec.monitoring
    return age > max(_OLD_AFTER, 3 * duration(monitoring.report_every), 2 * duration(monitoring.heartbeat))


def _deletable_reports(snapshot: Snapshot, statuses: Mapping[str, ModelVersionStatus], now: datetime) -> tuple[Ref, ...]:
    """Return the reports of pods that are gone, once the stored evidence holds them: in the reconcile after the one that counted them.

    A new report may be of a pod that is only not in the cache yet; were it deleted, the pod's next one would be counted whole.
    """
    deletable = []
    for pod, report in snapshot.reports.items():
        version = snapshot.versions.get(report.version)
        new = statuses.get(report.version)
        counted = version is None or (new is not None and new.evidence == version.status.evidence)
        if counted and not _exists(snapshot, pod) and _is_old(snapshot, report, now):
            deletable.append(Ref(MONITOR_REPORT, pod))
    return tuple(deletable)
