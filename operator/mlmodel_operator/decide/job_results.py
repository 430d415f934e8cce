"""Reads how a Job and its pods ended: the result they left, or why they failed.

Not here: what follows from it (``run_stages.py``).
"""

from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

from mlmodel_contract.run import PackageResult, PrepareResult, ScoringResult, Stage, StageResult, TrialResult, VerifyResult
from mlmodel_contract.stage_results import unpack_results

from ..snapshot import ContainerTermination, Job, Pod, Snapshot

Result = TypeVar("Result", PrepareResult, TrialResult, PackageResult, VerifyResult)
_SENTENCES = {
    "OOMKilled": "killed by its memory limit; raise training.resources.limits.memory",
    "DeadlineExceeded": "timed out; raise training.timeout",
}


class JobState(Enum):
    """The state of a Job."""

    ACTIVE = "Active"
    ENDING = "Ending"
    COMPLETE = "Complete"
    FAILED = "Failed"


@dataclass(frozen=True)
class Failure:
    """Why a Job failed."""

    reason: str
    message: str


def job_state(job: Job) -> JobState:
    """Return the state of a Job by its conditions."""
    if "Complete" in job.conditions:
        return JobState.COMPLETE
    if "Failed" in job.conditions:
        return JobState.FAILED
    return JobState.ENDING if "FailureTarget" in job.conditions else JobState.ACTIVE


def read_result(snapshot: Snapshot, run: int, stage: Stage, kind: type[Result]) -> Result | None:
    """Return the result of a stage, from the pod that did all stages or from the stage's own; None where none left one of that kind."""
    found = [*_of_single_pod(snapshot, run), *([] if stage is Stage.PREPARE else _last_results(snapshot.pods_of_run(run, stage)))]
    return next((result for result in found if isinstance(result, kind)), None)


def has_result(snapshot: Snapshot, run: int, stage: Stage) -> bool:
    """Return whether the pod of Prepare did a later stage too."""
    return stage is not Stage.PREPARE and any(result.stage == stage for result in _of_single_pod(snapshot, run))


def read_trials(snapshot: Snapshot, run: int) -> tuple[list[TrialResult], ScoringResult | None]:
    """Return the results of the stage Train: of the trials in their order, and of the versions' scoring where there was one."""
    found = _of_single_pod(snapshot, run)
    if not has_result(snapshot, run, Stage.TRAIN):
        found = [result for pod in snapshot.pods_of_run(run, Stage.TRAIN) for result in _last_results([pod])]
    trials = {result.index: result for result in found if isinstance(result, TrialResult)}
    scorings = [result for result in found if isinstance(result, ScoringResult)]
    return [trials[index] for index in sorted(trials)], scorings[-1] if scorings else None


def _of_single_pod(snapshot: Snapshot, run: int) -> list[StageResult]:
    """Return what the pod of Prepare left: its own result, and those of the stages after it that it did too."""
    return _last_results(snapshot.pods_of_run(run, Stage.PREPARE))


def _last_results(pods: list[Pod]) -> list[StageResult]:
    """Return the results that the last successful pod left; none where they cannot be read."""
    for pod in reversed(pods):
        for termination in pod.terminated:
            if pod.phase == "Succeeded" and termination.exit_code == 0:
                try:
                    return unpack_results(termination.message)
                except ValueError:
                    continue
    return []


def blocking_reason(pods: list[Pod]) -> str:
    """Return what keeps the first pod that waits from starting; empty where none waits."""
    return next((f"{pod.name} waits: {pod.waiting}"[:400] for pod in pods if pod.phase == "Pending" and pod.waiting), "")


def failed_attempts(pods: list[Pod]) -> list[Pod]:
    """Return the pods that failed, oldest first."""
    return [pod for pod in pods if pod.phase == "Failed"]


def timed_out(job: Job) -> bool:
    """Return whether the Job as a whole was ended by its deadline, all of its attempts together; its pods are gone then."""
    failed = job.conditions.get("Failed")
    return failed is not None and failed.reason == "DeadlineExceeded"


def job_failure(job: Job, pods: list[Pod]) -> Failure:
    """Return why a Job failed: its own reason, and how its last pod ended."""
    if timed_out(job):
        seconds = job.active_deadline_seconds
        return Failure("DeadlineExceeded", f"timed out after {seconds} seconds; raise training.timeout or lower training.trials")
    last = last_failure(pods)
    if last is not None:
        return last
    failed = job.conditions["Failed"]
    return Failure(failed.reason or "Failed", failed.message or "the Job failed and its pods are gone")


def last_failure(pods: list[Pod]) -> Failure | None:
    """Return how the last failed pod ended; None where none failed."""
    failed = failed_attempts(pods)
    if not failed:
        return None
    pod = failed[-1]
    terminations = [termination for termination in pod.terminated if termination.exit_code != 0]
    if not terminations:
        return Failure(pod.reason or "PodFailed", _SENTENCES.get(pod.reason) or pod.message or f"pod {pod.name} failed")
    return Failure(pod.reason or terminations[-1].reason or "Error", _sentence(pod, terminations[-1]))


def _sentence(pod: Pod, termination: ContainerTermination) -> str:
    """Return how the pod ended: a reason of the pod as a whole, such as its deadline, explains more than that its container was killed."""
    lines = [line.strip() for line in termination.message.splitlines() if line.strip()]
    cause = _SENTENCES.get(pod.reason or termination.reason) or pod.message or f"ended with exit code {termination.exit_code}"
    return f"{cause}; last line of its log: {lines[-1][:300]}" if lines else cause
