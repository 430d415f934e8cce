"""Whether an earlier version serves again: it is better than the live one on rows that neither has learnt from, beyond chance.

The evidence is an e-value that grows from run to run and starts anew where the earlier version was not better, so that a world that comes
back is noticed however long it was away (an e-detector; docs/policy.md). Pure. Not here: scoring versions, which the trainer does.
"""

import math
from collections.abc import Sequence

from mlmodel_contract.quality_metrics import Metric, as_loss
from mlmodel_contract.run import PooledVersion, ScoringResult, TrialResult
from mlmodel_contract.status import VersionRecord
from mlmodel_contract.version import Verdict, VersionScore

from ..snapshot import Snapshot, Version

RETURN_EVIDENCE = math.log(100)
"""Natural logarithm of the e-value from which an earlier version comes back: equal versions reach it once in a hundred runs at most."""

MOST_POOLED = 8
_PRIOR_ROWS = 100.0


def pooled_versions(snapshot: Snapshot, live: str) -> list[PooledVersion]:
    """Return the newest accepted versions but the live one, with their bundles."""
    others = [version for version in snapshot.versions.values() if _may_return(version) and version.name != live]
    newest = sorted(others, key=lambda version: version.spec.run, reverse=True)[:MOST_POOLED]
    return [PooledVersion(version=version.name, artifact=version.spec.artifact) for version in newest]


def with_scores(records: Sequence[VersionRecord], scores: Sequence[VersionScore]) -> list[VersionRecord]:
    """Return the records of the versions that were scored, with these scores added; the strongest evidence first."""
    known = {record.version: record for record in records}
    updated = [_with_score(known.get(score.version, VersionRecord(version=score.version)), score) for score in scores]
    return sorted(updated, key=lambda record: -record.evidence)


def returning_version(
    records: Sequence[VersionRecord], scoring: ScoringResult, trials: Sequence[TrialResult], metric: Metric
) -> str | None:
    """Return the version that is to serve again, if any: the evidence for it is strong, and no recipe fitted anew would be better.

    Args:
        records: of the earlier versions, this run's scores included.
        scoring: this run's scores of versions.
        trials: this run's scores of recipes on the same rows.
        metric: that of these scores.

    """
    values = {score.version: as_loss(metric, score.value) for score in scoring.versions}
    fresh = min((as_loss(metric, trial.score) for trial in trials if trial.score is not None), default=math.inf)
    strong = [record for record in records if record.evidence >= RETURN_EVIDENCE and values.get(record.version, math.inf) < fresh]
    return min(strong, key=lambda record: values[record.version]).version if strong else None


def return_limit(record: VersionRecord) -> str:
    """Return from which mean difference on, on the same rows, a version that came back would not have."""
    scale = record.variance * _PRIOR_ROWS / record.rows
    sum_needed = math.sqrt(2 * (record.variance + scale) * (RETURN_EVIDENCE + 0.5 * math.log1p(record.variance / scale)))
    return (
        f"with a difference above {-sum_needed / record.rows:+.4f} on those rows the evidence would have stayed below "
        f"e^{RETURN_EVIDENCE:.1f}; a recipe fitted anew that is better on them would have been served in its place"
    )


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
