"""Tensors of a request as the columns of the bundle's schema: where a request is accepted, or refused with the name of the column.

Missing values are ``null`` or ``NaN`` and are no fault; values outside of a column's declared range are counted and no fault either.
Not here: JSON, and what is done with the rows.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, datetime
from itertools import chain
from types import NoneType
from typing import Any

import numpy as np
from mlmodel_contract.bundle import BundleSchema, SchemaColumn
from mlmodel_contract.manifest import ColumnType

from .errors import InvalidRequest, TooLarge
from .tensors import FLOATS, INTEGERS, Tensor

_LONGEST_TEXT = 1_000
_LARGEST = float(np.finfo(np.float32).max)  # engines compute with float32: a larger number would be infinite to them
_TAKEN = {
    ColumnType.NUMBER: "a number: send FP64, or an INT or UINT datatype",
    ColumnType.BOOLEAN: "a boolean: send BOOL",
    ColumnType.CATEGORY: "a category: send BYTES (text)",
    ColumnType.TIME: "a time: send BYTES (ISO 8601)",
}


@dataclass(frozen=True)
class Rows:
    """Checked rows, by column.

    ``features`` is what an engine takes: float64 arrays (NaN: missing) and object arrays of text or None. ``sent`` is the same for the
    monitor, with booleans as they were sent and the time column where there was one. ``outside`` counts values beyond a column's range.
    """

    count: int
    features: Mapping[str, np.ndarray]
    sent: Mapping[str, Any]
    outside: Mapping[str, int]


class ColumnReader:
    """Reads the tensors of requests by one schema."""

    def __init__(self, schema: BundleSchema, max_rows: int) -> None:
        self._features = schema.features
        self._by_name = {column.name: column for column in schema.features}
        self._time = schema.time
        self._max_rows = max_rows
        self._all_numbers = all(column.type is ColumnType.NUMBER for column in schema.features)

    def read(self, inputs: Sequence[Tensor]) -> Rows:
        """Return the rows of a request.

        Raises:
            InvalidRequest: a column is missing, unknown, there twice, or of a wrong type, shape or length.
            TooLarge: more rows than the server takes at once.

        """
        tensors = _unique(inputs)
        time = tensors.pop(self._time, None) if self._time else None
        count = self._count(inputs)
        matrix = self._matrix(tensors)
        columns = self._split(matrix) if matrix is not None else self._named(tensors)
        sent = {name: column.sent for name, column in columns.items()}
        if time is not None and self._time is not None:
            sent[self._time] = _times(self._time, _column_values(time))
        outside = {name: column.outside for name, column in columns.items() if column.outside}
        return Rows(count, {name: column.values for name, column in columns.items()}, sent, outside)

    def _count(self, inputs: Sequence[Tensor]) -> int:
        first = inputs[0]
        for tensor in inputs[1:]:
            if tensor.shape[0] != first.shape[0]:
                raise InvalidRequest(
                    f"tensors differ in length: '{first.name}' has {first.shape[0]} rows, '{tensor.name}' {tensor.shape[0]}; "
                    "give every column the same number of rows"
                )
        if first.shape[0] == 0:
            raise InvalidRequest("the request has no rows: send at least one")
        if first.shape[0] > self._max_rows:
            raise TooLarge(f"the request has {first.shape[0]} rows, at most {self._max_rows} are taken at once: split it")
        return first.shape[0]

    def _matrix(self, tensors: Mapping[str, Tensor]) -> Tensor | None:
        """Tell whether the features come as one matrix: a single tensor of two dimensions that is named as no column."""
        if len(tensors) != 1:
            return None
        tensor = next(iter(tensors.values()))
        if tensor.name in self._by_name or len(tensor.shape) != 2:
            return None
        if not self._all_numbers:
            text = next(column for column in self._features if column.type is not ColumnType.NUMBER)
            raise InvalidRequest(
                f"a matrix needs features that are all numbers, but '{text.name}' is a {text.type}: send one tensor for each column"
            )
        if tensor.shape[1] != len(self._features):
            raise InvalidRequest(
                f"the matrix '{tensor.name}' has {tensor.shape[1]} columns, the model's features are {len(self._features)}: "
                f"{_some(self._by_name)}"
            )
        return tensor

    def _split(self, matrix: Tensor) -> dict[str, "_Column"]:
        values = _numbers(matrix.name, matrix.datatype, _values(matrix)).reshape(matrix.shape)
        return {
            column.name: _Column.of_numbers(column, np.ascontiguousarray(values[:, place])) for place, column in enumerate(self._features)
        }

    def _named(self, tensors: Mapping[str, Tensor]) -> dict[str, "_Column"]:
        for name in tensors:
            if name not in self._by_name:
                raise InvalidRequest(f"column '{name}' is unknown: the model's columns are {_some(self._by_name)}")
        for name in self._by_name:
            if name not in tensors:
                raise InvalidRequest(f"column '{name}' is missing: send a tensor of that name, with null where a value is not known")
        return {column.name: _READERS[column.type](column, tensors[column.name]) for column in self._features}


@dataclass(frozen=True)
class _Column:
    values: np.ndarray
    sent: Any
    outside: int = 0

    @classmethod
    def of_numbers(cls, column: SchemaColumn, values: np.ndarray) -> "_Column":
        outside = 0
        if column.min is not None:
            outside += int(np.count_nonzero(values < column.min))
        if column.max is not None:
            outside += int(np.count_nonzero(values > column.max))
        return cls(values, values, outside)


def _number_column(column: SchemaColumn, tensor: Tensor) -> _Column:
    if tensor.datatype not in FLOATS and tensor.datatype not in INTEGERS:
        raise _wrong_datatype(column, tensor)
    return _Column.of_numbers(column, _numbers(tensor.name, tensor.datatype, _column_values(tensor)))


def _boolean_column(column: SchemaColumn, tensor: Tensor) -> _Column:
    if tensor.datatype != "BOOL":
        raise _wrong_datatype(column, tensor)
    values = _column_values(tensor)
    _check_types(tensor.name, values, frozenset({bool}), "true, false or null")
    return _Column(np.array(values, dtype=np.float64), values)


def _category_column(column: SchemaColumn, tensor: Tensor) -> _Column:
    if tensor.datatype != "BYTES":
        raise _wrong_datatype(column, tensor)
    values = _column_values(tensor)
    _check_types(tensor.name, values, frozenset({str}), "text or null")
    if any(value and len(value) > _LONGEST_TEXT for value in values):
        raise InvalidRequest(f"column '{column.name}' has a text of more than {_LONGEST_TEXT} characters: a category is shorter")
    return _Column(np.array(values, dtype=object), values)


_READERS: Mapping[ColumnType, Callable[[SchemaColumn, Tensor], _Column]] = {
    ColumnType.NUMBER: _number_column,
    ColumnType.BOOLEAN: _boolean_column,
    ColumnType.CATEGORY: _category_column,
}


def _unique(inputs: Sequence[Tensor]) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for tensor in inputs:
        if tensor.name in tensors:
            raise InvalidRequest(f"column '{tensor.name}' is there twice: send it once")
        tensors[tensor.name] = tensor
    return tensors


def _column_values(tensor: Tensor) -> list[Any]:
    if len(tensor.shape) == 2 and tensor.shape[1] != 1:
        raise InvalidRequest(f"column '{tensor.name}' has the shape {list(tensor.shape)}: a column's is [rows] or [rows, 1]")
    return _values(tensor)


def _values(tensor: Tensor) -> list[Any]:
    """Return the values in row-major order, whether they came nested or flat."""
    data, width = tensor.data, tensor.shape[1] if len(tensor.shape) == 2 else 1
    if len(tensor.shape) == 2 and data and type(data[0]) is list:
        if len(data) != tensor.shape[0] or any(type(row) is not list or len(row) != width for row in data):
            raise InvalidRequest(f"the nested data of tensor '{tensor.name}' do not have the shape {list(tensor.shape)}")
        data = list(chain.from_iterable(data))
    if len(data) != tensor.shape[0] * width:
        raise InvalidRequest(f"tensor '{tensor.name}' has the shape {list(tensor.shape)} but {len(data)} values")
    return data


def _numbers(name: str, datatype: str, values: list[Any]) -> np.ndarray:
    if datatype in FLOATS:
        _check_types(name, values, frozenset({int, float}), "a number or null")
    elif datatype in INTEGERS:
        _check_types(name, values, frozenset({int}), f"a whole number or null, as {datatype} says")
    else:
        raise InvalidRequest(f"tensor '{name}' has the datatype {datatype}, but holds numbers: send FP64, or an INT or UINT datatype")
    numbers = np.array(values, dtype=np.float64)  # None becomes NaN
    _check_range(name, datatype, numbers)
    return numbers


def _check_types(name: str, values: list[Any], taken: frozenset[type], wanted: str) -> None:
    if not set(map(type, values)) <= taken | {NoneType}:
        row, value = next((row, value) for row, value in enumerate(values) if value is not None and type(value) not in taken)
        raise InvalidRequest(f"column '{name}' has {_described(value)} at place {row}: each value must be {wanted}")


def _check_range(name: str, datatype: str, numbers: np.ndarray) -> None:
    low, high = INTEGERS.get(datatype, (-_LARGEST, _LARGEST))
    wrong = (numbers < low) | (numbers > high)
    if wrong.any():
        place = int(np.argmax(wrong))
        raise InvalidRequest(f"column '{name}' has {numbers[place]:g} at place {place}, which is too large for {datatype}: check the value")


def _times(name: str, values: list[Any]) -> list[str | None]:
    _check_types(name, values, frozenset({str}), "a time as ISO 8601 text or null")
    for place, value in enumerate(values):
        if value and not _is_time(value):
            raise InvalidRequest(
                f"column '{name}' has {_described(value)} at place {place}: write the time as ISO 8601, such as 2013-07-01T08:15:00Z"
            )
    return [value or None for value in values]


def _is_time(text: str) -> bool:
    """The first and the last year are left out: in another zone they may lie beyond what a calendar holds."""
    try:
        return MINYEAR < datetime.fromisoformat(text).year < MAXYEAR
    except ValueError:
        return False


def _wrong_datatype(column: SchemaColumn, tensor: Tensor) -> InvalidRequest:
    return InvalidRequest(f"column '{column.name}' has the datatype {tensor.datatype}, but is {_TAKEN[column.type]}")


def _described(value: Any) -> str:
    text = repr(value) if isinstance(value, (str, int, float)) else "a list" if isinstance(value, list) else "an object"
    return text if len(text) <= 40 else f"{text[:40]}..."


def _some(names: Mapping[str, Any]) -> str:
    listed = ", ".join(list(names)[:20])
    return listed if len(names) <= 20 else f"{listed} and {len(names) - 20} more"
