"""Live rows by slot, as the bundle's profile defines the slots of each feature.

Not here: where the rows come from, and what the counts are compared with.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from mlmodel_contract.bundle import BundleSchema, Profile
from mlmodel_contract.report import PREDICTION, FeatureCounts
from mlmodel_contract.slot_scores import MOST_SCORE, location_scores
from numpy.typing import NDArray

from ..binning.cycles import CycleRemover
from ..binning.monitored_prediction import monitored_prediction
from ..binning.slots import EncodedRows, FeatureBinner
from .slot_names import slot_names

Counts = NDArray[np.int64]

_AT_ONCE = 4_096
"""Rows that are counted together; a batch has fewer."""

_EXACT_ROWS = 2**24 // MOST_SCORE**2
"""Rows of which sums of products are exact in 32-bit floating point."""


class RowCounter:
    """Counts rows of all features of a profile, the prediction among them."""

    def __init__(self, profile: Profile, schema: BundleSchema) -> None:
        self._task = schema.task
        self._profile = profile
        self._ranges = {column.name: (column.min, column.max) for column in schema.features if (column.min, column.max) != (None, None)}
        self._names = slot_names(profile.features, {column.name for column in schema.features if column.sensitive})
        self._binner = FeatureBinner(profile.features)
        self._cycles = CycleRemover(profile.features)
        self._counts: Counts = np.zeros(self._binner.slot_count, dtype=np.int64)
        self._outside = {feature.name: 0 for feature in profile.features}
        self._waiting: list[EncodedRows] = []
        self._rows_waiting = 0
        self._products = ProductSums(profile, self._binner)

    @property
    def needs_times(self) -> bool:
        """Whether a number is compared with the same hours and seasons."""
        return bool(self._cycles.names)

    def update(
        self,
        columns: Mapping[str, Sequence[Any] | NDArray[Any]],
        predictions: NDArray[np.float64],
        seconds: NDArray[np.float64] | None = None,
    ) -> None:
        """Count rows: all features of all rows, or nothing.

        Args:
            columns: by name, of the same length; a feature that is not there is missing in every row.
            predictions: rows x classes, or rows x 1.
            seconds: the rows' times, since the epoch; they are asked for where ``needs_times`` is true.

        Raises:
            ValueError, TypeError: a value is not of its feature's type, columns differ in length, or times are needed and not given.

        """
        scores = monitored_prediction(predictions, self._task)
        encoded = self._binner.encode(self._cycles.remove({**columns, PREDICTION: scores}, seconds), len(scores))
        outside = {name: _outside(columns[name], *bounds) for name, bounds in self._ranges.items() if name in columns}
        for name, number in outside.items():
            self._outside[name] += number
        self._waiting.append(encoded)
        self._rows_waiting += len(scores)
        if self._rows_waiting >= _AT_ONCE:
            self._count()

    def _count(self) -> None:
        """Count the rows that wait, which are cheaper to count together."""
        if self._waiting:
            found = self._binner.digitize_encoded(self._waiting)
            self._waiting, self._rows_waiting = [], 0
            self._products.add(found)
            self._counts += np.bincount(found.ravel(), minlength=len(self._counts))

    @property
    def counts(self) -> list[list[int]]:
        """Rows by slot, for each feature in the profile's order."""
        self._count()
        counts = self._counts.tolist()
        return [counts[start:end] for start, end in pairwise(self._binner.starts)]

    @property
    def outside(self) -> list[int]:
        """Values out of the schema's range, for each feature in the profile's order."""
        return list(self._outside.values())

    @property
    def products(self) -> list[int]:
        """Sums of products of location scores, by pair."""
        self._count()
        return [int(total) for total in self._products.sums_]

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
                reference_error=feature.reference_error,
                slots=names,
            )
            for feature, live, outside, names in zip(self._profile.features, self.counts, self.outside, self._names, strict=True)
        ]

    def add_earlier(self, counts: Sequence[Sequence[int]], products: Sequence[int], outside: Sequence[int]) -> bool:
        """Add counts of the pod before a restart; return whether they have this profile's slots and pairs, else nothing is added."""
        sizes = [len(feature) for feature in counts], len(products), len(outside)
        if sizes != (np.diff(self._binner.starts).tolist(), len(self.products), len(self._outside)):
            return False
        self._products.sums_ += np.array(products, dtype=np.int64)
        self._counts += np.concatenate([np.array(feature, dtype=np.int64) for feature in counts])
        for name, number in zip(self._outside, outside, strict=True):
            self._outside[name] += number
        return True


def _outside(numbers: Sequence[Any] | NDArray[Any], least: float | None, most: float | None) -> int:
    """Count the numbers that lie outside a range; missing ones do not."""
    values = np.asarray(numbers, dtype=np.float64)
    below = values < (-np.inf if least is None else least)
    return int((below | (values > (np.inf if most is None else most))).sum())


class ProductSums:
    """Sums, over rows, of the product of two numbers' location scores; ``sums_`` is by pair of the profile's correlations."""

    def __init__(self, profile: Profile, binner: FeatureBinner) -> None:
        names = profile.correlations.names if profile.correlations else []
        indices = {feature.name: index for index, feature in enumerate(profile.features)}
        self._features = [indices[name] for name in names]
        self._selection = _slice(self._features)
        self._scores = np.zeros(binner.slot_count, np.float32)
        for index in self._features:
            self._scores[binner.starts[index] : binner.starts[index + 1]] = location_scores(profile.features[index].counts)
        self._pairs = np.triu_indices(len(names), 1)
        self.sums_: Counts = np.zeros(len(self._pairs[0]), dtype=np.int64)

    def add(self, slots: Counts) -> None:
        """Add rows, whose slots are features x rows."""
        for start in range(0, slots.shape[1] if self._features else 0, _EXACT_ROWS):
            scores = self.scores(slots[:, start : start + _EXACT_ROWS])
            products = scores[:-1] @ scores.T  # a pair's first is never the last; and all by all would be a slower routine of BLAS
            self.sums_ += products[self._pairs].astype(np.int64)

    def scores(self, slots: Counts) -> NDArray[np.float32]:
        """Return the location scores of the features whose correlations are watched: features x rows."""
        found: NDArray[np.float32] = self._scores.take(slots[self._selection])
        return found


def _slice(indices: Sequence[int]) -> Any:
    """Return what selects these rows of a matrix; neighbours are not copied."""
    neighbours = list(indices) == list(range(indices[0], indices[0] + len(indices))) if indices else True
    return slice(indices[0], indices[0] + len(indices)) if indices and neighbours else list(indices)
