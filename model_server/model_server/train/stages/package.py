"""The third stage: fit the winner on all training rows, evaluate it once on the holdout, and write the bundle.

Not here: the decision whether it may serve, which the operator takes from these metrics.
"""

import json
import logging
from dataclasses import dataclass
from typing import Any

from mlmodel_contract.bundle import GoldenRows
from mlmodel_contract.manifest import Candidate
from mlmodel_contract.run import PackageResult, Problem, TrialResult
from mlmodel_contract.version import Artifact, Comparison, Metrics

from ...bundle.engine import SklearnPredictor
from ...bundle.libraries import installed
from ...bundle.write import BundleContents, pipeline_bytes, write_bundle
from ...runtime.cpu_limits import available_cpus
from ...storage import locate
from ..data.training_rows import RunRows, read_rows
from ..evaluate.champion import compare_with_champion
from ..evaluate.evaluation import EvaluationDataset, loss_reference, metrics
from ..evaluate.selection import all_failed, trial_results, winner
from ..evaluate.slices import slice_metrics
from ..fitting import fit
from ..golden_row_selection import golden_rows
from ..onnx import verified_onnx
from ..pipeline import build, for_serving
from ..profile import PredictionOrigin, profile
from ..run_context import RunContext

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Winner:
    """The trial that won, its candidate, and its pipeline fitted on all training rows."""

    trial: TrialResult
    candidate: Candidate
    pipeline: Any


def package(context: RunContext) -> PackageResult:
    """Make the run's version.

    Raises:
        StorageError: the run's folder cannot be read, or the bundle's not be written.

    """
    results = trial_results(context)
    best = winner(results, context.select_by)
    if best is None:
        return PackageResult(problems=[all_failed(results)])
    rows = read_rows(context, holdout=True)
    won = _refit(context, best, rows)
    predictor = SklearnPredictor(won.pipeline, rows.schema.features)
    dataset = EvaluationDataset(rows.schema.task, predictor.predict(rows.holdout.columns, len(rows.holdout)), rows.holdout.target)
    comparison = compare_with_champion(context, rows, dataset.predictions)
    if isinstance(comparison, Problem):
        return PackageResult(problems=[comparison])
    found = metrics(dataset)
    golden = golden_rows(rows.schema, rows.holdout, predictor)
    onnx = verified_onnx(won.pipeline, rows, predictor, golden)
    contents = _contents(context, won, rows, _Evaluation(dataset, found, golden, onnx))
    digest = write_bundle(locate(context.document.bundle_folder, context.document.store_credentials), contents)
    _log.info("packaged %s (%s, %s): %s", contents.version, won.candidate.name, contents.engine, found.wire())
    artifact = Artifact(uri=context.document.bundle_folder, digest=digest)
    return _result(won, contents, comparison).replace(artifact=artifact, slices=slice_metrics(context.objective, rows, dataset))


@dataclass(frozen=True)
class _Evaluation:
    """The winner on the holdout; ``onnx`` where its predictions agreed."""

    dataset: EvaluationDataset
    metrics: Metrics
    golden: GoldenRows
    onnx: bytes | None


def _refit(context: RunContext, best: TrialResult, rows: RunRows) -> _Winner:
    candidate = next(candidate for candidate in context.training.tried if candidate.name == best.candidate)
    parameters = {name: json.loads(value) for name, value in best.parameters.items()}
    _log.info(
        "trial %d (%s) won with %s %.4f; fitting it on %d rows",
        best.index + 1,
        candidate.name,
        context.select_by,
        best.score,
        len(rows.train),
    )
    pipeline = build(candidate.estimator, parameters, rows.schema.features, context.document.run, available_cpus())
    fit(pipeline, rows.train, rows)
    return _Winner(best, candidate, for_serving(pipeline))


def _contents(context: RunContext, won: _Winner, rows: RunRows, evaluation: _Evaluation) -> BundleContents:
    origin = PredictionOrigin(rows.holdout.times)
    reference = profile(rows.schema, rows.train, evaluation.dataset.predictions, loss_reference(evaluation.dataset), origin)
    return BundleContents(
        version=context.document.version,
        estimator=won.candidate.estimator,
        schema=rows.schema,
        profile=reference,
        golden=evaluation.golden,
        metrics=evaluation.metrics,
        model=pipeline_bytes(won.pipeline),
        onnx=evaluation.onnx,
    )


def _result(won: _Winner, contents: BundleContents, comparison: Comparison | None) -> PackageResult:
    return PackageResult(
        candidate=won.candidate.name,
        estimator=won.candidate.estimator.value,
        parameters=won.trial.parameters,
        libraries=installed(),
        engine=contents.engine,
        metrics=contents.metrics,
        comparison=comparison,
    )
