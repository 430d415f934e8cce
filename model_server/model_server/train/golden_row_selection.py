"""Golden rows: real rows and hostile ones, with the predictions that every server of the bundle must give.

Pure. Not here: comparing, which whoever opens the bundle does.
"""

from typing import Any

import numpy as np
from mlmodel_contract.bundle import BundleSchema, GoldenRows
from mlmodel_contract.manifest import ColumnType

from ..bundle.engine import Predictor
from ..bundle.json_rows import to_columns, to_rows
from .data.training_rows import TrainingRows

_REAL = 24
_TOLERANCE = 1e-9
"""Of a probability, or of the largest predicted number: engines compute in float64 throughout."""

_UNSEEN = "a category that no row ever had"


def golden_rows(schema: BundleSchema, rows: TrainingRows, predictor: Predictor) -> GoldenRows:
    """Return rows spread over the given ones, the same with values missing or categories unseen, and their predictions."""
    spread = np.linspace(0, len(rows) - 1, min(_REAL, len(rows)), dtype=np.int64)
    real = to_rows({name: values[spread] for name, values in rows.columns.items()}, schema.features)
    hostile = [*_with_missing(real, schema), _all_missing(schema), *_unseen(real[:3], schema)]
    chosen = [*real, *hostile]
    found = predictor.predict(to_columns(chosen, schema.features), len(chosen))
    tolerance = _TOLERANCE * (1.0 if schema.classes else float(np.abs(found).max()))
    return GoldenRows(rows=chosen, predictions=found.tolist(), tolerance=tolerance)


def _with_missing(real: list[dict[str, Any]], schema: BundleSchema) -> list[dict[str, Any]]:
    """Return a few rows, each with another column missing."""
    names = [column.name for column in schema.features]
    return [{**row, names[index % len(names)]: None} for index, row in enumerate(real[:4])]


def _all_missing(schema: BundleSchema) -> dict[str, Any]:
    return {column.name: None for column in schema.features}


def _unseen(real: list[dict[str, Any]], schema: BundleSchema) -> list[dict[str, Any]]:
    new = {column.name: _UNSEEN for column in schema.features if column.type is ColumnType.CATEGORY}
    return [{**row, **new} for row in real]
