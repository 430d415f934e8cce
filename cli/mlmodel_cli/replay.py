"""Past rows through the same code that monitors live ones: the trainer's profile, the sidecar's counts, the operator's verdicts.

Not here: reading files (``tables.py``), and printing what was found (``replay_summary.py``).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import cast

import numpy as np
from mlmodel_contract import VERSION
from mlmodel_contract.base import format_time, parse_time
from mlmodel_contract.bundle import BundleSchema, Profile
from mlmodel_contract.manifest import Trigger
from mlmodel_contract.quality_metrics import Task
from mlmodel_contract.report import LabelCounts, LossReference, MonitorReportSpec, RowCounts
from mlmodel_contract.status import DriftStatus, FeedStatus
from mlmodel_detection import Evidence, MonitoringSettings, evaluate
from mlmodel_operator.decide.run_start import request_by_monitoring
from model_server.monitor.counting import RowCounter
from model_server.monitor.scoring import Scorer
from model_server.train.data.training_rows import UNKNOWN_CLASS, Floats, TrainingRows
from model_server.train.evaluate.evaluation import EvaluationDataset, loss_reference
from model_server.train.profile import PredictionOrigin, profile

from .tables import PastRows

_NAME = "replay"
_POD = "replay-pod"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)  # evaluated at one second a row, so that the verdicts' times are row numbers
_TRIGGERS = (Trigger.DRIFT, Trigger.PERFORMANCE)
_NO_LOSS = LossReference(rows=0, mean=0.0, variance=0.0)


@dataclass(frozen=True)
class Options:
    """How rows are monitored: rows between evaluations, the false-alarm probability, the tolerance, whether a run renews the reference.

    ``out_of_fold`` says that the reference's predictions are by other fits than the live ones.
    """

    bucket: int
    false_alarm_probability: float
    tolerance: float
    restart: bool
    out_of_fold: bool = False


@dataclass(frozen=True)
class Evaluation:
    """What is known after ``row`` live rows; ``run`` says that the operator would start one now, with its reason."""

    row: int
    time: str
    drift: DriftStatus
    feed: FeedStatus
    run: str | None


def replay(schema: BundleSchema, reference: PastRows, live: PastRows, options: Options) -> Iterator[Evaluation]:
    """Monitor the live rows in their order; yield an evaluation for each bucket."""
    pod = _SimulatedPod(schema, reference, out_of_fold=options.out_of_fold)
    evidence, run_started = Evidence(), False
    settings = MonitoringSettings(_NAME, false_alarm_probability=options.false_alarm_probability, tolerance=options.tolerance)
    for start in range(0, len(live), options.bucket):
        part = _slice(live, start, min(start + options.bucket, len(live)))
        report = pod.report(part)
        verdict = evaluate(evidence, {_POD: report}, settings, _EPOCH + timedelta(seconds=start))
        evidence = verdict.evidence
        end = start + len(part)
        request = None if run_started else request_by_monitoring(_TRIGGERS, verdict.drift, verdict.feed)
        yield Evaluation(end, part.times[-1], verdict.drift, verdict.feed, request.reason if request else None)
        run_started = run_started or request is not None
        if request and options.restart:
            pod = _SimulatedPod(schema, _slice(live, max(0, end - len(reference)), end))
            evidence, run_started = Evidence(), False


def row_of(since: str | None) -> int | None:
    """Return the number of live rows before a verdict's ``since``."""
    return int((parse_time(since) - _EPOCH).total_seconds()) if since else None


class _SimulatedPod:
    """The one pod of one version: its profile, and its cumulative report."""

    def __init__(self, schema: BundleSchema, reference: PastRows, *, out_of_fold: bool = False) -> None:
        self._schema = schema
        self.profile = _profile(schema, reference, out_of_fold=out_of_fold)
        self._counter = RowCounter(self.profile, schema)
        self._scorer = Scorer(schema, self.profile.loss)
        self._labels = self._scorer.zero_counts()
        self._rows = self._sequence = 0

    def report(self, part: PastRows) -> MonitorReportSpec:
        """Count more rows, and return the report of all so far."""
        self._sequence += 1
        self._rows += len(part)
        self._counter.update(part.values, _predictions(part), part.seconds)
        self._labels = self._score(part)
        return MonitorReportSpec(
            contract=VERSION,
            model=_NAME,
            version=_NAME,
            sequence=self._sequence,
            time=format_time(_EPOCH),
            rows=RowCounts(served=self._rows, counted=self._rows, due=self._rows),
            features=self._counter.features(),
            correlations=self.profile.correlations,
            products=self._counter.products,
            labels=self._labels,
            loss_reference=self.profile.loss,
        )

    def _score(self, part: PastRows) -> LabelCounts:
        counts = self._labels
        if part.truths is not None and part.predictions is not None and self.profile.loss.rows:
            for values, truth in zip(part.predictions.tolist(), part.truths, strict=True):
                if truth is not None and all(map(math.isfinite, values)):
                    counts = self._scorer.add(counts, values, truth) or counts
        return counts


def _profile(schema: BundleSchema, reference: PastRows, *, out_of_fold: bool) -> Profile:
    rows = TrainingRows(reference.values, np.zeros(len(reference)), reference.seconds)
    origin = PredictionOrigin(reference.seconds, by_other_fits=out_of_fold)
    return profile(schema, rows, _predictions(reference), _loss(schema, reference), origin)


def _loss(schema: BundleSchema, reference: PastRows) -> LossReference:
    if reference.predictions is None or reference.truths is None:
        return _NO_LOSS
    predictions, targets = reference.predictions, _targets(schema, reference.truths)
    known = np.isfinite(targets) & np.isfinite(predictions).all(axis=1)
    if not known.any():
        return _NO_LOSS
    if schema.task is Task.CLASSIFICATION and predictions.shape[1] == 1:
        predictions = np.column_stack([1 - predictions, predictions])
    return loss_reference(EvaluationDataset(schema.task, predictions[known], targets[known]))


def _targets(schema: BundleSchema, truths: Sequence[bool | float | str | None]) -> Floats:
    """Return true numbers, or the indices of true classes, NaN where not known."""
    if schema.task is Task.REGRESSION:
        return np.array(truths, np.float64)
    codes = {label: index for index, label in enumerate(schema.classes)}
    return np.array([np.nan if truth is None else codes.get(cast("str | bool", truth), UNKNOWN_CLASS) for truth in truths])


def _predictions(part: PastRows) -> Floats:
    """Return rows x classes, or rows x 1; a constant where there are no predictions."""
    return np.zeros((len(part), 1)) if part.predictions is None else part.predictions


def _slice(rows: PastRows, start: int, end: int) -> PastRows:
    return replace(
        rows,
        values={name: values[start:end] for name, values in rows.values.items()},
        times=rows.times[start:end],
        seconds=None if rows.seconds is None else rows.seconds[start:end],
        predictions=None if rows.predictions is None else rows.predictions[start:end],
        truths=None if rows.truths is None else rows.truths[start:end],
    )
