"""Decides, purely: from a snapshot and the time to the desired objects, statuses, events, and when to reconcile again.

No module here reads a clock, a file or the network.
``decide`` puts the answers of the others together in the order of a model's life: what do the
reports say, how far is the run, which version serves, does a run start, and what follows for conditions and children.
"""

from datetime import datetime

from mlmodel_contract.base import LONGEST_MESSAGE, format_time
from mlmodel_contract.status import LiveVersion, LoggedDecision, MLModelStatus, ModelVersionStatus, RetrainingStatus

from ..cluster.cache import ref_of
from ..config import Config
from ..resources import names
from ..snapshot import Snapshot
from . import children, retraining_memory, run_start
from .conditions import all_conditions
from .desired_state import DesiredState, earliest
from .expected_runs import with_expected_runs
from .monitor_reports import Figures, MonitoringResult, begun_anew, evaluate_reports
from .quarantine import update_quarantine
from .rollout import Rollout, advance_rollout, version_phase
from .run_stages import RunStep, advance_run

MOST_DECISIONS = 20
_POLL_RUNNING_SECONDS = 15.0


def decide(snapshot: Snapshot, config: Config, now: datetime) -> DesiredState:
    """Return the desired state of everything that belongs to the model."""
    model = snapshot.model
    monitoring = evaluate_reports(snapshot, now)
    step = advance_run(snapshot, model.status.run, config, now) if model.status.run else None
    rollout = advance_rollout(snapshot, step.serve if step else None, now)
    if step and step.ended == "Returned" and step.serve and step.serve in snapshot.versions:
        monitoring = begun_anew(monitoring, snapshot, step.serve)
    retraining = _retraining(snapshot, step, rollout, now)
    status, feed_log = _status(snapshot, step, rollout, monitoring, retraining, now)
    status = retraining_memory.with_losses(status, now)
    log = [*(step.log if step else ()), *rollout.log, *feed_log]
    request = run_start.next_run(snapshot, status, now)
    if request is not None:
        run, retraining = run_start.start_run(snapshot, status, request, now)
        status = status.replace(run=run, retraining=retraining)
        started = f"run {run.number} ({request.reason}): {request.message}"[:LONGEST_MESSAGE]
        log.append(
            LoggedDecision(time=format_time(now), decision="RunStarted", run=run.number, message=started, otherwise=request.otherwise)
        )
    status = status.replace(decisions=[*status.decisions, *log][-MOST_DECISIONS:])
    status = status.replace(retraining=with_expected_runs(snapshot, status, now))
    status = status.replace(conditions=all_conditions(model, status, rollout.blocking_reason, now))
    desired = children.desired_objects(snapshot, rollout, config)
    replaced = children.bindings_to_replace(snapshot, desired)
    return DesiredState(
        status=status,
        time=now,
        versions=_version_statuses(snapshot, rollout, monitoring, now),
        create=(*children.missing_claim(snapshot, config), *(step.create if step else ())),
        apply=tuple(body for body in desired if ref_of(body) not in replaced),
        delete=(*replaced, *children.obsolete_objects(snapshot, desired, rollout, status.run), *monitoring.deletable),
        needs_prediction_key=children.needs_prediction_key(snapshot, rollout),
        log=tuple(log),
        refused_reports=monitoring.refused,
        requeue_after=_requeue_after(snapshot, status, rollout, now),
    )


def _retraining(snapshot: Snapshot, step: RunStep | None, rollout: Rollout, now: datetime) -> RetrainingStatus:
    """Return the retraining status after the run's and the rollout's step."""
    status = snapshot.model.status
    retraining = retraining_memory.with_labels(snapshot, status.retraining).replace(handled_rollback=rollout.handled_rollback)
    if step:
        retraining = retraining_memory.after_step(snapshot, step, retraining, now)
    return retraining_memory.after_rollout(status.live, rollout, retraining)


def _status(
    snapshot: Snapshot, step: RunStep | None, rollout: Rollout, monitoring: MonitoringResult, retraining: RetrainingStatus, now: datetime
) -> tuple[MLModelStatus, tuple[LoggedDecision, ...]]:
    """Return the status but for conditions and log, and what the log says of the feed."""
    model, live = snapshot.model, rollout.live
    version = monitoring.statuses.get(live.version) if live else None
    feed = version.feed if version else None
    quarantine, log = update_quarantine(model, live, feed, now)
    selector = names.pod_selector(model, live.version) if live else {}
    figures = _figures(snapshot, live, monitoring)
    status = model.status.replace(
        observed_generation=model.generation,
        live=live,
        candidate=rollout.candidate,
        draining=list(rollout.draining),
        run=step.run if step else None,
        objective=figures.criteria,
        slices=figures.slices,
        drift=version.drift if version else None,
        feed=feed,
        quarantine=quarantine,
        retraining=retraining,
        replicas=live.ready_replicas if live else 0,
        selector=",".join(f"{name}={value}" for name, value in selector.items()),
    )
    return status, log


def _figures(snapshot: Snapshot, live: LiveVersion | None, monitoring: MonitoringResult) -> Figures:
    """Return the criteria's figures of the live version; just after a switch those of the version before stay for one reconcile."""
    if live is None:
        return Figures([], [])
    return monitoring.figures.get(live.version, Figures(snapshot.model.status.objective, snapshot.model.status.slices))


def _version_statuses(snapshot: Snapshot, rollout: Rollout, monitoring: MonitoringResult, now: datetime) -> dict[str, ModelVersionStatus]:
    """Return the statuses of versions that differ from what is stored."""
    statuses = {}
    for name, version in snapshot.versions.items():
        status = monitoring.statuses.get(name, version.status)
        phase = version_phase(snapshot, rollout, name)
        if phase is not version.status.phase:
            message = dict(rollout.failed).get(name, version.spec.decision.message if version.status.phase is None else "")
            status = status.replace(phase=phase, since=format_time(now), message=message)
        if status != version.status:
            statuses[name] = status
    return statuses


def _requeue_after(snapshot: Snapshot, status: MLModelStatus, rollout: Rollout, now: datetime) -> float | None:
    running = _POLL_RUNNING_SECONDS if status.run and status.run.state == "Running" else None
    return earliest(
        running,
        rollout.requeue_after,
        run_start.seconds_to_cooldown(snapshot.model, status.retraining, now),
        run_start.seconds_to_schedule(snapshot.model, now),
        run_start.seconds_to_next_look(snapshot, status, now),
    )
