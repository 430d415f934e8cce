"""Which groups of the objective's slices a row belongs to, for its prediction id.

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
        for place, group in enumerate(schema.slices):
            self._columns.setdefault(group.column, {})[group.value] = place

    def of(self, columns: Mapping[str, Sequence[Any]]) -> NDArray[np.uint8] | None:
        """Return rows x sliced columns: the row's group, by its place in the schema, or ``NO_GROUP``; nothing where none is sliced.

        ``columns`` are those of categories and booleans, by name.
        """
        found = [[groups.get(value, NO_GROUP) for value in columns[name]] for name, groups in self._columns.items()]
        return np.array(found, np.uint8).T if found else None
