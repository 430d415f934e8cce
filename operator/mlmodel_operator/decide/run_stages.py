"""A run's way through its stages: one Job after the other, then a ModelVersion with the verdict.

Each step follows from what is there: a Job that is missing is created, a Job that ended is read. So a step that a crash undid is repeated.
A stage that the pod of Prepare did too needs no Job.
Not here: when a run starts (``run_start.py``), and what becomes of its version (``rollout.py``).
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, assert_never

from mlmodel_contract.base import LONGEST_MESSAGE, format_time, parse_time
from mlmodel_contract.run import PackageResult, PrepareResult, Problem, ScoringResult, Stage, VerifyResult
from mlmodel_contract.status import LoggedDecision, RunStatus
from mlmodel_contract.version import MOST_LIBRARIES, MOST_SLICES, Artifact, ModelVersionSpec, Reason, RecipeRecord, Verdict, VersionVerdict

from ..cluster.cache import Body
from ..config import Config
from ..resources import job as job_builder
from ..resources import names
from ..resources import version as version_builder
from ..snapshot import Job, Snapshot
from .competition import is_undecided, with_leader_tried
from .earlier_versions import return_evidence, return_limit, returning_version, with_scores
from .job_results import (
    JobState,
    blocking_reason,
    failed_attempts,
    has_result,
    job_failure,
    job_state,
    last_failure,
    read_result,
    read_trials,
    timed_out,
)
from .pace import LEAST_ROWS
from .single_pod import interruption, single_pod_from
from .spec_digest import spec_digest
from .version_acceptance import acceptance_verdict

_LOST_AFTER_SECONDS = 120
_LOST = "ResultLost: the pod that ended well left no readable result, or is gone"

RunEnd = Literal["Succeeded", "ChampionKept", "Returned", "Unchanged", "Rejected", "DataInvalid", "Failed", "Cancelled"]

ASKED_BY_NOBODY = (Reason.NEW_ROWS, Reason.AGE, Reason.SOURCE, Reason.SCHEDULE)
"""Reasons that ask for nothing where no row is new."""


@dataclass(frozen=True)
class RunStep:
    """What one step of a run consists of."""

    run: RunStatus
    create: tuple[Body, ...] = ()
    log: tuple[LoggedDecision, ...] = ()
    ended: RunEnd | None = None
    serve: str | None = None  # the version that is to serve now
    scoring: ScoringResult | None = None  # of the champion and earlier versions, in the step that reads it
    records: tuple[RecipeRecord, ...] | None = None  # the recipes after this run, in its last step


def advance_run(snapshot: Snapshot, run: RunStatus, config: Config, now: datetime) -> RunStep:
    """Return the run's next step."""
    if run.state != "Running":
        return RunStep(run)
    if snapshot.model.spec.suspend:
        return _end_run(run, "Cancelled", "spec.suspend was set", now)
    if run.spec_digest != spec_digest(snapshot.model.spec):
        return _end_run(run, "Cancelled", "the spec changed while it ran", now)
    live = snapshot.model.status.live
    if run.champion is not None and live is not None and live.version != run.champion:
        return _end_run(run, "Cancelled", f"{live.version} is live now, and not {run.champion}, which it was to be compared with", now)
    return _advance_stage(snapshot, run, config, now)


def _advance_stage(snapshot: Snapshot, run: RunStatus, config: Config, now: datetime) -> RunStep:
    if has_result(snapshot, run.number, run.stage):
        return _completed(snapshot, run, snapshot.jobs.get(names.job(snapshot.model, run.number, Stage.PREPARE)), now)
    job = snapshot.jobs.get(names.job(snapshot.model, run.number, run.stage))
    pods = snapshot.pods_of_run(run.number, run.stage)
    if job is None:
        bundle = _bundle_to_verify(snapshot, run)
        if run.stage is Stage.VERIFY and bundle is None:
            return _end_run(run, "Failed", f"{Stage.PACKAGE}: {_LOST}", now)
        rows = single_pod_from(run, snapshot.model.spec.training)
        return RunStep(run, create=(job_builder.build(snapshot, run, config, artifact=bundle, single_pod_from=rows),))
    match job_state(job):
        case JobState.ACTIVE:
            return RunStep(_with_progress(run, _progress(snapshot, run, job)))
        case JobState.ENDING:
            return RunStep(run)  # its pods are being deleted; the last progress stays
        case JobState.COMPLETE:
            return _completed(snapshot, run, job, now)
        case JobState.FAILED:
            if run.stage is Stage.TRAIN and job.succeeded:
                return _trained(snapshot, run, now)  # some trials failed, the others can be compared
            failure = job_failure(job, pods)
            has_causes = timed_out(job) and ";" in run.progress
            before = f"; before that: {run.progress}" if has_causes else ""  # its pods are gone by now
            return _end_run(run, "Failed", f"{run.stage}: {failure.reason}: {failure.message}{before}", now)
        case unknown:
            assert_never(unknown)


