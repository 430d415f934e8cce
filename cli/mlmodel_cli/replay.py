"""Past rows through the very code that watches live ones: the trainer's profile, the sidecar's counts, the operator's verdicts.

Not here: reading files (``tables.py``), and showing what was found (``drift.py``).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
from mlmodel_contract import VERSION
from mlmodel_contract.base import format_time, parse_time
from mlmodel_contract.bundle import BundleSchema, Profile
from mlmodel_contract.manifest import Trigger
from mlmodel_contract.quality_metrics import Task
from mlmodel_contract.report import LabelCounts, LossReference, MonitorReportSpec, RowCounts
from mlmodel_contract.status import DriftStatus, FeedStatus
from mlmodel_detection import Evidence, Settings, evaluate
from mlmodel_operator.decide.run_start import request_by_monitoring
from model_server.monitor.counting import RowCounter
from model_server.monitor.scoring import Scorer
from model_server.train.data.training_rows import TrainingRows
from model_server.train.evaluate.evaluation import Judged, loss_reference
from model_server.train.profile import profile

from .tables import Past

_NAME = "replay"
_POD = "replay-pod"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)  # verdicts are told a time at which a row has a second, so that theirs are row numbers
_TRIGGERS = (Trigger.DRIFT, Trigger.PERFORMANCE)
_NO_LOSS = LossReference(rows=0, mean=0.0, variance=0.0)


@dataclass(frozen=True)
class Options:
    """How rows are watched: rows of a look, the promised false-alarm probability, the tolerance, whether a run renews the reference."""

    bucket: int
    false_alarm_probability: float
    tolerance: float
    restart: bool


@dataclass(frozen=True)
class Look:
    """What is known after ``row`` live rows; ``run`` says that the operator would start one now, with its reason."""

    row: int
    time: str
    drift: DriftStatus
    feed: FeedStatus
    run: str | None


def replay(schema: BundleSchema, reference: Past, live: Past, options: Options) -> Iterator[Look]:
    """Watch the live rows in their order; yields a look for each bucket."""
    watched = _Watched(schema, reference)
    evidence, ran = Evidence(), False
    settings = Settings(_NAME, false_alarm_probability=options.false_alarm_probability, tolerance=options.tolerance)
    for start in range(0, len(live), options.bucket):
        part = _slice(live, start, min(start + options.bucket, len(live)))
        report = watched.report(part)
        judgement = evaluate(evidence, {_POD: report}, settings, _EPOCH + timedelta(seconds=start))
        evidence = judgement.evidence
        end = start + len(part)
        start_of_run = None if ran else request_by_monitoring(_TRIGGERS, judgement.drift, judgement.feed)
        yield Look(end, part.times[-1], judgement.drift, judgement.feed, start_of_run.reason if start_of_run else None)
        ran = ran or start_of_run is not None
        if start_of_run and options.restart:
            watched = _Watched(schema, _slice(live, max(0, end - len(reference)), end))
            evidence, ran = Evidence(), False


def row_of(since: str | None) -> int | None:
    """Return the number of live rows before a verdict's ``since``."""
    return int((parse_time(since) - _EPOCH).total_seconds()) if since else None


class _Watched:
    """One version: its profile, and the cumulative report of its one pod."""

    def __init__(self, schema: BundleSchema, reference: Past) -> None:
        self._schema = schema
        self.profile = _profile(schema, reference)
        self._counter = RowCounter(self.profile, schema)
        self._scorer = Scorer(schema, self.profile.loss)
        self._labels = self._scorer.blank()
        self._rows = self._sequence = 0

    def report(self, part: Past) -> MonitorReportSpec:
        """Count more rows, and return the report of all so far."""
        self._sequence += 1
        self._rows += len(part)
        self._counter.update(part.values, _predictions(part))
        self._labels = self._scored(part)
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

    def _scored(self, part: Past) -> LabelCounts:
        counts = self._labels
        if part.truths is not None and part.predictions is not None and self.profile.loss.rows:
            for value, truth in zip(part.predictions.tolist(), part.truths, strict=True):
                if truth is not None and math.isfinite(value):
                    counts = self._scorer.add(counts, [value], truth) or counts
        return counts


def _profile(schema: BundleSchema, reference: Past) -> Profile:
    loss = _NO_LOSS
    if reference.predictions is not None and reference.truths is not None:
        truths = np.array(reference.truths, np.float64)  # None becomes NaN
        known = np.isfinite(truths) & np.isfinite(reference.predictions)
        predictions = reference.predictions[known, None]
        if schema.task is Task.CLASSIFICATION:
            predictions = np.column_stack([1 - predictions, predictions])
        if known.any():
            loss = loss_reference(Judged(schema.task, predictions, truths[known]))
    return profile(schema, TrainingRows(reference.values, np.zeros(len(reference))), _predictions(reference), loss)


def _predictions(part: Past) -> "np.ndarray[tuple[int, int], np.dtype[np.float64]]":
    """Return rows x 1; without predictions a constant, of which nothing can be said."""
    return (np.zeros(len(part)) if part.predictions is None else part.predictions).reshape(-1, 1)


def _slice(rows: Past, start: int, end: int) -> Past:
    return replace(
        rows,
        values={name: values[start:end] for name, values in rows.values.items()},
        times=rows.times[start:end],
        predictions=None if rows.predictions is None else rows.predictions[start:end],
        truths=None if rows.truths is None else rows.truths[start:end],
    )
