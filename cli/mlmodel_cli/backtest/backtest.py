"""Plays a manifest over a table of past rows: the whole backtest as a function.

Not here: the command (``command.py``).
"""

import math
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from mlmodel_contract.manifest import MLModelSpec, Objective, Value
from mlmodel_contract.quality_metrics import Metric, Task
from mlmodel_operator.cluster.ownership import Key

from .judging import Judgement, checked_value
from .replayed_stream import OnLive, OnProgress, Replay, replay_stream
from .result import BacktestResult, ScheduleResult, fits_of, period_of
from .schedule_fits import pending_schedules
from .settings import BacktestSettings
from .stream import Stream, stream_of

_LOSSES = {Task.CLASSIFICATION: "log loss", Task.REGRESSION: "squared error"}
_NAMESPACE = "backtest"


def run_backtest(
    spec: MLModelSpec,
    table: Any,
    settings: BacktestSettings,
    name: str = "model",
    on_progress: OnProgress = lambda _share, _doing: None,
    on_live: OnLive = lambda _went_live, _pod: None,
) -> BacktestResult:
    """Play a manifest's spec over past rows.

    Args:
        spec: the manifest's spec; its sources are replaced by the rows.
        table: arrow table with the declared columns, and that of the labels' times if there is one; in any order.
        settings: how it is played.
        name: of the MLModel.
        on_progress: called now and then with the share that is done, and what happens.
        on_live: called when another version has the traffic, with its pod.

    Raises:
        BacktestError: manifest, rows and settings do not fit together.

    """
    stream = stream_of(table, spec, settings)
    value = checked_value(spec.objective.value, stream)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mlmodel-backtest-")))
        candidates = [] if settings.schedules == "none" or spec.training is None else spec.training.tried
        early = stack.enter_context(pending_schedules(stream, candidates, value, settings.jobs)) if settings.schedules == "all" else None
        parts = 1 if settings.schedules == "none" else 2

        def on_replayed(share: float, doing: str) -> None:
            on_progress((share + (early.share if early else 0.0)) / parts, doing)

        replay = replay_stream((Key(_NAMESPACE, name), spec), stream, settings, folder, on_replayed, value, on_live)
        leader = [candidate for candidate in candidates if candidate.name == replay.first_candidate]
        schedules = early or (stack.enter_context(pending_schedules(stream, leader, value, settings.jobs)) if leader else None)
        found = schedules.results(lambda share: on_progress((1.0 + share) / 2, "fitting the schedules")) if schedules else ()
    return _result(name, spec, stream, replay, found)


def _result(name: str, spec: MLModelSpec, stream: Stream, replay: Replay, schedules: tuple[ScheduleResult, ...]) -> BacktestResult:
    folds = spec.training.validation.folds if spec.training else 0
    return BacktestResult(
        name=name,
        loss_name=_LOSSES[stream.task],
        index=stream.index[stream.first_live :],
        arrived=stream.arrived[stream.first_live :],
        judgement=replay.judgement,
        period_starts=stream.period_starts(),
        period_of=period_of(stream),
        period=stream.period,
        bound=bound_of(spec.objective),
        currency=spec.objective.value.currency if spec.objective.value else "",
        price=spec.retraining.price_per_cpu_hour,
        went_live=replay.went_live,
        log=replay.log,
        fits=fits_of(replay.work.results, folds),
        cpu_seconds=replay.work.cpu_seconds,
        schedules=schedules,
        notes=(*stream.notes, *_notes(replay), *_unvalued(spec.objective.value, replay.judgement)),
    )


def bound_of(objective: Objective) -> float | None:
    """Return the largest loss that the criteria let pass."""
    bounds = {criterion.metric: criterion.max for criterion in objective.criteria if criterion.max is not None}
    root = bounds.get(Metric.RMSE)
    return bounds.get(Metric.LOG_LOSS) if root is None else root**2


def _unvalued(value: Value | None, judgement: Judgement) -> list[str]:
    if value is None or judgement.amounts is not None:
        return []
    return ["objective.value.outcomes are of two classes, and the target has others: write objective.value.column to be told money"]


def _notes(replay: Replay) -> list[str]:
    notes = []
    if replay.late_labels:
        notes.append(f"{replay.late_labels} labels came after monitoring.labels.maxDelay and were refused: raise it, or bring them sooner")
    if not replay.went_live:
        notes.append("no version ever went live")
    elif math.isnan(float(replay.judgement.losses[0])):
        notes.append("the first rows were served by nobody: the first run's version was not accepted")
    return notes
