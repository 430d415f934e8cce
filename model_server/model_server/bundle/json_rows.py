"""Rows as JSON writes them, turned into the columns that predictors take.

Not here: checking what a client sent; these rows are the bundle's own.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mlmodel_contract.bundle import SchemaColumn
from mlmodel_contract.manifest import ColumnType
from numpy.typing import NDArray

Row = Mapping[str, str | bool | float | None]


def to_columns(rows: Sequence[Row], features: Sequence[SchemaColumn]) -> dict[str, NDArray[Any]]:
    """Return the rows by column: float64 with NaN where missing, or objects with None where missing."""
    return {column.name: _column([row.get(column.name) for row in rows], column.type) for column in features}


def _column(values: list[str | bool | float | None], kind: ColumnType) -> NDArray[Any]:
    if kind is ColumnType.CATEGORY:
        texts = np.empty(len(values), dtype=object)
        texts[:] = values
        return texts
    return np.array([np.nan if value is None else float(value) for value in values], dtype=np.float64)


def to_rows(columns: Mapping[str, NDArray[Any]], features: Sequence[SchemaColumn]) -> list[dict[str, str | bool | float | None]]:
    """Return columns as the rows that JSON writes; the inverse of ``to_columns``."""
    lists = {column.name: _values(columns[column.name], column.type) for column in features}
    rows = len(next(iter(lists.values()))) if lists else 0
    return [{name: values[index] for name, values in lists.items()} for index in range(rows)]


def _values(values: NDArray[Any], kind: ColumnType) -> list[str | bool | float | None]:
    if kind is ColumnType.CATEGORY:
        return list(values)
    present = np.isfinite(values)
    numbers = [bool(value) if kind is ColumnType.BOOLEAN else float(value) for value in np.where(present, values, 0.0)]
    return [number if there else None for number, there in zip(numbers, present, strict=True)]
