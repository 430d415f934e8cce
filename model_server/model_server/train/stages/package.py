"""The third stage: see which recipe leads, fit it on all rows, and write the bundle.

The figures are those of a fit that had not seen the holdout.
Not here: the decision whether it may serve, which the operator takes from these figures.
"""

import io
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from mlmodel_contract.base import format_time
from mlmodel_contract.bundle import GoldenRows
from mlmodel_contract.manifest import Window
from mlmodel_contract.run import PackageResult, Problem, TrialResult
from mlmodel_contract.version import Artifact, Comparison, Metrics, Recipe, RecipeRecord, Worth

from ...bundle.engine import SklearnPredictor
from ...bundle.libraries import installed
from ...bundle.write import BundleContents, pipeline_bytes, write_bundle
from ...storage import locate, read_bytes
from ..data.splits import window_start
from ..data.training_rows import RunRows, TrainingRows
from ..evaluate.baseline import baseline_predictions
from ..evaluate.competition import compare, first_records, lead, with_draw
from ..evaluate.evaluation import EvaluationDataset, loss_reference, metrics, paired_difference
from ..evaluate.selection import all_failed, ranked, trial_results
from ..evaluate.slices import slice_metrics
from ..evaluate.worth import mean_worth
from ..golden_row_selection import golden_rows
from ..onnx import verified_onnx
from ..pipeline import for_serving
from ..profile import PredictionOrigin, profile
from ..run_context import RunContext
from ..run_inputs import RunInputs
from .trial import FITTING_FAILED, candidate_of, fit_recipe, predict_holdout, predictions_file

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Standing:
    """The recipes after this run, the one to serve first, and its predictions of the holdout where a fit has made them already."""

    records: list[RecipeRecord]
    judged: EvaluationDataset | None = None

    @property
    def recipe(self) -> Recipe:
        """The recipe to serve."""
        return self.records[0].recipe


@dataclass(frozen=True)
class _Evaluation:
    """The recipe on the holdout, by a fit that has not seen it."""

    dataset: EvaluationDataset
    metrics: Metrics
    fits: int


@dataclass(frozen=True)
class _Fitted:
    """The pipeline that is to serve, and the rows that it was fitted on."""

    pipeline: Any
    rows: TrainingRows
    window_start: str | None


def package(inputs: RunInputs) -> PackageResult:
    """Make the run's version.

    Raises:
        StorageError: the run's folder cannot be read, or the bundle's not be written.

    """
    context, rows, champion = inputs.context, inputs.rows, inputs.champion
    results = trial_results(context)
    if isinstance(champion, Problem):
        return PackageResult(problems=[champion])
    standing = _standing(context, rows, results, champion)
    if isinstance(standing, Problem):
        return PackageResult(problems=[standing])
    try:
        evaluation, fitted = _fit(context, standing, rows)
    except FITTING_FAILED as error:
        return PackageResult(problems=[Problem(check="FitFailed", message=f"{standing.recipe}: {' '.join(str(error).split())}"[:400])])
    contents = _contents(context, standing.recipe, rows, evaluation, fitted)
    digest = write_bundle(locate(context.document.bundle_folder, context.document.store_credentials), contents)
    _log.info("packaged %s (%s, %s): %s", contents.version, standing.recipe, contents.engine, evaluation.metrics.wire())
    result = _result(context, standing, fitted, rows, evaluation, champion).replace(
        engine=contents.engine, artifact=Artifact(uri=context.document.bundle_folder, digest=digest), fits=evaluation.fits
    )
    return result.replace(slices=slice_metrics(context.objective, rows, evaluation.dataset))


def _standing(
    context: RunContext, rows: RunRows, results: Sequence[TrialResult], champion: EvaluationDataset | None
) -> _Standing | Problem:
    """Return the recipes by what is known now; a problem where a first run has none that can be fitted."""
    competition = context.competition
    if competition is None:
        best = ranked(results, context.select_by)
        if not best:
            return all_failed(results)
        windows = [Window(window) for window in context.training.windows]
        return _Standing(first_records(best, context.select_by, windows, context.document.run))
    datasets = {result.index: _dataset(context, rows, result.index) for result in results if result.score is not None}
    judged = {competition.tried[index]: dataset for index, dataset in datasets.items() if index < len(competition.tried)}
    reference = judged.get(0) or champion
    if reference is None:
        return _Standing(list(competition.records))
    drawn = [result for result in results if result.index >= len(competition.tried) and result.index in datasets]
    records = _compared(context, judged, reference)
    for result in drawn:
        found = paired_difference(context.select_by, datasets[result.index], reference)
        new = RecipeRecord(recipe=result.recipe)
        records = with_draw(records, compare([new], {0: found}, context.document.run)[0])
    leading = lead(records)
    by_recipe = {str(competition.records[index].recipe): dataset for index, dataset in judged.items()}
    by_recipe |= {str(result.recipe): datasets[result.index] for result in drawn}
    fallback = champion if leading[0].recipe == competition.leader and 0 not in judged else None
    return _Standing(leading, by_recipe.get(str(leading[0].recipe), fallback))


