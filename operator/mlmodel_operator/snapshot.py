"""The world of one MLModel at one moment, gathered from the cache into frozen objects; all that ``decide`` sees.

Not here: any judgement of what is seen.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlmodel_contract.environment import LABEL_MODEL, LABEL_RUN, LABEL_STAGE, LABEL_VERSION
from mlmodel_contract.manifest import MLModelSpec
from mlmodel_contract.report import MonitorReportSpec
from mlmodel_contract.run import Stage
from mlmodel_contract.status import MLModelStatus, ModelVersionStatus
from mlmodel_contract.version import ModelVersionSpec
from pydantic import ValidationError

from .cluster.cache import Body, Cache, Key, Ref
from .cluster.kinds import DEPLOYMENT, JOB, ML_MODEL, MODEL_VERSION, MONITOR_REPORT, POD

ANNOTATION_RETRAIN = "mlmodel.dev/retrain"
ANNOTATION_ROLLBACK = "mlmodel.dev/rollback-to"
_LONGEST_WISH = 253
_ORDINARY_WAITS = ("ContainerCreating", "PodInitializing")


@dataclass(frozen=True)
class Model:
    """The MLModel itself."""

    key: Key
    uid: str
    generation: int
    resource_version: str
    created: str
    retrain: str | None  # value of the annotation mlmodel.dev/retrain
    rollback: str | None  # value of the annotation mlmodel.dev/rollback-to
    spec: MLModelSpec
    status: MLModelStatus


@dataclass(frozen=True)
class Version:
    """A ModelVersion."""

    name: str
    uid: str
    spec: ModelVersionSpec
    status: ModelVersionStatus


@dataclass(frozen=True)
class Pod:
    """What a pod tells about itself."""

    name: str
    version: str | None
    run: int | None
    stage: Stage | None
    index: int | None  # of an Indexed Job
    phase: str
    reason: str  # of a pod that failed as a whole, such as Evicted
    message: str
    waiting: str  # why it has not started, where that is out of the ordinary
    ready: bool
    terminated: tuple["ContainerTermination", ...]  # of its containers, init containers first
    created: str


@dataclass(frozen=True)
class ContainerTermination:
    """How a container ended."""

    container: str
    reason: str  # Completed, Error, OOMKilled, ...
    exit_code: int
    message: str


@dataclass(frozen=True)
class Snapshot:
    """Everything that is known of one model."""

    model: Model
    versions: Mapping[str, Version]
    pods: tuple[Pod, ...]
    reports: Mapping[str, MonitorReportSpec]  # by pod
    unreadable_reports: int
    objects: Mapping[Ref, Body]  # everything cached, raw

    def job(self, name: str) -> Body | None:
        """Return the Job of that name."""
        return self.objects.get(Ref(JOB, name))

    def deployment(self, name: str) -> Body | None:
        """Return the Deployment of that name."""
        return self.objects.get(Ref(DEPLOYMENT, name))

    def pods_of_run(self, run: int, stage: Stage) -> list[Pod]:
        """Return the pods of a stage of a run, oldest first."""
        return sorted((pod for pod in self.pods if pod.run == run and pod.stage is stage), key=lambda pod: (pod.created, pod.name))

    def pods_of_version(self, version: str) -> list[Pod]:
        """Return the model-server pods of a version."""
        return [pod for pod in self.pods if pod.version == version]


class UnreadableModelError(Exception):
    """The MLModel or a version cannot be understood, although the API server let it pass: CRDs and operator are of different versions."""

    def __init__(self, body: Body, reason: str) -> None:
        super().__init__(reason)
        self.body = body


def gather(cache: Cache, key: Key) -> Snapshot | None:
    """Read the cache; None where the MLModel is gone or going.

    Raises:
        UnreadableModelError: the spec, or a version's, does not fit this operator's classes.
    """
    known = cache.of(key)
    body = known.get(Ref(ML_MODEL, key.name))
    if body is None or "deletionTimestamp" in body["metadata"]:
        return None
    uid = body["metadata"]["uid"]
    objects = {ref: item for ref, item in known.items() if not _foreign(item, uid)}
    reports, unreadable = _reports(objects)
    return Snapshot(
        model=_model(key, body),
        versions={ref.name: _version(body, item) for ref, item in objects.items() if ref.kind is MODEL_VERSION},
        pods=tuple(_pod(item) for ref, item in objects.items() if ref.kind is POD and not _left_over(item, objects)),
        reports=reports,
        unreadable_reports=unreadable,
        objects=objects,
    )


def _foreign(body: Body, uid: str) -> bool:
    """Tell whether another MLModel owns the object: a deleted one of the same name, whose children are still being deleted."""
    owners = [reference["uid"] for reference in body["metadata"].get("ownerReferences", []) if reference["kind"] == ML_MODEL.name]
    return bool(owners) and uid not in owners


def _left_over(pod: Body, objects: Mapping[Ref, Body]) -> bool:
    """Tell whether the pod is of a Job that is gone or was made again since."""
    jobs = [reference for reference in pod["metadata"].get("ownerReferences", []) if reference["kind"] == JOB.name]
    known = [objects.get(Ref(JOB, reference["name"])) for reference in jobs]
    return any(job is None or job["metadata"]["uid"] != reference["uid"] for job, reference in zip(known, jobs, strict=True))


def _model(key: Key, body: Body) -> Model:
    metadata = body["metadata"]
    annotations = metadata.get("annotations") or {}
    try:
        spec = MLModelSpec.model_validate(body["spec"])
        status = MLModelStatus.model_validate(body.get("status") or {})
    except ValidationError as error:
        raise UnreadableModelError(body, _first_problem(error)) from error
    return Model(
        key=key,
        uid=metadata["uid"],
        generation=metadata.get("generation", 0),
        resource_version=metadata["resourceVersion"],
        created=metadata["creationTimestamp"],
        retrain=_wish(annotations.get(ANNOTATION_RETRAIN)),
        rollback=_wish(annotations.get(ANNOTATION_ROLLBACK)),
        spec=spec,
        status=status,
    )


def _wish(text: str | None) -> str | None:
    """Return what an annotation asks for, cut to what the status can remember; an empty text asks for nothing."""
    return text[:_LONGEST_WISH] if text else None


def _first_problem(error: ValidationError) -> str:
    problem = error.errors(include_url=False)[0]
    return f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}; upgrade the CRDs and the operator together"


def _version(model: Body, body: Body) -> Version:
    name = body["metadata"]["name"]
    try:
        spec = ModelVersionSpec.model_validate(body["spec"])
        status = ModelVersionStatus.model_validate(body.get("status") or {})
    except ValidationError as error:
        raise UnreadableModelError(model, f"ModelVersion {name}: {_first_problem(error)}") from error
    return Version(name=name, uid=body["metadata"]["uid"], spec=spec, status=status)


def _reports(objects: Mapping[Ref, Body]) -> tuple[dict[str, MonitorReportSpec], int]:
    """Read the reports by pod, and count those that do not fit the schema; they are hostile input until proven otherwise."""
    read: dict[str, MonitorReportSpec] = {}
    unreadable = 0
    for ref, body in objects.items():
        if ref.kind is MONITOR_REPORT:
            try:
                read[ref.name] = MonitorReportSpec.model_validate(body["spec"])
            except (ValidationError, KeyError):
                unreadable += 1
    return read, unreadable


def _pod(body: Body) -> Pod:
    metadata, status = body["metadata"], body.get("status") or {}
    labels: dict[str, Any] = metadata.get("labels") or {}
    annotations = metadata.get("annotations") or {}
    stage, run = labels.get(LABEL_STAGE), labels.get(LABEL_RUN)
    index = annotations.get("batch.kubernetes.io/job-completion-index")
    containers = [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]
    conditions = {condition["type"]: condition for condition in status.get("conditions", [])}
    return Pod(
        name=metadata["name"],
        version=labels.get(LABEL_VERSION) if LABEL_MODEL in labels else None,
        run=int(run) if run and run.isdigit() else None,
        stage=Stage(stage) if stage in set(Stage) else None,
        index=int(index) if index and index.isdigit() else None,
        phase=status.get("phase", "Pending"),
        reason=status.get("reason", ""),
        message=status.get("message", ""),
        waiting=_waiting(conditions.get("PodScheduled", {}), containers),
        ready=conditions.get("Ready", {}).get("status") == "True" and "deletionTimestamp" not in metadata,
        terminated=tuple(ending for container in containers if (ending := _ending(container))),
        created=metadata["creationTimestamp"],
    )


def _waiting(scheduled: dict[str, Any], containers: list[dict[str, Any]]) -> str:
    """Say what keeps a pod from starting, such as a claim that is not there or an image that cannot be pulled."""
    causes = [container.get("state", {}).get("waiting") for container in containers]
    if scheduled.get("status") == "False":
        causes.insert(0, scheduled)
    told = [cause for cause in causes if cause and cause.get("reason") not in _ORDINARY_WAITS]
    return f"{told[0].get('reason', 'Waiting')}: {told[0].get('message', '')}".removesuffix(": ") if told else ""


def _ending(container: dict[str, Any]) -> ContainerTermination | None:
    """Read how a container ended, now or before it was started again."""
    ended = container.get("state", {}).get("terminated") or container.get("lastState", {}).get("terminated")
    if not ended:
        return None
    return ContainerTermination(container["name"], ended.get("reason", ""), ended.get("exitCode", 0), ended.get("message", ""))
