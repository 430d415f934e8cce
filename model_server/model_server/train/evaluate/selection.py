"""The trials' results, the best one first.

Pure but for reading the results. Not here: which recipe leads in later runs (``competition.py``).
"""

from collections.abc import Sequence

from mlmodel_contract.quality_metrics import Metric, as_loss
from mlmodel_contract.run import Problem, TrialResult

from ...storage import StorageError, read_bytes
from ..run_context import RunContext


def trial_results(context: RunContext) -> list[TrialResult]:
    """Read the results of those trials that left one; a trial whose pod died for good left none."""
    trials = context.competition.trials if context.competition else context.training.trials
    return [result for index in range(trials) if (result := trial_result(context, index)) is not None]


def trial_result(context: RunContext, index: int) -> TrialResult | None:
    """Read the result of a trial; None where it left none."""
    try:
        content = read_bytes(context.folder.child(result_file(index)))
    except StorageError as error:
        if error.check != "SourceMissing":
            raise
        return None
    return TrialResult.model_validate_json(content)


def result_file(index: int) -> str:
    """Return the name of a trial's result, in the run's folder."""
    return f"trials/{index}.json"


def ranked(results: Sequence[TrialResult], metric: Metric) -> list[TrialResult]:
    """Return the trials that have a score, the best first; of equals the earlier, and so the simpler."""
    scored = [(as_loss(metric, result.score), result.index, result) for result in results if result.score is not None]
    return [result for _, _, result in sorted(scored, key=lambda entry: entry[:2])]


def all_failed(results: Sequence[TrialResult]) -> Problem:
    """Return why there is no winner."""
    reason = next((result.failure for result in results if result.failure), "no trial left a result")
    return Problem(check="TrialsFailed", message=f"no trial could be scored: {reason}"[:400])
