"""A stream of rows through the control loop, tick by tick: predicted by what is live, labelled later, and decided upon.

Not here: schedules to compare with, and what is told of it.
"""

import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
from mlmodel_contract.base import duration
from mlmodel_contract.manifest import Captured, MLModelSpec, Source, Value
from mlmodel_contract.quality_metrics import Task
from mlmodel_contract.run import Stage
from mlmodel_contract.status import LoggedDecision
from mlmodel_operator.cluster.ownership import Key
from model_server.link.labels import LabelledPrediction
from model_server.prediction_id.ids import NO_GROUP
from model_server.runtime.paths import ENV_ROOT
from model_server.storage import locate, write_atomic

from .control_loop import ControlLoop
from .judging import Judgement, judge
from .kubelet import TrainerWork
from .result import WentLive
from .server_pod import ServerPod, prediction_id
from .settings import BacktestSettings
from .stream import Stream
from .trainer_pod import environment

_HISTORY = "pvc://backtest-history"
_ROWS = "rows.parquet"

OnProgress = Callable[[float, str], None]
"""Called with the share of the rows that is done, and with what happens now."""

OnLive = Callable[[WentLive, ServerPod], None]
"""Called when another version has the traffic, with its pod."""


@dataclass(frozen=True)
class Replay:
    """What a stream's live rows met: how each was judged (NaN where none served it, or its label is missing), and all that was decided."""

    judgement: Judgement
    went_live: tuple[WentLive, ...]
    log: tuple[LoggedDecision, ...]
    work: TrainerWork
    late_labels: int

    @property
    def first_candidate(self) -> str | None:
        """The candidate that the first version was made of; None where there is none."""
        return next(
            (result["candidate"] for result in self.work.results if result.get("candidate") and result["stage"] == Stage.PACKAGE), None
        )


def replay_stream(
    model: tuple[Key, MLModelSpec],
    stream: Stream,
    settings: BacktestSettings,
    folder: Path,
    on_progress: OnProgress,
    value: Value | None = None,
    on_live: OnLive = lambda _went_live, _pod: None,
) -> Replay:
    """Play the live rows of a stream; ``folder`` takes the store and the pods' files."""
    with environment({ENV_ROOT: str(folder)}):
        write_atomic(locate(_HISTORY), _ROWS, _history(stream))
        key, spec = model
        loop = ControlLoop(key, _with_stream(spec, stream), folder / "pods", settings, datetime.fromtimestamp(stream.start, UTC))
        try:
            return _Replayer(stream, loop, on_progress, value, on_live).play()
        finally:
            loop.close()


class _Replayer:
    """The state of a replay between two ticks."""

    def __init__(self, stream: Stream, loop: ControlLoop, on_progress: OnProgress, value: Value | None, on_live: OnLive) -> None:
        self._stream = stream
        self._loop = loop
        self._on_progress = on_progress
        self._value = value
        self._on_live = on_live
        self._judgement = Judgement.of_nothing(len(stream) - stream.first_live, value)
        self._went_live: list[WentLive] = []
        self._waiting: dict[int, LabelledPrediction] = {}  # predictions whose label has not come, by row
        self._by_label = stream.first_live + np.argsort(stream.known[stream.first_live :], kind="stable")
        self._next_label = 0
        self._late_labels = 0

    def play(self) -> Replay:
        stream, row, now = self._stream, self._stream.first_live, self._stream.start
        self._decide(now)
        while row < len(stream):
            now += stream.tick
            stop = stream.rows_before(now)
            live = self._loop.live
            if live is not None and stop > row:
                self._serve(live, row, stop)
            row = stop
            if live is not None:
                self._label(live, row, now)
            if row < len(stream):  # nothing is decided after the last row
                self._loop.report()
                self._decide(now)
        return Replay(self._judgement, tuple(self._went_live), tuple(self._loop.log), self._loop.kubelet.work, self._late_labels)

    def _decide(self, now: float) -> None:
        self._loop.settle(now)
        live = self._loop.live
        if live is not None and (not self._went_live or self._went_live[-1].version != live.version):
            self._went_live.append(WentLive(live.version, now))
            self._on_live(self._went_live[-1], live)
        stream = self._stream
        doing = f"{self._loop.now:%Y-%m-%d %H:%M} {live.version if live else 'nothing'} is live"
        self._on_progress((now - stream.start) / max(stream.end - stream.start, 1.0), doing)

    def _serve(self, live: ServerPod, start: int, stop: int) -> None:
        predictions, groups = live.serve(self._stream, start, stop)
        judged = judge(self._stream, start, live.schema.classes, predictions, self._value)
        self._judgement.put(start - self._stream.first_live, judged)
        values = predictions[:, 1:] if len(live.schema.classes) == 2 else predictions
        for row in np.flatnonzero(np.isfinite(self._stream.known[start:stop])).tolist():
            found = [] if groups is None else [group for group in groups[row].tolist() if group != NO_GROUP]
            self._waiting[start + row] = LabelledPrediction(
                id=prediction_id(start + row),
                version=live.version,
                milliseconds=round(1000 * float(self._stream.arrived[start + row])),
                values=values[row].tolist(),
                groups=found,
                truth=self._truth(start + row),
            )

    def _label(self, live: ServerPod, arrived: int, now: float) -> None:
        """Hand over the labels that are known by now, of the rows before ``arrived``; those too late for the server are counted."""
        stream, labels = self._stream, []
        while self._next_label < len(self._by_label):
            row = int(self._by_label[self._next_label])
            if stream.known[row] > now or row >= arrived:  # one that arrives this very moment is the next tick's
                break
            label = self._waiting.pop(row, None)
            if label is not None and stream.known[row] - stream.arrived[row] <= live.label_delay:
                labels.append(label)
            self._late_labels += label is not None and stream.known[row] - stream.arrived[row] > live.label_delay
            self._next_label += 1
        live.label(labels)

    def _truth(self, row: int) -> Any:
        value = float(self._stream.target[row])
        return value if self._stream.task is Task.REGRESSION else self._stream.classes[int(value)]


def _with_stream(spec: MLModelSpec, stream: Stream) -> MLModelSpec:
    """Return the spec that learns from the history and from what is captured, whatever its sources were; its pods report once a tick."""
    sources = [Source(uri=f"{_HISTORY}/{_ROWS}"), Source(captured=Captured())]
    monitoring = spec.monitoring
    if duration(monitoring.heartbeat).total_seconds() < stream.tick:
        monitoring = monitoring.replace(heartbeat=f"{math.ceil(stream.tick / 60)}m")
    return spec.replace(data=stream.data.replace(sources=sources), monitoring=monitoring)


def _history(stream: Stream) -> bytes:
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(stream.table.slice(0, stream.first_live), buffer)
    return buffer.getvalue()
