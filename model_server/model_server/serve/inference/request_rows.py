"""Valid rows, of one request or of several together, and their columns for the engine and for the monitor.

Not here: validation.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from mlmodel_contract.bundle import BundleSchema
from mlmodel_contract.manifest import ColumnType
from numpy.typing import NDArray

from ...bundle.engine import MatrixColumns
from ..errors import InvalidRequest

Floats = NDArray[np.float64]
_LARGEST = float(np.finfo(np.float32).max)  # engines compute with float32: a larger number would be infinite to them


class RequestRows(NamedTuple):
    """Valid rows (a named tuple, which is fast to make).

    ``numbers`` is rows x features that are numbers or booleans, in the schema's order, NaN where missing; or the same as a flat row-major
    list, which becomes an array together with those of other requests. ``texts`` are the categories by name; ``times`` is the time column
    if it was sent.
    """

    size: int
    numbers: Floats | list[float]
    texts: Mapping[str, list[str | None]]
    times: list[str | None] | None


class Columns(NamedTuple):
    """Rows by column.

    ``features`` is for the engine: float64 arrays and object arrays of text or None, by name. The monitor gets ``monitored_numbers``,
    rows x ``ColumnLayout.monitored_columns``, and ``others`` by name: categories, booleans as they were sent, and the time column if there
    was one. ``outside`` counts values beyond a column's range.
    """

    size: int
    features: Mapping[str, NDArray[Any]]
    monitored_numbers: Floats
    others: Mapping[str, Sequence[Any]]
    outside: Mapping[str, int]


class ColumnLayout:
    """Joins rows and turns them into columns, by one schema; ``monitored_columns`` names the columns of numbers, without booleans."""

    def __init__(self, schema: BundleSchema) -> None:
        self._time = schema.time
        numeric = [column for column in schema.features if column.type is not ColumnType.CATEGORY]
        self._numeric = [column.name for column in numeric]
        self._booleans = [column.name for column in numeric if column.type is ColumnType.BOOLEAN]
        self.monitored_columns = [name for name in self._numeric if name not in self._booleans]
        self._indices = {name: index for index, name in enumerate(self._numeric)}
        self._monitored_indices = [self._indices[name] for name in self.monitored_columns]
        self._texts = [column.name for column in schema.features if column.type is ColumnType.CATEGORY]
        self._low = np.array([-np.inf if column.min is None else column.min for column in numeric])
        self._high = np.array([np.inf if column.max is None else column.max for column in numeric])
        self._bounded = any(column.min is not None or column.max is not None for column in numeric)

    def join(self, parts: Sequence[RequestRows]) -> RequestRows:
        """Concatenate rows; their numbers become an array.

        Raises:
            InvalidRequest: a number is too large for the engines.

        """
        numbers = self._matrix(parts)
        self._check(numbers)
        if len(parts) == 1:
            return parts[0]._replace(numbers=numbers)
        texts = {name: [value for part in parts for value in part.texts[name]] for name in self._texts}
        times = None
        if any(part.times is not None for part in parts):
            times = [time for part in parts for time in part.times or [None] * part.size]
        return RequestRows(sum([part.size for part in parts]), numbers, texts, times)

    def columns(self, rows: RequestRows) -> Columns:
        """Return joined rows by column."""
        numbers = np.asarray(rows.numbers)
        others: dict[str, Sequence[Any]] = dict(rows.texts)
        for name in self._booleans:
            others[name] = [_TRUTH.get(value) for value in numbers[:, self._indices[name]].tolist()]
        if rows.times is not None and self._time is not None:
            others[self._time] = rows.times
        texts = {name: np.array(values, dtype=object) for name, values in rows.texts.items()}
        monitored = numbers[:, self._monitored_indices] if self._booleans else numbers
        return Columns(rows.size, MatrixColumns(self._indices, numbers, texts), monitored, others, self._outside(numbers))

    def _matrix(self, parts: Sequence[RequestRows]) -> Floats:
        """Return rows x features; it is cheapest to convert lists together."""
        width = len(self._numeric)
        if all([isinstance(part.numbers, list) for part in parts]):  # noqa: C419 (the list is faster)
            flat: list[float] = []
            for part in parts:
                flat += part.numbers
            return np.array(flat, dtype=np.float64).reshape(-1, width)
        return np.concatenate([np.reshape(part.numbers, (part.size, width)) for part in parts])

    def _check(self, numbers: Floats) -> None:
        """Check the range of numbers. Nearly all pass by one cheap operation: a small sum of squares has no large number or NaN in it."""
        flat = numbers.ravel()
        with np.errstate(over="ignore"):
            if flat.dot(flat) < _LARGEST:
                return
        wrong = np.argwhere(np.abs(numbers) > _LARGEST)
        if len(wrong):
            row, column = wrong[0].tolist()
            raise InvalidRequest(
                f"column '{self._numeric[column]}' has {numbers[row, column]:g} at place {row}, which is too large: check the value"
            )

    def _outside(self, numbers: Floats) -> dict[str, int]:
        if not self._bounded:
            return {}
        outside = np.count_nonzero((numbers < self._low) | (numbers > self._high), axis=0).tolist()
        return {name: number for name, number in zip(self._numeric, outside, strict=True) if number}


_TRUTH = {1.0: True, 0.0: False}
