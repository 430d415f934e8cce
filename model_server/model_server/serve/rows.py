"""Checked rows, of one request or of several together, and the columns that they are for the engine and for the monitor.

Not here: checking.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from mlmodel_contract.bundle import BundleSchema
from mlmodel_contract.manifest import ColumnType
from numpy.typing import NDArray

from ..bundle.engine import Beside

Floats = NDArray[np.float64]


class Rows(NamedTuple):
    """Checked rows (a tuple, since one is made for each request).

    ``numbers`` is rows x features that are numbers or booleans, in the schema's order, NaN where missing; ``texts`` the categories by
    name; ``times`` the time column where it was sent.
    """

    size: int
    numbers: Floats
    texts: Mapping[str, list[str | None]]
    times: list[str | None] | None


class Columns(NamedTuple):
    """Rows by column.

    ``features`` is what an engine takes: float64 arrays and object arrays of text or None. ``sent`` is what the monitor is told: the same
    with booleans as they were sent, and the time column where there was one. ``outside`` counts values beyond a column's range.
    """

    size: int
    features: Mapping[str, NDArray[Any]]
    sent: Mapping[str, Any]
    outside: Mapping[str, int]


class Layout:
    """Joins rows and turns them into columns, by one schema."""

    def __init__(self, schema: BundleSchema) -> None:
        self._time = schema.time
        numeric = [column for column in schema.features if column.type is not ColumnType.CATEGORY]
        self._numeric = [column.name for column in numeric]
        self._booleans = [column.name for column in numeric if column.type is ColumnType.BOOLEAN]
        self._texts = [column.name for column in schema.features if column.type is ColumnType.CATEGORY]
        self._low = np.array([[-np.inf if column.min is None else column.min] for column in numeric])
        self._high = np.array([[np.inf if column.max is None else column.max] for column in numeric])
        self._bounded = any(column.min is not None or column.max is not None for column in numeric)

    def join(self, parts: Sequence[Rows]) -> Rows:
        """Put rows one after the other."""
        if len(parts) == 1:
            return parts[0]
        texts = {name: [value for part in parts for value in part.texts[name]] for name in self._texts}
        times = None
        if any(part.times is not None for part in parts):
            times = [time for part in parts for time in part.times or [None] * part.size]
        return Rows(sum(part.size for part in parts), np.concatenate([part.numbers for part in parts]), texts, times)

    def columns(self, rows: Rows) -> Columns:
        """Return rows by column."""
        matrix = np.ascontiguousarray(rows.numbers.T)
        numbers: dict[str, Any] = dict(zip(self._numeric, matrix, strict=True))
        sent = {**numbers, **rows.texts}
        for name in self._booleans:
            sent[name] = [_TRUTH.get(value) for value in numbers[name].tolist()]
        if rows.times is not None and self._time is not None:
            sent[self._time] = rows.times
        texts = {name: np.array(values, dtype=object) for name, values in rows.texts.items()}
        features = Beside({**numbers, **texts}, rows.numbers)
        return Columns(rows.size, features, sent, self._outside(matrix))

    def _outside(self, matrix: Floats) -> dict[str, int]:
        if not self._bounded:
            return {}
        outside = np.count_nonzero((matrix < self._low) | (matrix > self._high), axis=1).tolist()
        return {name: number for name, number in zip(self._numeric, outside, strict=True) if number}


_TRUTH = {1.0: True, 0.0: False}
