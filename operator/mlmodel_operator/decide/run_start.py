"""Whether a run starts now, why, and if not, when to check again.

A person's request comes first and knows neither cooldown nor budget; while a run is under way it answers every further trigger. Suspicion
starts a run, for a run only compares; strict evidence is for calling people. Not here: the run itself (``run_stages.py``), what is
remembered of it (``retraining_memory.py``), how soon the next one may come (``pace.py``), and the verdicts on drift and harm
(``mlmodel_detection``).
"""

import math
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from cronsim import CronSim, CronSimError
from mlmodel_contract.base import LONGEST_MESSAGE, duration, format_time, parse_time
from mlmodel_contract.manifest import Retraining, Trigger
from mlmodel_contract.report import LossReference
from mlmodel_contract.run import Stage
from mlmodel_contract.status import DriftStatus, FeedStatus, MLModelStatus, RetrainingStatus, RunStatus
from mlmodel_contract.version import Reason
from mlmodel_detection.harm.detector import LEAST_COVERAGE

from ..snapshot import Model, Snapshot
from .competition import choose_competition
from .earlier_versions import MOST_BEFORE_CHANGES
from .loss_history import LEAST_DATED, LossRise, clearest_rise, find_rise, least_labels
from .pace import budget_free_at, due_rows, labelled_rows
from .quarantine import is_broken
from .retraining_memory import due_time, started_run
from .spec_digest import spec_digest

REPORTS_AWAITED = 3
"""Heartbeats from the time at which the loss seems to have begun to rise, before a run starts for it."""

LEAST_SINCE_RISE = 60
"""Labels since then below which a run would learn too little of the changed world; the trainer may not have read the last ones yet."""

LABELS_DUE = 100
"""So many rows must be past their label delay before missing labels count as "labels are not available"."""


@dataclass(frozen=True)
class RunRequest:
    """A run that starts now."""

    reason: Reason
    message: str
    otherwise: str | None = None  # with which figures it would not start


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
    by_suspicion = _request_by_suspicion(snapshot, status, now)
    if _is_held_back(model.spec.retraining, status, by_suspicion, now):
        return None
    if has_given_up(model, status.retraining) and not has_new_evidence(snapshot, status):
        return None
    if status.live is None or (live_is_outdated(snapshot, status) and status.run.state != "Succeeded"):  # else a person has rolled back
        what = "no version is live" if status.live is None else f"{status.live.version} is of an earlier spec"
        return RunRequest(
            Reason.RETRY, f"{what}; run {status.run.number} ended {status.run.state}: {status.run.progress}"[:LONGEST_MESSAGE]
        )
    if model.spec.training is None:
        return None
    triggers = model.spec.retraining.triggers
    return (
        request_by_monitoring(triggers, status.drift, status.feed)
        or by_suspicion
        or _request_by_new_rows(snapshot, status)
        or _request_by_time(snapshot, status, now)
        or _request_by_schedule(model, status.retraining, now)
    )


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
        return RunRequest(Reason.PERFORMANCE, drift.message, _without_harm(drift))
    if Trigger.DRIFT in triggers and drift.state == "Confirmed":
        if drift.harm == "Confirmed":
            return RunRequest(Reason.DRIFT, drift.message, _without_harm(drift))
        if drift.harm == "Unknown" and drift.due >= LABELS_DUE and drift.labels < LEAST_COVERAGE * drift.due:
            otherwise = f"with labels of {math.ceil(LEAST_COVERAGE * drift.due):,} rows or more it would have waited for harm"
            return RunRequest(Reason.DRIFT, f"{drift.message}; labels are not available to tell whether it harms", otherwise)
    return None


def _without_harm(drift: DriftStatus) -> str:
    bound, reference = drift.loss_bound, drift.loss_reference
    if bound is None or reference is None or bound <= reference:
        return "no run for it where every criterion may still be kept"
    return f"no run for it where the loss is at least {bound - reference:.4g} lower, so that its lower bound is within {reference:.4g}"


