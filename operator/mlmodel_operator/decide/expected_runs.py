"""Which runs may come next, and what each of them waits for: for people, and for programs that compare it with the present figures.

It says what is waited for and not how far that is, so that a steady state writes nothing. Not here: whether a run starts
(``run_start.py``), and what holds all of them back, which the condition RetrainingPaused says.
"""

from collections.abc import Callable, Mapping
from datetime import datetime

from cronsim import CronSim
from mlmodel_contract.base import LONGEST_MESSAGE, format_time, parse_time
from mlmodel_contract.manifest import Trigger
from mlmodel_contract.status import ExpectedRun, MLModelStatus, RetrainingStatus
from mlmodel_contract.version import Reason
from mlmodel_detection.harm.detector import LEAST_COVERAGE

from ..snapshot import Snapshot
from .loss_history import STANDARD_ERRORS, clearest_rise, least_labels
from .pace import budget_free_at, due_rows
from .run_start import (
    LABELS_DUE,
    LEAST_SINCE_RISE,
    is_news,
    learns_from_captured,
    live_is_outdated,
    loss_reference,
    old_at,
    schedule_problem,
    suspected_rise,
    unread_at,
)


def with_expected_runs(snapshot: Snapshot, status: MLModelStatus, now: datetime) -> RetrainingStatus:
    """Return the retraining status with the runs that may come next, and with the time at which the week's budget allows one."""
    free = budget_free_at(snapshot.model.spec.retraining, status.retraining.costs, now)
    return status.retraining.replace(next=_expected_runs(snapshot, status), budget_free=format_time(free) if free else None)


def _expected_runs(snapshot: Snapshot, status: MLModelStatus) -> list[ExpectedRun]:
    model, run = snapshot.model, status.run
    if model.spec.suspend or run is None:
        return []
    if status.live is None or (live_is_outdated(snapshot, status) and run.state != "Succeeded"):
        is_under_way = run.state == "Running" or status.candidate is not None
        return [] if is_under_way else [_retry(status)]
    if model.spec.training is None:
        return []
    return [_EXPECTED[trigger](snapshot, status) for trigger in Trigger if trigger in model.spec.retraining.triggers]


def _retry(status: MLModelStatus) -> ExpectedRun:
    what = "no version is live" if status.live is None else f"{status.live.version} is of an earlier spec"
    return ExpectedRun(reason=Reason.RETRY, message=f"the end of the pause after the last run, for {what}")


def _drift(_snapshot: Snapshot, _status: MLModelStatus) -> ExpectedRun:
    message = (
        f"confirmed drift that does harm, or whose harm nobody can tell: {LABELS_DUE} rows or more are due, and labels of fewer than "
        f"{LEAST_COVERAGE:.0%} of them came back"
    )
    return ExpectedRun(reason=Reason.DRIFT, message=message)


def _performance(snapshot: Snapshot, status: MLModelStatus) -> ExpectedRun:
    wanted = f"a loss of the newest labels that is more than {STANDARD_ERRORS:g} standard errors above the one before, or confirmed harm"
    least, suspected = least_labels(status.retraining.first_rows), suspected_rise(snapshot, status)
    rise = suspected or clearest_rise(status.retraining.losses, loss_reference(snapshot, status), least)
    if rise is None:
        message = f"{wanted}; {least} labels or more are needed to tell"
    elif suspected is None:
        message = f"{wanted}; at the last look {rise.sentence}"
    elif rise.labels < LEAST_SINCE_RISE:
        message = f"{LEAST_SINCE_RISE} labels since the rise: {rise.sentence}"
    elif is_news(status, rise):
        message = f"what holds runs back: {rise.sentence}"
    else:
        message = f"half as many labels again as the last run had of this rise: {rise.sentence}"
    return ExpectedRun(reason=Reason.PERFORMANCE, message=message[:LONGEST_MESSAGE])


def _new_rows(snapshot: Snapshot, status: MLModelStatus) -> ExpectedRun:
    retraining = status.retraining
    if not learns_from_captured(snapshot.model):
        return ExpectedRun(reason=Reason.NEW_ROWS, message="nothing: no source is captured, so that no label is learnt from (data.sources)")
    if not retraining.rows_read:
        return ExpectedRun(reason=Reason.NEW_ROWS, message="a first run that ends well")
    wanted = due_rows(retraining)
    return ExpectedRun(reason=Reason.NEW_ROWS, message=f"{wanted:,} labels since the last run began", labels=retraining.labels + wanted)


def _age(snapshot: Snapshot, status: MLModelStatus) -> ExpectedRun:
    asked, until = snapshot.model.spec.retraining, status.retraining.newest_row
    due = old_at(asked, status.retraining)
    if due is None:
        return ExpectedRun(reason=Reason.AGE, message="a run that learns from rows with a time (data.time)")
    return ExpectedRun(reason=Reason.AGE, message=f"{asked.max_age} after {until}, the newest row learnt from", time=format_time(due))


def _source(snapshot: Snapshot, status: MLModelStatus) -> ExpectedRun:
    asked = snapshot.model.spec.retraining
    due = unread_at(asked, status)
    message = f"{asked.source_check} after the sources were last read (retraining.sourceCheck)"
    return ExpectedRun(reason=Reason.SOURCE, message=message, time=format_time(due) if due else None)


def _schedule(snapshot: Snapshot, status: MLModelStatus) -> ExpectedRun:
    model = snapshot.model
    problem, schedule = schedule_problem(model), model.spec.retraining.schedule
    if problem or schedule is None:
        return ExpectedRun(reason=Reason.SCHEDULE, message=problem or "a schedule (retraining.schedule)")
    handled = parse_time(status.retraining.last_scheduled or model.created)
    return ExpectedRun(reason=Reason.SCHEDULE, message=f"the schedule '{schedule}'", time=format_time(next(CronSim(schedule, handled))))


_EXPECTED: Mapping[Trigger, Callable[[Snapshot, MLModelStatus], ExpectedRun]] = {
    Trigger.DRIFT: _drift,
    Trigger.PERFORMANCE: _performance,
    Trigger.NEW_ROWS: _new_rows,
    Trigger.AGE: _age,
    Trigger.SOURCE: _source,
    Trigger.SCHEDULE: _schedule,
}
