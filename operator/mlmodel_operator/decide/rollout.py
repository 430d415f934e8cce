"""Which version has the traffic: a candidate gets ready beside the live one, replaces it, and the old one drains and stays for rollback.

Not here: the objects (``children.py``), and whether a version may serve at all (``version_acceptance.py``).
"""

from dataclasses import dataclass, replace
from datetime import datetime

from mlmodel_contract.base import LONGEST_MESSAGE, duration, format_time, parse_time
from mlmodel_contract.environment import LABEL_VERSION
from mlmodel_contract.run import Stage
from mlmodel_contract.status import MOST_DRAINING, CandidateVersion, DrainingVersion, LiveVersion, LoggedDecision, Phase
from mlmodel_contract.version import Verdict

from ..snapshot import Snapshot
from .desired_state import earliest
from .job_results import blocking_reason


@dataclass(frozen=True)
class Rollout:
    """Which versions serve, get ready and drain."""

    live: LiveVersion | None
    candidate: CandidateVersion | None
    draining: tuple[DrainingVersion, ...]
    failed: tuple[tuple[str, str], ...] = ()  # versions that are given up in this step, and why
    handled_rollback: str | None = None
    log: tuple[LoggedDecision, ...] = ()
    blocking_reason: str = ""  # what the candidate waits for
    requeue_after: float | None = None  # seconds

    @property
    def running(self) -> list[str]:
        """Versions that have pods."""
        named = [self.live, self.candidate, *self.draining]
        return list(dict.fromkeys(item.version for item in named if item))


def advance_rollout(snapshot: Snapshot, accepted: str | None, now: datetime) -> Rollout:
    """Return the rollout's next step; ``accepted`` is the version that a run has just ended in."""
    status = snapshot.model.status
    live = status.live or (None if status.candidate else _live_by_service(snapshot, now))
    rollout = Rollout(live, status.candidate, tuple(status.draining), handled_rollback=status.retraining.handled_rollback)
    rollout = _with_rollback(snapshot, rollout, now)
    if accepted is not None:
        rollout = _with_accepted(rollout, accepted, now)
    rollout = _with_candidate_step(snapshot, rollout, now)
    rollout = _without_drained(rollout, now)
    return _with_ready_replicas(snapshot, rollout)


def _with_accepted(rollout: Rollout, version: str, now: datetime) -> Rollout:
    """Make the version that a run ended in the candidate, unless a person has asked for another one meanwhile."""
    if rollout.candidate is None:
        return replace(rollout, candidate=CandidateVersion(version=version, since=format_time(now)))
    message = f"{version} is kept and not rolled out: a person asked for {rollout.candidate.version} while it was made"
    return _logged(rollout, now, "Superseded", version, message)


def _live_by_service(snapshot: Snapshot, now: datetime) -> LiveVersion | None:
    """Return the version that the model's Service selects although the status names none: somebody has overwritten the status.

    The version's own phase must say so too: the Service of a first version that was given up may still be there, or still be in the cache.
    """
    service = snapshot.services.get(snapshot.model.key.name)
    version = snapshot.versions.get(service.selector.get(LABEL_VERSION, "")) if service else None
    if version is None or version.status.phase is not Phase.LIVE:
        return None
    return LiveVersion(version=version.name, since=format_time(now))


def desired_replicas(snapshot: Snapshot) -> int:
    """Return how many pods a version gets; under an autoscaler as many as the live version has, for it will get the same load."""
    serving = snapshot.model.spec.serving
    if serving.autoscaling is None:
        return serving.replicas
    live = snapshot.model.status.live
    deployment = snapshot.deployments.get(live.version) if live else None
    return max(serving.autoscaling.min_replicas, deployment.replicas if deployment else 0)


def _with_rollback(snapshot: Snapshot, rollout: Rollout, now: datetime) -> Rollout:
    """Make the version that a person asks for the candidate; a name that cannot be served is logged and ignored."""
    request = snapshot.model.rollback_request
    if request is None or request == rollout.handled_rollback:
        return rollout
    name = request.split()[0] if request.split() else ""
    problem = _rollback_problem(snapshot, rollout, name)
    handled = replace(rollout, handled_rollback=request)
    if problem:
        return _logged(handled, now, "RollbackRefused", name[:253] or None, problem)
    candidate = CandidateVersion(version=name, since=format_time(now))
    message = f"a person asked for {name} (mlmodel.dev/rollback-to)"
    return _logged(replace(handled, candidate=candidate), now, "RollbackStarted", name, message)


def _rollback_problem(snapshot: Snapshot, rollout: Rollout, name: str) -> str | None:
    version = snapshot.versions.get(name)
    if version is None:
        known = ", ".join(sorted(snapshot.versions)) or "none"
        return f"mlmodel.dev/rollback-to names {name!r}, which is no version of this model; there are: {known}"[:LONGEST_MESSAGE]
    if version.spec.decision.verdict is not Verdict.ACCEPTED:
        return f"{name} was rejected ({version.spec.decision.reason}) and may not serve; name a version that was accepted"
    return f"{name} is live already" if rollout.live and rollout.live.version == name else None


