"""What the cluster knows of one version: the operator's verdict, and the reports of its pods, added up as the operator adds them.

Not here: how it is shown.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlmodel_contract.base import Document
from mlmodel_contract.environment import LABEL_MODEL, LABEL_VERSION
from mlmodel_contract.report import MonitorReportSpec
from mlmodel_contract.status import CriterionStatus, DriftStatus, FeedStatus, SliceStatus
from mlmodel_detection import Evidence
from mlmodel_detection.merging import count
from mlmodel_operator.cluster.kinds import ML_MODEL, MODEL_VERSION, MONITOR_REPORT, Kind
from pydantic import Field, ValidationError

from .cluster import Body, CannotTellError, ClusterReader, UnknownNameError
from .histograms import Histogram

_NAMED = 20  # names that an error tells


@dataclass(frozen=True)
class Counted:
    """The sum of the reports that can be believed; ``left_out`` are the others by the reason, as the operator has it."""

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
    counted: Counted


class Verdicts(Document):
    """The operator's words on a version; those on the objective are of the live version alone."""

    drift: DriftStatus = Field(default_factory=DriftStatus)
    feed: FeedStatus = Field(default_factory=FeedStatus)
    objective: list[CriterionStatus] = Field(default_factory=list)
    slices: list[SliceStatus] = Field(default_factory=list)


def look(cluster: ClusterReader, name: str, version: str | None) -> VersionView:
    """Read what is known of a version, of the live one by default.

    Raises:
        CannotTellError: the cluster does not answer, there is no such model or version, or nothing is known of it yet.

    """
    model = cluster.find(ML_MODEL, name)
    if model is None:
        raise UnknownNameError(f"there is no MLModel {name} in the namespace {cluster.namespace}: {_listed(cluster, ML_MODEL)}")
    live = _status(model).get("live", {}).get("version")
    chosen = version or live
    if chosen is None:
        raise CannotTellError(f"no version of {name} is live yet{_waits(model)}; --version names another one")
    made = cluster.find(MODEL_VERSION, chosen)
    if made is None or made["spec"].get("model") != name:
        raise UnknownNameError(f"{name} has no version {chosen}: {_listed(cluster, MODEL_VERSION, f'{LABEL_MODEL}={name}')}")
    reports = cluster.all(MONITOR_REPORT, f"{LABEL_MODEL}={name},{LABEL_VERSION}={chosen}")
    verdicts = _verdicts(_status(model if chosen == live else made), chosen)
    if not reports and not verdicts.drift.rows:
        raise CannotTellError(f"no report of {chosen} has come yet: its pods write their first soon after they serve")
    return VersionView(name, chosen, chosen == live, verdicts, _counted(made, reports))


def _status(body: Body) -> Body:
    return body.get("status") or {}


def _verdicts(status: Body, version: str) -> Verdicts:
    """Read the verdicts; fields that an operator of another release writes are none of ours."""
    try:
        return Verdicts.model_validate({name: value for name, value in status.items() if value is not None}, extra="ignore")
    except ValidationError as error:
        raise CannotTellError(f"the status of {version} cannot be read: install the kubectl-mlmodel of the operator's release") from error


def _counted(version: Body, reports: Sequence[Body]) -> Counted:
    read, unreadable = _read(reports)
    sums, increment = count(_known(version), read, version["metadata"]["name"])
    believed = [report for pod, report in read.items() if pod not in increment.refused]
    names = {one.name: one.slots for report in believed for one in report.features if len(one.slots) == len(one.live)}
    histograms, place = [], 0
    for feature in sums.features if believed else ():
        live = increment.bucket.cells[place : place + len(feature.counts)]
        place += len(feature.counts)
        histograms.append(Histogram(feature.name, feature.kind, tuple(names.get(feature.name, ())), feature.counts, live))
    left_out = Counter(map(str, increment.refused.values())) + Counter({"Unreadable": unreadable})
    return Counted(len(believed), increment.bucket.rows, tuple(histograms), left_out)


def _known(version: Body) -> Evidence:
    """Return what the operator holds reports against: the training rows that it saw first. Nothing of what it counted."""
    try:
        known = Evidence.unpack(_status(version).get("evidence"))
    except ValueError:  # damaged, or of an operator of another release
        known = Evidence()
    return Evidence(features=known.features, correlations=known.correlations, loss_reference=known.loss_reference)


def _read(reports: Sequence[Body]) -> tuple[dict[str, MonitorReportSpec], int]:
    read: dict[str, MonitorReportSpec] = {}
    for body in reports:
        try:
            read[body["metadata"]["name"]] = MonitorReportSpec.model_validate(body.get("spec"), extra="ignore")
        except ValidationError:
            continue
    return read, len(reports) - len(read)


def _waits(model: Body) -> str:
    """Say why it is not ready, in the operator's words."""
    conditions: list[dict[str, Any]] = _status(model).get("conditions", [])
    return next((f": {one.get('message')}" for one in conditions if one["type"] == "Ready" and one.get("message")), "")


def _listed(cluster: ClusterReader, kind: Kind, selector: str | None = None) -> str:
    names = sorted(body["metadata"]["name"] for body in cluster.all(kind, selector))
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"there are {', '.join(names[:_NAMED])}{more}" if names else "there is none"