def _progress(snapshot: Snapshot, run: RunStatus, job: Job) -> str:
    pods = snapshot.pods_of_run(run.number, run.stage)
    progress = f"{run.stage}"
    if run.stage is Stage.TRAIN:
        progress += f": {job.succeeded} of {job.completions} trials done"
    failure = last_failure(pods)
    if failure:
        progress += f"; {len(failed_attempts(pods))} failed attempts, the last one: {failure.reason}: {failure.message}"
    waiting = blocking_reason(pods)
    return f"{progress}; {waiting}" if waiting else progress


def _completed(snapshot: Snapshot, run: RunStatus, job: Job | None, now: datetime) -> RunStep:
    if run.stage is Stage.TRAIN:
        return _trained(snapshot, run, now)
    step = {Stage.PREPARE: _prepared, Stage.PACKAGE: _packaged, Stage.VERIFY: _verified}[run.stage](snapshot, run, now)
    if step is not None:
        return step
    ended = parse_time((job.completion_time if job else None) or run.started)
    if (now - ended).total_seconds() > _LOST_AFTER_SECONDS:
        return _end_run(run, "Failed", f"{run.stage}: {_LOST}", now)
    return RunStep(run)


def _prepared(snapshot: Snapshot, run: RunStatus, now: datetime) -> RunStep | None:
    result = read_result(snapshot, run.number, Stage.PREPARE, PrepareResult)
    if result is None:
        return None
    if result.problems:
        return _end_run(run, "DataInvalid", _problem_sentences(result.problems), now)
    run = _with_cost(run.replace(data=result.lineage), 0, result.cpu_seconds)
    if run.competition is None or result.new_rows >= LEAST_ROWS:
        died = interruption(result, snapshot.pods_of_run(run.number, Stage.PREPARE))
        step = _next_stage(run, Stage.TRAIN)
        return replace(step, log=(_entry(run, "SinglePodDied", died, now),)) if died else step
    if result.new_rows == 0 and run.reason in ASKED_BY_NOBODY:
        newest = result.lineage.end if result.lineage and result.lineage.end else "the last one"
        message = f"no row is newer than {newest}, which the last run has seen: there is nothing to learn"
        return _with_otherwise(_end_run(run, "Unchanged", message, now), "one newer row would have been compared on and learnt from")
    return _next_stage(run.replace(competition=with_leader_tried(run.competition)), Stage.TRAIN)


def _trained(snapshot: Snapshot, run: RunStatus, now: datetime) -> RunStep:
    """Read the trials' scores: an earlier version may come back without a new one, else the leading recipe is packaged."""
    trials, scoring = read_trials(snapshot, run.number)
    cpu_seconds = sum(result.cpu_seconds for result in trials) + (scoring.cpu_seconds if scoring else 0.0)
    run = _with_cost(run, sum(result.fits for result in trials), cpu_seconds)
    if scoring is None or snapshot.model.spec.training is None:
        return _next_stage(run, Stage.PACKAGE)
    if scoring.problems:
        return _end_run(run, "Failed", _problem_sentences(scoring.problems), now)
    records = with_scores(snapshot.model.status.retraining.versions, scoring.versions)
    metric = snapshot.model.spec.training.metric
    undecided = run.competition is not None and is_undecided(run.competition, snapshot.model.status.retraining)
    version = returning_version(records, scoring, trials, metric, changed=undecided)
    if version is None:
        return replace(_next_stage(run, Stage.PACKAGE), scoring=scoring)
    record = next(record for record in records if record.version == version)
    message = (
        f"{version} serves again: on the {record.rows:,} labelled rows that came since, its {metric} differs from {run.champion}'s by "
        f"{record.difference / record.rows:+.4f} as a loss, {return_evidence(record)}, and no recipe fitted anew was better"
    )
    package = read_result(snapshot, run.number, Stage.PACKAGE, PackageResult)  # made by a pod that could not know of the return
    run = _with_cost(run, package.fits, package.cpu_seconds) if package else run
    ended = _with_otherwise(_end_run(run, "Returned", message, now, version=version), return_limit(record))
    return replace(ended, scoring=scoring, serve=version)


def _packaged(snapshot: Snapshot, run: RunStatus, now: datetime) -> RunStep | None:
    result = read_result(snapshot, run.number, Stage.PACKAGE, PackageResult)
    if result is None:
        return None
    run = _with_cost(run, result.fits, result.cpu_seconds)
    if result.problems:
        return _end_run(run, "Failed", _problem_sentences(result.problems), now)
    return _next_stage(run, Stage.VERIFY)


