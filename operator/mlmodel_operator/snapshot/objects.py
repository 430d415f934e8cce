"""What the operator knows of a model's objects, as frozen dataclasses.

Not here: how it is read from the API's objects (``parse.py``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from mlmodel_contract.manifest import MLModelSpec
from mlmodel_contract.report import MonitorReportSpec
from mlmodel_contract.run import Stage
from mlmodel_contract.status import MLModelStatus, ModelVersionStatus
from mlmodel_contract.version import ModelVersionSpec

from ..cluster.cache import Body, Ref
from ..cluster.ownership import Key


@dataclass(frozen=True)
class Model:
    """The MLModel itself."""

    key: Key
    uid: str
    generation: int
    resource_version: str
    created: str
    retrain_request: str | None  # value of the annotation mlmodel.dev/retrain
    rollback_request: str | None  # value of the annotation mlmodel.dev/rollback-to
    spec: MLModelSpec
    status: MLModelStatus


@dataclass(frozen=True)
class Version:
    """A ModelVersion."""

    name: str
    uid: str
    spec: ModelVersionSpec
    status: ModelVersionStatus


class JobCondition(NamedTuple):
    """Why a condition of a Job holds."""

    reason: str
    message: str


@dataclass(frozen=True)
class Job:
    """A Job. ``conditions`` are those that hold."""

    name: str
    completions: int
    active_deadline_seconds: int | None
    succeeded: int
    completion_time: str | None
    conditions: Mapping[str, JobCondition]


@dataclass(frozen=True)
class Deployment:
    """The Deployment of a version."""

    name: str
    created: str
    image: str | None  # of the server
    replicas: int
    replicas_owned_elsewhere: bool  # by an autoscaler or a person
    generation: int
    observed_generation: int
    ready_replicas: int  # of its present spec or an earlier one

    @property
    def updated_ready_replicas(self) -> int:
        """Ready pods once the Deployment's controller has observed the present spec; 0 before."""
        return self.ready_replicas if self.observed_generation >= self.generation else 0


@dataclass(frozen=True)
class Service:
    """A Service."""

    name: str
    selector: Mapping[str, str]


@dataclass(frozen=True)
class RoleBinding:
    """A RoleBinding and the role that it binds, which cannot be changed in place."""

    name: str
    role_kind: str
    role: str


@dataclass(frozen=True)
class ContainerTermination:
    """How a container ended."""

    container: str
    reason: str  # Completed, Error, OOMKilled, ...
    exit_code: int
    message: str


@dataclass(frozen=True)
class Pod:
    """What a pod says of itself."""

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
    terminated: tuple[ContainerTermination, ...]  # of its containers, init containers first
    created: str


@dataclass(frozen=True)
class Snapshot:
    """Everything that is known of one model."""

    model: Model
    versions: Mapping[str, Version]
    jobs: Mapping[str, Job]
    deployments: Mapping[str, Deployment]
    services: Mapping[str, Service]
    role_bindings: Mapping[str, RoleBinding]
    pods: tuple[Pod, ...]
    reports: Mapping[str, MonitorReportSpec]  # by pod
    unreadable_reports: int
    owned: frozenset[Ref]  # objects whose owner reference names the model
    objects: Mapping[Ref, Body]  # everything cached, as the API has it: for writing alone

    def pods_of_run(self, run: int, stage: Stage) -> list[Pod]:
        """Return the pods of a stage of a run, oldest first."""
        return sorted((pod for pod in self.pods if pod.run == run and pod.stage is stage), key=lambda pod: (pod.created, pod.name))

    def pods_of_version(self, version: str) -> list[Pod]:
        """Return the model-server pods of a version."""
        return [pod for pod in self.pods if pod.version == version]
