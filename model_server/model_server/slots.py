"""The slots of a feature: where each of its values is counted, by the trainer and by the sidecar alike, and what people call them.

Not here: counting, and what the counts are held against.
"""

import json
from collections.abc import Sequence
from itertools import repeat
from typing import Any

import numpy as np
from mlmodel_contract.bundle import FeatureProfile
from mlmodel_contract.report import LONGEST_SLOT_NAME, FeatureKind
from numpy.typing import NDArray

Integers = NDArray[np.int64]

_MOST_NAMED = 200_000  # characters of JSON: a report must stay below the 1.5 MB of an object, and is written every half minute


class Slots:
    """Finds the slots of one feature's values; ``number`` is how many there are, of which the last is missing values."""

    def __init__(self, profile: FeatureProfile) -> None:
        self._edges = np.array(profile.edges, dtype=np.float64)
        self._numeric = profile.kind is FeatureKind.NUMERIC
        self._missing = (len(profile.edges) if self._numeric else len(profile.categories)) + 1
        self._places = _places(profile.categories, self._missing)
        self.number = self._missing + 1

    def find(self, values: Sequence[Any] | NDArray[Any]) -> Integers:
        """Return each row's slot: values are numbers, booleans or None if numeric, and text, booleans or None if categorical.

        Raises:
            ValueError, TypeError: a value is not of the feature's type.

        """
        return self._of_numbers(values) if self._numeric else self._of_categories(values)

    def _of_numbers(self, values: Sequence[Any] | NDArray[Any]) -> Integers:
        numbers = np.asarray(values, dtype=np.float64)  # None becomes NaN
        slots = np.searchsorted(self._edges, numbers, side="left")
        return np.where(np.isnan(numbers), self._missing, slots).astype(np.int64)

    def _of_categories(self, values: Sequence[Any] | NDArray[Any]) -> Integers:
        """An empty text is a missing category, for models as for the profile; what has no slot of its own is the last but one."""
        return np.fromiter(map(self._places.get, values, repeat(self._missing - 1)), dtype=np.int64, count=len(values))


def _places(categories: Sequence[str], missing: int) -> dict[Any, int]:
    """Return the slot of each value that has one of its own; a boolean has that of the text which JSON writes for it."""
    places: dict[Any, int] = {None: missing, "": missing}
    for place, category in enumerate(categories):
        places[category] = place
        if category in ("true", "false"):
            places[category == "true"] = place
    return places


def slot_names(features: Sequence[FeatureProfile]) -> list[list[str]]:
    """Return short names of each feature's slots; none of any feature where they would make a report too large.

    >>> slot_names([FeatureProfile(name="x", kind=FeatureKind.NUMERIC, edges=[0.5], counts=[5, 5, 0])])
    [['<= 0.5', '> 0.5', 'missing']]
    """
    names = [_numeric_names(feature.edges) if feature.kind is FeatureKind.NUMERIC else _category_names(feature) for feature in features]
    return names if len(json.dumps(names)) <= _MOST_NAMED else [[] for _ in features]


def _numeric_names(edges: Sequence[float]) -> list[str]:
    last = f"> {edges[-1]:.4g}" if edges else "any number"
    return [*(f"<= {edge:.4g}" for edge in edges), last, "missing"]


def _category_names(feature: FeatureProfile) -> list[str]:
    return [*(category[:LONGEST_SLOT_NAME] for category in feature.categories), "other", "missing"]
