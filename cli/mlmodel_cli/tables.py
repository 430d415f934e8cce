"""Reads past data as the trainer does: files, columns by type, rows in time order.

Not here: what is done with the rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from mlmodel_contract.bundle import BundleSchema, SchemaColumn
from mlmodel_contract.manifest import ColumnType
from mlmodel_contract.quality_metrics import Task
from model_server.train.data.training_rows import column_values
from numpy.typing import NDArray
from pandas.api import types

_ARROW = {ColumnType.NUMBER: pa.float64(), ColumnType.BOOLEAN: pa.bool_(), ColumnType.CATEGORY: pa.string()}


class TableError(Exception):
    """The files or options do not fit together; says what is wrong and what to do."""


@dataclass(frozen=True)
class Roles:
    """What columns are for: the features (all others where there are none), the time, the model's predictions and the truth.

    Of a classification with ``classes`` the predictions are their probabilities in that order; else there is one column at most.
    """

    features: Sequence[str]
    time: str | None
    predictions: Sequence[str]
    truth: str | None
    classes: Sequence[str] = ()


@dataclass(frozen=True)
class PastRows:
    """Rows in time order. ``values`` are the features as predictors expect them; predictions and truths are None where not given.

    ``times`` are as they are shown, ``seconds`` since the epoch, None where rows have no times or only numbers for them; predictions are
    rows x classes, or rows x 1.
    """

    values: dict[str, NDArray[np.float64] | NDArray[np.object_]]
    times: list[str]
    seconds: NDArray[np.float64] | None
    predictions: NDArray[np.float64] | None
    truths: list[bool | float | str | None] | None  # None where a row's truth is not known

    def __len__(self) -> int:
        return len(self.times)


def read_table(file: Path) -> pd.DataFrame:
    """Read a Parquet or CSV file.

    Raises:
        TableError: it is not there, not readable, or has no rows.

    """
    try:
        table = pd.read_csv(file) if ".csv" in file.suffixes else pd.read_parquet(file)
    except FileNotFoundError as error:
        raise TableError(f"{file} is not there") from error
    except (OSError, ValueError, pa.ArrowInvalid) as error:
        raise TableError(f"{file} is neither Parquet nor CSV that can be read: {error}") from error
    if table.empty:
        raise TableError(f"{file} has no rows")
    return table


def schema_of(reference: pd.DataFrame, roles: Roles, task: Task) -> BundleSchema:
    """Return the schema of the features, typed by what the reference holds.

    Raises:
        TableError: a named column is not there, no feature is left, or classes and predictions do not belong together.

    """
    _check_classes(roles, task)
    named = [name for name in (*roles.features, roles.time, *roles.predictions, roles.truth) if name]
    missing = [name for name in named if name not in reference.columns]
    if missing:
        raise TableError(f"the reference has no column {missing[0]!r}: it has {', '.join(map(str, reference.columns))}")
    others = {roles.time, *roles.predictions, roles.truth}
    names = list(roles.features) or [str(name) for name in reference.columns if name not in others]
    features = [SchemaColumn(name=name, type=_type_of(reference[name])) for name in names if not _is_time(reference[name])]
    if not features:
        raise TableError("no column is left to watch: name some with --columns")
    classes: list[str | bool | int] = list(roles.classes) or ([False, True] if task is Task.CLASSIFICATION else [])
    truth = ColumnType.CATEGORY if roles.classes else ColumnType.BOOLEAN if task is Task.CLASSIFICATION else ColumnType.NUMBER
    return BundleSchema(task=task, features=features, target=roles.truth or "truth", target_type=truth, time=roles.time, classes=classes)


def ordered_rows(table: pd.DataFrame, schema: BundleSchema, roles: Roles, source: str) -> PastRows:
    """Return the rows in time order; ``source`` is what errors call the table.

    Raises:
        TableError: a column is missing or holds something else than in the reference.

    """
    if roles.time:
        table = _in_order(table, roles.time, source)
    return PastRows(
        values={column.name: _values(table, column, source) for column in schema.features},
        times=[str(value) for value in table[roles.time]] if roles.time else [""] * len(table),
        seconds=_seconds(table[roles.time]) if roles.time else None,
        predictions=np.column_stack([_numbers(table, name, source) for name in roles.predictions]) if roles.predictions else None,
        truths=_truths(table, roles, schema.task, source) if roles.truth else None,
    )


def check_times(reference: PastRows, live: PastRows) -> None:
    """Check that both have times of the same kind.

    Raises:
        TableError: one has dates, and the other has not.

    """
    if (reference.seconds is None) != (live.seconds is None):
        raise TableError("--time: the column has dates in one file and numbers in the other: make them alike")


def _check_classes(roles: Roles, task: Task) -> None:
    if roles.classes and task is not Task.CLASSIFICATION:
        raise TableError("--classes are those of a classification: add --task Classification")
    if roles.classes and len(roles.classes) < 3:
        raise TableError("--classes is for three and more: of two, --prediction is the positive one's probability")
    if roles.classes and roles.predictions and len(roles.predictions) != len(roles.classes):
        counted = f"{len(roles.predictions)} columns for {len(roles.classes)} classes"
        raise TableError(f"--prediction names {counted}: name each one's probability, in their order")


def _require_column(table: pd.DataFrame, name: str, source: str, why: str) -> None:
    if name not in table.columns:
        raise TableError(f"{source} has no column {name!r}, {why}")


def _type_of(values: "pd.Series[Any]") -> ColumnType:
    if types.is_bool_dtype(values):
        return ColumnType.BOOLEAN
    return ColumnType.NUMBER if types.is_numeric_dtype(values) else ColumnType.CATEGORY


def _is_time(values: "pd.Series[Any]") -> bool:
    return bool(types.is_datetime64_any_dtype(values))


def _in_order(table: pd.DataFrame, time: str, source: str) -> pd.DataFrame:
    _require_column(table, time, source, "which --time names")
    try:
        times = table[time] if types.is_numeric_dtype(table[time]) else pd.to_datetime(table[time])
    except ValueError as error:
        raise TableError(f"{source}, column {time!r}: not every value is a time: {error}") from error
    return table.assign(**{time: times}).sort_values(time, kind="stable")


def _values(table: pd.DataFrame, column: SchemaColumn, source: str) -> NDArray[np.float64] | NDArray[np.object_]:
    _require_column(table, column.name, source, "which the reference has: leave it out with --columns")
    values = table[column.name]
    try:
        converted = pa.array(
            values.astype(str).where(values.notna(), None) if column.type is ColumnType.CATEGORY else values, from_pandas=True
        )
        return column_values(pa.chunked_array([converted.cast(_ARROW[column.type])]), column.type)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise TableError(f"{source}, column {column.name!r}: holds values that are no {column.type.value}: {error}") from error


def _seconds(times: "pd.Series[Any]") -> NDArray[np.float64] | None:
    """Return seconds since the epoch, UTC where the times name no zone; None of numbers, whose unit nobody knows."""
    if not _is_time(times):
        return None
    return np.asarray(pd.to_datetime(times, utc=True).dt.as_unit("us").astype(np.int64), np.float64) / 1e6


def _numbers(table: pd.DataFrame, name: str, source: str) -> NDArray[np.float64]:
    _require_column(table, name, source, "which --prediction names")
    try:
        return np.asarray(table[name], dtype=np.float64)
    except (ValueError, TypeError) as error:
        raise TableError(f"{source}, column {name!r}: a prediction is a number, or the positive class's probability: {error}") from error


def _truths(table: pd.DataFrame, roles: Roles, task: Task, source: str) -> list[bool | float | str | None]:
    name = str(roles.truth)
    _require_column(table, name, source, "which --truth names")
    if roles.classes:
        return [_class(value) for value in table[name].tolist()]
    values = np.asarray(table[name])
    try:
        numbers = values.astype(np.float64)
    except (ValueError, TypeError) as error:
        more = "; of three and more classes, name them with --classes" if task is Task.CLASSIFICATION else ""
        raise TableError(f"{source}, column {name!r}: a truth is a number, or true and false (1 and 0){more}: {error}") from error
    kind = bool if task is Task.CLASSIFICATION else float
    return [kind(number) if np.isfinite(number) else None for number in numbers]


def _class(value: Any) -> str | None:
    """Return a class as --classes names it; a number's is without the point that a missing one beside it brings."""
    if pd.isna(value):
        return None
    return f"{value:g}" if isinstance(value, float) else str(value)
