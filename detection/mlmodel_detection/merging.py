"""Merging the reports of all pods: what each says beyond what was counted of it before is added.

So any split of the traffic over pods gives the same counts. Not here: verdicts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from mlmodel_contract.report import MonitorReportSpec

from .counts import ReportCounts, blank_tally
from .drift.detector_state import Bucket
from .evidence import Evidence, PodReportCounts
from .harm.detector import LossSums
from .reports.refusal import RefusalReason, ReportError, demand
from .reports.validation import read_report


@dataclass(frozen=True)
class Increment:
    """What the reports brought: new rows by slot and out of range, new labels, and the pods whose report was refused, with the reason."""

    bucket: Bucket
    outside: tuple[int, ...]
    losses: LossSums
    refused: Mapping[str, RefusalReason]


def count(evidence: Evidence, reports: Mapping[str, MonitorReportSpec], version: str) -> tuple[Evidence, Increment]:
    """Count what the reports, by pod, say beyond what was counted before; a report that cannot be believed changes nothing."""
    changes: list[ReportCounts] = []
    refused: dict[str, RefusalReason] = {}
    for pod, report in sorted(reports.items()):
        try:
            evidence, change = _count_pod(evidence, pod, report, version)
            changes.append(change)
        except ReportError as error:
            refused[pod] = error.refusal
    increment = sum(changes, blank_tally(evidence.cells, evidence.pairs, len(evidence.features), len(evidence.groups)))
    evidence = replace(evidence, total=evidence.total + replace(increment, cells=(), products=(), outside=()))
    bucket = Bucket(increment.row_counts.counted, increment.cells, increment.products)
    return evidence, Increment(bucket, increment.outside, LossSums.of(increment.label_counts), refused)


def _count_pod(evidence: Evidence, pod: str, report: MonitorReportSpec, version: str) -> tuple[Evidence, ReportCounts]:
    features, correlations, tally = read_report(report, version)
    reference = report.loss_reference or evidence.loss_reference
    groups = tuple((group.column, group.value) for group in report.groups)
    same = (evidence.features, evidence.correlations, evidence.groups) == (features, correlations, groups) or not evidence.features
    demand(same and evidence.loss_reference in (None, reference), RefusalReason.INCONSISTENT)
    counted = evidence.pods.get(
        pod, PodReportCounts(-1, blank_tally(len(tally.cells), len(tally.products), len(tally.outside), len(groups)))
    )
    demand(report.sequence > counted.sequence or (report.sequence == counted.sequence and tally == counted.tally), RefusalReason.STALE)
    change = tally - counted.tally
    demand(not change.fell(), RefusalReason.DECREASED)
    total = evidence.total if evidence.features else blank_tally(groups=len(groups))
    evidence = replace(evidence, features=features, correlations=correlations, groups=groups, loss_reference=reference, total=total)
    if tally == counted.tally:
        # A calm pod's newer report is not worth a write of the status.
        return evidence, change
    demand(pod in evidence.pods or evidence.has_room(), RefusalReason.FULL)
    return replace(evidence, pods={**evidence.pods, pod: PodReportCounts(report.sequence, tally)}), change