def _verified(snapshot: Snapshot, run: RunStatus, now: datetime) -> RunStep | None:
    verified = read_result(snapshot, run.number, Stage.VERIFY, VerifyResult)
    name = names.version(snapshot.model, run.number)
    if verified is None:
        return None
    version = snapshot.versions.get(name)
    if version is None:
        spec = _version_spec(snapshot, run, verified)
        if spec is None:
            return None
        return RunStep(_with_progress(run, f"creating {name}"), create=(version_builder.build(snapshot.model, name, spec),))
    decision = version.spec.decision
    run = _with_cost(run, 0, verified.cpu_seconds)
    message = f"{decision.reason}: {decision.message}"
    package = read_result(snapshot, run.number, Stage.PACKAGE, PackageResult)
    records = tuple(package.records) if package and package.records else None
    if decision.verdict is Verdict.ACCEPTED:
        return replace(
            _with_otherwise(_end_run(run, "Succeeded", message, now, version=name), decision.otherwise), serve=name, records=records
        )
    end: RunEnd = "ChampionKept" if decision.reason == "ChampionBetter" else "Rejected"
    return replace(_with_otherwise(_end_run(run, end, message, now, version=name), decision.otherwise), records=records)


def _version_spec(snapshot: Snapshot, run: RunStatus, verified: VerifyResult) -> ModelVersionSpec | None:
    """Return the version with its lineage; None where the package's result is gone."""
    imported = snapshot.model.spec.model is not None
    if imported:
        package: PackageResult | None = _imported(verified, _bundle_to_verify(snapshot, run))
    else:
        package = read_result(snapshot, run.number, Stage.PACKAGE, PackageResult)
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
        window=package.window if package.candidate else None,
        since=package.since,
        window_start=package.window_start,
        fitted_rows=package.fitted_rows,
        estimator=package.estimator[:253] if package.estimator else None,
        parameters=package.parameters,
        libraries=dict(list(package.libraries.items())[:MOST_LIBRARIES]),
        engine=verified.engine[:32],
        tolerance=verified.tolerance,
        metrics=package.metrics,
        slices=package.slices[:MOST_SLICES],  # those that miss a criterion come first
        comparison=package.comparison,
        baseline=package.baseline,
        worth=package.worth,
        fits=run.fits,
        cpu_seconds=run.cpu_seconds,
        decision=_verdict(snapshot, run, package, verified),
    )


def _verdict(snapshot: Snapshot, run: RunStatus, package: PackageResult, verified: VerifyResult) -> VersionVerdict:
    if verified.problems:
        return VersionVerdict(verdict=Verdict.REJECTED, reason="NotVerified", message=_problem_sentences(verified.problems))
    older = run.competition is not None and run.competition.older_champion
    return acceptance_verdict(snapshot.model.spec.objective, package, older_champion=older)


def _imported(verified: VerifyResult, artifact: Artifact | None) -> PackageResult:
    """Return the figures of a bundle that was made elsewhere, as its verification found them."""
    return PackageResult(
        artifact=artifact,
        estimator=verified.estimator,
        libraries=verified.libraries,
        engine=verified.engine,
        metrics=verified.metrics,
    )


def _bundle_to_verify(snapshot: Snapshot, run: RunStatus) -> Artifact | None:
    """Return the bundle that the stage Verify checks."""
    external = snapshot.model.spec.model
    if external is not None:
        return Artifact(uri=external.uri, digest=external.digest, credentials=external.credentials)
    package = read_result(snapshot, run.number, Stage.PACKAGE, PackageResult)
    return package.artifact if package else None


def _next_stage(run: RunStatus, stage: Stage) -> RunStep:
    return RunStep(run.replace(stage=stage, progress=f"{stage}: starting"))


def _with_cost(run: RunStatus, fits: int, cpu_seconds: float) -> RunStatus:
    return run.replace(fits=run.fits + fits, cpu_seconds=round(run.cpu_seconds + cpu_seconds, 3))


def _with_progress(run: RunStatus, progress: str) -> RunStatus:
    return run.replace(progress=progress[:LONGEST_MESSAGE])


def _problem_sentences(problems: list[Problem]) -> str:
    return "; ".join(f"{problem.check}: {problem.message}" for problem in problems)[:1000]


def _end_run(run: RunStatus, state: RunEnd, message: str, now: datetime, version: str | None = None) -> RunStep:
    ended = run.replace(state=state, finished=format_time(now), progress=message[:LONGEST_MESSAGE])
    decision = {"Succeeded": "Accepted", "Failed": "RunFailed", "Cancelled": "RunCancelled"}.get(state, state)
    return RunStep(ended, log=(_entry(run, decision, message, now, version),), ended=state)


def _entry(run: RunStatus, decision: str, message: str, now: datetime, version: str | None = None) -> LoggedDecision:
    sentence = f"run {run.number}: {message}"[:LONGEST_MESSAGE]
    return LoggedDecision(time=format_time(now), decision=decision, version=version, run=run.number, message=sentence)


def _with_otherwise(step: RunStep, otherwise: str | None) -> RunStep:
    """Return the step with what would have made its decision another one."""
    return replace(step, log=tuple(entry.replace(otherwise=otherwise) for entry in step.log))
