"""What is remembered of runs for the next ones: what was answered, what it cost, what it brought, and the pause after it.

Not here: whether a run starts (``run_start.py``).
"""

from datetime import datetime, timedelta

from cronsim import CronSim, CronSimError
from mlmodel_contract.base import format_time, parse_time
from mlmodel_contract.manifest import Trigger
from mlmodel_contract.status import LiveVersion, MLModelStatus, RetrainingStatus, RunStatus
from mlmodel_contract.version import Reason

from ..snapshot import Model, Snapshot
from .earlier_versions import with_scores
from .loss_history import with_point
from .pace import adapted, cooldown, labelled_rows, later, with_cost
from .rollout import Rollout
from .run_stages import RunStep

RETRY_FIRST = timedelta(seconds=30)
RETRY_LAST = timedelta(hours=1)


def started_run(snapshot: Snapshot, retraining: RetrainingStatus, reason: Reason, now: datetime) -> RetrainingStatus:
    """Return the retraining status after a run has begun, with its triggers handled; one that a person asked for forgets the failures."""
    by_person = reason in (Reason.MANUAL, Reason.SPEC_CHANGED)
    begun = retraining.replace(
        failed_in_a_row=0 if by_person else retraining.failed_in_a_row,
        fruitless_in_a_row=0 if by_person else retraining.fruitless_in_a_row,
        labels=labelled_rows(snapshot),
        source_checked=format_time(now),
    )
    return coalesce_triggers(snapshot.model, begun, now)


def coalesce_triggers(model: Model, retraining: RetrainingStatus, now: datetime) -> RetrainingStatus:
    """Mark the requests and scheduled times up to now as handled: the run under way answers them."""
    scheduled = due_time(model, retraining, now)
    return retraining.replace(
        handled_retrain=model.retrain_request or retraining.handled_retrain,
        last_scheduled=format_time(scheduled) if scheduled else retraining.last_scheduled,
    )


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


def after_step(snapshot: Snapshot, step: RunStep, retraining: RetrainingStatus, now: datetime) -> RetrainingStatus:
    """Return the retraining status after a run's step: what versions scored, and where it ended, what it brought and cost."""
    if step.run.state == "Running" or step.ended:
        retraining = _with_scores(snapshot, step, retraining)
    if step.run.state == "Running":
        return coalesce_triggers(snapshot.model, retraining, now)
    return _after_end(snapshot, step, retraining, now) if step.ended else retraining


def _with_scores(snapshot: Snapshot, step: RunStep, retraining: RetrainingStatus) -> RetrainingStatus:
    scoring, run = step.scoring, step.run
    if scoring is None or run.champion is None:
        return retraining
    rows = max((score.rows for score in scoring.versions), default=0)
    scored = retraining.replace(versions=with_scores(retraining.versions, scoring.versions)[:16])
    return adapted(scored, scoring, _made_before(snapshot, run.champion), rows, _cost(snapshot))


def _made_before(snapshot: Snapshot, version: str) -> str | None:
    """Return the newest accepted version that was made before another one."""
    made = snapshot.versions[version].spec.run if version in snapshot.versions else 0
    earlier = [item for item in snapshot.versions.values() if item.spec.run < made and item.spec.decision.verdict == "Accepted"]
    return max(earlier, key=lambda item: item.spec.run).name if earlier else None


def _cost(snapshot: Snapshot) -> float | None:
    """Return what a run costs, by the last one; None where no price is given."""
    price, costs = snapshot.model.spec.retraining.price_per_cpu_hour, snapshot.model.status.retraining.costs
    return None if price is None or not costs else price * costs[-1].cpu_seconds / 3600


def _after_end(snapshot: Snapshot, step: RunStep, retraining: RetrainingStatus, now: datetime) -> RetrainingStatus:
    """Return the retraining status after a run's end: with the cooldown or, while no version is live, a growing backoff.

    Bad data is no failed attempt at a model: it is retried for as long as it takes. Neither is a champion that is still the best.
    """
    if step.ended == "Cancelled":
        return retraining
    run, asked = step.run, snapshot.model.spec.retraining
    crashed, brought = step.ended == "Failed", step.serve is not None
    fruitless = 0 if brought else retraining.fruitless_in_a_row + (step.ended in ("ChampionKept", "Rejected", "Unchanged"))
    pause = cooldown(asked, fruitless)
    if snapshot.model.status.live is None and step.ended in ("DataInvalid", "Failed"):
        pause = min(RETRY_FIRST * 2 ** min(run.number - 1, 10), RETRY_LAST)
    settled = step.ended in ("ChampionKept", "Unchanged", "Rejected")  # what is to serve has yet to get ready
    ended = retraining.replace(
        failed_in_a_row=0 if settled else retraining.failed_in_a_row + crashed,
        fruitless_in_a_row=fruitless,
        not_before=format_time(now + pause),
        costs=retraining.costs if step.ended == "Unchanged" else with_cost(retraining.costs, run.started, run.cpu_seconds, now),
    )
    if step.ended == "ChampionKept":
        ended = ended.replace(due_rows=later(ended))
    return _with_rows_read(run, ended, step) if step.ended in ("Succeeded", "ChampionKept", "Rejected", "Returned") else ended


def _with_rows_read(run: RunStatus, retraining: RetrainingStatus, step: RunStep) -> RetrainingStatus:
    data, records = run.data, step.records
    if step.ended == "Returned" and run.competition:
        records = tuple(run.competition.records)  # those on the rows since a change go on competing
    return retraining.replace(
        recipes=list(records[:24]) if records else retraining.recipes,
        newest_row=data.end if data else retraining.newest_row,
        rows_read=data.train_rows + data.holdout_rows if data else retraining.rows_read,
        first_rows=data.train_rows + data.holdout_rows if data and run.competition is None else retraining.first_rows,
    )


def after_rollout(before: LiveVersion | None, rollout: Rollout, retraining: RetrainingStatus) -> RetrainingStatus:
    """Return the retraining status after a rollout's step: what was known beside the version before is void beside the new one."""
    if rollout.failed:
        return retraining.replace(failed_in_a_row=retraining.failed_in_a_row + len(rollout.failed))
    went_live = rollout.live is not None and (before is None or before.version != rollout.live.version)
    return retraining.replace(failed_in_a_row=0, versions=[], losses=[]) if went_live else retraining


def with_labels(snapshot: Snapshot, retraining: RetrainingStatus) -> RetrainingStatus:
    """Return the retraining status where labels are dropped, with a version that is deleted or whose evidence begins anew, say.

    Without it so many more would be waited for.
    """
    dropped = max(0, retraining.labels - labelled_rows(snapshot))
    return retraining.replace(labels=retraining.labels - dropped, change_labels=max(0, retraining.change_labels - dropped))


def with_losses(status: MLModelStatus, now: datetime) -> MLModelStatus:
    """Return the status with the live version's present loss remembered."""
    retraining = status.retraining
    return status.replace(retraining=retraining.replace(losses=with_point(retraining.losses, status.drift, now)))
