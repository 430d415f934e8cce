"""A run's way through its stages: one Job after the other, then a ModelVersion with the verdict.

Each step follows from what is seen: a Job that is missing is made, a Job that ended is read. So a step that a crash undid is taken again.
Not here: when a run starts (``triggers.py``), and what becomes of its version (``rollout.py``).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, assert_never

from mlmodel_contract.run import PackageResult, PrepareResult, Problem, Stage, VerifyResult
from mlmodel_contract.status import LoggedDecision, RunStatus
from mlmodel_contract.version import MOST_LIBRARIES, MOST_SLICES, Artifact, ModelVersionSpec, Verdict
from mlmodel_contract.version import VersionVerdict as VersionDecision

from ..cluster.cache import Body
from ..config import Config
from ..resources import job as job_builder
from ..resources import names
from ..resources import version as version_builder
from ..snapshot import Snapshot
from .acceptance import judge
from .desired_state import moment, stamp
from .results import JobState, failed_attempts, failure_of, job_state, last_failure, result_as, timed_out, waits
from .spec_digest import spec_digest

_LOST_AFTER_SECONDS = 120
_LOST = "ResultLost: the pod that ended well left no readable result, or is gone"

End = Literal["Succeeded", "Rejected", "DataInvalid", "Failed", "Cancelled"]


@dataclass(frozen=True)
class RunStep:
    """What one look at a run gives."""

    run: RunStatus
    create: tuple[Body, ...] = ()
    log: tuple[LoggedDecision, ...] = ()
    ended: End | None = None


def advance(snapshot: Snapshot, run: RunStatus, config: Config, now: datetime) -> RunStep:
    """Take the run's next step."""
    if run.state != "Running":
        return RunStep(run)
    if snapshot.model.spec.suspend:
        return _end(run, "Cancelled", "spec.suspend was set", now)
    if run.spec_digest != spec_digest(snapshot.model.spec):
        return _end(run, "Cancelled", "the spec changed while it ran", now)
    live = snapshot.model.status.live
    if run.champion is not None and live is not None and live.version != run.champion:
        return _end(run, "Cancelled", f"{live.version} is live now, and not {run.champion}, which it was to be compared with", now)
    return _look_at_job(snapshot, run, config, now)


def _look_at_job(snapshot: Snapshot, run: RunStatus, config: Config, now: datetime) -> RunStep:
    job = snapshot.job(names.job(snapshot.model, run.number, run.stage))
    pods = snapshot.pods_of_run(run.number, run.stage)
    if job is None:
        bundle = _bundle(snapshot, run)
        if run.stage is Stage.VERIFY and bundle is None:
            return _end(run, "Failed", f"{Stage.PACKAGE}: {_LOST}", now)
        return RunStep(run, create=(job_builder.build(snapshot, run, bundle, config),))
    match job_state(job):
        case JobState.ACTIVE:
            return RunStep(_told(run, _progress(snapshot, run, job)))
        case JobState.ENDING:
            return RunStep(run)  # its pods are being deleted; what was said of them stays
        case JobState.COMPLETE:
            return _completed(snapshot, run, job, now)
        case JobState.FAILED:
            if run.stage is Stage.TRAIN and (job.get("status") or {}).get("succeeded"):
                return _next(run, Stage.PACKAGE)  # some trials failed, the others can be compared
            failure = failure_of(job, pods)
            told = timed_out(job) and ";" in run.progress
            before = f"; before that: {run.progress}" if told else ""  # its pods are gone by now
            return _end(run, "Failed", f"{run.stage}: {failure.reason}: {failure.message}{before}", now)
        case unknown:
            assert_never(unknown)


def _progress(snapshot: Snapshot, run: RunStatus, job: Body) -> str:
    pods = snapshot.pods_of_run(run.number, run.stage)
    status = job.get("status") or {}
    said = f"{run.stage}"
    if run.stage is Stage.TRAIN:
        said += f": {status.get('succeeded', 0)} of {job['spec']['completions']} trials done"
    failure = last_failure(pods)
    if failure:
        said += f"; {len(failed_attempts(pods))} failed attempts, the last one: {failure.reason}: {failure.message}"
    waiting = waits(pods)
    return f"{said}; {waiting}" if waiting else said


def _completed(snapshot: Snapshot, run: RunStatus, job: Body, now: datetime) -> RunStep:
    if run.stage is Stage.TRAIN:
        return _next(run, Stage.PACKAGE)
    step = {Stage.PREPARE: _prepared, Stage.PACKAGE: _packaged, Stage.VERIFY: _verified}[run.stage](snapshot, run, now)
    if step is not None:
        return step
    ended = moment(job["status"]["completionTime"])
    if (now - ended).total_seconds() > _LOST_AFTER_SECONDS:
        return _end(run, "Failed", f"{run.stage}: {_LOST}", now)
    return RunStep(run)


