"""The rows of a run as models take them: columns of numpy arrays, and the target as numbers.

Not here: which rows there are, which ``prepare`` has decided.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from mlmodel_contract.base import parse_time
from mlmodel_contract.bundle import BundleSchema, SchemaColumn, SliceGroup
from mlmodel_contract.manifest import ColumnType, Data, Objective
from mlmodel_contract.quality_metrics import Task
from mlmodel_contract.report import MOST_GROUPS
from numpy.typing import NDArray

from ...bundle.engine import Columns, frame
from ...storage import Location, open_file
from ..run_context import HOLDOUT, TRAIN, UNSEEN, RunContext

UNKNOWN_CLASS = -1
"""Code of a class that no training row has; it is never predicted."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class TrainingRows:
    """Rows in time order: every feature by column, the target as a number or as the index of its class, and where known the times.

    Times are in seconds since the epoch.
    """

    columns: Columns
    target: Floats
    times: Floats | None = None

    def __len__(self) -> int:
        return len(self.target)

    def slice(self, start: int, stop: int) -> "TrainingRows":
        """Return rows [``start``, ``stop``), without copying."""
        times = None if self.times is None else self.times[start:stop]
        return TrainingRows({name: values[start:stop] for name, values in self.columns.items()}, self.target[start:stop], times)

    def without(self, start: int, stop: int) -> "TrainingRows":
        """Return all rows but [``start``, ``stop``)."""
        kept = np.r_[0:start, stop : len(self)]
        columns = {name: values[kept] for name, values in self.columns.items()}
        return TrainingRows(columns, self.target[kept], None if self.times is None else self.times[kept])

    def frame(self, features: Sequence[SchemaColumn]) -> Any:
        """Return the features as the data frame that pipelines take."""
        return frame(self.columns, features)


@dataclass(frozen=True)
class RunRows:
    """The training rows, the holdout, and their schema.

    ``unseen``: no earlier run has learnt from the holdout.
    """

    schema: BundleSchema
    train: TrainingRows
    holdout: TrainingRows
    unseen: bool = False

    @property
    def whole(self) -> TrainingRows:
        """All rows."""
        columns = {name: np.concatenate([values, self.holdout.columns[name]]) for name, values in self.train.columns.items()}
        times = None
        if self.train.times is not None and self.holdout.times is not None:
            times = np.concatenate([self.train.times, self.holdout.times])
        return TrainingRows(columns, np.concatenate([self.train.target, self.holdout.target]), times)

    def rows_before(self, time: str | None) -> int | None:
        """Return how many of all rows are not after a time; None without one, or where rows have none."""
        parts = (self.train.times, self.holdout.times)
        if time is None or parts[0] is None or parts[1] is None:
            return None
        seconds = parse_time(time).timestamp()
        return sum(len(part) - int((part > seconds).sum()) for part in parts if part is not None)


def read_rows(context: RunContext, *, holdout: bool) -> RunRows:
    """Read what ``prepare`` left; without ``holdout`` those rows are not read, and there are none.

    Raises:
        StorageError: the run's folder cannot be read.

    """
    train = _table(context.folder.child(TRAIN))
    newest = _table(context.folder.child(HOLDOUT)) if holdout else train.slice(0, 0)
    schema = build_schema(context, train)
    return RunRows(
        schema,
        _rows(train, schema),
        _rows(newest, schema),
        unseen=UNSEEN in (newest.schema.metadata or {}),
    )


def build_schema(context: RunContext, train: Any) -> BundleSchema:
    """Return the bundle's schema; the classes are those of the training rows, in order."""
    data, task = context.data, context.training.task
    classes = sorted(train[data.target].unique().to_pylist()) if task is Task.CLASSIFICATION else []
    return BundleSchema(
        task=task,
        features=[
            SchemaColumn(name=column.name, type=column.type, min=column.min, max=column.max, sensitive=column.sensitive)
            for column in data.features
        ],
        target=data.target,
        target_type=data.column(data.target).type,
        time=data.time,
        classes=classes,
        slices=_groups(context.objective, data, train),
    )


def _groups(objective: Objective, data: Data, train: Any) -> list[SliceGroup]:
    """Return the largest groups of the objective's slices; the target's own have one class each, and no metric is defined there."""
    counted = [
        (-entry["counts"], index, entry["values"])
        for index, piece in enumerate(objective.slices)
        if piece.column != data.target
        for entry in train[piece.column].value_counts().to_pylist()
        if entry["values"] is not None
    ]
    groups = [SliceGroup(column=objective.slices[index].column, value=value) for _, index, value in sorted(counted)]
    different = {(group.column, group.text): group for group in reversed(groups)}  # of texts that begin alike the most frequent one stays
    return [group for group in groups if different[group.column, group.text] is group][:MOST_GROUPS]


def _rows(table: Any, schema: BundleSchema) -> TrainingRows:
    columns = {column.name: column_values(table[column.name], column.type) for column in schema.features}
    target, times = table[schema.target], _seconds(table[schema.time]) if schema.time else None
    if schema.task is Task.REGRESSION:
        return TrainingRows(columns, column_values(target, ColumnType.NUMBER), times)
    codes = pa.compute.index_in(target, pa.array(schema.classes, target.type)).fill_null(UNKNOWN_CLASS)
    return TrainingRows(columns, codes.to_numpy().astype(np.float64), times)


def _seconds(times: Any) -> Floats:
    return np.asarray(times.cast(pa.timestamp("us", "UTC")).to_numpy(), dtype="M8[us]").astype(np.float64) / 1e6


def column_values(values: Any, kind: ColumnType) -> NDArray[Any]:
    """Return an arrow column as predictors take it: float64 with NaN, or objects with None, where missing."""
    if kind is ColumnType.CATEGORY:
        return (
            np.asarray(values.dictionary_encode().combine_chunks().to_numpy(zero_copy_only=False), dtype=object) if len(values) else _none()
        )
    return np.asarray(values.cast(pa.float64()).to_numpy(), dtype=np.float64)


def _none() -> NDArray[Any]:
    return np.empty(0, dtype=object)


def _table(file: Location) -> Any:
    with open_file(file) as stream:
        return pyarrow.parquet.read_table(stream, use_threads=False)
