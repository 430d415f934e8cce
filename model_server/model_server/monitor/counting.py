"""Live rows by slot, as the bundle's profile defines the slots of each feature.

Not here: where the rows come from, and what the counts are held against.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mlmodel_contract.bundle import BundleSchema, Profile
from mlmodel_contract.metrics import Task
from mlmodel_contract.report import PREDICTION, FeatureCounts, FeatureKind
from mlmodel_contract.scores import location_scores
from numpy.typing import NDArray

from ..slots import Slots, slot_names

Counts = NDArray[np.int64]


class RowCounter:
    """Counts rows of all features of a profile, the prediction among them."""

    def __init__(self, profile: Profile, schema: BundleSchema) -> None:
        self._task = schema.task
        self._profile = profile
        self._numbers = [feature.name for feature in profile.features if feature.kind is FeatureKind.NUMERIC]
        self._ranges = {column.name: (column.min, column.max) for column in schema.features if (column.min, column.max) != (None, None)}
        self._names = slot_names(profile.features)
        self._slots = {feature.name: Slots(feature) for feature in profile.features}
        self._counts = {name: np.zeros(slots.number, dtype=np.int64) for name, slots in self._slots.items()}
        self._outside = dict.fromkeys(self._slots, 0)
        self._products = ProductSums(profile)

    def update(self, columns: Mapping[str, Sequence[Any] | NDArray[Any]], predictions: NDArray[np.float64]) -> None:
        """Count rows: all features of all rows, or nothing.

        Args:
            columns: by name, of the same length; a feature that is not there is missing in every row.
            predictions: rows x classes, or rows x 1.

        Raises:
            ValueError, TypeError: a value is not of its feature's type, or columns differ in length.

        """
        scores = prediction_of(predictions, self._task)
        columns = {**columns, PREDICTION: scores}
        columns |= {name: np.asarray(columns[name], dtype=np.float64) for name in self._numbers if name in columns}  # None becomes NaN
        found = {name: slots.find(columns.get(name, [None] * len(scores))) for name, slots in self._slots.items()}
        if any(len(places) != len(scores) for places in found.values()):
            raise ValueError("columns differ in length")
        outside = {name: _outside(columns[name], *bounds) for name, bounds in self._ranges.items() if name in columns}
        self._products.add(found)
        for name, number in outside.items():
            self._outside[name] += number
        for name, places in found.items():
            self._counts[name] += np.bincount(places, minlength=len(self._counts[name]))

    @property
    def counts(self) -> list[list[int]]:
        """Rows by slot, for each feature in the profile's order."""
        return [counts.tolist() for counts in self._counts.values()]

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

    def features(self) -> list[FeatureCounts]:
        """Return each feature's counts beside the profile's, as a report has them."""
        return [
            FeatureCounts(
                name=feature.name,
                kind=feature.kind,
                reference=feature.counts,
                live=live,
                outside=outside,
                effect=feature.effect,
                slot_effects=feature.slot_effects,
                slots=names,
            )
            for feature, live, outside, names in zip(self._profile.features, self.counts, self.outside, self._names, strict=True)
        ]

    def add(self, counts: Sequence[Sequence[int]], products: Sequence[int], outside: Sequence[int]) -> bool:
        """Add counts of an earlier life; return whether they have this profile's slots and pairs, else nothing is added."""
        sizes = [len(feature) for feature in counts], len(products), len(outside)
        if sizes != ([slots.number for slots in self._slots.values()], len(self.products), len(self._outside)):
            return False
        self._products.sums_ += np.array(products, dtype=np.int64)
        for name, feature, number in zip(self._slots, counts, outside, strict=True):
            self._counts[name] += np.array(feature, dtype=np.int64)
            self._outside[name] += number
        return True


def _outside(numbers: Sequence[Any] | NDArray[Any], least: float | None, most: float | None) -> int:
    """Count the numbers that lie outside a range; missing ones do not."""
    values = np.asarray(numbers, dtype=np.float64)
    below = values < (-np.inf if least is None else least)
    return int((below | (values > (np.inf if most is None else most))).sum())


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


def prediction_of(predictions: NDArray[np.float64], task: Task) -> NDArray[np.float64]:
    """Return the one number that a prediction is counted by: the positive class's or the highest probability, or the number."""
    if task is Task.REGRESSION or predictions.shape[1] == 1:
        return predictions[:, 0]
    return predictions[:, 1] if predictions.shape[1] == 2 else predictions.max(axis=1)