def _with_candidate_step(snapshot: Snapshot, rollout: Rollout, now: datetime) -> Rollout:
    """Promote the candidate once its pods are ready, give it up after the deadline, or note what it waits for."""
    candidate = rollout.candidate
    if candidate is None:
        return rollout
    deployment = snapshot.deployments.get(candidate.version)
    ready, wanted = deployment.updated_ready_replicas if deployment else 0, desired_replicas(snapshot)
    if deployment is None and candidate.version in snapshot.versions:  # the time that an operator was away is not the candidate's
        return replace(rollout, blocking_reason=f"{candidate.version}: its Deployment is being made")
    if deployment is not None and ready >= wanted:
        return _promoted(snapshot, rollout, candidate.version, now)
    deadline = duration(snapshot.model.spec.serving.progress_deadline)
    since = max(parse_time(candidate.since), parse_time(deployment.created if deployment else candidate.since))
    left = (since + deadline - now).total_seconds()
    reason = f"{candidate.version}: {ready} of {wanted} pods are ready{why_not_ready(snapshot, candidate.version)}"
    if left <= 0:
        return _given_up(rollout, candidate.version, f"not ready within serving.progressDeadline; {reason}", now)
    return replace(rollout, blocking_reason=reason, requeue_after=earliest(rollout.requeue_after, left))


def _promoted(snapshot: Snapshot, rollout: Rollout, version: str, now: datetime) -> Rollout:
    old = rollout.live
    draining = [item for item in rollout.draining if item.version != version]
    if old is not None and old.version != version:
        until = format_time(now + duration(snapshot.model.spec.serving.drain))
        draining = [*[item for item in draining if item.version != old.version], DrainingVersion(version=old.version, until=until)]
    live = LiveVersion(version=version, since=format_time(now))
    message = f"{version} has the traffic" + (f"; {old.version} drains and is kept for rollback" if old else "; it is the first version")
    return _logged(
        replace(rollout, live=live, candidate=None, draining=tuple(draining[-MOST_DRAINING:])), now, "Promoted", version, message
    )


def _given_up(rollout: Rollout, version: str, message: str, now: datetime) -> Rollout:
    failed = replace(rollout, candidate=None, failed=((version, message[:LONGEST_MESSAGE]),))
    return _logged(failed, now, "RolloutFailed", version, message[:LONGEST_MESSAGE])


def _logged(rollout: Rollout, now: datetime, decision: str, version: str | None, message: str) -> Rollout:
    entry = LoggedDecision(time=format_time(now), decision=decision, version=version, message=message)
    return replace(rollout, log=(*rollout.log, entry))


def _without_drained(rollout: Rollout, now: datetime) -> Rollout:
    """Remove the versions whose time to drain is over."""
    draining = tuple(item for item in rollout.draining if parse_time(item.until) > now)
    delays = [(parse_time(item.until) - now).total_seconds() for item in draining]
    return replace(rollout, draining=draining, requeue_after=earliest(rollout.requeue_after, *delays))


def _with_ready_replicas(snapshot: Snapshot, rollout: Rollout) -> Rollout:
    """Set the numbers of ready pods of the live version and of the candidate."""
    live, candidate = rollout.live, rollout.candidate
    if live is not None:
        deployment = snapshot.deployments.get(live.version)
        live = live.replace(ready_replicas=deployment.ready_replicas if deployment else 0)
    if candidate is not None:
        deployment = snapshot.deployments.get(candidate.version)
        candidate = candidate.replace(ready_replicas=deployment.updated_ready_replicas if deployment else 0)
    return replace(rollout, live=live, candidate=candidate)


def why_not_ready(snapshot: Snapshot, version: str) -> str:
    """Return why pods of a version failed, such as a refused bundle, or wait, as the tail of a sentence; empty where none does."""
    pods = snapshot.pods_of_version(version)
    for pod in pods:
        for termination in pod.terminated:
            if termination.exit_code != 0:
                lines = [line for line in termination.message.splitlines() if line.strip()]
                cause = lines[-1][:300] if lines else termination.exit_code
                return f"; {termination.container} of {pod.name}: {termination.reason}: {cause}"
    waiting = blocking_reason(pods)
    return f"; {waiting}" if waiting else ""


def version_phase(snapshot: Snapshot, rollout: Rollout, name: str) -> Phase:
    """Return where a version is in its life."""
    version = snapshot.versions[name]
    if version.spec.decision.verdict is Verdict.REJECTED:
        return Phase.REJECTED
    if rollout.live and rollout.live.version == name:
        return Phase.LIVE
    run = snapshot.model.status.run
    being_accepted = run is not None and run.state == "Running" and run.stage is Stage.VERIFY and version.spec.run == run.number
    if being_accepted or (rollout.candidate and rollout.candidate.version == name):
        return Phase.CANDIDATE
    if any(item.version == name for item in rollout.draining):
        return Phase.DRAINING
    given_up = name in dict(rollout.failed) or version.status.phase is Phase.FAILED
    return Phase.FAILED if given_up else Phase.RETIRED
