"""The groups of the objective's slices that a row belongs to, for its prediction id.

Not here: what is counted for a group.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mlmodel_contract.bundle import BundleSchema
from numpy.typing import NDArray

from ...prediction_id.ids import NO_GROUP


class SliceGroups:
    """Finds the groups of rows; a row has at most one for each sliced column."""

    def __init__(self, schema: BundleSchema) -> None:
        self._columns: dict[str, dict[str | bool, int]] = {}
        for index, group in enumerate(schema.slices):
            self._columns.setdefault(group.column, {})[group.value] = index

    def indices(self, columns: Mapping[str, Sequence[Any]]) -> NDArray[np.uint8] | None:
        """Return rows x sliced columns: the index of the row's group in the schema, or ``NO_GROUP``; None where no column is sliced.

        ``columns`` are the values of categories and booleans, by name.
        """
        found = [[groups.get(value, NO_GROUP) for value in columns[name]] for name, groups in self._columns.items()]
        return np.array(found, np.uint8).T if found else None