def _request_by_suspicion(snapshot: Snapshot, status: MLModelStatus, now: datetime) -> RunRequest | None:
    """Return the run that a suspicion asks for: the loss of labelled predictions seems to have risen.

    It waits for a few reports, by which a feed that broke is known to be broken.
    """
    triggers, drift = snapshot.model.spec.retraining.triggers, status.drift
    if drift is None or is_broken(status.feed):
        return None
    rise = suspected_rise(snapshot, status)
    if Trigger.PERFORMANCE not in triggers or rise is None or rise.labels < LEAST_SINCE_RISE:
        return None
    reported = parse_time(rise.since) + REPORTS_AWAITED * duration(snapshot.model.spec.monitoring.heartbeat)
    if now >= reported and is_news(status, rise):
        return RunRequest(Reason.PERFORMANCE, rise.sentence, f"no run for it where the loss of those labels is {rise.limit:.4g} or less")
    return None


def suspected_rise(snapshot: Snapshot, status: MLModelStatus) -> LossRise | None:
    """Return the rise of the loss that is clear, and takes it above what the holdout's own uncertainty explains.

    What is known to have risen is dated by fewer labels than it is suspected by.
    """
    losses, reference = status.retraining.losses, loss_reference(snapshot, status)
    harmful = status.drift is not None and status.drift.harm == "Confirmed"
    rise = find_rise(losses, reference, LEAST_DATED if harmful else least_labels(status.retraining.first_rows))
    limit = status.drift.loss_reference if status.drift else None
    if rise is None or limit is None or rise.after <= limit:
        return None
    return clearest_rise(losses, reference, LEAST_DATED)


def loss_reference(snapshot: Snapshot, status: MLModelStatus) -> LossReference | None:
    """Return the holdout's loss that the live version's labels are compared with, as its pods report it."""
    if status.live is None:
        return None
    return next((report.loss_reference for report in snapshot.reports.values() if report.version == status.live.version), None)


def is_news(status: MLModelStatus, rise: LossRise) -> bool:
    """Return whether enough labels came since the last run for another look at the same rise: half as many again as it had then."""
    run, losses = status.run, status.retraining.losses
    if run is None or run.finished is None or not losses:
        return True
    began = parse_time(run.started)
    before = [point for point in losses if parse_time(point.time) <= began]
    known = before[-1].labels - (losses[-1].labels - rise.labels) if before else 0
    return rise.labels >= 1.5 * max(known, 0)


def _request_by_new_rows(snapshot: Snapshot, status: MLModelStatus) -> RunRequest | None:
    model = snapshot.model
    if Trigger.NEW_ROWS not in model.spec.retraining.triggers or is_broken(status.feed):
        return None
    if not learns_from_captured(model) or not status.retraining.rows_read:
        return None
    new, wanted = labelled_rows(snapshot) - status.retraining.labels, due_rows(status.retraining)
    if new < wanted:
        return None
    message = f"{new:,} labels came back since the last run, {wanted:,} were waited for"
    return RunRequest(Reason.NEW_ROWS, message, f"no run for it at fewer than {wanted:,} labels")


def learns_from_captured(model: Model) -> bool:
    """Return whether live rows are learnt from, once their labels are back."""
    return model.spec.data is not None and any(source.captured is not None for source in model.spec.data.sources)


def _request_by_time(snapshot: Snapshot, status: MLModelStatus, now: datetime) -> RunRequest | None:
    """Return the run that age or the check of the sources asks for."""
    asked, retraining = snapshot.model.spec.retraining, status.retraining
    old, unread = old_at(asked, retraining), unread_at(asked, status)
    if old is not None and now > old:
        message = f"the newest row learnt from is of {retraining.newest_row}, older than {asked.max_age}"
        return RunRequest(Reason.AGE, message, f"no run for it before {format_time(old)}, nor where newer rows were learnt from")
    if unread is not None and now >= unread:
        return RunRequest(Reason.SOURCE, f"the sources were last read at {format_time(unread - duration(asked.source_check))}")
    return None


def old_at(asked: Retraining, retraining: RetrainingStatus) -> datetime | None:
    """Return when the newest row that was learnt from is too old; None where that starts no run, or rows have no time."""
    if Trigger.AGE not in asked.triggers or not asked.max_age or not retraining.newest_row:
        return None
    oldest: timedelta = duration(asked.max_age)
    return parse_time(retraining.newest_row) + oldest


