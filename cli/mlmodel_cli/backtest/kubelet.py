"""What controllers and the kubelet do in a backtest: Jobs get trainer pods that end, Deployments get a ready pod that predicts.

Not here: what is desired, which the operator decides.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from mlmodel_contract.base import format_time
from mlmodel_contract.environment import LABEL_RUN
from mlmodel_contract.stage_results import unpack_results
from mlmodel_operator.cluster.cache import Body, Ref
from mlmodel_operator.cluster.kinds import DEPLOYMENT, JOB, POD

from .server_pod import ServerPod
from .simulated_cluster import SimulatedCluster
from .trainer_pod import PodEnd, run_trainer


@dataclass(frozen=True)
class TrainerWork:
    """What the trainer did: the results of all stages, and the seconds of CPU that they took."""

    results: list[dict[str, Any]] = field(default_factory=list)
    cpu_seconds: float = 0.0


@dataclass(frozen=True)
class _EndedJob:
    """A Job whose pods have ended, which the cluster shows once its time has come."""

    job: Body
    ends: list[PodEnd]
    due: datetime


class Kubelet:
    """Carries out Jobs and Deployments. ``run_takes`` is how long a run takes from its first Job to its last, in simulated time."""

    def __init__(self, cluster: SimulatedCluster, folder: Path, clock: Callable[[], datetime], run_takes: timedelta) -> None:
        self.servers: dict[str, ServerPod] = {}  # by Deployment
        self.work = TrainerWork()
        self._cluster = cluster
        self._folder = folder
        self._clock = clock
        self._run_takes = run_takes
        self._run_started: dict[str, datetime] = {}
        self._ended: dict[str, _EndedJob] = {}  # by Job

    def step(self) -> None:
        """Do what the objects ask for now."""
        self._stop_servers()
        for deployment in self._cluster.of_kind(DEPLOYMENT):
            self._bring_up(deployment)
        self._stop_jobs()
        for job in self._cluster.of_kind(JOB):
            if not job.get("status"):
                self._carry_out(job)

    def close(self) -> None:
        """End all pods."""
        for server in self.servers.values():
            server.close()

    def _bring_up(self, deployment: Body) -> None:
        name, metadata = deployment["metadata"]["name"], deployment["metadata"]
        if name not in self.servers:
            pod = f"{name}-{metadata['uid']}"
            self.servers[name] = ServerPod(deployment, pod, self._folder / pod, lambda: self._clock().timestamp())
            status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
            self._cluster.put(_pod(deployment, pod, status))
        replicas = deployment["spec"].get("replicas", 1)
        ready = {"observedGeneration": metadata["generation"], "replicas": replicas, "readyReplicas": replicas}
        if deployment.get("status") != ready:
            self._cluster.put({**deployment, "status": ready})

    def _stop_servers(self) -> None:
        present = {deployment["metadata"]["name"] for deployment in self._cluster.of_kind(DEPLOYMENT)}
        for name in [name for name in self.servers if name not in present]:
            server = self.servers.pop(name)
            self._cluster.put(server.report())
            server.close()
            self._cluster.remove(Ref(POD, server.name))

    def _stop_jobs(self) -> None:
        """Delete the pods of Jobs that are gone."""
        present = {job["metadata"]["name"] for job in self._cluster.of_kind(JOB)}
        for pod in self._cluster.of_kind(POD):
            owner = pod["metadata"]["ownerReferences"][0]
            if owner["kind"] == JOB.name and owner["name"] not in present:
                self._cluster.remove(Ref(POD, pod["metadata"]["name"]))
        self._ended = {name: ended for name, ended in self._ended.items() if name in present}

    def _carry_out(self, job: Body) -> None:
        """Run a Job's pods, when it is new; show their ends, once the run has taken its time."""
        name, now = job["metadata"]["name"], self._clock()
        if name not in self._ended:
            started = self._run_started.setdefault(job["metadata"]["labels"][LABEL_RUN], now)
            self._ended[name] = _EndedJob(job, list(self._run(job)), started + self._run_takes)
        if self._ended[name].due <= now:
            self._show(self._ended.pop(name))

    def _run(self, job: Body) -> Iterator[PodEnd]:
        for server in self.servers.values():
            server.store()
        for index in range(job["spec"].get("completions", 1)):
            for _ in range(1 + job["spec"].get("backoffLimit", 0)):  # an Indexed Job has none: its trial would die again
                ended = self._attempt(job, index)
                yield ended
                if ended.exit_code == 0:
                    break

    def _attempt(self, job: Body, index: int) -> PodEnd:
        ended = run_trainer(job, index)
        done = [result.wire() for result in unpack_results(ended.message)] if ended.exit_code == 0 else []
        self.work = TrainerWork([*self.work.results, *done], self.work.cpu_seconds + ended.cpu_seconds)
        return ended

    def _show(self, ended: _EndedJob) -> None:
        job, indexed = ended.job, ended.job["spec"].get("completionMode") == "Indexed"
        for index, end in enumerate(ended.ends):
            phase, reason = ("Succeeded", "Completed") if end.exit_code == 0 else ("Failed", "Error")
            state = {"terminated": {"reason": reason, "exitCode": end.exit_code, "message": end.message}}
            pod = _pod(
                job, f"{job['metadata']['name']}-{index}", {"phase": phase, "containerStatuses": [{"name": "trainer", "state": state}]}
            )
            if indexed:
                pod["metadata"]["annotations"] = {"batch.kubernetes.io/job-completion-index": str(index)}
            self._cluster.put(pod)
        succeeded = sum(end.exit_code == 0 for end in ended.ends)
        done = succeeded == job["spec"].get("completions", 1)
        condition = {"type": "Complete" if done else "Failed", "status": "True", "reason": "" if done else "BackoffLimitExceeded"}
        times = {"completionTime": format_time(self._clock())} if done else {}
        self._cluster.put({**job, "status": {**times, "conditions": [condition], "succeeded": succeeded}})


def _pod(owner: Body, name: str, status: Body) -> Body:
    """Return a pod of a Job or a Deployment."""
    metadata = {
        "name": name,
        "namespace": owner["metadata"]["namespace"],
        "labels": owner["spec"]["template"]["metadata"]["labels"],
        "ownerReferences": [{"kind": owner["kind"], "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"]}],
    }
    return {"apiVersion": "v1", "kind": POD.name, "metadata": metadata, "spec": {}, "status": status}
