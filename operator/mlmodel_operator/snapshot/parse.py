"""Reads the API's objects, each kind into its dataclass. A status that is not there yet reads as its zero values.

Not here: what is gathered (``gather.py``).
"""

from typing import Any

from mlmodel_contract.environment import LABEL_MODEL, LABEL_RUN, LABEL_STAGE, LABEL_VERSION
from mlmodel_contract.manifest import MLModelSpec
from mlmodel_contract.run import Stage
from mlmodel_contract.status import MLModelStatus, ModelVersionStatus
from mlmodel_contract.version import ModelVersionSpec

from ..cluster.cache import REPLICAS_OWNED_ELSEWHERE, Body
from ..cluster.ownership import Key
from .objects import ContainerTermination, Deployment, Job, JobCondition, Model, Pod, RoleBinding, Service, Version

ANNOTATION_RETRAIN = "mlmodel.dev/retrain"
ANNOTATION_ROLLBACK = "mlmodel.dev/rollback-to"
_LONGEST_REQUEST = 253  # characters that the status has room for
_ORDINARY_WAITS = ("ContainerCreating", "PodInitializing")


def model(key: Key, body: Body) -> Model:
    """Read the MLModel.

    Raises:
        ValidationError: spec or status do not fit the contract.
    """
    metadata = body["metadata"]
    annotations = metadata.get("annotations") or {}
    return Model(
        key=key,
        uid=metadata["uid"],
        generation=metadata.get("generation", 0),
        resource_version=metadata["resourceVersion"],
        created=metadata["creationTimestamp"],
        retrain_request=_annotation_request(annotations.get(ANNOTATION_RETRAIN)),
        rollback_request=_annotation_request(annotations.get(ANNOTATION_ROLLBACK)),
        spec=MLModelSpec.model_validate(body["spec"]),
        status=MLModelStatus.model_validate(_status(body)),
    )


def _annotation_request(text: str | None) -> str | None:
    """Return what an annotation asks for, cut to what the status can remember; an empty text asks for nothing."""
    return text[:_LONGEST_REQUEST] if text else None


def version(body: Body) -> Version:
    """Read a ModelVersion.

    Raises:
        ValidationError: spec or status do not fit the contract.
    """
    return Version(
        name=body["metadata"]["name"],
        uid=body["metadata"]["uid"],
        spec=ModelVersionSpec.model_validate(body["spec"]),
        status=ModelVersionStatus.model_validate(_status(body)),
    )


def job(body: Body) -> Job:
    """Read a Job."""
    spec, status = body["spec"], _status(body)
    holding = [condition for condition in status.get("conditions") or [] if condition["status"] == "True"]
    return Job(
        name=body["metadata"]["name"],
        completions=spec.get("completions", 1),
        active_deadline_seconds=spec.get("activeDeadlineSeconds"),
        succeeded=status.get("succeeded", 0),
        completion_time=status.get("completionTime"),
        conditions={condition["type"]: JobCondition(condition.get("reason", ""), condition.get("message", "")) for condition in holding},
    )


def deployment(body: Body) -> Deployment:
    """Read a Deployment."""
    metadata, spec, status = body["metadata"], body["spec"], _status(body)
    return Deployment(
        name=metadata["name"],
        created=metadata["creationTimestamp"],
        image=spec["template"]["spec"]["containers"][0].get("image"),
        replicas=spec.get("replicas", 1),
        replicas_owned_elsewhere=metadata.get(REPLICAS_OWNED_ELSEWHERE, False),
        generation=metadata.get("generation", 0),
        observed_generation=status.get("observedGeneration", 0),
        ready_replicas=status.get("readyReplicas", 0),
    )


def service(body: Body) -> Service:
    """Read a Service."""
    return Service(name=body["metadata"]["name"], selector=body["spec"].get("selector", {}))


def role_binding(body: Body) -> RoleBinding:
    """Read a RoleBinding."""
    role = body["roleRef"]
    return RoleBinding(name=body["metadata"]["name"], role_kind=role["kind"], role=role["name"])


def pod(body: Body) -> Pod:
    """Read a pod."""
    metadata, status = body["metadata"], _status(body)
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
        terminated=tuple(termination for container in containers if (termination := _termination(container))),
        created=metadata["creationTimestamp"],
    )


def _waiting(scheduled: dict[str, Any], containers: list[dict[str, Any]]) -> str:
    """Return what keeps a pod from starting, such as a claim that is not there or an image that cannot be pulled."""
    causes = [container.get("state", {}).get("waiting") for container in containers]
    if scheduled.get("status") == "False":
        causes.insert(0, scheduled)
    unusual = [cause for cause in causes if cause and cause.get("reason") not in _ORDINARY_WAITS]
    return f"{unusual[0].get('reason', 'Waiting')}: {unusual[0].get('message', '')}".removesuffix(": ") if unusual else ""


def _termination(container: dict[str, Any]) -> ContainerTermination | None:
    """Read how a container ended, now or before it was started again."""
    ended = container.get("state", {}).get("terminated") or container.get("lastState", {}).get("terminated")
    if not ended:
        return None
    return ContainerTermination(container["name"], ended.get("reason", ""), ended.get("exitCode", 0), ended.get("message", ""))


def _status(body: Body) -> dict[str, Any]:
    return body.get("status") or {}
