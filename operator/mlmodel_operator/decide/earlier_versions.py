"""Whether an earlier version serves again: it is better than the live one on rows that neither has learnt from, beyond chance.

The evidence is an e-value that grows from run to run and starts anew where the earlier version was not better, so that a world that comes
back is noticed however long it was away (an e-detector; docs/policy.md). Pure. Not here: scoring versions, which the trainer does.
"""

import math
from collections.abc import Sequence

from mlmodel_contract.quality_metrics import Metric, as_loss
from mlmodel_contract.run import PooledVersion, ScoringResult, TrialResult
from mlmodel_contract.status import VersionRecord
from mlmodel_contract.version import STANDARD_ERRORS_SINCE_CHANGE, STANDARD_ERRORS_TO_LEAD, Verdict, VersionScore

from ..snapshot import Snapshot, Version

RETURN_EVIDENCE = math.log(20)
"""Natural logarithm of the e-value from which an earlier version comes back: equal versions reach it once in twenty lives of a live one at
most, and lose nothing by it.
"""

MOST_POOLED = 8
MOST_BEFORE_CHANGES = 4
"""Of these, versions that served when the world changed: each knows a world that may come back."""

_PRIOR_ROWS = 100.0
_BETTER_RECIPE = "a recipe fitted anew that is better on them would have been served in its place"


def pooled_versions(snapshot: Snapshot, live: str, before_changes: Sequence[str]) -> list[PooledVersion]:
    """Return accepted versions but the live one, with their bundles: those that served when the world changed, and the newest."""
    others = [version for version in snapshot.versions.values() if _may_return(version) and version.name != live]
    chosen = sorted(others, key=lambda version: (version.name in before_changes, version.spec.run), reverse=True)[:MOST_POOLED]
    newest = sorted(chosen, key=lambda version: version.spec.run, reverse=True)
    return [PooledVersion(version=version.name, artifact=version.spec.artifact) for version in newest]


def with_scores(records: Sequence[VersionRecord], scores: Sequence[VersionScore]) -> list[VersionRecord]:
    """Return the records of the versions that were scored, with these scores added; the strongest evidence first."""
    known = {record.version: record for record in records}
    updated = [_with_score(known.get(score.version, VersionRecord(version=score.version)), score) for score in scores]
    return sorted(updated, key=lambda record: -record.evidence)


def returning_version(
    records: Sequence[VersionRecord], scoring: ScoringResult, trials: Sequence[TrialResult], metric: Metric, *, changed: bool
) -> str | None:
    """Return the version that is to serve again, if any: the evidence for it is strong, and no recipe fitted anew is better.

    That is one whose loss is smaller by a standard error, for the older one has shown what it is worth in a world before.

    Args:
        records: of the earlier versions, this run's scores included.
        scoring: this run's scores of versions.
        trials: this run's scores of recipes on the same rows.
        metric: that of these scores.
        changed: whether the world has changed, and it is not known yet what serves in the new one.

    """
    values = {score.version: as_loss(metric, score.value) for score in scoring.versions}
    errors = {score.version: STANDARD_ERRORS_TO_LEAD * math.sqrt(score.variance) for score in scoring.versions}
    fresh = min((as_loss(metric, trial.score) for trial in trials if trial.score is not None), default=math.inf)
    able = [record for record in records if record.version in values and values[record.version] - errors[record.version] < fresh]
    strong = [record for record in able if record.evidence >= RETURN_EVIDENCE or (changed and _is_better_by_errors(record))]
    return min(strong, key=lambda record: values[record.version]).version if strong else None


def return_evidence(record: VersionRecord) -> str:
    """Say by which evidence a version came back."""
    if record.evidence >= RETURN_EVIDENCE:
        return f"with evidence e^{record.evidence:.1f}"
    return f"by {-record.difference / math.sqrt(record.variance):.1f} standard errors after the world changed"


def return_limit(record: VersionRecord) -> str:
    """Return from which mean difference on, on the same rows, a version that came back would not have."""
    if record.evidence < RETURN_EVIDENCE:
        limit = -STANDARD_ERRORS_SINCE_CHANGE * math.sqrt(record.variance) / record.rows
        return f"with a difference above {limit:+.4f} on those rows it would not; {_BETTER_RECIPE}"
    scale = record.variance * _PRIOR_ROWS / record.rows
    sum_needed = math.sqrt(2 * (record.variance + scale) * (RETURN_EVIDENCE + 0.5 * math.log1p(record.variance / scale)))
    return (
        f"with a difference above {-sum_needed / record.rows:+.4f} on those rows the evidence would have stayed below "
        f"e^{RETURN_EVIDENCE:.1f}; {_BETTER_RECIPE}"
    )


def _is_better_by_errors(record: VersionRecord) -> bool:
    return record.variance > 0 and record.difference < -STANDARD_ERRORS_SINCE_CHANGE * math.sqrt(record.variance)


def _may_return(version: Version) -> bool:
    return version.spec.decision.verdict is Verdict.ACCEPTED and version.status.phase is not None and version.status.phase != "Failed"


def _with_score(record: VersionRecord, score: VersionScore) -> VersionRecord:
    difference = record.difference + score.difference * score.rows
    if difference >= 0:
        return record.replace(difference=0.0, variance=0.0, rows=0, evidence=0.0, needed=round(RETURN_EVIDENCE, 3))
    variance, rows = record.variance + score.variance * score.rows**2, record.rows + score.rows
    evidence = round(_evidence(difference, variance, rows), 3)
    return record.replace(difference=difference, variance=variance, rows=rows, evidence=evidence, needed=round(RETURN_EVIDENCE, 3))


def _evidence(difference: float, variance: float, rows: int) -> float:
    """Return the logarithm of the e-value of a sum of differences: a normal mixture whose scale is that of ``_PRIOR_ROWS`` rows.

    Robbins, "Statistical methods related to the law of the iterated logarithm" (1970).
    """
    if variance <= 0:
        return 0.0
    scale = variance * _PRIOR_ROWS / rows
    return 0.5 * difference**2 / (variance + scale) - 0.5 * math.log1p(variance / scale)
