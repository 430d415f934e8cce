"""Which groups of the objective's slices a row belongs to, for its prediction id.

Not here: what is counted for a group.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from mlmodel_contract.bundle import BundleSchema


class Groups:
    """Finds the groups of rows; a row has at most one for each sliced column."""

    def __init__(self, schema: BundleSchema) -> None:
        self._columns: dict[str, dict[str | bool, bytes]] = {}
        for place, group in enumerate(schema.slices):
            self._columns.setdefault(group.column, {})[group.value] = bytes([place])

    def of(self, columns: Mapping[str, Sequence[Any]], rows: int) -> list[bytes] | None:
        """Return, for each row, a byte for each of its groups: the group's place in the schema; nothing where there are no groups.

        ``columns`` are those of categories and booleans, by name.
        """
        if not self._columns:
            return None
        found = [[groups.get(value, b"") for value in columns[name]] for name, groups in self._columns.items() if name in columns]
        return [b"".join(of_row) for of_row in zip(*found, strict=True)] if found else [b""] * rows
