"""General decoder of a request's tensors by the bundle's schema: it returns the rows, or an error that names the column.

Missing values (``null`` or ``NaN``) are valid, and so are values outside of a column's declared range. Every check is of one request alone.
Not here: JSON, what is done with the rows, and numbers that are too large for an engine (``request_rows.py``).
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import MAXYEAR, MINYEAR, datetime
from itertools import chain
from typing import Any

import numpy as np
from mlmodel_contract.bundle import BundleSchema, SchemaColumn
from mlmodel_contract.manifest import ColumnType

from ..errors import InvalidRequest, TooLarge
from .request_rows import Floats, RequestRows
from .tensors import (
    BOOLEAN_TYPES,
    COLUMN_DATATYPES,
    FLOATS,
    INTEGER_TYPES,
    INTEGERS,
    MAX_TEXT_LENGTH,
    NUMBER_TYPES,
    TEXT_TYPES,
    Tensor,
)

_EXPECTED = {
    ColumnType.NUMBER: "a number: send FP64, or an INT or UINT datatype",
    ColumnType.BOOLEAN: "a boolean: send BOOL",
    ColumnType.CATEGORY: "a category: send BYTES (text)",
    ColumnType.TIME: "a time: send BYTES (ISO 8601)",
}


class ColumnDecoder:
    """Decodes the tensors of requests by one schema."""

    def __init__(self, schema: BundleSchema, max_rows: int) -> None:
        self._features = schema.features
        self._by_name = {column.name: column for column in schema.features}
        self._time = schema.time
        self._max_rows = max_rows
        self._all_numbers = all(column.type is ColumnType.NUMBER for column in schema.features)

    def decode(self, inputs: Sequence[Tensor]) -> RequestRows:
        """Return the rows of a request.

        Raises:
            InvalidRequest: a column is missing, unknown, there twice, or of a wrong type, shape or length.
            TooLarge: more rows than one request may have.

        """
        count = self._count(inputs)
        if len(inputs) == 1 and self._is_matrix(inputs[0]):
            return RequestRows(count, _matrix(inputs[0]), {}, None)
        tensors = _unique(inputs)
        time = tensors.pop(self._time, None) if self._time else None
        times = _times(time.name, _column_values(time)) if time is not None else None
        if len(tensors) == 1 and self._is_matrix(matrix := next(iter(tensors.values()))):
            return RequestRows(count, _matrix(matrix), {}, times)
        numbers, texts = self._named(tensors, count)
        return RequestRows(count, numbers, texts, times)

    def _count(self, inputs: Sequence[Tensor]) -> int:
        first = inputs[0]
        count = first.shape[0]
        for tensor in inputs:
            if tensor.shape[0] != count:
                raise InvalidRequest(
                    f"tensors differ in length: '{first.name}' has {count} rows, '{tensor.name}' {tensor.shape[0]}; "
                    "give every column the same number of rows"
                )
        if count == 0:
            raise InvalidRequest("the request has no rows: send at least one")
        if count > self._max_rows:
            raise TooLarge(f"the request has {count} rows, at most {self._max_rows} are taken at once: split it")
        return count

    def _is_matrix(self, tensor: Tensor) -> bool:
        """Return whether a request's only tensor has all features: it has two dimensions, and its name is no column's."""
        if len(tensor.shape) != 2 or tensor.name in self._by_name or tensor.name == self._time:
            return False
        if not self._all_numbers:
            text = next(column for column in self._features if column.type is not ColumnType.NUMBER)
            raise InvalidRequest(
                f"a matrix needs features that are all numbers, but '{text.name}' is a {text.type}: send one tensor for each column"
            )
        if tensor.shape[1] != len(self._features):
            raise InvalidRequest(
                f"the matrix '{tensor.name}' has {tensor.shape[1]} columns, the model's features are {len(self._features)}: "
                f"{_listed(self._by_name)}"
            )
        return True

    def _named(self, tensors: Mapping[str, Tensor], count: int) -> tuple[Floats, dict[str, list[str | None]]]:
        """Return the numbers and booleans as one matrix, and the categories."""
        for name in tensors:
            if name not in self._by_name:
                raise InvalidRequest(f"column '{name}' is unknown: the model's columns are {_listed(self._by_name)}")
        numbers: list[list[Any]] = []
        texts: dict[str, list[str | None]] = {}
        for column in self._features:
            tensor = tensors.get(column.name)
            if tensor is None:
                raise InvalidRequest(f"column '{column.name}' is missing: send a tensor of that name, with null where a value is not known")
            if tensor.datatype not in COLUMN_DATATYPES[column.type]:
                raise InvalidRequest(f"column '{column.name}' has the datatype {tensor.datatype}, but is {_EXPECTED[column.type]}")
            values = _COLUMN_VALUES[column.type](column, tensor)
            if column.type is ColumnType.CATEGORY:
                texts[column.name] = values
            else:
                numbers.append(values)
        return np.array(numbers, dtype=np.float64).reshape(len(numbers), count).T, texts  # None becomes NaN


def _number_column(_column: SchemaColumn, tensor: Tensor) -> list[Any]:
    values = _column_values(tensor)
    _check_numbers(tensor.name, tensor.datatype, values)
    if tensor.datatype in INTEGERS:
        _check_range(tensor.name, tensor.datatype, np.array(values, dtype=np.float64))
    return values


def _boolean_column(_column: SchemaColumn, tensor: Tensor) -> list[Any]:
    values = _column_values(tensor)
    _check_types(tensor.name, values, BOOLEAN_TYPES, "true, false or null")
    return values


def _category_column(column: SchemaColumn, tensor: Tensor) -> list[Any]:
    values = _column_values(tensor)
    _check_types(tensor.name, values, TEXT_TYPES, "text or null")
    if any(value and len(value) > MAX_TEXT_LENGTH for value in values):
        raise InvalidRequest(f"column '{column.name}' has a text of more than {MAX_TEXT_LENGTH} characters: a category is shorter")
    return values


_COLUMN_VALUES: Mapping[ColumnType, Callable[[SchemaColumn, Tensor], list[Any]]] = {
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
    data: list[Any] = tensor.data
    width = tensor.shape[1] if len(tensor.shape) == 2 else 1
    if len(tensor.shape) == 2 and len(data) and type(data[0]) is list:
        if len(data) != tensor.shape[0] or any(type(row) is not list or len(row) != width for row in data):
            raise InvalidRequest(f"the nested data of tensor '{tensor.name}' do not have the shape {list(tensor.shape)}")
        data = list(chain.from_iterable(data))
    if len(data) != tensor.shape[0] * width:
        raise InvalidRequest(f"tensor '{tensor.name}' has the shape {list(tensor.shape)} but {len(data)} values")
    return data


def _matrix(tensor: Tensor) -> Floats:
    values = _values(tensor)
    _check_numbers(tensor.name, tensor.datatype, values)
    numbers = np.array(values, dtype=np.float64)  # None becomes NaN
    if tensor.datatype in INTEGERS:
        _check_range(tensor.name, tensor.datatype, numbers)
    return numbers.reshape(tensor.shape)


def _check_numbers(name: str, datatype: str, values: list[Any]) -> None:
    if isinstance(values, np.ndarray):  # of the datatype, as ``Tensor`` says
        return
    if datatype in FLOATS:
        _check_types(name, values, NUMBER_TYPES, "a number or null")
    elif datatype in INTEGERS:
        _check_types(name, values, INTEGER_TYPES, f"a whole number or null, as {datatype} says")
    else:
        raise InvalidRequest(f"tensor '{name}' has the datatype {datatype}, but holds numbers: send FP64, or an INT or UINT datatype")


def _check_types(name: str, values: list[Any], allowed: frozenset[type], expected: str) -> None:
    if not allowed.issuperset(map(type, values)):
        row, value = next((row, value) for row, value in enumerate(values) if type(value) not in allowed)
        raise InvalidRequest(f"column '{name}' has {_described(value)} at place {row}: each value must be {expected}")


def _check_range(name: str, datatype: str, numbers: Floats) -> None:
    low, high = INTEGERS[datatype]
    wrong = (numbers < low) | (numbers > high)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise InvalidRequest(f"column '{name}' has {numbers[row]:g} at place {row}, which is too large for {datatype}: check the value")


def _times(name: str, values: list[Any]) -> list[str | None]:
    _check_types(name, values, TEXT_TYPES, "a time as ISO 8601 text or null")
    for row, value in enumerate(values):
        if value and not _is_time(value):
            raise InvalidRequest(
                f"column '{name}' has {_described(value)} at place {row}: write the time as ISO 8601, such as 2013-07-01T08:15:00Z"
            )
    return [value or None for value in values]


def _is_time(text: str) -> bool:
    """Return whether a text is a time. The first and the last year are not: in another zone they may lie beyond the calendar's end."""
    try:
        return MINYEAR < datetime.fromisoformat(text).year < MAXYEAR
    except ValueError:
        return False


def _described(value: Any) -> str:
    text = repr(value) if isinstance(value, (str, int, float)) else "a list" if isinstance(value, list) else "an object"
    return text if len(text) <= 40 else f"{text[:40]}..."


def _listed(names: Mapping[str, Any]) -> str:
    listed = ", ".join(list(names)[:20])
    return listed if len(names) <= 20 else f"{listed} and {len(names) - 20} more"
