"""What the cluster knows of one version: the operator's verdicts, and the reports of its pods, merged as the operator merges them.

Not here: how it is shown.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlmodel_contract.base import Document
from mlmodel_contract.environment import LABEL_MODEL, LABEL_VERSION, PLURAL_MODELS, PLURAL_REPORTS, PLURAL_VERSIONS
from mlmodel_contract.report import MonitorReportSpec
from mlmodel_contract.status import CriterionStatus, DriftedFeature, DriftStatus, FeedStatus, SliceStatus
from mlmodel_detection import Evidence
from mlmodel_detection.merging import merge_reports
from pydantic import Field, ValidationError

from .cluster import Body, ClusterError, ClusterReader, UnknownNameError
from .histograms import Histogram

_MAX_NAMES = 20  # in an error


@dataclass(frozen=True)
class ReportTotals:
    """The sum of the valid reports; ``left_out`` counts the others by the operator's reason to refuse them."""

    pods: int
    rows: int
    histograms: tuple[Histogram, ...]
    left_out: Mapping[str, int]


@dataclass(frozen=True)
class VersionView:
    """One version of a model."""

    model: str
    version: str
    live: bool
    verdicts: "Verdicts"
    totals: ReportTotals


class Verdicts(Document):
    """The operator's verdicts on a version; those on the objective are of the live version alone."""

    drift: DriftStatus = Field(default_factory=DriftStatus)
    feed: FeedStatus = Field(default_factory=FeedStatus)
    objective: list[CriterionStatus] = Field(default_factory=list)
    slices: list[SliceStatus] = Field(default_factory=list)


def load_version_view(cluster: ClusterReader, name: str, version: str | None) -> VersionView:
    """Read what is known of a version, of the live one by default.

    Raises:
        ClusterError: the cluster does not answer, there is no such model or version, or nothing is known of it yet.

    """
    model = read_model(cluster, name)
    live = _status(model).get("live", {}).get("version")
    chosen = version or live
    if chosen is None:
        raise ClusterError(f"no version of {name} is live yet{_reason_not_ready(model)}; --version names another one")
    body = cluster.get(PLURAL_VERSIONS, chosen)
    if body is None or body["spec"].get("model") != name:
        raise UnknownNameError(f"{name} has no version {chosen}: {list_names(cluster.list_all(PLURAL_VERSIONS, f'{LABEL_MODEL}={name}'))}")
    reports = cluster.list_all(PLURAL_REPORTS, f"{LABEL_MODEL}={name},{LABEL_VERSION}={chosen}")
    verdicts = _verdicts(_status(model if chosen == live else body), chosen)
    if not reports and not verdicts.drift.rows:
        raise ClusterError(f"no report of {chosen} has come yet: its pods write their first soon after they serve")
    return VersionView(name, chosen, chosen == live, verdicts, _merge_reports(body, reports))


def read_model(cluster: ClusterReader, name: str) -> Body:
    """Read the MLModel.

    Raises:
        ClusterError: the cluster does not answer, or there is no such model.

    """
    model = cluster.get(PLURAL_MODELS, name)
    if model is None:
        known = list_names(cluster.list_all(PLURAL_MODELS))
        raise UnknownNameError(f"there is no MLModel {name} in the namespace {cluster.namespace}: {known}")
    return model


def by_evidence(drift: DriftStatus) -> list[DriftedFeature]:
    """Return the drifted features, most evidence first."""
    return sorted(drift.features, key=lambda feature: -feature.evidence)


def choose_histograms(view: VersionView, names: Sequence[str], *, everything: bool) -> list[Histogram]:
    """Return the histograms to show: of the named features, of all in their order, or of the drifted ones, most evidence first.

    Raises:
        UnknownNameError: there is no feature of such a name.

    """
    by_name = {histogram.name: histogram for histogram in view.totals.histograms}
    if unknown := [name for name in names if by_name and name not in by_name]:
        raise UnknownNameError(f"{view.version} has no feature {', '.join(unknown)}: there are {', '.join(by_name)}")
    wanted = names or (list(by_name) if everything else [feature.name for feature in by_evidence(view.verdicts.drift)])
    return [by_name[name] for name in dict.fromkeys(wanted) if name in by_name]


def _status(body: Body) -> Body:
    return body.get("status") or {}


def _verdicts(status: Body, version: str) -> Verdicts:
    """Read the verdicts; fields of another release of the operator are ignored."""
    try:
        return Verdicts.model_validate({name: value for name, value in status.items() if value is not None}, extra="ignore")
    except ValidationError as error:
        raise ClusterError(f"the status of {version} cannot be read: install the kubectl-mlmodel of the operator's release") from error


def _merge_reports(version: Body, bodies: Sequence[Body]) -> ReportTotals:
    reports, unreadable = _parse_reports(bodies)
    sums, increment = merge_reports(_reference_evidence(version), reports, version["metadata"]["name"])
    valid = [report for pod, report in reports.items() if pod not in increment.refused]
    names = {one.name: one.slots for report in valid for one in report.features if len(one.slots) == len(one.live)}
    histograms, start = [], 0
    for feature in sums.features if valid else ():
        live = increment.bucket.cells[start : start + len(feature.counts)]
        start += len(feature.counts)
        histograms.append(Histogram(feature.name, feature.kind, tuple(names.get(feature.name, ())), feature.counts, live))
    left_out = Counter(map(str, increment.refused.values())) + Counter({"Unreadable": unreadable})
    return ReportTotals(len(valid), increment.bucket.rows, tuple(histograms), left_out)


def _reference_evidence(version: Body) -> Evidence:
    """Return the operator's evidence with the reference counts alone, against which reports are checked, and no live counts."""
    try:
        evidence = Evidence.unpack(_status(version).get("evidence"))
    except ValueError:  # damaged, or of an operator of another release
        evidence = Evidence()
    return Evidence(features=evidence.features, correlations=evidence.correlations, loss_reference=evidence.loss_reference)


def _parse_reports(bodies: Sequence[Body]) -> tuple[dict[str, MonitorReportSpec], int]:
    """Return the reports by pod, and the number of those that cannot be read."""
    reports: dict[str, MonitorReportSpec] = {}
    for body in bodies:
        try:
            reports[body["metadata"]["name"]] = MonitorReportSpec.model_validate(body.get("spec"), extra="ignore")
        except ValidationError:
            continue
    return reports, len(bodies) - len(reports)


def _reason_not_ready(model: Body) -> str:
    """Return the message of the condition Ready, as the end of a sentence."""
    conditions: list[dict[str, Any]] = _status(model).get("conditions", [])
    return next((f": {one.get('message')}" for one in conditions if one["type"] == "Ready" and one.get("message")), "")


def list_names(bodies: Sequence[Body]) -> str:
    """Return what there is, as the end of an error."""
    names = sorted(body["metadata"]["name"] for body in bodies)
    more = f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
    return f"there are {', '.join(names[:_MAX_NAMES])}{more}" if names else "there is none"
