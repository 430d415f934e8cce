"""The slots of a profile's features: where each value is counted, by the trainer and by the sidecar alike.

A number's slot is the first whose edge is not below it; a category has one of its own, or that of the others. The last slot of each
feature is for missing values. Not here: counting, and what the counts are held against.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any

import numpy as np
from mlmodel_contract.bundle import FeatureProfile
from mlmodel_contract.report import FeatureKind
from numpy.typing import NDArray

from .edge_search import EdgeSearch, Line

Integers = NDArray[np.int64]
Values = Sequence[Any] | NDArray[Any]


@dataclass(frozen=True)
class Read:
    """Rows, by feature: the numbers (NaN: missing), and the slots of categories. They may share memory with what was read."""

    rows: int
    numbers: Sequence[NDArray[np.float64]]
    categories: Sequence[Integers]


class Slots:
    """Finds the slots of all features; those of a feature are ``starts[i]`` to ``starts[i + 1]`` among the ``number`` of all."""

    def __init__(self, features: Sequence[FeatureProfile]) -> None:
        sizes = [(len(one.edges) if one.kind is FeatureKind.NUMERIC else len(one.categories)) + 2 for one in features]
        self.starts = np.cumsum([0, *sizes])
        self.number = int(self.starts[-1])
        self._lines = [line for line, one in enumerate(features) if one.kind is FeatureKind.NUMERIC]
        self._numbers = [features[line].name for line in self._lines]
        numeric = [(features[line], int(self.starts[line])) for line in self._lines]
        self._search = EdgeSearch([Line(one.center, np.array(one.edges, np.float64), start) for one, start in numeric], self.number)
        self._others = [line for line, one in enumerate(features) if one.kind is FeatureKind.CATEGORICAL]
        categorical = [(features[line], int(self.starts[line])) for line in self._others]
        self._categories = [(one.name, _places(one.categories, start), start + len(one.categories)) for one, start in categorical]

    def find(self, columns: Mapping[str, Values], rows: int) -> Integers:
        """Return the slot of each value, among those of all features: features x rows; arguments and errors are those of ``read``."""
        return self.of([self.read(columns, rows)])

    def read(self, columns: Mapping[str, Values], rows: int) -> "Read":
        """Return rows whose slots can be found.

        Args:
            columns: by name, numbers, booleans or None if numeric, and text, booleans or None if categorical; else it is missing.
            rows: number of rows.

        Raises:
            ValueError, TypeError: a value is not of its feature's type, or columns differ in length.

        """
        numbers = [np.asarray(columns[name], dtype=np.float64) if name in columns else np.full(rows, np.nan) for name in self._numbers]
        texts = [(places, other, columns.get(name, [None] * rows)) for name, places, other in self._categories]
        if not {*map(len, numbers), *(len(values) for *_, values in texts)} <= {rows}:
            raise ValueError("columns differ in length")
        slots = [np.fromiter(map(places.get, values, repeat(other)), dtype=np.int64, count=rows) for places, other, values in texts]
        return Read(rows, numbers, slots)

    def of(self, read: Sequence["Read"]) -> Integers:
        """Return the slot of each value, among those of all features: features x rows. Many rows at once are faster than few."""
        rows = sum(one.rows for one in read)
        numbers = self._search.find(_joined([one.numbers for one in read], len(self._lines), rows))
        if not self._categories:
            return numbers
        found = np.empty((len(self.starts) - 1, rows), dtype=np.int64)
        found[self._lines] = numbers
        found[self._others] = _joined([one.categories for one in read], len(self._others), rows)
        return found


def _joined(parts: Sequence[Sequence[NDArray[Any]]], features: int, rows: int) -> NDArray[Any]:
    """Return features x rows from parts of the rows, each a list by feature."""
    pieces = list(chain.from_iterable(zip(*parts, strict=True)))
    return np.concatenate(pieces).reshape(features, rows) if pieces else np.empty((features, rows))


def _places(categories: Sequence[str], start: int) -> dict[Any, int]:
    """Return the slot of each value that has one of its own; a boolean has that of the text which JSON writes for it.

    An empty text is a missing category, for models as for the profile.
    """
    missing = start + len(categories) + 1
    places: dict[Any, int] = {None: missing, "": missing}
    for place, category in enumerate(categories, start):
        places[category] = place
        if category in ("true", "false"):
            places[category == "true"] = place
    return places
