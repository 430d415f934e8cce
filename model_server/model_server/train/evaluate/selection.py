"""Which trial wins.

Pure but for reading the trials' results. Not here: fitting the winner.
"""

from collections.abc import Sequence

from mlmodel_contract.quality_metrics import Metric, better
from mlmodel_contract.run import Problem, TrialResult

from ...storage import StorageError, read_bytes
from ..run_context import RunContext


def trial_results(context: RunContext) -> list[TrialResult]:
    """Read the results of those trials that left one; a trial whose pod died for good left none."""
    results = []
    for index in range(context.training.trials):
        try:
            content = read_bytes(context.folder.child(f"trials/{index}.json"))
        except StorageError as error:
            if error.check != "SourceMissing":
                raise
            continue
        results.append(TrialResult.model_validate_json(content))
    return results


def winner(results: Sequence[TrialResult], metric: Metric) -> TrialResult | None:
    """Return the trial with the best mean score; the earlier, and so the simpler, of equals."""
    best: TrialResult | None = None
    for result in results:
        if result.score is not None and (best is None or best.score is None or better(metric, result.score, best.score)):
            best = result
    return best


def all_failed(results: Sequence[TrialResult]) -> Problem:
    """Return why there is no winner."""
    reason = next((result.failure for result in results if result.failure), "no trial left a result")
    return Problem(check="TrialsFailed", message=f"no trial could be scored: {reason}"[:400])
