"""Live rows whose label came back, read as a source in time order: the rows and labels that sidecars stored, joined by prediction id.

Not here: storing them, which is the sidecar's; the layout, which is the contract's.
"""

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet
from mlmodel_contract.base import parse_time
from mlmodel_contract.capture import COLUMN_ARRIVED, COLUMN_ID, COLUMN_TARGET, COLUMN_TIME, LABEL_COLUMNS
from mlmodel_contract.manifest import Column, ColumnType, Data
from mlmodel_contract.run import Problem, Quarantine

from ...storage import Location, StorageError, StorageUnreachableError, list_files, locate, open_file
from .convert import TIME, convert
from .file_formats import Reading, format_errors, schema_of

T = TypeVar("T")
_TRUTH = LABEL_COLUMNS[1]
_LABELS = pa.schema([(COLUMN_ID, pa.string()), (_TRUTH, pa.string()), (COLUMN_TIME, TIME)])
_ORDER = [pa.field(COLUMN_TIME, TIME), pa.field(COLUMN_ID, pa.string())]


def read_captured(folder: str, credentials: str | None, data: Data, quarantine: Sequence[Quarantine] = ()) -> Reading:
    """Read the labelled live rows below a folder; a folder that does not exist yet has none.

    Rows that arrived in a time of ``quarantine`` are left out, and counted.

    Raises:
        StorageUnreachableError: the store does not answer.

    """
    try:
        root = locate(folder, credentials)
        labels = _labels(list_files(root.child("labels"), ".parquet"))
        files = list_files(root.child("rows"), ".parquet") if labels.num_rows else []
        readings = list(filter(None, (_unless_deleted(partial(_rows, file, data, labels, quarantine)) for file in files)))
    except StorageUnreachableError:
        raise
    except StorageError as error:
        return Reading(schema_of(data.columns).empty_table(), [Problem(check=error.check, message=str(error)[:400])])
    schema = schema_of(data.columns)
    table = pa.concat_tables([pa.schema([*schema, *_ORDER]).empty_table(), *(rows for rows, _ in readings)])
    in_order = table.sort_by([(field.name, "ascending") for field in _ORDER]).select(schema.names)
    return Reading(in_order, quarantined=sum(left_out for _, left_out in readings))


def _labels(files: Sequence[Location]) -> Any:
    """Return one label for each prediction: the first that came."""
    tables = list(filter(None, (_unless_deleted(partial(_table, file, _LABELS.names)) for file in files)))
    labels = pa.concat_tables([_LABELS.empty_table(), *(_cast(table, _LABELS) for table in tables)])
    labels = labels.sort_by([(COLUMN_TIME, "ascending")]).append_column("#", pa.array(range(labels.num_rows), pa.int64()))
    first = labels.group_by(COLUMN_ID, use_threads=False).aggregate([("#", "min")])["#_min"]
    return labels.take(pc.sort_indices(first) if len(first) == 0 else first).select([COLUMN_ID, _TRUTH])


def _unless_deleted(read: Callable[[], T]) -> T | None:
    """Return what was read, or None of a file that was deleted since it was listed, since its retention was over."""
    try:
        return read()
    except StorageError as error:
        if error.check == "SourceMissing":
            return None
        raise


def _rows(file: Location, data: Data, labels: Any, quarantine: Sequence[Quarantine]) -> tuple[Any, int]:
    """Return a file's labelled rows as the declared columns and ``_ORDER``, and how many more were left out.

    A column that the row's version did not have yet is missing.
    """
    names = [column.name for column in data.columns if column.name not in (data.target, data.time)]
    table = _table(file, [COLUMN_ID, COLUMN_TIME, COLUMN_ARRIVED, COLUMN_TARGET, *names])
    labelled = _with_target(table, data.target).join(labels, COLUMN_ID, join_type="inner", use_threads=False)
    joined = _without_quarantined(labelled, quarantine)
    arrays = [_column(joined, column, data) for column in data.columns]
    order = [joined[field.name].combine_chunks().cast(field.type) for field in _ORDER]
    return pa.table([*arrays, *order], schema=pa.schema([*schema_of(data.columns), *_ORDER])), labelled.num_rows - joined.num_rows


def _without_quarantined(table: Any, quarantine: Sequence[Quarantine]) -> Any:
    """Return the rows that did not arrive while a feed was broken; one without an arrival time stays."""
    if COLUMN_ARRIVED not in table.column_names:
        return table
    for time in quarantine:
        outside = pc.less(table[COLUMN_ARRIVED], pa.scalar(parse_time(time.start), TIME))
        if time.end is not None:
            outside = pc.or_(outside, pc.greater_equal(table[COLUMN_ARRIVED], pa.scalar(parse_time(time.end), TIME)))
        table = table.filter(pc.fill_null(outside, True))
    return table


def _with_target(table: Any, target: str) -> Any:
    """Return the rows whose label is of this target; none of a file without the target's name."""
    if COLUMN_TARGET not in table.column_names:
        return table.slice(0, 0)
    return table.filter(pc.equal(table[COLUMN_TARGET], target)).drop_columns(COLUMN_TARGET)


def _column(joined: Any, column: Column, data: Data) -> Any:
    """Values that do not fit the declared type become missing: the type may have changed since the row was live."""
    name = COLUMN_TIME if column.name == data.time else column.name
    if column.name == data.target:
        return convert(_truths(joined[_TRUTH].combine_chunks(), column.type), column.type).values
    if name not in joined.column_names:
        return pa.nulls(joined.num_rows, schema_of([column]).field(0).type)
    return convert(joined[name].combine_chunks(), column.type).values


def _truths(texts: Any, kind: ColumnType) -> Any:
    """Decode truths, which are stored as JSON; each distinct one once."""
    distinct = pc.unique(texts)
    decoded = [_text(json.loads(text.as_py()), kind) for text in distinct]
    return pa.array(decoded, pa.string()).take(pc.index_in(texts, distinct))


def _text(truth: Any, kind: ColumnType) -> str | None:
    if truth is None:
        return None
    return json.dumps(truth) if kind is not ColumnType.CATEGORY or isinstance(truth, bool) else str(truth)


def _table(file: Location, names: Sequence[str]) -> Any:
    """Read those of the columns that the file has."""
    with open_file(file) as stream, format_errors(file.uri):
        parquet = pyarrow.parquet.ParquetFile(stream)
        return parquet.read(columns=[name for name in names if name in parquet.schema_arrow.names], use_threads=False)


def _cast(table: Any, schema: Any) -> Any:
    return table.select(schema.names).cast(schema)
