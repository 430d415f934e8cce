"""Decides, purely: from a snapshot and the time to the desired objects, statuses, events, and when to look again.

No module here reads a clock, a file or the network.
``decide`` puts the answers of the others together in the order of a model's life: what do the
reports say, how far is the run, who serves, does a run start, and what follows for conditions and children.
"""

from datetime import datetime

from mlmodel_contract.status import LiveVersion, LoggedDecision, MLModelStatus, ModelVersionStatus, RetrainingStatus

from ..cluster.cache import ref_of
from ..config import Config
from ..resources import names
from ..snapshot import Snapshot
from . import children, feed, rollout, run_start
from .conditions import conditions
from .desired_state import DesiredState, soonest, stamp
from .drift import Figures, Watched, watch
from .run_stages import RunStep, advance

KEPT_DECISIONS = 20
_POLL_RUNNING_SECONDS = 15.0


def decide(snapshot: Snapshot, config: Config, now: datetime) -> DesiredState:
    """Return the desired state of everything that belongs to the model."""
    model = snapshot.model
    watched = watch(snapshot, now)
    step = advance(snapshot, model.status.run, config, now) if model.status.run else None
    accepted = names.version_of(model, step.run.number) if step and step.ended == "Succeeded" else None
    served = rollout.advance(snapshot, accepted, now)
    memory = _remembered(snapshot, step, served, now)
    status, told = feed.advance(model, _status(snapshot, step, served, watched, memory), now)
    log = [*(step.log if step else ()), *served.log, *told]
    wanted = run_start.next_start(snapshot, status, now)
    if wanted is not None:
        run, memory = run_start.start(snapshot, status, wanted, now)
        status = status.model_copy(update={"run": run, "retraining": memory})
        started = f"run {run.number} ({wanted.reason}): {wanted.message}"
        log.append(LoggedDecision(time=stamp(now), decision="RunStarted", message=started[:1024]))
    status = _finished(snapshot, status, served, log, now)
    kept = children.kept(snapshot, served, config)
    replaced = children.to_replace(snapshot, kept)
    return DesiredState(
        status=status,
        time=now,
        versions=_version_statuses(snapshot, served, watched, now),
        create=(*children.made_once(snapshot, config), *(step.create if step else ())),
        apply=tuple(body for body in kept if ref_of(body) not in replaced),
        delete=(*replaced, *children.unwanted(snapshot, kept, served, status.run), *watched.settled),
        needs_prediction_key=children.needs_prediction_key(snapshot, served),
        log=tuple(log),
        refused_reports=watched.refused,
        look_again=_look_again(snapshot, status, served, now),
    )


def _remembered(snapshot: Snapshot, step: RunStep | None, served: rollout.Rollout, now: datetime) -> RetrainingStatus:
    status = snapshot.model.status
    memory = status.retraining.model_copy(update={"handled_rollback": served.handled_rollback})
    if step and step.run.state == "Running":
        memory = run_start.folded(snapshot.model, status.model_copy(update={"retraining": memory}), now)
    if step and step.ended:
        memory = run_start.after_end(snapshot, memory, step.ended, now)
    return run_start.after_rollout(status.live, served, memory)


def _status(snapshot: Snapshot, step: RunStep | None, served: rollout.Rollout, watched: Watched, memory: RetrainingStatus) -> MLModelStatus:
    """Return the status but for conditions and log."""
    live = served.live
    version = watched.statuses.get(live.version) if live else None
    selector = names.pod_selector(snapshot.model, live.version) if live else {}
    figures = _figures(snapshot, live, watched)
    return snapshot.model.status.model_copy(
        update={
            "observed_generation": snapshot.model.generation,
            "live": live,
            "candidate": served.candidate,
            "draining": list(served.draining),
            "run": step.run if step else None,
            "objective": figures.criteria,
            "slices": figures.slices,
            "drift": version.drift if version else None,
            "feed": version.feed if version else None,
            "retraining": memory,
            "replicas": live.ready_replicas if live else 0,
            "selector": ",".join(f"{name}={value}" for name, value in selector.items()),
        }
    )


def _figures(snapshot: Snapshot, live: LiveVersion | None, watched: Watched) -> Figures:
    """Return the criteria's figures of the live version; just after a switch those of the version before stay for one look."""
    if live is None:
        return Figures([], [])
    return watched.figures.get(live.version, Figures(snapshot.model.status.objective, snapshot.model.status.slices))


def _finished(
    snapshot: Snapshot, status: MLModelStatus, served: rollout.Rollout, log: list[LoggedDecision], now: datetime
) -> MLModelStatus:
    logged = status.model_copy(update={"decisions": [*status.decisions, *log][-KEPT_DECISIONS:]})
    return logged.model_copy(update={"conditions": conditions(snapshot.model, logged, served.waits, now)})


def _version_statuses(snapshot: Snapshot, served: rollout.Rollout, watched: Watched, now: datetime) -> dict[str, ModelVersionStatus]:
    """Return the statuses of versions that differ from what is stored."""
    statuses = {}
    for name, version in snapshot.versions.items():
        status = watched.statuses.get(name, version.status)
        phase = rollout.phase_of(snapshot, served, name)
        if phase is not version.status.phase:
            message = dict(served.failed).get(name, version.spec.decision.message if version.status.phase is None else "")
            status = status.model_copy(update={"phase": phase, "since": stamp(now), "message": message})
        if status != version.status:
            statuses[name] = status
    return statuses


def _look_again(snapshot: Snapshot, status: MLModelStatus, served: rollout.Rollout, now: datetime) -> float | None:
    running = _POLL_RUNNING_SECONDS if status.run and status.run.state == "Running" else None
    return soonest(
        running,
        served.look_again,
        run_start.seconds_to_cooldown(snapshot.model, status.retraining, now),
        run_start.seconds_to_schedule(snapshot.model, now),
    )
