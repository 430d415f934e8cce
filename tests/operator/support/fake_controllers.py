"""Fake controllers and kubelets on the API server in memory: Jobs get pods that end, Deployments get ready pods, sidecars report.

Not here: what the operator does about it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mlmodel_contract import VERSION
from mlmodel_contract.base import format_time
from mlmodel_contract.environment import LABEL_STAGE, LABEL_VERSION
from mlmodel_contract.report import MICRO, FeatureCounts, FeatureKind, LabelCounts, LossReference, MonitorReportSpec, RowCounts
from mlmodel_contract.run import Stage
from mlmodel_operator.cluster.cache import Ref
from mlmodel_operator.cluster.kinds import DEPLOYMENT, JOB, MODEL_VERSION, MONITOR_REPORT, POD

from tests.operator.support.in_memory_api import InMemoryApi
from tests.operator.support.manifests import NAME, NAMESPACE, Body


@dataclass(frozen=True)
class ContainerEnd:
    """How a pod's only container ended."""

    message: str
    exit_code: int = 0
    reason: str = "Completed"
    pod_reason: str = ""

    @property
    def phase(self) -> str:
        return "Succeeded" if self.exit_code == 0 else "Failed"


def killed(message: str = "boom", *, reason: str = "Error", exit_code: int = 1) -> ContainerEnd:
    """A container that crashed, with its last log lines."""
    return ContainerEnd(message, exit_code, reason)


TIMED_OUT = ContainerEnd("reading rows\nfold 1/3", 137, "Error", "DeadlineExceeded")
OUT_OF_MEMORY = killed("reading rows\nfitting boosted", reason="OOMKilled", exit_code=137)


def job_of(api: InMemoryApi, run: int, stage: Stage) -> Body:
    """The Job of a stage, which must be there."""
    return api.objects[Ref(JOB, f"{NAME}-r{run}-{stage.lower()}")]


def add_pod(api: InMemoryApi, job: Body, ended: ContainerEnd | None, index: int | None = None) -> str:
    """Give a Job one more pod: one that ended, or one that runs."""
    number = sum(1 for pod in api.all(POD) if pod["metadata"]["name"].startswith(job["metadata"]["name"] + "-"))
    name = f"{job['metadata']['name']}-{number}"
    state = {"terminated": {"reason": ended.reason, "exitCode": ended.exit_code, "message": ended.message}} if ended else {"running": {}}
    metadata: Body = {
        "name": name,
        "namespace": NAMESPACE,
        "labels": job["spec"]["template"]["metadata"]["labels"],
        "ownerReferences": [{"kind": "Job", "name": job["metadata"]["name"], "uid": job["metadata"]["uid"]}],
    }
    if index is not None:
        metadata["annotations"] = {"batch.kubernetes.io/job-completion-index": str(index)}
    status = {"phase": ended.phase if ended else "Running", "containerStatuses": [{"name": "trainer", "state": state}]}
    status |= {"reason": ended.pod_reason} if ended and ended.pod_reason else {}
    api.put({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {}, "status": status})
    return name


def end_job(api: InMemoryApi, job: Body, condition: str, now: datetime, **details: Any) -> None:
    """Say in a Job's status that it is Complete or Failed."""

    def change(body: Body) -> None:
        times = {"completionTime": format_time(now)} if condition == "Complete" else {}
        entry = {"type": condition, "status": "True", "reason": details.get("reason", ""), "message": details.get("message", "")}
        body["status"] = body.get("status", {}) | times | {"conditions": [entry], "succeeded": details.get("succeeded", 0)}

    api.change(JOB, job["metadata"]["name"], change)


def complete(api: InMemoryApi, run: int, stage: Stage, messages: Sequence[str], now: datetime) -> None:
    """Let a stage's pods end well, each with its message."""
    job = job_of(api, run, stage)
    for index, message in enumerate(messages):
        add_pod(api, job, ContainerEnd(message), index if stage is Stage.TRAIN else None)
    end_job(api, job, "Complete", now, succeeded=len(messages))


