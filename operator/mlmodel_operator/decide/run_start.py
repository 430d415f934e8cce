"""Whether a run starts now, why, and if not, when to check again.

A person's request comes first and knows no cooldown; while a run is under way it answers every further trigger.
Not here: the run itself (``run_stages.py``) and the verdicts on drift and harm (``mlmodel_detection``).
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from cronsim import CronSim, CronSimError
from mlmodel_contract.base import LONGEST_MESSAGE, duration, format_time, parse_time
from mlmodel_contract.manifest import Trigger
from mlmodel_contract.run import Stage
from mlmodel_contract.status import DriftStatus, FeedStatus, LiveVersion, MLModelStatus, RetrainingStatus, RunStatus
from mlmodel_contract.version import Reason
from mlmodel_detection.harm.detector import LEAST_COVERAGE

from ..snapshot import Model, Snapshot
from .quarantine import is_broken
from .rollout import Rollout
from .run_stages import RunEnd
from .spec_digest import spec_digest

RETRY_FIRST = timedelta(seconds=30)
RETRY_LAST = timedelta(hours=1)
LABELS_DUE = 100
"""So many rows must be past their label delay before missing labels count as "labels are not available"."""


@dataclass(frozen=True)
class RunRequest:
    """A run that starts now."""

    reason: Reason
    message: str


def next_run(snapshot: Snapshot, status: MLModelStatus, now: datetime) -> RunRequest | None:
    """Return the run to start now, if any; ``status`` is the status after the other decisions."""
    model = snapshot.model
    if (status.run is not None and status.run.state == "Running") or status.candidate is not None or model.spec.suspend:
        return None
    if model.retrain_request is not None and model.retrain_request != status.retraining.handled_retrain:
        return RunRequest(Reason.MANUAL, f"a person asked for it (mlmodel.dev/retrain: {model.retrain_request})"[:LONGEST_MESSAGE])
    if status.run is None:
        return RunRequest(Reason.INITIAL, "the first run of this model")
    if status.run.spec_digest != spec_digest(model.spec):
        return RunRequest(Reason.SPEC_CHANGED, "the spec's data, training, model or criteria changed")
    if status.run.state == "Cancelled":
        return RunRequest(status.run.reason, f"run {status.run.number} was cancelled: {status.run.progress}")
    if has_given_up(model, status.retraining) or not is_cooled_down(status.retraining, now):
        return None
    if status.live is None or (live_is_outdated(snapshot, status) and status.run.state != "Succeeded"):  # else a person has rolled back
        what = "no version is live" if status.live is None else f"{status.live.version} is of an earlier spec"
        return RunRequest(
            Reason.RETRY, f"{what}; run {status.run.number} ended {status.run.state}: {status.run.progress}"[:LONGEST_MESSAGE]
        )
    if model.spec.training is None:
        return None
    by_monitoring = request_by_monitoring(model.spec.retraining.triggers, status.drift, status.feed)
    return by_monitoring or _request_by_schedule(model, status.retraining, now)


def live_is_outdated(snapshot: Snapshot, status: MLModelStatus) -> bool:
    """Return whether the live version is of an earlier spec, so that it is no champion to beat."""
    run, present = status.run, spec_digest(snapshot.model.spec)
    version = snapshot.versions.get(status.live.version) if status.live else None
    if version is not None and version.spec.spec_digest is not None:
        return version.spec.spec_digest != present
    # An earlier operator did not write it down, but the last run shows it: it was for another spec, or had no champion and failed.
    failed = run is not None and run.champion is None and run.state in ("Failed", "DataInvalid", "Cancelled")
    return run is not None and (run.spec_digest != present or failed)


def request_by_monitoring(triggers: Collection[Trigger], drift: DriftStatus | None, feed: FeedStatus | None) -> RunRequest | None:
    """Return the run that the verdicts ask for: harm, or drift where there are no labels to measure harm; none while a feed is broken."""
    if drift is None or is_broken(feed):
        return None
    if Trigger.PERFORMANCE in triggers and drift.harm == "Confirmed":
        return RunRequest(Reason.PERFORMANCE, drift.message)
    if Trigger.DRIFT in triggers and drift.state == "Confirmed":
        if drift.harm == "Confirmed":
            return RunRequest(Reason.DRIFT, drift.message)
        if drift.harm == "Unknown" and drift.due >= LABELS_DUE and drift.labels < LEAST_COVERAGE * drift.due:
            return RunRequest(Reason.DRIFT, f"{drift.message}; labels are not available to tell whether it harms")
    return None


def _request_by_schedule(model: Model, retraining: RetrainingStatus, now: datetime) -> RunRequest | None:
    due = due_time(model, retraining, now)
    if due is None:
        return None
    return RunRequest(Reason.SCHEDULE, f"the schedule '{model.spec.retraining.schedule}' was due at {format_time(due)}")


def due_time(model: Model, retraining: RetrainingStatus, now: datetime) -> datetime | None:
    """Return the schedule's latest time that has passed and was not acted on; it stands for the times missed before it too."""
    schedule = model.spec.retraining.schedule
    if schedule is None or Trigger.SCHEDULE not in model.spec.retraining.triggers:
        return None
    since = parse_time(retraining.last_scheduled or model.created)
    try:
        latest = next(CronSim(schedule, now + timedelta(seconds=1), reverse=True))  # the times before the given one
    except CronSimError:
        return None  # the condition RetrainingPaused says so
    return latest if latest > since else None