def unread_at(asked: Retraining, status: MLModelStatus) -> datetime | None:
    """Return when the sources are to be read again; None where that starts no run."""
    if Trigger.SOURCE not in asked.triggers or status.run is None:
        return None
    pause: timedelta = duration(asked.source_check)
    return parse_time(status.retraining.source_checked or status.run.started) + pause


def _request_by_schedule(model: Model, retraining: RetrainingStatus, now: datetime) -> RunRequest | None:
    due = due_time(model, retraining, now)
    if due is None:
        return None
    return RunRequest(Reason.SCHEDULE, f"the schedule '{model.spec.retraining.schedule}' was due at {format_time(due)}")


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
    number = 1 + max([status.run.number if status.run else 0, *(version.spec.run for version in snapshot.versions.values())])
    status = status.replace(retraining=_with_change(snapshot, status))
    run = RunStatus(
        number=number,
        reason=request.reason,
        message=request.message[:LONGEST_MESSAGE],
        spec_digest=spec_digest(model.spec),
        stage=Stage.PREPARE if model.spec.training else Stage.VERIFY,
        state="Running",
        started=format_time(now),
        progress="starting",
        champion=status.live.version if compared and status.live else None,
        competition=choose_competition(snapshot, status, number) if compared else None,
    )
    return run, started_run(snapshot, status.retraining, request.reason, now)


def _with_change(snapshot: Snapshot, status: MLModelStatus) -> RetrainingStatus:
    """Return the retraining status with the time at which the loss seems to have begun to rise, where no run has noted it yet."""
    rise, retraining = suspected_rise(snapshot, status), status.retraining
    if rise is None or status.live is None:
        return retraining
    served = [name for name in retraining.before_changes if name != status.live.version]
    return retraining.replace(
        change=rise.since,
        change_labels=max(0, labelled_rows(snapshot) - rise.labels),
        before_changes=[*served, status.live.version][-MOST_BEFORE_CHANGES:],
    )


def has_new_evidence(snapshot: Snapshot, status: MLModelStatus) -> bool:
    """Return whether something came since the last run that may make the next one end well: as many new rows as are waited for, or harm."""
    if _request_by_new_rows(snapshot, status) is not None:
        return True
    drift, run = status.drift, status.run
    confirmed = drift.since if drift and drift.state == "Confirmed" else None
    return confirmed is not None and run is not None and run.finished is not None and parse_time(confirmed) > parse_time(run.finished)


def has_given_up(model: Model, retraining: RetrainingStatus) -> bool:
    """Return whether so many runs crashed in a row that only new evidence or a person starts the next one."""
    return retraining.failed_in_a_row >= model.spec.retraining.give_up_after


def _is_held_back(asked: Retraining, status: MLModelStatus, by_suspicion: RunRequest | None, now: datetime) -> bool:
    """Return whether the week's budget is spent, or the pause after the last run is not over.

    It has doubled for each run in a row that changed nothing; that says nothing of a loss that has risen since.
    """
    retraining, run = status.retraining, status.run
    if budget_free_at(asked, retraining.costs, now):
        return True
    if retraining.not_before is None or parse_time(retraining.not_before) <= now:
        return False
    if by_suspicion is None or run is None or run.finished is None or not retraining.fruitless_in_a_row:
        return True
    pause: timedelta = duration(asked.cooldown)
    return parse_time(run.finished) + pause > now


def seconds_to_cooldown(model: Model, retraining: RetrainingStatus, now: datetime) -> float | None:
    """Return how long until the pause after the last run is over; None where there is none."""
    if retraining.not_before is None or has_given_up(model, retraining):
        return None
    left = (parse_time(retraining.not_before) - now).total_seconds()
    return left if left > 0 else None


def seconds_to_next_look(snapshot: Snapshot, status: MLModelStatus, now: datetime) -> float | None:
    """Return how long until the week's budget is free again, a row gets too old, or the sources are to be read."""
    asked, retraining = snapshot.model.spec.retraining, status.retraining
    old = old_at(asked, retraining)
    times = [budget_free_at(asked, retraining.costs, now), unread_at(asked, status), old and old + timedelta(seconds=1)]
    return min(((time - now).total_seconds() for time in times if time is not None and time > now), default=None)
