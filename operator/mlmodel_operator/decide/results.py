"""Reads how a Job and its pods ended: the result they left, or why they failed.

Not here: what follows from it (``run.py``).
"""

from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

from mlmodel_contract.run import PackageResult, PrepareResult, Stage, StageResult, TrialResult, VerifyResult
from pydantic import TypeAdapter, ValidationError

from ..cluster.cache import Body
from ..snapshot import ContainerTermination, Pod, Snapshot

Result = TypeVar("Result", PrepareResult, TrialResult, PackageResult, VerifyResult)
_RESULT: TypeAdapter[StageResult] = TypeAdapter(StageResult)
_SENTENCES = {
    "OOMKilled": "killed by its memory limit; raise training.resources.limits.memory",
    "DeadlineExceeded": "timed out; raise training.timeout",
}


class JobState(Enum):
    """How a Job goes."""

    ACTIVE = "Active"
    ENDING = "Ending"
    COMPLETE = "Complete"
    FAILED = "Failed"


@dataclass(frozen=True)
class Failure:
    """Why a Job failed."""

    reason: str
    message: str


def job_state(job: Body) -> JobState:
    """Tell how a Job goes by its conditions."""
    conditions = _conditions(job)
    if "Complete" in conditions:
        return JobState.COMPLETE
    if "Failed" in conditions:
        return JobState.FAILED
    return JobState.ENDING if "FailureTarget" in conditions else JobState.ACTIVE


def _conditions(job: Body) -> dict[str, Body]:
    found = (job.get("status") or {}).get("conditions") or []
    return {condition["type"]: condition for condition in found if condition["status"] == "True"}


def result_of(pods: list[Pod]) -> StageResult | None:
    """Return the result that the last successful pod left; None where there is none that can be read."""
    for pod in reversed(pods):
        for ending in pod.terminated:
            if pod.phase == "Succeeded" and ending.exit_code == 0:
                try:
                    return _RESULT.validate_json(ending.message)
                except ValidationError:
                    continue
    return None


def waits(pods: list[Pod]) -> str:
    """Say what keeps the first pod that waits from starting; empty where none waits."""
    return next((f"{pod.name} waits: {pod.waiting}"[:400] for pod in pods if pod.phase == "Pending" and pod.waiting), "")


def failed_attempts(pods: list[Pod]) -> list[Pod]:
    """Return the pods that failed, oldest first."""
    return [pod for pod in pods if pod.phase == "Failed"]


def timed_out(job: Body) -> bool:
    """Tell whether the Job as a whole was ended by its deadline, all of its attempts together; its pods are gone then."""
    return bool(_conditions(job).get("Failed", {}).get("reason") == "DeadlineExceeded")


def failure_of(job: Body, pods: list[Pod]) -> Failure:
    """Say why a Job failed: its own reason, and how its last pod ended."""
    condition = _conditions(job).get("Failed", {})
    if timed_out(job):
        seconds = job["spec"].get("activeDeadlineSeconds")
        return Failure("DeadlineExceeded", f"timed out after {seconds} seconds; raise training.timeout or lower training.trials")
    last = last_failure(pods)
    return last or Failure(condition.get("reason", "Failed"), condition.get("message", "the Job failed and its pods are gone"))


def last_failure(pods: list[Pod]) -> Failure | None:
    """Say how the last failed pod ended; None where none failed."""
    failed = failed_attempts(pods)
    if not failed:
        return None
    pod = failed[-1]
    endings = [ending for ending in pod.terminated if ending.exit_code != 0]
    if not endings:
        return Failure(pod.reason or "PodFailed", _SENTENCES.get(pod.reason) or pod.message or f"pod {pod.name} failed")
    return Failure(pod.reason or endings[-1].reason or "Error", _sentence(pod, endings[-1]))


def _sentence(pod: Pod, ending: ContainerTermination) -> str:
    """Say how the pod ended: what befell it as a whole, such as its deadline, tells more than that its container was killed."""
    lines = [line.strip() for line in ending.message.splitlines() if line.strip()]
    said = _SENTENCES.get(pod.reason or ending.reason) or pod.message or f"ended with exit code {ending.exit_code}"
    return f"{said}; last line of its log: {lines[-1][:300]}" if lines else said


def result_as(snapshot: Snapshot, run: int, stage: Stage, kind: type[Result]) -> Result | None:
    """Return the result of a stage, None where its pods did not leave one of that kind."""
    found = result_of(snapshot.pods_of_run(run, stage))
    return found if isinstance(found, kind) else None
