"""Merges the reports of all pods: what each reports beyond the counts of its earlier reports is added.

So any split of the traffic over pods gives the same counts. Not here: verdicts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from mlmodel_contract.report import MonitorReportSpec

from .counts import ReportCounts, zero_counts
from .drift.detector_state import Bucket
from .evidence import Evidence, PodReportCounts
from .harm.maturity import JudgedLabels
from .recent import YoungRows, recent_rows, young_rows
from .reports.refusal import RefusalReason, ReportError, require
from .reports.validation import read_report


@dataclass(frozen=True)
class Increment:
    """New rows by slot and out of range, and the pods whose report was refused, with the reason."""

    bucket: Bucket
    outside: tuple[int, ...]
    refused: Mapping[str, RefusalReason]


def merge_reports(evidence: Evidence, reports: Mapping[str, MonitorReportSpec], version: str) -> tuple[Evidence, Increment]:
    """Add what the reports, by pod, say beyond what was counted before; a report that cannot be believed changes nothing."""
    changes: list[ReportCounts] = []
    refused: dict[str, RefusalReason] = {}
    for pod, report in sorted(reports.items()):
        try:
            evidence, change = _count_pod(evidence, pod, report, version)
            changes.append(change)
        except ReportError as error:
            refused[pod] = error.refusal
    increment = sum(changes, zero_counts(evidence.cells, evidence.pairs, len(evidence.features), len(evidence.groups)))
    evidence = replace(evidence, total=evidence.total + replace(increment, cells=(), products=(), outside=()))
    bucket = Bucket(increment.row_counts.counted, increment.cells, increment.products)
    return evidence, Increment(bucket, increment.outside, refused)


def young_rows_of(evidence: Evidence, reports: Mapping[str, MonitorReportSpec], horizon: datetime) -> YoungRows | None:
    """Return the rows after the ``horizon``, whose label delay is not over, of reports that were counted; None where one is not there."""
    present = [pod for pod, counted in evidence.pods.items() if counted.has_recent]
    if any(pod not in reports for pod in present):
        return None
    stretches = (one for pod in present for one in recent_rows(reports[pod]))
    return young_rows((*evidence.departed, *stretches), horizon, len(evidence.total.labels))


def _count_pod(evidence: Evidence, pod: str, report: MonitorReportSpec, version: str) -> tuple[Evidence, ReportCounts]:
    features, correlations, counts = read_report(report, version)
    reference = report.loss_reference or evidence.loss_reference
    groups = tuple((group.column, group.value) for group in report.groups)
    same = (evidence.features, evidence.correlations, evidence.groups) == (features, correlations, groups) or not evidence.features
    require(same and evidence.loss_reference in (None, reference), RefusalReason.INCONSISTENT)
    nothing = PodReportCounts(-1, zero_counts(len(counts.cells), len(counts.products), len(counts.outside), len(groups)))
    counted = evidence.pods.get(pod, nothing)
    require(report.sequence > counted.sequence or (report.sequence == counted.sequence and counts == counted.tally), RefusalReason.STALE)
    change = counts - counted.tally
    require(not change.has_decreased(), RefusalReason.DECREASED)
    if not evidence.features:
        total = zero_counts(groups=len(groups))
        evidence = replace(evidence, features=features, correlations=correlations, groups=groups)
        evidence = replace(evidence, total=total, judged=JudgedLabels(total.labels))
    evidence = replace(evidence, loss_reference=reference)
    if counts == counted.tally:
        # A calm pod's newer report is not worth a write of the status.
        return evidence, change
    require(pod in evidence.pods or evidence.has_room(), RefusalReason.FULL)
    return replace(evidence, pods={**evidence.pods, pod: PodReportCounts(report.sequence, counts, bool(report.recent))}), change