def fail(api: InMemoryApi, run: int, stage: Stage, now: datetime, *endings: ContainerEnd, **details: Any) -> None:
    """Let a stage's Job fail for good, after its pods ended so."""
    job = job_of(api, run, stage)
    for ended in endings:
        add_pod(api, job, ended)
    end_job(api, job, "Failed", now, **({"reason": "BackoffLimitExceeded"} | details))


def stage_of(job: Body) -> Stage:
    return Stage(job["metadata"]["labels"][LABEL_STAGE])


def active_jobs(api: InMemoryApi) -> list[Body]:
    """Jobs that have not ended."""
    return [job for job in api.all(JOB) if not job.get("status", {}).get("conditions")]


def set_ready(api: InMemoryApi, version: str, ready: int | None = None) -> None:
    """Let the Deployment's controller and kubelet bring pods up; all that are wanted by default."""
    wanted = api.objects[Ref(DEPLOYMENT, version)]["spec"]["replicas"]
    number = wanted if ready is None else ready

    def change(body: Body) -> None:
        body["status"] = {"observedGeneration": body["metadata"]["generation"], "replicas": wanted, "readyReplicas": number}

    deployment = api.change(DEPLOYMENT, version, change)
    for index in range(number):
        add_server(api, deployment, f"{version}-{index}")


def add_server(api: InMemoryApi, deployment: Body, name: str, ended: ContainerEnd | None = None) -> None:
    """Put a model-server pod there: ready, or with its fetch ended."""
    owner = {"kind": "Deployment", "name": deployment["metadata"]["name"], "uid": deployment["metadata"]["uid"]}
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    status: Body = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    if ended:
        state = {"terminated": {"reason": ended.reason, "exitCode": ended.exit_code, "message": ended.message}}
        status = {"phase": "Pending", "initContainerStatuses": [{"name": "fetch", "state": state}]}
    metadata = {"name": name, "namespace": NAMESPACE, "labels": labels, "ownerReferences": [owner]}
    api.put({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {}, "status": status})


@dataclass(frozen=True)
class LiveRows:
    """What a pod's sidecar has counted: rows, how they fall on the slots of ``distance``, and labels with mean and spread of their loss."""

    rows: int
    shifted: bool = False
    labels: int = 0
    loss: float = 0.5
    due: int = 0
    missing: int = 0
    spread: float = 0.0

    def spec(self, version: str, sequence: int, now: datetime) -> MonitorReportSpec:
        """The cumulative report."""
        present = self.rows - self.missing
        low = present // 10 if self.shifted else present // 2
        half = self.rows // 2
        features = [("distance", [low, present - low, self.missing]), ("prediction", [half, self.rows - half, 0])]
        return MonitorReportSpec(
            contract=VERSION,
            model=NAME,
            version=version,
            sequence=sequence,
            time=format_time(now),
            rows=RowCounts(served=self.rows, counted=self.rows, captured=self.rows, due=self.due),
            features=[FeatureCounts(name=name, kind=FeatureKind.NUMERIC, reference=[500, 500, 0], live=live) for name, live in features],
            labels=LabelCounts(
                rows=self.labels,
                loss=int(self.labels * self.loss * MICRO),
                loss_squared=int(self.labels * (self.loss**2 + self.spread**2) * MICRO) + self.labels,
            ),
            loss_reference=LossReference(rows=5000, mean=0.5, variance=0.25),
        )


def report(api: InMemoryApi, pod: str, version: str, rows: LiveRows, sequence: int, now: datetime) -> None:
    """Let a pod's sidecar write its report."""
    owner = api.objects[Ref(MODEL_VERSION, version)]["metadata"]
    owners = [{"kind": "ModelVersion", "name": version, "uid": owner["uid"]}]
    labels = owner["labels"] | {LABEL_VERSION: version}
    metadata = {"name": pod, "namespace": NAMESPACE, "labels": labels, "ownerReferences": owners}
    kind = {"apiVersion": MONITOR_REPORT.api_version, "kind": MONITOR_REPORT.name}
    api.put(kind | {"metadata": metadata, "spec": rows.spec(version, sequence, now).wire()})
