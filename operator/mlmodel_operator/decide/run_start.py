"""Whether a run starts now, why, and if not, when to ask again.

A person's wish comes first and knows no cooldown; while a run is under way every trigger is folded into it.
Not here: the run itself (``run.py``) and the verdicts on drift and harm (``monitoring/``).
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from cronsim import CronSim, CronSimError
from mlmodel_contract.base import duration
from mlmodel_contract.manifest import Trigger
from mlmodel_contract.run import Stage
from mlmodel_contract.status import DriftStatus, FeedStatus, LiveVersion, MLModelStatus, RetrainingStatus, RunStatus
from mlmodel_contract.version import Reason
from mlmodel_detection.harm.detector import LEAST_COVERAGE

from ..snapshot import Model, Snapshot
from .desired_state import moment, stamp
from .feed import is_broken
from .rollout import Rollout
from .run_stages import End
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


def next_start(snapshot: Snapshot, status: MLModelStatus, now: datetime) -> RunRequest | None:
    """Return the run to start now, if any; ``status`` is the status after the other decisions of this look."""
    model = snapshot.model
    if (status.run is not None and status.run.state == "Running") or status.candidate is not None or model.spec.suspend:
        return None
    if model.retrain is not None and model.retrain != status.retraining.handled_retrain:
        return RunRequest(Reason.MANUAL, f"a person asked for it (mlmodel.dev/retrain: {model.retrain})"[:1024])
    if status.run is None:
        return RunRequest(Reason.INITIAL, "the first run of this model")
    if status.run.spec_digest != spec_digest(model.spec):
        return RunRequest(Reason.SPEC_CHANGED, "the spec's data, training, model or criteria changed")
    if status.run.state == "Cancelled":
        return RunRequest(status.run.reason, f"run {status.run.number} was cancelled: {status.run.progress}")
    if gave_up(model, status.retraining) or not cooled_down(status.retraining, now):
        return None
    if status.live is None or (outdated(snapshot, status) and status.run.state != "Succeeded"):  # else a person has rolled back
        what = "no version is live" if status.live is None else f"{status.live.version} is of an earlier spec"
        return RunRequest(Reason.RETRY, f"{what}; run {status.run.number} ended {status.run.state}: {status.run.progress}"[:1024])
    if model.spec.training is None:
        return None
    return by_monitoring(model.spec.retraining.triggers, status.drift, status.feed) or _by_schedule(model, status, now)


def outdated(snapshot: Snapshot, status: MLModelStatus) -> bool:
    """Tell whether the live version is of an earlier spec, so that it is no champion to beat."""
    run, present = status.run, spec_digest(snapshot.model.spec)
    version = snapshot.versions.get(status.live.version) if status.live else None
    if version is not None and version.spec.spec_digest is not None:
        return version.spec.spec_digest != present
    # An earlier operator did not write it down: it is told by the last run, which was for another spec, or had no champion and failed.
    failed = run is not None and run.champion is None and run.state in ("Failed", "DataInvalid", "Cancelled")
    return run is not None and (run.spec_digest != present or failed)


def by_monitoring(triggers: Collection[Trigger], drift: DriftStatus | None, feed: FeedStatus | None) -> RunRequest | None:
    """Return the run that the verdicts ask for: harm, or drift where labels cannot tell of harm; nothing is learnt from a broken feed."""
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


def _by_schedule(model: Model, status: MLModelStatus, now: datetime) -> RunRequest | None:
    due = last_scheduled(model, status, now)
    if due is None:
        return None
    return RunRequest(Reason.SCHEDULE, f"the schedule '{model.spec.retraining.schedule}' was due at {stamp(due)}")


def last_scheduled(model: Model, status: MLModelStatus, now: datetime) -> datetime | None:
    """Return the schedule's latest time that has passed and was not acted on; times missed before it are folded into it."""
    schedule = model.spec.retraining.schedule
    if schedule is None or Trigger.SCHEDULE not in model.spec.retraining.triggers:
        return None
    since = moment(status.retraining.last_scheduled or model.created)
    try:
        latest = next(CronSim(schedule, now + timedelta(seconds=1), reverse=True))  # the times before the given one
    except CronSimError:
        return None  # told by the condition RetrainingPaused
    return latest if latest > since else None


