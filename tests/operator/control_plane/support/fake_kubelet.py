"""A fake kubelet for the pods that the real controllers make: trainers end with a result, servers get ready, sidecars report.

Not here: Job and Deployment controllers, which are the real ones.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from mlmodel_contract.base import format_time
from mlmodel_contract.environment import LABEL_COMPONENT, LABEL_MANAGED_BY, LABEL_MODEL, LABEL_RUN, LABEL_STAGE, MANAGER
from mlmodel_contract.run import Stage
from mlmodel_operator.cluster.kinds import JOB, MODEL_VERSION, MONITOR_REPORT, POD

from tests.operator.control_plane.support.api import Api, Body
from tests.operator.support import manifests
from tests.operator.support.fake_controllers import ContainerEnd, LiveRows

Outcome = Callable[[int, int], ContainerEnd | None]
"""From the run and the index of a trial to how its pod ends; None: it runs on."""


def now() -> str:
    return format_time(datetime.now(UTC))


def goes_well(stage: Stage, model: str) -> Outcome:
    def outcome(run: int, index: int) -> ContainerEnd:
        champion = f"{model}-v1" if run > 1 else None
        return ContainerEnd(manifests.fine(stage, run, champion)[index])

    return outcome


@dataclass
class FakeKubelet:
    """One namespace's kubelet. ``outcomes`` say how the pods of a stage end; a test may change them."""

    api: Api
    model: str = manifests.NAME
    outcomes: dict[Stage, Outcome] = field(default_factory=dict)
    serves: bool = True
    jobs: dict[str, set[str]] = field(default_factory=dict)  # uids by name: a Job that was made twice has two

    def step(self) -> None:
        """Let every pod that waits go on."""
        for job in self.api.objects(JOB, f"{LABEL_MODEL}={self.model}"):
            self.jobs.setdefault(job["metadata"]["name"], set()).add(job["metadata"]["uid"])
        for pod in self.api.objects(POD, f"{LABEL_MODEL}={self.model}"):
            if pod["status"]["phase"] == "Pending" and "deletionTimestamp" not in pod["metadata"]:
                self._run(pod)

    def _run(self, pod: Body) -> None:
        labels = pod["metadata"]["labels"]
        if LABEL_STAGE in labels:
            stage = Stage(labels[LABEL_STAGE])
            index = int(pod["metadata"].get("annotations", {}).get("batch.kubernetes.io/job-completion-index", 0))
            ended = self.outcomes.get(stage, goes_well(stage, self.model))(int(labels[LABEL_RUN]), index)
            if ended is not None:
                self._end(pod, ended)
        elif self.serves and labels[LABEL_COMPONENT] == "model-server":
            conditions = [{"type": name, "status": "True", "lastTransitionTime": now()} for name in ("Ready", "ContainersReady")]
            self._set(pod, {"phase": "Running", "conditions": conditions})

    def _end(self, pod: Body, ended: ContainerEnd) -> None:
        terminated = {
            "exitCode": ended.exit_code,
            "reason": ended.reason,
            "message": ended.message,
            "startedAt": now(),
            "finishedAt": now(),
        }
        state = {
            "name": "trainer",
            "state": {"terminated": terminated},
            "image": "x",
            "imageID": "x",
            "ready": False,
            "restartCount": 0,
        }
        self._set(pod, {"phase": ended.phase, "containerStatuses": [state]})

    def _set(self, pod: Body, status: Body) -> None:
        self.api.merge(POD, pod["metadata"]["name"], {"status": status}, "status")

    def report(self, version: str, rows: LiveRows, *, sequence: int = 1) -> None:
        """Let the sidecar of the version's first pod report."""
        pod = self.api.names(POD, f"mlmodel.dev/version={version}")[0]
        uid = self.api.get(MODEL_VERSION, version)["metadata"]["uid"]
        owner = {"apiVersion": MODEL_VERSION.api_version, "kind": "ModelVersion", "name": version, "uid": uid}
        labels = {LABEL_MODEL: self.model, LABEL_MANAGED_BY: MANAGER}
        spec = rows.spec(version, sequence, datetime.now(UTC)).wire()
        if self.api.find(MONITOR_REPORT, pod) is None:
            self.api.create(MONITOR_REPORT, {"metadata": {"name": pod, "labels": labels, "ownerReferences": [owner]}, "spec": spec})
        else:
            self.api.merge(MONITOR_REPORT, pod, {"spec": spec})
