"""Past rows in the order of their time: what was known at the start, and what arrived later and was labelled when.

Files are read, and values converted, by the trainer's own reader. Not here: what is predicted.
"""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pyarrow as pa
from mlmodel_contract.base import parse_time
from mlmodel_contract.manifest import Column, ColumnType, Data, MLModelSpec
from mlmodel_contract.quality_metrics import Task
from model_server.storage import Location, StorageError
from model_server.train.data.convert import TIME, convert
from model_server.train.data.file_formats import read_file
from model_server.train.data.training_rows import UNKNOWN_CLASS, column_values
from numpy.typing import NDArray

from .settings import BacktestError, BacktestSettings

_ROW_TIME = "row_time"
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_TICKS, _SHORTEST_TICK = 280, timedelta(hours=1)
_WEEK, _PERIODS = timedelta(days=7), 40
_FEWEST_WEEKS, _MOST_WEEKS = 20, 60

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Stream:
    """Rows in the order of their time.

    ``table`` has the declared columns and ``index`` each row's number in the given data. Times are seconds since 1970; ``known`` is when
    the label comes, infinite where it never does. ``target`` is the class's index, or the number; NaN where it is missing. Rows from
    ``first_live`` on arrive one tick after the other.
    """

    data: Data
    task: Task
    table: Any
    index: NDArray[np.int64]
    arrived: Floats
    known: Floats
    target: Floats
    classes: tuple[Any, ...]
    first_live: int
    tick: float
    period: float
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.index)

    @property
    def start(self) -> float:
        """The time of the first live row."""
        return float(self.arrived[self.first_live])

    @property
    def end(self) -> float:
        """The time of the last row."""
        return float(self.arrived[-1])

    def rows_before(self, time: float) -> int:
        """Return how many rows arrived before a time."""
        return int(np.searchsorted(self.arrived, time, side="left"))

    def columns(self, start: int, stop: int) -> dict[str, NDArray[Any]]:
        """Return the features of rows [``start``, ``stop``) as models take them."""
        part = self.table.slice(start, stop - start)
        return {column.name: column_values(part[column.name], column.type) for column in self.data.features}

    def period_starts(self) -> Floats:
        """Return when each period begins."""
        number = max(1, math.ceil((self.end - self.start) / self.period - 1e-6))
        return self.start + self.period * np.arange(number, dtype=np.float64)


def read_rows(file: Path, spec: MLModelSpec, settings: BacktestSettings) -> Any:
    """Read a Parquet or CSV file as a table of the columns that the backtest needs, of their types.

    Raises:
        BacktestError: the file or a column cannot be read.

    """
    try:
        reading = read_file(Location(fsspec.filesystem("file"), str(file), str(file)), _needed(_data(spec), settings))
    except StorageError as error:
        raise BacktestError(str(error)) from error
    if reading.problems:
        raise BacktestError(reading.problems[0].message)
    return reading.table


def stream_of(table: Any, spec: MLModelSpec, settings: BacktestSettings) -> Stream:
    """Return the rows of an arrow table as a stream.

    Raises:
        BacktestError: the manifest cannot be played, a column is missing or holds something else, or there are too few rows.

    """
    data, task = _data(spec), _task(spec)
    notes: list[str] = []
    if settings.period_rows is not None and data.time is not None:
        raise BacktestError("--period-rows is for manifests without data.time: write --period, such as --period 7d")
    if data.time is None and settings.period_rows is None:
        raise BacktestError("data.time is missing: name the column that orders the rows, or write --period-rows for one row a minute")
    converted = _converted(table, _needed(data, settings))
    if data.time is None:
        data, converted = _with_row_time(data, converted)
    if any(column.sensitive for column in data.columns):
        notes.append("sensitive columns are kept while the backtest runs, since its rows are at hand")
        data = data.replace(columns=[column.replace(sensitive=False) for column in data.columns])
    arrived = _seconds(converted[data.time])
    order = np.argsort(arrived, kind="stable")
    order = order[np.isfinite(arrived[order])]
    if len(order) < len(arrived):
        notes.append(f"{len(arrived) - len(order)} rows without a time are left out")
    converted, arrived = converted.take(pa.array(order)), arrived[order]
    first = _first_live(arrived, settings)
    classes, target = _target(converted[data.target], task)
    span = arrived[-1] - arrived[first]
    return Stream(
        data=data,
        task=task,
        table=converted.select([column.name for column in data.columns]).combine_chunks(),
        index=order.astype(np.int64),
        arrived=arrived,
        known=np.where(np.isnan(target), np.inf, _known(converted, arrived, settings)),
        target=target,
        classes=classes,
        first_live=first,
        tick=_tick(span, settings),
        period=_period(span, settings),
        notes=tuple(notes),
    )