def schedule_problem(model: Model) -> str | None:
    """Return what is wrong with the schedule; None where it can be read."""
    schedule = model.spec.retraining.schedule
    if schedule is None:
        return None
    try:
        CronSim(schedule, moment(model.created))
    except CronSimError as error:
        return f"retraining.schedule '{schedule}' cannot be read ({error}): write five cron fields, such as '0 3 * * 0'"
    return None


def seconds_to_schedule(model: Model, now: datetime) -> float | None:
    """Return how long until the schedule's next time."""
    if model.spec.retraining.schedule is None or schedule_problem(model):
        return None
    return max(1.0, (next(CronSim(model.spec.retraining.schedule, now)) - now).total_seconds())


def start(snapshot: Snapshot, status: MLModelStatus, wanted: RunRequest, now: datetime) -> tuple[RunStatus, RetrainingStatus]:
    """Return the new run and what retraining remembers of its start."""
    model = snapshot.model
    compared = model.spec.training is not None and not outdated(snapshot, status)
    run = RunStatus(
        number=1 + max([status.run.number if status.run else 0, *(version.spec.run for version in snapshot.versions.values())]),
        reason=wanted.reason,
        message=wanted.message[:1024],
        spec_digest=spec_digest(model.spec),
        stage=Stage.PREPARE if model.spec.training else Stage.VERIFY,
        state="Running",
        started=stamp(now),
        progress="starting",
        champion=status.live.version if compared and status.live else None,
    )
    wished = wanted.reason in (Reason.MANUAL, Reason.SPEC_CHANGED)
    memory = status.retraining.model_copy(update={"rejected_in_a_row": 0} if wished else {})
    return run, folded(model, status.model_copy(update={"retraining": memory}), now)


def folded(model: Model, status: MLModelStatus, now: datetime) -> RetrainingStatus:
    """Take the wishes and times that have come until now as answered by the run under way."""
    scheduled = last_scheduled(model, status, now)
    return status.retraining.model_copy(
        update={
            "handled_retrain": model.retrain or status.retraining.handled_retrain,
            "last_scheduled": stamp(scheduled) if scheduled else status.retraining.last_scheduled,
        }
    )


def after_end(snapshot: Snapshot, memory: RetrainingStatus, ended: End, now: datetime) -> RetrainingStatus:
    """Return what retraining remembers of a run's end: the cooldown, or, while nothing is live, a growing pause before the next try.

    Bad data is no failed attempt at a model: it is looked at again for as long as it takes, ever more seldom.
    """
    if ended == "Cancelled":
        return memory
    in_a_row = memory.rejected_in_a_row + (ended in ("Rejected", "Failed"))
    pause = duration(snapshot.model.spec.retraining.cooldown)
    status = snapshot.model.status
    if status.live is None and status.run is not None and ended in ("DataInvalid", "Failed"):
        pause = min(RETRY_FIRST * 2 ** min(status.run.number - 1, 10), RETRY_LAST)
    return memory.model_copy(update={"rejected_in_a_row": in_a_row, "not_before": stamp(now + pause)})


def after_rollout(before: LiveVersion | None, served: Rollout, memory: RetrainingStatus) -> RetrainingStatus:
    """Return what is remembered of a rollout: a version that went live ends the row of failures, one that was given up prolongs it."""
    if served.failed:
        return memory.model_copy(update={"rejected_in_a_row": memory.rejected_in_a_row + len(served.failed)})
    went_live = served.live is not None and (before is None or before.version != served.live.version)
    return memory.model_copy(update={"rejected_in_a_row": 0}) if went_live else memory


def gave_up(model: Model, memory: RetrainingStatus) -> bool:
    """Tell whether so many runs failed in a row that a person has to start the next one."""
    return memory.rejected_in_a_row >= model.spec.retraining.give_up_after


def cooled_down(memory: RetrainingStatus, now: datetime) -> bool:
    """Tell whether the pause after the last run is over."""
    return memory.not_before is None or moment(memory.not_before) <= now


def seconds_to_cooldown(model: Model, memory: RetrainingStatus, now: datetime) -> float | None:
    """Return how long until the pause after the last run is over; None where there is none."""
    if memory.not_before is None or gave_up(model, memory):
        return None
    left = (moment(memory.not_before) - now).total_seconds()
    return left if left > 0 else None