def _prepared(snapshot: Snapshot, run: RunStatus, now: datetime) -> RunStep | None:
    result = result_as(snapshot, run.number, Stage.PREPARE, PrepareResult)
    if result is None:
        return None
    if result.problems:
        return _end(run, "DataInvalid", _told_problems(result.problems), now)
    return _next(run.model_copy(update={"data": result.lineage}), Stage.TRAIN)


def _packaged(snapshot: Snapshot, run: RunStatus, now: datetime) -> RunStep | None:
    result = result_as(snapshot, run.number, Stage.PACKAGE, PackageResult)
    if result is None:
        return None
    if result.problems:
        return _end(run, "Failed", _told_problems(result.problems), now)
    return _next(run, Stage.VERIFY)


def _verified(snapshot: Snapshot, run: RunStatus, now: datetime) -> RunStep | None:
    verified = result_as(snapshot, run.number, Stage.VERIFY, VerifyResult)
    name = names.version_of(snapshot.model, run.number)
    if verified is None:
        return None
    version = snapshot.versions.get(name)
    if version is None:
        spec = _version_spec(snapshot, run, verified)
        if spec is None:
            return None
        return RunStep(_told(run, f"creating {name}"), create=(version_builder.build(snapshot.model, name, spec),))
    decision = version.spec.decision
    if decision.verdict is Verdict.ACCEPTED:
        return _end(run, "Succeeded", f"{decision.reason}: {decision.message}", now, version=name)
    return _end(run, "Rejected", f"{decision.reason}: {decision.message}", now, version=name)


def _version_spec(snapshot: Snapshot, run: RunStatus, verified: VerifyResult) -> ModelVersionSpec | None:
    """Put the lineage together; None where the package's result has gone."""
    imported = snapshot.model.spec.model
    package = _imported(verified, _bundle(snapshot, run)) if imported else result_as(snapshot, run.number, Stage.PACKAGE, PackageResult)
    if package is None or package.artifact is None:
        return None
    return ModelVersionSpec(
        model=snapshot.model.key.name,
        run=run.number,
        reason=run.reason,
        spec_digest=run.spec_digest,
        artifact=package.artifact,
        data=run.data,
        candidate=package.candidate,
        estimator=package.estimator[:253] if package.estimator else None,
        parameters=package.parameters,
        libraries=dict(list(package.libraries.items())[:MOST_LIBRARIES]),
        engine=verified.engine[:32],
        tolerance=verified.tolerance,
        metrics=package.metrics,
        slices=package.slices[:MOST_SLICES],  # those that miss a criterion come first
        comparison=package.comparison,
        decision=_decision(snapshot, package, verified),
    )


def _decision(snapshot: Snapshot, package: PackageResult, verified: VerifyResult) -> VersionDecision:
    if verified.problems:
        return VersionDecision(verdict=Verdict.REJECTED, reason="NotVerified", message=_told_problems(verified.problems))
    return judge(snapshot.model.spec.objective, package)


def _imported(verified: VerifyResult, artifact: Artifact | None) -> PackageResult:
    """Take the figures that a bundle from elsewhere brings along."""
    return PackageResult(
        artifact=artifact,
        estimator=verified.estimator,
        libraries=verified.libraries,
        engine=verified.engine,
        metrics=verified.metrics,
    )


def _bundle(snapshot: Snapshot, run: RunStatus) -> Artifact | None:
    """Return the bundle that the stage Verify looks at."""
    external = snapshot.model.spec.model
    if external is not None:
        return Artifact(uri=external.uri, digest=external.digest, credentials=external.credentials)
    package = result_as(snapshot, run.number, Stage.PACKAGE, PackageResult)
    return package.artifact if package else None


def _next(run: RunStatus, stage: Stage) -> RunStep:
    return RunStep(run.model_copy(update={"stage": stage, "progress": f"{stage}: starting"}))


def _told(run: RunStatus, progress: str) -> RunStatus:
    return run.model_copy(update={"progress": progress[:1024]})


def _told_problems(problems: list[Problem]) -> str:
    return "; ".join(f"{problem.check}: {problem.message}" for problem in problems)[:1000]


def _end(run: RunStatus, state: End, message: str, now: datetime, version: str | None = None) -> RunStep:
    ended = run.model_copy(update={"state": state, "finished": stamp(now), "progress": message[:1024]})
    word = {"Succeeded": "Accepted", "Failed": "RunFailed", "Cancelled": "RunCancelled"}.get(state, state)
    entry = LoggedDecision(time=stamp(now), decision=word, version=version, message=f"run {run.number}: {message}"[:1024])
    return RunStep(ended, log=(entry,), ended=state)
