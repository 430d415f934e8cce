"""The conditions of an MLModel. Ready only summarises the others; a transition time moves only when the status changes.

Not here: what the conditions are about.
"""

from datetime import datetime
from typing import Literal, NamedTuple

from mlmodel_contract.base import format_time, parse_time
from mlmodel_contract.status import Condition, CriterionStatus, MLModelStatus, RunStatus, SliceStatus

from ..snapshot import Model
from .pace import budget_free_at, budget_sentence
from .quarantine import is_broken
from .run_start import has_given_up, schedule_problem

READY = "Ready"
SERVING = "Serving"
DATA_VALID = "DataValid"
OBJECTIVE_MET = "ObjectiveMet"
PROGRESSING = "Progressing"
DRIFT_DETECTED = "DriftDetected"
FEED_HEALTHY = "FeedHealthy"
RETRAINING_PAUSED = "RetrainingPaused"

CHILD_REFUSED = "ChildRefused"
"""Reason of Progressing, and of Ready before a version is live, while the API server refuses a child."""

GOOD_ENDS = ("Succeeded", "ChampionKept", "Returned", "Unchanged")
"""Ends of a run after which there is nothing to repair."""

ConditionStatus = Literal["True", "False", "Unknown"]


class Finding(NamedTuple):
    """A condition without generation and transition time."""

    status: ConditionStatus
    reason: str
    message: str


def all_conditions(model: Model, status: MLModelStatus, blocking_reason: str, now: datetime) -> list[Condition]:
    """Return all conditions for the status as it now is; ``blocking_reason`` says what a candidate waits for."""
    known = {condition.type: condition for condition in model.status.conditions}
    found = {
        SERVING: _serving(model, status),
        DATA_VALID: _data_valid(model, status.run, known.get(DATA_VALID)),
        OBJECTIVE_MET: _objective_met(status.objective, status.slices),
        PROGRESSING: _progressing(status, blocking_reason),
        DRIFT_DETECTED: _drift_detected(status),
        FEED_HEALTHY: _feed_healthy(status),
        RETRAINING_PAUSED: _retraining_paused(model, status, now),
    }
    found[READY] = _ready(status, found)
    return [_condition(name, finding, known.get(name), model.generation, now) for name, finding in sorted(found.items())]


def known_refusal(known: list[Condition]) -> str:
    """Return what the API server is known to refuse; empty where nothing is."""
    return next((condition.message for condition in known if (condition.type, condition.reason) == (PROGRESSING, CHILD_REFUSED)), "")


def with_refusal(model: Model, status: MLModelStatus, refusal: str, now: datetime) -> MLModelStatus:
    """Return the status that says what the API server refuses: in Progressing, and in Ready where no version is live."""
    if not refusal:
        return status
    known = {condition.type: condition for condition in model.status.conditions}
    affected = (PROGRESSING,) if status.live else (PROGRESSING, READY)
    finding = Finding("False", CHILD_REFUSED, refusal)
    found = [
        _condition(condition.type, finding, known.get(condition.type), model.generation, now) if condition.type in affected else condition
        for condition in status.conditions
    ]
    return status.replace(conditions=found)


def unreadable_spec(reason: str, generation: int, now: datetime) -> Condition:
    """Return the condition Ready of a model whose spec cannot be read."""
    return _condition(READY, Finding("False", "SpecUnreadable", reason), None, generation, now)


def _condition(name: str, finding: Finding, known: Condition | None, generation: int, now: datetime) -> Condition:
    since = known.last_transition_time if known and known.status == finding.status else format_time(now)
    return Condition(
        type=name,
        status=finding.status,
        reason=finding.reason,
        message=finding.message[:2048],
        last_transition_time=since,
        observed_generation=generation,
    )


def _serving(model: Model, status: MLModelStatus) -> Finding:
    live = status.live
    if live is None:
        return Finding("False", "NoVersion", "no version has been accepted yet")
    if live.ready_replicas == 0 and model.spec.serving.replicas == 0 and model.spec.serving.autoscaling is None:
        return Finding("False", "ScaledToZero", f"spec.serving.replicas is 0; {live.version} would be served")
    if live.ready_replicas == 0:
        return Finding("False", "NoReadyPod", f"no pod of {live.version} is ready")
    return Finding("True", "PodsReady", f"{live.ready_replicas} pods of {live.version} are ready")


def _data_valid(model: Model, run: RunStatus | None, known: Condition | None) -> Finding:
    if model.spec.training is None:
        return Finding("Unknown", "NotTrainedHere", "the model was trained elsewhere")
    if run is not None and run.state == "DataInvalid":
        return Finding(
            "False", "DataInvalid", f"run {run.number}: {run.progress}; nothing was trained on it, the live version is untouched"
        )
    if run is not None and run.data is not None:
        rows = run.data.train_rows + run.data.holdout_rows
        return Finding(
            "True", "ChecksPassed", f"run {run.number}: {rows} rows from {run.data.start or '-'} to {run.data.end or '-'} passed"
        )
    if known is not None:
        return Finding(known.status, known.reason, known.message)
    return Finding("Unknown", "NotChecked", "no run has checked the data yet")