def _compared(context: RunContext, judged: Mapping[int, EvaluationDataset], reference: EvaluationDataset) -> list[RecipeRecord]:
    """Return the records with this run's comparisons."""
    competition = context.competition
    assert competition is not None  # noqa: S101 (for mypy; the caller has checked it)
    found = {index: paired_difference(context.select_by, dataset, reference) for index, dataset in judged.items() if index}
    compared = compare(competition.records, found, context.document.run)
    # One that could not be fitted has had its turn too, but for want of rows since a change, of which there will be more.
    tried = {index for index in competition.tried if competition.records[index].recipe.since is None}
    return [record.replace(run=context.document.run) if index in tried else record for index, record in enumerate(compared)]


def _dataset(context: RunContext, rows: RunRows, index: int) -> EvaluationDataset:
    content = read_bytes(context.folder.child(predictions_file(index)))
    return EvaluationDataset(rows.schema.task, np.load(io.BytesIO(content), allow_pickle=False), rows.holdout.target)


def _fit(context: RunContext, standing: _Standing, rows: RunRows) -> tuple[_Evaluation, _Fitted]:
    """Evaluate the recipe by a fit on the training rows, unless a trial has, and fit it on all rows unless ``refit`` is off."""
    recipe, judged, fits, part = standing.recipe, standing.judged, 0, rows.train
    refit, pipeline = context.training.validation.refit, None
    if judged is None or not refit:
        found = predict_holdout(context, recipe, rows)
        judged = EvaluationDataset(rows.schema.task, found.values, rows.holdout.target)
        pipeline, fits = found.pipeline, found.fits
    if refit or pipeline is None:
        part = rows.whole
        pipeline, fits = fit_recipe(context, recipe, part, rows), fits + 1
    start = window_start(recipe.window, len(part), rows.rows_before(recipe.since))
    _log.info("fitted %s on %d rows", recipe, len(part) - start)
    fitted_rows = part.slice(start, len(part))
    fitted = _Fitted(for_serving(pipeline), fitted_rows, _first_time(fitted_rows))
    return _Evaluation(judged, metrics(judged), fits), fitted


def _first_time(rows: TrainingRows) -> str | None:
    if rows.times is None or np.isnan(rows.times[0]):
        return None
    return format_time(datetime.fromtimestamp(float(rows.times[0]), UTC))


def _contents(context: RunContext, recipe: Recipe, rows: RunRows, evaluation: _Evaluation, fitted: _Fitted) -> BundleContents:
    predictor = SklearnPredictor(fitted.pipeline, rows.schema.features)
    golden: GoldenRows = golden_rows(rows.schema, rows.holdout, predictor)
    origin = PredictionOrigin(rows.holdout.times, by_other_fits=context.training.validation.refit)
    reference = loss_reference(evaluation.dataset, context.select_by)
    return BundleContents(
        version=context.document.version,
        estimator=candidate_of(context.training.tried, recipe).estimator,
        schema=rows.schema,
        profile=profile(rows.schema, fitted.rows, evaluation.dataset.predictions, reference, origin),
        golden=golden,
        metrics=evaluation.metrics,
        model=pipeline_bytes(fitted.pipeline),
        onnx=verified_onnx(fitted.pipeline, rows, predictor, golden),
    )


def _result(
    context: RunContext,
    standing: _Standing,
    fitted: _Fitted,
    rows: RunRows,
    evaluation: _Evaluation,
    champion: EvaluationDataset | None,
) -> PackageResult:
    recipe, dataset = standing.recipe, evaluation.dataset
    baseline = EvaluationDataset(rows.schema.task, baseline_predictions(rows), rows.holdout.target)
    beside = paired_difference(context.select_by, dataset, baseline)
    return PackageResult(
        candidate=recipe.candidate,
        estimator=candidate_of(context.training.tried, recipe).estimator.value,
        parameters=recipe.parameters,
        window=recipe.window,
        since=recipe.since,
        window_start=fitted.window_start,
        fitted_rows=len(fitted.rows),
        libraries=installed(),
        metrics=evaluation.metrics,
        comparison=_comparison(context, recipe, dataset, champion),
        baseline=beside.estimate if np.isfinite(beside.mean) else None,
        worth=_worth(context, rows, dataset, champion, baseline),
        records=standing.records,
    )


def _comparison(
    context: RunContext, recipe: Recipe, challenger: EvaluationDataset, champion: EvaluationDataset | None
) -> Comparison | None:
    if champion is None:
        return None
    found = paired_difference(context.select_by, challenger, champion)
    if not np.isfinite(found.mean):
        return None
    competition = context.competition
    return Comparison(
        champion=context.document.champion_version or "the live version",
        metrics=metrics(champion),
        difference=found.estimate,
        same_recipe=competition is not None and recipe == competition.leader,
    )


def _worth(
    context: RunContext, rows: RunRows, dataset: EvaluationDataset, champion: EvaluationDataset | None, baseline: EvaluationDataset
) -> Worth | None:
    value = context.objective.value

    def mean(of: EvaluationDataset) -> float | None:
        return mean_worth(value, of, rows.holdout)

    own, guessed = mean(dataset), mean(baseline)
    if value is None or own is None or guessed is None:
        return None
    return Worth(version=own, champion=mean(champion) if champion else None, baseline=guessed, currency=value.currency)
