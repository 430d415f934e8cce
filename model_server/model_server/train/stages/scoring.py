"""Beside the trials: the champion and earlier versions on the labelled rows that are new, without live traffic and without a fit.

Not here: whether one of them comes back, which the operator decides.
"""

import logging
import math
from collections.abc import Sequence

from mlmodel_contract.run import PooledVersion, Problem, ScoringResult
from mlmodel_contract.version import VersionScore

from ...bundle.errors import BundleRefused
from ...storage import StorageError, StorageUnreachableError
from ..data.training_rows import RunRows
from ..evaluate.evaluation import EvaluationDataset, paired_difference, score
from ..evaluate.versions import version_dataset
from ..evaluate.worth import mean_worth
from ..run_context import RunContext
from ..run_inputs import RunInputs

_log = logging.getLogger(__name__)


def score_versions(inputs: RunInputs) -> ScoringResult:
    """Score the champion and the versions of the competition on the holdout; nothing where a run before has learnt from it.

    Raises:
        StorageError: the run's folder cannot be read.

    """
    context, rows, champion = inputs.context, inputs.rows, inputs.champion
    if isinstance(champion, Problem):
        return ScoringResult(problems=[champion])
    if champion is None:
        return ScoringResult()
    scores = _scores(context, rows, champion, context.competition.versions if context.competition else ())
    return ScoringResult(champion=_finite(score(champion, context.select_by)), versions=scores)


def _scores(context: RunContext, rows: RunRows, champion: EvaluationDataset, versions: Sequence[PooledVersion]) -> list[VersionScore]:
    """Score each version; one that cannot be opened or predicts something else has no score, for nothing depends on it."""
    scores = []
    for version in versions:
        try:
            dataset = version_dataset(context, version.version, version.artifact, rows)
        except StorageUnreachableError:
            raise
        except (StorageError, BundleRefused) as error:
            _log.warning("%s is not scored: %s", version.version, error)
            continue
        if dataset is None:
            continue
        found = paired_difference(context.select_by, dataset, champion)
        value = score(dataset, context.select_by)
        if math.isfinite(found.mean) and math.isfinite(value):
            beside = VersionScore(version=version.version, value=value, difference=found.mean, variance=found.variance, rows=found.rows)
            scores.append(beside.replace(worth=_worth_beyond(context, rows, dataset, champion)))
    return scores


def _worth_beyond(context: RunContext, rows: RunRows, dataset: EvaluationDataset, champion: EvaluationDataset) -> float | None:
    own, other = (mean_worth(context.objective.value, of, rows.holdout) for of in (dataset, champion))
    return None if own is None or other is None else own - other


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
