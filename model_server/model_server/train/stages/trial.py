"""The second stage: fit one recipe on rows of the past, and score it on those that came later.

Score and predictions are left in the run's folder. A first run draws its recipes and scores each on the folds; later runs score recipes on
the holdout. An estimator that cannot be fitted is a result, not a crash: the run goes on with the other trials. Not here: which recipe
leads.
"""

import io
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from mlmodel_contract.manifest import Candidate, Window
from mlmodel_contract.quality_metrics import Metric, as_loss
from mlmodel_contract.run import Competition, TrialResult
from mlmodel_contract.version import Recipe

from ...runtime.cpu_limits import available_cpus
from ...storage import write_atomic
from ..data.splits import LEAST_NEW, Fold, expanding, shares, window_start
from ..data.training_rows import RunRows, TrainingRows
from ..evaluate.evaluation import EvaluationDataset, score
from ..evaluate.losses import Floats
from ..evaluate.selection import result_file, trial_result
from ..fitting import fit, predict
from ..parameter_search import sample_candidate
from ..pipeline import build
from ..run_context import RunContext
from ..run_inputs import RunInputs

_log = logging.getLogger(__name__)

_STRETCHES = 3
"""Of the holdout, each of which is predicted by a fit on the others."""

_MOST_AHEAD = 2
"""A holdout of at most so many times the rows of a changed world that come before it is predicted by one fit on these."""

FITTING_FAILED = (ValueError, TypeError, ArithmeticError, np.linalg.LinAlgError, AttributeError)
"""What scikit-learn raises for parameters or rows that it cannot work with."""


def try_recipe(inputs: RunInputs, index: int) -> TrialResult:
    """Do trial ``index``.

    Raises:
        StorageError: the run's folder cannot be read or written.

    """
    context = inputs.context
    competition = context.competition
    recipe = _drawn(context, index) if competition is None else _chosen(context, competition, index)
    if recipe is None:
        result = _nothing_left(context, index)
    elif competition is None:
        result = _on_folds(inputs, index, recipe)
    elif _is_left_out(inputs, competition, index, recipe):
        result = _left_out(index, recipe)
    else:
        result = _on_holdout(inputs, index, recipe)
    write_atomic(context.folder, result_file(index), result.model_dump_json(by_alias=True).encode())
    return result


def fit_recipe(context: RunContext, recipe: Recipe, part: TrainingRows, rows: RunRows) -> object:
    """Fit a recipe on those of the given rows, which begin where the run's rows begin, that are in its window; return the pipeline.

    Raises:
        one of ``FITTING_FAILED``: the estimator cannot work with the parameters or rows.

    """
    candidate = candidate_of(context.training.tried, recipe)
    parameters = {name: json.loads(value) for name, value in recipe.parameters.items()}
    pipeline = build(candidate.estimator, parameters, rows.schema.features, context.document.run, available_cpus())
    fit(pipeline, part.slice(window_start(recipe.window, len(part), rows.rows_before(recipe.since)), len(part)), rows)
    return pipeline


@dataclass(frozen=True)
class HoldoutPredictions:
    """Predictions of the holdout (rows x classes, or rows x 1), the fit that they are by where it is one alone, and how many it took."""

    values: Floats
    pipeline: object | None
    fits: int


def predict_holdout(context: RunContext, recipe: Recipe, rows: RunRows) -> HoldoutPredictions:
    """Predict the holdout by fits of a recipe that have not seen what they predict.

    A world that changed lately has most of its rows in the holdout: there each stretch is predicted by a fit on the others.

    Raises:
        one of ``FITTING_FAILED``: the estimator cannot work with the parameters or rows.

    """
    changed = rows.rows_before(recipe.since)
    if changed is None or _MOST_AHEAD * (len(rows.train) - changed) >= len(rows.holdout):
        pipeline = fit_recipe(context, recipe, rows.train, rows)
        return HoldoutPredictions(predict(pipeline, rows.holdout, rows), pipeline, 1)
    start, world = len(rows.train) - changed, rows.whole.slice(changed, len(rows.train) + len(rows.holdout))
    if start < 0 or len(world) < LEAST_NEW:
        raise ValueError(f"{len(world)} rows since {recipe.since} are too few to learn from alone: it is tried again with more")
    ever = recipe.replace(window=Window.ALL, since=None)
    stretches = [Fold(start + part.start, start + part.stop) for part in shares(len(world) - start, _STRETCHES)]
    found = [
        predict(fit_recipe(context, ever, world.without(part.start, part.stop), rows), world.slice(part.start, part.stop), rows)
        for part in stretches
    ]
    return HoldoutPredictions(np.concatenate(found), None, len(stretches))


def candidate_of(candidates: Sequence[Candidate], recipe: Recipe) -> Candidate:
    """Return the candidate that a recipe is of, which must be there."""
    return next(candidate for candidate in candidates if candidate.name == recipe.candidate)


def predictions_file(index: int) -> str:
    """Return the name of a trial's predictions of the holdout, in the run's folder."""
    return f"trials/{index}.npy"


