"""Captured rows and labels as the bytes of Parquet files.

They are written by arro3, which takes a third of pyarrow's memory, and that for as long as the pod lives. It is imported when the first
file is made. Not here: where files go.
"""

from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from math import isnan
from typing import TYPE_CHECKING, Any

import numpy as np
from mlmodel_contract.bundle import BundleSchema
from mlmodel_contract.capture import COLUMN_ARRIVED, COLUMN_ID, COLUMN_PREDICTION, COLUMN_TARGET, COLUMN_TIME, COLUMN_TRACE, LABEL_COLUMNS
from mlmodel_contract.manifest import ColumnType

if TYPE_CHECKING:
    from arro3.core import Array

_COMPRESSION = "zstd(1)"


def rows_content(columns: Mapping[str, Sequence[Any]], schema: BundleSchema) -> bytes:
    """Return a file of captured rows: the features by name, and the columns of the contract; times in seconds."""
    makers: dict[ColumnType, Callable[[Sequence[Any]], Array]] = {
        ColumnType.NUMBER: _numbers,
        ColumnType.BOOLEAN: _flags,
        ColumnType.CATEGORY: _texts,
    }
    arrays = {column.name: makers[column.type](columns[column.name]) for column in schema.features if not column.sensitive}
    arrays[COLUMN_ID] = _texts(columns[COLUMN_ID])
    arrays[COLUMN_TIME] = _times(columns[COLUMN_TIME])
    arrays[COLUMN_ARRIVED] = _times(columns[COLUMN_ARRIVED])
    arrays[COLUMN_PREDICTION] = _numbers(columns[COLUMN_PREDICTION])
    arrays[COLUMN_TARGET] = _texts([schema.target] * len(columns[COLUMN_ID]))
    if any(columns[COLUMN_TRACE]):
        arrays[COLUMN_TRACE] = _texts(columns[COLUMN_TRACE])
    return _file(arrays)


def labels_content(rows: Sequence[tuple[str, str, float]]) -> bytes:
    """Return a file of labels: id, truth as JSON, time in seconds since the epoch."""
    ids, truths, times = zip(*rows, strict=True)
    arrays = _texts(ids), _texts(truths), _times(times)
    return _file(dict(zip(LABEL_COLUMNS, arrays, strict=True)))


def _numbers(values: Sequence[float]) -> "Array":
    """NaN is a missing number."""
    from arro3.core import Array, DataType

    numbers = np.asarray(values, np.float64)
    if not np.isnan(numbers).any():
        return Array.from_numpy(numbers)
    return Array([None if isnan(value) else value for value in values], type=DataType.float64())


def _flags(values: Sequence[bool | None]) -> "Array":
    from arro3.core import Array, DataType

    return Array(list(values), type=DataType.bool())


def _texts(values: Sequence[str | None]) -> "Array":
    from arro3.core import Array, DataType

    return Array(list(values), type=DataType.string())


def _times(seconds: Sequence[float]) -> "Array":
    from arro3.core import Array, DataType

    microseconds = np.rint(np.asarray(seconds, np.float64) * 1e6).astype(np.int64)
    return Array.from_numpy(microseconds).cast(DataType.timestamp("us", tz="UTC"))


def _file(arrays: Mapping[str, "Array"]) -> bytes:
    from arro3.core import Table
    from arro3.io import write_parquet

    stream = BytesIO()
    write_parquet(Table.from_arrays(list(arrays.values()), names=list(arrays)), stream, compression=_COMPRESSION, dictionary_enabled=False)
    return stream.getvalue()
