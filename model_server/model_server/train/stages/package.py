"""The third stage: fit the winner on all rows to learn from, judge it once on the holdout, and write the bundle.

Not here: the decision whether it may serve, which the operator takes from these figures.
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
from ..profile import profile
from ..run_context import RunContext

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Winner:
    """The trial that won, its candidate, and its pipeline fitted on all rows to learn from."""

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
    truth = SklearnPredictor(won.pipeline, rows.schema.features)
    judged = EvaluationDataset(rows.schema.task, truth.predict(rows.holdout.columns, len(rows.holdout)), rows.holdout.target)
    comparison = compare_with_champion(context, rows, judged.predictions)
    if isinstance(comparison, Problem):
        return PackageResult(problems=[comparison])
    found = metrics(judged)
    golden = golden_rows(rows.schema, rows.holdout, truth)
    onnx = verified_onnx(won.pipeline, rows, truth, golden)
    parts = _parts(context, won, rows, _Figures(judged, found, golden, onnx))
    digest = write_bundle(locate(context.document.bundle_folder, context.document.store_credentials), parts)
    _log.info("packaged %s (%s, %s): %s", parts.version, won.candidate.name, parts.engine, found.wire())
    return _result(won, parts, comparison).model_copy(
        update={
            "artifact": Artifact(uri=context.document.bundle_folder, digest=digest),
            "slices": slice_metrics(context.objective, rows, judged),
        }
    )


@dataclass(frozen=True)
class _Figures:
    """What was found of the winner on the holdout; ``onnx`` where it agreed."""

    judged: EvaluationDataset
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


def _parts(context: RunContext, won: _Winner, rows: RunRows, figures: _Figures) -> BundleContents:
    reference = profile(rows.schema, rows.train, figures.judged.predictions, loss_reference(figures.judged))
    return BundleContents(
        version=context.document.version,
        estimator=won.candidate.estimator,
        schema=rows.schema,
        profile=reference,
        golden=figures.golden,
        metrics=figures.metrics,
        model=pipeline_bytes(won.pipeline),
        onnx=figures.onnx,
    )


def _result(won: _Winner, parts: BundleContents, comparison: Comparison | None) -> PackageResult:
    return PackageResult(
        candidate=won.candidate.name,
        estimator=won.candidate.estimator.value,
        parameters=won.trial.parameters,
        libraries=installed(),
        engine=parts.engine,
        metrics=parts.metrics,
        comparison=comparison,
    )