def _drawn(context: RunContext, index: int) -> Recipe | None:
    sampled = sample_candidate(context.training.tried, context.document.run, index)
    if sampled is None:
        return None
    return Recipe(candidate=sampled.candidate.name, parameters={name: json.dumps(value) for name, value in sampled.parameters.items()})


def _chosen(context: RunContext, competition: Competition, index: int) -> Recipe | None:
    """Return the recipe of a trial: those that are tried come first, then newly drawn ones, on the leading recipe's window."""
    if index < len(competition.tried):
        return competition.records[competition.tried[index]].recipe
    drawn = _drawn(context, len(context.training.tried) + index - len(competition.tried))
    leader = competition.leader
    return drawn.replace(window=leader.window, since=leader.since) if drawn and leader else drawn


def _is_left_out(inputs: RunInputs, competition: Competition, index: int, recipe: Recipe) -> bool:
    """Return whether a recipe for the rows since a change has no turn, as the leading candidate's one was no better than the champion.

    That one comes first. Most losses that rise are no new world, and then the fits of the other candidates would tell nothing. Where trials
    run at once it may have no result yet.
    """
    first = _first_since_change(competition)
    if first is None or first >= index or recipe.since != competition.change:
        return False
    result, champion, metric = trial_result(inputs.context, first), inputs.champion, inputs.context.select_by
    if result is None or result.score is None or not isinstance(champion, EvaluationDataset):
        return False
    return as_loss(metric, result.score) >= as_loss(metric, score(champion, metric))


def _first_since_change(competition: Competition) -> int | None:
    """Return the trial of the first recipe on the rows since the change; None where one has been compared before, or leads."""
    records = [competition.records[position] for position in competition.tried]
    since_change = [index for index, record in enumerate(records) if record.recipe.since == competition.change]
    if competition.change is None or not since_change or any(records[index].rows for index in since_change):
        return None
    leads = competition.leader is not None and competition.leader.since == competition.change
    return None if leads else since_change[0]


def _on_folds(inputs: RunInputs, index: int, recipe: Recipe) -> TrialResult:
    context, rows = inputs.context, inputs.training_rows
    metric, title = context.select_by, f"trial {index + 1}/{context.training.trials} {recipe}"
    fold_scores: list[float] = []
    try:
        folds = list(expanding(len(rows.train), context.training.validation.folds))
        _log.info("%s: %d rows in %d folds", title, len(rows.train), len(folds))
        for number, fold in enumerate(folds, 1):
            pipeline = fit_recipe(context, recipe, rows.train.slice(0, fold.start), rows)
            part = rows.train.slice(fold.start, fold.stop)
            fold_scores.append(score(EvaluationDataset(rows.schema.task, predict(pipeline, part, rows), part.target), metric))
            _log.info("%s: fold %d/%d %s %.4f", title, number, len(folds), metric, fold_scores[-1])
    except FITTING_FAILED as error:
        return _failed(index, recipe, error)
    if not np.isfinite(fold_scores).any():
        return _failed(index, recipe, ValueError(_undefined(metric)))
    mean, deviation = float(np.nanmean(fold_scores)), float(np.nanstd(fold_scores))
    return _result(index, recipe).replace(score=mean, deviation=deviation, fits=len(folds))


def _on_holdout(inputs: RunInputs, index: int, recipe: Recipe) -> TrialResult:
    context, rows = inputs.context, inputs.rows
    try:
        found = predict_holdout(context, recipe, rows)
    except FITTING_FAILED as error:
        return _failed(index, recipe, error)
    value = score(EvaluationDataset(rows.schema.task, found.values, rows.holdout.target), context.select_by)
    write_atomic(context.folder, predictions_file(index), _npy(found.values))
    _log.info("trial %d %s: %s %.4f on %d rows", index + 1, recipe, context.select_by, value, len(rows.holdout))
    return _result(index, recipe).replace(score=value if np.isfinite(value) else None, fits=found.fits)


def _result(index: int, recipe: Recipe) -> TrialResult:
    return TrialResult(index=index, candidate=recipe.candidate, parameters=recipe.parameters, window=recipe.window, since=recipe.since)


def _npy(values: Floats) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=False)
    return buffer.getvalue()


def _failed(index: int, recipe: Recipe, error: Exception) -> TrialResult:
    reason = f"candidate '{recipe.candidate}': {' '.join(str(error).split())}"[:400]
    _log.warning("trial %d failed: %s", index + 1, reason)
    return _result(index, recipe).replace(failure=reason)


def _left_out(index: int, recipe: Recipe) -> TrialResult:
    reason = f"{recipe} is left out: on the same rows the leading candidate is no better than the live version"
    _log.info("trial %d: %s", index + 1, reason)
    return _result(index, recipe).replace(failure=reason[:400])


def _nothing_left(context: RunContext, index: int) -> TrialResult:
    candidates = context.training.tried
    message = f"nothing left to try: training.candidates have no search; lower training.trials to {len(candidates)} or add one"
    return TrialResult(index=index, candidate=candidates[index % len(candidates)].name, failure=message)


def _undefined(metric: Metric) -> str:
    return f"{metric} is not defined on any fold: each has rows of one class; use log_loss or accuracy, or add rows"
