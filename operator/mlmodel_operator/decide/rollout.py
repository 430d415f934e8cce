"""Which version has the traffic: a candidate gets ready beside the live one, takes over, and the old one drains and is kept for rollback.

Not here: the objects (``children.py``), and whether a version may serve at all (``acceptance.py``).
"""

from dataclasses import dataclass, replace
from datetime import datetime

from mlmodel_contract.base import duration
from mlmodel_contract.environment import LABEL_VERSION
from mlmodel_contract.run import Stage
from mlmodel_contract.status import CandidateVersion, DrainingVersion, LiveVersion, LoggedDecision, Phase
from mlmodel_contract.version import Verdict

from ..cluster.cache import Body, Ref
from ..cluster.kinds import SERVICE
from ..snapshot import Snapshot
from .desired_state import moment, soonest, stamp
from .results import waits


@dataclass(frozen=True)
class Rollout:
    """Who serves."""

    live: LiveVersion | None
    candidate: CandidateVersion | None
    draining: tuple[DrainingVersion, ...]
    failed: tuple[tuple[str, str], ...] = ()  # versions given up in this look, and why
    handled_rollback: str | None = None
    log: tuple[LoggedDecision, ...] = ()
    waits: str = ""  # what the candidate waits for
    look_again: float | None = None

    @property
    def running(self) -> list[str]:
        """Versions that have pods."""
        named = [self.live, self.candidate, *self.draining]
        return list(dict.fromkeys(item.version for item in named if item))


def advance(snapshot: Snapshot, accepted: str | None, now: datetime) -> Rollout:
    """Take the rollout's next step; ``accepted`` is the version that a run has just ended in."""
    status = snapshot.model.status
    live = status.live or (None if status.candidate else _found_live(snapshot, now))
    rollout = Rollout(live, status.candidate, tuple(status.draining), handled_rollback=status.retraining.handled_rollback)
    rollout = _rolled_back(snapshot, rollout, now)
    if accepted is not None:
        rollout = _accepted(rollout, accepted, now)
    rollout = _candidate(snapshot, rollout, now)
    rollout = _drained(rollout, now)
    return _counted(snapshot, rollout)


def _accepted(rollout: Rollout, version: str, now: datetime) -> Rollout:
    """Make the version that a run ended in the candidate, unless a person has asked for another one meanwhile."""
    if rollout.candidate is None:
        return replace(rollout, candidate=CandidateVersion(version=version, since=stamp(now)))
    message = f"{version} is kept and not rolled out: a person asked for {rollout.candidate.version} while it was made"
    return replace(rollout, log=(*rollout.log, LoggedDecision(time=stamp(now), decision="Superseded", version=version, message=message)))


def _found_live(snapshot: Snapshot, now: datetime) -> LiveVersion | None:
    """Return the version that the model's Service sends to although the status names none: somebody has overwritten the status.

    The version's own phase must say so too: the Service of a first version that was given up may still be there, or still be in the cache.
    """
    service = snapshot.objects.get(Ref(SERVICE, snapshot.model.key.name))
    name = service["spec"].get("selector", {}).get(LABEL_VERSION) if service else None
    version = snapshot.versions.get(name) if name else None
    if version is None or version.status.phase is not Phase.LIVE:
        return None
    return LiveVersion(version=version.name, since=stamp(now))


def wanted_replicas(snapshot: Snapshot) -> int:
    """Return how many pods a version gets; under an autoscaler as many as the live version has, for it will get the same load."""
    serving = snapshot.model.spec.serving
    if serving.autoscaling is None:
        return serving.replicas
    live = snapshot.model.status.live
    deployment = snapshot.deployment(live.version) if live else None
    return max(serving.autoscaling.min_replicas, deployment["spec"].get("replicas", 1) if deployment else 0)


def _rolled_back(snapshot: Snapshot, rollout: Rollout, now: datetime) -> Rollout:
    """Make the version that a person names the candidate; a name that cannot be served is told and left."""
    wish = snapshot.model.rollback
    if wish is None or wish == rollout.handled_rollback:
        return rollout
    name = wish.split()[0] if wish.split() else ""
    problem = _no_rollback(snapshot, rollout, name)
    word, message = ("RollbackRefused", problem) if problem else ("RollbackStarted", f"a person asked for {name} (mlmodel.dev/rollback-to)")
    entry = LoggedDecision(time=stamp(now), decision=word, version=name[:253] or None, message=message)
    candidate = rollout.candidate if problem else CandidateVersion(version=name, since=stamp(now))
    return replace(rollout, candidate=candidate, handled_rollback=wish, log=(*rollout.log, entry))