def _data(spec: MLModelSpec) -> Data:
    if spec.data is None or spec.training is None:
        raise BacktestError(
            "spec.training is missing: a model that was trained elsewhere has no decisions to play; write data and training"
        )
    return spec.data


def _task(spec: MLModelSpec) -> Task:
    if spec.training is None:
        raise BacktestError("spec.training is missing: write which task the model is for")
    return spec.training.task


def _needed(data: Data, settings: BacktestSettings) -> list[Column]:
    """Return the declared columns, and the one with the time at which a label is known."""
    label_time = settings.labels_after
    if not isinstance(label_time, str) or any(column.name == label_time for column in data.columns):
        return list(data.columns)
    return [*data.columns, Column.model_construct(name=label_time, type=ColumnType.TIME)]


def _converted(table: Any, columns: list[Column]) -> Any:
    arrays = {}
    for column in columns:
        if column.name not in table.column_names:
            raise BacktestError(f"the data has no column '{column.name}': add it, or correct data.columns or --labels-after")
        found = convert(table[column.name].combine_chunks(), column.type)
        if found.wrong:
            raise BacktestError(f"column '{column.name}' holds '{found.example}', which is no {column.type}: correct the data or the type")
        arrays[column.name] = found.values
    return pa.table(arrays)


def _with_row_time(data: Data, table: Any) -> tuple[Data, Any]:
    """Give each row a minute of its own, for rows without a time."""
    start = np.datetime64(_EPOCH.replace(tzinfo=None), "us")
    times = pa.array(start + np.arange(table.num_rows).astype("timedelta64[m]"), pa.timestamp("us")).cast(TIME)
    timed = data.replace(time=_ROW_TIME, columns=[Column(name=_ROW_TIME, type=ColumnType.TIME), *data.columns])
    return timed, table.append_column(_ROW_TIME, times)


def _seconds(times: Any) -> Floats:
    """Return times as seconds since 1970, NaN where missing."""
    micros = times.cast(TIME).cast(pa.int64()).to_numpy(zero_copy_only=False)
    return np.asarray(micros, dtype=np.float64) / 1e6


def _known(table: Any, arrived: Floats, settings: BacktestSettings) -> Floats:
    """Return when each label comes; never before its row, and never where the column has no time."""
    if isinstance(settings.labels_after, timedelta):
        return arrived + settings.labels_after.total_seconds()
    known = _seconds(table[settings.labels_after])
    return np.where(np.isnan(known), np.inf, np.maximum(known, arrived))


def _target(values: Any, task: Task) -> tuple[tuple[Any, ...], Floats]:
    if task is Task.REGRESSION:
        return (), column_values(pa.chunked_array([values]) if isinstance(values, pa.Array) else values, ColumnType.NUMBER)
    classes = tuple(sorted(value for value in values.unique().to_pylist() if value is not None))
    codes = pa.compute.index_in(values, pa.array(classes, values.type), skip_nulls=True).fill_null(UNKNOWN_CLASS)
    found = codes.to_numpy().astype(np.float64)
    return classes, np.where(found == UNKNOWN_CLASS, np.nan, found)


def _first_live(arrived: Floats, settings: BacktestSettings) -> int:
    rows = len(arrived)
    if isinstance(settings.start, str):
        try:
            start = parse_time(settings.start if "T" in settings.start else f"{settings.start}T00:00:00Z").timestamp()
        except ValueError as error:
            raise BacktestError(f"--start '{settings.start}' is no time: write a share such as 0.15, or 2024-05-01") from error
        first = int(np.searchsorted(arrived, start))
    else:
        first = int(rows * settings.start)
        first = int(np.searchsorted(arrived, arrived[first])) or first if 0 < first < rows else first  # rows of one time stay together
    if not 0 < first < rows - 1:
        raise BacktestError(f"--start leaves {min(first, rows)} of {rows} rows as history: choose one that leaves rows on both sides")
    return first


def _tick(span: float, settings: BacktestSettings) -> float:
    return settings.tick.total_seconds() if settings.tick else max(span / _TICKS, _SHORTEST_TICK.total_seconds())


def _period(span: float, settings: BacktestSettings) -> float:
    if settings.period_rows is not None:
        return settings.period_rows * 60.0
    if settings.period is not None:
        return settings.period.total_seconds()
    week = _WEEK.total_seconds()
    return week if _FEWEST_WEEKS * week <= span <= _MOST_WEEKS * week else max(span / _PERIODS, 1.0)
