"""The second stage: fit one candidate on the folds, score it, and leave the score in the run's folder.

An estimator that cannot be fitted is a result, not a crash: the run goes on with the other trials. Not here: which trial wins.
"""

import json
import logging

import numpy as np
from mlmodel_contract.quality_metrics import Metric
from mlmodel_contract.run import TrialResult

from ...runtime.cpu_limits import available_cpus
from ...storage import write_atomic
from ..data.splits import Fold, expanding
from ..data.training_rows import RunRows, read_rows
from ..evaluate.evaluation import EvaluationDataset, score
from ..evaluate.losses import Floats
from ..fitting import fit, predict
from ..parameter_search import SampledCandidate, sample_candidate
from ..pipeline import build
from ..run_context import RunContext

_log = logging.getLogger(__name__)

_FITTING_FAILED = (ValueError, TypeError, ArithmeticError, np.linalg.LinAlgError, AttributeError)
"""What scikit-learn raises for parameters or rows that it cannot work with."""


def try_candidate(context: RunContext, index: int) -> TrialResult:
    """Do trial ``index``.

    Raises:
        StorageError: the run's folder cannot be read or written.

    """
    sampled = sample_candidate(context.training.tried, context.document.run, index)
    result = _nothing_left(context, index) if sampled is None else _try(context, index, sampled)
    write_atomic(context.folder, f"trials/{index}.json", result.model_dump_json(by_alias=True).encode())
    return result


def _try(context: RunContext, index: int, sampled: SampledCandidate) -> TrialResult:
    rows = read_rows(context, holdout=False)
    fold_scores: list[float] = []
    parameters = {name: json.dumps(value) for name, value in sampled.parameters.items()}
    title = " ".join(
        [f"trial {index + 1}/{context.training.trials} {sampled.candidate.name}", *(f"{k}={v}" for k, v in parameters.items())]
    )
    try:
        folds = list(expanding(len(rows.train), context.training.validation.folds))
        _log.info("%s: %d rows in %d folds", title, len(rows.train), len(folds))
        for number, fold in enumerate(folds, 1):
            dataset = EvaluationDataset(rows.schema.task, _predict(context, sampled, rows, fold), rows.train.target[fold.start : fold.stop])
            fold_scores.append(score(dataset, context.select_by))
            _log.info("%s: fold %d/%d %s %.4f", title, number, len(folds), context.select_by, fold_scores[-1])
    except _FITTING_FAILED as error:
        return _failed(index, sampled, parameters, error)
    if not np.isfinite(fold_scores).any():
        return _failed(index, sampled, parameters, ValueError(_undefined(context.select_by)))
    mean, deviation = float(np.nanmean(fold_scores)), float(np.nanstd(fold_scores))
    return TrialResult(index=index, candidate=sampled.candidate.name, parameters=parameters, score=mean, deviation=deviation)


def _predict(context: RunContext, sampled: SampledCandidate, rows: RunRows, fold: Fold) -> Floats:
    """Fit on the rows before the fold and predict those in it."""
    pipeline = build(sampled.candidate.estimator, sampled.parameters, rows.schema.features, context.document.run, available_cpus())
    fit(pipeline, rows.train.slice(0, fold.start), rows)
    return predict(pipeline, rows.train.slice(fold.start, fold.stop), rows)


def _failed(index: int, sampled: SampledCandidate, parameters: dict[str, str], error: Exception) -> TrialResult:
    reason = f"candidate '{sampled.candidate.name}': {' '.join(str(error).split())}"[:400]
    _log.warning("trial %d failed: %s", index + 1, reason)
    return TrialResult(index=index, candidate=sampled.candidate.name, parameters=parameters, failure=reason)


def _nothing_left(context: RunContext, index: int) -> TrialResult:
    candidates = context.training.tried
    message = f"nothing left to try: training.candidates have no search; lower training.trials to {len(candidates)} or add one"
    return TrialResult(index=index, candidate=candidates[index % len(candidates)].name, failure=message)


def _undefined(metric: Metric) -> str:
    return f"{metric} is not defined on any fold, since each has rows of one class only: add rows or choose another training.selectBy"