def schedule_problem(model: Model) -> str | None:
    """Return what is wrong with the schedule; None where it can be read."""
    schedule = model.spec.retraining.schedule
    if schedule is None:
        return None
    try:
        CronSim(schedule, parse_time(model.created))
    except CronSimError as error:
        return f"retraining.schedule '{schedule}' cannot be read ({error}): write five cron fields, such as '0 3 * * 0'"
    return None


def seconds_to_schedule(model: Model, now: datetime) -> float | None:
    """Return how long until the schedule's next time."""
    if model.spec.retraining.schedule is None or schedule_problem(model):
        return None
    return max(1.0, (next(CronSim(model.spec.retraining.schedule, now)) - now).total_seconds())


def start_run(snapshot: Snapshot, status: MLModelStatus, request: RunRequest, now: datetime) -> tuple[RunStatus, RetrainingStatus]:
    """Return the new run, and the retraining status with its triggers handled."""
    model = snapshot.model
    compared = model.spec.training is not None and not live_is_outdated(snapshot, status)
    run = RunStatus(
        number=1 + max([status.run.number if status.run else 0, *(version.spec.run for version in snapshot.versions.values())]),
        reason=request.reason,
        message=request.message[:LONGEST_MESSAGE],
        spec_digest=spec_digest(model.spec),
        stage=Stage.PREPARE if model.spec.training else Stage.VERIFY,
        state="Running",
        started=format_time(now),
        progress="starting",
        champion=status.live.version if compared and status.live else None,
    )
    by_person = request.reason in (Reason.MANUAL, Reason.SPEC_CHANGED)
    retraining = status.retraining.replace(rejected_in_a_row=0) if by_person else status.retraining
    return run, coalesce_triggers(model, retraining, now)


def coalesce_triggers(model: Model, retraining: RetrainingStatus, now: datetime) -> RetrainingStatus:
    """Mark the requests and scheduled times up to now as handled: the run under way answers them."""
    scheduled = due_time(model, retraining, now)
    return retraining.replace(
        handled_retrain=model.retrain_request or retraining.handled_retrain,
        last_scheduled=format_time(scheduled) if scheduled else retraining.last_scheduled,
    )


def after_run(snapshot: Snapshot, retraining: RetrainingStatus, ended: RunEnd, now: datetime) -> RetrainingStatus:
    """Return the retraining status after a run's end: with the cooldown or, while no version is live, a growing backoff.

    Bad data is no failed attempt at a model: it is retried for as long as it takes.
    """
    if ended == "Cancelled":
        return retraining
    in_a_row = retraining.rejected_in_a_row + (ended in ("Rejected", "Failed"))
    pause = duration(snapshot.model.spec.retraining.cooldown)
    status = snapshot.model.status
    if status.live is None and status.run is not None and ended in ("DataInvalid", "Failed"):
        pause = min(RETRY_FIRST * 2 ** min(status.run.number - 1, 10), RETRY_LAST)
    return retraining.replace(rejected_in_a_row=in_a_row, not_before=format_time(now + pause))


def after_rollout(before: LiveVersion | None, rollout: Rollout, retraining: RetrainingStatus) -> RetrainingStatus:
    """Return the retraining status after a rollout's step: a version that went live ends the row of failures, a failed one prolongs it."""
    if rollout.failed:
        return retraining.replace(rejected_in_a_row=retraining.rejected_in_a_row + len(rollout.failed))
    went_live = rollout.live is not None and (before is None or before.version != rollout.live.version)
    return retraining.replace(rejected_in_a_row=0) if went_live else retraining


def has_given_up(model: Model, retraining: RetrainingStatus) -> bool:
    """Return whether so many runs failed in a row that a person has to start the next one."""
    return retraining.rejected_in_a_row >= model.spec.retraining.give_up_after


def is_cooled_down(retraining: RetrainingStatus, now: datetime) -> bool:
    """Return whether the pause after the last run is over."""
    return retraining.not_before is None or parse_time(retraining.not_before) <= now


def seconds_to_cooldown(model: Model, retraining: RetrainingStatus, now: datetime) -> float | None:
    """Return how long until the pause after the last run is over; None where there is none."""
    if retraining.not_before is None or has_given_up(model, retraining):
        return None
    left = (parse_time(retraining.not_before) - now).total_seconds()
    return left if left > 0 else None