def _no_rollback(snapshot: Snapshot, rollout: Rollout, name: str) -> str | None:
    version = snapshot.versions.get(name)
    if version is None:
        known = ", ".join(sorted(snapshot.versions)) or "none"
        return f"mlmodel.dev/rollback-to names {name!r}, which is no version of this model; there are: {known}"[:1024]
    if version.spec.decision.verdict is not Verdict.ACCEPTED:
        return f"{name} was rejected ({version.spec.decision.reason}) and may not serve; name a version that was accepted"
    return f"{name} is live already" if rollout.live and rollout.live.version == name else None


def _candidate(snapshot: Snapshot, rollout: Rollout, now: datetime) -> Rollout:
    candidate = rollout.candidate
    if candidate is None:
        return rollout
    deployment = snapshot.deployment(candidate.version)
    ready, wanted = ready_replicas(deployment), wanted_replicas(snapshot)
    if deployment is None and candidate.version in snapshot.versions:  # the time that an operator was away is not the candidate's
        return replace(rollout, waits=f"{candidate.version}: its Deployment is being made")
    if deployment is not None and ready >= wanted:
        return _promoted(snapshot, rollout, candidate.version, now)
    deadline = duration(snapshot.model.spec.serving.progress_deadline)
    created = deployment["metadata"]["creationTimestamp"] if deployment else candidate.since
    since = max(moment(candidate.since), moment(created))
    left = (since + deadline - now).total_seconds()
    waits = f"{candidate.version}: {ready} of {wanted} pods are ready{why_not_ready(snapshot, candidate.version)}"
    if left <= 0:
        return _given_up(rollout, candidate.version, f"not ready within serving.progressDeadline; {waits}", now)
    return replace(rollout, waits=waits, look_again=soonest(rollout.look_again, left))


def _promoted(snapshot: Snapshot, rollout: Rollout, version: str, now: datetime) -> Rollout:
    old = rollout.live
    draining = [item for item in rollout.draining if item.version != version]
    if old is not None and old.version != version:
        until = stamp(now + duration(snapshot.model.spec.serving.drain))
        draining = [*[item for item in draining if item.version != old.version], DrainingVersion(version=old.version, until=until)]
    message = f"{version} has the traffic" + (f"; {old.version} drains and is kept for rollback" if old else "; it is the first version")
    return replace(
        rollout,
        live=LiveVersion(version=version, since=stamp(now)),
        candidate=None,
        draining=tuple(draining),
        log=(*rollout.log, LoggedDecision(time=stamp(now), decision="Promoted", version=version, message=message)),
    )


def _given_up(rollout: Rollout, version: str, message: str, now: datetime) -> Rollout:
    entry = LoggedDecision(time=stamp(now), decision="RolloutFailed", version=version, message=message[:1024])
    return replace(rollout, candidate=None, failed=((version, message[:1024]),), log=(*rollout.log, entry))


def _drained(rollout: Rollout, now: datetime) -> Rollout:
    kept = tuple(item for item in rollout.draining if moment(item.until) > now)
    waits = [(moment(item.until) - now).total_seconds() for item in kept]
    return replace(rollout, draining=kept, look_again=soonest(rollout.look_again, *waits))


def _counted(snapshot: Snapshot, rollout: Rollout) -> Rollout:
    """Write the ready pods of live and candidate down."""
    live = rollout.live and rollout.live.model_copy(update={"ready_replicas": serving_pods(snapshot.deployment(rollout.live.version))})
    candidate = rollout.candidate and rollout.candidate.model_copy(
        update={"ready_replicas": ready_replicas(snapshot.deployment(rollout.candidate.version))}
    )
    return replace(rollout, live=live, candidate=candidate)


def serving_pods(deployment: Body | None) -> int:
    """Return the ready pods of a Deployment, of its present spec or an earlier one."""
    status = (deployment or {}).get("status") or {}
    return int(status.get("readyReplicas", 0))


def ready_replicas(deployment: Body | None) -> int:
    """Return the ready pods of a Deployment, once its controller has seen its present spec."""
    if deployment is None:
        return 0
    outdated = (deployment.get("status") or {}).get("observedGeneration", 0) < deployment["metadata"].get("generation", 0)
    return 0 if outdated else serving_pods(deployment)


def why_not_ready(snapshot: Snapshot, version: str) -> str:
    """Return why pods of a version failed, such as a refused bundle, or wait, as the tail of a sentence; empty where none does."""
    for pod in snapshot.pods_of_version(version):
        for ending in pod.terminated:
            if ending.exit_code != 0:
                lines = [line for line in ending.message.splitlines() if line.strip()]
                return f"; {ending.container} of {pod.name}: {ending.reason}: {lines[-1][:300] if lines else ending.exit_code}"
    waiting = waits(snapshot.pods_of_version(version))
    return f"; {waiting}" if waiting else ""


def phase_of(snapshot: Snapshot, rollout: Rollout, name: str) -> Phase:
    """Tell where a version is in its life."""
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
