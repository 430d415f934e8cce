"""Captured rows and labels as the bytes of Parquet files.

pyarrow is imported when the first file is made: it is large, and not needed where nothing is captured. Not here: where files go.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

from mlmodel_contract.bundle import BundleSchema
from mlmodel_contract.capture import COLUMN_ARRIVED, COLUMN_ID, COLUMN_PREDICTION, COLUMN_TARGET, COLUMN_TIME, COLUMN_TRACE, LABEL_COLUMNS
from mlmodel_contract.manifest import ColumnType

from ..lean import without_pandas


def rows_content(columns: Mapping[str, Sequence[Any]], schema: BundleSchema) -> bytes:
    """Return a file of captured rows: the features by name, and the columns of the contract; times in seconds."""
    with without_pandas():
        import pyarrow as pa

        types = {ColumnType.NUMBER: pa.float64(), ColumnType.BOOLEAN: pa.bool_(), ColumnType.CATEGORY: pa.string()}
        kept = [column for column in schema.features if not column.sensitive]
        arrays = {column.name: pa.array(columns[column.name], types[column.type]) for column in kept}
        arrays[COLUMN_ID] = pa.array(columns[COLUMN_ID], pa.string())
        arrays[COLUMN_TIME] = _times(pa, columns[COLUMN_TIME])
        arrays[COLUMN_ARRIVED] = _times(pa, columns[COLUMN_ARRIVED])
        arrays[COLUMN_PREDICTION] = pa.array(columns[COLUMN_PREDICTION], pa.float64())
        arrays[COLUMN_TARGET] = pa.array([schema.target] * len(columns[COLUMN_ID]), pa.string())
        if any(columns[COLUMN_TRACE]):
            arrays[COLUMN_TRACE] = pa.array(columns[COLUMN_TRACE], pa.string())
        return _file(pa.table(arrays))


def labels_content(rows: Sequence[tuple[str, str, float]]) -> bytes:
    """Return a file of labels: id, truth as JSON, time in seconds since the epoch."""
    ids, truths, times = zip(*rows, strict=True)
    with without_pandas():
        import pyarrow as pa

        arrays = (pa.array(ids, pa.string()), pa.array(truths, pa.string()), _times(pa, times))
        return _file(pa.table(dict(zip(LABEL_COLUMNS, arrays, strict=True))))


def _times(pyarrow: Any, seconds: Sequence[float]) -> Any:
    return pyarrow.array([datetime.fromtimestamp(moment, UTC) for moment in seconds], pyarrow.timestamp("us", tz="UTC"))


def _file(table: Any) -> bytes:
    import pyarrow.parquet

    stream = BytesIO()
    pyarrow.parquet.write_table(table, stream, compression="zstd")
    return stream.getvalue()
