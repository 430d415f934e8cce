"""Live rows by slot, as the bundle's profile defines the slots of each feature.

Not here: where the rows come from, and what the counts are held against.
"""

from collections.abc import Mapping, Sequence
from itertools import repeat
from typing import Any

import numpy as np
from mlmodel_contract.bundle import BundleSchema, FeatureProfile, Profile
from mlmodel_contract.metrics import Task
from mlmodel_contract.report import PREDICTION, FeatureKind
from mlmodel_contract.scores import location_scores
from numpy.typing import NDArray

Counts = NDArray[np.int64]


class FeatureCounter:
    """Counts the values of one feature; ``counts_`` has a row count for each slot."""

    def __init__(self, profile: FeatureProfile) -> None:
        self._edges = np.array(profile.edges, dtype=np.float64)
        self._numeric = profile.kind is FeatureKind.NUMERIC
        self._missing = (len(profile.edges) if self._numeric else len(profile.categories)) + 1
        self._places = _places(profile.categories, self._missing)
        self.counts_: Counts = np.zeros(self._missing + 1, dtype=np.int64)

    def slots(self, values: Sequence[Any] | NDArray[np.float64]) -> Counts:
        """Return each row's slot: values are numbers, booleans or None if numeric, and text, booleans or None if categorical."""
        return self._numeric_slots(values) if self._numeric else self._categorical_slots(values)

    def count(self, slots: Counts) -> Counts:
        """Return the rows by slot."""
        return np.bincount(slots, minlength=len(self.counts_))

    def _numeric_slots(self, values: Sequence[Any] | NDArray[np.float64]) -> Counts:
        numbers = np.array(values, dtype=np.float64)  # None becomes NaN
        slots = np.searchsorted(self._edges, numbers, side="left")
        return np.where(np.isnan(numbers), self._missing, slots).astype(np.int64)

    def _categorical_slots(self, values: Sequence[Any] | NDArray[np.float64]) -> Counts:
        """An empty text is a missing category, for models as for the profile; what has no slot of its own is the last but one."""
        return np.fromiter(map(self._places.get, values, repeat(self._missing - 1)), dtype=np.int64, count=len(values))


class RowCounter:
    """Counts rows of all features of a profile, the prediction among them."""

    def __init__(self, profile: Profile, schema: BundleSchema) -> None:
        self._task = schema.task
        self._ranges = {column.name: (column.min, column.max) for column in schema.features}
        self._outside = dict.fromkeys((feature.name for feature in profile.features), 0)
        self._counters = {feature.name: FeatureCounter(feature) for feature in profile.features}
        self._products = ProductSums(profile)

    def update(self, columns: Mapping[str, Sequence[Any] | NDArray[np.float64]], predictions: NDArray[np.float64]) -> None:
        """Count rows: all features of all rows, or nothing.

        Args:
            columns: by name, of the same length; a feature that is not there is missing in every row.
            predictions: rows x classes, or rows x 1.

        Raises:
            ValueError, TypeError: a value is not of its feature's type, or columns differ in length.

        """
        scores = prediction_of(predictions, self._task)
        columns = {**columns, PREDICTION: scores.tolist()}
        slots = {name: counter.slots(columns.get(name, [None] * len(scores))) for name, counter in self._counters.items()}
        if any(len(places) != len(scores) for places in slots.values()):
            raise ValueError("columns differ in length")
        outside = {name: _outside(columns[name], *bounds) for name, bounds in self._ranges.items() if name in columns}
        self._products.add(slots)
        for name, number in outside.items():
            self._outside[name] += number
        for name, counter in self._counters.items():
            counter.counts_ += counter.count(slots[name])

    @property
    def counts(self) -> list[list[int]]:
        """Rows by slot, for each feature in the profile's order."""
        return [counter.counts_.tolist() for counter in self._counters.values()]

    @property
    def outside(self) -> list[int]:
        """Values out of the schema's range, for each feature in the profile's order."""
        return list(self._outside.values())

    @property
    def products(self) -> list[int]:
        """Sums of products of location scores, by pair."""
        return [int(total) for total in self._products.sums_]

    @property
    def scores(self) -> Mapping[str, NDArray[np.float64]]:
        """Location score of each slot of the features whose correlations are watched."""
        return self._products.scores

    def add(self, counts: Sequence[Sequence[int]], products: Sequence[int], outside: Sequence[int]) -> bool:
        """Add counts of an earlier life; return whether they have this profile's slots and pairs, else nothing is added."""
        own = list(self._counters.values())
        if (
            [len(feature) for feature in counts] != [len(counter.counts_) for counter in own]
            or len(products) != len(self.products)
            or len(outside) != len(own)
        ):
            return False
        self._products.sums_ += np.array(products, dtype=np.int64)
        for name, number in zip(self._outside, outside, strict=True):
            self._outside[name] += number
        for counter, feature in zip(own, counts, strict=True):
            counter.counts_ += np.array(feature, dtype=np.int64)
        return True


def _outside(values: Sequence[Any] | NDArray[np.float64], least: float | None, most: float | None) -> int:
    """Count the numbers that lie outside a range; missing ones do not."""
    if least is None and most is None:
        return 0
    numbers = np.array(values, dtype=np.float64)
    below = numbers < (-np.inf if least is None else least)
    return int((below | (numbers > (np.inf if most is None else most))).sum())


class ProductSums:
    """Sums, over rows, of the product of two numbers' location scores; ``sums_`` is by pair of the profile's correlations."""

    def __init__(self, profile: Profile) -> None:
        by_name = {feature.name: feature for feature in profile.features}
        names = profile.correlations.names if profile.correlations else []
        self.scores = {name: np.array(location_scores(by_name[name].counts), np.float64) for name in names}
        self._pairs = np.triu_indices(len(names), 1)
        self.sums_: Counts = np.zeros(len(self._pairs[0]), dtype=np.int64)

    def add(self, slots: Mapping[str, Counts]) -> None:
        """Add rows, whose slots are given by feature; sums of whole numbers below 2^53 are exact in floating point."""
        if self.scores:
            rows = np.column_stack([score[slots[name]] for name, score in self.scores.items()])
            self.sums_ += (rows.T @ rows)[self._pairs].astype(np.int64)


def _places(categories: Sequence[str], missing: int) -> dict[Any, int]:
    """Return the slot of each value that has one of its own; a boolean has that of the text which JSON writes for it."""
    places: dict[Any, int] = {None: missing, "": missing}
    for place, category in enumerate(categories):
        places[category] = place
        if category in ("true", "false"):
            places[category == "true"] = place
    return places


def prediction_of(predictions: NDArray[np.float64], task: Task) -> NDArray[np.float64]:
    """Return the one number that a prediction is counted by: the positive class's or the highest probability, or the number."""
    if task is Task.REGRESSION or predictions.shape[1] == 1:
        return predictions[:, 0]
    return predictions[:, 1] if predictions.shape[1] == 2 else predictions.max(axis=1)
