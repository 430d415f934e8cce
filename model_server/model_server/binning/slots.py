"""The slots of a profile's features: where each value is counted, by the trainer and by the sidecar alike.

A number's slot is the first whose edge is not below it; a category has one of its own, or that of the others. The last slot of each
feature is for missing values. Not here: counting, and what the counts are compared with.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any

import numpy as np
from mlmodel_contract.bundle import FeatureProfile
from mlmodel_contract.report import FeatureKind
from numpy.typing import NDArray

from .edge_search import EdgeSearch, FeatureBins

Integers = NDArray[np.int64]
Values = Sequence[Any] | NDArray[Any]


@dataclass(frozen=True)
class EncodedRows:
    """Rows by feature: the numbers (NaN: missing) and the slots of categories. They may share memory with the columns they were made of."""

    rows: int
    numbers: Sequence[NDArray[np.float64]]
    categories: Sequence[Integers]


class FeatureBinner:
    """Finds the slots of all features' values; feature ``i`` has the slots ``starts[i]`` to ``starts[i + 1]`` of all ``slot_count``."""

    def __init__(self, features: Sequence[FeatureProfile]) -> None:
        sizes = [(len(one.edges) if one.kind is FeatureKind.NUMERIC else len(one.categories)) + 2 for one in features]
        self.starts = np.cumsum([0, *sizes])
        self.slot_count = int(self.starts[-1])
        self._numeric = [index for index, one in enumerate(features) if one.kind is FeatureKind.NUMERIC]
        self._numeric_names = [features[index].name for index in self._numeric]
        numeric = [(features[index], int(self.starts[index])) for index in self._numeric]
        self._search = EdgeSearch(
            [FeatureBins(one.center, np.array(one.edges, np.float64), start) for one, start in numeric], self.slot_count
        )
        self._categorical = [index for index, one in enumerate(features) if one.kind is FeatureKind.CATEGORICAL]
        categorical = [(features[index], int(self.starts[index])) for index in self._categorical]
        self._categories = [(one.name, _category_slots(one.categories, start), start + len(one.categories)) for one, start in categorical]

    def digitize(self, columns: Mapping[str, Values], rows: int) -> Integers:
        """Return the slot of each value, among those of all features: features x rows; arguments and errors are those of ``encode``."""
        return self.digitize_encoded([self.encode(columns, rows)])

    def encode(self, columns: Mapping[str, Values], rows: int) -> EncodedRows:
        """Check rows and make them ready for ``digitize_encoded``.

        Args:
            columns: by name, numbers, booleans or None if numeric, and text, booleans or None if categorical; else it is missing.
            rows: number of rows.

        Raises:
            ValueError, TypeError: a value is not of its feature's type, or columns differ in length.

        """
        numbers = [
            np.asarray(columns[name], dtype=np.float64) if name in columns else np.full(rows, np.nan) for name in self._numeric_names
        ]
        texts = [(slots, other, columns.get(name, [None] * rows)) for name, slots, other in self._categories]
        if not {*map(len, numbers), *(len(values) for *_, values in texts)} <= {rows}:
            raise ValueError("columns differ in length")
        categories = [np.fromiter(map(slots.get, values, repeat(other)), dtype=np.int64, count=rows) for slots, other, values in texts]
        return EncodedRows(rows, numbers, categories)

    def digitize_encoded(self, batches: Sequence[EncodedRows]) -> Integers:
        """Return the slot of each value, among those of all features: features x rows. Many rows at once are faster than few."""
        rows = sum(batch.rows for batch in batches)
        numbers = self._search.searchsorted(_joined([batch.numbers for batch in batches], len(self._numeric), rows))
        if not self._categories:
            return numbers
        found = np.empty((len(self.starts) - 1, rows), dtype=np.int64)
        found[self._numeric] = numbers
        found[self._categorical] = _joined([batch.categories for batch in batches], len(self._categorical), rows)
        return found


def _joined(parts: Sequence[Sequence[NDArray[Any]]], features: int, rows: int) -> NDArray[Any]:
    """Return features x rows from parts of the rows, each a list by feature."""
    pieces = list(chain.from_iterable(zip(*parts, strict=True)))
    return np.concatenate(pieces).reshape(features, rows) if pieces else np.empty((features, rows))


def _category_slots(categories: Sequence[str], start: int) -> dict[Any, int]:
    """Return the slot of each value that has one of its own; a boolean has that of the text which JSON writes for it.

    An empty text is a missing category, for models as for the profile.
    """
    missing = start + len(categories) + 1
    slots: dict[Any, int] = {None: missing, "": missing}
    for slot, category in enumerate(categories, start):
        slots[category] = slot
        if category in ("true", "false"):
            slots[category == "true"] = slot
    return slots