def _objective_met(objective: list[CriterionStatus], slices: list[SliceStatus]) -> Finding:
    if not objective or any(criterion.met is None for criterion in objective):
        return Finding("Unknown", "NoFigures", "no version has figures for every criterion yet")
    summary = ", ".join(criterion.summary for criterion in objective)
    if any(criterion.met is False for criterion in objective):
        return Finding("False", "CriterionMissed", summary)
    missed = [
        f"{criterion.summary} in {group.column}={group.value}" for group in slices for criterion in group.criteria if criterion.met is False
    ]
    return Finding("False", "SliceMissed", ", ".join(missed)) if missed else Finding("True", "CriteriaMet", summary)


def _progressing(status: MLModelStatus, blocking_reason: str) -> Finding:
    if status.run is not None and status.run.state == "Running":
        return Finding("True", f"{status.run.stage}Running", f"run {status.run.number} ({status.run.reason}): {status.run.progress}")
    if status.candidate is not None:
        return Finding("True", "RollingOut", blocking_reason or f"{status.candidate.version} gets ready")
    if status.run is not None and status.run.state not in GOOD_ENDS:
        return Finding("False", f"Run{status.run.state}", f"run {status.run.number}: {status.run.progress}")
    last = status.decisions[-1] if status.decisions else None
    if last is not None and last.decision == "RolloutFailed":
        return Finding("False", last.decision, last.message)
    return Finding("False", "Idle", "nothing is under way")


def _drift_detected(status: MLModelStatus) -> Finding:
    drift = status.drift
    if drift is None:
        return Finding("Unknown", "NoReports", "no live rows have been reported yet")
    if drift.state == "Confirmed":
        return Finding("True", "DriftAndHarm" if drift.harm == "Confirmed" else "DriftConfirmed", drift.message)
    if drift.harm == "Confirmed":
        return Finding("True", "HarmWithoutDrift", drift.message)
    return Finding("False", "Suspected" if drift.state == "Suspected" else "NoDrift", drift.message)


def _feed_healthy(status: MLModelStatus) -> Finding:
    feed = status.feed
    if feed is None or feed.state == "Unknown":
        return Finding("Unknown", "TooFewRows", "too few live rows to tell")
    if is_broken(feed):
        return Finding("False", "FeedBroken", feed.message)
    return Finding("True", "Healthy", feed.message)


def _retraining_paused(model: Model, status: MLModelStatus, now: datetime) -> Finding:
    if model.spec.suspend:
        return Finding("True", "Suspended", "spec.suspend is true: nothing but serving goes on")
    if model.spec.training is None:
        return Finding("True", "NotTrainedHere", "the model was trained elsewhere; give spec.model a new uri and digest to change it")
    if has_given_up(model, status.retraining):
        last = f"{status.retraining.failed_in_a_row} runs in a row failed (retraining.giveUpAfter)"
        cause = f", the last one by: {status.run.progress}" if status.run else ""
        remedy = (
            "remove the cause, then annotate the model with mlmodel.dev/retrain=<any new text>; new labelled rows or newly confirmed drift"
        )
        return Finding("True", "GaveUp", f"{last}{cause}; {remedy} start the next one too")
    problem = schedule_problem(model)
    if problem:
        return Finding("True", "ScheduleUnreadable", problem)
    if is_broken(status.feed):
        return Finding(
            "True", "FeedBroken", "neither drift nor loss starts a run while a feed is broken; a person or the schedule still may"
        )
    free = budget_free_at(model.spec.retraining, status.retraining.costs, now)
    if free:
        return Finding("False", "BudgetSpent", budget_sentence(model.spec.retraining, free))
    not_before = status.retraining.not_before
    if not_before and parse_time(not_before) > now:
        return Finding("False", "CoolingDown", f"the next run that nobody asks for starts after {not_before} (retraining.cooldown)")
    return Finding("False", "Watching", f"triggers: {', '.join(model.spec.retraining.triggers) or 'none'}")


def _ready(status: MLModelStatus, found: dict[str, Finding]) -> Finding:
    serving = found[SERVING]
    if serving.status == "True":
        return Finding("True", "Serving", serving.message)
    if status.live is None and found[DATA_VALID].status == "False":
        return Finding("False", found[DATA_VALID].reason, found[DATA_VALID].message)
    if status.live is None:
        return Finding("False", found[PROGRESSING].reason, found[PROGRESSING].message)
    return Finding("False", serving.reason, serving.message)
