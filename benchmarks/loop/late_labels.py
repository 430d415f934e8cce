"""How often a calibrated model on which nothing changed is called harmful, where labels are late by class: positives after a day, say.

Rows and labels go through the sidecar's counts and the operator's verdicts in simulated time; the pod is replaced every week. Not here:
training on such labels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from mlmodel_contract.bundle import BundleSchema, Profile, SchemaColumn
from mlmodel_contract.manifest import ColumnType, Criterion
from mlmodel_contract.quality_metrics import Metric, Task
from mlmodel_contract.report import MonitorReportSpec
from mlmodel_contract.status import DriftStatus
from mlmodel_detection import Evidence, MonitoringSettings, evaluate
from model_server.link.labels import LabelledPrediction
from model_server.link.row_packets import Batch
from model_server.monitor.batch_merging import merge_batches
from model_server.monitor.label_delay import LabelDelay
from model_server.monitor.pod_counts import PodCounts, Subject
from model_server.monitor.spool import Spool
from model_server.prediction_id.ids import Signer
from model_server.train.data.training_rows import TrainingRows
from model_server.train.evaluate.evaluation import EvaluationDataset, loss_reference
from model_server.train.profile import profile
from numpy.typing import NDArray

from benchmarks.drift.parallel import each
from benchmarks.table import Row, at_most

LEVEL = 0.01
_VERSION = "late-v1"
_START = datetime(2024, 1, 1, tzinfo=UTC)
_STEP = timedelta(hours=6)
_ROWS = 60  # of a step, on average; by day twice as many as by night
_REFERENCE = 4_000
_CRITERIA = (Criterion(metric=Metric.LOG_LOSS, max=0.6), Criterion(metric=Metric.BRIER_SCORE, max=0.2))
_SIGNER = Signer(b"the key of a simulated model ...", _VERSION)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LateLabels:
    """A stream: its seed, the days after which positives and negatives are known and all labels are complete, and its length in weeks."""

    seed: int
    positives: float = 1.0
    negatives: float = 7.0
    maturity: float = 7.0
    weeks: int = 6


@dataclass(frozen=True)
class Verdicts:
    """What was said of harm after each step: of mature labels, and of labels judged as they come."""

    mature: Sequence[DriftStatus]
    as_they_come: Sequence[DriftStatus]


def false_harm(number: int) -> list[Row]:
    """Measure so many streams."""
    found = each(_alarms, [LateLabels(seed) for seed in range(number)], "labels late by class")
    mature, as_they_come = (100 * sum(alarms) / number for alarms in zip(*found, strict=True))
    what = f"% of {number} streams"
    return [at_most("false harm, labels late by class", mature, 100 * LEVEL, what, f"labels judged as they come: {as_they_come:.3g}%")]


def _alarms(stream: LateLabels) -> tuple[bool, bool]:
    found = verdicts(stream)
    mature, as_they_come = (any(one.harm == "Confirmed" for one in statuses) for statuses in (found.mature, found.as_they_come))
    return mature, as_they_come


def verdicts(stream: LateLabels) -> Verdicts:
    """Return what is said of a stream after each step."""
    random = np.random.default_rng(stream.seed)
    schema, known = _reference(random)
    maturity = timedelta(days=stream.maturity)
    seconds = maturity.total_seconds()
    subject = Subject("late", _VERSION, schema, known, seconds, LabelDelay(seconds))
    judged, at_once = _Operator(maturity), _Operator(maturity)
    pending: list[tuple[float, LabelledPrediction]] = []
    with TemporaryDirectory() as folder:
        for week in range(stream.weeks):
            pod = _Pod(f"pod-{week}", subject, Path(folder))
            for step in range(timedelta(weeks=1) // _STEP):
                now = _START + timedelta(weeks=week) + (step + 1) * _STEP
                pending += pod.serve(random, now - _STEP, stream)
                pod.label([label for time, label in pending if time <= now.timestamp()], now)
                pending = [(time, label) for time, label in pending if time > now.timestamp()]
                report = pod.counts.report(now.timestamp())
                judged.evaluate(pod.name, report, now)
                at_once.evaluate(pod.name, report.replace(recent=None), now)
            for operator in (judged, at_once):
                operator.evidence = operator.evidence.depart({pod.name: report}).forget({pod.name})
            pod.spool.close()
    return Verdicts(judged.statuses, at_once.statuses)


def _reference(random: np.random.Generator) -> tuple[BundleSchema, Profile]:
    """Return the bundle of a calibrated model: the odds of a fifth of the rows rise with the one feature."""
    columns = [SchemaColumn(name="x", type=ColumnType.NUMBER)]
    schema = BundleSchema(task=Task.CLASSIFICATION, features=columns, target="late", target_type=ColumnType.BOOLEAN, classes=[False, True])
    x, predictions, truths = _draw(random, _REFERENCE)
    loss = loss_reference(EvaluationDataset(schema.task, predictions, truths.astype(np.float64)))
    return schema, profile(schema, TrainingRows({"x": x}, truths.astype(np.float64)), predictions, loss)


def _draw(random: np.random.Generator, rows: int) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    x = random.standard_normal(rows)
    positive = 1 / (1 + np.exp(1.6 - x))
    return x, np.column_stack([1 - positive, positive]), random.random(rows) < positive


class _Pod:
    """A pod of the model: its sidecar's counts, and the rows that it predicts."""

    def __init__(self, name: str, subject: Subject, folder: Path) -> None:
        self.name = name
        self.spool = Spool(folder / name)
        self.counts = PodCounts(subject, self.spool)
        self._served = 0

    def serve(self, random: np.random.Generator, start: datetime, stream: LateLabels) -> list[tuple[float, LabelledPrediction]]:
        """Predict a step's rows, all at its start; return each row's label and when it comes."""
        rows = int(random.poisson(_ROWS * (4 / 3 if 6 <= start.hour < 18 else 2 / 3)))
        x, predictions, truths = _draw(random, rows)
        seconds = start.timestamp()
        ids = _SIGNER.sign(round(seconds * 1000), predictions)
        self._served += rows
        batch = Batch("server", self._served, seconds, ids, ["x"], x[:, None], {}, predictions, None)
        for part in merge_batches([batch]):
            self.counts.add_rows(part)
        delays = np.where(truths, stream.positives, stream.negatives) * timedelta(days=1).total_seconds()
        return [
            (
                seconds + delay,
                LabelledPrediction(
                    id=identity, version=_VERSION, milliseconds=round(seconds * 1000), values=[value], groups=[], truth=bool(truth)
                ),
            )
            for identity, value, truth, delay in zip(ids, predictions[:, 1].tolist(), truths, delays.tolist(), strict=True)
        ]

    def label(self, labels: Sequence[LabelledPrediction], now: datetime) -> None:
        """Take labels."""
        if labels:
            self.counts.add_labels(labels, now.timestamp())


class _Operator:
    """Keeps the evidence from report to report."""

    def __init__(self, maturity: timedelta) -> None:
        self.evidence = Evidence()
        self.statuses: list[DriftStatus] = []
        self._settings = MonitoringSettings(_VERSION, _CRITERIA, false_alarm_probability=LEVEL, maturity=maturity)

    def evaluate(self, pod: str, report: MonitorReportSpec, now: datetime) -> None:
        verdict = evaluate(self.evidence, {pod: report}, self._settings, now)
        self.evidence = verdict.evidence
        self.statuses.append(verdict.drift)
