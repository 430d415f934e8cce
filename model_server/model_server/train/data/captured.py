"""Live rows whose label came back, read as a source in time order: the rows and labels that sidecars stored, joined by prediction id.

Not here: storing them, which is the sidecar's; the layout, which is the contract's; for which rows labels came (``label_coverage.py``).
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet
from mlmodel_contract.base import duration, parse_time
from mlmodel_contract.capture import COLUMN_ARRIVED, COLUMN_ID, COLUMN_PREDICTION, COLUMN_TARGET, COLUMN_TIME, LABEL_COLUMNS
from mlmodel_contract.manifest import Column, ColumnType, Data
from mlmodel_contract.run import Problem, Quarantine, RunDocument

from ...storage import Location, StorageError, StorageUnreachableError, list_files, locate, open_file
from .convert import TIME, convert
from .file_formats import Reading, format_errors, schema_of
from .label_coverage import outcomes

QUARANTINED, IMMATURE = "quarantined", "immature"
"""Causes of rows that are left out: they were live while a feed was broken, or are younger than their label delay."""

T = TypeVar("T")
_TRUTH = LABEL_COLUMNS[1]
_LABELS = pa.schema([(COLUMN_ID, pa.string()), (_TRUTH, pa.string()), (COLUMN_TIME, TIME)])
_ORDER = [pa.field(COLUMN_TIME, TIME), pa.field(COLUMN_ID, pa.string())]
_LABELLED = "#labelled"
_OUTCOME = [pa.field(COLUMN_ARRIVED, TIME), pa.field(COLUMN_PREDICTION, pa.float64()), pa.field(_LABELLED, pa.bool_())]


def read_captured(document: RunDocument, data: Data, now: datetime) -> Reading:
    """Read the labelled live rows of the run's captured folder; a folder that does not exist yet has none.

    Rows that arrived while a feed was broken are left out, and counted, and so are those that are not settled yet. Where labels came for a
    choice of the rows by their prediction, that is a problem.

    Raises:
        StorageUnreachableError: the store does not answer.

    """
    schema = schema_of(data.columns)
    try:
        root = locate(document.captured_folder, document.store_credentials)
        labels = _labels(list_files(root.child("labels"), ".parquet"))
        files = list_files(root.child("rows"), ".parquet") if labels.num_rows else []
        readings = list(filter(None, (_unless_deleted(partial(_rows, file, data, labels, document.quarantine)) for file in files)))
    except StorageUnreachableError:
        raise
    except StorageError as error:
        return Reading(schema.empty_table(), [Problem(check=error.check, message=str(error)[:400])])
    live = outcomes(pa.concat_tables([pa.schema(_OUTCOME).empty_table(), *(file.outcomes for file in readings)]))
    settled = live.settled(now, duration(document.maturity))
    selective = live.select(settled).selective_labels(data.checks.max_coverage_difference)
    labelled = pa.concat_tables([pa.schema([*schema, *_ORDER]).empty_table(), *(file.labelled for file in readings)])
    learnt = labelled.filter(pa.array(settled[live.labelled]))
    in_order = learnt.sort_by([(field.name, "ascending") for field in _ORDER]).select(schema.names)
    dropped = {QUARANTINED: sum(file.quarantined for file in readings), IMMATURE: labelled.num_rows - learnt.num_rows}
    return Reading(in_order, [selective] if selective else [], {cause: count for cause, count in dropped.items() if count})


@dataclass(frozen=True)
class _FileRows:
    """A file's labelled rows as the declared columns and ``_ORDER``, ``_OUTCOME`` of all rows, and how many labelled ones were left out."""

    labelled: Any
    outcomes: Any
    quarantined: int


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


def _rows(file: Location, data: Data, labels: Any, quarantine: Sequence[Quarantine]) -> _FileRows:
    """Return a file's rows; a column that the row's version did not have yet is missing."""
    names = [column.name for column in data.columns if column.name not in (data.target, data.time)]
    table = _with_target(_table(file, [COLUMN_ID, COLUMN_TIME, COLUMN_ARRIVED, COLUMN_PREDICTION, COLUMN_TARGET, *names]), data.target)
    all_rows = table.join(labels, COLUMN_ID, join_type="left outer", use_threads=False)
    all_rows = all_rows.append_column(_LABELLED, pc.is_valid(all_rows[_TRUTH]))
    joined = _without_quarantined(all_rows, quarantine)
    known = [_optional(joined, field.name, field.type).cast(field.type) for field in _OUTCOME]
    labelled = joined.filter(joined[_LABELLED])
    arrays = [_column(labelled, column, data) for column in data.columns]
    order = [labelled[field.name].combine_chunks().cast(field.type) for field in _ORDER]
    return _FileRows(
        pa.table([*arrays, *order], schema=pa.schema([*schema_of(data.columns), *_ORDER])),
        pa.table(known, schema=pa.schema(_OUTCOME)),
        int(pc.sum(all_rows[_LABELLED]).as_py() or 0) - labelled.num_rows,
    )


def _optional(table: Any, name: str, kind: Any) -> Any:
    """Return a column in one piece; missing values where files are without it."""
    return table[name].combine_chunks() if name in table.column_names else pa.nulls(table.num_rows, kind)


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
    return convert(_optional(joined, name, schema_of([column]).field(0).type), column.type).values


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
